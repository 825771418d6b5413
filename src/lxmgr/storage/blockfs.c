/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "storage/blockfs.h"
#include "storage/blockrun.h"
#include "storage/storage.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

/* Not in the kernel's headers: fs/ext4/ext4.h, fs/xfs/libxfs/xfs_fs.h. */
#define EXT4_RESIZE _IOW('f', 16, uint64_t)
#define XFS_GROW    _IOW('X', 110, struct xfs_grow)
#define XFS_GEOM    _IOR('X', 100, struct xfs_geom)

#define EXT4_INODES_AT 1024 /* s_inodes_count, the first of the superblock */
#define TRIM_STEP      (1ULL << 30)

struct xfs_grow {
	uint64_t newblocks;
	uint32_t imaxpct;
};

struct xfs_geom {
	uint32_t blocksize, rtextsize, agblocks, agcount, logblocks, sectsize, inodesize, imaxpct;
	uint64_t datablocks, rtblocks, rtextents, logstart;
	unsigned char uuid[16];
	uint32_t sunit, swidth;
	int32_t version;
	uint32_t flags, logsectsize, rtsectsize, dirblocksize;
};

static const struct blockfs table[] = {
	{ .name = "ext4",
	  .mkfs = "mkfs.ext4",
	  .package = "e2fsprogs",
	  .min = 16 << 20,
	  .magic_at = 0x438,
	  .magic = "\x53\xef",
	  .shrinks_at_rest = true,
	  .inodes = true },
	/* A copy has the id of its source: mounted all the same. */
	{ .name = "xfs",
	  .mkfs = "mkfs.xfs",
	  .package = "xfsprogs",
	  .min = 300 << 20,
	  .magic_at = 0,
	  .magic = "XFSB",
	  .options = "nouuid" },
	{ .name = "btrfs",
	  .mkfs = "mkfs.btrfs",
	  .package = "btrfs-progs",
	  .min = 256 << 20, /* what it can be resized to */
	  .magic_at = 0x10040,
	  .magic = "_BHRfS_M",
	  .copies_clash = true,
	  .shrinks_live = true },
};

const struct blockfs *blockfs_find(const char *name, struct lxmgr_err *err)
{
	if (!name || !*name)
		name = table[0].name;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!str_eq(table[i].name, name))
			continue;
		if (run_has_program(table[i].mkfs))
			return &table[i];
		err_status(err, STATUS_REFUSED, -ENOENT,
			   "there is no '%s' on this host to make the file system with (install "
			   "%s)",
			   table[i].mkfs, table[i].package);
		return NULL;
	}
	err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
		   "a root has no file system '%.40s' of its own; there are ext4, xfs and btrfs",
		   name);
	return NULL;
}

const struct blockfs *blockfs_detect(int fd, struct lxmgr_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t len = strlen(table[i].magic);
		char buf[16];

		if (pread(fd, buf, len, (off_t)table[i].magic_at) == (ssize_t)len &&
		    memcmp(buf, table[i].magic, len) == 0)
			return &table[i];
	}
	err_msg(err, -EINVAL, "it holds none of the file systems ext4, xfs and btrfs");
	return NULL;
}

void blockfs_make_args(const struct blockfs *fs, const char *path, uint64_t inodes, char buf[32],
		       const char *argv[BLOCKFS_ARGS])
{
	size_t n = 0;

	argv[n++] = fs->mkfs;
	argv[n++] = "-q";
	if (str_eq(fs->name, "ext4")) {
		argv[n++] = "-F";
		/* Nobody in a container is the root that blocks are kept for. */
		argv[n++] = "-m";
		argv[n++] = "0";
		if (inodes) {
			snprintf(buf, 32, "%" PRIu64, inodes);
			argv[n++] = "-N";
			argv[n++] = buf;
		}
	} else {
		argv[n++] = "-f";
	}
	if (str_eq(fs->name, "xfs")) {
		/* What the image lies on may have sectors of that size. */
		argv[n++] = "-s";
		argv[n++] = "size=4096";
	}
	argv[n++] = "--";
	argv[n++] = path;
	argv[n] = NULL;
}

static int no_inodes(const struct blockfs *fs, struct lxmgr_err *err)
{
	return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
			  "the number of inodes of %s cannot be limited (lxmgr.limit.inodes); use "
			  "--fstype ext4",
			  fs->name);
}

