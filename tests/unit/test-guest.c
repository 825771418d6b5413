/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written into a guest, on roots made up here; and what the host's resolvers are. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

static char base[] = "/tmp/lxmgr-test-guest-XXXXXX";
static int root = -1; /* the made-up root, base/root */

#define OK(call)                                         \
	do {                                             \
		struct lxmgr_err err = { 0 };            \
		int r_ = (call);                         \
		if (r_ < 0)                              \
			print_message("%s\n", err.text); \
		assert_true(r_ >= 0);                    \
	} while (0)

/* A file with all directories above it; text NULL: only the directory. */
static void give(const char *path, const char *text)
{
	char buf[512], *slash;
	int dir, fd;

	snprintf(buf, sizeof(buf), "%s", path);
	slash = text ? strrchr(buf, '/') : buf + strlen(buf);
	*slash = '\0';
	dir = mkdir_in(root, buf, 0755, (uid_t)-1, (gid_t)-1);
	assert_true(dir >= 0);
	close(dir);
	if (!text)
		return;
	fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void give_link(const char *path, const char *target)
{
	give(path, "");
	assert_int_equal(unlinkat(root, path, 0), 0);
	assert_int_equal(symlinkat(target, root, path), 0);
}

static int group_setup(void **state)
{
	return mkdtemp(base) ? 0 : -1;
}

static int setup(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/root", base);
	if (mkdir(path, 0755) < 0)
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int teardown(void **state)
{
	cleanup_fd int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(root);
	return remove_tree_at(dir, "root");
}

static int group_teardown(void **state)
{
	return remove_tree_at(AT_FDCWD, base);
}

static void servers_are(const char *want)
{
	cleanup_strlist struct strlist dns = { 0 };
	cleanup_strbuf struct strbuf b = { 0 };

	assert_int_equal(host_nameservers(root, &dns), 0);
	for (size_t i = 0; i < dns.n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", dns.v[i]);
	assert_string_equal(b.s ? b.s : "", want);
}

#define STUB "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n"

/* What the host asks itself comes first; behind a stub are the servers it asks. */
static void test_host_servers(void **state)
{
	servers_are("");
	give("etc/resolv.conf", "# x\nsearch lan\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n");
	servers_are("192.0.2.1 2001:db8::1");
	give("run/systemd/resolve/resolv.conf", "nameserver 192.0.2.9\n");
	servers_are("192.0.2.1 2001:db8::1");
	give("etc/resolv.conf", STUB);
	servers_are("192.0.2.9");
	give_link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
	give("run/systemd/resolve/stub-resolv.conf", STUB);
	servers_are("192.0.2.9");
	give("run/systemd/resolve/resolv.conf", "nameserver 127.0.0.1\n");
	servers_are("");
	give("run/dnsmasq/resolv.conf", "nameserver 192.0.2.7\n");
	servers_are("192.0.2.7");
	give("run/NetworkManager/no-stub-resolv.conf", "nameserver 192.0.2.8\n");
	servers_are("192.0.2.8");
}

/* No loopback address in any writing, nothing that only the host can reach, no nonsense. */
static void test_unreachable_servers(void **state)
{
	static const char *const bad[] = {
		"127.0.0.1",  "127.0.0.53",  "127.1.2.3", "0.0.0.0",	   "::1",
		"0:0:0:0::1", "::",	     "fe80::1",	  "fe80::1%eth0",  "::ffff:127.0.0.53",
		"ff02::fb",   "224.0.0.251", "localhost", "192.0.2.1/24x", "",
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "nameserver %s\n", bad[i]);
		give("etc/resolv.conf", text);
		servers_are("");
		snprintf(text, sizeof(text), "nameserver %s\nnameserver 192.0.2.4\n", bad[i]);
		give("etc/resolv.conf", text);
		servers_are("192.0.2.4");
	}
	give("etc/resolv.conf", "nameservers 192.0.2.1\n#nameserver 192.0.2.1\n");
	servers_are("");
	give("etc/resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
				"nameserver 192.0.2.3\nnameserver 192.0.2.4\n");
	servers_are("192.0.2.1 192.0.2.2 192.0.2.3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_host_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreachable_servers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
