/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules; and, as root, whichever driver this host has: limits, devices, freezer, removal. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "kernel/cgroup_io.h"
#include "kernel/cpulist.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define RULE(a, t, maj, min)                                                             \
	{                                                                                \
		.allow = (a), .type = (t), .major = (maj), .minor = (min), .read = true, \
		.write = true, .mknod = true                                             \
	}

static char name[32];
static struct lxmgr_err err;
static struct cgroup cg;
static volatile unsigned long *shared; /* [0] counts, [1] says go */

static void must(int r)
{
	if (r < 0)
		fail_msg("%s", err.text);
}

static struct cgroup_spec no_limits(void)
{
	struct cgroup_spec s;

	cgroup_spec_init(&s);
	return s;
}

static void test_disk_limits(void **state)
{
	static const char v2[] = "8:0 rbps=1000 wbps=max riops=7 wiops=max\n"
				 "8:16 rbps=max wbps=18446744073709551613 riops=max wiops=5\n";
	static const char v1[] = "8:160 9\n8:16 2000\n";
	dev_t a = makedev(8, 0), b = makedev(8, 16), c = makedev(8, 1);

	assert_int_equal(cgroup_io_parse(v2, a, "rbps"), 1000);
	assert_int_equal(cgroup_io_parse(v2, a, "wbps"), LIMIT_MAX);
	assert_int_equal(cgroup_io_parse(v2, a, "riops"), 7);
	assert_int_equal(cgroup_io_parse(v2, b, "rbps"), LIMIT_MAX);
	assert_int_equal(cgroup_io_parse(v2, b, "wbps"), UINT64_MAX - 2);
	assert_int_equal(cgroup_io_parse(v2, b, "wiops"), 5);
	/* The next line's is not this one's. */
	assert_int_equal(cgroup_io_parse(v2, a, "bps"), LIMIT_MAX);
	assert_int_equal(cgroup_io_parse("8:0 rbps=1\n8:16 riops=3\n", a, "riops"), LIMIT_MAX);
	assert_int_equal(cgroup_io_parse(v2, c, "rbps"), LIMIT_MAX);
	assert_int_equal(cgroup_io_parse(v1, b, NULL), 2000);
	assert_int_equal(cgroup_io_parse(v1, c, NULL), LIMIT_MAX);
	assert_int_equal(cgroup_io_parse("", a, NULL), LIMIT_MAX);
	assert_int_equal(cgroup_io_bfq_weight(1), 1);
	assert_int_equal(cgroup_io_bfq_weight(100), 100);
	assert_int_equal(cgroup_io_bfq_weight(10000), 1000);
}

/* A whole disk is one itself, whatever names it; what is in memory is on none. */
static void test_disks(void **state)
{
	cleanup_fd int memory = memfd_create("disks", MFD_CLOEXEC);
	struct disks d = { .n = 0 };
	char text[DISKS_NAME_SIZE];

	assert_int_equal(disks_add(&d, memory), -ENODEV);
	assert_int_equal(disks_add_path(&d, "/dev/null"), -ENOTBLK);
	assert_int_equal(disks_add_path(&d, "/dev/is-not-there"), -ENOENT);
	assert_int_equal(d.n, 0);
	assert_false(disks_has_bfq(makedev(4095, 1)));
	assert_string_equal(disks_name(makedev(4095, 1), text), "4095:1");
}

