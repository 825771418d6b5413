/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long snapshots and backups are kept: "7d,4w,6m". */
#ifndef LXMGR_UTIL_KEEP_H
#define LXMGR_UTIL_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum keep_period { KEEP_LAST, KEEP_HOUR, KEEP_DAY, KEEP_WEEK, KEEP_MONTH, KEEP_YEAR, KEEP_PERIODS };

/* For each period how many of them have one that is kept: the last of each of the `count` most
 * recent ones in which there is any. KEEP_LAST counts single ones. */
struct keep {
	uint32_t count[KEEP_PERIODS];
};

/* "3,24h,7d,4w,6m,2y", each at most once; a number alone is KEEP_LAST. -EINVAL; -ERANGE: above
 * 10000, or nothing would be kept. */
int keep_parse(const char *text, struct keep *ret);
/* times are seconds since the epoch, the oldest first; periods are those of the local time, a week
 * begins on Monday. Sets ret[i] for each. */
void keep_choose(const struct keep *k, const uint64_t *times, size_t n, bool *ret);

#endif
