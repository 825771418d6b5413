/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"

#define MAX_DEPTH  200
#define NAMES_SIZE 65536
#define VALUE_SIZE 65536

static int cancel_fd = -1;

void tree_copy_cancel(int fd)
{
	cancel_fd = fd;
}

int tree_copy_cancel_fd(void)
{
	return cancel_fd;
}

/* Namespaces here: as those of the caller. One that was killed cannot wait for it. */
int tree_die_with_parent(void *parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != *(pid_t *)parent;
}

/* cp knows reflinks, holes, extended attributes and hard links. */
int tree_copy(int from_fd, int to_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE + 4], to[FD_PATH_SIZE + 4], text[64];
	const char *argv[] = { "cp", "-a", "--reflink=auto", "-T", "--", from, to, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	pid_t self = getpid();
	int r;

	snprintf(from, sizeof(from), "/proc/%d/fd/%d/.", getpid(), from_fd);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), to_fd);
	o.capture = 4096;
	o.prepare = tree_die_with_parent;
	o.data = &self;
	o.cancel_fd = cancel_fd;
	r = run_program(argv, &o, &out);
	if (r < 0)
		return err_set(err, r, "run cp");
	if (r > 0)
		return err_msg(err, -EIO, "cp ended with %s%s%s",
			       run_status_text(r, text, sizeof(text)), out && *out ? ": " : "",
			       out ? str_strip(out) : "");
	return 0;
}

bool tree_can_reflink(int dir_fd)
{
	char path[FD_PATH_SIZE];
	cleanup_fd int a = -EBADF, b = -EBADF;

	fd_path(dir_fd, path);
	a = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	b = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return a >= 0 && b >= 0 && write_all(a, "lxmgr", 5) == 0 && ioctl(b, FICLONE, a) == 0;
}

static int forget(int fd)
{
	static const char *const names[] = { "trusted.overlay.origin", "trusted.overlay.impure",
					     "trusted.overlay.nlink", "trusted.overlay.uuid" };
	char path[FD_PATH_SIZE];

	fd_path(fd, path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (removexattr(path, names[i]) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
			return -errno;
	return 0;
}

static int forget_below(int dir_fd, int depth)
{
	int fd = open_in(dir_fd, ".", OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return fd < 0 ? fd : -errno;
	if (depth == MAX_DEPTH)
		return -ELOOP;
	r = forget(fd);
	while (r == 0 && (e = readdir(d))) {
		cleanup_fd int sub = -EBADF;

		/* Others have no such attributes, or none that matter: they are copied up whole. */
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
		    (e->d_type != DT_DIR && e->d_type != DT_REG && e->d_type != DT_UNKNOWN))
			continue;
		sub = openat(fd, e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			r = -errno;
		else if (e->d_type == DT_DIR)
			r = forget_below(sub, depth + 1);
		else
			r = forget(sub);
	}
	return r;
}

int tree_forget_origin(int dir_fd, struct lxmgr_err *err)
{
	int r = forget_below(dir_fd, 0);

	return r < 0 ? err_set(err, r, "clean the attributes of the copied layer") : 0;
}

/* What overlay says of a directory is not the new one's. */
static int copy_xattrs(const char *from, const char *to)
{
	static char names[NAMES_SIZE], value[VALUE_SIZE];
	ssize_t len = listxattr(from, names, sizeof(names));

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		ssize_t size;

		if (str_has_prefix(n, "trusted.overlay.") || str_has_prefix(n, "security.selinux"))
			continue;
		size = getxattr(from, n, value, sizeof(value));
		if (size < 0)
			return -errno;
		/* A file system in memory has no user's attributes before Linux 6.6. */
		if (setxattr(to, n, value, (size_t)size, 0) < 0 &&
		    !(errno == EOPNOTSUPP && str_has_prefix(n, "user.")))
			return -errno;
	}
	return 0;
}

int tree_copy_attributes(int from_fd, int to_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE], to[FD_PATH_SIZE];
	struct stat st;
	int r = fstat(from_fd, &st) < 0 ? -errno : 0;

	fd_path(from_fd, from);
	fd_path(to_fd, to);
	if (r == 0 && (chown(to, st.st_uid, st.st_gid) < 0 || chmod(to, st.st_mode & 07777) < 0))
		r = -errno;
	if (r == 0)
		r = copy_xattrs(from, to);
	return r < 0 ? err_set(err, r, "copy the attributes of a directory") : 0;
}
