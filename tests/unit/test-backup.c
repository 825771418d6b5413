/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of a directory of backups, what goes and what stays; configs that nobody vouches for. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "container/backup.h"
#include "container/import_config.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/keep.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DAY 86400

static const char good[] =
	"lxmgr-backup 1\nname web\n"
	"part 20260101T000000Z full - " SUM " 1000 1767225600 point\n"
	"part 20260102T000000Z increment 20260101T000000Z " SUM " 10 1767312000 base\n"
	"part 20260103T000000Z increment 20260102T000000Z " SUM " 20 1767398400 point\n"
	"index 20260103T000000Z\n";

static void test_round_trip(void **state)
{
	cleanup_backup struct backup b = BACKUP_INIT;
	cleanup_free char *text = NULL;
	struct lxmgr_err err;

	(void)state;
	assert_int_equal(backup_parse(&b, good, &err), 0);
	assert_int_equal(b.n, 3);
	assert_string_equal(b.name, "web");
	assert_string_equal(b.part[2].parent, "20260102T000000Z");
	assert_true(b.part[0].is_point && !b.part[1].is_point);
	text = backup_print(&b);
	assert_string_equal(text, good);
}

static void test_bad_lists(void **state)
{
	static const char *const bad[] = {
		"",
		"lxmgr-backup 2\n",
		"lxmgr-backup 1\nname ../x\n",
		"lxmgr-backup 1\nindex ../x\n",
		"lxmgr-backup 1\nnonsense\n",
		"lxmgr-backup 1\npart a full - " SUM " 1000 1 \n",
		"lxmgr-backup 1\npart ../a full - " SUM " 1000 1 point\n",
		"lxmgr-backup 1\npart a full - 1234 1000 1 point\n",
		"lxmgr-backup 1\npart a full b " SUM " 1000 1 point\n",
		"lxmgr-backup 1\npart a increment - " SUM " 1000 1 point\n",
		"lxmgr-backup 1\npart a increment ../b " SUM " 1000 1 point\n",
		"lxmgr-backup 1\npart a other b " SUM " 1000 1 point\n",
		"lxmgr-backup 1\npart a full - " SUM " -1 1 point\n",
		"lxmgr-backup 1\npart a full - " SUM " 99999999999999999999 1 point\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_backup struct backup b = BACKUP_INIT;
		struct lxmgr_err err;

		assert_true(backup_parse(&b, bad[i], &err) < 0);
	}
}

static void test_chain(void **state)
{
	cleanup_backup struct backup b = BACKUP_INIT;
	const struct backup_part *chain[8];
	struct lxmgr_err err;

	(void)state;
	assert_int_equal(backup_parse(&b, good, &err), 0);
	assert_ptr_equal(backup_find(&b, NULL), &b.part[2]);
	assert_null(backup_find(&b, "20260102T000000Z"));
	assert_ptr_equal(backup_find(&b, "20260101T000000Z"), &b.part[0]);
	assert_int_equal(backup_chain(&b, &b.part[2], chain, 8), 3);
	assert_ptr_equal(chain[0], &b.part[0]);
	assert_ptr_equal(chain[2], &b.part[2]);
	assert_int_equal(backup_chain(&b, &b.part[2], chain, 2), 0);
	/* A parent that is not there, or stands behind. */
	snprintf(b.part[1].parent, sizeof(b.part[1].parent), "20260103T000000Z");
	assert_int_equal(backup_chain(&b, &b.part[2], chain, 8), 0);
}

/* A full one each tenth day, increments between; each day's point only stands on those before. */
static void fill(struct backup *b, size_t n)
{
	b->part = calloc(n + 1, sizeof(*b->part));
	for (size_t i = 0; i < n; i++) {
		struct backup_part *p = &b->part[b->n++];

		snprintf(p->point, sizeof(p->point), "p%zu", i);
		if (i % 10)
			snprintf(p->parent, sizeof(p->parent), "p%zu", i - 1);
		snprintf(p->sum, sizeof(p->sum), SUM);
		p->when = 1767225600 + i * DAY;
		p->is_point = true;
	}
}

static void test_prune(void **state)
{
	cleanup_backup struct backup b = BACKUP_INIT;
	const struct backup_part *chain[64];
	struct keep keep;
	size_t points = 0;

	(void)state;
	fill(&b, 36);
	assert_int_equal(keep_parse("4", &keep), 0);
	assert_int_equal(backup_prune(&b, &keep), 32);
	/* p32 to p35, and p30, p31, on which they stand. */
	assert_int_equal(b.n, 6);
	for (size_t i = 0; i < b.n; i++) {
		points += b.part[i].is_point;
		assert_true(backup_chain(&b, &b.part[i], chain, 64) > 0);
	}
	assert_int_equal(points, 4);
	assert_string_equal(b.part[0].point, "p30");
	assert_false(b.part[1].is_point);
	/* Again: nothing more goes. */
	assert_int_equal(backup_prune(&b, &keep), 0);
	assert_int_equal(b.n, 6);
}

/* Whatever is kept comes back: each point that stays has all that it stands on. */
static void test_prune_keeps_chains(void **state)
{
	static const char *const rules[] = { "1", "3,2w", "7d,4w,6m", "1y", "2m", "5w" };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rules); k++) {
		cleanup_backup struct backup b = BACKUP_INIT;
		const struct backup_part *chain[64];
		struct keep keep;

		fill(&b, 97);
		assert_int_equal(keep_parse(rules[k], &keep), 0);
		assert_true(backup_prune(&b, &keep) > 0);
		assert_string_equal(backup_find(&b, NULL)->point, "p96");
		for (size_t i = 0; i < b.n; i++)
			assert_true(backup_chain(&b, &b.part[i], chain, 64) > 0);
	}
}

