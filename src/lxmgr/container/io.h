/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container may read from and write to the disks of its root: lxmgr.limit.io.*, .iops.*. */
#ifndef LXMGR_CONTAINER_IO_H
#define LXMGR_CONTAINER_IO_H

#include "container/container.h"
#include "kernel/cgroup_io.h"

/* Refuse, before anything is touched, what cannot act on this host or on the disks that c's root is
 * on, which are told (ret NULL: not); cfg: c's, or what it is to become. Nothing asked for: 0, and
 * those that can be found. */
int io_check(const struct lxmgr_container *c, const struct config *cfg, struct disks *ret,
	     struct lxmgr_err *err);
/* What c's config asks for, on the group of a container that starts. */
int io_start(const struct lxmgr_container *c, struct cgroup *cg, struct lxmgr_err *err);
/* What cfg asks for, on that of one that runs; what it does not name is no limit. */
int io_change(struct cgroup *cg, const struct config *cfg, const struct disks *disks,
	      struct lxmgr_err *err);

#endif
