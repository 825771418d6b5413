/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of the host is promised to containers, and how much may be (lxmgr.overcommit.*). */
#ifndef LXMGR_CONTAINER_HOST_H
#define LXMGR_CONTAINER_HOST_H

#include <stdbool.h>

struct config;
struct lxmgr_container;
struct lxmgr_err;

/* Refuse (STATUS_REFUSED) that c has the limits of cfg, where those that run and it would have more
 * of a resource than may be promised; of the disk all containers of its directory count, and that
 * alone if it does not run. One without a limit counts as the whole host. Nothing is looked at
 * where nothing is bounded. */
int host_admit(const struct lxmgr_container *c, const struct config *cfg, bool runs,
	       struct lxmgr_err *err);

#endif
