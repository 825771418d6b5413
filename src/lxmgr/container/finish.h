/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a container's init, as its monitor sees it. */
#ifndef LXMGR_CONTAINER_FINISH_H
#define LXMGR_CONTAINER_FINISH_H

#include "container/container.h"

/* lxmgr.start.restart: this many times, after a pause that doubles each time (systemd's is always
 * the first one), until it ran for so long. */
#define RESTART_BURST	 5
#define RESTART_PAUSE_S	 2
#define RESTART_WINDOW_S 600

/* The exit status of the monitor, for systemd's Restart=. */
enum {
	FINISH_STOPPED = 0, /* it was asked to stop, or halted by itself and that is all right */
	FINISH_FAILED = 1,
	FINISH_HALTED = 77, /* halted by itself, and is to be started again (always) */
};

struct finish {
	int wait_status;     /* of init */
	bool restart;	     /* a reboot that the guest asks for is served */
	bool service;	     /* this process is a unit's main process */
	int restarts;	     /* by lxmgr.start.restart, in a row; -1: not by this process */
	const char *base;    /* cgroup that systemd delegated, or NULL */
	int report_fd;	     /* -1, or the socket of a tool in the foreground */
	int ns_fd[NS_COUNT]; /* namespaces that were held for hooks, or -1 */
};

/* What the monitor does when init has ended (helpers/lxmgr-finish.c): teardown, then start again
 * if the guest asked for a reboot. Returns the exit status of the monitor. */
int container_finish(struct lxmgr_container *c, const struct finish *f);

/* Destroy an ephemeral container that stopped: by whoever implements destroy (destroy.c). The
 * caller need not hold the lock. */
int container_destroy_stopped(struct lxmgr_container *c, struct lxmgr_err *err);

#endif
