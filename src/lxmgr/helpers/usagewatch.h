/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of the monitor: /dev/lxmgr/usage in the container (container/stage_usage.c). Whoever opens
 * it waits until lxmgr-table has written it, at most USAGE_PATIENCE_MS. For USAGE_FRESH_MS it is
 * not written again, and the kernel does not even ask: a guest that opens it without end costs the
 * host one table a second.
 */
#ifndef LXMGR_HELPERS_USAGEWATCH_H
#define LXMGR_HELPERS_USAGEWATCH_H

#include <stdint.h>

#define USAGE_FRESH_MS	  1000
#define USAGE_PATIENCE_MS 2000

struct usage_watch {
	int file, ask; /* the file, and who asks; -1: there is none */
	int done;      /* closed by the program when it has written; -1: none is at work */
	int64_t at;    /* when patience, or freshness, ends; 0: neither */
	char *name, *path;
};

/* What to poll for reading, by now: one of the two, or -1. */
int usage_watch_fd(const struct usage_watch *w);
/* Until usage_watch_due() is to be called, in milliseconds; -1: it is not. */
int usage_watch_timeout(const struct usage_watch *w, int64_t now);
void usage_watch_due(struct usage_watch *w, int64_t now);
/* The monitor is about to become another program, or to end. */
void usage_watch_end(struct usage_watch *w);
/* That descriptor can be read. run: starts a program and does not wait for it. */
void usage_watch_event(struct usage_watch *w, int64_t now, void (*run)(char *const *argv));

#endif
