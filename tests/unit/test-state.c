/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "container/idalloc.h"
#include "container/label.h"
#include "container/mcsalloc.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

static void test_state(void **state)
{
	static struct state s;

	memset(&s, 0, sizeof(s));
	state_parse("state STARTING\nboot 01234567-89ab-cdef-0123-456789abcdef\n"
		    "init 42 1000\ncgroup lxmgr/web\ncgroup ../etc\ncgroup /\n"
		    "net 3 2 17 vethabc eth0 - -\nidmap u 0 100000 65536\nnonsense 1\n"
		    "state RUNNING\nstate STOP",
		    &s);
	/* The last line was cut short: it does not count. */
	assert_int_equal(s.state, LXMGR_RUNNING);
	assert_int_equal(s.init_pid, 42);
	assert_true(s.init_start == 1000);
	assert_string_equal(s.cgroup, "lxmgr/web");
	assert_int_equal(s.n_net, 1);
	assert_string_equal(s.net[0].host_name, "vethabc");
	assert_string_equal(s.net[0].moved, "");
	assert_int_equal(s.idmap.uid[0].outside, 100000);
}

static void test_errors_agree(void **state)
{
	struct lxmgr_err err = { 0 };

	/* util/err.h and lxmgr.h name the same statuses. */
	assert_int_equal((int)STATUS_REFUSED, (int)LXMGR_REFUSED);
	assert_int_equal((int)STATUS_LOCKED, (int)LXMGR_LOCKED);
	assert_int_equal((int)STATUS_USAGE, (int)LXMGR_USAGE);
	assert_int_equal(err_set(&err, -2, "open '%s'", "x"), -2);
	assert_string_equal(err.text, "open 'x': No such file or directory");
	err_prefix(&err, "a");
	err_hint(&err, "b");
	assert_string_equal(err.text, "a: open 'x': No such file or directory (b)");
}

static void test_idalloc(void **state)
{
	char dir[] = "/tmp/lxmgr-test-XXXXXX", subuid[64], subgid[64], st[64];
	struct idalloc_files f = { subuid, subgid, st, "/proc/self/uid_map", "/proc/self/gid_map" };
	uint32_t a, b, c;
	int tmp;

	assert_non_null(mkdtemp(dir));
	snprintf(subuid, sizeof(subuid), "%s/subuid", dir);
	snprintf(subgid, sizeof(subgid), "%s/subgid", dir);
	snprintf(st, sizeof(st), "%s/state", dir);
	assert_int_equal(idalloc_acquire_in(&f, "/x/a", 65536, &a, NULL), 0);
	assert_int_equal(a, 524288);
	assert_int_equal(idalloc_acquire_in(&f, "/x/b", 65536, &b, NULL), 0);
	assert_int_equal(b, a + 65536);
	assert_int_equal(idalloc_acquire_in(&f, "/x/a", 65536, &c, NULL), 0);
	assert_int_equal(c, a);
	assert_int_equal(idalloc_release_in(&f, "/x/a", NULL), 0);
	assert_int_equal(idalloc_acquire_in(&f, "/x/c", 65536, &c, NULL), 0);
	assert_int_equal(c, a);
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(tmp, dir + strlen("/tmp/")), 0);
	close(tmp);
}

/* In a container: what it has behind the ids of an ordinary one, or nothing. */
static void test_idalloc_nested(void **state)
{
	char dir[] = "/tmp/lxmgr-test-XXXXXX", subuid[64], subgid[64], st[64], map[64];
	struct idalloc_files f = { subuid, subgid, st, map, map };
	struct lxmgr_err err = { 0 };
	uint32_t a;
	int tmp;

	assert_non_null(mkdtemp(dir));
	snprintf(subuid, sizeof(subuid), "%s/subuid", dir);
	snprintf(subgid, sizeof(subgid), "%s/subgid", dir);
	snprintf(st, sizeof(st), "%s/state", dir);
	snprintf(map, sizeof(map), "%s/map", dir);
	tmp = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(write_file_replace(tmp, "map", "0 524288 65536\n", 15, 0600), 0);
	assert_int_equal(idalloc_acquire_in(&f, "/x/a", 65536, &a, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "lxmgr.features = nesting"));
	assert_int_equal(write_file_replace(tmp, "map", "0 524288 262144\n", 16, 0600), 0);
	/* A user of the guest has some; a range of root's that is not there does not count. */
	assert_int_equal(write_file_replace(tmp, "subuid",
					    "joe:100000:65536\nroot:524288:9999999\n", 37, 0600),
			 0);
	assert_int_equal(idalloc_acquire_in(&f, "/x/a", 65536, &a, NULL), 0);
	assert_int_equal(a, 196608);
	assert_int_equal(idalloc_acquire_in(&f, "/x/b", 65536, &a, NULL), -ENOSPC);
	close(tmp);
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(tmp, dir + strlen("/tmp/")), 0);
	close(tmp);
}

static void test_mcsalloc(void **state)
{
	char dir[] = "/tmp/lxmgr-test-XXXXXX";
	char a[MCS_LEVEL_SIZE], b[MCS_LEVEL_SIZE], again[MCS_LEVEL_SIZE];
	unsigned int c1 = 0, c2 = 0;
	cleanup_fd int tmp = -EBADF;
	char *text = NULL;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(mcs_acquire_in(dir, "/x/a", a, NULL), 0);
	assert_int_equal(mcs_acquire_in(dir, "/x/b", b, NULL), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(sscanf(a, "s0:c%u,c%u", &c1, &c2), 2);
	assert_true(c1 < c2 && c2 < 1024);
	assert_int_equal(mcs_acquire_in(dir, "/x/a", again, NULL), 0);
	assert_string_equal(again, a);
	/* It is of the path: given back and taken again it is the same, unless another has it. */
	assert_int_equal(mcs_release_in(dir, "/x/a", NULL), 0);
	assert_int_equal(mcs_acquire_in(dir, "/x/a", again, NULL), 0);
	assert_string_equal(again, a);
	assert_int_equal(mcs_release_in(dir, "/x/a", NULL), 0);
	tmp = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	text = str_printf("%u %u /x/other\n", c1, c2);
	assert_int_equal(write_file_replace(tmp, "mcs", text, strlen(text), 0600), 0);
	free(text);
	assert_int_equal(mcs_acquire_in(dir, "/x/a", again, NULL), 0);
	assert_string_not_equal(again, a);
	fd_close(&tmp);
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(tmp, dir + strlen("/tmp/")), 0);
}

static void test_label_mount(void **state)
{
	static const char label[] = "u:r:t:s0:c1,c2";
	char *o = strdup("mode=1");

	assert_int_equal(label_mount(label, "tmpfs", &o), 0);
	assert_string_equal(o, "mode=1,context=\"u:r:t:s0:c1,c2\"");
	/* Not twice, nor where the file system takes none. */
	assert_int_equal(label_mount(label, "tmpfs", &o), 0);
	assert_string_equal(o, "mode=1,context=\"u:r:t:s0:c1,c2\"");
	free(take_ptr(o));
	assert_int_equal(label_mount(label, "proc", &o), 0);
	assert_int_equal(label_mount("", "tmpfs", &o), 0);
	assert_null(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idalloc_nested), cmocka_unit_test(test_state),
		cmocka_unit_test(test_errors_agree),   cmocka_unit_test(test_idalloc),
		cmocka_unit_test(test_mcsalloc),       cmocka_unit_test(test_label_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
