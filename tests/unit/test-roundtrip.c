/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every key of the table: a value is printed and read again as the same, a wrong one is refused by
 * the key's name. A key without a sample fails, so that a new one brings its own. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/config_value.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

/* printed: as it is printed where that differs, the lines of a list after one another. bad: NULL
 * where any text will do. A family's sample names one of its keys. */
static const struct sample {
	const char *key, *good, *bad, *printed;
} samples[] = {
	{ "arch", "i686", "vax" },
	{ "uts.name", "web.example", "-web" },
	{ "signal.halt", "SIGRTMIN+3", "SIGNONE" },
	{ "signal.reboot", "TERM", "SIGRTMIN+99", "SIGTERM" },
	{ "signal.stop", "9", "0", "SIGKILL" },
	{ "init.cmd", "/sbin/init \"a b\" c" },
	{ "init.cwd", "/srv/a b", "srv" },
	{ "init.uid", "4294967294", "4294967296" },
	{ "init.gid", "7", "-1" },
	{ "init.groups", "1,2 3", "1,x", "1\n2\n3" },
	{ "execute.cmd", "/bin/sh -c true" },
	{ "ephemeral", "1", "2" },
	{ "sched.core", "1", "yes please" },
	{ "proc.oom_score_adj", "10", NULL },
	{ "prlimit.nofile", "1024:unlimited", "9:8" },
	{ "sysctl.net.ipv4.ip_forward", "1", NULL },
	{ "time.offset.boot", "-2h", "2y", "-7200000000000ns" },
	{ "time.offset.monotonic", "5ms", "9223372036854775807h", "5000000ns" },
	{ "pty.max", "64", "many" },
	{ "tty.max", "7", "-7" },
	{ "tty.dir", "lxc" },
	{ "console.path", "none" },
	{ "console.logfile", "/var/log/a b", "log" },
	{ "console.size", "auto", "1X", "131072" },
	{ "console.rotate", "1", "x" },
	{ "console.buffer.size", "2M", "-1", "2097152" },
	{ "autodev", "0", "no way" },
	{ "autodev.tmpfs.size", "1M", "1.5.2", "1048576" },
	{ "mount.fstab", "/etc/fstab.web", "fstab" },
	{ "mount.entry", "/a\\040b c\\011d none bind,ro,optional,create=dir 0 0",
	  "/a ../b none bind", "/a\\040b c\\011d none bind,ro,optional,create=dir" },
	{ "mount.entry", "/a b none bind,delta,create=dir", "/a b none rbind,delta",
	  "/a b none bind,delta,create=dir" },
	{ "mount.auto", "proc:rw sys:ro", "moon", "proc:rw sys:ro cgroup:mixed" },
	{ "rootfs.path", "dir:/srv/a b", "srv" },
	{ "rootfs.mount", "/mnt", "mnt" },
	{ "rootfs.options", "ro,idmap=container", "idmap=other" },
	{ "rootfs.managed", "0", "maybe" },
	{ "limit.memory", "1G", "17179869184G", "1073741824" },
	{ "limit.swap", "max", "-1" },
	{ "limit.cpus", "1.5", "0", "1.500" },
	{ "limit.cpu.burst", "0.25", "max", "0.250" },
	{ "limit.cpuset", "0-3,8", "3-0" },
	{ "limit.cpu.weight", "10000", "10001" },
	{ "limit.pids", "1", "0" },
	{ "limit.io.read", "50M", "0", "52428800" },
	{ "limit.io.write", "max", "-1" },
	{ "limit.iops.read", "1k", "0", "1024" },
	{ "limit.iops.write", "500", "many" },
	{ "limit.io.weight", "1", "0" },
	{ "limit.disk", "10G", "0", "10737418240" },
	{ "limit.inodes", "200k", "-1", "204800" },
	{ "snapshot.schedule", "daily", "(daily)" },
	{ "snapshot.keep", "7d,4w", "7x" },
	{ "cgroup.dir", "a/b" },
	{ "cgroup.dir.container", "a/c" },
	{ "cgroup.dir.container.inner", "in" },
	{ "cgroup.dir.monitor", NULL, "a" },
	{ "cgroup.dir.monitor.pivot", NULL, "a" },
	{ "cgroup.relative", "1", "3" },
	{ "cgroup.memory.limit_in_bytes", "1 2", NULL },
	{ "cgroup2.memory.high", "100 200", NULL },
	{ "cap.drop", "sys_time mknod", NULL, "sys_time\nmknod" },
	{ "cap.keep", "chown", NULL },
	{ "namespace.clone", "uts net", "net moon" },
	{ "namespace.keep", "ipc", "moon" },
	{ "namespace.share.net", "other", NULL },
	{ "idmap", "u 0 100000 65536", "u 0 4294967290 65536" },
	{ "apparmor.profile", "unconfined" },
	{ "apparmor.allow_incomplete", "1", "x" },
	{ "apparmor.allow_nesting", "1", "x" },
	{ "apparmor.raw", "deny /x r,", "deny /x r, }" },
	{ "selinux.context", "a_u:b_r:c_t:s0" },
	{ "selinux.context.keyring", "a_u:b_r:c_t:s1" },
	{ "selinux.file", "a_u:b_r:c_t:s0:c1,c2" },
	{ "keyring.session", "0", "x" },
	{ "seccomp.profile", "/etc/p" },
	{ "seccomp.allow_nesting", "1", "x" },
	{ "seccomp.notify.proxy", NULL, "unix:/x" },
	{ "seccomp.notify.cookie", NULL, "x" },
	{ "features", "nesting tun", "moon", "nesting\ntun" },
	{ "no_new_privs", "1", "x" },
	{ "hook.version", "1", "one" },
	{ "hook.pre-start", "/bin/a b  c" },
	{ "hook.pre-mount", "/bin/b" },
	{ "hook.mount", "/bin/c" },
	{ "hook.autodev", "/bin/d" },
	{ "hook.start-host", "/bin/e" },
	{ "hook.start", "/bin/f" },
	{ "hook.stop", "/bin/g" },
	{ "hook.post-stop", "/bin/h" },
	{ "hook.clone", "/bin/i" },
	{ "hook.destroy", "/bin/j" },
	{ "environment", "A=b = c", "=b" },
	{ "environment.runtime", "A=", "=" },
	{ "environment.hooks", "A=#x", "=#x" },
	{ "log.level", "WARN", "LOUD" },
	{ "log.file", "/var/log/x", "x" },
	{ "log.syslog", "daemon" },
	{ "start.auto", "1", "x" },
	{ "start.delay", "5", "soon" },
	{ "start.ready", "init", "soon" },
	{ "lxcfs", "1", "yes" },
	{ "start.order", "100", "1e3" },
	{ "start.after", "db mail-1", "../db", "db\nmail-1" },
	{ "start.restart", "on-failure", "maybe" },
	{ "health.cmd", "curl -fs http://localhost/ | grep -q ok" },
	{ "health.interval", "1m", "often", "60000ms" },
	{ "health.timeout", "5", "5x", "5000ms" },
	{ "health.failures", "2", "x" },
	{ "health.action", "restart", "pray" },
	{ "group", "a b", NULL, "a\nb" },
	{ "monitor.unshare", "1", "x" },
	{ "monitor.signal.pdeath", "SIGTERM", "x" },
	{ "net.3.type", "macvlan", "token-ring" },
	{ "net.3.flags", "up", "down" },
	{ "net.3.link", "br0", "a/b" },
	{ "net.3.name", "eth7", "sixteen-letters-" },
	{ "net.3.hwaddr", "00:16:3e:00:00:ff", "00:16:3e:00:00" },
	{ "net.3.mtu", "1400", "67" },
	{ "net.3.l2proxy", "1", "x" },
	{ "net.3.rate.in", "1.5gbit/64k", "7kbit", "1500mbit/65536" },
	{ "net.3.rate.out", "100mbit", "10mbit/1K" },
	{ "net.3.ipv4.address", "10.0.0.2/20", "10.0.0.2/33" },
	{ "net.3.ipv4.gateway", "auto", "10.0.0.1/24" },
	{ "net.3.ipv6.address", "fd00::2/64", "fd00:::2/64" },
	{ "net.3.ipv6.gateway", "fe80::1", "10.0.0.1" },
	{ "net.3.script.up", "/bin/up" },
	{ "net.3.script.down", "/bin/down x" },
	{ "net.3.antispoof", "0", "x" },
	{ "net.3.veth.pair", "vweb", "" },
	{ "net.3.veth.mode", "router", "hub" },
	{ "net.3.veth.n_rxqueues", "4", "x" },
	{ "net.3.veth.n_txqueues", "4", "-4" },
	{ "net.3.veth.ipv4.route", "10.9.0.0/16", "fd00::/8" },
	{ "net.3.veth.ipv6.route", "fd09::/16", "10.0.0.0/8" },
	{ "net.3.veth.vlan.id", "none", "4095" },
	{ "net.3.veth.vlan.tagged.id", "4094", "0" },
	{ "net.3.vlan.id", "12", "none" },
	{ "net.3.macvlan.mode", "passthru", "open" },
	{ "net.3.ipvlan.mode", "l2", "l4" },
	{ "net.3.ipvlan.isolation", "vepa", "all" },
	{ "version", "1", "one" },
	{ "stop.timeout", "1h", "1y", "3600000ms" },
	{ "description", "= a # b" },
	{ "plan", "small", NULL },
	{ "protect", "1", "maybe" },
	{ "suspended", "1", "maybe" },
	{ "owner", "A. Customer", NULL },
	{ "tag", "shop web", NULL, "shop\nweb" },
	{ "template", "busybox" },
	{ "nameserver", "10.0.0.1 fd00::1", NULL, "10.0.0.1\nfd00::1" },
	{ "checkpoint", "1", "x" },
};

