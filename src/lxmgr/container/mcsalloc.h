/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SELinux categories: each container has a pair of the policy's 1024 that no other one has, so that
 * the policy keeps them apart. Who has which stands in STATEDIR/mcs.
 */
#ifndef LXMGR_CONTAINER_MCSALLOC_H
#define LXMGR_CONTAINER_MCSALLOC_H

struct lxmgr_err;

#define MCS_LEVEL_SIZE 16 /* "s0:c1022,c1023" */

/* The level of the container `id` (its directory's path): the one it has, or one that is free;
 * where it can be had, one that goes by the id, so that a container that is made again has the
 * files that were labelled for it. */
int mcs_acquire(const char *id, char level[MCS_LEVEL_SIZE], struct lxmgr_err *err);
int mcs_acquire_in(const char *state_dir, const char *id, char level[MCS_LEVEL_SIZE],
		   struct lxmgr_err *err);
/* Give it back. 0 also if it has none. */
int mcs_release(const char *id, struct lxmgr_err *err);
/* What `from` has belongs to `to`. */
int mcs_rename(const char *from, const char *to, struct lxmgr_err *err);
int mcs_release_in(const char *state_dir, const char *id, struct lxmgr_err *err);

#endif
