/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of CPUs as cpuset(7) writes them: "0-3,8". */
#ifndef LXMGR_KERNEL_CPULIST_H
#define LXMGR_KERNEL_CPULIST_H

#include <stdbool.h>
#include <stdint.h>

#define CPULIST_MAX 8192 /* CONFIG_NR_CPUS of the largest kernels */

struct cpulist {
	uint64_t bits[CPULIST_MAX / 64];
};

/* 0, or -EINVAL: empty, no such list, a range that goes backwards, a number from CPULIST_MAX on. */
int cpulist_parse(const char *text, struct cpulist *ret);
bool cpulist_equal(const struct cpulist *a, const struct cpulist *b);
/* All of a is in b. */
bool cpulist_within(const struct cpulist *a, const struct cpulist *b);

#endif