static int read_line(struct config *c, const char *key, const char *value, struct lxmgr_err *err)
{
	cleanup_free char *line = str_printf("lxmgr.%s = %s\n", key, value);

	assert_non_null(line);
	memset(err, 0, sizeof(*err));
	config_init(c);
	return config_read_text(c, line, strlen(line), "web/config", err);
}

/* The sample of a table entry: of a family any of its keys, of an interface that of index 3. */
static const struct sample *sample_of(const struct config_key *k)
{
	const char *suffix;
	long net;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (config_find(samples[i].key, &suffix, &net) == k)
			return &samples[i];
	return NULL;
}

static void test_every_key_has_a_sample(void **state)
{
	assert_true(config_n_keys > 100);
	for (size_t i = 0; i < config_n_keys; i++)
		if (!sample_of(&config_keys[i]))
			fail_msg("no sample for '%s'", config_keys[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const char *suffix;
		long net;

		if (!config_find(samples[i].key, &suffix, &net))
			fail_msg("the sample '%s' is of no key", samples[i].key);
	}
}

static char *get(const struct config *c, const char *key)
{
	char *value = NULL;

	assert_int_equal(config_get(c, key, &value, NULL), 0);
	return value;
}

static void round_trip(const struct sample *s)
{
	static struct config one, two;
	cleanup_free char *text = NULL, *again = NULL, *value = NULL, *value2 = NULL;
	cleanup_free char *line = str_printf("lxmgr.%s = ", s->key);
	struct lxmgr_err err;

	if (read_line(&one, s->key, s->good, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(config_print(&one, &text, &err), 0);
	if (!str_eq(s->key, "version") && !strstr(text, line))
		fail_msg("'%s%s' is printed as '%s'", line, s->good, text);
	config_init(&two);
	memset(&err, 0, sizeof(err));
	if (config_read_text(&two, text, strlen(text), "printed", &err) < 0)
		fail_msg("%s: what was printed is refused: %s", s->key, err.text);
	assert_int_equal(config_print(&two, &again, &err), 0);
	assert_string_equal(text, again);
	value = get(&one, s->key);
	value2 = get(&two, s->key);
	assert_string_equal(value, value2);
	if (!str_eq(value, s->printed ? s->printed : s->good))
		fail_msg("%s = %s is told as '%s'", s->key, s->good, value);
	config_free(&one);
	config_free(&two);
}

static void test_round_trip(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (samples[i].good)
			round_trip(&samples[i]);
}

/* An empty value clears: then nothing of it is printed. */
static void test_clear(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cleanup_free char *line = str_printf("lxmgr.%s =", samples[i].key), *text = NULL;
		static struct config c;
		struct lxmgr_err err;

		if (!samples[i].good)
			continue;
		assert_int_equal(read_line(&c, samples[i].key, samples[i].good, &err), 0);
		assert_int_equal(config_set(&c, samples[i].key, "", &err), 0);
		assert_int_equal(config_print(&c, &text, &err), 0);
		/* The type of an interface is always told. */
		if (!str_eq(samples[i].key, "net.3.type") && strstr(text, line))
			fail_msg("'%s' cleared is still printed: '%s'", samples[i].key, text);
		config_free(&c);
	}
}

static void refuse(const char *key, const char *value)
{
	cleanup_free char *name = str_printf("web/config:1: key 'lxmgr.%s': ", key);
	static struct config c;
	struct lxmgr_err err;

	if (read_line(&c, key, value, &err) == 0)
		fail_msg("lxmgr.%s = %s is taken", key, value);
	if (!str_has_prefix(err.text, name))
		fail_msg("lxmgr.%s = %s: '%s'", key, value, err.text);
	config_free(&c);
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		if (samples[i].bad && *samples[i].bad)
			refuse(samples[i].key, samples[i].bad);
	}
	/* Names within a family. */
	refuse("prlimit.moon", "1");
	refuse("proc.mem", "1");
	refuse("sysctl.kernel.panic", "1");
	refuse("cgroup2.a/b.c", "1");
	refuse("cgroup.procs", "1");
	refuse("namespace.share.moon", "other");
}

/* Bytes that are no text are found before the key is, and told by line. */
static void test_no_text(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		static struct config c;
		struct lxmgr_err err;

		assert_true(read_line(&c, samples[i].key, "a\xc3", &err) < 0);
		assert_string_equal(err.text, "web/config:1: the line is no valid UTF-8");
		config_free(&c);
		assert_true(config_set(&c, samples[i].key, "\xff", &err) < 0);
		assert_true(config_set(&c, samples[i].key, "a\nlxmgr.hook.stop = /x", &err) < 0);
		assert_true(config_set(&c, samples[i].key, "a\r", &err) < 0);
		config_free(&c);
	}
}

