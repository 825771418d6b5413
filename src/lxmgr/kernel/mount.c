/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

/* The kernel's own words for what a file system refused ("e overlay: No changes allowed in ..."),
 * appended to err. */
static int add_fs_message(int fs, struct lxmgr_err *err)
{
	char buf[256];
	ssize_t n;

	while ((n = read(fs, buf, sizeof(buf) - 1)) > 0) {
		buf[n] = '\0';
		if (buf[0] == 'e' && buf[1] == ' ')
			return err_hint(err, "%s", str_strip(buf + 2));
	}
	return err ? err->code : -1;
}

static int set_option(int fs, const char *fstype, char *option, struct lxmgr_err *err)
{
	char *value = strchr(option, '=');
	int r;

	if (value)
		*value++ = '\0';
	r = sys_fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value, 0);
	if (r < 0) {
		err_set(err, r, "%s: mount option '%s%s%s'", fstype, option, value ? "=" : "",
			value ? value : "");
		return add_fs_message(fs, err), r;
	}
	return 0;
}

/* The next option of *rest, which is cut up: a comma in double quotes belongs to the value, the
 * quotes do not. */
static char *next_option(char **rest)
{
	char *begin = *rest, *in = begin, *out = begin;
	bool quoted = false;

	if (!*begin)
		return NULL;
	for (; *in && (quoted || *in != ','); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*rest = *in ? in + 1 : in;
	*out = '\0';
	return begin;
}

int mount_new_fs(const char *fstype, const char *source, const char *options, uint64_t attr,
		 struct lxmgr_err *err)
{
	cleanup_fd int fs = sys_fsopen(fstype);
	cleanup_free char *copy = strdup(options ? options : "");
	char *rest = copy, *option;
	int r;

	if (fs < 0)
		return err_set(err, fs, "open file system type '%s'", fstype);
	if (!copy)
		return err_set(err, -ENOMEM, "mount %s", fstype);
	if (source) {
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0);
		if (r < 0)
			return err_set(err, r, "%s: source '%s'", fstype, source);
	}
	while ((option = next_option(&rest))) {
		r = *option ? set_option(fs, fstype, option, err) : 0;
		if (r < 0)
			return r;
	}
	r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0) {
		err_set(err, r, "make a %s mount", fstype);
		return add_fs_message(fs, err), r;
	}
	r = sys_fsmount(fs, (unsigned int)attr);
	if (r < 0) {
		err_set(err, r, "mount %s", fstype);
		return add_fs_message(fs, err), r;
	}
	return r;
}

int mount_clone(int dirfd, const char *path, bool recursive, struct lxmgr_err *err)
{
	int r = sys_open_tree(dirfd, path,
			      OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW |
				      (recursive ? AT_RECURSIVE : 0));

	return r < 0 ? err_set(err, r, "clone the mount of '%s'", path) : r;
}

int mount_set(int mnt_fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
	      int userns_fd, struct lxmgr_err *err)
{
	struct mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};
	int r;

	if (userns_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns_fd;
	}
	/* A new atime mode replaces the old one only where the whole field is cleared. */
	if (attr.attr_set & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	r = sys_mount_setattr(mnt_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr);
	if (r < 0 && userns_fd >= 0 && r == -EINVAL)
		return err_msg(err, r, "this file system cannot be id-mapped by this kernel");
	return r < 0 ? err_set(err, r, "change mount attributes") : 0;
}

int mount_attach(int mnt_fd, int target_fd, const char *what, struct lxmgr_err *err)
{
	int r = sys_move_mount(mnt_fd, "", target_fd, "",
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	return r < 0 ? err_set(err, r, "attach the mount of '%s'", what) : 0;
}

/* Make the missing target itself, its parent being there. */
static int make_file(int rootfd, const char *target)
{
	cleanup_fd int parent = -EBADF, fd = -EBADF;
	const char *base;

	parent = open_parent_in(rootfd, target, OPEN_NO_LINKS, &base);
	if (parent < 0)
		return parent;
	fd = open_in(parent, base, OPEN_NO_LINKS, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0644);
	return fd == -EEXIST ? 0 : fd < 0 ? fd : 0;
}

static int make_target(int rootfd, const char *target, bool is_dir)
{
	const char *slash = strrchr(target, '/');
	cleanup_free char *parent = NULL;
	int fd;

	if (is_dir) {
		fd = mkdir_in(rootfd, target, 0755, (uid_t)-1, (gid_t)-1);
		if (fd < 0)
			return fd;
		fd_close(&fd);
		return 0;
	}
	if (slash) {
		parent = strndup(target, (size_t)(slash - target));
		if (!parent)
			return -ENOMEM;
		fd = mkdir_in(rootfd, parent, 0755, (uid_t)-1, (gid_t)-1);
		if (fd < 0)
			return fd;
		fd_close(&fd);
	}
	return make_file(rootfd, target);
}

int mount_open_target(int rootfd, const char *target, enum mount_create create, bool is_dir,
		      struct lxmgr_err *err)
{
	cleanup_fd int fd = open_in(rootfd, target, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
	struct stat st;
	int r;

	if (fd == -ENOENT && create != MOUNT_CREATE_NONE) {
		r = make_target(rootfd, target, create == MOUNT_CREATE_DIR);
		if (r < 0)
			return err_set(err, r, "make the mount target '%s'", target);
		fd = open_in(rootfd, target, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
	}
	/* -ELOOP: a link on the way. What it would lead to is the container's choice. */
	if (fd == -ELOOP)
		return err_msg(err, -ELOOP, "mount target '%s' has a symbolic link in its path",
			       target);
	if (fd < 0)
		return err_set(err, fd, "open the mount target '%s'", target);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "stat the mount target '%s'", target);
	if (S_ISLNK(st.st_mode))
		return err_msg(err, -ELOOP, "mount target '%s' is a symbolic link", target);
	if (S_ISDIR(st.st_mode) != is_dir)
		return err_msg(err, is_dir ? -ENOTDIR : -EISDIR,
			       "mount target '%s' is %sa directory, its source is %s", target,
			       is_dir ? "not " : "", is_dir ? "one" : "none");
	return take_fd(&fd);
}