int blockfs_make(const struct blockfs *fs, int fd, uint64_t inodes, struct lxmgr_err *err)
{
	const char *argv[BLOCKFS_ARGS];
	char buf[32];

	if (inodes && !fs->inodes)
		return no_inodes(fs, err);
	blockfs_make_args(fs, BLOCKRUN_FD, inodes, buf, argv);
	return blockrun_checked(argv, fd, err);
}

uint64_t blockfs_inodes(const struct blockfs *fs, int fd)
{
	uint32_t n;

	if (!fs->inodes || pread(fd, &n, sizeof(n), EXT4_INODES_AT) != sizeof(n))
		return 0;
	return le32toh(n);
}

int blockfs_mount(const struct blockfs *fs, const char *device, uint64_t attrs, const char *label,
		  struct lxmgr_err *err)
{
	cleanup_free char *options = str_printf(
		"%s%s%s%s%s", fs->options ? fs->options : "", fs->options && label ? "," : "",
		label ? "context=\"" : "", label ? label : "", label ? "\"" : "");

	if (!options)
		return err_set(err, -ENOMEM, "mount %s", fs->name);
	return mount_new_fs(fs->name, device, options, attrs, err);
}

int blockfs_attach(int mnt, struct lxmgr_err *err)
{
	cleanup_fd int tmp = mount_new_fs("tmpfs", "lxmgr", "mode=0700,size=64k", 0, err);
	cleanup_fd int dir = -EBADF, target = -EBADF;
	int r = tmp < 0 ? tmp : mkdir_p(STAGEDIR, 0700);

	if (tmp < 0)
		return tmp;
	dir = r < 0 ? r : open(STAGEDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, r < 0 ? r : -errno, "open '%s'", STAGEDIR);
	r = mount_attach(tmp, dir, STAGEDIR, err);
	if (r < 0)
		return r;
	if (mkdirat(tmp, "r", 0700) < 0)
		return err_set(err, -errno, "fill the stage");
	target = openat(tmp, "r", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_set(err, -errno, "open the stage");
	return mount_attach(mnt, target, "the root", err);
}

static int grow_xfs(int fd, uint64_t bytes)
{
	struct xfs_geom g;
	struct xfs_grow grow;

	if (ioctl(fd, XFS_GEOM, &g) < 0)
		return -errno;
	grow = (struct xfs_grow){ bytes / g.blocksize, g.imaxpct };
	return grow.newblocks != g.datablocks && ioctl(fd, XFS_GROW, &grow) < 0 ? -errno : 0;
}

static int resize_btrfs(int fd, uint64_t bytes)
{
	struct btrfs_ioctl_vol_args a = { .fd = 0 };

	snprintf(a.name, sizeof(a.name), "1:%" PRIu64, bytes);
	return ioctl(fd, BTRFS_IOC_RESIZE, &a) < 0 ? -errno : 0;
}

static int resize_ext4(int fd, uint64_t bytes)
{
	struct stat st;
	uint64_t blocks;

	if (fstat(fd, &st) < 0)
		return -errno;
	blocks = bytes / (uint64_t)st.st_blksize;
	return ioctl(fd, EXT4_RESIZE, &blocks) < 0 ? -errno : 0;
}

int blockfs_resize(const struct blockfs *fs, int mnt, uint64_t bytes, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno
		: str_eq(fs->name, "xfs")
			? grow_xfs(fd, bytes)
			: (str_eq(fs->name, "btrfs") ? resize_btrfs : resize_ext4)(fd, bytes);

	return r < 0 ? err_set(err, r, "give the file system %" PRIu64 " bytes", bytes) : 0;
}

int blockfs_shrink(const struct blockfs *fs, int fd, uint64_t bytes, struct lxmgr_err *err)
{
	static const char *const mend[] = { "e2fsck", "-f", "-p", BLOCKRUN_FD, NULL };
	static const char *const check[] = { "e2fsck", "-f", "-n", BLOCKRUN_FD, NULL };
	char size[32];
	/* With its cache it is silent about a block that it could not write (e2fsprogs 1.47.0), and
	 * what was moved is lost. */
	const char *shrink[] = { "resize2fs", BLOCKRUN_FD "?cache=off", size, NULL };
	cleanup_free char *out = NULL, *said = NULL, *found = NULL;
	int r;

	if (!fs->shrinks_at_rest)
		return err_msg(err, -EOPNOTSUPP, "%s cannot be made smaller", fs->name);
	/* 1: it has mended something. */
	r = blockrun(mend, fd, &out, err);
	if (r < 0 || (r != 0 && r != 1 << 8))
		return r < 0 ? r : blockrun_ended_badly(mend[0], r, out, err);
	snprintf(size, sizeof(size), "%" PRIu64 "K", bytes >> 10);
	r = blockrun(shrink, fd, &said, err);
	if (r > 0 && strstr(said, "smaller than minimum"))
		return err_status(err, STATUS_REFUSED, -EDQUOT,
				  "the root takes more than %" PRIu64
				  " MiB, or has too little room left in that to be made so small",
				  bytes >> 20);
	if (r != 0)
		return r > 0 ? blockrun_ended_badly(shrink[0], r, said, err) : r;
	r = blockrun(check, fd, &found, err);
	return r > 0 ? blockrun_ended_badly(check[0], r, found, err) : r;
}

int blockfs_sync(int mnt, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? err_set(err, -errno, "write the file system") : 0;
}

/* Piece by piece, so that somebody can see how far it is and end it. btrfs gives back what no file
 * ever had anew with each piece: there it is one. What the file system does not reach, because it
 * is smaller than its device, is an invalid piece. */
static int trim_pieces(const struct blockfs *fs, int fd, uint64_t size)
{
	uint64_t step = str_eq(fs->name, "btrfs") ? UINT64_MAX : TRIM_STEP;
	uint64_t at = 0;

	for (;;) {
		bool last = size - at <= step;
		struct fstrim_range range = { .start = at, .len = last ? UINT64_MAX : step };
		int r = tree_copy_tell("giving back", size ? (int)(at * 1000 / size) : -1);

		if (r < 0)
			return r;
		if (ioctl(fd, FITRIM, &range) < 0)
			return errno == EINVAL && at ? 0 : -errno;
		if (last)
			return 0;
		at += step;
	}
}

int blockfs_trim(const struct blockfs *fs, int mnt, uint64_t size, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* What was deleted a moment ago is not free yet. */
	int r = fd < 0 || syncfs(fd) < 0 ? -errno : trim_pieces(fs, fd, size);

	if (r == 0 && syncfs(fd) < 0)
		r = -errno;
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	if (r == -EOPNOTSUPP)
		return err_msg(err, r, "what the image lies on cannot punch holes into files");
	return r < 0 ? err_set(err, r, "trim the file system") : 0;
}

int blockfs_size(const struct storage *st, uint64_t *ret, struct lxmgr_err *err)
{
	uint64_t asked = st->make ? st->make->size : 0, limit = st->limit.bytes;

	if (asked && limit && asked != limit)
		return err_status(
			err, STATUS_USAGE, -EINVAL,
			"the size of the file system (--fssize) and lxmgr.limit.disk differ; "
			"give one");
	*ret = limit ? limit : asked ? asked : BLOCKFS_DEFAULT_SIZE;
	return 0;
}

void blockfs_inherit(struct storage_limit *to, const struct storage_limit *from)
{
	if (!to->bytes)
		to->bytes = from->bytes;
	if (!to->inodes)
		to->inodes = from->inodes;
}

int blockfs_judge(const struct blockfs *fs, uint64_t now, const struct storage_limit *have,
		  const struct storage_limit *want, bool running, struct lxmgr_err *err)
{
	if (want->inodes != STORAGE_UNLIMITED && want->inodes != have->inodes)
		return fs->inodes
			       ? err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
					    "the number of inodes (lxmgr.limit.inodes) is fixed "
					    "when the file system is made; only a copy has another "
					    "('lxmgr-copy NAME NEW --define lxmgr.limit.inodes=N')")
			       : no_inodes(fs, err);
	/* It has a size in any case: that it has. */
	if (want->bytes == STORAGE_UNLIMITED)
		return 0;
	if (want->bytes < fs->min)
		return err_status(err, STATUS_REFUSED, -EINVAL, "%s needs %" PRIu64 " MiB at least",
				  fs->name, fs->min >> 20);
	if (want->bytes >= now || fs->shrinks_live)
		return 0;
	if (!fs->shrinks_at_rest)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "%s cannot be made smaller; export the container and import it "
				  "into a smaller one",
				  fs->name);
	if (running)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "%s can only be made smaller at rest; stop the container first",
				  fs->name);
	return 0;
}