/* What the reader would take for its own syntax: from the command line, not from a file. */
static void test_awkward_text(void **state)
{
	static const char *const texts[] = { "\"a\"", "\"\"", "\"", "\"/a b\" \"c\"", " a",  "a\t",
					     "' '",   "#",    "=",  "a = b",	      "\\n", "\\" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		static const char *const keys[] = { "lxmgr.description", "lxmgr.hook.stop",
						    "lxmgr.cgroup2.a.b", "lxmgr.net.0.script.up" };

		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			cleanup_free char *text = NULL, *value = NULL, *edited = NULL;
			static struct config one, two;
			struct lxmgr_err err = { 0 };

			config_init(&one);
			config_init(&two);
			assert_int_equal(config_set(&one, keys[k], texts[i], &err), 0);
			assert_int_equal(config_print(&one, &text, &err), 0);
			assert_int_equal(config_read_text(&two, text, strlen(text), "x", &err), 0);
			value = get(&two, keys[k]);
			assert_string_equal(value, texts[i]);
			config_free(&two);
			free(take_ptr(value));
			assert_int_equal(config_edit("", keys[k], texts[i], &edited, &err), 0);
			config_init(&two);
			assert_int_equal(config_read_text(&two, edited, strlen(edited), "x", &err),
					 0);
			value = get(&two, keys[k]);
			assert_string_equal(value, texts[i]);
			config_free(&one);
			config_free(&two);
		}
	}
}

