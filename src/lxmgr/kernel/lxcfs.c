/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/lxcfs.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define UMOUNT_FLAGS (2 | 8) /* MNT_DETACH, UMOUNT_NOFOLLOW: sys/mount.h clashes with linux's */
#define MAX_LAYERS   16

/* Of the CPUs' directory only what sysconf(3) reads: the rest lxcfs passes through. */
static const struct {
	const char *dir, *name;
	long magic;
} files[LXCFS_FILES] = {
	{ "proc", "cpuinfo", PROC_SUPER_MAGIC },
	{ "proc", "diskstats", PROC_SUPER_MAGIC },
	{ "proc", "loadavg", PROC_SUPER_MAGIC },
	{ "proc", "meminfo", PROC_SUPER_MAGIC },
	{ "proc", "slabinfo", PROC_SUPER_MAGIC },
	{ "proc", "stat", PROC_SUPER_MAGIC },
	{ "proc", "swaps", PROC_SUPER_MAGIC },
	{ "proc", "uptime", PROC_SUPER_MAGIC },
	{ "sys/devices/system/cpu", "online", SYSFS_MAGIC },
};

static int open_file(int dir, size_t i, struct lxmgr_err *err)
{
	cleanup_fd int mnt = -EBADF;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "%s/%s", files[i].dir, files[i].name);
	if (faccessat(dir, path, F_OK, 0) < 0 && errno == ENOENT)
		return -ENOENT;
	mnt = mount_clone(dir, path, false, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt,
		      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		      0, 0, false, -1, err);
	return r < 0 ? r : take_fd(&mnt);
}

int lxcfs_open(const char *dir, struct lxcfs *ret, struct lxmgr_err *err)
{
	cleanup_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct lxcfs l = LXCFS_INIT;
	struct statfs st;

	/* The daemon answers this itself. */
	if (fd >= 0 && fstatfs(fd, &st) < 0)
		return err_msg(err, -ENOTCONN, "lxcfs at '%s' has died (systemctl restart lxcfs)",
			       dir);
	if (fd < 0 || st.f_type != FUSE_SUPER_MAGIC)
		return err_msg(err, -ENOENT,
			       "lxcfs does not run at '%s' (apt install lxcfs; systemctl start "
			       "lxcfs)",
			       dir);
	for (size_t i = 0; i < LXCFS_FILES; i++) {
		l.fd[i] = open_file(fd, i, err);
		if (l.fd[i] < 0 && l.fd[i] != -ENOENT) {
			int r = l.fd[i];

			lxcfs_close(&l);
			return r;
		}
	}
	*ret = l;
	return 0;
}

void lxcfs_close(struct lxcfs *l)
{
	for (size_t i = 0; i < LXCFS_FILES; i++)
		fd_close(&l->fd[i]);
}

/* The directory of a file, if it is the kernel's. */
static int open_place(int root, size_t i)
{
	cleanup_fd int dir = open_in(root, files[i].dir, OPEN_NO_LINKS, O_PATH | O_DIRECTORY, 0);
	struct statfs st;

	if (dir < 0)
		return dir;
	if (fstatfs(dir, &st) < 0)
		return -errno;
	return st.f_type == files[i].magic ? take_fd(&dir) : -ENOENT;
}

int lxcfs_attach(int root, const struct lxcfs *l, struct lxmgr_err *err)
{
	for (size_t i = 0; i < LXCFS_FILES; i++) {
		cleanup_fd int dir = -EBADF, target = -EBADF;
		int r;

		if (l->fd[i] < 0)
			continue;
		dir = open_place(root, i);
		if (dir < 0)
			continue;
		target = open_in(dir, files[i].name, OPEN_NO_LINKS, O_PATH, 0);
		if (target < 0)
			continue;
		r = mount_attach(l->fd[i], target, files[i].name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A file of lxcfs lies over the one of this name. */
static bool is_covered(int dir, const char *name)
{
	cleanup_fd int fd = open_in(dir, name, OPEN_NO_LINKS, O_PATH, 0);
	struct statfs st;

	if (fd < 0)
		return false;
	return fstatfs(fd, &st) < 0 ? errno == ENOTCONN : st.f_type == FUSE_SUPER_MAGIC;
}

int lxcfs_detach(int root, struct lxmgr_err *err)
{
	for (size_t i = 0; i < LXCFS_FILES; i++) {
		cleanup_fd int dir = open_place(root, i);

		if (dir < 0)
			continue;
		if (fchdir(dir) < 0)
			return err_set(err, -errno, "change to '/%s'", files[i].dir);
		for (int n = 0; n < MAX_LAYERS && is_covered(dir, files[i].name); n++) {
			int r = sys_umount2(files[i].name, UMOUNT_FLAGS);

			if (r < 0)
				return err_set(err, r, "unmount '/%s/%s'", files[i].dir,
					       files[i].name);
		}
	}
	return 0;
}
