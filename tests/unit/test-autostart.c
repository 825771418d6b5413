/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "container/health.h"
#include "container/schedule.h"
#include "container/units.h"
#include "util/cleanup.h"
#include "util/err.h"

static struct config cfg;

static void read_config(const char *text)
{
	struct lxmgr_err err = { 0 };

	config_init(&cfg);
	if (config_read_text(&cfg, text, strlen(text), "web/config", &err) < 0)
		fail_msg("%s", err.text);
}

static void test_levels(void **state)
{
	/* In the order of their start. */
	static const char *const order[] = { "onboot:7", "onboot:0",   "100", "50",
					     "50:a",	 "50:b.c-d_e", "0",   "0:z" };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct auto_level l, before;
		char buf[128];

		assert_int_equal(unit_level_parse(order[i], &l), 0);
		unit_level_print(&l, buf, sizeof(buf));
		assert_string_equal(buf, order[i]);
		assert_int_equal(auto_level_cmp(&l, &l), 0);
		if (!i)
			continue;
		assert_int_equal(unit_level_parse(order[i - 1], &before), 0);
		assert_true(auto_level_cmp(&before, &l) < 0);
		assert_true(auto_level_cmp(&l, &before) > 0);
	}
}

static void test_bad_levels(void **state)
{
	static const char *const bad[] = { "",	  "x",	"onboot", "onboot:",   "7:",
					   "7:/", "-1", "1e3",	  "4294967296" };
	struct auto_level l;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (unit_level_parse(bad[i], &l) == 0)
			fail_msg("'%s' is taken for a level", bad[i]);
}

static void test_groups(void **state)
{
	static const char *const two[] = { "b", "", NULL };

	read_config("lxmgr.group = a b");
	assert_int_equal(auto_group_rank(&cfg, NULL), -1);
	assert_int_equal(auto_group_rank(&cfg, two), 0);
	assert_int_equal(auto_group_rank(&cfg, auto_boot_groups), -1);
	config_free(&cfg);
	read_config("lxmgr.group = onboot");
	assert_int_equal(auto_group_rank(&cfg, auto_boot_groups), 0);
	config_free(&cfg);
	read_config("");
	assert_int_equal(auto_group_rank(&cfg, NULL), 0);
	assert_int_equal(auto_group_rank(&cfg, two), 1);
	config_free(&cfg);
}

static void has(const char *text, const char *line)
{
	if (!text || !strstr(text, line))
		fail_msg("no '%s' in:\n%s", line, text ? text : "(none)");
}

static void lacks(const char *text, const char *line)
{
	if (text && strstr(text, line))
		fail_msg("'%s' in:\n%s", line, text);
}

static void test_units(void **state)
{
	struct unit_texts t;

	read_config("lxmgr.description = nothing that systemd has to know");
	assert_int_equal(unit_texts_make("web", &cfg, &t), 0);
	assert_null(t.service);
	assert_null(t.delay);
	assert_null(t.timer);
	assert_false(t.enabled);
	config_free(&cfg);

	read_config("lxmgr.start.auto = 1\nlxmgr.start.order = 20\nlxmgr.start.delay = 5\n"
		    "lxmgr.start.restart = always\nlxmgr.health.cmd = true\n"
		    "lxmgr.health.interval = 1m");
	assert_int_equal(unit_texts_make("web", &cfg, &t), 0);
	assert_true(t.enabled);
	has(t.service, UNIT_ENABLED);
	has(t.service, "\nAfter=lxmgr-turn@20:web.target\n");
	has(t.service, "\nBefore=lxmgr-done@20:web.target\n");
	has(t.service, "\nWants=lxmgr-delay@web.service\n");
	has(t.service, "\nWants=lxmgr-health@web.timer\n");
	has(t.service, "\nRestart=always\n");
	has(t.delay, "\nBefore=lxmgr-done@20:web.target\n");
	has(t.delay, "\nEnvironment=DELAY=5\n");
	has(t.timer, "\nOnUnitActiveSec=60000ms\n");
	unit_texts_free(&t);
	config_free(&cfg);

	/* Nobody waits by order for one that waits for another by name: it could be the other. */
	read_config("lxmgr.start.auto = 1\nlxmgr.start.after = db mail");
	assert_int_equal(unit_texts_make("web", &cfg, &t), 0);
	has(t.service, "\nAfter=lxmgr-turn@0.target\n");
	has(t.service, "\nWants=lxmgr@db.service\nAfter=lxmgr@db.service ");
	has(t.service, "\nWants=lxmgr@mail.service\n");
	lacks(t.service, "lxmgr-done@0");
	lacks(t.service, "Restart=");
	unit_texts_free(&t);
	config_free(&cfg);
}

static void test_snapshot_timer(void **state)
{
	struct unit_texts t;

	read_config("lxmgr.snapshot.keep = 7d");
	assert_int_equal(unit_texts_make("web", &cfg, &t), 0);
	assert_null(t.snapshots);
	unit_texts_free(&t);
	config_free(&cfg);

	/* Neither enabled nor in need of anything else of systemd. */
	read_config("lxmgr.snapshot.schedule = daily");
	assert_int_equal(unit_texts_make("web", &cfg, &t), 0);
	assert_null(t.service);
	assert_false(t.enabled);
	has(t.snapshots, "\n[Timer]\nOnCalendar=\nOnCalendar=daily\n");
	has(t.snapshots, "\nRandomizedDelaySec=3600\n");
	unit_texts_free(&t);
	config_free(&cfg);

	/* An expression means just what it says. */
	read_config("lxmgr.snapshot.schedule = Mon..Fri *-*-* 02:30:00");
	assert_int_equal(unit_texts_make("web", &cfg, &t), 0);
	has(t.snapshots, "\nOnCalendar=Mon..Fri *-*-* 02:30:00\n");
	lacks(t.snapshots, "RandomizedDelaySec");
	unit_texts_free(&t);
	config_free(&cfg);

	assert_true(schedule_is_valid("*:0/15"));
	assert_false(schedule_is_valid(""));
	assert_false(schedule_is_valid("-daily"));
	assert_false(schedule_is_valid("daily\nExecStart=x"));
	assert_false(schedule_is_valid("daily %n"));
	assert_false(schedule_is_valid("$(x)"));
}

static void test_health(void **state)
{
	struct health h;
	uint64_t start;
	pid_t init;

	health_parse("init 42 1000\nhealthy 0\nfailures 3\nchecked 1700000000\n"
		     "result exit status 1\noutput a \x1b[31mb\nnonsense\n",
		     &h, &init, &start);
	assert_int_equal(init, 42);
	assert_int_equal(start, 1000);
	assert_false(h.healthy);
	assert_int_equal(h.failures, 3);
	assert_int_equal(h.checked, 1700000000);
	assert_string_equal(h.result, "exit status 1");
	assert_string_equal(h.output, "a \\x1b[31mb");
	health_parse("", &h, &init, &start);
	assert_true(h.healthy);
	assert_int_equal(init, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),	       cmocka_unit_test(test_bad_levels),
		cmocka_unit_test(test_groups),	       cmocka_unit_test(test_units),
		cmocka_unit_test(test_snapshot_timer), cmocka_unit_test(test_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
