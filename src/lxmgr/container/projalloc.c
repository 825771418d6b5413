/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/projalloc.h"
#include "kernel/quota.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"
#include "util/table.h"

#define FILE_LIMIT (1 << 20)

const struct projalloc_files projalloc_default = { "/etc/projid", "/etc/projects", STATEDIR };

/* A line "N ID". */
struct entry {
	uint32_t project;
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
	if (sscanf(p, "%u %n", &e->project, &off) == 1 && off && (size_t)off <= n) {
		e->id = p + off;
		e->n = n - (size_t)off;
	}
	return p + n + (p[n] == '\n');
}

static bool is_of(const struct entry *e, const char *id)
{
	return e->n && e->n == strlen(id) && !memcmp(e->id, id, e->n);
}

static int find(const struct table *t, const char *id, uint32_t *ret)
{
	const char *p = t->text;
	struct entry e;

	while ((p = next(p, &e)))
		if (is_of(&e, id)) {
			*ret = e.project;
			return 0;
		}
	return -ENOENT;
}

/* Ordered, so that one walk finds the first that is not in it. */
struct numbers {
	uint32_t *v;
	size_t n, size;
};

static void numbers_free(struct numbers *s)
{
	free(s->v);
}

static int add(struct numbers *s, uint32_t v)
{
	uint32_t *more;

	if (s->n == s->size) {
		more = realloc(s->v, (s->size * 2 + 64) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->v = more;
		s->size = s->size * 2 + 64;
	}
	s->v[s->n++] = v;
	return 0;
}

/* Lines "name:N" of /etc/projid, "N:path" of /etc/projects. */
static int add_named(struct numbers *s, const char *file, bool name_first)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	int r = read_file_at(AT_FDCWD, file, FILE_LIMIT, &text, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || strlist_split(&lines, text, "\n") < 0)
		return r < 0 ? r : -ENOMEM;
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		char *colon = strchr(lines.v[i], ':');
		uint32_t v;

		if (!colon)
			continue;
		*colon = '\0';
		if (parse_u32(str_strip(name_first ? colon + 1 : lines.v[i]), &v) == 0)
			r = add(s, v);
	}
	return r;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_free_on(int dir_fd, uint32_t project)
{
	struct quota q;

	return dir_fd < 0 || (quota_get(dir_fd, project, &q) == 0 && !q.bytes && !q.inodes &&
			      !q.max_bytes && !q.max_inodes);
}

static int choose(const struct projalloc_files *f, const struct table *t, int dir_fd, uint32_t *ret,
		  struct lxmgr_err *err)
{
	struct numbers taken __attribute__((cleanup(numbers_free))) = { .n = 0 };
	const char *p = t->text;
	struct entry e;
	size_t i = 0;
	int r = add_named(&taken, f->projid, true);

	if (r == 0)
		r = add_named(&taken, f->projects, false);
	while (r == 0 && (p = next(p, &e)))
		r = e.n ? add(&taken, e.project) : 0;
	if (r < 0)
		return err_set(err, r, "read the projects in '%s/projects', '%s' and '%s'",
			       f->state_dir, f->projid, f->projects);
	if (taken.n)
		qsort(taken.v, taken.n, sizeof(*taken.v), by_value);
	for (*ret = PROJECT_FIRST; *ret <= PROJECT_LAST; ++*ret) {
		while (i < taken.n && taken.v[i] < *ret)
			i++;
		if ((i == taken.n || taken.v[i] != *ret) && is_free_on(dir_fd, *ret))
			return 0;
	}
	return err_msg(err, -ENOSPC, "no project is left from %u to %u", PROJECT_FIRST,
		       PROJECT_LAST);
}

static int open_table(struct table *t, const char *dir, bool lock, struct lxmgr_err *err)
{
	int r = table_open(t, dir, "projects", lock);

	return r < 0 ? err_set(err, r, "open the table '%s/projects'", dir) : 0;
}

int projalloc_acquire_in(const struct projalloc_files *f, const char *id, int dir_fd, uint32_t *ret,
			 struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	int r = open_table(&t, f->state_dir, false, err);

	if (r < 0 || find(&t, id, ret) == 0)
		return r;
	table_close(&t);
	if (strchr(id, '\n'))
		return err_msg(err, -EINVAL, "a path with a line break cannot be recorded");
	r = open_table(&t, f->state_dir, true, err);
	/* Somebody else who makes it may have been faster. */
	if (r < 0 || find(&t, id, ret) == 0)
		return r;
	r = choose(f, &t, dir_fd, ret, err);
	if (r < 0)
		return r;
	strbuf_addf(&b, "%s%u %s\n", t.text, *ret, id);
	r = table_replace(&t, &b, true);
	return r < 0 ? err_set(err, r, "write '%s/projects'", f->state_dir) : 0;
}

/* A limit without a container would keep the number from the next one. */
static void forget_limit(int dir_fd, uint32_t project)
{
	struct quota q;

	if (dir_fd >= 0 && quota_get(dir_fd, project, &q) == 0 && (q.max_bytes || q.max_inodes) &&
	    quota_set(dir_fd, project, 0, 0) < 0)
		log_warn("the limit of project %u stays, ignoring", project);
}

int projalloc_release_in(const struct projalloc_files *f, const char *id, int dir_fd,
			 struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line;
	bool any = false;
	struct entry e;
	int r = open_table(&t, f->state_dir, true, err);

	if (r < 0)
		return r;
	for (line = p = t.text; (p = next(p, &e)); line = p) {
		if (!is_of(&e, id)) {
			strbuf_add(&b, line, (size_t)(p - line));
			continue;
		}
		any = true;
		forget_limit(dir_fd, e.project);
	}
	r = any ? table_replace(&t, &b, false) : 0;
	return r < 0 ? err_set(err, r, "write '%s/projects'", f->state_dir) : 0;
}

int projalloc_rename_in(const struct projalloc_files *f, const char *from, const char *to,
			struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line;
	struct entry e;
	int r = open_table(&t, f->state_dir, true, err);

	if (r < 0)
		return r;
	for (line = p = t.text; (p = next(p, &e)); line = p) {
		if (is_of(&e, from))
			strbuf_addf(&b, "%u %s\n", e.project, to);
		else
			strbuf_add(&b, line, (size_t)(p - line));
	}
	r = table_replace(&t, &b, true);
	return r < 0 ? err_set(err, r, "write '%s/projects'", f->state_dir) : 0;
}

/* A host on which nothing was ever limited has no table and needs none. */
static bool has_table(void)
{
	return access(STATEDIR "/projects", F_OK) == 0;
}

int projalloc_acquire(const char *id, int dir_fd, uint32_t *ret, struct lxmgr_err *err)
{
	return projalloc_acquire_in(&projalloc_default, id, dir_fd, ret, err);
}

int projalloc_release(const char *id, int dir_fd, struct lxmgr_err *err)
{
	return has_table() ? projalloc_release_in(&projalloc_default, id, dir_fd, err) : 0;
}

int projalloc_rename(const char *from, const char *to, struct lxmgr_err *err)
{
	return has_table() ? projalloc_rename_in(&projalloc_default, from, to, err) : 0;
}
