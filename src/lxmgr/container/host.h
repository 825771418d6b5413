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
 * where nothing is bounded.
 * ret_turn: a lock that others who ask wait for, to be given back with host_recorded() when c
 * counts as one that has these limits; unchanged where nothing is bounded. NULL: it is asked
 * only. */
int host_admit(const struct lxmgr_container *c, const struct config *cfg, bool runs, int *ret_turn,
	       struct lxmgr_err *err);
/* For all processes that have it. */
void host_recorded(int *turn);

#endif
