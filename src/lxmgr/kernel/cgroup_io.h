/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a group may read and write: limits of each disk, and its share where a disk is busy. */
#ifndef LXMGR_KERNEL_CGROUP_IO_H
#define LXMGR_KERNEL_CGROUP_IO_H

#include "kernel/cgroup.h"
#include "kernel/disks.h"

/* Refuse, by key, what cannot act on this host (-EOPNOTSUPP) or is out of its range (-ERANGE).
 * disks NULL: what can be told without them. */
int cgroup_io_check(const uint64_t io[IO_LIMITS], const struct disks *disks, struct lxmgr_err *err);
/* Give the group these limits on each of the disks, and read them back (-EIO: the kernel has
 * others); LIMIT_UNSET: as it is. After a failure some may have changed. */
int cgroup_io_set(struct cgroup *cg, const uint64_t io[IO_LIMITS], const struct disks *disks,
		  struct lxmgr_err *err);

/* What a group has, to give it back. */
struct cgroup_io_now {
	struct disks disks;
	uint64_t rate[DISKS_MAX][IO_RATES];
	uint64_t weight[2]; /* as the kernel counts them */
};
void cgroup_io_get(struct cgroup *cg, const struct disks *disks, struct cgroup_io_now *ret);
int cgroup_io_restore(struct cgroup *cg, const struct cgroup_io_now *was, struct lxmgr_err *err);

/* Exposed for its test: bfq counts from 1 to 1000, with 100 in the middle. */
uint64_t cgroup_io_bfq_weight(uint64_t weight);
/* Of "io.max" (key "rbps"...) or of a file of v1 (key NULL): the value for a disk; LIMIT_MAX: it
 * has none. */
uint64_t cgroup_io_parse(const char *text, dev_t dev, const char *key);

#endif
