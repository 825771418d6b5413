/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/import_foreign.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"

int import_dir_name(int fd, char *buf, size_t size)
{
	char link[FD_PATH_SIZE], path[4096];
	const char *base;
	ssize_t n;

	fd_path(fd, link);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	if (strlen(base) >= size)
		return -ENAMETOOLONG;
	memcpy(buf, base, strlen(base) + 1);
	return 0;
}

int import_read_file(int dir, const char *name, char **ret, size_t *ret_len, struct lxmgr_err *err)
{
	/* Nothing that would block, or have an effect when it is opened. */
	cleanup_fd int look = open_in(dir, name, OPEN_NO_LINKS, O_PATH, 0), fd = -EBADF;
	struct stat st, now;
	int r;

	if (look == -ENOENT || look == -ENOTDIR)
		return -ENOENT;
	if (look < 0)
		return err_set(err, look, "open '%s'", name);
	if (fstat(look, &st) < 0 || !S_ISREG(st.st_mode))
		return err_status(err, STATUS_REFUSED, -EBADMSG, "'%s' is no plain file", name);
	fd = open_in(dir, name, OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || fstat(fd, &now) < 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev)
		return err_set(err, fd < 0 ? fd : -ESTALE, "open '%s'", name);
	r = read_all(fd, TRANSLATE_LIMIT, ret, ret_len);
	return r < 0 ? err_set(err, r, "read '%s'", name) : 0;
}

int import_open_root(int dir, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_in(dir, name, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (fd == -ELOOP)
		return err_status(err, STATUS_REFUSED, fd, "'%s' is a link", name);
	if (!d)
		return err_set(err, fd < 0 ? fd : -errno, "open the root '%s'", name);
	while ((e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			return take_fd(&fd);
	return err_msg(err, -ENODATA, "the root '%s' is empty", name);
}

int import_take(struct translated *from, struct import_parts *to, struct lxmgr_err *err)
{
	int r = 0;

	/* What every container of ours has; it stands where the lines are all of the config. */
	to->config = str_printf("lxmgr.include = " DATADIR "/config/common.conf\n%s", from->lines);
	r = to->config ? 0 : -ENOMEM;
	to->name = take_ptr(from->name);
	to->owners = from->ids;
	for (size_t i = 0; r == 0 && i < from->notes.n; i++)
		r = strlist_add(&to->notices, from->notes.v[i]);
	translated_free(from);
	return r < 0 ? err_set(err, r, "config") : 0;
}
