/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host whose PID 1 is systemd: containers run in its units (lxmgr@NAME.service) or in scopes that
 * it delegates, and machined knows of them. The talking is done by helpers/lxmgr-systemd.c.
 */
#ifndef LXMGR_CONTAINER_SERVICE_H
#define LXMGR_CONTAINER_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "container/container.h"

/* systemd runs this host, and this build can talk to it. */
bool service_is_host(void);
/* A start with these options is what the container's unit does: the unit is to be started. */
bool service_has_unit(const struct lxmgr_container *c, const struct lxmgr_start_opts *o);
/* Start the unit and wait until it is up. A failed start is told as by the start itself. -ENOENT:
 * the unit is not installed. */
int service_start_unit(const struct lxmgr_container *c, struct lxmgr_err *err);
/* The next start by the unit is by force (lxmgr_start_opts), or not; it is told so, once. */
void service_force(const struct lxmgr_container *c, bool on);
bool service_was_forced(const struct lxmgr_container *c, const struct lxmgr_start_opts *o);
/* Ask for the unit's stop, where it has one, and do not wait: it is not to be restarted. */
int service_stop_unit(const struct lxmgr_container *c, struct lxmgr_err *err);
/* Put a process, and what it will fork, in a delegated scope named after the container. */
int service_make_scope(const struct lxmgr_container *c, pid_t pid, struct lxmgr_err *err);
/* Remove what is left of the container's scopes: systemd takes a scope's groups away once, and a
 * process that is just dying keeps them (seen on Linux 7.3). Waits up to wait_ms for such a one
 * and for systemd to let go of the unit; what a process still runs in stays. */
void service_sweep_scopes(const struct lxmgr_container *c, int wait_ms);
/* Have a timer begin anew, or end; not waited for. */
int service_timer(const char *unit, bool begin, struct lxmgr_err *err);
/* Let systemd read its unit files again. */
int service_reload(struct lxmgr_err *err);
/* Tell machined of a running container, or that it is none any more. index: host ends of its n
 * interfaces. -EOPNOTSUPP: not on this host. */
int service_register(const struct lxmgr_container *c, pid_t init, const int *index, size_t n,
		     struct lxmgr_err *err);
int service_unregister(const struct lxmgr_container *c, struct lxmgr_err *err);
/* The manager waits for this process as it stops a unit: let it wait that much longer. */
void service_extend(uint64_t ms);

#endif