/* An inherited variable reaches the running config, which is read again. */
static void test_inherited(void **state)
{
	static const char *const bad[] = { "a\nlxmgr.hook.post-stop = /bin/evil", "a\r", "\xff" };
	static struct config c;
	struct lxmgr_err err = { 0 };
	cleanup_free char *value = NULL;

	setenv("LXMGR_TEST", "fine", 1);
	assert_int_equal(read_line(&c, "environment", "LXMGR_TEST", &err), 0);
	value = get(&c, "environment");
	assert_string_equal(value, "LXMGR_TEST=fine");
	config_free(&c);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv("LXMGR_TEST", bad[i], 1);
		refuse("environment", "LXMGR_TEST");
		refuse("environment.runtime", "LXMGR_TEST");
		refuse("environment.hooks", "LXMGR_TEST");
	}
	unsetenv("LXMGR_TEST");
}

/* The same key twice in a file is a mistake unless it is a list. */
static void test_twice(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct sample *s = &samples[i];
		cleanup_free char *text = NULL;
		struct lxmgr_err err = { 0 };
		static struct config c;
		const char *suffix;
		bool list;
		long net;
		int r;

		if (!s->good)
			continue;
		list = config_find(s->key, &suffix, &net)->type->is_list ||
		       str_eq(s->key, "mount.auto");
		text = str_printf("lxmgr.%s = %s\nlxmgr.%s = %s\n", s->key, s->good, s->key,
				  s->good);
		config_init(&c);
		r = config_read_text(&c, text, strlen(text), "web/config", &err);
		if (list ? r < 0 && !strstr(err.text, "overlap") : r == 0)
			fail_msg("%s twice: %s", s->key, r < 0 ? err.text : "is taken");
		config_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_has_a_sample),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_awkward_text),
		cmocka_unit_test(test_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
