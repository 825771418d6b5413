/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/setup.h"
#include "util/cleanup.h"
#include "util/err.h"

static void test_names(void **state)
{
	assert_true(setup_zone_is_valid("Europe/Vienna"));
	assert_true(setup_zone_is_valid("Etc/GMT+1"));
	assert_true(setup_zone_is_valid("America/Argentina/Buenos_Aires"));
	assert_false(setup_zone_is_valid(""));
	assert_false(setup_zone_is_valid("/etc/passwd"));
	assert_false(setup_zone_is_valid("../../etc/passwd"));
	assert_false(setup_zone_is_valid("Europe//Vienna"));
	assert_false(setup_zone_is_valid("Europe/"));
	assert_false(setup_zone_is_valid("a b"));
	assert_true(setup_locale_is_valid("de_DE.UTF-8"));
	assert_true(setup_locale_is_valid("sr_RS@latin"));
	assert_true(setup_locale_is_valid("C"));
	assert_false(setup_locale_is_valid("C\nPATH=x"));
	assert_false(setup_locale_is_valid("$(id)"));
	assert_false(setup_locale_is_valid(""));
	assert_true(setup_user_is_valid("www-data"));
	assert_false(setup_user_is_valid("-x"));
	assert_false(setup_user_is_valid("a:b"));
	assert_false(setup_user_is_valid("a\n"));
}

static void test_routes(void **state)
{
	struct lxmgr_err err = { 0 };
	struct net_addr dest, gateway;
	bool is_default;
	char buf[64];

	assert_int_equal(setup_route_parse("default=10.0.0.1", &is_default, &dest, &gateway, &err),
			 0);
	assert_true(is_default);
	assert_string_equal(net_addr_print(&gateway, true, buf), "10.0.0.1");
	assert_int_equal(setup_route_parse("fd01::/64=fe80::1", &is_default, &dest, &gateway, &err),
			 0);
	assert_false(is_default);
	assert_string_equal(net_addr_print(&dest, false, buf), "fd01::/64");
	assert_true(setup_route_parse("10.0.0.1", &is_default, &dest, &gateway, &err) < 0);
	assert_int_equal(err.status, STATUS_USAGE);
	/* A network of the other family than its gateway, and a gateway with a prefix. */
	assert_true(setup_route_parse("fd01::/64=10.0.0.1", &is_default, &dest, &gateway, &err) <
		    0);
	assert_true(setup_route_parse("default=10.0.0.1/24", &is_default, &dest, &gateway, &err) <
		    0);
	assert_true(setup_route_parse("default=", &is_default, &dest, &gateway, &err) < 0);
}

static void test_zone_rule(void **state)
{
	static const char good[] = "TZif2xxxxx\nCET-1CEST,M3.5.0,M10.5.0/3\n";
	static const char old[] = "TZif\0xxxxx\nCET-1\n";
	static const char bad[] = "TZif2xxxxx\nCET'; reboot\n";
	char rule[64];

	assert_int_equal(setup_zone_rule(good, sizeof(good) - 1, rule, sizeof(rule)), 0);
	assert_string_equal(rule, "CET-1CEST,M3.5.0,M10.5.0/3");
	assert_int_equal(setup_zone_rule(old, sizeof(old) - 1, rule, sizeof(rule)), -EINVAL);
	assert_int_equal(setup_zone_rule(bad, sizeof(bad) - 1, rule, sizeof(rule)), -EINVAL);
	assert_int_equal(setup_zone_rule(good, sizeof(good) - 1, rule, 8), -EINVAL);
	assert_int_equal(setup_zone_rule("TZif2\n", 6, rule, sizeof(rule)), -EINVAL);
	assert_int_equal(setup_zone_rule("", 0, rule, sizeof(rule)), -EINVAL);
}

