/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which containers get lxcfs' view of /proc; giving it to those that run is lxmgr_lxcfs(). */
#ifndef LXMGR_CONTAINER_LXCFS_H
#define LXMGR_CONTAINER_LXCFS_H

#include "container/config.h"
#include "kernel/lxcfs.h"

/* Refuse, before anything is touched, a config that asks for lxcfs where it does not run. */
int lxcfs_check(const struct config *cfg, struct lxmgr_err *err);
/* Open its files for a container: 1; 0 where it gets none. */
int lxcfs_get(const struct config *cfg, struct lxcfs *ret, struct lxmgr_err *err);

#endif
