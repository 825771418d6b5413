/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file `storage`, and what sets two trees apart. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/blockfs.h"
#include "storage/lvmcmd.h"
#include "storage/record.h"
#include "storage/treeattrs.h"
#include "storage/treediff.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

static const struct storage_spec none;

static void test_record(void **state)
{
	static const char *const round[] = {
		"version = 1\nbackend = dir\n",
		"version = 1\nbackend = overlay\nbase = abc\nids = 524288\n",
		("version = 2\nbackend = overlay\nbase = abc\ntree = overlay.1\nlayer = 01ab\n"
		 "layer = 02cd\n"),
		"version = 2\nbackend = lvm\ntree = a_b+c\ngroup = vg-1\npool = thin\ntag = x01\n",
		"version = 1\nbackend = loop\n",
		"version = 2\nbackend = dir\ndir = /srv/ct/web site\ntag = 0123\n",
		"version = 2\nbackend = btrfs\ntree = rootfs.1\n",
		"version = 2\nbackend = dir\nbytes = 1073741824\ninodes = 1000\n",
		"version = 2\nbackend = overlay\nbase = abc\nmemory = 8388608\n",
	};
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "version = 3\nbackend = dir\n", "has version 3" },
		{ "version = x\nbackend = dir\n", "has version x" },
		{ "version = 1\n", "names no backend" },
		{ "version = 1\nbackend = zfs\n", "not supported" },
		{ "version = 2\nbackend = overlay\nlayer = ../x\n", "layer = ../x" },
		{ "version = 2\nbackend = overlay\ntree = .\n", "tree = ." },
		{ "version = 2\nbackend = overlay\nids = -1\n", "ids = -1" },
		{ "version = 2\nbackend = dir\ndir = a/b\n", "dir = a/b" },
		{ "version = 2\nbackend = dir\ndir = /a/../b\n", "dir = /a/../b" },
		{ "version = 2\nbackend = dir\ndir = /a//b\n", "dir = /a//b" },
		{ "version = 2\nbackend = dir\ndir = /\n", "dir = /" },
		{ "version = 2\nbackend = dir\ndir = /a/\n", "dir = /a/" },
		{ "version = 2\nbackend = lvm\ngroup = a/b\n", "group = a/b" },
		{ "version = 2\nbackend = lvm\ntag = \"x\n", "tag = " },
		{ "version = 2\nbackend = lvm\npool = -x\n", "pool = -x" },
	};
	struct storage st;
	struct lxmgr_err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(round); i++) {
		cleanup_free char *text = NULL;

		storage_init(&st, -1, &none);
		assert_int_equal(storage_parse(&st, round[i], &err), 0);
		text = storage_print(&st);
		assert_string_equal(text, round[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		storage_init(&st, -1, &none);
		assert_true(storage_parse(&st, bad[i].text, &err) < 0);
		assert_non_null(strstr(err.text, bad[i].error));
	}
}

/* The words of an argument vector, each behind a blank. */
static char *words(struct strlist *l)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", l->v[i]);
	strlist_free(l);
	return strbuf_take(&b);
}

static void assert_words(int made, struct strlist *l, const char *want)
{
	cleanup_free char *have = words(l);

	assert_int_equal(made, 0);
	assert_string_equal(have, want);
}

