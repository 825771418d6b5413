/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink.h"
#include "util/cleanup.h"
#include "util/err.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		int family;
		const char *printed;
	} cases[] = {
		{ "10.0.0.2/24", 0, "10.0.0.2/24" },
		{ "10.0.0.2/24", AF_INET, "10.0.0.2/24" },
		{ "10.0.0.2", AF_INET, "10.0.0.2/32" },
		{ "10.0.0.2/24 10.0.0.255", 0, "10.0.0.2/24" },
		{ "0.0.0.0/0", 0, "0.0.0.0/0" },
		{ "fd00::2/64", 0, "fd00::2/64" },
		{ "FD00:0::2", AF_INET6, "fd00::2/128" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", 0,
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[INET6_ADDRSTRLEN + 4];
		struct net_addr a;
		struct lxmgr_err err;

		assert_int_equal(net_addr_parse(cases[i].text, cases[i].family, &a, &err), 0);
		assert_string_equal(net_addr_print(&a, false, buf), cases[i].printed);
		*strchr(buf, '/') = '\0';
		{
			char bare[INET6_ADDRSTRLEN + 4];

			assert_string_equal(net_addr_print(&a, true, bare), buf);
		}
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int family;
	} cases[] = {
		{ "", 0 },
		{ " 10.0.0.2/24", 0 },
		{ "10.0.0.2", 0 },
		{ "10.0.0.2/33", 0 },
		{ "10.0.0.2/", 0 },
		{ "10.0.0.2/-1", 0 },
		{ "10.0.0.2/4294967320", 0 },
		{ "10.0.0/24", 0 },
		{ "010.0.0.1/24", 0 },
		{ "10.0.0.256/24", 0 },
		{ "10.0.0.2/24 10.0.0", 0 },
		{ "10.0.0.2/24\n", 0 },
		{ "fd00::2/129", 0 },
		{ "fd00::2/64 10.0.0.1", 0 },
		{ "fe80::1%eth0/64", 0 },
		{ "fd00::2/64", AF_INET },
		{ "10.0.0.2/24", AF_INET6 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_addr a = { .family = 77 };
		struct lxmgr_err err = { 0 };

		assert_int_equal(net_addr_parse(cases[i].text, cases[i].family, &a, &err), -EINVAL);
		assert_int_equal(a.family, 77);
		assert_true(err.text[0]);
	}
}

static struct net_addr parse(const char *text)
{
	struct net_addr a = { 0 };

	assert_int_equal(net_addr_parse(text, 0, &a, NULL), 0);
	return a;
}

static void test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal, same, contains;
	} cases[] = {
		{ "10.0.0.2/24", "10.0.0.2/24", true, true, true },
		{ "10.0.0.2/24", "10.0.0.2/32", false, true, true },
		{ "10.0.0.2/32", "10.0.0.2/24", false, true, false },
		{ "10.0.0.2/24", "10.0.1.2/24", false, false, false },
		{ "10.0.16.0/20", "10.0.31.255/32", false, false, true },
		{ "10.0.16.0/20", "10.0.32.0/32", false, false, false },
		{ "0.0.0.0/0", "192.0.2.1/32", false, false, true },
		{ "::/0", "192.0.2.1/32", false, false, false },
		{ "fd00::/64", "fd00::1/128", false, false, true },
		{ "fd00::/65", "fd00:0:0:0:8000::/128", false, false, false },
		{ "10.0.0.2/24", "10.0.0.2/24 10.0.0.9", false, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_addr a = parse(cases[i].a), b = parse(cases[i].b);

		assert_int_equal(net_addr_equal(&a, &b), cases[i].equal);
		assert_int_equal(net_addr_same_host(&a, &b), cases[i].same);
		assert_int_equal(net_addr_contains(&a, &b), cases[i].contains);
	}
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"00:16:3e",
		"00:16:3e:00:00:0g",
		"00-16-3e-00-00-01",
		"00:16:3e:00:00:001",
		"01:16:3e:00:00:01",
		"00:00:00:00:00:00",
		"00:16:3e:00:00:0",
		"x1:00:00:00:00:00",
	};
	uint8_t a[6], b[6];
	char buf[18];

	assert_int_equal(mac_parse("00:16:3E:00:af:01", a, NULL), 0);
	assert_string_equal(mac_print(a, buf), "00:16:3e:00:af:01");
	assert_int_equal(mac_parse("00:16:3e:xx:xX:x5", a, NULL), 0);
	assert_int_equal(mac_parse("00:16:3e:xx:xX:x5", b, NULL), 0);
	assert_memory_equal(a, "\x00\x16\x3e", 3);
	assert_int_equal(a[5] & 15, 5);
	assert_memory_not_equal(a + 3, b + 3, 3);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mac_parse("xx:xx:xx:xx:xx:xx", a, NULL), 0);
		assert_false(a[0] & 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct lxmgr_err err = { 0 };

		assert_int_equal(mac_parse(bad[i], a, &err), -EINVAL);
		assert_true(err.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
