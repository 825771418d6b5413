/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/keep.h"

#define DAY 86400

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int ret;
		struct keep keep;
	} cases[] = {
		{ "7d,4w,6m", 0, { { [KEEP_DAY] = 7, [KEEP_WEEK] = 4, [KEEP_MONTH] = 6 } } },
		{ "3", 0, { { [KEEP_LAST] = 3 } } },
		{ "24h, 1y", 0, { { [KEEP_HOUR] = 24, [KEEP_YEAR] = 1 } } },
		{ "", -EINVAL, { { 0 } } },
		{ "d", -EINVAL, { { 0 } } },
		{ "7x", -EINVAL, { { 0 } } },
		{ "7d,8d", -EINVAL, { { 0 } } },
		{ "-7d", -EINVAL, { { 0 } } },
		{ "0d", -ERANGE, { { 0 } } },
		{ "10001d", -ERANGE, { { 0 } } },
	};
	struct keep k;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(keep_parse(cases[i].text, &k), cases[i].ret);
		if (cases[i].ret == 0)
			assert_memory_equal(&k, &cases[i].keep, sizeof(k));
	}
}

static void choose(const char *policy, const uint64_t *times, size_t n, const char *want)
{
	struct keep k;
	bool kept[64];
	char got[65];

	assert_int_equal(keep_parse(policy, &k), 0);
	keep_choose(&k, times, n, kept);
	for (size_t i = 0; i < n; i++)
		got[i] = kept[i] ? 'x' : '.';
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void test_choose(void **state)
{
	/* Noon of Monday 2024-01-01. */
	const uint64_t noon = 1704110400;
	uint64_t t[14], twice[6];

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < 14; i++)
		t[i] = noon + i * DAY;
	choose("3", t, 14, "...........xxx");
	choose("3d", t, 14, "...........xxx");
	choose("2w", t, 14, "......x......x");
	choose("2d,2w,5m", t, 14, "......x.....xx");
	/* The last of a day is the one of it. */
	for (size_t i = 0; i < 6; i++)
		twice[i] = noon + i / 2 * DAY + i % 2 * 3600;
	choose("2d", twice, 6, "...x.x");
	choose("3h", twice, 6, "...xxx");
	/* A day without one does not count. */
	t[1] = noon + 100 * DAY;
	choose("2d", t, 2, "xx");
	choose("1y", t, 2, ".x");
	choose("1d", t, 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
