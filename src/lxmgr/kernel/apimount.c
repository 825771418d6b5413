/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/apimount.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define API_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

enum cover_how {
	COVER_RO,   /* bind on itself, read-only */
	COVER_RW,   /* bind on itself again, from before the read-only bind above it */
	COVER_FILE, /* our empty file */
	COVER_DIR,  /* our empty directory */
};

/* What is laid over /proc and /sys, in this order. Missing paths are skipped: they depend on the
 * kernel's configuration. */
struct cover {
	const char *path;
	enum cover_how how;
};

/* LXC's proc:mixed is the first three; the rest tells a guest about the host or reaches it. */
static const struct cover proc_mixed[] = {
	{ "sys", COVER_RO },	       { "sys/net", COVER_RW },
	{ "sysrq-trigger", COVER_RO }, { "irq", COVER_RO },
	{ "bus", COVER_RO },	       { "fs", COVER_RO },
	{ "acpi", COVER_DIR },	       { "asound", COVER_DIR },
	{ "scsi", COVER_DIR },	       { "kcore", COVER_FILE },
	{ "keys", COVER_FILE },	       { "latency_stats", COVER_FILE },
	{ "sched_debug", COVER_FILE }, { "timer_list", COVER_FILE },
	{ "timer_stats", COVER_FILE },
};

static const struct cover sys_mixed[] = {
	{ "devices/virtual/net", COVER_RW },
	{ "firmware", COVER_DIR },
	{ "devices/virtual/powercap", COVER_DIR },
};

static const struct cover sys_ro[] = {
	{ "firmware", COVER_DIR },
	{ "devices/virtual/powercap", COVER_DIR },
};

/* A path below an API file system, without links, and really of that file system: in a guest that
 * shapes what is below, something else could stand there (CVE-2019-16884, CVE-2025-31133). */
static int open_api(int apifd, const char *path, long magic)
{
	cleanup_fd int fd = open_in(apifd, path, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
	struct statfs st;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	return st.f_type == magic ? take_fd(&fd) : -EXDEV;
}

static int cover_one(int apifd, const struct cover *c, int kept, long magic,
		     const struct api_targets *t, struct lxmgr_err *err)
{
	cleanup_fd int target = open_in(apifd, c->path, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
	cleanup_fd int mnt = -EBADF;
	int r;

	if (target == -ENOENT || target == -EACCES)
		return 0;
	if (target < 0)
		return err_set(err, target, "open '%s' to cover it", c->path);
	switch (c->how) {
	case COVER_RO:
		fd_close(&target);
		target = open_api(apifd, c->path, magic);
		if (target < 0)
			return err_set(err, target, "open '%s' to cover it", c->path);
		mnt = mount_clone(target, "", false, err);
		r = mnt < 0 ? mnt : mount_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, -1, err);
		break;
	case COVER_RW:
		mnt = kept >= 0 ? dup(kept) : mount_clone(target, "", false, err);
		r = mnt < 0 ? -errno : 0;
		break;
	case COVER_FILE:
		mnt = mount_clone(t->empty_file, "", false, err);
		r = mnt < 0 ? mnt : mount_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, -1, err);
		break;
	case COVER_DIR:
	default:
		mnt = mount_clone(t->empty_dir, "", false, err);
		r = mnt < 0 ? mnt : mount_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, -1, err);
		break;
	}
	if (r < 0)
		return r;
	return mount_attach(mnt, target, c->path, err);
}

