/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a container's init, as its monitor sees it. */
#ifndef LXMGR_CONTAINER_FINISH_H
#define LXMGR_CONTAINER_FINISH_H

#include "container/container.h"

/* What the monitor does when init has ended (helpers/lxmgr-finish.c): teardown, then start again
 * if the guest asked for a reboot and `restart` is allowed. report_fd: -1, or the socket of a
 * tool in the foreground. Returns the exit status of the monitor. */
int container_finish(struct lxmgr_container *c, int wait_status, bool restart, int report_fd,
		     const int *ns_fd);

/* Destroy an ephemeral container that stopped: by whoever implements destroy (destroy.c). The
 * caller need not hold the lock. */
int container_destroy_stopped(struct lxmgr_container *c, struct lxmgr_err *err);

#endif