static void test_device_rules(void **state)
{
	static const struct {
		const char *text;
		int ret;
		char type;
		int64_t major, minor;
		bool read, write, mknod;
	} cases[] = {
		{ "a", 0, 'a', -1, -1, true, true, true },
		{ "a *:* rwm", 0, 'a', -1, -1, true, true, true },
		{ "c 1:3 rwm", 0, 'c', 1, 3, true, true, true },
		{ "b 8:* r", 0, 'b', 8, -1, true, false, false },
		{ " c  *:*\tm ", 0, 'c', -1, -1, false, false, true },
		{ "c 4095:1048575 w", 0, 'c', 4095, 1048575, false, true, false },
		{ "", -EINVAL, 0, 0, 0, false, false, false },
		{ "a b", -EINVAL, 0, 0, 0, false, false, false },
		{ "a *:* r", -EINVAL, 0, 0, 0, false, false, false },
		{ "c", -EINVAL, 0, 0, 0, false, false, false },
		{ "c 1:3", -EINVAL, 0, 0, 0, false, false, false },
		{ "c 1 rwm", -EINVAL, 0, 0, 0, false, false, false },
		{ "c 1:3 rwx", -EINVAL, 0, 0, 0, false, false, false },
		{ "c 1:3 rwm more", -EINVAL, 0, 0, 0, false, false, false },
		{ "d 1:3 rwm", -EINVAL, 0, 0, 0, false, false, false },
		{ "cb 1:3 rwm", -EINVAL, 0, 0, 0, false, false, false },
		{ "c -1:3 rwm", -EINVAL, 0, 0, 0, false, false, false },
		/* Would be "any" in 32 bits. */
		{ "c 4294967295:3 rwm", -EINVAL, 0, 0, 0, false, false, false },
		{ "c 1:4294967295 rwm", -EINVAL, 0, 0, 0, false, false, false },
		{ "c 18446744073709551617:3 rwm", -EINVAL, 0, 0, 0, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgroup_device_rule d = { 0 };

		assert_int_equal(cgroup_device_parse(cases[i].text, true, &d, &err), cases[i].ret);
		if (cases[i].ret < 0)
			continue;
		assert_int_equal(d.type, cases[i].type);
		assert_int_equal(d.major, cases[i].major);
		assert_int_equal(d.minor, cases[i].minor);
		assert_int_equal(d.read, cases[i].read);
		assert_int_equal(d.write, cases[i].write);
		assert_int_equal(d.mknod, cases[i].mknod);
	}
}

/* A process in the group, as a start makes it. */
static pid_t spawn(int (*run)(void))
{
	struct clone_args a = { .exit_signal = SIGCHLD,
				.flags = CLONE_INTO_CGROUP,
				.cgroup = (uint64_t)cg.into_fd };
	int pid = sys_clone3(&a);

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(30);
		_exit(cgroup_join(&cg, NULL) < 0 ? 99 : run());
	}
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void begin(const struct cgroup_spec *s)
{
	must(cgroup_check(s, &err));
	must(cgroup_create(&cg, s, NULL, name, &err));
	must(cgroup_apply(&cg, s, &err));
}

/* How many groups there are, and below, in all hierarchies. */
static size_t count(const char *below)
{
	char pattern[256];
	size_t n;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "/sys/fs/cgroup/{,*/}lxmgr/%s%s", name, below);
	glob(pattern, GLOB_BRACE | GLOB_ONLYDIR, NULL, &g);
	n = g.gl_pathc;
	globfree(&g);
	return n;
}

static void end(void)
{
	must(cgroup_remove(&cg, &err));
	cgroup_close(&cg);
	assert_int_equal(count(""), 0);
}

__attribute__((noreturn)) static int run_sleep(void)
{
	for (;;)
		pause();
}

__attribute__((noreturn)) static int run_count(void)
{
	for (;;)
		shared[0]++;
}

static void test_places(void **state)
{
	struct cgroup_spec s = no_limits();
	cleanup_free char *text = NULL;
	cleanup_strlist struct strlist lines = { 0 };
	char path[64];
	pid_t pid;

	begin(&s);
	pid = spawn(run_sleep);
	/* The writes of "0" are done when the child sleeps. */
	for (int i = 0; i < 100; i++, usleep(10000)) {
		free(take_ptr(text));
		strlist_free(&lines);
		snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
		must(read_file_at(AT_FDCWD, path, 65536, &text, NULL));
		must(strlist_split(&lines, text, "\n"));
		if (lines.n && strstr(lines.v[0], name))
			break;
	}
	for (size_t i = 0; i < lines.n; i++) {
		char want[96];

		snprintf(want, sizeof(want), "/lxmgr/%s%s", name,
			 str_has_prefix(lines.v[i], "0::") ? "/ns" : "");
		/* misc, rdma and so on need not be mounted. */
		if (strstr(lines.v[i], name) || str_has_prefix(lines.v[i], "0::"))
			assert_true(str_has_suffix(lines.v[i], want));
	}
	/* The name is taken, and trying changes nothing. */
	assert_int_equal(mkdirat(cg.into_fd, "empty", 0755), 0);
	{
		struct cgroup second;

		assert_int_equal(cgroup_create(&second, &s, NULL, name, &err), -EBUSY);
		assert_int_equal(count("/ns/empty"), 1);
	}
	must(cgroup_kill(&cg, &err));
	assert_int_equal(end_of(pid), SIGKILL);
	end();
	/* Gone is gone. */
	assert_int_equal(cgroup_open(&cg, "lxmgr/no-such-group", "ns", &err), -ENOENT);
}

