/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated profile: what its rules cover, path by path, and what becomes of a compiled one. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/apparmor.h"
#include "util/cleanup.h"
#include "util/err.h"

/* Patterns of the language: * stays in a component, ** does not, [^x], {a,b}. */
static bool match(const char *p, const char *s);

static bool match_set(const char *p, const char *s)
{
	const char *end = strchr(p, ']');
	bool in = false;

	for (const char *c = p + 2; c < end; c++)
		in |= *c == *s;
	return *s && !in && match(end + 1, s + 1);
}

static bool match_braces(const char *p, const char *s)
{
	const char *begin = p + 1, *end = p;
	int depth = 0;

	do
		depth += (*end == '{') - (*end == '}');
	while (end++, depth);
	for (const char *c = begin; c < end; c++) {
		depth += (*c == '{') - (*c == '}');
		if ((*c == ',' && depth == 0) || c == end - 1) {
			cleanup_free char *one = NULL;

			one = str_printf("%.*s%s", (int)(c - begin), begin, end);
			assert_non_null(one);
			if (match(one, s))
				return true;
			begin = c + 1;
		}
	}
	return false;
}

static bool match(const char *p, const char *s)
{
	if (*p == '{')
		return match_braces(p, s);
	if (*p == '[')
		return match_set(p, s);
	if (*p == '*') {
		bool any = p[1] == '*';

		for (p += any ? 2 : 1;; s++) {
			if (match(p, s))
				return true;
			if (!*s || (!any && *s == '/'))
				return false;
		}
	}
	return *p == *s && (!*p || match(p + 1, s + 1));
}

static void test_match(void **state)
{
	assert_true(match("/{,a/}b*", "/a/bc"));
	assert_false(match("/{,a/}b*", "/a/b/c"));
	assert_true(match("/{[^p]*,p[^r]*,p}{,/**}", "/px/y/z"));
	assert_false(match("/{[^p]*,p[^r]*,p}{,/**}", "/pr/y"));
	assert_true(match("/{x,{y,z}}", "/z"));
}

/* The beginning of a rule, then the pattern up to what follows it. */
static bool covers(const char *text, const char *head, const char *tail, const char *path)
{
	cleanup_strlist struct strlist lines = { 0 };

	assert_int_equal(strlist_split(&lines, text, "\n"), 0);
	for (size_t i = 0; i < lines.n; i++) {
		const char *rest = str_after(str_strip(lines.v[i]), head);
		cleanup_free char *pattern = rest ? strdup(rest) : NULL;

		if (!pattern || !str_has_suffix(pattern, tail))
			continue;
		pattern[strlen(pattern) - strlen(tail)] = '\0';
		if (match(pattern, path))
			return true;
	}
	return false;
}

static char *text_of(bool privileged, bool nesting)
{
	struct apparmor_profile p = { .name = "lxmgr-a",
				      .privileged = privileged,
				      .nesting = nesting };
	unsigned int raw;

	return apparmor_profile_text(&p, &raw);
}

static bool denied(const char *text, const char *path)
{
	return covers(text, "deny ", " wkl,", path) || covers(text, "deny ", " rwkl,", path);
}

