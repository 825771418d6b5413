/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/treeattrs.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"
#include "util/treewalk.h"

/* The kernel's own bounds: XATTR_LIST_MAX, XATTR_SIZE_MAX. */
#define NAMES_SIZE 65536
#define VALUE_SIZE 65536

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

static int forget_dir(void *arg, int fd, const char *name)
{
	(void)arg;
	(void)name;
	return forget(fd);
}

/* Others have no such attributes, or none that matter: they are copied up whole. */
static int forget_file(void *arg, int dir, const char *name, unsigned char type)
{
	cleanup_fd int fd = -EBADF;

	(void)arg;
	if (type != DT_REG)
		return 0;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : forget(fd);
}

int tree_forget_origin(int dir_fd, struct lxmgr_err *err)
{
	static const struct treewalk how = { .file = forget_file, .enter = forget_dir };
	int r = forget(dir_fd);

	if (r == 0)
		r = tree_walk(dir_fd, &how, NULL);
	return r < 0 ? err_set(err, r, "clean the attributes of the copied layer") : 0;
}

/* What overlay says of a directory is not the new one's. */
static int copy_xattrs(const char *from, const char *to, bool all)
{
	static char names[NAMES_SIZE], value[VALUE_SIZE];
	ssize_t len = listxattr(from, names, sizeof(names));

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		ssize_t size;

		if (!all && (str_has_prefix(n, "trusted.overlay.") ||
			     str_has_prefix(n, "security.selinux")))
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

static int copy_attributes(int from_fd, int to_fd, bool all)
{
	char from[FD_PATH_SIZE], to[FD_PATH_SIZE];
	struct timespec times[2];
	struct stat st;
	int r = fstat(from_fd, &st) < 0 ? -errno : 0;

	fd_path(from_fd, from);
	fd_path(to_fd, to);
	if (r == 0 && chown(to, st.st_uid, st.st_gid) < 0)
		r = -errno;
	if (r == 0 && !S_ISLNK(st.st_mode) && chmod(to, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0)
		r = copy_xattrs(from, to, all);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return r == 0 && utimensat(AT_FDCWD, to, times, 0) < 0 ? -errno : r;
}

int tree_copy_attributes(int from_fd, int to_fd, struct lxmgr_err *err)
{
	int r = copy_attributes(from_fd, to_fd, false);

	return r < 0 ? err_set(err, r, "copy the attributes of a directory") : 0;
}

int tree_copy_all_attributes(int from_fd, int to_fd)
{
	return copy_attributes(from_fd, to_fd, true);
}

/* A place that cannot have such an attribute at all: a file system without it, or a user namespace
 * in which only the file capabilities of `security` may be written. */
static bool cannot_have(const char *name, int error)
{
	return error == EOPNOTSUPP || (error == EPERM && str_has_prefix(name, "security.") &&
				       !str_eq(name, "security.capability"));
}

/* The label is of the place, not of the file. */
static int complete_file(const char *from, const char *to)
{
	static char names[NAMES_SIZE], value[VALUE_SIZE], there[VALUE_SIZE];
	ssize_t len = llistxattr(from, names, sizeof(names));

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		ssize_t size, has;

		if (str_eq(n, "security.selinux"))
			continue;
		size = lgetxattr(from, n, value, sizeof(value));
		if (size < 0)
			return -errno;
		has = lgetxattr(to, n, there, sizeof(there));
		if (has == size && memcmp(value, there, (size_t)size) == 0)
			continue;
		if (lsetxattr(to, n, value, (size_t)size, 0) < 0 && !cannot_have(n, errno))
			return -errno;
	}
	return 0;
}

struct complete {
	struct treealong to;
	char failed[NAME_MAX + 1];
};

static int complete_in(struct complete *c, int dir_fd, const char *name)
{
	char from[FD_PATH_SIZE + NAME_MAX + 2], to[FD_PATH_SIZE + NAME_MAX + 2];
	char path[FD_PATH_SIZE];
	int r;

	snprintf(from, sizeof(from), "%s/%s", fd_path(dir_fd, path), name);
	snprintf(to, sizeof(to), "%s/%s", fd_path(c->to.fd, path), name);
	r = complete_file(from, to);
	if (r < 0)
		snprintf(c->failed, sizeof(c->failed), "%s", name);
	return r;
}

static int complete_each(void *arg, int dir_fd, const char *name, unsigned char type)
{
	(void)type;
	return complete_in(arg, dir_fd, name);
}

static int complete_enter(void *arg, int fd, const char *name)
{
	struct complete *c = arg;
	int r = tree_copy_is_cancelled() ? -ECANCELED : treealong_down(&c->to, name);

	return r < 0 ? r : complete_in(c, fd, ".");
}

static int complete_leave(void *arg, int fd, const char *name)
{
	struct complete *c = arg;

	(void)fd;
	(void)name;
	return treealong_up(&c->to);
}

int tree_complete_xattrs(int from_fd, int to_fd, struct lxmgr_err *err)
{
	static const struct treewalk how = { .file = complete_each,
					     .enter = complete_enter,
					     .leave = complete_leave };
	struct complete c = { .to = TREEALONG_INIT };
	int r = treealong_begin(&c.to, to_fd);

	if (r == 0)
		r = complete_in(&c, from_fd, ".");
	if (r == 0)
		r = tree_walk(from_fd, &how, &c);
	treealong_end(&c.to);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	return r < 0 ? err_set(err, r, "copy attributes%s%s", *c.failed ? " of " : "", c.failed)
		     : 0;
}
