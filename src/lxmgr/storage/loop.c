/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backend loop: a file system of the container's own in one sparse file, rootfs.img or the one that
 * the config names. Its loop device and its mount are private to who uses them, and go with them.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/loopdev.h"
#include "kernel/mount.h"
#include "storage/blockfs.h"
#include "storage/options.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/run.h"
#include "util/str.h"

#define DEFAULT_TREE "rootfs.img"
#define FILE_FLAGS   (O_RDWR | O_NOFOLLOW | O_CLOEXEC)
#define SECTORS	     4096ULL
#define AT_REST_MS   15000

static bool is_outside(const struct storage *st)
{
	return st->spec->path && *st->spec->path;
}

static const char *tree(const struct storage *st)
{
	return is_outside(st) ? st->spec->path : *st->tree ? st->tree : DEFAULT_TREE;
}

static uint64_t round_up(uint64_t bytes)
{
	return bytes / SECTORS * SECTORS + (bytes % SECTORS ? SECTORS : 0);
}

/* An image and what is in it. */
struct image {
	int fd;
	const struct blockfs *fs;
	uint64_t size;
};

#define IMAGE_INIT            \
	{                     \
		.fd = -EBADF, \
	}

static void close_image(struct image *i)
{
	fd_close(&i->fd);
}
#define cleanup_image __attribute__((cleanup(close_image)))

static int open_image(const struct storage *st, struct image *ret, struct lxmgr_err *err)
{
	struct stat s;

	ret->fd = openat(is_outside(st) ? AT_FDCWD : st->ct_fd, tree(st),
			 is_outside(st) ? O_RDWR | O_CLOEXEC : FILE_FLAGS);
	if (ret->fd < 0 || fstat(ret->fd, &s) < 0)
		return err_set(err, -errno, "open the image '%s'", tree(st));
	if (!S_ISREG(s.st_mode))
		return err_msg(err, -EINVAL, "the image '%s' is no regular file", tree(st));
	ret->size = (uint64_t)s.st_size;
	ret->fs = blockfs_detect(ret->fd, err);
	return ret->fs ? 0 : err_prefix(err, "the image '%s'", tree(st));
}

/* Whether it is mounted already, as by the container that runs, or not: one file system of one
 * device, which the kernel shares. */
static int mount_image(const struct image *i, uint64_t attrs, const char *label,
		       struct lxmgr_err *err)
{
	cleanup_loopdev struct loopdev l = LOOPDEV_INIT;
	int r = loopdev_open(i->fd, true, &l, err);

	return r < 0 ? r : blockfs_mount(i->fs, l.path, attrs, label, err);
}

static int check(struct storage *st, struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	uint64_t attrs = 0;
	int r = open_image(st, &i, err);

	return r < 0 ? r : storage_attrs(st->spec, &attrs, err);
}

static int probe(int dirfd, bool map, struct lxmgr_err *err)
{
	cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	(void)dirfd;
	(void)map;
	return control < 0 ? err_set(err, -errno,
				     "backend loop needs loop devices: open '/dev/loop-control'")
			   : 0;
}

static int trial(int dirfd, struct lxmgr_err *err)
{
	cleanup_fd int mnt = -EBADF;
	cleanup_image struct image i = IMAGE_INIT;
	int r = 0;

	i.fs = blockfs_find(NULL, err);
	i.fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (i.fd < 0)
		return err_set(err, -errno, "make a file without a name");
	if (!i.fs || ftruncate(i.fd, (off_t)i.fs->min) < 0)
		return i.fs ? err_set(err, -errno, "make an image") : -ENOENT;
	r = blockfs_make(i.fs, i.fd, 0, err);
	if (r == 0)
		r = mnt = mount_image(&i, 0, NULL, err);
	return r < 0 ? r : 0;
}