static int run_forks(void)
{
	int n = 0;

	while (n < 1000) {
		pid_t pid = fork();

		if (pid < 0)
			return errno == EAGAIN ? n : 98;
		if (pid == 0)
			run_sleep();
		n++;
	}
	return 97;
}

static int run_memory_hog(void)
{
	size_t len = 256 << 20;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < len; i += 4096)
		p[i] = 1;
	return 0;
}

static int run_spin(void)
{
	struct timespec used;
	int64_t end = now_ms() + 1500;

	while (now_ms() < end)
		;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int)(used.tv_sec * 100 + used.tv_nsec / 10000000);
}

static void test_limits(void **state)
{
	struct cgroup_spec s = no_limits();
	struct cgroup_stats st;
	int status;

	s.limit[LIMIT_MEMORY] = 32 << 20;
	s.limit[LIMIT_CPUS] = 200;
	s.limit[LIMIT_CPU_WEIGHT] = 50;
	s.limit[LIMIT_PIDS] = 20;
	begin(&s);
	must(cgroup_stats(&cg, &st, &err));
	assert_int_equal(st.memory_limit, s.limit[LIMIT_MEMORY]);
	assert_int_equal(st.pids_limit, 20);
	status = end_of(spawn(run_forks));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 19);
	end();

	begin(&s);
	status = end_of(spawn(run_memory_hog));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	must(cgroup_stats(&cg, &st, &err));
	assert_true(st.oom_kills >= 1 && st.oom_kills != LIMIT_UNSET);
	end();

	/* A fifth of a CPU for 1.5 s is 30 hundredths. */
	begin(&s);
	status = end_of(spawn(run_spin));
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 10, 60);
	end();
}

/* Whichever of both grows or shrinks, no quota is below the burst at any time: the kernel refuses
 * that. */
static void test_burst(void **state)
{
	static const struct {
		uint64_t cpus, burst; /* thousandths */
	} steps[] = {
		{ 500, 400 }, { 200, 100 }, { 1500, 1000 },	      { 1000, 1000 },
		{ 300, 0 },   { 300, 300 }, { LIMIT_MAX, LIMIT_MAX },
	};
	struct cgroup_spec s = no_limits();
	uint64_t have[LIMIT_COUNT];

	s.limit[LIMIT_CPUS] = 250;
	s.limit[LIMIT_CPU_BURST] = 250;
	begin(&s);
	cgroup_get_limits(&cg, have);
	assert_int_equal(have[LIMIT_CPUS], 250);
	assert_int_equal(have[LIMIT_CPU_BURST], 250);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		s.limit[LIMIT_CPUS] = steps[i].cpus;
		s.limit[LIMIT_CPU_BURST] = steps[i].burst;
		must(cgroup_set_limits(&cg, s.limit, &err));
		cgroup_get_limits(&cg, have);
		assert_int_equal(have[LIMIT_CPUS], steps[i].cpus);
		assert_int_equal(have[LIMIT_CPU_BURST],
				 steps[i].burst == LIMIT_MAX ? 0 : steps[i].burst);
	}
	end();

	s.limit[LIMIT_CPUS] = 500;
	s.limit[LIMIT_CPU_BURST] = 501;
	assert_int_equal(cgroup_check(&s, &err), -EINVAL);
	s.limit[LIMIT_CPUS] = LIMIT_UNSET;
	s.limit[LIMIT_CPU_BURST] = 1;
	assert_int_equal(cgroup_check(&s, &err), -EINVAL);
}

static int run_count_cpus(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	return sched_getaffinity(0, sizeof(set), &set) < 0 ? -1 : CPU_COUNT(&set);
}

