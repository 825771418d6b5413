/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How fast a container that runs sends and receives: lxmgr.net.[i].rate.in and .out. */
#ifndef LXMGR_CONTAINER_RATES_H
#define LXMGR_CONTAINER_RATES_H

#include "container/container.h"

/* Of the interfaces with an end on the host, in the order of the state. */
struct rates {
	struct rate_now in[CONFIG_MAX_NETS], out[CONFIG_MAX_NETS];
};

/* Refuse, by key, rates of interfaces that have no such end. */
int rates_check(const struct config *cfg, struct lxmgr_err *err);
int rates_get(const struct state *s, struct rates *ret, struct lxmgr_err *err);
/* What cfg asks for, of each of them. After a failure some may have changed. */
int rates_change(const struct state *s, const struct config *cfg, struct lxmgr_err *err);
int rates_restore(const struct state *s, const struct rates *was, struct lxmgr_err *err);

#endif
