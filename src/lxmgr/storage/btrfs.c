/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backend btrfs: the root is a subvolume, a copy of it a snapshot. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/subvol.h"
#include "storage/btrfs_images.h"
#include "storage/options.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "storage/tree.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define DEFAULT_TREE "rootfs"
#define DIR_FLAGS    (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static bool is_outside(const struct storage *st)
{
	return st->spec->path && *st->spec->path;
}

static const char *tree(const struct storage *st)
{
	return is_outside(st) ? st->spec->path : *st->tree ? st->tree : DEFAULT_TREE;
}

static int open_subvol(const struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(is_outside(st) ? AT_FDCWD : st->ct_fd, tree(st),
				   DIR_FLAGS | (is_outside(st) ? 0 : O_NOFOLLOW));

	if (fd < 0)
		return err_set(err, -errno, "open the subvolume '%s'", tree(st));
	if (!subvol_is(fd))
		return err_msg(err, -EINVAL, "'%s' is no subvolume of btrfs", tree(st));
	return take_fd(&fd);
}

static int check(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_subvol(st, err);
	uint64_t attrs;

	return fd < 0 ? fd : storage_attrs(st->spec, &attrs, err);
}

static int probe(int dirfd, bool map, struct lxmgr_err *err)
{
	int r;

	if (!subvol_is_btrfs(dirfd))
		return err_msg(err, -EOPNOTSUPP,
			       "backend btrfs needs containers on btrfs (-P): the file system "
			       "there is another; use -B loop --fstype btrfs, or -B best");
	/* In a container that is another's. */
	r = geteuid() == 0 && access("/dev/btrfs-control", F_OK) == 0 ? 0 : -EPERM;
	if (r < 0)
		return err_set(err, r, "backend btrfs needs the host's root");
	return map ? storage_can_map(dirfd, err) : 0;
}

static int trial(int dirfd, struct lxmgr_err *err)
{
	/* Which the next create takes away if this is killed. */
	char name[64];
	cleanup_fd int dir = -EBADF, lock = -EBADF;
	int r = probe(dirfd, true, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), ".doctor.new-%d", getpid());
	if (mkdirat(dirfd, name, 0700) < 0)
		return err_set(err, -errno, "make a directory");
	dir = openat(dirfd, name, DIR_FLAGS);
	r = lock = dir < 0 ? -errno : lock_at(dir, "lock", true, 0, NULL);
	if (r < 0)
		err_set(err, r, "open a directory");
	else
		r = subvol_create(dir, "a", err);
	if (r == 0) {
		cleanup_fd int a = openat(dir, "a", DIR_FLAGS);

		r = a < 0 ? -errno : subvol_snapshot(a, dir, "b", false, err);
	}
	if (storage_remove_dir(dirfd, name, r == 0 ? err : NULL) < 0 && r == 0)
		r = -EIO;
	return r;
}

/* It stops what the guest writes; df inside shows the whole file system. */
static int set_limit(int fd, const struct storage_limit *limit, struct lxmgr_err *err)
{
	int r;

	if (limit->inodes != STORAGE_UNLIMITED)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "btrfs makes inodes as they are needed: their number cannot be "
				  "limited (lxmgr.limit.inodes); use -B loop, or overlay on ext4");
	r = subvol_limit(fd, limit->bytes, err);
	if (r != -ENOTCONN)
		return r;
	return limit->bytes == STORAGE_UNLIMITED
		       ? 0
		       : err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				    "this btrfs counts nothing, so that nothing can be limited: "
				    "switch it on (btrfs quota enable DIR), or use -B loop");
}

static int limit_tree(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;

	if (!st->limit.bytes && !st->limit.inodes)
		return 0;
	fd = open_subvol(st, err);
	return fd < 0 ? fd : set_limit(fd, &st->limit, err);
}

static int create(struct storage *st, int image_root_fd, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (image_root_fd >= 0 && *st->base) {
		r = btrfs_images_use(st->ct_fd, st->base, image_root_fd, tree(st), err);
		return r < 0 ? r : limit_tree(st, err);
	}
	r = subvol_create(st->ct_fd, tree(st), err);
	if (r == 0)
		r = limit_tree(st, err);
	if (r < 0 || image_root_fd < 0)
		return r;
	fd = open_subvol(st, err);
	return fd < 0 ? fd : tree_copy(image_root_fd, fd, err);
}

static int btrfs_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_subvol(st, err), mnt = -EBADF;
	uint64_t attrs;
	int r;

	if (dir < 0)
		return dir;
	r = storage_attrs(st->spec, &attrs, err);
	if (r < 0)
		return r;
	mnt = mount_clone(dir, "", false, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, attrs, 0, 0, false, stage->userns_fd, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int open_root(struct storage *st, struct lxmgr_err *err)
{
	return open_subvol(st, err);
}

static int open_view(struct storage *st, bool live, struct lxmgr_err *err)
{
	(void)live;
	return open_subvol(st, err);
}

/* A subvolume outside belongs to whoever made it. A directory in place of it, as cp makes one, goes
 * with the container's own. */
static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r = is_outside(st) ? 0 : subvol_delete(st->ct_fd, tree(st), err);

	return r == -ENOTDIR ? 0 : r;
}

