/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backend lvm: a file system of the container's own in a logical volume, thin where there is a
 * pool, else thick. The record has tag and group before there is a volume: what a killed one left
 * is found by its tag.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/disks.h"
#include "kernel/mount.h"
#include "storage/blockfs.h"
#include "storage/lvmcmd.h"
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

#define GRAIN (4ULL << 20) /* volumes are asked for in multiples of it */

static bool is_outside(const struct storage *st)
{
	return st->spec->path && *st->spec->path;
}

/* A volume, open, and what is in it. */
struct volume {
	int fd;
	const struct blockfs *fs;
	uint64_t size;
	char device[LVM_DEVICE_SIZE];
};

#define VOLUME_INIT           \
	{                     \
		.fd = -EBADF, \
	}

static void close_volume(struct volume *v)
{
	fd_close(&v->fd);
}
#define cleanup_volume __attribute__((cleanup(close_volume)))

/* Active as long as it is open or mounted. */
static int open_device(const struct storage *st, struct volume *v, struct lxmgr_err *err)
{
	struct stat s;
	int r = 0;

	if (is_outside(st)) {
		if ((size_t)snprintf(v->device, sizeof(v->device), "%s", st->spec->path) >=
		    sizeof(v->device))
			return err_msg(err, -ENAMETOOLONG, "'%s' is too long", st->spec->path);
	} else {
		lvm_device(st->group, st->tree, v->device);
		r = lvm_activate(st->group, st->tree, err);
	}
	if (r < 0)
		return r;
	v->fd = open(v->device, O_RDWR | O_CLOEXEC);
	if (v->fd < 0 || fstat(v->fd, &s) < 0)
		return err_set(err, -errno, "open the volume '%s'", v->device);
	if (!S_ISBLK(s.st_mode))
		return err_msg(err, -ENOTBLK, "'%s' is no block device", v->device);
	if (!is_outside(st))
		lvm_let_go(st->group, st->tree);
	return ioctl(v->fd, BLKGETSIZE64, &v->size) < 0
		       ? err_set(err, -errno, "read the size of '%s'", v->device)
		       : 0;
}

static int open_volume(const struct storage *st, struct volume *v, struct lxmgr_err *err)
{
	int r = open_device(st, v, err);

	if (r < 0)
		return r;
	v->fs = blockfs_detect(v->fd, err);
	return v->fs ? 0 : err_prefix(err, "the volume '%s'", v->device);
}

static int mount_volume(const struct volume *v, uint64_t attrs, const char *label,
			struct lxmgr_err *err)
{
	return blockfs_mount(v->fs, v->device, attrs, label, err);
}

/* Without touching the volume: that it can be activated is seen when it is. */
static int check(struct storage *st, struct lxmgr_err *err)
{
	uint64_t attrs;

	if (is_outside(st) && access(st->spec->path, F_OK) < 0)
		return err_set(err, -errno, "open the volume '%s'", st->spec->path);
	if (!is_outside(st) && (!*st->group || !*st->tag || !*st->tree))
		return err_msg(err, -EINVAL, "the container's 'storage' file names no volume");
	return storage_attrs(st->spec, &attrs, err);
}

static int probe(int dirfd, bool map, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;

	(void)dirfd;
	(void)map;
	if (!run_has_program("lvcreate"))
		return err_status(err, STATUS_REFUSED, -ENOENT,
				  "backend lvm needs lvm2: there is no 'lvcreate' on this host");
	/* The node may be there without a driver behind it. */
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno,
				"backend lvm needs the kernel's device mapper: "
				"'/dev/mapper/control'")
		      : 0;
}

static int new_name(const char *of, char ret[STORAGE_NAME_SIZE])
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	/* Some names LVM keeps for itself. */
	snprintf(ret, STORAGE_NAME_SIZE, "%s%.40s-%08" PRIx32, lvm_name_is_valid(of) ? "" : "lx-",
		 of, random);
	for (char *c = ret; *c; c++)
		if (*c == '_')
			*c = '-';
	return 0;
}

static int new_tag(struct storage *st)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(st->tag, sizeof(st->tag), "x%016" PRIx64, random);
	return 0;
}

static uint64_t round_up(uint64_t bytes, uint64_t to)
{
	return bytes / to * to + (bytes % to ? to : 0);
}