static void test_merge(void **state)
{
	static const char from[] = "# a comment\n"
				   "lxmgr.limit.pids = 99\n"
				   "lxc.uts.name = theirs\n"
				   "lxmgr.hook.pre-start = /bin/evil\n"
				   "lxmgr.hook.pre-start = /bin/evil2\n"
				   "lxmgr.mount.entry = /etc mnt none bind 0 0\n"
				   "lxmgr.include = /etc/shadow\n"
				   "lxmgr.idmap = none\n"
				   "lxmgr.net.0.hwaddr = 02:00:00:00:00:01\n"
				   "lxmgr.net.0.script.up = /bin/evil\n"
				   "lxmgr.net.0.ipv4.address = 10.0.0.9/24\n"
				   "lxmgr.environment.runtime = A=1\n"
				   "lxmgr.environment.runtime = B=2\n";
	cleanup_merge struct import_merge m = { 0 };
	cleanup_free char *text = strdup("lxmgr.limit.pids = 4096\nlxmgr.net.0.type = veth\n");
	struct lxmgr_err err;

	(void)state;
	m.mac = true;
	assert_int_equal(import_config_merge(&text, from, &m, &err), 0);
	assert_string_equal(text, "lxmgr.net.0.type = veth\nlxmgr.limit.pids = 99\n"
				  "lxmgr.uts.name = theirs\n"
				  "lxmgr.net.0.hwaddr = 02:00:00:00:00:01\n"
				  "lxmgr.environment.runtime = A=1\n"
				  "lxmgr.environment.runtime = B=2\n");
	assert_int_equal(m.left_out.n, 4);
	assert_true(strlist_has(&m.left_out, "hook.pre-start"));
	assert_true(strlist_has(&m.left_out, "mount.entry"));
	assert_true(strlist_has(&m.left_out, "idmap"));
	assert_true(strlist_has(&m.left_out, "net.0.script.up"));
}

/* What limits a new container of this host, or is denied to it, somebody's config cannot lift. */
static void test_merge_limits(void **state)
{
	static const char ours[] = "lxmgr.limit.pids = 4096\nlxmgr.limit.memory = 2G\n"
				   "lxmgr.limit.disk = 8G\nlxmgr.cap.drop = sys_module\n"
				   "lxmgr.no_new_privs = 1\n";
	static const char *const more[] = {
		"lxmgr.limit.pids = max",   "lxmgr.limit.pids = 4097",	"lxmgr.limit.pids =",
		"lxmgr.limit.memory = max", "lxmgr.limit.memory =",	"lxmgr.limit.memory = 48G",
		"lxmgr.limit.disk = max",   "lxmgr.cap.drop =",		"lxmgr.no_new_privs = 0",
		"lxmgr.no_new_privs =",	    "lxc.limit.memory = 2049M",
	};
	static const char less[] = "lxmgr.limit.memory = 1G\nlxmgr.limit.cpus = 2\n"
				   "lxmgr.cap.drop = mknod\nlxmgr.no_new_privs = 1\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		cleanup_merge struct import_merge m = { 0 };
		cleanup_free char *text = strdup(ours);
		struct lxmgr_err err;

		assert_int_equal(import_config_merge(&text, more[i], &m, &err), 0);
		assert_string_equal(text, ours);
		assert_int_equal(m.notices.n, 1);
	}
	{
		cleanup_merge struct import_merge m = { 0 };
		cleanup_free char *text = strdup(ours);
		struct lxmgr_err err;

		assert_int_equal(import_config_merge(&text, less, &m, &err), 0);
		assert_int_equal(m.notices.n, 0);
		assert_string_equal(text, "lxmgr.limit.pids = 4096\nlxmgr.limit.disk = 8G\n"
					  "lxmgr.cap.drop = sys_module\n"
					  "lxmgr.limit.memory = 1G\nlxmgr.limit.cpus = 2\n"
					  "lxmgr.cap.drop = mknod\nlxmgr.no_new_privs = 1\n");
	}
}

static void test_merge_vast(void **state)
{
	cleanup_merge struct import_merge m = { 0 };
	cleanup_free char *text = strdup(""), *from = calloc(1, 70001);
	struct lxmgr_err err;

	(void)state;
	for (size_t i = 0; i < 1001; i++)
		strcat(from, "lxmgr.group = a\n");
	assert_true(import_config_merge(&text, from, &m, &err) < 0);
	assert_int_equal(err.status, STATUS_REFUSED);
	memset(from, '#', 70000);
	assert_true(import_config_merge(&text, from, &m, &err) < 0);
	/* The host's memory. */
	strcpy(from, "lxmgr.console.buffer.size = 1M\n");
	assert_int_equal(import_config_merge(&text, from, &m, &err), 0);
	assert_string_equal(text, "");
	assert_true(strlist_has(&m.left_out, "console.buffer.size"));
}

static void test_merge_bad(void **state)
{
	static const char *const bad[] = { "nonsense", "limit.pids = 1", "lxmgr. = 1",
					   "lxmgr.limit.pids" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_merge struct import_merge m = { 0 };
		cleanup_free char *text = strdup("");
		struct lxmgr_err err;

		assert_true(import_config_merge(&text, bad[i], &m, &err) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_prune),
		cmocka_unit_test(test_prune_keeps_chains),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_limits),
		cmocka_unit_test(test_merge_vast),
		cmocka_unit_test(test_merge_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