/* Is "key\0value\0" in the request? */
static bool asks(const struct strbuf *b, const char *key, const char *value)
{
	char want[256];
	size_t n = (size_t)snprintf(want, sizeof(want), "%s%c%s", key, 0, value) + 1;

	return b->len >= n && memmem(b->s, b->len, want, n);
}

static int request(const char *config, const struct lxmgr_setup_opts *o, struct strbuf *b,
		   struct lxmgr_err *err)
{
	struct config *cfg = malloc(sizeof(*cfg));
	int r;

	assert_non_null(cfg);
	config_init(cfg);
	assert_int_equal(config_read_text(cfg, config, strlen(config), "test", err), 0);
	r = setup_request(o, cfg, b, err);
	config_free(cfg);
	free(cfg);
	return r;
}

#define OWN_NET "lxmgr.net.0.type = macvlan\nlxmgr.net.0.link = x0\n"

static void test_request(void **state)
{
	const char *const addresses[] = { "10.0.0.2/24", "fd00::2/64", NULL };
	const char *const routes[] = { "default=10.0.0.1", "10.9.0.0/16=192.168.1.1", NULL };
	const char *const servers[] = { "9.9.9.9", NULL }, *const hosts[] = { "10.0.0.3  db  d",
									      NULL };
	const struct lxmgr_setup_opts o = { .hostname = "web",
					    .addresses = addresses,
					    .routes = routes,
					    .nameservers = servers,
					    .hosts = hosts };
	cleanup_strbuf struct strbuf b = { 0 };
	struct lxmgr_err err = { 0 };

	assert_int_equal(request(OWN_NET, &o, &b, &err), 0);
	assert_true(asks(&b, "hostname", "web"));
	assert_true(asks(&b, "interface", "eth0"));
	assert_true(asks(&b, "address", "4 10.0.0.2/24"));
	assert_true(asks(&b, "address", "6 fd00::2/64"));
	assert_true(asks(&b, "route", "4 default 10.0.0.1"));
	assert_true(asks(&b, "route", "4 10.9.0.0/16 192.168.1.1 onlink"));
	assert_true(asks(&b, "nameserver", "9.9.9.9"));
	assert_true(asks(&b, "hosts", "10.0.0.3\tdb d"));
}

static void refused(const char *config, const struct lxmgr_setup_opts *o, int status)
{
	cleanup_strbuf struct strbuf b = { 0 };
	struct lxmgr_err err = { 0 };

	assert_true(request(config, o, &b, &err) < 0);
	assert_int_equal(err.status, status);
	assert_true(*err.text != '\0');
}

static void test_refused(void **state)
{
	const char *const address[] = { "10.0.0.2/24", NULL }, *const bare[] = { "10.0.0.2", NULL };
	const char *const route[] = { "default=10.0.0.1", NULL };
	const char *const evil[] = { "10.0.0.3 db\nlxmgr", NULL }, *const marked[] = { "::1 a #",
										       NULL };
	const char *const name[] = { "a.example.org", NULL }, *const host[] = { "nobody", NULL };

	refused(OWN_NET "lxmgr.net.0.ipv4.address = 10.0.0.9/24\n",
		&(struct lxmgr_setup_opts){ .addresses = address }, STATUS_REFUSED);
	refused("lxmgr.net.0.type = none\n", &(struct lxmgr_setup_opts){ .addresses = address },
		STATUS_REFUSED);
	refused("", &(struct lxmgr_setup_opts){ .addresses = address }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .addresses = address, .interface = "eth7" },
		STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .addresses = bare }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .routes = route }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .hosts = evil }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .hosts = marked }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .hosts = host }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .nameservers = name }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .search = name }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .hostname = "a b" }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .timezone = "../x" }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .locale = "x y" }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .user = "bob" }, STATUS_USAGE);
	refused(OWN_NET, &(struct lxmgr_setup_opts){ .password = "a\nb" }, STATUS_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_routes),
		cmocka_unit_test(test_zone_rule), cmocka_unit_test(test_request),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