static const char *const reaches_host[] = {
	"/proc/sysrq-trigger",
	"/proc/kcore",
	"/proc/acpi/wakeup",
	"/proc/bus/pci/00/00.0",
	"/proc/irq/1/smp_affinity",
	"/proc/mtrr",
	"/proc/scsi/scsi",
	"/proc/fs/ext4",
	"/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/hotplug",
	"/proc/sys/kernel/panic",
	"/proc/sys/kernel/printk",
	"/proc/sys/kernel/sysrq",
	"/proc/sys/kernel/seccomp/actions_logged",
	"/proc/sys/kernel/yama/ptrace_scope",
	"/proc/sys/kernel/dmesg_restrict",
	"/proc/sys/kernel/hung_task_panic",
	"/proc/sys/vm/drop_caches",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/fs/file-max",
	"/proc/sys/fs/suid_dumpable",
	"/proc/sys/fs/mount-max",
	"/proc/sys/dev/cdrom/lock",
	"/proc/sys/debug/exception-trace",
	"/proc/sys/abi/vsyscall32",
	"/run/systemd/unit-root/proc/sysrq-trigger",
	"/run/systemd/mount-rootfs/proc/sys/kernel/core_pattern",
	"/run/systemd/mount-rootfs/sys/kernel/uevent_helper",
	"/run/systemd/mount-rootfs/run/systemd/unit-root/proc/sysrq-trigger",
	"/sys/kernel/uevent_helper",
	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
	"/sys/kernel/security/apparmor/.load",
	"/sys/kernel/debug/x",
	"/sys/power/state",
	"/sys/module/x/parameters/y",
	"/sys/bus/pci/rescan",
	"/sys/block/vda/queue/scheduler",
	"/sys/class/x",
	"/sys/dev/block/8:0/x",
	"/sys/firmware/efi/vars/x",
	"/sys/devices/system/cpu/cpu1/online",
	"/sys/devices/pci0000:00/remove",
	"/sys/devices/virtual/block/loop0/queue/rotational",
	"/sys/fs/ext4/vda/x",
	"/sys/fs/selinux/load",
	"/sys/fs/fuse/connections/40/abort",
	"/sys/fs/btrfs/features",
};

static const char *const own[] = {
	"/proc/1/oom_score_adj",
	"/proc/self/attr/exec",
	"/proc/sys/net/ipv4/ip_forward",
	"/proc/sys/kernel/hostname",
	"/proc/sys/kernel/domainname",
	"/proc/sys/kernel/shmmax",
	"/proc/sys/kernel/shm_rmid_forced",
	"/proc/sys/kernel/sem",
	"/proc/sys/kernel/msgmnb",
	"/proc/sys/fs/mqueue/msg_max",
	"/proc/meminfo",
	"/proc/pressure/memory",
	"/sys/fs/cgroup/x/cgroup.procs",
	"/sys/fs/bpf/x",
	"/sys/devices/virtual/net/eth0/tx_queue_len",
	"/home/u/proc/sysrq-trigger",
	"/etc/passwd",
	"/system/kernel/x",
	"/kernels/x",
	"/run/systemd/private",
};

static void test_files(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		cleanup_free char *text = text_of(kind & 1, kind & 2);

		assert_non_null(text);
		for (size_t i = 0; i < ARRAY_SIZE(reaches_host); i++)
			if (!denied(text, reaches_host[i]))
				fail_msg("kind %d: %s can be written", kind, reaches_host[i]);
		for (size_t i = 0; i < ARRAY_SIZE(own); i++)
			if (denied(text, own[i]))
				fail_msg("kind %d: %s cannot be written", kind, own[i]);
		/* An interpreter is the container's own only where its user namespace is. */
		assert_int_equal(denied(text, "/proc/sys/fs/binfmt_misc/register"), kind & 1);
	}
}

#define BIND "mount options=(rbind) "

