/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limit of what a container's root may hold: lxmgr.limit.disk and lxmgr.limit.inodes. */
#ifndef LXMGR_CONTAINER_DISK_H
#define LXMGR_CONTAINER_DISK_H

#include "container/container.h"
#include "kernel/selinux.h"
#include "storage/storage.h"

/* What the config asks for; no project. */
struct storage_limit disk_wanted(const struct config *cfg);
bool disk_is_limited(const struct storage_limit *l);

/* Can a root of this backend be limited as the config says, below the directory of containers
 * path_fd? Refused before anything is made, with the cure. */
int disk_check(const struct config *cfg, const struct storage_ops *ops, int path_fd,
	       struct lxmgr_err *err);
/* The limit that a new root is made with, of the container `id` (its path) in dir_fd: with a
 * project of its own, where the backend needs one. */
int disk_reserve(const struct config *cfg, const struct storage_ops *ops, const char *id,
		 int dir_fd, struct storage_limit *ret, struct lxmgr_err *err);

/* What cfg asks for comes into force on st, the storage of the container `id`; running as for
 * storage_resize(). */
int disk_apply(const struct config *cfg, struct storage *st, const char *id, int path_fd,
	       bool running, struct lxmgr_err *err);

/* A change of the limit of c's root, under c's lock; runs: c does. */
struct disk_job {
	struct lxmgr_container *c;
	struct storage st;
	char label[SELINUX_CONTEXT_SIZE]; /* where it runs */
	bool runs, is_open;
};
int disk_job_open(struct lxmgr_container *c, bool runs, struct disk_job *j, struct lxmgr_err *err);
/* Could what cfg asks for be in force here at all? */
int disk_job_check(const struct disk_job *j, const struct config *cfg, struct lxmgr_err *err);
int disk_job_apply(struct disk_job *j, const struct config *cfg, struct lxmgr_err *err);
/* Whether what cfg asks for is more than the root has. Then the config is written first: a root
 * that can only grow (xfs) would not start with one that asks for less, and killed in between the
 * next start ends what was begun. */
bool disk_job_grows(struct disk_job *j, const struct config *cfg);
void disk_job_close(struct disk_job *j);

/* At a start, under the lock: what the config says is brought into force. */
int disk_start(struct lxmgr_container *c, struct lxmgr_err *err);

/* A second tree is made beside st's, both of one project: until disk_enforce() nothing limits them.
 * *ret is the limit for storage_create() or storage_copy() of the new one. */
int disk_lift(const struct lxmgr_container *c, struct storage *st, const struct storage_ops *ops,
	      struct storage_limit *ret, struct lxmgr_err *err);
/* The limit of the container in dir_fd is in force again, however much it holds. Whatever fails is
 * logged: the next start does it again. */
void disk_enforce(const struct lxmgr_container *c, int dir_fd);

/* What can be known of it at once. */
void disk_look(const struct lxmgr_container *c, struct storage *st, struct lxmgr_disk *ret);

#endif
