/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/tree.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/str.h"

/* What mkdtemp() made: a tree is removed by its name in a directory, never by a path. */
static void drop(const char *dir)
{
	cleanup_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(remove_tree_at(tmp, dir + strlen("/tmp/")), 0);
}

static struct tree in, out;

static struct tree *make_tree(struct tree *t, int sock)
{
	memset(t, 0, offsetof(struct tree, m));
	t->sock = sock;
	t->root = -1;
	t->fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	t->cancel_fd = -1;
	t->recursive = t->pull = true;
	t->uid = (uid_t)-1;
	t->gid = (gid_t)-1;
	t->mode = (mode_t)-1;
	t->umask = 022;
	return t;
}

static void test_names(void **state)
{
	assert_true(tree_name_is_valid("a"));
	assert_true(tree_name_is_valid("..."));
	assert_true(tree_name_is_valid("a\nb"));
	assert_false(tree_name_is_valid(""));
	assert_false(tree_name_is_valid("."));
	assert_false(tree_name_is_valid(".."));
	assert_false(tree_name_is_valid("a/b"));
	assert_false(tree_name_is_valid("/"));
}

static void test_modes(void **state)
{
	struct tree t = { .pull = true, .mode = (mode_t)-1, .umask = 027 };

	assert_int_equal(tree_mode(&t, 06777, false), 0750);
	t.archive = true;
	assert_int_equal(tree_mode(&t, 07777, false), 0777);
	assert_int_equal(tree_mode(&t, 07777, true), 01777);
	t.pull = false;
	assert_int_equal(tree_mode(&t, 06755, false), 06755);
	t.archive = false;
	assert_int_equal(tree_mode(&t, 06757, false), 0757);
	t.mode = 04711;
	assert_int_equal(tree_mode(&t, 0600, false), 04711);
	assert_int_equal(tree_mode(&t, 0700, true), 0700);
}

static void test_xattrs(void **state)
{
	struct tree t = { .pull = true };

	assert_true(tree_takes_xattr(&t, "user.x"));
	assert_true(tree_takes_xattr(&t, "system.posix_acl_access"));
	assert_false(tree_takes_xattr(&t, "security.capability"));
	assert_false(tree_takes_xattr(&t, "security.selinux"));
	assert_false(tree_takes_xattr(&t, "trusted.overlay.opaque"));
	t.pull = false;
	assert_true(tree_takes_xattr(&t, "security.capability"));
	assert_false(tree_takes_xattr(&t, "trusted.overlay.opaque"));
	/* Ids in it would be the wrong ones. */
	idmap_add_both(&t.map, 0, 100000, 65536);
	assert_false(tree_takes_xattr(&t, "system.posix_acl_access"));
}

/* What is in a directory, temporary names too. */
static int count(const char *dir)
{
	cleanup_dir DIR *d = opendir(dir);
	int n = 0;

	while (d && readdir(d))
		n++;
	return n - 2;
}