/* The writable island is cloned before what is around it turns read-only. */
static int cover_all(int apifd, const struct cover *list, size_t n, long magic,
		     const struct api_targets *t, struct lxmgr_err *err)
{
	cleanup_fd int kept = -EBADF;
	int r;

	for (size_t i = 0; i < n; i++)
		if (list[i].how == COVER_RW) {
			cleanup_fd int fd = open_api(apifd, list[i].path, magic);

			if (fd >= 0)
				kept = mount_clone(fd, "", false, NULL);
		}
	for (size_t i = 0; i < n; i++) {
		if (list[i].how == COVER_RW && kept < 0)
			continue;
		r = cover_one(apifd, &list[i], kept, magic, t, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_at(const struct api_targets *t, const char *where, int mnt, struct lxmgr_err *err)
{
	cleanup_fd int target = mount_open_target(t->rootfd, where, MOUNT_CREATE_DIR, true, err);

	return target < 0 ? target : mount_attach(mnt, target, where, err);
}

static int mount_proc(const struct api_spec *spec, const struct api_targets *t,
		      struct lxmgr_err *err)
{
	int r = attach_at(t, "proc", t->proc_fd, err);

	if (r < 0 || spec->proc != API_PROC_MIXED)
		return r;
	return cover_all(t->proc_fd, proc_mixed, ARRAY_SIZE(proc_mixed), PROC_SUPER_MAGIC, t, err);
}

static int mount_sys(const struct api_spec *spec, const struct api_targets *t,
		     struct lxmgr_err *err)
{
	bool ro = spec->sys != API_SYS_RW || !t->own_net;
	cleanup_fd int mnt = -EBADF;
	int r;

	if (t->own_net)
		mnt = mount_new_fs("sysfs", "sysfs", NULL, API_ATTR, err);
	else
		mnt = mount_clone(AT_FDCWD, "/sys", true, err);
	if (mnt < 0)
		return mnt;
	r = attach_at(t, "sys", mnt, err);
	if (r < 0 || !ro)
		return r;
	if (!t->own_net)
		return mount_set(mnt, MOUNT_ATTR_RDONLY | API_ATTR, 0, 0, true, -1, err);
	if (spec->sys == API_SYS_MIXED) {
		cleanup_fd int net = open_api(mnt, "devices/virtual/net", SYSFS_MAGIC);
		cleanup_fd int kept = net < 0 ? -EBADF : mount_clone(net, "", false, NULL);

		r = mount_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, -1, err);
		if (r == 0 && kept >= 0)
			r = cover_one(mnt, &sys_mixed[0], kept, SYSFS_MAGIC, t, err);
		if (r == 0)
			r = cover_all(mnt, sys_mixed + 1, ARRAY_SIZE(sys_mixed) - 1, SYSFS_MAGIC, t,
				      err);
		return r;
	}
	r = mount_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, -1, err);
	return r < 0 ? r : cover_all(mnt, sys_ro, ARRAY_SIZE(sys_ro), SYSFS_MAGIC, t, err);
}

/* The cgroup namespace's root is the container's own group, on every kind of host. */
static int mount_cgroup(const struct api_spec *spec, const struct api_targets *t,
			struct lxmgr_err *err)
{
	uint64_t attr = API_ATTR | (spec->cgroup == API_CG_RO ? MOUNT_ATTR_RDONLY : 0);
	cleanup_fd int mnt = mount_new_fs("cgroup2", "cgroup2", "nsdelegate", attr, err);
	cleanup_fd int target = -EBADF;

	if (mnt < 0)
		mnt = mount_new_fs("cgroup2", "cgroup2", NULL, attr, err);
	if (mnt < 0)
		return mnt;
	/* A directory of sysfs: it is there or it is not, nobody can make it. */
	target = mount_open_target(t->rootfd, "sys/fs/cgroup", MOUNT_CREATE_NONE, true, err);
	return target < 0 ? target : mount_attach(mnt, target, "sys/fs/cgroup", err);
}

int api_mount_bare(const struct api_targets *t, struct lxmgr_err *err)
{
	static const char *const fs[][2] = { { "proc", "dev/.lxmgr/proc" },
					     { "sysfs", "dev/.lxmgr/sys" } };
	cleanup_fd int dir = mkdir_in(t->rootfd, "dev/.lxmgr", 0700, (uid_t)-1, (gid_t)-1);

	if (dir < 0)
		return err_set(err, dir, "make '/dev/.lxmgr'");
	for (size_t i = 0; i < ARRAY_SIZE(fs); i++) {
		cleanup_fd int mnt = -EBADF;
		int r;

		if (i == 1 && !t->own_net)
			break;
		mnt = mount_new_fs(fs[i][0], fs[i][0], NULL, API_ATTR, err);
		r = mnt < 0 ? mnt : attach_at(t, fs[i][1], mnt, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int api_mount(const struct api_spec *spec, const struct api_targets *t, struct lxmgr_err *err)
{
	int r = 0;

	if (spec->proc != API_PROC_NONE)
		r = mount_proc(spec, t, err);
	if (r == 0 && spec->sys != API_SYS_NONE)
		r = mount_sys(spec, t, err);
	if (r == 0 && spec->cgroup != API_CG_NONE && spec->sys != API_SYS_NONE)
		r = mount_cgroup(spec, t, err);
	return r;
}
