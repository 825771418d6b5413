/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address manager on a directory of the test's own. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

static char dir[] = "/tmp/lxmgr-test-ipam-XXXXXX";

int __real_open(const char *path, int flags, int mode);
int __wrap_open(const char *path, int flags, int mode);
int __wrap_open(const char *path, int flags, int mode)
{
	return __real_open(str_eq(path, STATEDIR) ? dir : path, flags, mode);
}

int __wrap_mkdir_p(const char *path, mode_t mode);
int __wrap_mkdir_p(const char *path, mode_t mode)
{
	return 0;
}

static struct net_addr addr(const char *text)
{
	struct net_addr a = { 0 };

	assert_int_equal(net_addr_parse(text, 0, &a, NULL), 0);
	return a;
}

static struct bridge_conf conf(const char *v4)
{
	struct bridge_conf c = { .name = "lxmgrbr0", .nat = true };

	c.v4 = addr(v4);
	c.v6 = addr("fd11:22:33::1/64");
	return c;
}

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int clear(void **state)
{
	int fd = __real_open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	unlinkat(fd, "leases", 0);
	unlinkat(fd, ".leases.lock", 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	clear(state);
	return rmdir(dir);
}

static const char *acquired(const struct bridge_conf *c, const char *id, unsigned int index)
{
	static char text[INET6_ADDRSTRLEN + 4];
	struct lxmgr_err err = { 0 };
	struct ipam_lease l;

	if (ipam_acquire(c, id, index, &l, &err) < 0)
		return "none";
	return net_addr_print(&l.v4, false, text);
}

static void test_first_free(void **state)
{
	struct bridge_conf c = conf("10.9.0.1/29");
	struct ipam_lease l, again;

	assert_string_equal(acquired(&c, "/c/a", 0), "10.9.0.2/29");
	assert_string_equal(acquired(&c, "/c/a", 1), "10.9.0.3/29");
	assert_string_equal(acquired(&c, "/c/ab", 0), "10.9.0.4/29");
	assert_string_equal(acquired(&c, "/c/a", 0), "10.9.0.2/29");
	assert_int_equal(ipam_lookup("/c/ab", 0, &l), 0);
	assert_memory_equal(l.mac, "\x10\x66\x6a", 3);
	assert_int_equal(ipam_acquire(&c, "/c/ab", 0, &again, NULL), 0);
	assert_memory_equal(l.mac, again.mac, 6);
	assert_true(net_addr_equal(&l.v6, &again.v6));
	assert_int_equal(ipam_release("/c/a", NULL), 0);
	assert_int_equal(ipam_lookup("/c/a", 0, &l), -ENOENT);
	assert_int_equal(ipam_lookup("/c/ab", 0, &l), 0);
	assert_string_equal(acquired(&c, "/c/n", 0), "10.9.0.2/29");
	assert_string_equal(acquired(&c, "/c/o", 0), "10.9.0.3/29");
	assert_string_equal(acquired(&c, "/c/p", 0), "10.9.0.5/29");
	assert_string_equal(acquired(&c, "/c/q", 0), "10.9.0.6/29");
	assert_string_equal(acquired(&c, "/c/r", 0), "none");
}

/* After the networks were chosen anew, a start takes one address and the next one the same. */
static void test_new_network(void **state)
{
	struct bridge_conf old = conf("10.9.0.1/29"), new = conf("10.77.0.1/29");
	struct ipam_lease l;

	assert_string_equal(acquired(&old, "/c/a", 0), "10.9.0.2/29");
	assert_string_equal(acquired(&new, "/c/a", 0), "10.77.0.2/29");
	assert_string_equal(acquired(&new, "/c/a", 0), "10.77.0.2/29");
	assert_int_equal(ipam_lookup("/c/a", 0, &l), 0);
	assert_true(net_addr_contains(&new.v4, &l.v4));
}

static int reserve(const struct bridge_conf *c, const char *id, const char *a, const char *b,
		   struct lxmgr_err *err)
{
	struct net_addr list[2];
	size_t n = 0;

	if (a)
		list[n++] = addr(a);
	if (b)
		list[n++] = addr(b);
	return ipam_reserve(c, id, 0, list, n, err);
}

static void test_static(void **state)
{
	struct bridge_conf c = conf("10.9.0.1/29");
	struct lxmgr_err err = { 0 };

	assert_int_equal(reserve(&c, "/c/s", "10.9.0.2/29", "192.0.2.7/24", &err), 0);
	assert_int_equal(reserve(&c, "/c/s", "10.9.0.2/29", "192.0.2.7/24", &err), 0);
	assert_int_equal(reserve(&c, "/c/other", "192.0.2.7/24", NULL, &err), 0);
	assert_int_equal(reserve(&c, "/c/t", "fd11:22:33::3/64", NULL, &err), 0);
	/* Neither its number in IPv4 nor in IPv6 is given out. */
	assert_string_equal(acquired(&c, "/c/a", 0), "10.9.0.4/29");
	assert_int_equal(reserve(&c, "/c/u", "10.9.0.2/24", NULL, &err), -EEXIST);
	assert_string_equal(err.text, "the address 10.9.0.2 of net.0 belongs to container 's'");
	assert_int_equal(reserve(&c, "/c/u", "fd11:22:33::4/64", NULL, &err), -EEXIST);
	assert_string_equal(err.text,
			    "the address fd11:22:33::4 of net.0 belongs to container 'a'");
	/* Changed and given up. */
	assert_int_equal(reserve(&c, "/c/s", "10.9.0.5/29", NULL, &err), 0);
	assert_int_equal(reserve(&c, "/c/u", "10.9.0.2/29", NULL, &err), 0);
	assert_int_equal(reserve(&c, "/c/s", NULL, NULL, &err), 0);
	assert_string_equal(acquired(&c, "/c/b", 0), "10.9.0.5/29");
	assert_int_equal(ipam_release("/c/u", NULL), 0);
	assert_string_equal(acquired(&c, "/c/d", 0), "10.9.0.2/29");
}

static void test_strange(void **state)
{
	struct bridge_conf c = conf("10.9.0.1/29");
	struct lxmgr_err err = { 0 };
	struct ipam_lease l;
	int fd = __real_open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	static const char text[] =
		"\n\t\n/c/x\n/c/y\t0 10.9.0.2/29\n/c/z\t0 =10.9.0\n"
		"/c/good dir\t0 10.9.0.3/29 fd11:22:33::3/64 10:66:6a:00:00:03\n/c/q";

	assert_int_equal(write_file_replace(fd, "leases", text, strlen(text), 0600), 0);
	close(fd);
	assert_int_equal(ipam_lookup("/c/good dir", 0, &l), 0);
	assert_int_equal(ipam_lookup("/c/y", 0, &l), -ENOENT);
	assert_string_equal(acquired(&c, "/c/n", 0), "10.9.0.2/29");
	assert_int_equal(ipam_acquire(&c, "/c/a\nb", 0, &l, &err), -EINVAL);
	assert_int_equal(reserve(&c, "/c/a\tb", "10.9.0.6/29", NULL, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_free, clear),
		cmocka_unit_test_setup(test_new_network, clear),
		cmocka_unit_test_setup(test_static, clear),
		cmocka_unit_test_setup(test_strange, clear),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
