/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order in which containers start and stop: by group, lxmgr.start.order, lxmgr.start.delay and
 * lxmgr.start.after. autostart.c picks and sorts, autorun.c does it, units.c tells systemd.
 */
#ifndef LXMGR_CONTAINER_AUTOSTART_H
#define LXMGR_CONTAINER_AUTOSTART_H

#include "container/container.h"

/* Those of one level start together; the next level waits for them. A container with a delay is
 * a level of its own, behind those of its order without one. */
struct auto_level {
	unsigned int rank; /* position of its group; 0 first */
	uint32_t order;	   /* higher first */
	char delayed[64];  /* its name if it has a delay, else "" */
};

/* Negative: a starts before b. */
int auto_level_cmp(const struct auto_level *a, const struct auto_level *b);
void auto_entry_level(const struct lxmgr_auto *e, struct auto_level *ret);
struct auto_level auto_level_of(const char *name, const struct config *cfg, unsigned int rank);

/* Which of the groups (NULL-terminated, "" for no group; NULL: no group only) selects it: the
 * first one's position, -1 for none. */
int auto_group_rank(const struct config *cfg, const char *const *groups);
/* The groups that are started when the host boots, as LXC has them. */
extern const char *const auto_boot_groups[];

/* Refuse a circle of lxmgr.start.after that cfg, the config of path/name to be, would close. */
int auto_check_after(const char *path, const char *name, const struct config *cfg,
		     struct lxmgr_err *err);

#endif
