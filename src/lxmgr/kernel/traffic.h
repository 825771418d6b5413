/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a link sends: a token bucket (tc-tbf(8)) as its root qdisc; and all that comes in on a
 * link, sent out through another one (act_mirred), since only what is sent can wait.
 */
#ifndef LXMGR_KERNEL_TRAFFIC_H
#define LXMGR_KERNEL_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/netlink.h"

struct lxmgr_err;

/* No limit, of struct rate. */
#define RATE_NONE 0

struct rate {
	uint64_t bits;	/* a second, Ethernet's header counts; RATE_NONE */
	uint64_t burst; /* bytes that are sent at once after a pause; 0: rate_burst() */
};

/* What a limit without a burst gets: that of 10 ms, at least 64 KiB. */
uint32_t rate_burst(const struct rate *r);

/* Counted by the limit of a link. */
struct rate_now {
	struct rate rate;
	uint64_t bytes, drops; /* sent; packets that found the queue full */
};

/* Limit what the link sends, or end that; changes the one that is there. 0 or -errno. */
int traffic_limit(struct netlink *nl, int ifindex, const struct rate *r);
/* rate.bits RATE_NONE: there is no limit. */
int traffic_get(struct netlink *nl, int ifindex, struct rate_now *ret);
/* All that comes in on the link goes out through `to`, behind other filters of it. */
int traffic_redirect(struct netlink *nl, int ifindex, int to);
/* Not any more; 0 also where it did not. */
int traffic_redirect_end(struct netlink *nl, int ifindex);

#endif
