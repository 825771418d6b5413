/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of lxcfs, a FUSE daemon that answers for /proc by the limits of who reads, over those
 * of a container. They die with the daemon: what it leaves has to be taken away, and put there anew
 * when it is back.
 */
#ifndef LXMGR_KERNEL_LXCFS_H
#define LXMGR_KERNEL_LXCFS_H

struct lxmgr_err;

#define LXCFS_FILES 9 /* fewer than a message carries descriptors */

struct lxcfs {
	int fd[LXCFS_FILES]; /* detached mounts; negative: lxcfs has no such file */
};

#define LXCFS_INIT                                                                               \
	{                                                                                        \
		.fd = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF } \
	}

/* Detached, read-only mounts of the files below dir, where lxcfs is mounted. -ENOENT: it does not
 * run; -ENOTCONN: it died and its mount is still there. Closed with lxcfs_close(). */
int lxcfs_open(const char *dir, struct lxcfs *ret, struct lxmgr_err *err);
void lxcfs_close(struct lxcfs *l);

/* Put them over those below root ("proc/meminfo" ...). What is not of procfs or sysfs there,
 * because the guest has something else in its place, is left as it is. */
int lxcfs_attach(int root, const struct lxcfs *l, struct lxmgr_err *err);
/* Take away what of lxcfs, dead or alive, lies over them. Changes the working directory: for a
 * process of its own. */
int lxcfs_detach(int root, struct lxmgr_err *err);

#endif
