/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rates of a veth, in a network namespace of the test's own. Needs root. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/antispoof.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"

#define MBIT 1000000ULL

static struct netlink *host;
static struct lxmgr_err err;
static struct net_live live;
static int inside_ns = -EBADF;

static void must(int r)
{
	if (r < 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	int p[2];
	char path[64];
	pid_t pid;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(netlink_open(&host, NULL), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(p[0], path, 1), 1);
	close(p[0]);
	close(p[1]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	inside_ns = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return inside_ns < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	netlink_close(host);
	close(inside_ns);
	return 0;
}

static struct net_addr addr(const char *text)
{
	struct net_addr a = { 0 };

	assert_int_equal(net_addr_parse(text, 0, &a, NULL), 0);
	return a;
}

static struct net_spec veth(void)
{
	struct net_spec s = { .type = NET_VETH, .up = true, .veth_vlan_id = -1, .antispoof = true };

	s.addr[s.n_addr++] = addr("10.201.0.2/24");
	s.rate_in = (struct rate){ 100 * MBIT, 0 };
	s.rate_out = (struct rate){ 20 * MBIT, 32768 };
	return s;
}

/* From inside, over the host's end. */
static bool reached(void)
{
	const char *argv[] = { "ping", "-c2", "-i0.2", "-W3", "10.201.0.1", NULL };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		if (setns(inside_ns, CLONE_NEWNET) < 0 || dup2(null, 1) < 0)
			_exit(99);
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int count(const struct link_info *l, void *data)
{
	*(int *)data += strcmp(l->kind, "ifb") == 0;
	return 0;
}

static int ifbs(void)
{
	int n = 0;

	assert_int_equal(link_list(host, count, &n), 0);
	return n;
}

static void expect(uint64_t in, uint64_t out)
{
	struct rate_now now_in, now_out;

	must(net_rate_get(host, &live, &now_in, &now_out, &err));
	assert_int_equal(now_in.rate.bits, in);
	assert_int_equal(now_out.rate.bits, out);
}

static void test_create(void **state)
{
	struct net_spec s = veth();
	struct net_addr own = addr("10.201.0.1/24");
	struct rate_now in, out;
	int status = 0, before;
	pid_t pid;

	before = ifbs();
	must(net_check(&s, 1, &err));
	must(net_create(host, &s, inside_ns, "web", &live, &err));
	assert_int_equal(ifbs(), before + 1);
	expect(100 * MBIT, 20 * MBIT);
	must(addr_add(host, live.host_index, &own));
	pid = fork();
	if (pid == 0)
		_exit(setns(inside_ns, CLONE_NEWNET) < 0 || net_configure_inside(&s, 1, &err) < 0);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_true(reached());
	/* What went through is counted, in both directions, and nothing was dropped. */
	must(net_rate_get(host, &live, &in, &out, &err));
	assert_true(in.bytes >= 2 * 98 && out.bytes >= 2 * 98);
	assert_int_equal(in.drops, 0);
	assert_int_equal(out.drops, 0);
	assert_true(antispoof_is_on(host, live.host_index));
	assert_in_range(out.rate.burst, 32768, 32768 + 64);
}

static void test_change(void **state)
{
	const struct rate none = { RATE_NONE, 0 }, slow = { 8000, 0 }, fast = { 50000 * MBIT, 0 };
	int before = ifbs();

	must(net_rate_set(host, &live, &slow, &fast, &err));
	expect(8000, 50000 * MBIT);
	must(net_rate_set(host, &live, &none, &fast, &err));
	expect(RATE_NONE, 50000 * MBIT);
	assert_true(reached());
	must(net_rate_set(host, &live, &none, &none, &err));
	expect(RATE_NONE, RATE_NONE);
	assert_int_equal(ifbs(), before - 1);
	/* What was sent through the link that is gone comes again by itself. */
	assert_true(reached());
	assert_true(antispoof_is_on(host, live.host_index));
	must(net_rate_set(host, &live, &none, &none, &err));
	must(net_rate_set(host, &live, &slow, &fast, &err));
	assert_int_equal(ifbs(), before);
}

static void test_end(void **state)
{
	int before = ifbs();

	net_destroy(host, NET_VETH, NULL, &live, inside_ns);
	assert_int_equal(ifbs(), before - 1);
	must(net_rate_end(host, &live));
}

static void test_refused(void **state)
{
	static const enum net_type types[] = { NET_MACVLAN, NET_IPVLAN, NET_PHYS,
					       NET_VLAN,    NET_EMPTY,	NET_NONE };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct net_spec s = { .type = types[i], .index = 3 };

		assert_int_equal(net_rate_check(&s, &err), 0);
		s.rate_out.bits = MBIT;
		assert_int_equal(net_rate_check(&s, &err), -EOPNOTSUPP);
		assert_non_null(strstr(err.text, "lxmgr.net.3.rate.out"));
	}
}

static void test_bursts(void **state)
{
	assert_int_equal(rate_burst(&(struct rate){ 8000, 0 }), 65536);
	assert_int_equal(rate_burst(&(struct rate){ 1000 * MBIT, 0 }), 1250000);
	assert_int_equal(rate_burst(&(struct rate){ 8000, 20000 }), 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create), cmocka_unit_test(test_change),
		cmocka_unit_test(test_end),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bursts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