static void test_cpus(void **state)
{
	struct cgroup_spec s = no_limits();
	char *text = NULL;
	int status, all = run_count_cpus();

	s.cpuset = (char *)"0";
	begin(&s);
	status = end_of(spawn(run_count_cpus));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	must(cgroup_get_cpus(&cg, &text, &err));
	assert_string_equal(text, "0");
	free(text);
	must(cgroup_set_cpus(&cg, NULL, &err));
	assert_int_equal(WEXITSTATUS(end_of(spawn(run_count_cpus))), all);
	end();
	s.cpuset = (char *)"0,8191";
	assert_int_equal(cgroup_check(&s, &err), -ERANGE);
	assert_non_null(strstr(err.text, "0,8191"));
}

static void test_cpulist(void **state)
{
	static const char *const bad[] = { "",	  "-1",	  "1-",	  "2-1",    "1,", ",1",
					   "0 1", "0-1x", "8192", "0-8192", "+1", "1--2" };
	struct cpulist a, b;

	assert_int_equal(cpulist_parse("0-2,5", &a), 0);
	assert_int_equal(cpulist_parse("5,1-2,0,1", &b), 0);
	assert_true(cpulist_equal(&a, &b));
	assert_int_equal(cpulist_parse("64,1", &b), 0);
	assert_false(cpulist_equal(&a, &b));
	assert_false(cpulist_within(&b, &a));
	assert_int_equal(cpulist_parse("0-8191", &a), 0);
	assert_true(cpulist_within(&b, &a));
	assert_false(cpulist_within(&a, &b));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cpulist_parse(bad[i], &a) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
}

/* A group that a crash left over keeps nothing of what it limited. */
static void test_left_over(void **state)
{
	struct cgroup_spec s = no_limits();
	struct cgroup_stats st;

	s.limit[LIMIT_PIDS] = 5;
	s.limit[LIMIT_MEMORY] = 64 << 20;
	begin(&s);
	assert_int_equal(mkdirat(cg.into_fd, "sub", 0755), 0);
	cgroup_close(&cg);
	s = no_limits();
	begin(&s);
	must(cgroup_stats(&cg, &st, &err));
	assert_int_equal(st.pids_limit, LIMIT_MAX);
	assert_int_equal(st.memory_limit, LIMIT_MAX);
	assert_int_equal(count("/ns/sub"), 0);
	end();
}

static const char *other_device;

/* A bit for each that opens. */
static int run_open(void)
{
	const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/kmsg", other_device };
	int got = 0;

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		int fd = open(devices[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0)
			got |= 1 << i;
		else if (errno != EPERM)
			return 98;
	}
	return got;
}

#define OPENS(want) assert_int_equal(end_of(spawn(run_open)), (want) << 8)

static void test_devices(void **state)
{
	static struct cgroup_device_rule kmsg[] = { RULE(true, 'c', 1, 11) };
	static struct cgroup_device_rule only_null[] = { RULE(false, 'a', -1, -1),
							 RULE(true, 'c', 1, 3) };
	static struct cgroup_device_rule all_but[] = { RULE(true, 'a', -1, -1),
						       RULE(false, 'c', 1, 11) };
	static struct cgroup_device_rule no_zero[] = { RULE(false, 'c', 1, 5) };
	struct cgroup_spec s = no_limits();

	begin(&s);
	OPENS(3);
	end();
	/* One rule adds to the defaults: it opens neither everything nor that device alone. */
	s.devices = kmsg;
	s.n_devices = ARRAY_SIZE(kmsg);
	begin(&s);
	OPENS(7);
	end();
	s.devices = only_null;
	s.n_devices = ARRAY_SIZE(only_null);
	begin(&s);
	OPENS(1);
	end();
	s.devices = all_but;
	s.n_devices = ARRAY_SIZE(all_but);
	begin(&s);
	OPENS(11);
	end();
	s.devices = no_zero;
	s.n_devices = ARRAY_SIZE(no_zero);
	begin(&s);
	OPENS(1);
	end();
}

