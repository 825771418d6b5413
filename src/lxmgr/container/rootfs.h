/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root of a container for work on its files: of a stopped one, and of one that runs. */
#ifndef LXMGR_CONTAINER_ROOTFS_H
#define LXMGR_CONTAINER_ROOTFS_H

#include "container/container.h"

struct storage;
struct storage_spec;

/* In a child: a mount namespace of its own, from which nothing reaches the host's. */
int rootfs_leave_host(struct lxmgr_err *err);
/* In a child: make a mount namespace of its own and open in it the root of the stopped container in
 * the directory ct_fd, which path names; ids are as on disk. st is the caller's to keep as long as
 * the root. An O_PATH fd. */
int rootfs_open_stopped(int ct_fd, const char *path, const struct storage_spec *spec,
			struct storage *st, struct lxmgr_err *err);

/* End, of a stopped container with its lock held and its config read, what a copy or a restore that
 * was killed left half done: before that its root cannot be opened. */
int rootfs_recover(struct lxmgr_container *c, struct lxmgr_err *err);

/* A container that is being worked on: taken by rootfs_begin(), let go by rootfs_end(). */
struct rootfs {
	struct lxmgr_container *c;
	bool running;
	int lock;  /* of one that is stopped, held */
	int pidfd; /* of the init of one that runs */
	struct state state;
	struct cgroup cg;
	bool has_cgroup;
	/* In the child, of one that is stopped: its ids on disk, where these do not begin at 0. */
	struct idmap map;
};

#define ROOTFS_INIT                         \
	{                                   \
		.lock = -1, .pidfd = -EBADF \
	}

/* Its config is read; a container that is starting, frozen or mounted is refused. */
int rootfs_begin(struct rootfs *f, struct lxmgr_container *c, struct lxmgr_err *err);
void rootfs_end(struct rootfs *f);
struct rootfs_work {
	/* In the child; root is O_PATH, fds is /proc/self/fd of the host's procfs. What it has to
	 * tell goes over sockets that it had before. */
	void (*run)(struct rootfs *f, int root, int fds, void *data);
	/* In the child: the root could not be had. */
	void (*fail)(const struct lxmgr_err *err, void *data);
	void *data;
	int close_fd;  /* the parent's end of the socket */
	bool outlives; /* it is not killed with its parent: it takes back what it began */
};

/*
 * Do it in a child: as root of the running container, in its user namespace, mount namespace and
 * cgroup, where it dies with it; or, for a stopped one, in a mount namespace of its own. The pid,
 * or a negative errno.
 */
int rootfs_spawn(struct rootfs *f, const struct rootfs_work *w, struct lxmgr_err *err);

#endif
