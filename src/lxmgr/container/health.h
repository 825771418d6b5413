/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The health command inside a container, and what it said last. */
#ifndef LXMGR_CONTAINER_HEALTH_H
#define LXMGR_CONTAINER_HEALTH_H

#include "container/container.h"

struct health {
	bool healthy;
	unsigned int failures; /* in a row, up to now */
	int64_t checked;       /* CLOCK_REALTIME seconds */
	char result[64];       /* "exit status 1" */
	char output[256];      /* the last line of its output, escaped */
};

/* What the last check of this run of the container found. -ENOENT: there was none yet. */
int health_read(const struct lxmgr_container *c, const struct state *s, struct health *ret);
/* Forget it: by the teardown. */
void health_forget(const struct lxmgr_container *c);

/*
 * Check once, note the result, and act where it failed too often: helpers/lxmgr-health.c. A
 * container that does not run, is frozen or is just being checked is left alone. Returns 1 if it
 * acted: *ret is why.
 */
int health_check(struct lxmgr_container *c, struct health *ret, struct lxmgr_err *err);
/* Parse what health_check() notes; for who reads it and for tests. */
void health_parse(const char *text, struct health *ret, pid_t *ret_init, uint64_t *ret_start);

#endif
