/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/limits.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

static struct lxmgr_err err;

static void test_rlimit_values(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t soft, hard;
	} cases[] = {
		{ "1024", 0, 1024, 1024 },
		{ "0", 0, 0, 0 },
		{ "1:2", 0, 1, 2 },
		{ "unlimited", 0, RLIM_INFINITY, RLIM_INFINITY },
		{ "1024:unlimited", 0, 1024, RLIM_INFINITY },
		{ "unlimited:1024", -EINVAL, 0, 0 },
		{ "2:1", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
		{ ":", -EINVAL, 0, 0 },
		{ "1:", -EINVAL, 0, 0 },
		{ ":1", -EINVAL, 0, 0 },
		{ "1:2:3", -EINVAL, 0, 0 },
		{ "-1", -EINVAL, 0, 0 },
		{ "1k", -EINVAL, 0, 0 },
		{ "18446744073709551616", -EINVAL, 0, 0 },
		{ "00000000000000000000000000000000000001:2", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rlimit_spec s = { .soft = 7, .hard = 7 };

		assert_int_equal(rlimit_parse_value(cases[i].text, &s), cases[i].ret);
		assert_int_equal(s.soft, cases[i].ret < 0 ? 7 : cases[i].soft);
		assert_int_equal(s.hard, cases[i].ret < 0 ? 7 : cases[i].hard);
	}
	for (int r = 0; r < RLIM_NLIMITS; r++)
		assert_int_equal(rlimit_parse_name(rlimit_name(r)), r);
	assert_int_equal(rlimit_parse_name("NOFILE"), RLIMIT_NOFILE);
	assert_int_equal(rlimit_parse_name("files"), -EINVAL);
	assert_null(rlimit_name(RLIM_NLIMITS));
}

static void test_rlimit_apply(void **state)
{
	struct rlimit_spec s = { .resource = RLIMIT_CORE, .soft = 0, .hard = 4096 };
	struct rlimit l;
	pid_t pid;
	int status;

	/* Who runs this may have less, and not the right to raise it. */
	assert_int_equal(getrlimit(RLIMIT_CORE, &l), 0);
	if (l.rlim_max < s.hard)
		s.hard = l.rlim_max;
	pid = fork();
	if (pid == 0)
		_exit(rlimit_apply(getpid(), &s, NULL) == 0 && getrlimit(RLIMIT_CORE, &l) == 0 &&
				      l.rlim_cur == 0 && l.rlim_max == s.hard
			      ? 0
			      : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_sysctl_check(void **state)
{
	const int all = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER;
	static const struct {
		const char *name;
		int ns;
	} good[] = {
		{ "net.ipv4.ip_forward", CLONE_NEWNET },
		{ "net.ipv6.conf.eth0.accept_ra", CLONE_NEWNET },
		{ "kernel.shmmax", CLONE_NEWIPC },
		{ "kernel.msgmnb", CLONE_NEWIPC },
		{ "kernel.sem", CLONE_NEWIPC },
		{ "fs.mqueue.msg_max", CLONE_NEWIPC },
		{ "kernel.domainname", CLONE_NEWUTS },
		{ "user.max_user_namespaces", CLONE_NEWUSER },
	};
	/* Names that lead out of the allowed tree, and the host's knobs. */
	static const char *const bad[] = {
		"kernel.core_pattern",
		"kernel.panic",
		"kernel.modprobe",
		"vm.overcommit_memory",
		"fs.file-max",
		"fs.mqueue",
		"net",
		"",
		".",
		"net..ipv4",
		".net.ipv4.ip_forward",
		"net.ipv4/../../kernel/core_pattern",
		"net/ipv4/ip_forward",
		"netfoo.bar",
		"NET.ipv4.ip_forward",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(sysctl_check(good[i].name, all, &err), 0);
		/* In a namespace that the host shares it would be the host's. */
		assert_int_equal(sysctl_check(good[i].name, all & ~good[i].ns, &err), -EPERM);
		assert_non_null(strstr(err.text, good[i].name));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(sysctl_check(bad[i], all, &err) < 0);
}

static void test_sysctl_write(void **state)
{
	char dir[] = "/tmp/lxmgr-unit.XXXXXX", buf[32];
	cleanup_fd int fd = -EBADF;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fd, "sys", 0755), 0);
	assert_int_equal(mkdirat(fd, "sys/net", 0755), 0);
	close(openat(fd, "sys/net/knob", O_CREAT | O_WRONLY, 0600));
	close(openat(fd, "outside", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlinkat("../../outside", fd, "sys/net/link"), 0);
	assert_int_equal(sysctl_write(fd, "net.knob", "1", &err), 0);
	assert_int_equal(read_small(fd, "sys/net/knob", buf, sizeof(buf)), 1);
	/* A procfs that somebody shaped. */
	assert_true(sysctl_write(fd, "net.link", "1", &err) < 0);
	assert_int_equal(read_small(fd, "outside", buf, sizeof(buf)), 0);
	assert_int_equal(sysctl_write(fd, "net.none", "1", &err), -ENOENT);
	assert_non_null(strstr(err.text, "net.none"));
	fd_close(&fd);
	fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(fd, dir + 5), 0);
}

static void test_procfiles(void **state)
{
	static const char *const bad[] = { "mem",	    "attr/current", "../1/oom_score_adj",
					   "uid_map",	    "clear_refs",   "",
					   "oom_score_adj/" };
	char buf[32];
	int status;
	pid_t pid;

	assert_int_equal(procfile_check("oom_score_adj", &err), 0);
	assert_int_equal(procfile_check("coredump_filter", &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(procfile_check(bad[i], &err), -EPERM);
	pid = fork();
	if (pid == 0)
		_exit(procfile_write(getpid(), "oom_score_adj", "999", NULL) == 0 &&
				      read_small(AT_FDCWD, "/proc/self/oom_score_adj", buf,
						 sizeof(buf)) == 3 &&
				      !strcmp(buf, "999")
			      ? 0
			      : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(procfile_write(getpid(), "oom_score_adj", "x", &err) < 0);
	assert_non_null(strstr(err.text, "lxmgr.proc.oom_score_adj"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rlimit_values), cmocka_unit_test(test_rlimit_apply),
		cmocka_unit_test(test_sysctl_check),  cmocka_unit_test(test_sysctl_write),
		cmocka_unit_test(test_procfiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
