/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/config.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

static int read_text(struct config *c, const char *text, struct lxmgr_err *err)
{
	memset(err, 0, sizeof(*err));
	config_init(c);
	return config_read_text(c, text, strlen(text), "web/config", err);
}

/* What is printed is read as the same again, for values of every key. */
static const char *const lines[] = {
	"lxmgr.arch = x86_64",
	"lxmgr.uts.name = web",
	"lxmgr.signal.halt = SIGRTMIN+3",
	"lxmgr.init.cmd = /sbin/init --x",
	"lxmgr.init.uid = 7",
	"lxmgr.ephemeral = 1",
	"lxmgr.proc.oom_score_adj = 10",
	"lxmgr.prlimit.nofile = 1024:unlimited",
	"lxmgr.sysctl.net.ipv4.ip_forward = 1",
	"lxmgr.time.offset.boot = -3600000000000ns",
	"lxmgr.tty.max = 4",
	"lxmgr.console.logfile = /tmp/x",
	"lxmgr.mount.entry = /a\\040b c none bind,ro,optional,create=dir",
	"lxmgr.mount.auto = proc:rw sys:ro cgroup:ro",
	"lxmgr.rootfs.path = dir:/srv/x",
	"lxmgr.rootfs.options = idmap=container",
	"lxmgr.rootfs.managed = 0",
	"lxmgr.limit.memory = 1073741824",
	"lxmgr.limit.cpus = 1.500",
	"lxmgr.limit.pids = max",
	"lxmgr.cgroup2.cgroup.max.depth = 5",
	"lxmgr.cgroup2.devices.allow = c 1:3 rw",
	"lxmgr.cap.drop = sys_time",
	"lxmgr.namespace.share.net = other",
	"lxmgr.idmap = u 0 100000 65536",
	"lxmgr.seccomp.profile = none",
	"lxmgr.hook.pre-start = /bin/true a",
	"lxmgr.environment = A=b c",
	"lxmgr.group = a",
	"lxmgr.stop.timeout = 5000ms",
	"lxmgr.net.3.type = veth",
	"lxmgr.net.3.ipv4.address = 10.0.0.2/24",
	"lxmgr.net.3.ipv4.gateway = 10.0.0.1",
	"lxmgr.net.3.veth.mode = router",
	"lxmgr.net.3.hwaddr = 00:16:3e:00:00:01",
};

static void test_round_trip(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		static struct config c;
		cleanup_free char *text = NULL;
		struct lxmgr_err err;

		if (read_text(&c, lines[i], &err) < 0)
			fail_msg("%s: %s", lines[i], err.text);
		assert_int_equal(config_print(&c, &text, &err), 0);
		if (!strstr(text, lines[i]))
			fail_msg("'%s' is printed as '%s'", lines[i], text);
		config_free(&c);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "lxmgr.uts.name = a\nlxmgr.nosuch = 1",
		  "web/config:2: key 'lxmgr.nosuch': unknown" },
		{ "lxmgr.limit.memroy = 1", "did you mean 'lxmgr.limit.memory'" },
		{ "lxmgr.limit.memory = 17179869184G", "too large" },
		{ "lxmgr.uts.name = a\nlxmgr.uts.name = b", "set before, in line 1" },
		{ "nonsense", "web/config:1: 'nonsense' is not 'key = value'" },
		{ "foo.bar = 1", "neither lxmgr. nor lxc." },
		{ "lxmgr.idmap = u 0 4294967295 2", "beyond" },
		{ "lxmgr.sysctl.kernel.panic = 1", "whole host" },
		{ "lxmgr.proc.mem = 1", "none of oom_score_adj" },
		{ "lxmgr.net.0.hwaddr = 01:00:00:00:00:00", "multicast" },
		{ "lxmgr.mount.entry = /a ../b none bind", "'..'" },
		{ "lxmgr.mount.auto = shmounts:/a", "not supported" },
		{ "lxmgr.seccomp.notify.proxy = unix:/x", "not supported" },
		{ "lxmgr.include = /nosuch/file", "/nosuch/file" },
		{ "lxmgr.tty.max = -1", "no number" },
		{ "lxmgr.uts.name = \xff", "UTF-8" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct config c;
		struct lxmgr_err err;

		assert_true(read_text(&c, cases[i].text, &err) < 0);
		if (!strstr(err.text, cases[i].error))
			fail_msg("'%s': '%s' lacks '%s'", cases[i].text, err.text, cases[i].error);
		config_free(&c);
	}
}

static void test_checks(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "lxmgr.cap.drop = chown\nlxmgr.cap.keep = kill", "cannot be used together" },
		{ "lxmgr.idmap = u 0 100000 10\nlxmgr.idmap = u 5 200000 10\nlxmgr.idmap = g 0 1 1",
		  "overlap inside" },
		{ "lxmgr.idmap = u 0 100000 10", "users but no groups" },
		{ "lxmgr.idmap = b 1 100000 10", "leave out id 0" },
		{ "lxmgr.net.0.type = veth\nlxmgr.net.0.ipv4.address = 10.0.0.2/24\n"
		  "lxmgr.net.0.ipv4.gateway = 10.1.0.1",
		  "none of the interface's networks (lxmgr.net.0.ipv4.gateway, web/config:3)" },
		{ "lxmgr.version = 2", "newer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct config c;
		struct lxmgr_err err;

		assert_int_equal(read_text(&c, cases[i].text, &err), 0);
		assert_true(config_check(&c, "web", &err) < 0);
		if (!strstr(err.text, cases[i].error))
			fail_msg("'%s': '%s' lacks '%s'", cases[i].text, err.text, cases[i].error);
		config_free(&c);
	}
}

static void test_edit(void **state)
{
	cleanup_free char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	assert_int_equal(config_edit("# x\nlxc.uts.name = a\n", "lxmgr.uts.name", "b", &a, NULL),
			 0);
	assert_string_equal(a, "# x\nlxmgr.uts.name = b\n");
	assert_int_equal(config_edit("lxmgr.group = a\n", "group", "b", &b, NULL), 0);
	assert_string_equal(b, "lxmgr.group = a\nlxmgr.group = b\n");
	assert_int_equal(config_edit(b, "lxmgr.group", NULL, &c, NULL), 0);
	assert_string_equal(c, "");
	assert_true(config_edit("", "lxmgr.uts.name", "a\nlxmgr.hook.start = /x", &d, NULL) < 0);
}

static void test_lists(void **state)
{
	static struct config c;
	cleanup_free char *value = NULL;
	struct lxmgr_err err;

	assert_int_equal(
		read_text(&c, "lxc.cap.drop = a b\nlxc.cap.drop =\nlxc.cap.drop = c", &err), 0);
	assert_int_equal(config_get(&c, "lxmgr.cap.drop", &value, &err), 0);
	assert_string_equal(value, "c");
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_checks),	   cmocka_unit_test(test_edit),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
