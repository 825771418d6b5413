/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/personalize.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

static void check_hosts(int root, const char *from, const char *to, const char *have,
			const char *want)
{
	struct lxmgr_err err = { 0 };
	cleanup_fd int dir = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *got = NULL;
	struct stat st;

	assert_int_equal(write_file_replace(dir, "hosts", have, strlen(have), 0604), 0);
	assert_int_equal(personalize_hosts(root, from, to, &err), 0);
	assert_int_equal(read_file_at(dir, "hosts", 65536, &got, NULL), 0);
	assert_string_equal(got, want);
	assert_int_equal(fstatat(dir, "hosts", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
}

static void test_hosts(void **state)
{
	char dir[] = "/tmp/test-personalize.XXXXXX";
	cleanup_fd int root = -EBADF;

	(void)state;
	assert_non_null(mkdtemp(dir));
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	assert_int_equal(mkdirat(root, "etc", 0755), 0);
	/* The address is none of its names. */
	check_hosts(root, "127", "128", "127.0.0.1 localhost 127\n127 x 127",
		    "127.0.0.1 localhost 128\n127 x 128");
	check_hosts(root, "ff02", "web", "ff02::1 ip6-allnodes\n  ff02::2 ff02.local\n",
		    "ff02::1 ip6-allnodes\n  ff02::2 web.local\n");
	check_hosts(root, "web", "w2",
		    "# web\n127.0.1.1\tweb webber web-1 web.example # web\n\nweb",
		    "# web\n127.0.1.1\tw2 webber web-1 w2.example # web\n\nweb");
	check_hosts(root, "localhost", "web", "127.0.0.1 localhost\n", "127.0.0.1 localhost\n");
	check_hosts(root, "a", "b", "", "");
	assert_int_equal(remove_tree_at(root, "etc"), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void check_shadow(const char *have, const char *want)
{
	cleanup_free char *got = personalize_shadow(have, "HASH");

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void test_shadow(void **state)
{
	cleanup_free char *none = personalize_shadow(NULL, "HASH");

	(void)state;
	check_shadow("bin:*:1::::::\nroot:*:19000:0:99999:7:::\nx:y\n",
		     "bin:*:1::::::\nroot:HASH:19000:0:99999:7:::\nx:y\n");
	check_shadow("root:*:1", "root:HASH:1::::::\n");
	check_shadow("root:", "root:HASH:::::::\n");
	check_shadow("root::\nroot:x:\n", "root:HASH:::::::\nroot:x:\n");
	assert_true(!strncmp(none, "root:HASH:", 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
