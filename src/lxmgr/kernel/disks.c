/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/disks.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

/* Disks of disks of disks: as many as anybody stacks. */
#define MAX_DEPTH 8

static int open_sys(dev_t dev)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A partition lies in the directory of its disk. */
static int whole(dev_t *dev)
{
	cleanup_fd int dir = open_sys(*dev);
	unsigned int maj, min;
	char text[32];

	if (dir < 0)
		return -ENODEV;
	if (faccessat(dir, "partition", F_OK, 0) < 0)
		return 0;
	if (read_small(dir, "../dev", text, sizeof(text)) <= 0 ||
	    sscanf(text, "%u:%u", &maj, &min) != 2)
		return -ENODEV;
	*dev = makedev(maj, min);
	return 0;
}

static int add(struct disks *d, dev_t dev)
{
	int r = whole(&dev);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d->n; i++)
		if (d->dev[i] == dev)
			return 0;
	if (d->n == DISKS_MAX)
		return -E2BIG;
	d->dev[d->n++] = dev;
	return 0;
}

int disks_add_path(struct disks *d, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISBLK(st.st_mode) ? add(d, st.st_rdev) : -ENOTBLK;
}

/* Its files have a device number that is no device's. */
static int add_btrfs(struct disks *d, int fd)
{
	struct btrfs_ioctl_fs_info_args fs = { 0 };
	char path[FD_PATH_SIZE];
	cleanup_fd int readable = open(fd_path(fd, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r = 0;

	if (readable < 0 || ioctl(readable, BTRFS_IOC_FS_INFO, &fs) < 0)
		return -errno;
	for (uint64_t id = 0; r == 0 && id <= fs.max_id; id++) {
		struct btrfs_ioctl_dev_info_args dev = { .devid = id };

		if (ioctl(readable, BTRFS_IOC_DEV_INFO, &dev) < 0) {
			/* Numbers of devices that were taken away are not used again. */
			r = errno == ENODEV ? 0 : -errno;
			continue;
		}
		dev.path[sizeof(dev.path) - 1] = '\0';
		/* One that is missing takes no requests. */
		if (*dev.path)
			r = disks_add_path(d, (const char *)dev.path);
	}
	return r < 0 ? r : d->n ? 0 : -ENODEV;
}

int disks_add(struct disks *d, int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return add(d, st.st_rdev);
	if (fs.f_type == BTRFS_SUPER_MAGIC)
		return add_btrfs(d, fd);
	return major(st.st_dev) ? add(d, st.st_dev) : -ENODEV;
}

const char *disks_name(dev_t dev, char buf[DISKS_NAME_SIZE])
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	if (n > 0 && strrchr(target, '/'))
		snprintf(buf, DISKS_NAME_SIZE, "%s", strrchr(target, '/') + 1);
	else
		snprintf(buf, DISKS_NAME_SIZE, "%u:%u", major(dev), minor(dev));
	return buf;
}

static bool has_bfq(int dir, int depth)
{
	cleanup_fd int fd = openat(dir, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *slaves = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	char text[256];
	size_t n = 0;

	if (slaves)
		fd = -EBADF;
	while (slaves && depth && (e = readdir(slaves))) {
		cleanup_fd int slave = -EBADF, disk = -EBADF;

		if (*e->d_name == '.')
			continue;
		slave = openat(dirfd(slaves), e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (slave < 0)
			return false;
		if (faccessat(slave, "partition", F_OK, 0) == 0)
			disk = openat(slave, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (!has_bfq(disk < 0 ? slave : disk, depth - 1))
			return false;
		n++;
	}
	if (n)
		return true;
	return read_small(dir, "queue/scheduler", text, sizeof(text)) > 0 &&
	       strstr(text, "[bfq]") != NULL;
}

bool disks_has_bfq(dev_t dev)
{
	cleanup_fd int dir = open_sys(dev);

	return dir >= 0 && has_bfq(dir, MAX_DEPTH);
}
