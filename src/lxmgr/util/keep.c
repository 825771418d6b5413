/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/keep.h"
#include "util/parse.h"
#include "util/str.h"

#define LIMIT 10000

static const char letters[KEEP_PERIODS] = { '\0', 'h', 'd', 'w', 'm', 'y' };

static int parse_one(char *word, struct keep *k)
{
	size_t n = strlen(word);
	uint32_t count;
	int p = KEEP_LAST;

	if (n && (word[n - 1] < '0' || word[n - 1] > '9')) {
		for (p = KEEP_HOUR; p < KEEP_PERIODS && letters[p] != word[n - 1]; p++)
			;
		if (p == KEEP_PERIODS)
			return -EINVAL;
		word[n - 1] = '\0';
	}
	if (parse_u32(word, &count) < 0 || k->count[p])
		return -EINVAL;
	if (count == 0 || count > LIMIT)
		return -ERANGE;
	k->count[p] = count;
	return 0;
}

int keep_parse(const char *text, struct keep *ret)
{
	struct strlist words __attribute__((cleanup(strlist_free))) = { 0 };
	int r = strlist_split(&words, text, ", ");

	memset(ret, 0, sizeof(*ret));
	if (r == 0 && words.n == 0)
		r = -EINVAL;
	for (size_t i = 0; r == 0 && i < words.n; i++)
		r = parse_one(words.v[i], ret);
	return r;
}

/* A number that is the same for all times in one period, and another in the next. */
static long long number_of(enum keep_period p, uint64_t when, size_t i)
{
	time_t t = (time_t)when;
	struct tm tm;
	long long day;

	if (p == KEEP_LAST || !localtime_r(&t, &tm))
		return (long long)i;
	switch (p) {
	case KEEP_YEAR:
		return tm.tm_year;
	case KEEP_MONTH:
		return tm.tm_year * 12LL + tm.tm_mon;
	default:
		break;
	}
	/* Days since some Monday: the day as if there were no change of the clocks. */
	tm.tm_isdst = 0;
	day = (long long)(timegm(&(struct tm){ .tm_year = tm.tm_year,
					       .tm_mon = tm.tm_mon,
					       .tm_mday = tm.tm_mday }) /
			  86400);
	if (p == KEEP_HOUR)
		return day * 24 + tm.tm_hour;
	/* 1970-01-01 was a Thursday. */
	return p == KEEP_DAY ? day : (day + 3) / 7;
}

void keep_choose(const struct keep *k, const uint64_t *times, size_t n, bool *ret)
{
	memset(ret, 0, n * sizeof(*ret));
	for (int p = 0; p < KEEP_PERIODS; p++) {
		uint32_t left = k->count[p];
		long long last = 0;
		bool any = false;

		for (size_t i = n; i > 0 && left; i--) {
			long long number = number_of((enum keep_period)p, times[i - 1], i);

			if (any && number == last)
				continue;
			ret[i - 1] = true;
			last = number;
			any = true;
			left--;
		}
	}
}
