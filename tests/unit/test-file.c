/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"

static char dir[] = "/tmp/lxmgr-file-XXXXXX";
static int dirfd_;

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0;
}

static int teardown(void **state)
{
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return remove_tree_at(tmp, dir + strlen("/tmp/"));
}

static void test_policies(void **state)
{
	cleanup_fd int a = -EBADF, b = -EBADF;

	assert_int_equal(mkdirat(dirfd_, "root", 0755), 0);
	assert_int_equal(symlinkat("/etc", dirfd_, "root/link"), 0);
	a = openat(dirfd_, "root", O_PATH | O_CLOEXEC);
	/* CVE-2015-1335, CVE-2018-15664: a link leads nowhere but into the root. */
	assert_int_equal(open_in(a, "link/passwd", OPEN_IN_ROOT, O_RDONLY, 0), -ENOENT);
	assert_int_equal(open_in(a, "link/passwd", OPEN_NO_LINKS, O_RDONLY, 0), -ELOOP);
	assert_int_equal(open_in(a, "../root", OPEN_NO_LINKS, O_RDONLY, 0), -ENOENT);
	b = mkdir_in(a, "x/y/z", 0755, (uid_t)-1, (gid_t)-1);
	assert_true(b >= 0);
	assert_int_equal(mkdir_in(a, "link/y", 0755, (uid_t)-1, (gid_t)-1), -ELOOP);
}

static void test_replace(void **state)
{
	cleanup_free char *text = NULL;

	assert_int_equal(write_file_atomic(dirfd_, "f", "one", 3, 0600), 0);
	assert_int_equal(write_file_atomic(dirfd_, "f", "two", 3, 0600), 0);
	assert_int_equal(read_file_at(dirfd_, "f", 100, &text, NULL), 0);
	assert_string_equal(text, "two");
	assert_int_equal(read_file_at(dirfd_, "f", 2, &text, NULL), -EFBIG);
}

/* A guest can nest as deep as it likes; links in the tree are not followed. */
static void test_remove(void **state)
{
	cleanup_fd int cur = -EBADF;

	assert_int_equal(mkdirat(dirfd_, "deep", 0755), 0);
	assert_int_equal(symlinkat(dir, dirfd_, "deep/back"), 0);
	cur = openat(dirfd_, "deep", O_PATH | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(cur, "d", 0755), 0);
		next = openat(cur, "d", O_PATH | O_CLOEXEC);
		close(cur);
		cur = next;
	}
	assert_int_equal(remove_tree_at(dirfd_, "deep"), 0);
	assert_int_equal(faccessat(dirfd_, "deep", F_OK, 0), -1);
	assert_int_equal(faccessat(dirfd_, "f", F_OK, 0), 0);
}

static void test_lock(void **state)
{
	cleanup_fd int a = lock_at(dirfd_, "lock", true, 0, NULL);
	pid_t holder = 0;

	assert_true(a >= 0);
	assert_int_equal(lock_at(dirfd_, "lock", true, 20, &holder), -EWOULDBLOCK);
	assert_int_equal(holder, getpid());
}

static int prepare_fails(void *data)
{
	errno = *(int *)data;
	return -1;
}

static void test_run(void **state)
{
	const char *echo[] = { "sh", "-c", "echo out; exit 3", NULL };
	const char *sleepy[] = { "sleep", "100", NULL };
	const char *missing[] = { "/nosuch", NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int r, code = ENOSPC;

	o.capture = 100;
	r = run_program(echo, &o, &out);
	assert_int_equal(WEXITSTATUS(r), 3);
	assert_string_equal(out, "out\n");
	o.timeout_ms = 50;
	assert_int_equal(run_program(sleepy, &o, NULL), -ETIMEDOUT);
	assert_int_equal(run_program(missing, &o, NULL), -ENOENT);
	o.prepare = prepare_fails;
	o.data = &code;
	assert_int_equal(run_program(echo, &o, NULL), -ENOSPC);
	code = 0;
	assert_int_equal(run_program(echo, &o, NULL), -ECANCELED);
}

static void test_escape(void **state)
{
	char buf[64];

	assert_string_equal(str_escape(buf, sizeof(buf), "a\033[2Jb\n\xc2\x9b\xff"),
			    "a\\x1b[2Jb\\x0a\\xc2\\x9b\\xff");
	assert_string_equal(str_escape(buf, 4, "\303\251\303\251"), "\303\251");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies), cmocka_unit_test(test_replace),
		cmocka_unit_test(test_remove),	 cmocka_unit_test(test_lock),
		cmocka_unit_test(test_run),	 cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