static void test_devices_live(void **state)
{
	struct cgroup_device_rule kmsg = RULE(true, 'c', 1, 11);
	struct cgroup_spec s = no_limits();
	char path[sizeof(cg.path)];

	begin(&s);
	must(cgroup_device(&cg, &kmsg, &err));
	must(cgroup_set(&cg, "devices.deny", "c 1:5 rwm", &err));
	OPENS(5);
	end();
	begin(&s);
	must(cgroup_device(&cg, &kmsg, &err));
	kmsg.allow = false;
	must(cgroup_device(&cg, &kmsg, &err));
	OPENS(3);
	end();
	/* attach: into a running one. */
	begin(&s);
	snprintf(path, sizeof(path), "%s", cg.path);
	cgroup_close(&cg);
	must(cgroup_open(&cg, path, "ns", &err));
	must(cgroup_open_attach(&cg, &err));
	assert_int_equal(end_of(spawn(run_open)), 3 << 8);
	end();
}

/* What cannot act is refused by name. */
static void test_refusals(void **state)
{
	static struct cgroup_device_rule carve[] = { RULE(false, 'a', -1, -1),
						     RULE(true, 'c', 10, -1),
						     RULE(false, 'c', 10, 200) };
	static struct cgroup_raw v1[] = { { (char *)"memory.limit_in_bytes", (char *)"1", true } };
	static struct cgroup_raw v2[] = { { (char *)"memory.high", (char *)"1", false } };
	bool hybrid = str_eq(cgroup_driver(&err)->name, "hybrid");
	struct cgroup_spec s = no_limits();

	s.devices = carve;
	s.n_devices = ARRAY_SIZE(carve);
	assert_int_equal(cgroup_check(&s, &err), hybrid ? -EOPNOTSUPP : 0);
	if (hybrid)
		assert_non_null(strstr(err.text, "c 10:200 rwm"));
	s = no_limits();
	s.n_raw = 1;
	s.raw = hybrid ? v2 : v1;
	assert_int_equal(cgroup_check(&s, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, s.raw[0].file));
	s = no_limits();
	s.limit[LIMIT_SWAP] = 1 << 20;
	if (hybrid) {
		assert_true(cgroup_check(&s, &err) < 0);
		s.limit[LIMIT_MEMORY] = LIMIT_MAX;
		assert_true(cgroup_check(&s, &err) < 0);
		assert_non_null(strstr(err.text, "lxmgr.limit.swap"));
	}
	s = no_limits();
	s.dir = (char *)"../x";
	assert_int_equal(cgroup_create(&cg, &s, NULL, name, &err), -EINVAL);
}

static void test_freeze(void **state)
{
	struct cgroup_spec s = no_limits();
	unsigned long n;
	pid_t pid;

	begin(&s);
	shared[0] = 0;
	pid = spawn(run_count);
	while (!shared[0])
		usleep(1000);
	assert_int_equal(cgroup_is_frozen(&cg), 0);
	must(cgroup_freeze(&cg, true, 5000, &err));
	assert_int_equal(cgroup_is_frozen(&cg), 1);
	n = shared[0];
	usleep(50000);
	assert_int_equal(shared[0], n);
	must(cgroup_freeze(&cg, false, 5000, &err));
	usleep(50000);
	assert_true(shared[0] > n);
	/* Frozen processes die as well. */
	must(cgroup_freeze(&cg, true, 5000, &err));
	must(cgroup_kill(&cg, &err));
	assert_int_equal(end_of(pid), SIGKILL);
	end();
}