static void test_mounts(void **state)
{
	static const char *const free[] = { "/etc/passwd",
					    "/p",
					    "/pro",
					    "/process",
					    "/srv/proc/x",
					    "/sy",
					    "/system",
					    "/r",
					    "/runs/x",
					    "/run/lock",
					    "/run/systemd/inaccessible/dir",
					    "/run/systemd/unit-private-tmp/tmp",
					    "/run/systemd/unit-root/tmp",
					    "/run/systemd/mount-rootfs/proc.d" };
	static const char *const kept[] = {
		"/",
		"/proc/",
		"/proc/sys/",
		"/proc/1/ns/mnt",
		"/sys/",
		"/sys/kernel/",
		"/run/",
		"/run/systemd/",
		"/run/systemd/unit-root/",
		"/run/systemd/mount-rootfs/",
		"/run/systemd/unit-root/proc/sys/",
		"/run/systemd/mount-rootfs/sys/",
		"/run/systemd/unit-root/run/",
		"/run/systemd/unit-root/run/systemd/mount-rootfs/proc/sys/"
	};
	cleanup_free char *text = text_of(true, false), *guest = text_of(false, false);
	cleanup_free char *nesting = text_of(true, true);

	for (size_t i = 0; i < ARRAY_SIZE(free); i++)
		if (!covers(text, BIND, " -> /**,", free[i]))
			fail_msg("%s cannot be bound elsewhere", free[i]);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (covers(text, BIND, " -> /**,", kept[i]))
			fail_msg("%s can be bound elsewhere", kept[i]);
	assert_true(covers(text, "mount fstype=proc -> ", ",", "/proc/"));
	assert_false(covers(text, "mount fstype=proc -> ", ",", "/mnt/"));
	assert_null(strstr(text, "\n  mount,"));
	assert_null(strstr(text, "binfmt_misc,"));
	assert_null(strstr(text, ",cgroup,"));
	assert_null(strstr(text, "options=(remount)"));
	assert_non_null(strstr(text, "options=(remount,bind,ro,nosuid,nodev,noexec,relatime)"));
	assert_non_null(strstr(guest, "\n  mount,"));
	assert_non_null(strstr(nesting, "\n  mount,"));
}

static void test_raw(void **state)
{
	static const char *const good[] = { "deny /x rw,",  "/{a,b}/** r,",
					    "\"/a b}\" r,", "profile x { file, }",
					    "/a\\} r,",	    "#include <abstractions/base>" };
	static const char *const bad[] = {
		"}",	  "deny /x r, }", "} profile y {", "profile y {",
		"/{a r,", "\"/a r,",	  "{ } }",	   "/x r, } # {"
	};
	struct strlist raw = { 0 };
	struct apparmor_profile p = { .name = "lxmgr-a", .raw = &raw };
	cleanup_free char *text = NULL;
	unsigned int line;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(apparmor_check_raw(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct lxmgr_err err = { 0 };

		if (apparmor_check_raw(bad[i], &err) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_true(*err.text);
	}
	assert_int_equal(strlist_add(&raw, "deny /x r,"), 0);
	text = apparmor_profile_text(&p, &line);
	strlist_free(&raw);
	assert_non_null(text);
	assert_true(str_has_suffix(text, "\n  deny /x r,\n}\n"));
	for (const char *s = text; --line; s = strchr(s, '\n') + 1)
		if (line == 1)
			assert_true(str_has_prefix(strchr(s, '\n') + 1, "  deny /x r,"));
}

static void test_rename(void **state)
{
	static const char data[] = "\4\10\0profile\0\7\5\20\0lxmgr-aaaaaaaaa\0tables";
	char *out;
	size_t len;

	assert_int_equal(
		apparmor_rename(data, sizeof(data), "lxmgr-aaaaaaaaa", "lxmgr-b", &out, &len), 0);
	assert_int_equal(len, sizeof(data) - 8);
	assert_memory_equal(out, "\4\10\0profile\0\7\5\10\0lxmgr-b\0tables", len);
	free(out);
	/* Another alignment, a name that is not there, that is no string, that is there twice. */
	assert_int_equal(
		apparmor_rename(data, sizeof(data), "lxmgr-aaaaaaaaa", "lxmgr-bc", &out, &len),
		-EINVAL);
	assert_int_equal(apparmor_rename(data, sizeof(data), "lxmgr-c", "lxmgr-b", &out, &len),
			 -EINVAL);
	assert_int_equal(apparmor_rename("\4\7\0lxmgr-c", 11, "lxmgr-c", "lxmgr-b", &out, &len),
			 -EINVAL);
	assert_int_equal(
		apparmor_rename("\5\10\0lxmgr-c\0lxmgr-c", 19, "lxmgr-c", "lxmgr-b", &out, &len),
		-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),  cmocka_unit_test(test_files),
		cmocka_unit_test(test_mounts), cmocka_unit_test(test_raw),
		cmocka_unit_test(test_rename),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
