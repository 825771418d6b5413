/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks and network scripts: LXC's order, arguments and environment; lxmgr-hooks(7). */
#ifndef LXMGR_CONTAINER_HOOKS_H
#define LXMGR_CONTAINER_HOOKS_H

#include <stdbool.h>

#include "container/config.h"
#include "container/container.h"

/* What a hook is told. */
struct hook_env {
	const struct lxmgr_container *c;
	const struct config *cfg;
	const char *rootfs_mount; /* where the root is mounted now, or NULL */
	const char *target;	  /* "stop" or "reboot": post-stop and stop */
	const char *src_name;	  /* clone */
	const char *const *args;  /* more arguments, NULL-terminated, or NULL */
	int ns_fd[NS_COUNT];	  /* stop: fds of the namespaces, -1: none */
};
#define HOOK_ENV_INIT(container, config)                                                       \
	{                                                                                      \
		.c = (container), .cfg = (config), .ns_fd = { -1, -1, -1, -1, -1, -1, -1, -1 } \
	}

/* Run all hooks of a type in order; the first that fails ends it. Their output goes to the trace.
 * Runs where the caller is: host, staging namespace or container. */
int hooks_run(enum hook_type type, const struct hook_env *h, struct lxmgr_err *err);
/* script.up / script.down of one interface. */
int hooks_net_script(bool up, const struct hook_env *h, const struct net_spec *spec,
		     const struct net_live *live, struct lxmgr_err *err);
const char *hook_name(enum hook_type type);

#endif
