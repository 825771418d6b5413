/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/loopdev.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

#define TRIES 100

void loopdev_close(struct loopdev *l)
{
	fd_close(&l->fd);
}

/* Opened only if a file is behind it: to open one keeps it. */
static int open_bound(const char *name, const struct stat *image)
{
	cleanup_fd int fd = -EBADF;
	struct loop_info64 info;
	char path[300];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	if (access(path, F_OK) < 0)
		return -ENXIO;
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -ENXIO;
	return info.lo_device == image->st_dev && info.lo_inode == image->st_ino &&
			       info.lo_offset == 0
		       ? take_fd(&fd)
		       : -ENXIO;
}

static int find(int image_fd, struct loopdev *ret, struct lxmgr_err *err)
{
	cleanup_dir DIR *d = opendir("/sys/block");
	struct stat image;
	struct dirent *e;

	if (fstat(image_fd, &image) < 0)
		return err_set(err, -errno, "look at the image");
	while (d && (e = readdir(d))) {
		if (!str_has_prefix(e->d_name, "loop"))
			continue;
		ret->fd = open_bound(e->d_name, &image);
		if (ret->fd < 0)
			continue;
		snprintf(ret->path, sizeof(ret->path), "/dev/%.20s", e->d_name);
		return 0;
	}
	return d ? -ENXIO : err_set(err, -errno, "open '/sys/block'");
}

static int configure(int fd, int image_fd)
{
	struct loop_config c = { .fd = (unsigned int)image_fd,
				 .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO };

	if (ioctl(fd, LOOP_CONFIGURE, &c) == 0)
		return 0;
	/* What the file lies on may not do that. */
	c.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	return errno == EINVAL && ioctl(fd, LOOP_CONFIGURE, &c) == 0 ? 0 : -errno;
}

static int attach_new(int image_fd, struct loopdev *ret, struct lxmgr_err *err)
{
	cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int r = -EBUSY;

	if (control < 0)
		return err_set(err, -errno, "open '/dev/loop-control'");
	for (int i = 0; i < TRIES && r == -EBUSY; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			return err_set(err, -errno, "find a free loop device");
		snprintf(ret->path, sizeof(ret->path), "/dev/loop%d", n);
		ret->fd = open(ret->path, O_RDWR | O_CLOEXEC);
		/* Somebody else may have it by now. */
		r = ret->fd < 0 ? -errno : configure(ret->fd, image_fd);
		if (r == -ENXIO)
			r = -EBUSY;
		if (r < 0)
			fd_close(&ret->fd);
	}
	return r < 0 ? err_set(err, r, "set up the loop device '%s'", ret->path) : 0;
}

int loopdev_open(int image_fd, bool attach, struct loopdev *ret, struct lxmgr_err *err)
{
	int r;

	ret->fd = -EBADF;
	if (!attach)
		return find(image_fd, ret, err);
	/* Nobody else attaches one between our look and our own. */
	while (flock(image_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "lock the image");
	r = find(image_fd, ret, err);
	if (r == -ENXIO)
		r = attach_new(image_fd, ret, err);
	/* The device keeps the descriptor, and the lock would stay with it. */
	if (flock(image_fd, LOCK_UN) < 0 && r == 0)
		r = err_set(err, -errno, "unlock the image");
	return r;
}

int loopdev_resized(const struct loopdev *l, struct lxmgr_err *err)
{
	return ioctl(l->fd, LOOP_SET_CAPACITY, 0) < 0
		       ? err_set(err, -errno, "set the size of '%s'", l->path)
		       : 0;
}
