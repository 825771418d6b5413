/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices that go away with their last user, be it a mount or a descriptor. */
#ifndef LXMGR_KERNEL_LOOPDEV_H
#define LXMGR_KERNEL_LOOPDEV_H

#include <stdbool.h>

struct lxmgr_err;

struct loopdev {
	int fd;	       /* keeps it; owned */
	char path[32]; /* /dev/loopN */
};

#define LOOPDEV_INIT          \
	{                     \
		.fd = -EBADF, \
	}

/* The device over the regular file image_fd (open for reading and writing, by this process alone):
 * the one that there is, or with `attach` a new one. Two over one file would destroy what it holds:
 * whoever attaches one has a lock of the file meanwhile. 0, or -ENXIO without a message: there is
 * none. */
int loopdev_open(int image_fd, bool attach, struct loopdev *ret, struct lxmgr_err *err);
/* The file has another size now. */
int loopdev_resized(const struct loopdev *l, struct lxmgr_err *err);
void loopdev_close(struct loopdev *l);
#define cleanup_loopdev __attribute__((cleanup(loopdev_close)))

#endif