static int usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_subvol(st, err);
	int r = fd < 0 ? fd : subvol_usage(fd, ret_bytes, err);

	if (r == -ENOTCONN)
		r = at_once ? -ENODATA : tree_usage(fd, ret_bytes, err);
	return r;
}

/* To another file system: file by file. */
static int copy_files(int from, struct storage *to, bool keep, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r = probe(to->ct_fd, false, err);

	if (r == 0)
		r = subvol_create(to->ct_fd, tree(to), err);
	if (r < 0)
		return r;
	fd = open_subvol(to, err);
	r = fd < 0 ? fd : tree_copy(from, fd, err);
	return r == 0 && keep ? subvol_set_read_only(fd, true, err) : r;
}

static int copy(struct storage *st, struct storage *to, const struct storage_copy *how,
		struct lxmgr_err *err)
{
	cleanup_fd int from = open_subvol(st, err);
	int r;

	if (from < 0)
		return from;
	if (!to->limit.bytes && !how->keep)
		to->limit = st->limit;
	snprintf(to->base, sizeof(to->base), "%s", st->base);
	r = subvol_snapshot(from, to->ct_fd, tree(to), how->keep, err);
	if (r == -EXDEV && how->share)
		return err_msg(err, -EOPNOTSUPP,
			       "only copies on the same btrfs share what they hold");
	if (r == -EXDEV)
		r = copy_files(from, to, how->keep, err);
	return r < 0 ? r : how->keep ? 0 : limit_tree(to, err);
}

/* "rootfs.1" and so on: any but the one that is in use. */
static void new_tree(const struct storage *st, char ret[STORAGE_NAME_SIZE])
{
	const char *n = *st->tree ? str_after(st->tree, "rootfs.") : NULL;

	snprintf(ret, STORAGE_NAME_SIZE, "rootfs.%lu", n ? strtoul(n, NULL, 10) + 1 : 1);
}

static int replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	int r;

	if (is_outside(st))
		return err_msg(err, -EOPNOTSUPP,
			       "the root that lxmgr.rootfs.path names is not lxmgr's to replace");
	/* What is restored was not counted against the limit. */
	if (st->limit.bytes && !new->limit.bytes) {
		new->limit = st->limit;
		r = limit_tree(new, err);
		if (r < 0)
			return r;
	}
	r = storage_write_over(st, new, err);
	if (r == 0 && subvol_delete(st->ct_fd, tree(st), NULL) < 0)
		log_warn("the old root cannot be removed: it is tried again, ignoring");
	return r;
}

/* Subvolumes of the names that new_tree() makes, and no others: "rootfs.old" is somebody's. */
static void remove_others(const struct storage *st)
{
	int fd = openat(st->ct_fd, ".", DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r;

	while (d && (e = readdir(d))) {
		if (!storage_is_tree(e->d_name, DEFAULT_TREE) || str_eq(e->d_name, tree(st)))
			continue;
		r = subvol_delete(fd, e->d_name, NULL);
		if (r < 0 && r != -ENOTDIR)
			log_warn("cannot remove the old '%s', ignoring", e->d_name);
	}
}

static int recover(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = is_outside(st) ? -EBADF : open_subvol(st, NULL);

	(void)err;
	/* Where what the file names is not there, one of the others may be all that there is. */
	if (fd >= 0)
		remove_others(st);
	return 0;
}

/* Under a limit below what there is nothing could be written, nor most of it deleted. What was in
 * force once is put in force again, however much there is by now. */
static int check_fits(int fd, const struct storage *st, const struct storage_limit *limit,
		      struct lxmgr_err *err)
{
	uint64_t used;
	int r;

	if (!limit->bytes || limit->bytes == st->limit.bytes)
		return 0;
	r = subvol_usage(fd, &used, err);
	if (r < 0)
		return r == -ENOTCONN ? 0 : r;
	return used <= limit->bytes
		       ? 0
		       : err_status(err, STATUS_REFUSED, -EDQUOT,
				    "the root takes %llu KiB, which is more than the limit of %llu",
				    (unsigned long long)used / 1024,
				    (unsigned long long)limit->bytes / 1024);
}

static int resize(struct storage *st, const struct storage_limit *limit, bool running,
		  struct lxmgr_err *err)
{
	cleanup_fd int fd = open_subvol(st, err);
	int r = fd < 0 ? fd : check_fits(fd, st, limit, err);

	(void)running;
	return r < 0 ? r : set_limit(fd, limit, err);
}

const struct storage_ops storage_btrfs = {
	.name = "btrfs",
	.probe = probe,
	.create = create,
	.check = check,
	.mount = btrfs_mount,
	.open_root = open_root,
	.open_view = open_view,
	.open_labelled = open_root,
	.destroy = destroy,
	.usage = usage,
	.copy = copy,
	.new_tree = new_tree,
	.replace = replace,
	.recover = recover,
	.resize = resize,
	.trial = trial,
};
