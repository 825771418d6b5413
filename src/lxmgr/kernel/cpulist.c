/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cpulist.h"

static int number(const char **p, unsigned long *ret)
{
	char *end;

	/* No sign, no blank. */
	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	*ret = strtoul(*p, &end, 10);
	*p = end;
	return *ret < CPULIST_MAX ? 0 : -EINVAL;
}

int cpulist_parse(const char *text, struct cpulist *ret)
{
	const char *p = text;
	unsigned long first, last;

	memset(ret, 0, sizeof(*ret));
	for (;;) {
		if (number(&p, &first) < 0)
			return -EINVAL;
		last = first;
		if (*p == '-' && (p++, number(&p, &last) < 0 || last < first))
			return -EINVAL;
		for (; first <= last; first++)
			ret->bits[first / 64] |= 1ULL << (first % 64);
		if (!*p)
			return 0;
		if (*p++ != ',')
			return -EINVAL;
	}
}

bool cpulist_equal(const struct cpulist *a, const struct cpulist *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool cpulist_within(const struct cpulist *a, const struct cpulist *b)
{
	for (int i = 0; i < CPULIST_MAX / 64; i++)
		if (a->bits[i] & ~b->bits[i])
			return false;
	return true;
}
