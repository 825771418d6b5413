/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The locks of all snapshots of a container: whoever copies or compares one holds the lock of that
 * alone. */
#ifndef LXMGR_CONTAINER_SNAPSHOT_HOLD_H
#define LXMGR_CONTAINER_SNAPSHOT_HOLD_H

#include "container/container.h"

struct held {
	int *fd;
	size_t n;
};

/* Take them, each in timeout_ms, with the container's lock held: that comes first, as in
 * lxmgr_snapshot_destroy(). What was taken when this fails is let go by the caller. */
int snapshots_hold(struct held *h, struct lxmgr_container *c, int timeout_ms,
		   struct lxmgr_err *err);
void snapshots_let_go(struct held *h);

#define cleanup_held __attribute__((cleanup(snapshots_let_go)))

#endif