static void write_text(const char *dir, const char *name, const char *text)
{
	cleanup_free char *path = str_printf("%s/%s", dir, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void assert_text(const char *dir, const char *name, const char *text)
{
	cleanup_free char *path = str_printf("%s/%s", dir, name), *have = NULL;

	assert_int_equal(read_file_at(AT_FDCWD, path, 65536, &have, NULL), 0);
	assert_string_equal(have, text);
}

static void test_round_trip(void **state)
{
	char from[] = "/tmp/lxmgr-test-XXXXXX", to[] = "/tmp/lxmgr-test-XXXXXX", path[100];
	struct lxmgr_err err = { 0 };
	int pair[2], status;
	struct stat st;
	pid_t pid;

	assert_non_null(mkdtemp(from));
	assert_non_null(mkdtemp(to));
	snprintf(path, sizeof(path), "%s/d", from);
	assert_int_equal(mkdir(path, 0750), 0);
	write_text(path, "file", "text");
	write_text(path, "empty", "");
	snprintf(path, sizeof(path), "%s/d/link", from);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	/* What one that was killed left. */
	write_text(to, TREE_TMP "0123456789abcdef", "half");
	assert_int_equal(msg_pair(pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		make_tree(&out, pair[1])->root = open(from, O_PATH | O_DIRECTORY);
		_exit(tree_send(&out, "/d", NULL) < 0 || tree_send_done(&out, NULL, NULL) < 0);
	}
	close(pair[1]);
	assert_int_equal(tree_receive(make_tree(&in, pair[0]), to, false, &err), 0);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(count(to), 1);
	snprintf(path, sizeof(path), "%s/d", to);
	assert_int_equal(count(path), 3);
	assert_text(path, "file", "text");
	assert_text(path, "empty", "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	snprintf(path, sizeof(path), "%s/d/link", to);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	close(pair[0]);
	drop(from);
	drop(to);
}

static void put(enum tree_kind kind, const char *name, const char *data, size_t len, int fd)
{
	memset(&out.m, 0, offsetof(struct tree_msg, data));
	out.m.mode = 0755;
	out.m.size = UINT64_MAX;
	snprintf(out.m.name, sizeof(out.m.name), "%s", name);
	memcpy(out.m.data, data, len);
	out.m.len = (uint32_t)len;
	assert_int_equal(tree_put(&out, kind, fd), 0);
}

static void bad_name(void)
{
	put(TREE_DIR, "../out", "", 0, -1);
}

static void bad_dots(void)
{
	put(TREE_DIR, "..", "", 0, -1);
}

static void bad_file(void)
{
	put(TREE_FILE, "a/b", "", 0, open("/dev/null", O_RDONLY));
}

static void no_bytes(void)
{
	put(TREE_FILE, "a", "", 0, -1);
}

static void no_name(void)
{
	put(TREE_FILE, "", "", 0, open("/dev/null", O_RDONLY));
}

static void no_target(void)
{
	put(TREE_LINK, "a", "xyz", 3, -1);
}

static void no_begin(void)
{
	put(TREE_END, "", "", 0, -1);
}

static void no_end(void)
{
	put(TREE_FILE, "a", "", 0, open("/dev/null", O_RDONLY));
	put(TREE_DONE, "", "", 0, -1);
}

static void cut_short(void)
{
	put(TREE_DIR, "a", "", 0, -1);
	put(TREE_FILE, "b", "", 0, open("/dev/null", O_RDONLY));
}

static void bad_xattr(void)
{
	put(TREE_FILE, "a", "", 0, open("/dev/null", O_RDONLY));
	put(TREE_XATTR, "security.capability", "x", 1, -1);
}

static void unknown(void)
{
	put((enum tree_kind)99, "a", "", 0, -1);
}

static void wrong_length(void)
{
	put(TREE_DIR, "a", "", 0, -1);
	out.m.len = 5;
	out.m.kind = TREE_LINK;
	assert_int_equal(msg_send(out.sock, &out.m, offsetof(struct tree_msg, data), NULL, 0), 0);
}

static void too_short(void)
{
	assert_int_equal(msg_send(out.sock, "x", 1, NULL, 0), 0);
}

static void no_record(void)
{
	put(TREE_FAIL, "", "xyz", 3, -1);
}

/* The half inside is ours, but all that it tells is the guest's. */
static void test_hostile(void **state)
{
	static void (*const bad[])(void) = { bad_name,	bad_dots,  bad_file, no_bytes,
					     no_name,	no_target, no_begin, no_end,
					     cut_short, bad_xattr, unknown,  wrong_length,
					     too_short, no_record };
	char to[] = "/tmp/lxmgr-test-XXXXXX";

	assert_non_null(mkdtemp(to));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct lxmgr_err err = { 0 };
		int pair[2];

		assert_int_equal(msg_pair(pair), 0);
		make_tree(&out, pair[1]);
		bad[i]();
		close(pair[1]);
		if (tree_receive(make_tree(&in, pair[0]), to, false, &err) >= 0)
			fail_msg("case %zu was taken", i);
		assert_true(*err.text);
		if (count(to))
			fail_msg("case %zu left something", i);
		close(pair[0]);
	}
	rmdir(to);
}

static void test_too_deep(void **state)
{
	char to[] = "/tmp/lxmgr-test-XXXXXX";
	struct lxmgr_err err = { 0 };
	int pair[2], status;
	pid_t pid;

	assert_non_null(mkdtemp(to));
	assert_int_equal(msg_pair(pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		make_tree(&out, pair[1]);
		memset(&out.m, 0, offsetof(struct tree_msg, data));
		snprintf(out.m.name, sizeof(out.m.name), "d");
		for (int i = 0; i < 1000 && tree_put(&out, TREE_DIR, -1) == 0; i++)
			;
		_exit(0);
	}
	close(pair[1]);
	assert_true(tree_receive(make_tree(&in, pair[0]), to, false, &err) < 0);
	close(pair[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(count(to), 0);
	rmdir(to);
}

static void test_cancel(void **state)
{
	char to[] = "/tmp/lxmgr-test-XXXXXX";
	struct lxmgr_err err = { 0 };
	int pair[2], data[2], stop[2];

	assert_non_null(mkdtemp(to));
	assert_int_equal(msg_pair(pair), 0);
	assert_int_equal(pipe2(data, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	make_tree(&out, pair[1]);
	put(TREE_FILE, "slow", "", 0, data[0]);
	make_tree(&in, pair[0])->cancel_fd = stop[0];
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(tree_receive(&in, to, false, &err), -ECANCELED);
	assert_int_equal(count(to), 0);
	rmdir(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_modes),
		cmocka_unit_test(test_xattrs),	cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
