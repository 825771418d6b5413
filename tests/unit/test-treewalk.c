/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"
#include "util/treewalk.h"

#define DEPTH 3000

static char dir[] = "/tmp/lxmgr-treewalk-XXXXXX";
static int top;

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return top < 0;
}

static int teardown(void **state)
{
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(top);
	return remove_tree_at(tmp, dir + strlen("/tmp/"));
}

struct seen {
	char text[200];
	size_t files, entered, left;
	int stop;     /* what the file `x` returns */
	int from, to; /* where >= 0 the directory `moved` goes from one to the other when entered */
};

static int file(void *arg, int dir_fd, const char *name, unsigned char type)
{
	struct seen *s = arg;

	s->files++;
	snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "%s%c ", name,
		 type == DT_LNK	  ? '@'
		 : type == DT_REG ? '-'
				  : '?');
	assert_int_equal(faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	return str_eq(name, "x") ? s->stop : 0;
}

static int enter(void *arg, int fd, const char *name)
{
	struct seen *s = arg;

	s->entered++;
	if (s->from >= 0 && str_eq(name, "moved"))
		assert_int_equal(renameat(s->from, name, s->to, name), 0);
	if (s->entered < 10)
		strcat(strcat(s->text, name), "< ");
	return 0;
}

static int leave(void *arg, int fd, const char *name)
{
	struct seen *s = arg;

	if (s->left++ < 10)
		strcat(strcat(s->text, ">"), " ");
	return 0;
}

static const struct treewalk all = { .file = file, .enter = enter, .leave = leave };

static void make(const char *name)
{
	cleanup_fd int fd = openat(top, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

static void test_order(void **state)
{
	struct seen s = { .from = -EBADF };

	make("f");
	assert_int_equal(mkdirat(top, "d", 0700), 0);
	assert_int_equal(mkdirat(top, "d/e", 0700), 0);
	make("d/e/x");
	make("d/g");
	/* Neither outside nor in a circle. */
	assert_int_equal(symlinkat("/", top, "d/e/y"), 0);
	assert_int_equal(tree_walk(top, &all, &s), 0);
	assert_true(str_eq(s.text, "f- d< g- e< x- y@ > > ") ||
		    str_eq(s.text, "f- d< g- e< y@ x- > > "));
	s = (struct seen){ .from = -EBADF, .stop = 7 };
	assert_int_equal(tree_walk(top, &all, &s), 7);
	assert_int_equal(s.left, 0);
	s.stop = -ENOENT;
	assert_int_equal(tree_walk(top, &all, &s), -ENOENT);
	assert_int_equal(remove_tree_at(top, "d"), 0);
	assert_int_equal(remove_tree_at(top, "f"), 0);
}

/* Deeper than there are descriptors and than a path is long. */
static void test_deep(void **state)
{
	struct seen s = { .from = -EBADF };
	struct rlimit few = { 64, 64 }, was;
	int cur = openat(top, ".", O_PATH | O_CLOEXEC), next;

	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(cur, "d", 0755), 0);
		next = openat(cur, "d", O_PATH | O_CLOEXEC);
		close(cur);
		cur = next;
	}
	assert_int_equal(symlinkat("d", cur, "l"), 0);
	close(cur);
	getrlimit(RLIMIT_NOFILE, &was);
	few.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(tree_walk(top, &all, &s), 0);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_int_equal(s.entered, DEPTH);
	assert_int_equal(s.left, DEPTH);
	assert_int_equal(s.files, 1);
	assert_int_equal(remove_tree_at(top, "d"), 0);
}

/* Who moves a directory out of the tree while it is walked does not lead the walk out. */
static void test_moved(void **state)
{
	cleanup_fd int in = -EBADF, out = -EBADF;
	struct seen s = { 0 };

	assert_int_equal(mkdirat(top, "tree", 0700), 0);
	assert_int_equal(mkdirat(top, "tree/in", 0700), 0);
	assert_int_equal(mkdirat(top, "tree/in/moved", 0700), 0);
	in = openat(top, "tree/in", O_PATH | O_CLOEXEC);
	out = openat(top, "tree", O_RDONLY | O_CLOEXEC);
	s.from = in;
	s.to = top;
	assert_int_equal(tree_walk(out, &all, &s), -ESTALE);
	assert_int_equal(s.entered, 2);
	assert_int_equal(remove_tree_at(top, "moved"), 0);
	assert_int_equal(remove_tree_at(top, "tree"), 0);
}

static int along_enter(void *arg, int fd, const char *name)
{
	(void)fd;
	return treealong_down(arg, name);
}

static int along_leave(void *arg, int fd, const char *name)
{
	struct stat a, b;

	/* The same place in both: here, they are one. */
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(((struct treealong *)arg)->fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	(void)name;
	return treealong_up(arg);
}

static void test_along(void **state)
{
	static const struct treewalk how = { .enter = along_enter, .leave = along_leave };
	cleanup_treealong struct treealong a = TREEALONG_INIT;
	cleanup_fd int other = -EBADF;

	(void)state;
	assert_int_equal(mkdirat(top, "a", 0700), 0);
	assert_int_equal(mkdirat(top, "a/b", 0700), 0);
	assert_int_equal(mkdirat(top, "a/b/c", 0700), 0);
	assert_int_equal(mkdirat(top, "a/d", 0700), 0);
	assert_int_equal(mkdirat(top, "other", 0700), 0);
	assert_int_equal(symlinkat("../a", top, "other/a"), 0);
	assert_int_equal(treealong_begin(&a, top), 0);
	assert_int_equal(treealong_up(&a), -EINVAL);
	assert_int_equal(treealong_down(&a, "other"), 0);
	assert_int_equal(treealong_down(&a, "a"), -ENOTDIR);
	assert_int_equal(treealong_down(&a, "none"), -ENOENT);
	assert_int_equal(treealong_up(&a), 0);
	assert_int_equal(tree_walk(top, &how, &a), 0);
	/* Moved under it: the way back is not taken. */
	assert_int_equal(treealong_down(&a, "a"), 0);
	assert_int_equal(treealong_down(&a, "b"), 0);
	assert_int_equal(renameat(top, "a/b", top, "b"), 0);
	assert_int_equal(treealong_up(&a), -ESTALE);
	assert_int_equal(remove_tree_at(top, "a"), 0);
	assert_int_equal(remove_tree_at(top, "b"), 0);
	assert_int_equal(remove_tree_at(top, "other"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_along),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
