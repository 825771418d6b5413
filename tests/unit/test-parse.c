/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/parse.h"

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "512B", 0, 512 },
		{ "1K", 0, 1024 },
		{ "1.5G", 0, 1610612736 },
		{ "2GiB", 0, 2147483648 },
		{ "2gb", 0, 2147483648 },
		{ "15E", 0, 15ULL << 60 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "17179869184G", -ERANGE, 0 },
		{ "16E", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1.G", -EINVAL, 0 },
		{ "1X", -EINVAL, 0 },
		{ "1GG", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;

		assert_int_equal(parse_size(cases[i].text, &v), cases[i].ret);
		assert_true(v == (cases[i].ret ? 77 : cases[i].value));
	}
}

static void test_thousandths(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },		 { "1", 0, 1000 },	   { "0.5", 0, 500 },
		{ "2.25", 0, 2250 },	 { "1.001", 0, 1001 },	   { "8192.999", 0, 8192999 },
		{ "8193", -EINVAL, 0 },	 { "1.0001", -EINVAL, 0 }, { "1.", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },	 { "", -EINVAL, 0 },	   { "-1", -EINVAL, 0 },
		{ "1.5x", -EINVAL, 0 },	 { "1.-5", -EINVAL, 0 },   { "1 ", -EINVAL, 0 },
		{ "1.2.3", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;

		assert_int_equal(parse_milli(cases[i].text, 8192, &v), cases[i].ret);
		assert_true(v == (cases[i].ret ? 77 : cases[i].value));
	}
}

static void test_durations(void **state)
{
	uint64_t v = 0;

	assert_int_equal(parse_duration("60", &v), 0);
	assert_true(v == 60000);
	assert_int_equal(parse_duration("250ms", &v), 0);
	assert_true(v == 250);
	assert_int_equal(parse_duration("2h", &v), 0);
	assert_true(v == 7200000);
	assert_int_equal(parse_duration("1w", &v), -EINVAL);
	assert_int_equal(parse_duration("18446744073709551615d", &v), -ERANGE);
}

static void test_integers(void **state)
{
	uint32_t u = 5;
	int64_t i = 0;

	assert_int_equal(parse_u32("4294967295", &u), 0);
	assert_int_equal(u, UINT32_MAX);
	assert_int_equal(parse_u32("4294967296", &u), -ERANGE);
	assert_int_equal(parse_u32("+1", &u), -EINVAL);
	assert_int_equal(parse_i64("-9223372036854775808", &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(parse_i64("9223372036854775808", &i), -ERANGE);
	assert_int_equal(parse_octal("0755", &u), 0);
	assert_int_equal(u, 0755);
	assert_int_equal(parse_octal("10000", &u), -ERANGE);
	assert_int_equal(parse_octal("8", &u), -EINVAL);
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *host;
	} names[] = {
		{ "web", "web" },   { "web_2", "web-2" }, { "a_", "a" },     { "a-", "a" },
		{ "a..b", "a.b" },  { "a_.b", "a.b" },	  { "a._b", "a.b" }, { "a.-.b", "a.b" },
		{ "a--b", "a--b" }, { "1._", "1" },	  { "a-_..", "a" },
	};

	char long_name[65];

	memset(long_name, 'a', 64);
	long_name[64] = '\0';
	assert_false(name_is_valid(long_name));
	long_name[63] = '\0';
	assert_true(name_is_valid(long_name));
	assert_true(name_is_valid("web-1.example_2"));
	assert_false(name_is_valid(""));
	assert_false(name_is_valid(".web"));
	assert_false(name_is_valid("-web"));
	assert_false(name_is_valid("a/b"));
	assert_false(name_is_valid("a b"));
	assert_false(name_is_valid("a\nb"));
	assert_false(name_is_valid("w\303\251b"));
	assert_true(ifname_is_valid("eth0"));
	assert_false(ifname_is_valid("eth0123456789abc"));
	assert_false(ifname_is_valid("a/b"));
	assert_false(ifname_is_valid(".."));
	assert_true(hostname_is_valid("web.example.org"));
	assert_false(hostname_is_valid("web..org"));
	assert_false(hostname_is_valid("-web"));
	assert_false(hostname_is_valid("web-"));
	assert_false(hostname_is_valid("we_b"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char host[HOSTNAME_SIZE];

		assert_string_equal(hostname_from_name(names[i].name, host), names[i].host);
		assert_true(hostname_is_valid(host));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),	  cmocka_unit_test(test_thousandths),
		cmocka_unit_test(test_durations), cmocka_unit_test(test_integers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