/* As the container's root: its own group is its own, what limits it is not. */
static int run_as_guest(void)
{
	int outer = openat(cg.into_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (setresgid(654321, 654321, 654321) < 0 || setresuid(654321, 654321, 654321) < 0)
		return 1;
	if (mkdirat(cg.into_fd, "sub", 0755) < 0)
		return 2;
	if (write_small(cg.into_fd, "sub/cgroup.procs", "0") < 0)
		return 3;
	if (mkdirat(outer, "beside", 0755) == 0 || write_small(outer, "cgroup.procs", "0") == 0)
		return 4;
	if (write_small(outer, "cgroup.max.descendants", "max") == 0 ||
	    write_small(outer, "pids.max", "max") == 0 ||
	    write_small(cg.into_fd, "cgroup.max.descendants", "max") == 0)
		return 5;
	/* Three are allowed below the outer one: ns, sub and one more. */
	if (mkdirat(cg.into_fd, "sub/2", 0755) < 0)
		return 6;
	if (mkdirat(cg.into_fd, "sub/3", 0755) == 0 || errno != EAGAIN)
		return 7;
	return 0;
}

static void test_delegation(void **state)
{
	static struct cgroup_raw few[] = { { (char *)"cgroup.max.descendants", (char *)"3",
					     false } };
	struct cgroup_spec s = no_limits();

	s.raw = few;
	s.n_raw = 1;
	begin(&s);
	must(cgroup_delegate(&cg, 654321, 654321, &err));
	assert_int_equal(end_of(spawn(run_as_guest)), 0);
	end();
}

/* However deep and wide a guest nests its groups, with processes in them. */
static void test_removal(void **state)
{
	struct cgroup_spec s = no_limits();
	cleanup_fd int cur = -EBADF;
	pid_t pid;

	begin(&s);
	cur = openat(cg.into_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int depth = 0; depth < 1500; depth++) {
		int next;

		assert_int_equal(mkdirat(cur, "d", 0755), 0);
		if (depth % 100 == 0) {
			assert_int_equal(mkdirat(cur, "e", 0755), 0);
			assert_int_equal(mkdirat(cur, "e/f", 0755), 0);
			assert_int_equal(mkdirat(cur, "g", 0755), 0);
		}
		next = openat(cur, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		fd_close(&cur);
		cur = next;
	}
	pid = spawn(run_sleep);
	must(cgroup_remove(&cg, &err));
	assert_int_equal(end_of(pid), SIGKILL);
	assert_int_equal(count(""), 0);
	cgroup_close(&cg);
}

/* A parent that another start made a moment ago and that has no CPUs yet (v1). */
static void test_fresh_parent(void **state)
{
	struct cgroup_spec s = no_limits();
	char dir[64], path[128], parent[128];

	snprintf(parent, sizeof(parent), "/sys/fs/cgroup/cpuset/lxmgr/%s", name);
	snprintf(dir, sizeof(dir), "lxmgr/%s/below", name);
	if (mkdir(parent, 0755) < 0)
		skip();
	s.dir = dir;
	begin(&s);
	assert_int_equal(end_of(spawn(run_open)), 3 << 8);
	must(cgroup_remove(&cg, &err));
	cgroup_close(&cg);
	snprintf(path, sizeof(path), "lxmgr/%s", name);
	must(cgroup_open(&cg, path, "ns", &err));
	end();
}

static int set_up(void **state)
{
	static const char *const devices[] = { "/dev/loop-control", "/dev/tty0", "/dev/fuse" };

	for (size_t i = 0; i < ARRAY_SIZE(devices) && !other_device; i++)
		if (access(devices[i], F_OK) == 0)
			other_device = devices[i];
	snprintf(name, sizeof(name), "unit-%d", getpid());
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED || !other_device ? -1 : 0;
}

/* A test that failed in the middle leaves nothing either. */
static int clean_up(void **state)
{
	char path[64];

	cgroup_close(&cg);
	snprintf(path, sizeof(path), "lxmgr/%s", name);
	if (cgroup_open(&cg, path, "ns", NULL) == 0)
		cgroup_remove(&cg, NULL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return 0;
}

#define ROOT_TEST(f) cmocka_unit_test_teardown(f, clean_up)

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(test_disk_limits),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_device_rules),
		cmocka_unit_test(test_cpulist),
	};
	const struct CMUnitTest root[] = {
		ROOT_TEST(test_places),	      ROOT_TEST(test_limits),
		ROOT_TEST(test_burst),	      ROOT_TEST(test_cpus),
		ROOT_TEST(test_left_over),    ROOT_TEST(test_devices),
		ROOT_TEST(test_devices_live), ROOT_TEST(test_refusals),
		ROOT_TEST(test_freeze),	      ROOT_TEST(test_delegation),
		ROOT_TEST(test_removal),      ROOT_TEST(test_fresh_parent),
	};
	int failed = cmocka_run_group_tests(plain, NULL, NULL);

	if (failed)
		return failed;
	if (geteuid() != 0) {
		printf("SKIP: the cgroup drivers need root\n");
		return 77;
	}
	printf("driver: %s\n", cgroup_driver(NULL) ? cgroup_driver(NULL)->name : "none");
	return cmocka_run_group_tests(root, set_up, NULL);
}
