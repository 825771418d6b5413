/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots by the clock: lxmgr.snapshot.schedule and lxmgr.snapshot.keep. */
#ifndef LXMGR_CONTAINER_SCHEDULE_H
#define LXMGR_CONTAINER_SCHEDULE_H

#include <stdbool.h>

#include "container/config.h"

struct lxmgr_err;

/* One of hourly, daily, weekly, monthly: systemd knows these words. */
bool schedule_is_word(const char *text);
/* Might be an OnCalendar expression: only what these are written with, so that it is no line more
 * of a unit. */
bool schedule_is_valid(const char *text);
/* Where systemd-analyze is installed, it has to know the expression. */
int schedule_check(const struct config *cfg, struct lxmgr_err *err);
/* The drop-in of the container's timer, to be freed; NULL: no memory. */
char *schedule_timer(const struct config *cfg);

#endif
