/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/idalloc.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"
#include "util/table.h"

#define BLOCK	    65536U
#define RANGE_FIRST 524288U
#define RANGE_LAST  1879048191U
#define FILE_LIMIT  (16 << 20)
#define MAX_RANGES  64

const struct idalloc_files idalloc_default = { "/etc/subuid", "/etc/subgid", STATEDIR,
					       "/proc/self/uid_map", "/proc/self/gid_map" };

struct range {
	uint64_t first, count;
};

struct ranges {
	struct range v[MAX_RANGES];
	size_t n;
};

/* Lines "user:first:count" of root (also as "0") and, into others, of everybody else. */
static int read_sub(const char *file, struct ranges *root, struct ranges *others)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	int r = read_file_at(AT_FDCWD, file, FILE_LIMIT, &text, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || strlist_split(&lines, text, "\n") < 0)
		return r < 0 ? r : -ENOMEM;
	for (size_t i = 0; i < lines.n; i++) {
		char *colon = strchr(lines.v[i], ':');
		unsigned long long first, count;
		struct ranges *to;

		if (!colon || sscanf(colon, ":%llu:%llu", &first, &count) != 2)
			continue;
		*colon = '\0';
		to = str_eq(lines.v[i], "root") || str_eq(lines.v[i], "0") ? root : others;
		if (to->n < MAX_RANGES)
			to->v[to->n++] = (struct range){ first, count };
	}
	return 0;
}

static bool overlaps(const struct ranges *r, uint64_t first, uint64_t count)
{
	for (size_t i = 0; i < r->n; i++)
		if (first < r->v[i].first + r->v[i].count && r->v[i].first < first + count)
			return true;
	return false;
}

static bool contains(const struct ranges *r, uint64_t first, uint64_t count)
{
	for (size_t i = 0; i < r->n; i++)
		if (first >= r->v[i].first && first + count <= r->v[i].first + r->v[i].count)
			return true;
	return false;
}

/* "INSIDE OUTSIDE COUNT" lines: the ids that exist in this user namespace. */
static int read_map(const char *file, struct ranges *ret)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	int r = read_file_at(AT_FDCWD, file, FILE_LIMIT, &text, NULL);

	if (r < 0 || strlist_split(&lines, text, "\n") < 0)
		return r < 0 ? r : -ENOMEM;
	for (size_t i = 0; i < lines.n && ret->n < MAX_RANGES; i++) {
		unsigned long long inside, count;

		if (sscanf(lines.v[i], "%llu %*u %llu", &inside, &count) == 2)
			ret->v[ret->n++] = (struct range){ inside, count };
	}
	return 0;
}

/* What is in both. */
static void intersect(struct ranges *r, const struct ranges *with)
{
	struct ranges out = { .n = 0 };

	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < with->n && out.n < MAX_RANGES; k++) {
			const struct range *a = &r->v[i], *b = &with->v[k];
			uint64_t first = a->first > b->first ? a->first : b->first;
			uint64_t end_a = a->first + a->count, end_b = b->first + b->count;
			uint64_t end = end_a < end_b ? end_a : end_b;

			if (first + BLOCK <= end)
				out.v[out.n++] = (struct range){ first, end - first };
		}
	*r = out;
}

static int append(const char *file, uint64_t first, uint64_t last, struct lxmgr_err *err)
{
	cleanup_fd int fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	cleanup_strbuf struct strbuf b = { 0 };
	char end = '\n';
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "open '%s'", file);
	/* A last line without its end must not swallow ours. */
	if (st.st_size > 0 && pread(fd, &end, 1, st.st_size - 1) == 1 && end != '\n')
		strbuf_addf(&b, "\n");
	strbuf_addf(&b, "root:%llu:%llu\n", (unsigned long long)first,
		    (unsigned long long)(last - first + 1));
	return write_all(fd, b.s, b.len) < 0 ? err_set(err, -EIO, "write '%s'", file) : 0;
}

/* The largest part of our range that nobody else registered, from its end downwards. mapped: the
 * ids that there are. */
static int register_range(const struct idalloc_files *f, const struct ranges *others,
			  const struct ranges *mapped, struct ranges *root_uid,
			  struct ranges *root_gid, struct lxmgr_err *err)
{
	struct ranges ours = { .n = 1, .v = { { RANGE_FIRST, RANGE_LAST + 1ULL - RANGE_FIRST } } };
	uint64_t first, last;
	int r;

