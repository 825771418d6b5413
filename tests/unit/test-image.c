/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of images, and what is known of one. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/meta.h"
#include "image/names.h"
#include "image/remote.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int open_tmp(char *path)
{
	assert_non_null(mkdtemp(path));
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int remove_tmp(const char *path)
{
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return remove_tree_at(tmp, path + strlen("/tmp/"));
}

static void test_valid(void **state)
{
	static const char *const good[] = { "a", "debian/12", "web-2.0_x+y", "0abc", "abcdef" };
	static const char *const bad[] = {
		"",    "@x",	    "/a", "a/", "a//b",	 "a..b", "a b",
		"a:b", "a\nb = " A, "-a", ".a", "a\xff", A,	 "0123456789abcdef"
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(image_name_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(image_name_is_valid(bad[i]));
}

static void test_names(void **state)
{
	char path[] = "/tmp/test-image.XXXXXX", got[IMAGE_DIGEST_LEN + 1];
	cleanup_fd int dir = open_tmp(path);
	cleanup_strlist struct strlist l = { 0 };
	static const char odd[] = "x\nx = 5\n= \nz = " A "\n";

	assert_int_equal(names_get(dir, "x", got), -ENOENT);
	assert_int_equal(names_set(dir, "x", A, NULL), 0);
	assert_int_equal(names_set(dir, "y/z", A, NULL), 0);
	assert_int_equal(names_set(dir, "@" B, A, NULL), 0);
	assert_int_equal(names_set(dir, "a\nb", A, NULL), -EINVAL);
	assert_int_equal(names_set(dir, "x", B, NULL), 0);
	assert_int_equal(names_get(dir, "x", got), 0);
	assert_string_equal(got, B);
	assert_int_equal(names_of(dir, A, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0], "y/z");
	assert_int_equal(names_drop(dir, A, NULL), 0);
	assert_int_equal(names_get(dir, "y/z", got), -ENOENT);
	assert_int_equal(names_get(dir, "@" B, got), -ENOENT);
	assert_int_equal(names_set(dir, "x", NULL, NULL), 0);
	assert_int_equal(names_get(dir, "x", got), -ENOENT);
	/* Lines that are none are no names. */
	assert_int_equal(write_file_replace(dir, "names", odd, strlen(odd), 0600), 0);
	assert_int_equal(names_get(dir, "x", got), -ENOENT);
	assert_int_equal(names_get(dir, "z", got), 0);
	assert_int_equal(remove_tmp(path), 0);
}

static void test_meta(void **state)
{
	char path[] = "/tmp/test-image.XXXXXX";
	cleanup_fd int dir = open_tmp(path);
	struct image_meta m = { .created = 5, .size = 7 }, got;

	/* What an index says becomes no line of its own. */
	snprintf(m.os, sizeof(m.os), "Debian\nsize = 9");
	snprintf(m.origin, sizeof(m.origin), "r:p");
	assert_int_equal(image_meta_write(dir, &m, NULL), 0);
	assert_int_equal(image_meta_read(dir, &got), 0);
	assert_string_equal(got.os, "Debian?size = 9");
	assert_string_equal(got.origin, "r:p");
	assert_true(got.size == 7 && got.created == 5);
	assert_int_equal(remove_tmp(path), 0);
}

static void test_index_lines(void **state)
{
	char text[] = "updated\t5\nimage\tp\tamd64\to\tr\tv\ta,b\t1\ttar\tx/y\t" A "\t12\n"
		      "image\tshort\nimage\tp\tamd64\to\tr\tv\ta\t1\ttar\tx\tnodigest\t12\n"
		      "image\tp\tamd64\to\tr\tv\ta\t1\ttar\tx\t" A "\t12\tmore\n";
	struct remote_image i;
	char *rest = text;

	assert_true(remote_next(&rest, &i));
	assert_string_equal(i.aliases, "a,b");
	assert_string_equal(i.path, "x/y");
	assert_true(i.size == 12);
	assert_false(remote_next(&rest, &i));
	assert_string_equal(remote_arch("x86_64"), "amd64");
	assert_string_equal(remote_arch("riscv64"), "riscv64");
}

/* Each file is compared with itself, what says no date by the versions in it. */
static void test_age(void **state)
{
#define IMAGE(version) "image\tp\tamd64\to\tr\tv\ta\t" version "\ttar\tx\t" A "\t12\n"
	static const char last[] = "updated\tindex\t50\nupdated\ta\t40\n" IMAGE("2");
	static const char none[] = "updated\tindex\t0\n" IMAGE("2");

	assert_false(remote_is_older(last, last));
	assert_false(remote_is_older("updated\tindex\t50\n", last));
	assert_false(remote_is_older("updated\tindex\t60\nupdated\ta\t40\n" IMAGE("1"), last));
	assert_true(remote_is_older("updated\tindex\t60\nupdated\ta\t39\n" IMAGE("3"), last));
	assert_true(remote_is_older("updated\tindex\t49\nupdated\ta\t41\n" IMAGE("3"), last));
	assert_true(remote_is_older("updated\tindex\t60\nupdated\ta\t0\n" IMAGE("3"), last));
	assert_false(remote_is_older(none, none));
	assert_true(remote_is_older("updated\tindex\t0\n" IMAGE("1"), none));
	/* The lines of an earlier version have no path. */
	assert_false(remote_is_older(last, "updated\t90\n" IMAGE("1")));
	assert_true(remote_is_older(last, "updated\t90\n" IMAGE("3")));
#undef IMAGE
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid), cmocka_unit_test(test_names),
		cmocka_unit_test(test_meta),  cmocka_unit_test(test_index_lines),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
