/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one teardown: for a failed start, a stop, and what a crash left behind. */
#ifndef LXMGR_CONTAINER_TEARDOWN_H
#define LXMGR_CONTAINER_TEARDOWN_H

#include "container/container.h"

/*
 * Take back what the state file records: processes, host sides of interfaces, cgroups, the LSM
 * profile; run the stop and post-stop hooks (c's config must be loaded for these; without it
 * they are skipped); remove the run directory. ns_fd: namespaces for the stop hook or NULL.
 * target is "stop" or "reboot". again: this process starts it again; the run directory stays, with
 * a state that says so, until teardown_run_dir(). Goes on after an error and returns the first one.
 */
int teardown(struct lxmgr_container *c, const struct state *state, const char *target,
	     const int *ns_fd, bool again, struct lxmgr_err *err);
int teardown_run_dir(const struct lxmgr_container *c, struct lxmgr_err *err);
/* What a start that was killed had made and could not record yet, of one that does not run and
 * goes: the next start of it would take it. */
int teardown_unrecorded(const struct lxmgr_container *c, struct lxmgr_err *err);
/* Under the container's lock: tear down if the state is stale. 0 if there is nothing (any more),
 * 1 if the container runs; *ret is its state then. netns_fd: its network namespace, kept from when
 * init was alive, or -1. */
int teardown_stale(struct lxmgr_container *c, int netns_fd, struct state *ret,
		   struct lxmgr_err *err);
/* The network namespace of an init that is alive, if a host interface was moved there, else -1.
 * While it is open the interfaces in it live, and that one can be brought home. */
int teardown_hold_netns(const struct state *s);

#endif