/* The size that make_volume() gives a volume which is to have *bytes: LVM rounds up, too. */
static int size_in(const char *group, uint64_t *bytes, struct lxmgr_err *err)
{
	uint64_t extent = 0;
	int r = lvm_extent(group, &extent, err);

	if (r == 0)
		*bytes = round_up(round_up(*bytes, GRAIN), extent);
	return r;
}

/* A program that makes a volume goes on when its caller is killed. It keeps this open, so that
 * until it has ended nobody deletes the record by which its volume is found. */
static int hold(const struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(st->ct_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0
		       ? err_set(err, -errno, "lock the directory of the new volume")
		       : take_fd(&fd);
}

static int check_unheld(const struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(st->ct_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "open the directory of the volume");
	/* A file system without locks has none that is held. */
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK
		       ? err_status(err, STATUS_LOCKED, -EBUSY,
				    "lvcreate still runs for a command that was killed; try again "
				    "when it has ended")
		       : 0;
}

static int make_volume(const struct storage *st, const struct blockfs *fs, uint64_t bytes,
		       struct volume *v, struct lxmgr_err *err)
{
	cleanup_fd int held = -EBADF;
	int r;

	bytes = round_up(bytes, GRAIN);
	if (bytes < fs->min)
		return err_status(err, STATUS_REFUSED, -EINVAL, "%s needs %" PRIu64 " MiB at least",
				  fs->name, fs->min >> 20);
	held = hold(st, err);
	r = held < 0 ? held : lvm_create(st->group, st->pool, st->tree, st->tag, bytes, held, err);
	fd_close(&held);
	if (r == 0)
		r = open_device(st, v, err);
	if (r < 0)
		return r;
	v->fs = fs;
	return blockfs_make(fs, v->fd, st->limit.inodes, err);
}

static int fill_volume(const struct volume *v, int root_fd, struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_volume(v, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, NULL, err);
	int r = mnt < 0 ? mnt : 0;

	if (r == 0 && unlinkat(mnt, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_set(err, -errno, "empty the new file system");
	if (r == 0 && root_fd >= 0)
		r = tree_copy(root_fd, mnt, err);
	return r < 0 ? r : blockfs_sync(mnt, err);
}

static int choose(struct storage *st, const struct storage_make *m, struct lxmgr_err *err)
{
	const char *group = m && m->group ? m->group : "", *pool = m && m->pool ? m->pool : "";
	int r = new_tag(st);

	if (r == 0)
		r = new_name(m && m->name ? m->name : "lxmgr", st->tree);
	if (r < 0)
		return err_set(err, r, "make a name");
	if (m && m->volume)
		snprintf(st->tree, sizeof(st->tree), "%s", m->volume);
	if (!*group)
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "no volume group is given (--vgname, or lxmgr.bdev.lvm.vg in "
				  "lxmgr.conf)");
	for (const char *const *n =
		     (const char *const[]){ group, *pool ? pool : group, st->tree, NULL };
	     *n; n++)
		if (!lvm_name_is_valid(*n))
			return err_status(err, STATUS_USAGE, -EINVAL, "'%.80s' is no name of LVM's",
					  *n);
	r = lvm_has_group(group, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_status(err, STATUS_REFUSED, -ENOENT,
				  "there is no volume group '%s' (--vgname, lxmgr.bdev.lvm.vg)",
				  group);
	r = *pool ? lvm_has_pool(group, pool, err) : 1;
	if (r < 0)
		return r;
	if (r == 0) {
		if (!m->try_pool)
			return err_status(err, STATUS_REFUSED, -ENOENT,
					  "volume group '%s' has no thin pool '%s' (--thinpool)",
					  group, pool);
		pool = "";
	}
	snprintf(st->group, sizeof(st->group), "%s", group);
	snprintf(st->pool, sizeof(st->pool), "%s", pool);
	return 0;
}

static int create(struct storage *st, int image_root_fd, struct lxmgr_err *err)
{
	const struct storage_make *m = st->make;
	const struct blockfs *fs = blockfs_find(m ? m->fstype : NULL, err);
	cleanup_volume struct volume v = VOLUME_INIT;
	uint64_t bytes;
	int r = fs ? choose(st, m, err) : -EOPNOTSUPP;

	if (r == 0)
		r = blockfs_size(st, &bytes, err);
	if (r == 0)
		r = storage_write(st, true, err);
	if (r == 0)
		r = make_volume(st, fs, bytes, &v, err);
	return r < 0 ? r : fill_volume(&v, image_root_fd, err);
}

static int lvm_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err)
{
	cleanup_volume struct volume v = VOLUME_INIT;
	cleanup_fd int mnt = -EBADF;
	uint64_t attrs = 0;
	int r = open_volume(st, &v, err);

	if (r == 0)
		r = storage_attrs(st->spec, &attrs, err);
	if (r < 0)
		return r;
	/* Nobody in a user namespace makes device nodes: one that is there was smuggled in. */
	if (stage->userns_fd >= 0)
		attrs |= MOUNT_ATTR_NODEV;
	mnt = mount_volume(&v, 0, stage->label, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, attrs, 0, 0, false, stage->userns_fd, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int attach_volume(struct storage *st, uint64_t attrs, struct lxmgr_err *err)
{
	cleanup_volume struct volume v = VOLUME_INIT;
	cleanup_fd int mnt = -EBADF;
	int r = open_volume(st, &v, err);

	if (r < 0)
		return r;
	mnt = mount_volume(&v, attrs, st->label, err);
	if (mnt < 0)
		return mnt;
	r = blockfs_attach(mnt, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int open_root(struct storage *st, struct lxmgr_err *err)
{
	return attach_volume(st, MOUNT_ATTR_NODEV, err);
}

static int open_view(struct storage *st, bool live, struct lxmgr_err *err)
{
	(void)live;
	return attach_volume(st, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY, err);
}

/* A volume outside belongs to whoever made it; a group that is gone has none. That the record goes
 * with the directory is why nothing but that it is gone will do. */
static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r;

	if (is_outside(st) || !*st->group || !*st->tag)
		return 0;
	r = check_unheld(st, err);
	if (r == 0)
		r = lvm_has_group(st->group, err);
	if (r == 0)
		log_warn("there is no volume group '%s' any more, ignoring", st->group);
	return r <= 0 ? r : lvm_remove(st->group, st->tag, NULL, err);
}

static int usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_volume struct volume v = VOLUME_INIT;
	int r;

	if (at_once)
		return -ENODATA;
	if (!is_outside(st)) {
		r = lvm_usage(st->group, st->tree, ret_bytes, err);
		if (r != -ENODATA)
			return r;
	}
	r = open_device(st, &v, err);
	if (r < 0)
		return r;
	*ret_bytes = v.size;
	return is_outside(st) ? 0 : lvm_usage(st->group, st->tree, ret_bytes, err);
}

static int size(struct storage *st, bool at_once, struct storage_limit *ret, struct lxmgr_err *err)
{
	cleanup_volume struct volume v = VOLUME_INIT;
	int r = at_once ? -ENODATA : open_volume(st, &v, err);

	if (r < 0)
		return r;
	*ret = (struct storage_limit){ .bytes = v.size, .inodes = blockfs_inodes(v.fs, v.fd) };
	return 0;
}

/* There may be a volume that the file `storage` does not name: each look at LVM takes a while,
 * hence only where one may have been left. */
#define UNFINISHED "volume.new"

static int begin_volume(const struct storage *st, struct lxmgr_err *err)
{
	int r = write_file_replace(st->ct_fd, UNFINISHED, "", 0, 0600);

	return r < 0 ? err_set(err, r, "note the new volume") : 0;
}

/* Where the volume that the file names is not there, another may be all that there is. */
static void end_volume(const struct storage *st)
{
	struct lxmgr_err why = { 0 };
	int r = check_unheld(st, &why);

	if (r == 0)
		r = lvm_has_volume(st->group, st->tag, st->tree, &why);
	if (r == 0)
		r = err_msg(&why, -ENOENT, "there is no volume '%s'", st->tree);
	if (r > 0)
		r = lvm_remove(st->group, st->tag, st->tree, &why);
	if (r < 0)
		log_warn("a volume cannot be removed: %s; it is tried again, ignoring", why.text);
	else if (remove_tree_at(st->ct_fd, UNFINISHED) < 0)
		log_warn("cannot remove '" UNFINISHED "', ignoring");
}

/* Where the copy goes. In a directory that has a container or snapshot already it is of that one's
 * tag; else the directory's file says what is made in it from now on. */
static int place_copy(const struct storage *st, struct storage *to, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct storage have;
	int r;

	snprintf(to->group, sizeof(to->group), "%s", st->group);
	snprintf(to->pool, sizeof(to->pool), "%s", st->pool);
	r = *to->tree ? 0 : new_name("lxmgr", to->tree);
	if (r < 0)
		return err_set(err, r, "make a name");
	storage_init(&have, to->ct_fd, &none);
	if (storage_read(&have, NULL) == 0 && *have.tag) {
		snprintf(to->tag, sizeof(to->tag), "%s", have.tag);
		return begin_volume(to, err);
	}
	r = new_tag(to);
	return r < 0 ? err_set(err, r, "make a name") : storage_write(to, true, err);
}

static int copy_tree_to(const struct volume *from, const char *label, struct storage *to,
			uint64_t bytes, struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_volume(from, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, label, err);
	cleanup_volume struct volume v = VOLUME_INIT;
	const struct blockfs *fs = blockfs_find(from->fs->name, err);
	int r = mnt < 0 ? mnt : fs ? make_volume(to, fs, bytes, &v, err) : -ENOENT;

	return r < 0 ? r : fill_volume(&v, mnt, err);
}

static int snapshot(const struct storage *st, const struct storage *to, struct lxmgr_err *err)
{
	cleanup_fd int held = hold(to, err);

	return held < 0 ? held : lvm_snapshot(st->group, st->tree, to->tree, to->tag, held, err);
}

/* *ret: why a copy is no snapshot of the volume, or NULL. */
static int other_than(const struct volume *from, const struct storage *st, const struct storage *to,
		      const char **ret, struct lxmgr_err *err)
{
	uint64_t bytes = to->limit.bytes;
	int r = 0;

	*ret = NULL;
	if (!*st->pool)
		*ret = "only thin volumes share what they hold";
	else if (from->fs->copies_clash)
		*ret = "two volumes with one btrfs cannot both be mounted";
	else if (to->limit.inodes != st->limit.inodes)
		*ret = "the copy is to have another number of inodes";
	else if (bytes && bytes != from->size)
		r = size_in(st->group, &bytes, err);
	if (r == 0 && !*ret && bytes && bytes != from->size)
		*ret = "the copy is to have another size";
	return r;
}

static int copy(struct storage *st, struct storage *to, const struct storage_copy *how,
		struct lxmgr_err *err)
{
	cleanup_volume struct volume from = VOLUME_INIT;
	const char *other = NULL;
	int r;

	if (is_outside(st))
		return err_msg(err, -EOPNOTSUPP,
			       "a copy of the volume that lxmgr.rootfs.path names has no volume "
			       "group to go to");
	blockfs_inherit(&to->limit, &st->limit);
	r = open_volume(st, &from, err);
	if (r == 0)
		r = other_than(&from, st, to, &other, err);
	if (r < 0)
		return r;
	if (other && how->share)
		return err_msg(err, -EOPNOTSUPP, "%s: it can only be one in full", other);
	snprintf(to->base, sizeof(to->base), "%s", st->base);
	r = place_copy(st, to, err);
	if (r < 0)
		return r;
	/* The kernel freezes the file system for that instant. */
	return other ? copy_tree_to(&from, st->label, to,
				    to->limit.bytes ? to->limit.bytes : from.size, err)
		     : snapshot(st, to, err);
}

static void new_tree(const struct storage *st, char ret[STORAGE_NAME_SIZE])
{
	(void)st;
	if (new_name("lxmgr", ret) < 0)
		snprintf(ret, STORAGE_NAME_SIZE, "lxmgr-new");
}

static int replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	int r = is_outside(st) ? err_msg(err, -EOPNOTSUPP,
					 "the volume that lxmgr.rootfs.path names is not lxmgr's "
					 "to replace")
			       : storage_write_over(st, new, err);

	if (r == 0)
		end_volume(new);
	return r;
}

static int recover(struct storage *st, struct lxmgr_err *err)
{
	if (!is_outside(st) && *st->group && *st->tag && *st->tree &&
	    faccessat(st->ct_fd, UNFINISHED, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		end_volume(st);
	return 0;
}

/* By a mount of our own, also where a container runs: of the same file system, which the kernel
 * shares, and not what the guest would have us take for its root. */
static int resize_mounted(const struct storage *st, const struct volume *v, uint64_t bytes,
			  struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_volume(v, 0, st->label, err);
	uint64_t now = 0;
	int r = mnt < 0 ? mnt : bytes > v->size ? lvm_extend(st->group, st->tree, bytes, err) : 0;

	if (r < 0)
		return r;
	if (ioctl(v->fd, BLKGETSIZE64, &now) < 0)
		return err_set(err, -errno, "read the size of '%s'", v->device);
	return blockfs_resize(v->fs, mnt, now, err);
}

/* A smaller one takes the place of the volume when it is whole. */
static int shrink(struct storage *st, const struct volume *v, const struct storage_limit *limit,
		  uint64_t bytes, struct lxmgr_err *err)
{
	struct storage new = *st;
	int r = new_name("lxmgr", new.tree);

	if (r < 0)
		return err_set(err, r, "make a name");
	new.limit = *limit;
	r = begin_volume(st, err);
	if (r < 0)
		return r;
	r = copy_tree_to(v, NULL, &new, bytes, err);
	if (r < 0) {
		end_volume(st);
		return r;
	}
	r = storage_write_over(st, &new, err);
	if (r < 0)
		return r;
	end_volume(&new);
	memcpy(st->tree, new.tree, sizeof(st->tree));
	return 0;
}

/* Only called where something is to change. A volume that has its size already may hold a file
 * system that has not: one of a resize that was killed. */
static int resize(struct storage *st, const struct storage_limit *limit, bool running,
		  struct lxmgr_err *err)
{
	cleanup_volume struct volume v = VOLUME_INIT;
	struct storage_limit want = *limit;
	int r = is_outside(st) ? err_msg(err, -EOPNOTSUPP,
					 "the volume that lxmgr.rootfs.path names is not lxmgr's "
					 "to resize")
			       : open_volume(st, &v, err);

	if (r == 0 && want.bytes)
		r = size_in(st->group, &want.bytes, err);
	if (r == 0)
		r = blockfs_judge(v.fs, v.size, &st->limit, &want, running, err);
	if (r < 0)
		return r;
	if (!want.bytes)
		want.bytes = v.size;
	if (want.bytes < v.size && running)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "a volume can only be made smaller at rest; stop the container "
				  "first");
	return want.bytes < v.size ? shrink(st, &v, limit, want.bytes, err)
				   : resize_mounted(st, &v, want.bytes, err);
}

static void like(const struct storage *st, struct storage_make *ret)
{
	cleanup_volume struct volume v = VOLUME_INIT;

	ret->group = *st->group ? st->group : NULL;
	ret->pool = *st->group ? st->pool : NULL;
	if (open_volume(st, &v, NULL) < 0)
		return;
	ret->fstype = v.fs->name;
	ret->size = st->limit.bytes ? 0 : v.size;
}

static int compact(struct storage *st, uint64_t *ret_freed, struct lxmgr_err *err)
{
	cleanup_volume struct volume v = VOLUME_INIT;
	cleanup_fd int mnt = -EBADF;
	uint64_t before = 0, after = 0;
	int r;

	if (is_outside(st) || !*st->pool)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "a thick volume has its size whatever it holds");
	r = open_volume(st, &v, err);
	if (r == 0)
		r = lvm_usage(st->group, st->tree, &before, err);
	if (r == 0)
		r = mnt = mount_volume(&v, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, NULL, err);
	if (r >= 0)
		r = blockfs_trim(v.fs, mnt, v.size, err);
	if (r == 0)
		r = lvm_usage(st->group, st->tree, &after, err);
	if (r == 0)
		*ret_freed = before > after ? before - after : 0;
	return r;
}

static int disks(struct storage *st, struct disks *ret, struct lxmgr_err *err)
{
	int r;

	if (!is_outside(st))
		return lvm_disks(st->group, ret, err);
	r = disks_add_path(ret, st->spec->path);
	return r < 0 ? err_set(err, r, "find the disk of '%s'", st->spec->path) : 0;
}

const struct storage_ops storage_lvm = {
	.name = "lvm",
	.own_fs = true,
	.probe = probe,
	.create = create,
	.check = check,
	.mount = lvm_mount,
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
	.disks = disks,
};
