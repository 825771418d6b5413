/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/mcsalloc.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include "util/str.h"
#include "util/table.h"

#define CATEGORIES 1024U
#define PAIRS	   (CATEGORIES * (CATEGORIES - 1) / 2)

/* A line "C1 C2 ID", C1 below C2. */
struct entry {
	unsigned int a, b;
	const char *id;
	size_t n;
};

static const char *next(const char *p, struct entry *e)
{
	int off = 0;
	size_t n;

	if (!*p)
		return NULL;
	n = strcspn(p, "\n");
	*e = (struct entry){ .id = p };
	if (sscanf(p, "%u %u %n", &e->a, &e->b, &off) == 2 && (size_t)off <= n && e->a < e->b &&
	    e->b < CATEGORIES) {
		e->id = p + off;
		e->n = n - (size_t)off;
	}
	return p + n + (p[n] == '\n');
}

static bool is_of(const struct entry *e, const char *id)
{
	return e->n && e->n == strlen(id) && !memcmp(e->id, id, e->n);
}

static void print_level(unsigned int a, unsigned int b, char level[MCS_LEVEL_SIZE])
{
	snprintf(level, MCS_LEVEL_SIZE, "s0:c%u,c%u", a % CATEGORIES, b % CATEGORIES);
}

static int find(const struct table *t, const char *id, char level[MCS_LEVEL_SIZE])
{
	const char *p = t->text;
	struct entry e;

	while ((p = next(p, &e)))
		if (is_of(&e, id)) {
			print_level(e.a, e.b, level);
			return 0;
		}
	return -ENOENT;
}

static unsigned int number_of(unsigned int a, unsigned int b)
{
	return b * (b - 1) / 2 + a;
}

/* The first free pair from the one that the id's hash says. */
static int choose(const struct table *t, const char *id, unsigned int *ret_a, unsigned int *ret_b)
{
	cleanup_free uint8_t *taken = calloc(PAIRS / 8 + 1, 1);
	unsigned int n = (unsigned int)(str_hash(id, strlen(id)) % PAIRS), i;
	const char *p = t->text;
	struct entry e;

	if (!taken)
		return -ENOMEM;
	while ((p = next(p, &e)))
		if (e.n)
			taken[number_of(e.a, e.b) / 8] |= (uint8_t)(1U << number_of(e.a, e.b) % 8);
	for (i = 0; i < PAIRS && taken[n / 8] >> n % 8 & 1; i++)
		n = (n + 1) % PAIRS;
	if (i == PAIRS)
		return -ENOSPC;
	for (*ret_b = 1; number_of(0, *ret_b + 1) <= n; (*ret_b)++)
		;
	*ret_a = n - number_of(0, *ret_b);
	return 0;
}

static int open_table(struct table *t, const char *dir, bool lock, struct lxmgr_err *err)
{
	int r = table_open(t, dir, "mcs", lock);

	return r < 0 ? err_set(err, r, "open the table '%s/mcs'", dir) : 0;
}

int mcs_acquire_in(const char *dir, const char *id, char level[MCS_LEVEL_SIZE],
		   struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	unsigned int c1, c2;
	int r = open_table(&t, dir, false, err);

	if (r < 0 || find(&t, id, level) == 0)
		return r;
	table_close(&t);
	if (strchr(id, '\n'))
		return err_msg(err, -EINVAL, "a path with a line break cannot be recorded");
	r = open_table(&t, dir, true, err);
	/* Somebody else who makes it may have been faster. */
	if (r < 0 || find(&t, id, level) == 0)
		return r;
	r = choose(&t, id, &c1, &c2);
	if (r < 0)
		return err_set(err, r, "find free SELinux categories in '%s/mcs'", dir);
	strbuf_addf(&b, "%s%u %u %s\n", t.text, c1, c2, id);
	r = table_replace(&t, &b, true);
	if (r < 0)
		return err_set(err, r, "write '%s/mcs'", dir);
	print_level(c1, c2, level);
	return 0;
}

int mcs_release_in(const char *dir, const char *id, struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line;
	bool any = false;
	struct entry e;
	int r = open_table(&t, dir, true, err);

	if (r < 0)
		return r;
	for (line = p = t.text; (p = next(p, &e)); line = p) {
		if (is_of(&e, id))
			any = true;
		else
			strbuf_add(&b, line, (size_t)(p - line));
	}
	r = any ? table_replace(&t, &b, false) : 0;
	return r < 0 ? err_set(err, r, "write '%s/mcs'", dir) : 0;
}

int mcs_rename(const char *from, const char *to, struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line;
	struct entry e;
	int r = access(STATEDIR "/mcs", F_OK) < 0 ? 1 : open_table(&t, STATEDIR, true, err);

	if (r != 0)
		return r < 0 ? r : 0;
	for (line = p = t.text; (p = next(p, &e)); line = p) {
		if (is_of(&e, from))
			strbuf_addf(&b, "%u %u %s\n", e.a, e.b, to);
		else
			strbuf_add(&b, line, (size_t)(p - line));
	}
	r = table_replace(&t, &b, true);
	return r < 0 ? err_set(err, r, "write '" STATEDIR "/mcs'") : 0;
}

int mcs_acquire(const char *id, char level[MCS_LEVEL_SIZE], struct lxmgr_err *err)
{
	return mcs_acquire_in(STATEDIR, id, level, err);
}

int mcs_release(const char *id, struct lxmgr_err *err)
{
	/* A host without SELinux has no table and needs none. */
	return access(STATEDIR "/mcs", F_OK) < 0 ? 0 : mcs_release_in(STATEDIR, id, err);
}