	/* In a container: all behind an ordinary container's ids. */
	if (!contains(mapped, RANGE_FIRST, RANGE_LAST - RANGE_FIRST)) {
		ours.v[0].first = BLOCK;
		intersect(&ours, mapped);
		if (!ours.n)
			return err_msg(err, -ENOSPC,
				       "this container has no ids to give to containers in it; "
				       "on its host set lxmgr.features = nesting and restart it");
	}
	first = ours.v[0].first;
	last = first + ours.v[0].count - 1;

	for (size_t i = 0; i < others->n; i++) {
		uint64_t end = others->v[i].first + others->v[i].count;

		if (others->v[i].first <= last && end > first)
			first = (end + BLOCK - 1) / BLOCK * BLOCK;
	}
	if (first + BLOCK - 1 > last)
		return err_msg(err, -ERANGE,
			       "no subordinate ids are left for root below %llu in %s and %s",
			       (unsigned long long)last, f->subuid, f->subgid);
	r = append(f->subuid, first, last, err);
	if (r == 0)
		r = append(f->subgid, first, last, err);
	if (r == 0) {
		root_uid->v[root_uid->n++] = (struct range){ first, last - first + 1 };
		root_gid->v[root_gid->n++] = (struct range){ first, last - first + 1 };
	}
	return r;
}

static int open_table(struct table *t, const char *state_dir, bool lock, struct lxmgr_err *err)
{
	int r = table_open(t, state_dir, "idmap", lock);

	return r < 0 ? err_set(err, r, "open the table '%s/idmap'", state_dir) : 0;
}

/* The next line "FIRST COUNT ID". */
static const char *next(const char *p, struct range *ret, const char **ret_id, size_t *ret_n)
{
	unsigned long long first, count;
	int off = 0;
	size_t n;

	if (!p || !*p)
		return NULL;
	n = strcspn(p, "\n");
	*ret = (struct range){ 0 };
	*ret_id = p;
	*ret_n = 0;
	if (sscanf(p, "%llu %llu %n", &first, &count, &off) == 2 && off && (size_t)off <= n) {
		*ret = (struct range){ first, count };
		*ret_id = p + off;
		*ret_n = n - (size_t)off;
	}
	return p + n + (p[n] == '\n');
}

static int find(const struct table *t, const char *id, uint32_t count, uint32_t *ret)
{
	const char *p = t->text, *have;
	struct range r;
	size_t n;

	while ((p = next(p, &r, &have, &n)))
		if (n == strlen(id) && !memcmp(have, id, n) && r.count >= count) {
			*ret = (uint32_t)r.first;
			return 0;
		}
	return -ENOENT;
}

static bool is_taken(const uint8_t *map, uint64_t first, uint32_t count)
{
	for (uint64_t b = first / BLOCK; b < (first + count) / BLOCK; b++)
		if (map[b / 8] >> b % 8 & 1)
			return true;
	return false;
}

static int choose(const struct table *t, const struct ranges *uid, const struct ranges *gid,
		  const struct ranges *others, uint32_t count, uint32_t *ret)
{
	uint8_t map[65536 / 8] = { 0 };
	const char *p = t->text, *id;
	struct range r;
	size_t n;

	while ((p = next(p, &r, &id, &n)))
		for (uint64_t b = r.first / BLOCK; b < (r.first + r.count) / BLOCK && b < 65536;
		     b++)
			map[b / 8] |= (uint8_t)(1 << b % 8);
	for (size_t i = 0; i < uid->n; i++) {
		uint64_t first = (uid->v[i].first + BLOCK - 1) / BLOCK * BLOCK;
		uint64_t end = uid->v[i].first + uid->v[i].count;

		for (; first + count <= end && first + count <= UINT32_MAX; first += BLOCK) {
			if (is_taken(map, first, count) || !contains(gid, first, count) ||
			    overlaps(others, first, count))
				continue;
			*ret = (uint32_t)first;
			return 0;
		}
	}
	return -ENOSPC;
}

