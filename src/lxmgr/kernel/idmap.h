/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Id maps of user namespaces: data, checks, the kernel's files, user namespaces as fds. */
#ifndef LXMGR_KERNEL_IDMAP_H
#define LXMGR_KERNEL_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lxmgr_err;

/* Behind the last id that a container gets (container/idalloc.h): nothing belongs to it. What reads
 * hostile bytes runs with it. */
#define IDMAP_CONFINED 1879113728U

/* The kernel takes up to 340 extents; a page of text is the other limit. */
#define IDMAP_MAX 64

struct idmap_extent {
	uint32_t inside;  /* first id in the container */
	uint32_t outside; /* first id on the host */
	uint32_t count;	  /* 1 or more; first + count never exceeds 2^32 - 1 */
};

struct idmap {
	struct idmap_extent uid[IDMAP_MAX], gid[IDMAP_MAX];
	size_t n_uid, n_gid; /* both 0: no user namespace */
};

/* Parse LXC's "u|g|b nsid hostid range" and add it to map. -EINVAL with a reason. */
int idmap_parse_line(const char *text, struct idmap *map, struct lxmgr_err *err);
/* Add inside..inside+count-1 -> outside.. for uids and gids. */
int idmap_add_both(struct idmap *map, uint32_t inside, uint32_t outside, uint32_t count);
/* Refuse overlaps on either side, ranges beyond 2^32 - 1, a map that has uids but no gids, and
 * one without id 0 inside. */
int idmap_check(const struct idmap *map, struct lxmgr_err *err);
/* Host id for an id inside, or (uint32_t)-1 if it is not mapped. */
uint32_t idmap_uid_out(const struct idmap *map, uint32_t inside);
uint32_t idmap_gid_out(const struct idmap *map, uint32_t inside);
static inline bool idmap_is_none(const struct idmap *map)
{
	return map->n_uid == 0 && map->n_gid == 0;
}
/* The text of uid_map / gid_map, for size bytes. */
int idmap_format(const struct idmap_extent *ext, size_t n, char *buf, size_t size);
/* Write both maps of pid (a child that just made its user namespace) and, where the writer lacks
 * CAP_SETGID over it, "deny" to setgroups first. */
int idmap_write(pid_t pid, const struct idmap *map, struct lxmgr_err *err);
/* A new user namespace with this map, as an fd, for idmapped mounts. */
int idmap_userns_fd(const struct idmap *map, struct lxmgr_err *err);

#endif
