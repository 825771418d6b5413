/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backend lvm without LVM: its programs are scripts that answer what the test says. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/lvmcmd.h"
#include "storage/record.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

static const struct storage_spec none;
static char top[] = "/tmp/lxmgr-test-XXXXXX";
static int top_fd = -EBADF;

/* `program` does that from now on; all that are called are noted in `log`. */
static void fake(const char *program, const char *does)
{
	cleanup_free char *text =
		str_printf("#!/bin/sh\ncd %s\necho \"${0##*/} $*\" >>log\n%s\n", top, does);

	assert_non_null(text);
	assert_int_equal(write_file_replace(top_fd, program, text, strlen(text), 0755), 0);
}

static void forget_log(void)
{
	assert_int_equal(remove_tree_at(top_fd, "log"), 0);
}

static bool has_run(const char *words)
{
	cleanup_free char *log = NULL;

	if (read_file_at(top_fd, "log", 65536, &log, NULL) < 0)
		return false;
	return strstr(log, words);
}

/* The container's directory, with the record of its volume. */
static int begin(struct storage *st, struct lxmgr_err *err)
{
	int dir;

	*err = (struct lxmgr_err){ 0 };
	assert_int_equal(remove_tree_at(top_fd, "c"), 0);
	assert_int_equal(mkdirat(top_fd, "c", 0700), 0);
	dir = openat(top_fd, "c", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	storage_init(st, dir, &none);
	assert_int_equal(storage_parse(st,
				       "version = 2\nbackend = lvm\ntree = web\ngroup = vg\n"
				       "tag = x1\n",
				       err),
			 0);
	assert_int_equal(storage_write(st, false, err), 0);
	forget_log();
	return dir;
}

static void test_answers(void **state)
{
	struct lxmgr_err err;
	uint64_t n = 0;

	(void)state;
	fake("vgs", "echo '  vg '");
	assert_int_equal(lvm_has_group("vg", &err), 1);
	assert_true(has_run("vgs --noheadings --options vg_name --select vg_name=\"vg\""));
	fake("vgs", "");
	assert_int_equal(lvm_has_group("vg", &err), 0);
	/* What is said beside the answer is none. */
	fake("vgs", "echo 'WARNING: vg is odd' >&2");
	assert_int_equal(lvm_has_group("vg", &err), 0);
	fake("vgs", "echo other; echo no lock >&2; exit 5");
	assert_true(lvm_has_group("vg", &err) < 0);
	assert_non_null(strstr(err.text, "no lock"));
	/* It is another group that is broken. */
	fake("vgs", "echo vg; echo other is odd >&2; exit 5");
	assert_int_equal(lvm_has_group("vg", &err), 1);
	fake("lvs", "echo 'WARNING: device mapper is odd' >&2");
	assert_int_equal(lvm_has_pool("vg", "pool", &err), 0);
	fake("lvs", "echo 'WARNING: pool is odd' >&2; echo '  8388608 -wi-a-----  '");
	assert_int_equal(lvm_usage("vg", "web", &n, &err), 0);
	assert_int_equal(n, 8388608);
	fake("vgs", "echo 'WARNING: 512' >&2; echo '  33554432 '");
	assert_int_equal(lvm_extent("vg", &n, &err), 0);
	assert_int_equal(n, 33554432);
	fake("vgs", "echo many");
	assert_int_equal(lvm_extent("vg", &n, &err), -EINVAL);
}

/* The directory with the record goes when destroy() says 0. */
static void test_destroy(void **state)
{
	cleanup_fd int dir = -EBADF, held = -EBADF;
	struct lxmgr_err err;
	struct storage st;

	(void)state;
	fake("lvremove", "");
	fake("vgs", "echo no lock >&2; exit 5");
	dir = begin(&st, &err);
	assert_true(storage_lvm.destroy(&st, &err) < 0);
	assert_false(has_run("lvremove"));
	fake("vgs", "echo vg");
	held = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(held, LOCK_SH), 0);
	assert_int_equal(storage_lvm.destroy(&st, &err), -EBUSY);
	assert_false(has_run("lvremove"));
	fd_close(&held);
	assert_int_equal(storage_lvm.destroy(&st, &err), 0);
	assert_true(has_run("lvremove --yes --quiet --select lv_tags={\"x1\"} vg"));
	fake("lvremove", "exit 5");
	assert_true(storage_lvm.destroy(&st, &err) < 0);
	fake("vgs", "");
	assert_int_equal(storage_lvm.destroy(&st, &err), 0);
}

