/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/snapshot.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define NOTE	  ".from"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool has_any(int dir_fd)
{
	int fd = openat(dir_fd, SNAPSHOTS_DIR, DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (name_is_valid(e->d_name))
			return true;
	return false;
}

int snapshots_note(int old_fd, const char *from_name, int new_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF;
	int r;

	if (!has_any(old_fd))
		return 0;
	if (mkdirat(new_fd, SNAPSHOTS_DIR, 0711) < 0)
		return err_set(err, -errno, "make a directory for the snapshots");
	dir = openat(new_fd, SNAPSHOTS_DIR, DIR_FLAGS);
	r = dir < 0 ? -errno : write_file_replace(dir, NOTE, from_name, strlen(from_name), 0600);
	return r < 0 ? err_set(err, r, "note where the snapshots are") : 0;
}

/* -ENOENT: another one was faster, or there are none. */
static int move_all(int from, int to)
{
	int fd = openat(from, SNAPSHOTS_DIR, DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (name_is_valid(e->d_name) &&
		    renameat2(fd, e->d_name, to, e->d_name, RENAME_NOREPLACE) < 0 &&
		    errno != ENOENT)
			return -errno;
	return fsync(to) < 0 ? -errno : 0;
}

int snapshots_settle(int dir_fd, struct lxmgr_err *err)
{
	cleanup_fd int to = openat(dir_fd, SNAPSHOTS_DIR, DIR_FLAGS), path = -EBADF, from = -EBADF;
	char name[96];
	int r;

	if (to < 0 || read_small(to, NOTE, name, sizeof(name)) < 0)
		return 0;
	/* A draft beside it, and nothing else. */
	if (*name != '.' || str_eq(name, "..") || strchr(name, '/'))
		return err_msg(err, -EINVAL, "the note where the snapshots are is damaged");
	path = openat(dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	from = path < 0 ? -errno : openat(path, name, DIR_FLAGS);
	r = from < 0 ? -errno : move_all(from, to);
	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "move the snapshots from '%s'", name);
	if (unlinkat(to, NOTE, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "delete the note where the snapshots were");
	return 0;
}
