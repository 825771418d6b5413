/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LXMGR_CONTAINER_PLANS_H
#define LXMGR_CONTAINER_PLANS_H

#include "lxmgr.h"

static inline void lxmgr_plan_cleanup(struct lxmgr_plan *p)
{
	lxmgr_plan_free(p);
}
#define cleanup_plan __attribute__((cleanup(lxmgr_plan_cleanup)))

#endif