/* An empty image in st's place. */
static int make_image(const struct storage *st, const struct blockfs *fs, uint64_t bytes,
		      struct image *ret, struct lxmgr_err *err)
{
	ret->fs = fs;
	ret->size = round_up(bytes);
	if (ret->size < fs->min)
		return err_status(err, STATUS_REFUSED, -EINVAL, "%s needs %" PRIu64 " MiB at least",
				  fs->name, fs->min >> 20);
	ret->fd = openat(st->ct_fd, tree(st), FILE_FLAGS | O_CREAT | O_EXCL, 0600);
	if (ret->fd < 0)
		return err_set(err, -errno, "make the image '%s'", tree(st));
	if (ftruncate(ret->fd, (off_t)ret->size) < 0)
		return err_set(err, -errno, "give the image %" PRIu64 " bytes", ret->size);
	return blockfs_make(fs, ret->fd, st->limit.inodes, err);
}

/* What is below root_fd, or nothing, goes to a new image. */
static int fill_image(const struct image *i, int root_fd, struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_image(i, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, NULL, err);
	int r = mnt < 0 ? mnt : 0;

	if (r == 0 && unlinkat(mnt, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_set(err, -errno, "empty the new file system");
	if (r == 0 && root_fd >= 0)
		r = tree_copy(root_fd, mnt, err);
	/* A write that fails later would be nobody's to hear of. */
	return r < 0 ? r : blockfs_sync(mnt, err);
}

static int create(struct storage *st, int image_root_fd, struct lxmgr_err *err)
{
	const struct storage_make *m = st->make;
	const struct blockfs *fs = blockfs_find(m ? m->fstype : NULL, err);
	cleanup_image struct image i = IMAGE_INIT;
	uint64_t bytes;
	int r = fs ? blockfs_size(st, &bytes, err) : -EOPNOTSUPP;

	if (r < 0)
		return r;
	r = make_image(st, fs, bytes, &i, err);
	if (r == 0)
		r = fill_image(&i, image_root_fd, err);
	if (r < 0)
		err_prefix(err, "make an image of %" PRIu64 " MiB", bytes >> 20);
	return r;
}

static int loop_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	cleanup_fd int mnt = -EBADF;
	uint64_t attrs = 0;
	int r = open_image(st, &i, err);

	if (r == 0)
		r = storage_attrs(st->spec, &attrs, err);
	if (r < 0)
		return r;
	/* Nobody in a user namespace makes device nodes: one that is there was smuggled in. */
	if (stage->userns_fd >= 0)
		attrs |= MOUNT_ATTR_NODEV;
	mnt = mount_image(&i, 0, stage->label, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, attrs, 0, 0, false, stage->userns_fd, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int attach_image(struct storage *st, uint64_t attrs, struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	cleanup_fd int mnt = -EBADF;
	int r = open_image(st, &i, err);

	if (r < 0)
		return r;
	mnt = mount_image(&i, attrs, st->label, err);
	if (mnt < 0)
		return mnt;
	r = blockfs_attach(mnt, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int open_root(struct storage *st, struct lxmgr_err *err)
{
	return attach_image(st, MOUNT_ATTR_NODEV, err);
}

static int open_view(struct storage *st, bool live, struct lxmgr_err *err)
{
	(void)live;
	return attach_image(st, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY, err);
}

/* An image outside belongs to whoever made it. */
static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r = is_outside(st) ? 0 : remove_tree_at(st->ct_fd, tree(st));

	return r < 0 ? err_set(err, r, "delete '%s'", tree(st)) : 0;
}

static int on_disk(const struct image *i, uint64_t *ret, struct lxmgr_err *err)
{
	struct stat s;

	if (fstat(i->fd, &s) < 0)
		return err_set(err, -errno, "look at the image");
	*ret = (uint64_t)s.st_blocks * 512;
	return 0;
}

static int usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	int r = open_image(st, &i, err);

	return r < 0 ? r : on_disk(&i, ret_bytes, err);
}

static int size(struct storage *st, bool at_once, struct storage_limit *ret, struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	int r = open_image(st, &i, err);

	(void)at_once;
	if (r < 0)
		return r;
	*ret = (struct storage_limit){ .bytes = i.size, .inodes = blockfs_inodes(i.fs, i.fd) };
	return 0;
}

/* The same bytes, shared where the host's file system can, holes kept. */
static int copy_bytes(const struct image *from, int to, bool share, struct lxmgr_err *err)
{
	char a[FD_PATH_SIZE + 4], b[FD_PATH_SIZE + 4];
	const char *argv[] = { "cp", "--reflink=never", "--sparse=auto", "--", a, b, NULL };
	int r;

	if (ioctl(to, FICLONE, from->fd) == 0)
		return 0;
	if (share)
		return err_msg(err, -EOPNOTSUPP,
			       "files cannot share their contents here (no reflinks): a container "
			       "of backend loop can only be copied in full");
	snprintf(a, sizeof(a), "/proc/%d/fd/%d", getpid(), from->fd);
	snprintf(b, sizeof(b), "/proc/%d/fd/%d", getpid(), to);
	r = tree_run_cp(argv, err);
	return r < 0 ? err_prefix(err, "copy the image") : 0;
}

static int copy_image(const struct image *from, struct storage *to, bool share,
		      struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(to->ct_fd, tree(to), FILE_FLAGS | O_CREAT | O_EXCL, 0600);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "make the image '%s'", tree(to));
	r = copy_bytes(from, fd, share, err);
	if (r == 0 || unlinkat(to->ct_fd, tree(to), 0) == 0)
		return r;
	/* Whoever would try it in another way would find it there. */
	if (r == -EOPNOTSUPP)
		return err_set(err, -errno, "remove the unfinished '%s'", tree(to));
	log_warn("cannot remove the unfinished '%s', ignoring", tree(to));
	return r;
}

/* To be copied byte by byte it must be no file system's that somebody has mounted. What a container
 * had that has just stopped the kernel unmounts a moment later. */
static int wait_at_rest(const struct image *i, struct lxmgr_err *err)
{
	int64_t end = now_ms() + AT_REST_MS;
	char path[sizeof(((struct loopdev *)0)->path)];
	int r;

	for (;;) {
		cleanup_loopdev struct loopdev l = LOOPDEV_INIT;

		r = loopdev_open(i->fd, false, &l, err);
		if (r < 0)
			return r == -ENXIO ? 0 : r;
		memcpy(path, l.path, sizeof(path));
		if (now_ms() >= end)
			break;
		loopdev_close(&l);
		poll(NULL, 0, 50);
	}
	return err_status(err, STATUS_WRONG_STATE, -EBUSY,
			  "the image is in use as '%s'; unmount it ('losetup -d') first", path);
}

/* All that the container has written is in the image, and nobody in it writes. What the journal has
 * meanwhile is consistent with that at any instant; no freeze, which a killed one would leave to
 * the container for ever. */
static int settle(const struct image *i, const char *label, struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_image(i, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, label, err);

	return mnt < 0 ? mnt : blockfs_sync(mnt, err);
}

static int copy_tree_to(const struct image *from, const char *label, struct storage *to,
			struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_image(from, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, label, err);
	cleanup_image struct image i = IMAGE_INIT;
	const struct blockfs *fs = blockfs_find(from->fs->name, err);
	uint64_t bytes = to->limit.bytes ? to->limit.bytes : from->size;
	int r = mnt < 0 ? mnt : fs ? make_image(to, fs, bytes, &i, err) : -ENOENT;

	return r < 0 ? r : fill_image(&i, mnt, err);
}

/* NULL, or why a copy is not the image itself. */
static const char *other_than(const struct image *from, const struct storage *st,
			      const struct storage *to)
{
	if (from->fs->copies_clash)
		return "two images with one btrfs cannot both be mounted";
	if (to->limit.bytes && round_up(to->limit.bytes) != from->size)
		return "the copy is to have another size";
	return to->limit.inodes != st->limit.inodes ? "the copy is to have another number of inodes"
						    : NULL;
}

static int copy(struct storage *st, struct storage *to, const struct storage_copy *how,
		struct lxmgr_err *err)
{
	cleanup_image struct image from = IMAGE_INIT;
	struct lxmgr_err why = { 0 };
	const char *other;
	int r = open_image(st, &from, err);

	if (r < 0)
		return r;
	snprintf(to->base, sizeof(to->base), "%s", st->base);
	blockfs_inherit(&to->limit, &st->limit);
	other = other_than(&from, st, to);
	if (other && how->share)
		return err_msg(err, -EOPNOTSUPP, "%s: it can only be one in full", other);
	if (!other) {
		r = how->live ? settle(&from, st->label, err) : wait_at_rest(&from, err);
		if (r < 0)
			return r;
		/* One that runs is only copied byte by byte where that is one instant. */
		r = copy_image(&from, to, how->share || how->live, &why);
		if (r < 0 && err)
			*err = why;
		if (r != -EOPNOTSUPP || how->share)
			return r;
	}
	return copy_tree_to(&from, st->label, to, err);
}

/* "rootfs.1.img" and so on: any but the one that is in use. */
static void new_tree(const struct storage *st, char ret[STORAGE_NAME_SIZE])
{
	const char *n = *st->tree ? str_after(st->tree, "rootfs.") : NULL;

	snprintf(ret, STORAGE_NAME_SIZE, "rootfs.%lu.img", n ? strtoul(n, NULL, 10) + 1 : 1);
}

static int put_in_place(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(new->ct_fd, tree(new), FILE_FLAGS);
	int r = fd < 0 || fsync(fd) < 0 ? err_set(err, -errno, "write the image '%s'", tree(new))
					: storage_write_over(st, new, err);

	if (r < 0)
		return r;
	r = remove_tree_at(st->ct_fd, tree(st));
	if (r < 0)
		log_warn("the old image cannot be removed: it is tried again, ignoring");
	return 0;
}

static int replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	if (is_outside(st))
		return err_msg(err, -EOPNOTSUPP,
			       "the image that lxmgr.rootfs.path names is not lxmgr's to replace");
	return put_in_place(st, new, err);
}

/* "rootfs.img", "rootfs.NUMBER.img": "rootfs.old.img" is somebody else's. */
static bool is_ours(const char *name)
{
	const char *n = str_after(name, "rootfs.");

	return n && (str_eq(n, "img") ||
		     (isdigit((unsigned char)*n) && str_eq(n + strspn(n, "0123456789"), ".img")));
}

static int recover(struct storage *st, struct lxmgr_err *err)
{
	int fd = is_outside(st) ? -EBADF : openat(st->ct_fd, ".", O_RDONLY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	(void)err;
	/* Where what the file names is not there, one of the others may be all that there is. */
	if (d && faccessat(fd, tree(st), F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	while (d && (e = readdir(d)))
		if (is_ours(e->d_name) && !str_eq(e->d_name, tree(st)) &&
		    remove_tree_at(fd, e->d_name) < 0)
			log_warn("cannot remove the old '%s', ignoring", e->d_name);
	return 0;
}

static int set_size(const struct image *i, const struct loopdev *l, uint64_t bytes,
		    struct lxmgr_err *err)
{
	if (ftruncate(i->fd, (off_t)bytes) < 0)
		return err_set(err, -errno, "give the image %" PRIu64 " bytes", bytes);
	return loopdev_resized(l, err);
}

/* By a mount of our own, also where a container runs: of the same file system, which the kernel
 * shares, and not what the guest would have us take for its root. What fails leaves the image as
 * large as it has become: the file system may have grown in part, and the next try goes on. */
static int resize_mounted(const struct storage *st, const struct image *i, uint64_t bytes,
			  bool running, struct lxmgr_err *err)
{
	cleanup_loopdev struct loopdev l = LOOPDEV_INIT;
	cleanup_fd int mnt = -EBADF;
	int r = loopdev_open(i->fd, !running, &l, err);

	if (r == -ENXIO)
		return err_msg(err, r, "the container's image is not mounted");
	if (r == 0)
		r = mnt = blockfs_mount(i->fs, l.path, 0, st->label, err);
	if (r >= 0 && bytes > i->size)
		r = set_size(i, &l, bytes, err);
	if (r >= 0)
		r = blockfs_resize(i->fs, mnt, bytes, err);
	if (r == 0 && bytes < i->size)
		r = set_size(i, &l, bytes, err);
	return r;
}

static int shrink_copy(const struct image *i, struct storage *new, uint64_t bytes,
		       struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r = copy_image(i, new, false, err);

	if (r < 0)
		return err_hint(err, "an image is made smaller in a copy: that needs space"), r;
	fd = openat(new->ct_fd, new->tree, FILE_FLAGS);
	r = fd < 0 ? err_set(err, -errno, "open the new image")
		   : blockfs_shrink(i->fs, fd, bytes, err);
	if (r == 0 && ftruncate(fd, (off_t)bytes) < 0)
		r = err_set(err, -errno, "cut the new image off");
	if (r < 0 && unlinkat(new->ct_fd, new->tree, 0) < 0)
		log_warn("cannot remove the new image, ignoring");
	return r;
}

/* In a copy, which takes the place of the image when it is whole. */
static int shrink(struct storage *st, const struct image *i, const struct storage_limit *limit,
		  uint64_t bytes, struct lxmgr_err *err)
{
	struct storage new = *st;
	int r;

	if (is_outside(st))
		return err_msg(err, -EOPNOTSUPP,
			       "the image that lxmgr.rootfs.path names is not lxmgr's to replace");
	r = wait_at_rest(i, err);
	if (r < 0)
		return r;
	new_tree(st, new.tree);
	new.limit = *limit;
	r = shrink_copy(i, &new, bytes, err);
	if (r == 0)
		r = put_in_place(st, &new, err);
	if (r == 0)
		memcpy(st->tree, new.tree, sizeof(st->tree));
	return r;
}

/* Only called where something is to change. An image that has its size already may hold a file
 * system that has not: one of a resize that was killed. */
static int resize(struct storage *st, const struct storage_limit *limit, bool running,
		  struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	struct storage_limit want = *limit;
	int r = open_image(st, &i, err);

	want.bytes = round_up(limit->bytes);
	if (r == 0)
		r = blockfs_judge(i.fs, i.size, &st->limit, &want, running, err);
	if (r < 0)
		return r;
	if (!want.bytes)
		want.bytes = i.size;
	return want.bytes < i.size && !i.fs->shrinks_live
		       ? shrink(st, &i, limit, want.bytes, err)
		       : resize_mounted(st, &i, want.bytes, running, err);
}

static void like(const struct storage *st, struct storage_make *ret)
{
	cleanup_image struct image i = IMAGE_INIT;

	if (open_image(st, &i, NULL) < 0)
		return;
	ret->fstype = i.fs->name;
	ret->size = st->limit.bytes ? 0 : i.size;
}

static int compact(struct storage *st, uint64_t *ret_freed, struct lxmgr_err *err)
{
	cleanup_image struct image i = IMAGE_INIT;
	cleanup_fd int mnt = -EBADF;
	uint64_t before = 0, after = 0;
	int r = open_image(st, &i, err);

	if (r == 0)
		r = on_disk(&i, &before, err);
	if (r == 0)
		r = mnt = mount_image(&i, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, NULL, err);
	if (r >= 0)
		r = blockfs_trim(i.fs, mnt, i.size, err);
	if (r == 0 && fsync(i.fd) < 0)
		r = err_set(err, -errno, "write the image");
	if (r == 0)
		r = on_disk(&i, &after, err);
	if (r == 0)
		*ret_freed = before > after ? before - after : 0;
	return r;
}

const struct storage_ops storage_loop = {
	.name = "loop",
	.own_fs = true,
	.probe = probe,
	.create = create,
	.check = check,
	.mount = loop_mount,
	.open_root = open_root,
	.open_view = open_view,
	.destroy = destroy,
	.usage = usage,
	.size = size,
	.copy = copy,
	.new_tree = new_tree,
	.replace = replace,
	.recover = recover,
	.resize = resize,
	.compact = compact,
	.like = like,
	.trial = trial,
};