int idalloc_acquire_in(const struct idalloc_files *f, const char *id, uint32_t count,
		       uint32_t *ret_base, struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	struct ranges uid = { .n = 0 }, gid = { .n = 0 }, others = { .n = 0 };
	struct ranges mapped = { .n = 0 }, mapped_gid = { .n = 0 };
	cleanup_strbuf struct strbuf b = { 0 };
	int r = open_table(&t, f->state_dir, false, err);

	if (r < 0)
		return r;
	if (find(&t, id, count, ret_base) == 0)
		return 0;
	table_close(&t);
	if (strchr(id, '\n'))
		return err_msg(err, -EINVAL, "a path with a line break cannot be recorded");
	r = open_table(&t, f->state_dir, true, err);
	/* Somebody else who makes it may have been faster. */
	if (r < 0 || find(&t, id, count, ret_base) == 0)
		return r;
	if (read_sub(f->subuid, &uid, &others) < 0 || read_sub(f->subgid, &gid, &others) < 0)
		return err_msg(err, -EIO, "cannot read '%s' or '%s'", f->subuid, f->subgid);
	if (read_map(f->uid_map, &mapped) < 0 || read_map(f->gid_map, &mapped_gid) < 0)
		return err_msg(err, -EIO, "cannot read '%s' or '%s'", f->uid_map, f->gid_map);
	intersect(&mapped, &mapped_gid);
	intersect(&uid, &mapped);
	intersect(&gid, &mapped);
	if (!uid.n || !gid.n) {
		r = register_range(f, &others, &mapped, &uid, &gid, err);
		if (r < 0)
			return r;
	}
	r = choose(&t, &uid, &gid, &others, count, ret_base);
	if (r < 0)
		return err_msg(
			err, r,
			"no block of %u ids is left in root's ranges (%s, %s); add one there",
			count, f->subuid, f->subgid);
	strbuf_addf(&b, "%s%u %u %s\n", t.text, *ret_base, count, id);
	r = table_replace(&t, &b, true);
	return r < 0 ? err_set(err, r, "write '%s/idmap'", f->state_dir) : 0;
}

int idalloc_release_in(const struct idalloc_files *f, const char *id, struct lxmgr_err *err)
{
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line, *have;
	struct range range;
	bool any = false;
	size_t n;
	int r = open_table(&t, f->state_dir, true, err);

	if (r < 0)
		return r;
	for (line = p = t.text; (p = next(p, &range, &have, &n)); line = p) {
		if (n == strlen(id) && !memcmp(have, id, n))
			any = true;
		else
			strbuf_add(&b, line, (size_t)(p - line));
	}
	if (!any)
		return 0;
	r = table_replace(&t, &b, false);
	return r < 0 ? err_set(err, r, "write '%s/idmap'", f->state_dir) : 0;
}

int idalloc_rename(const char *from, const char *to, struct lxmgr_err *err)
{
	const struct idalloc_files *f = &idalloc_default;
	cleanup_table struct table t = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line, *have;
	struct range range;
	size_t n;
	int r = open_table(&t, f->state_dir, true, err);

	if (r < 0)
		return r;
	for (line = p = t.text; (p = next(p, &range, &have, &n)); line = p) {
		if (n == strlen(from) && !memcmp(have, from, n))
			strbuf_addf(&b, "%.*s%s\n", (int)(have - line), line, to);
		else
			strbuf_add(&b, line, (size_t)(p - line));
	}
	r = table_replace(&t, &b, true);
	return r < 0 ? err_set(err, r, "write '%s/idmap'", f->state_dir) : 0;
}

int idalloc_acquire(const char *id, uint32_t count, uint32_t *ret_base, struct lxmgr_err *err)
{
	return idalloc_acquire_in(&idalloc_default, id, count, ret_base, err);
}

int idalloc_release(const char *id, struct lxmgr_err *err)
{
	return idalloc_release_in(&idalloc_default, id, err);
}

int idalloc_usage(uint64_t *ret_used, uint64_t *ret_total, struct lxmgr_err *err)
{
	const struct idalloc_files *f = &idalloc_default;
	struct table t __attribute__((cleanup(table_close))) = { .dir = -EBADF, .lock = -EBADF };
	struct ranges uid = { .n = 0 }, gid = { .n = 0 }, others = { .n = 0 };
	const char *p, *id;
	struct range range;
	size_t n;
	int r = open_table(&t, f->state_dir, false, err);

	if (r < 0)
		return r;
	if (read_sub(f->subuid, &uid, &others) < 0 || read_sub(f->subgid, &gid, &others) < 0)
		return err_msg(err, -EIO, "cannot read '%s' or '%s'", f->subuid, f->subgid);
	*ret_used = *ret_total = 0;
	for (p = t.text; (p = next(p, &range, &id, &n));)
		*ret_used += range.count / BLOCK;
	for (size_t i = 0; i < uid.n; i++) {
		uint64_t first = (uid.v[i].first + BLOCK - 1) / BLOCK * BLOCK;

		for (; first + BLOCK <= uid.v[i].first + uid.v[i].count; first += BLOCK)
			*ret_total +=
				contains(&gid, first, BLOCK) && !overlaps(&others, first, BLOCK);
	}
	return 0;
}