static bool is_unfinished(int dir)
{
	return faccessat(dir, "volume.new", F_OK, 0) == 0;
}

static void test_recover(void **state)
{
	cleanup_fd int dir = -EBADF;
	struct lxmgr_err err;
	struct storage st;

	(void)state;
	fake("lvremove", "");
	fake("lvs", "echo web");
	dir = begin(&st, &err);
	assert_int_equal(storage_lvm.recover(&st, &err), 0);
	assert_false(has_run("lv"));
	assert_int_equal(write_file_replace(dir, "volume.new", "", 0, 0600), 0);
	/* The volume that the record names is not there: then it is not to be the last one. */
	fake("lvs", "");
	assert_int_equal(storage_lvm.recover(&st, &err), 0);
	assert_false(has_run("lvremove"));
	assert_true(is_unfinished(dir));
	fake("lvs", "exit 5");
	assert_int_equal(storage_lvm.recover(&st, &err), 0);
	assert_false(has_run("lvremove"));
	fake("lvs", "echo web");
	assert_int_equal(storage_lvm.recover(&st, &err), 0);
	assert_true(has_run("lv_tags={\"x1\"} && lv_name!=\"web\""));
	assert_false(is_unfinished(dir));
}

/* The tool is killed, lvcreate goes on. */
static void test_killed(void **state)
{
	struct storage_make make = { .group = "vg", .name = "snapshot1" };
	struct storage_limit limit = { .bytes = 64 << 20 };
	cleanup_fd int dir = -EBADF, go = -EBADF;
	struct lxmgr_err err;
	struct storage st;
	char c;
	pid_t pid;

	(void)state;
	fake("mkfs.ext4", "");
	fake("vgs", "echo vg");
	fake("lvremove", "");
	/* Its standard input stays open as long as it runs; others it would close. */
	fake("lvcreate", "echo . >started; read x <end; echo . >started");
	dir = begin(&st, &err);
	assert_int_equal(mkfifoat(top_fd, "started", 0600), 0);
	assert_int_equal(mkfifoat(top_fd, "end", 0600), 0);
	make.limit = &limit;
	st.make = &make;
	st.limit = limit;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(storage_lvm.create(&st, -1, NULL) == 0);
	go = openat(top_fd, "started", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(go, &c, 1), 1);
	fd_close(&go);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* LVM keeps names that begin with "snapshot" for itself. */
	assert_true(has_run("lvcreate --yes --quiet --name lx-snapshot1-"));
	assert_int_equal(storage_lvm.destroy(&st, &err), -EBUSY);
	assert_false(has_run("lvremove"));
	go = openat(top_fd, "end", O_WRONLY | O_CLOEXEC);
	assert_true(go >= 0);
	fd_close(&go);
	/* Its last words: after these it ends. */
	go = openat(top_fd, "started", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(go, &c, 1), 1);
	fd_close(&go);
	go = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(go, LOCK_EX), 0);
	fd_close(&go);
	assert_int_equal(storage_lvm.destroy(&st, &err), 0);
	assert_true(has_run("lvremove"));
}

static int set_up(void **state)
{
	cleanup_free char *path = NULL;
	const char *old = getenv("PATH");

	(void)state;
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path = str_printf("%s:%s", top, old ? old : "/usr/bin:/bin");
	return top_fd < 0 || !path ? -1 : setenv("PATH", path, 1);
}

static int tear_down(void **state)
{
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	fd_close(&top_fd);
	return remove_tree_at(tmp, top + strlen("/tmp/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