static void test_names_of_trees(void **state)
{
	static const char *const ours[] = { "rootfs", "rootfs.1", "rootfs.27" };
	static const char *const others[] = { "rootfs.",    "rootfs.bak", "rootfs.1.old", "rootfs1",
					      "rootfs-old", "rootf",	  "rootfs.new",	  "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		assert_true(storage_is_tree(ours[i], "rootfs"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(storage_is_tree(others[i], "rootfs"));
}

static void test_lvm_args(void **state)
{
	struct strlist l = { 0 };
	char device[LVM_DEVICE_SIZE];

	(void)state;
	assert_words(lvm_create_args("vg", "pool", "web", "x1", 1073741824, &l), &l,
		     "lvcreate --yes --quiet --name web --addtag x1 --thinpool pool "
		     "--virtualsize 1073741824b vg");
	assert_words(lvm_create_args("vg", "", "web", "x1", 4096, &l), &l,
		     "lvcreate --yes --quiet --name web --addtag x1 --zero y --wipesignatures y "
		     "--size 4096b vg");
	assert_words(lvm_snapshot_args("vg", "web", "copy", "x2", &l), &l,
		     "lvcreate --yes --quiet --snapshot --name copy --addtag x2 vg/web");
	assert_words(lvm_extend_args("vg", "web", 8192, &l), &l,
		     "lvextend --yes --quiet --size 8192b vg/web");
	assert_words(lvm_remove_args("vg", "x1", NULL, &l), &l,
		     "lvremove --yes --quiet --select lv_tags={\"x1\"} vg");
	assert_words(lvm_remove_args("vg", "x1", "web", &l), &l,
		     "lvremove --yes --quiet --select lv_tags={\"x1\"} && lv_name!=\"web\" vg");
	lvm_device("v-g", "web-1", device);
	assert_string_equal(device, "/dev/mapper/v--g-web--1");
}

static void test_lvm_names(void **state)
{
	static const char *const good[] = { "a", "web-1", "A.b_c+d", "lxc" };
	static const char *const bad[] = { "",	      "-a",	  "a/b",     "..",
					   "a b",     "a\"",	  "a_tdata", "snapshot1",
					   "pvmove0", "a_mlog_x", "a\n" };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(lvm_name_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(lvm_name_is_valid(bad[i]));
	assert_int_equal(lvm_parse_usage("  1000000 Vwi-aotz-- 25.50  \n", &n), 0);
	assert_int_equal(n, 255000);
	assert_int_equal(lvm_parse_usage("  4194304 -wi-a-----        \n", &n), 0);
	assert_int_equal(n, 4194304);
	assert_int_equal(lvm_parse_usage("  4194304 Vwi---tz--        \n", &n), -ENODATA);
	assert_int_equal(lvm_parse_usage("garbage", &n), -EINVAL);
}

/* What the container's root is on, with no more than its number of inodes from outside. */
static void test_mkfs_args(void **state)
{
	static const struct blockfs ext4 = { .name = "ext4", .mkfs = "mkfs.ext4" };
	static const struct blockfs xfs = { .name = "xfs", .mkfs = "mkfs.xfs" };
	const char *argv[BLOCKFS_ARGS];
	struct strlist l = { 0 };
	char buf[32];
	int r = 0;

	(void)state;
	blockfs_make_args(&ext4, "/proc/self/fd/3", 1000, buf, argv);
	for (size_t i = 0; argv[i]; i++)
		r |= strlist_add(&l, argv[i]);
	assert_words(r, &l, "mkfs.ext4 -q -F -m 0 -N 1000 -- /proc/self/fd/3");
	blockfs_make_args(&xfs, "/proc/self/fd/3", 0, buf, argv);
	for (size_t i = 0; argv[i]; i++)
		r |= strlist_add(&l, argv[i]);
	assert_words(r, &l, "mkfs.xfs -q -f -s size=4096 -- /proc/self/fd/3");
}

static void test_make_excess(void **state)
{
	static const struct {
		struct storage_make make;
		const char *backend, *excess;
	} cases[] = {
		{ { .fstype = "ext4" }, "loop", NULL },
		{ { .fstype = "ext4" }, "lvm", NULL },
		{ { .fstype = "ext4" }, NULL, "--fstype" },
		{ { .size = 1 }, "overlay", "--fssize" },
		{ { .group = "g" }, "loop", "--vgname" },
		{ { .pool = "" }, "dir", "--thinpool" },
		{ { .volume = "v" }, "best", "--lvname" },
		{ { .name = "n" }, "dir", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *have = storage_make_excess(&cases[i].make, cases[i].backend);

		if (cases[i].excess)
			assert_string_equal(have, cases[i].excess);
		else
			assert_null(have);
	}
}

static void put(int dir, const char *name, const char *text)
{
	cleanup_fd int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static int note(enum tree_change change, unsigned int what, const char *path, void *arg)
{
	(void)what;
	strbuf_addf(arg, "%c %s\n", "ADCM"[change], path);
	return 0;
}

static int note_each(enum tree_change change, unsigned int what, const char *path, void *arg)
{
	strbuf_addf(arg, "%c%u %s\n", "ADCM"[change], what, path);
	return 0;
}

static void test_diff(void **state)
{
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	char dir[] = "/tmp/lxmgr-test-XXXXXX";
	cleanup_strbuf struct strbuf by_time = { 0 }, by_content = { 0 }, each = { 0 };
	cleanup_fd int top = -EBADF, a = -EBADF, b = -EBADF;
	const int both[] = { 0, 1 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		const char *name = i ? "b" : "a";
		cleanup_fd int d = -EBADF;

		assert_int_equal(mkdirat(top, name, 0755), 0);
		d = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(mkdirat(d, "sub", 0755), 0);
		put(d, "same", "x");
		put(d, "bytes", i ? "12" : "21");
		put(d, "sub/deep", i ? "longer" : "short");
		put(d, "mode", "x");
		assert_int_equal(symlinkat(i ? "one" : "two", d, "link"), 0);
		assert_int_equal(mkdirat(d, i ? "new" : "gone", 0755), 0);
		put(d, i ? "new/in" : "gone/in", "x");
		assert_int_equal(i ? mkdirat(d, "type", 0755) : symlinkat("x", d, "type"), 0);
		assert_int_equal(fchmodat(d, "mode", i ? 0600 : 0644, 0), 0);
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(utimensat(d,
						   ((const char *[]){ "same", "bytes", "mode",
								      "sub/deep" })[k],
						   old, 0),
					 0);
	}
	a = openat(top, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b = openat(top, "b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_diff(a, b, TREE_BY_TIME, note, &by_time, NULL), 0);
	assert_string_equal(by_time.s, "D gone\nC link\nM mode\nA new\nC sub/deep\nC type\n");
	/* The same size and time, but not the same. */
	assert_int_equal(tree_diff(a, b, TREE_BY_CONTENT, note, &by_content, NULL), 0);
	assert_string_equal(by_content.s,
			    "C bytes\nD gone\nC link\nM mode\nA new\nC sub/deep\nC type\n");
	/* What differs, and also what is below what has come or gone. */
	assert_int_equal(tree_diff(a, b, TREE_EACH, note_each, &each, NULL), 0);
	assert_string_equal(each.s, "C2 bytes\nD0 gone\nD0 gone/in\nC2 link\nM4 mode\nA0 new\n"
				    "A0 new/in\nC2 sub/deep\nC1 type\n");
	fd_close(&top);
	top = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(top, dir + strlen("/tmp/")), 0);
}

static void put_xattr(int dir, const char *name, const char *attr, const char *value)
{
	char path[FD_PATH_SIZE + 20];

	fd_path(dir, path);
	strcat(strcat(path, "/"), name);
	assert_int_equal(lsetxattr(path, attr, value, strlen(value), 0), 0);
}

static void has_xattr(int dir, const char *name, const char *attr, const char *value)
{
	char path[FD_PATH_SIZE + 20], is[80] = "";

	fd_path(dir, path);
	strcat(strcat(path, "/"), name);
	assert_int_equal(lgetxattr(path, attr, is, sizeof(is)), strlen(value));
	assert_string_equal(is, value);
}

/* What cp has left out is put there; what the copy has besides stays. */
static void test_complete_xattrs(void **state)
{
	char dir[] = "/var/tmp/lxmgr-storage-XXXXXX";
	cleanup_fd int top = -EBADF, from = -EBADF, to = -EBADF, var = -EBADF;
	struct lxmgr_err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "to" : "from";
		cleanup_fd int fd = -EBADF, file = -EBADF;

		assert_int_equal(mkdirat(top, name, 0700), 0);
		fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		assert_int_equal(symlinkat("d/f", fd, "l"), 0);
		file = openat(fd, "d/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(file >= 0);
	}
	from = openat(top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = openat(top, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_xattr(from, ".", "user.top", "1");
	put_xattr(from, "d", "user.dir", "2");
	put_xattr(from, "d/f", "user.file", "3");
	put_xattr(from, "d/f", "user.empty", "");
	put_xattr(to, "d/f", "user.file", "other");
	put_xattr(to, "d/f", "user.more", "stays");
	assert_int_equal(tree_complete_xattrs(from, to, &err), 0);
	has_xattr(to, ".", "user.top", "1");
	has_xattr(to, "d", "user.dir", "2");
	has_xattr(to, "d/f", "user.file", "3");
	has_xattr(to, "d/f", "user.empty", "");
	has_xattr(to, "d/f", "user.more", "stays");
	/* No copy of it. */
	assert_int_equal(unlinkat(to, "d/f", 0), 0);
	assert_int_equal(tree_complete_xattrs(from, to, &err), -ENOENT);
	assert_string_equal(err.text, "copy attributes of f: No such file or directory");
	var = open("/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(var, dir + strlen("/var/tmp/")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),	    cmocka_unit_test(test_names_of_trees),
		cmocka_unit_test(test_diff),	    cmocka_unit_test(test_lvm_args),
		cmocka_unit_test(test_lvm_names),   cmocka_unit_test(test_mkfs_args),
		cmocka_unit_test(test_make_excess), cmocka_unit_test(test_complete_xattrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
