/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/caps.h"
#include "util/cleanup.h"
#include "util/err.h"

static void test_names(void **state)
{
	static const struct {
		const char *text;
		int cap;
	} cases[] = {
		{ "chown", 0 },
		{ "sys_admin", CAP_SYS_ADMIN },
		{ "CAP_SYS_ADMIN", CAP_SYS_ADMIN },
		{ "cap_Net_Raw", CAP_NET_RAW },
		{ "checkpoint_restore", CAP_CHECKPOINT_RESTORE },
		{ "21", CAP_SYS_ADMIN },
		{ "63", 63 },
		{ "64", -EINVAL },
		{ "-1", -EINVAL },
		{ "2x", -EINVAL },
		{ "", -EINVAL },
		{ "cap_", -EINVAL },
		{ "sys_admin ", -EINVAL },
		{ "sys", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(caps_parse(cases[i].text), cases[i].cap);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		assert_non_null(caps_name(cap));
		assert_int_equal(caps_parse(caps_name(cap)), cap);
	}
	assert_null(caps_name(-1));
	assert_null(caps_name(64));
	assert_true(caps_last() >= CAP_CHECKPOINT_RESTORE && caps_last() < 64);
}

/* A set of this process as /proc shows it. */
static uint64_t set_of(const char *name)
{
	cleanup_file FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			return strtoull(line + strlen(name), NULL, 16);
	return UINT64_MAX;
}

/* What sudo, a container runtime or a careless caller may have left in the inheritable set. */
static int make_inheritable(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	data[0].inheritable = 1U << CAP_NET_RAW | 1U << CAP_CHOWN;
	if (syscall(SYS_capset, &head, data) < 0)
		return -errno;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
	return set_of("CapInh:") && set_of("CapAmb:") ? 0 : -EINVAL;
}

static const uint64_t keep = 1ULL << CAP_CHOWN | 1ULL << CAP_KILL;

/* As for a user that is not root: only then the change of uid. */
static int drop_bounding(void)
{
	uint64_t permitted = set_of("CapPrm:");

	if (make_inheritable() < 0 || caps_drop_bounding(keep, NULL) < 0)
		return 1;
	if (set_of("CapPrm:") != permitted || set_of("CapEff:") != permitted)
		return 2;
	if (set_of("CapInh:") || set_of("CapAmb:") || set_of("CapBnd:") & ~keep)
		return 3;
	if (setresuid(65534, 65534, 65534) < 0)
		return 4;
	return set_of("CapInh:") | set_of("CapPrm:") | set_of("CapEff:") ? 5 : 0;
}

static int apply(void)
{
	if (make_inheritable() < 0 || caps_apply(keep, NULL) < 0)
		return 1;
	if (set_of("CapInh:") || set_of("CapAmb:") || set_of("CapBnd:") & ~keep)
		return 2;
	if (set_of("CapPrm:") & ~keep || set_of("CapEff:") != set_of("CapPrm:"))
		return 3;
	/* All again: nothing comes back. */
	return caps_apply(CAPS_ALL, NULL) < 0 || set_of("CapPrm:") & ~keep ? 4 : 0;
}

static void in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_drop_bounding(void **state)
{
	in_child(drop_bounding);
}

static void test_apply(void **state)
{
	in_child(apply);
}

int main(void)
{
	const struct CMUnitTest plain[] = { cmocka_unit_test(test_names) };
	const struct CMUnitTest root[] = {
		cmocka_unit_test(test_drop_bounding),
		cmocka_unit_test(test_apply),
	};
	int failed = cmocka_run_group_tests(plain, NULL, NULL);

	if (failed)
		return failed;
	if (geteuid() != 0) {
		printf("SKIP: dropping capabilities needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(root, NULL, NULL);
}
