/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The id-block allocator. Blocks come from root's ranges in /etc/subuid and /etc/subgid; where
 * there is none, 524288..1879048191 is registered there, less what others have. In a container it
 * is what the container has beyond the ids of an ordinary one. Who has which block stands in
 * STATEDIR/idmap.
 */
#ifndef LXMGR_CONTAINER_IDALLOC_H
#define LXMGR_CONTAINER_IDALLOC_H

#include <stdint.h>

struct lxmgr_err;

/* The files, for tests; idalloc_default is the system's. */
struct idalloc_files {
	const char *subuid, *subgid, *state_dir;
	const char *uid_map, *gid_map; /* of this process: which ids there are at all */
};
extern const struct idalloc_files idalloc_default;

/* The block of the container `id` (its directory's path), count ids (a multiple of 65536): the one
 * it has, or the first free one. *ret_base is its first host id. */
int idalloc_acquire(const char *id, uint32_t count, uint32_t *ret_base, struct lxmgr_err *err);
int idalloc_acquire_in(const struct idalloc_files *f, const char *id, uint32_t count,
		       uint32_t *ret_base, struct lxmgr_err *err);
/* Give it back. 0 also if it has none. */
int idalloc_release(const char *id, struct lxmgr_err *err);
int idalloc_release_in(const struct idalloc_files *f, const char *id, struct lxmgr_err *err);

/* What `from` has belongs to `to`. */
int idalloc_rename(const char *from, const char *to, struct lxmgr_err *err);

/* How many blocks are given, and how many there are in root's ranges (0: none are registered yet).
 */
int idalloc_usage(uint64_t *ret_used, uint64_t *ret_total, struct lxmgr_err *err);

#endif
