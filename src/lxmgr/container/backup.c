/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "container/backup.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/keep.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

#define HEAD		"lxmgr-backup 1"
#define LIST_LIMIT	(16 << 20)
#define LOCK_TIMEOUT_MS 30000
/* Increments in a row before the next full one: what a restore has to read, and what the loss of
 * one part costs. */
#define CHAIN_MAX 32
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static bool point_is_valid(const char *s)
{
	return name_is_valid(s) && strlen(s) < BACKUP_NAME;
}

/* The list. */

static int parse_part(struct backup *b, const struct strlist *w)
{
	struct backup_part *p, *more = realloc(b->part, (b->n + 1) * sizeof(*more));
	bool full;

	if (!more)
		return -ENOMEM;
	b->part = more;
	p = &b->part[b->n];
	memset(p, 0, sizeof(*p));
	if (w->n != 8)
		return -EINVAL;
	full = str_eq(w->v[2], "full");
	if (!point_is_valid(w->v[1]) || !name_is_digest(w->v[4]) ||
	    parse_u64(w->v[5], &p->size) < 0 || parse_u64(w->v[6], &p->when) < 0 ||
	    (full ? !str_eq(w->v[3], "-")
		  : !str_eq(w->v[2], "increment") || !point_is_valid(w->v[3])))
		return -EINVAL;
	snprintf(p->point, sizeof(p->point), "%s", w->v[1]);
	snprintf(p->sum, sizeof(p->sum), "%s", w->v[4]);
	if (!full)
		snprintf(p->parent, sizeof(p->parent), "%s", w->v[3]);
	p->is_point = str_eq(w->v[7], "point");
	b->n++;
	return 0;
}

static int parse_line(struct backup *b, const char *line)
{
	cleanup_strlist struct strlist w = { 0 };
	int r = strlist_split(&w, line, " ");

	if (r < 0 || !w.n)
		return r;
	if (str_eq(w.v[0], "part"))
		return parse_part(b, &w);
	if (w.n == 2 && str_eq(w.v[0], "name") && name_is_valid(w.v[1]))
		return snprintf(b->name, sizeof(b->name), "%s", w.v[1]) < 0;
	if (w.n == 2 && str_eq(w.v[0], "index") && point_is_valid(w.v[1]))
		return snprintf(b->index, sizeof(b->index), "%s", w.v[1]) < 0;
	return -EINVAL;
}

int backup_parse(struct backup *b, const char *text, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };

	if (strlist_split(&lines, text, "\n") < 0)
		return err_set(err, -ENOMEM, "backup");
	if (!lines.n || !str_eq(lines.v[0], HEAD))
		return err_msg(err, -EINVAL, "'%s/points' is no list of backups of this version",
			       b->path);
	for (size_t i = 1; i < lines.n; i++)
		if (parse_line(b, lines.v[i]) < 0)
			return err_msg(err, -EINVAL, "'%s/points' is damaged in line %zu", b->path,
				       i + 1);
	return 0;
}

char *backup_print(const struct backup *b)
{
	cleanup_strbuf struct strbuf s = { 0 };

	strbuf_addf(&s, HEAD "\n");
	if (*b->name)
		strbuf_addf(&s, "name %s\n", b->name);
	for (size_t i = 0; i < b->n; i++) {
		const struct backup_part *p = &b->part[i];

		strbuf_addf(&s, "part %s %s %s %s %" PRIu64 " %" PRIu64 " %s\n", p->point,
			    *p->parent ? "increment" : "full", *p->parent ? p->parent : "-", p->sum,
			    p->size, p->when, p->is_point ? "point" : "base");
	}
	if (*b->index)
		strbuf_addf(&s, "index %s\n", b->index);
	return strbuf_take(&s);
}

const struct backup_part *backup_find(const struct backup *b, const char *point)
{
	for (size_t i = b->n; i > 0; i--)
		if (b->part[i - 1].is_point && (!point || str_eq(b->part[i - 1].point, point)))
			return &b->part[i - 1];
	return NULL;
}

/* A part stands behind its parent: no list goes in circles. */
static const struct backup_part *parent_of(const struct backup *b, const struct backup_part *p)
{
	for (const struct backup_part *q = p; q > b->part;)
		if (str_eq((--q)->point, p->parent))
			return q;
	return NULL;
}

size_t backup_chain(const struct backup *b, const struct backup_part *p,
		    const struct backup_part **ret, size_t size)
{
	bool whole = false;
	size_t n = 0;

	for (; p && n < size && !whole; p = parent_of(b, p)) {
		ret[n++] = p;
		whole = !*p->parent;
	}
	if (!whole)
		return 0;
	for (size_t i = 0; i < n / 2; i++) {
		const struct backup_part *x = ret[i];

		ret[i] = ret[n - 1 - i];
		ret[n - 1 - i] = x;
	}
	return n;
}

const char *backup_file(const struct backup_part *p, char buf[BACKUP_FILE_SIZE])
{
	snprintf(buf, BACKUP_FILE_SIZE, "%s.tar.zst", p->point);
	return buf;
}

static void index_file(const char *point, char buf[BACKUP_FILE_SIZE])
{
	snprintf(buf, BACKUP_FILE_SIZE, "%s.index", point);
}

static bool is_there(const struct backup *b, const struct backup_part *p)
{
	char file[BACKUP_FILE_SIZE];
	struct stat st;

	return fstatat(b->dir_fd, backup_file(p, file), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == p->size;
}

const char *backup_missing(const struct backup *b, const struct backup_part *p)
{
	for (; p; p = parent_of(b, p)) {
		const char *lost = p->point;

		if (!is_there(b, p))
			return lost;
		if (!*p->parent)
			return NULL;
		if (!parent_of(b, p))
			return p->parent;
	}
	return "";
}

/* A chain that has become long, or as large as what it began with, ends. */
const struct backup_part *backup_base(const struct backup *b)
{
	const struct backup_part *chain[CHAIN_MAX], *last = b->n ? &b->part[b->n - 1] : NULL;
	char file[BACKUP_FILE_SIZE];
	uint64_t more = 0;
	size_t n;

	if (!last || !str_eq(b->index, last->point) || backup_missing(b, last))
		return NULL;
	index_file(b->index, file);
	if (faccessat(b->dir_fd, file, R_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	n = backup_chain(b, last, chain, CHAIN_MAX);
	for (size_t i = 1; i < n; i++)
		more += chain[i]->size;
	return n == 0 || n == CHAIN_MAX || more > chain[0]->size ? NULL : last;
}

int backup_new_point(const struct backup *b, uint64_t when, char ret[BACKUP_NAME],
		     struct lxmgr_err *err)
{
	time_t t = (time_t)when;
	struct tm tm;
	char base[24];

	if (!gmtime_r(&t, &tm) || !strftime(base, sizeof(base), "%Y%m%dT%H%M%SZ", &tm))
		return err_msg(err, -EINVAL, "the clock has no usable time");
	for (unsigned int i = 1; i < 1000; i++) {
		bool taken = false;

		if (i == 1)
			snprintf(ret, BACKUP_NAME, "%s", base);
		else
			snprintf(ret, BACKUP_NAME, "%s-%u", base, i);
		for (size_t k = 0; k < b->n; k++)
			taken |= str_eq(b->part[k].point, ret);
		if (!taken)
			return 0;
	}
	return err_msg(err, -EEXIST, "there are too many points of this second");
}

static void mark_needed(const struct backup *b, const struct backup_part *p, bool *needed)
{
	for (; p && !needed[p - b->part]; p = parent_of(b, p))
		needed[p - b->part] = true;
}

static void choose(struct backup *b, const struct keep *keep, const uint64_t *when, bool *kept)
{
	size_t n = 0;

	keep_choose(keep, when, b->n, kept);
	/* Only points count: those that are no more have no time among them. */
	for (size_t i = 0; i < b->n; i++)
		n += b->part[i].is_point;
	if (n)
		kept[b->n - 1] = true;
}

size_t backup_prune(struct backup *b, const struct keep *keep)
{
	cleanup_free bool *needed = calloc(b->n + 1, sizeof(*needed));
	cleanup_free bool *kept = calloc(b->n + 1, sizeof(*kept));
	cleanup_free uint64_t *when = calloc(b->n + 1, sizeof(*when));
	struct backup points = { 0 };
	size_t removed = 0, k = 0, n = 0;

	points.part = calloc(b->n + 1, sizeof(*points.part));
	if (!needed || !kept || !when || !points.part) {
		free(points.part);
		return 0;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (!b->part[i].is_point)
			continue;
		when[points.n] = b->part[i].when;
		points.part[points.n++] = b->part[i];
	}
	choose(&points, keep, when, kept);
	for (size_t i = 0; i < b->n; i++) {
		if (!b->part[i].is_point)
			continue;
		b->part[i].is_point = kept[k++];
		removed += !b->part[i].is_point;
		if (b->part[i].is_point)
			mark_needed(b, &b->part[i], needed);
	}
	/* In order: what stands before a part is there still when the next is looked at. */
	for (size_t i = 0; i < b->n; i++)
		if (needed[i])
			b->part[n++] = b->part[i];
	b->n = n;
	free(points.part);
	return removed;
}

/* The directory. */

static bool is_named(const struct backup *b, const char *file)
{
	char name[BACKUP_FILE_SIZE];

	for (size_t i = 0; i < b->n; i++)
		if (str_eq(file, backup_file(&b->part[i], name)))
			return true;
	index_file(b->index, name);
	return str_eq(file, name);
}

/* Only what has the name of a part: other files there are somebody else's. */
static bool is_ours(const char *file)
{
	char name[NAME_MAX + 1];
	size_t n = strspn(file, "0123456789TZ-");

	if (str_eq(file, BACKUP_NEW) || str_eq(file, BACKUP_NEW_INDEX))
		return true;
	snprintf(name, sizeof(name), "%s", file + n);
	return n >= strlen("20260101T000000Z") && file[8] == 'T' && file[15] == 'Z' &&
	       (str_eq(name, ".tar.zst") || str_eq(name, ".index"));
}

static void clean(const struct backup *b)
{
	int fd = openat(b->dir_fd, ".", DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_ours(e->d_name) && !is_named(b, e->d_name) &&
		    unlinkat(b->dir_fd, e->d_name, 0) < 0)
			log_warn("'%s/%s' cannot be removed, ignoring", b->path, e->d_name);
}

static int write_points(const struct backup *b, struct lxmgr_err *err)
{
	cleanup_free char *text = backup_print(b);
	int r = text ? write_file_atomic(b->dir_fd, "points", text, strlen(text), 0600) : -ENOMEM;

	return r < 0 ? err_set(err, r, "write '%s/points'", b->path) : 0;
}

/* Before its first archive a directory has a list, which is empty: where archives are without one,
 * it was lost, and they are all that there is. */
static int begin_points(struct backup *b, struct lxmgr_err *err)
{
	int fd = openat(b->dir_fd, ".", DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return err_set(err, -errno, "read '%s'", b->path);
	while ((e = readdir(d))) {
		const char *end = strrchr(e->d_name, '.');

		if (is_ours(e->d_name) && *e->d_name != '.' && str_eq(end, ".zst"))
			return err_status(
				err, STATUS_REFUSED, -ENOENT,
				"'%s' has archives, as '%s', but no list of them, "
				"'points': give another directory (a full one is imported "
				"by its file)",
				b->path, e->d_name);
	}
	return write_points(b, err);
}

static int read_points(struct backup *b, bool may_lack, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_in(b->dir_fd, "points", OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK, 0);
	cleanup_free char *text = NULL;
	int r = fd < 0 ? fd : read_all(fd, LIST_LIMIT, &text, NULL);

	if (r == -ENOENT && may_lack)
		return begin_points(b, err);
	if (r < 0)
		return err_set(err, r, "read '%s/points'", b->path);
	return backup_parse(b, text, err);
}

static int lock(struct backup *b, bool write, struct lxmgr_err *err)
{
	pid_t holder = 0;

	b->lock = lock_at(b->dir_fd, "lock", write, LOCK_TIMEOUT_MS, &holder);
	/* To read from what cannot be written to, as a medium, there is nobody to wait for. */
	if (b->lock >= 0 || (!write && (b->lock == -EROFS || b->lock == -EACCES)))
		return 0;
	if (b->lock == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, b->lock,
				  "the backups in '%s' are in use by process %d", b->path, holder);
	return err_set(err, b->lock, "lock '%s'", b->path);
}

/* So that a power cut leaves it with what is in it. */
static int sync_parent(const struct backup *b)
{
	cleanup_fd int up = openat(b->dir_fd, "..", DIR_FLAGS);

	return up < 0 || fsync(up) < 0 ? -errno : 0;
}

int backup_open(struct backup *b, const char *path, bool write, struct lxmgr_err *err)
{
	struct stat st;
	int r;

	if (!realpath(path, b->path)) {
		if (errno != ENOENT || !write || mkdir(path, 0700) < 0 || !realpath(path, b->path))
			return err_set(err, -errno, "open '%s'", path);
		b->made = true;
	}
	b->dir_fd = open(b->path, DIR_FLAGS);
	if (b->dir_fd < 0 || fstat(b->dir_fd, &st) < 0)
		return err_set(err, -errno, "open '%s'", path);
	/* Whoever writes there decides what is restored. */
	if (write && (st.st_uid != geteuid() || (st.st_mode & 022)))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "'%s' must belong to root and be writable by nobody else",
				  b->path);
	r = b->made ? sync_parent(b) : 0;
	if (r < 0)
		return err_set(err, r, "make '%s'", path);
	r = lock(b, write, err);
	if (r == 0)
		r = read_points(b, write, err);
	if (r == 0 && write)
		clean(b);
	return r;
}

int backup_open_at(struct backup *b, int dir_fd, const char *path, struct lxmgr_err *err)
{
	int r;

	snprintf(b->path, sizeof(b->path), "%s", path);
	b->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (b->dir_fd < 0)
		return err_set(err, -errno, "open '%s'", path);
	r = lock(b, false, err);
	return r < 0 ? r : read_points(b, false, err);
}

void backup_close(struct backup *b)
{
	free(b->part);
	b->part = NULL;
	b->n = 0;
	fd_close(&b->lock);
	fd_close(&b->dir_fd);
}

/* What counts is the list that there is: the new one may have reached the disk or not. */
static void remove_unlisted(const struct backup *b)
{
	struct backup now = BACKUP_INIT;

	snprintf(now.path, sizeof(now.path), "%s", b->path);
	now.dir_fd = b->dir_fd;
	if (read_points(&now, false, NULL) == 0)
		clean(&now);
	free(now.part);
}

void backup_forget(struct backup *b)
{
	if (b->dir_fd < 0 || b->added || (!b->made && b->lock < 0))
		return;
	if (!b->made) {
		remove_unlisted(b);
		return;
	}
	b->n = 0;
	*b->index = '\0';
	clean(b);
	unlinkat(b->dir_fd, "points", 0);
	if (unlinkat(b->dir_fd, "lock", 0) < 0 || rmdir(b->path) < 0)
		log_warn("'%s' cannot be removed, ignoring", b->path);
}

static int put_in_place(struct backup *b, const struct backup_part *p, struct lxmgr_err *err)
{
	char file[BACKUP_FILE_SIZE], index[BACKUP_FILE_SIZE];

	backup_file(p, file);
	index_file(p->point, index);
	if (renameat(b->dir_fd, BACKUP_NEW, b->dir_fd, file) < 0 ||
	    renameat(b->dir_fd, BACKUP_NEW_INDEX, b->dir_fd, index) < 0 || fsync(b->dir_fd) < 0)
		return err_set(err, -errno, "put the new point into '%s'", b->path);
	return 0;
}

int backup_add(struct backup *b, const struct backup_part *p, const struct keep *keep,
	       size_t *ret_removed, struct lxmgr_err *err)
{
	struct backup_part *more = realloc(b->part, (b->n + 1) * sizeof(*more));
	int r;

	if (!more)
		return err_set(err, -ENOMEM, "backup");
	b->part = more;
	b->part[b->n++] = *p;
	snprintf(b->index, sizeof(b->index), "%s", p->point);
	*ret_removed = keep ? backup_prune(b, keep) : 0;
	r = put_in_place(b, p, err);
	if (r == 0)
		r = write_points(b, err);
	/* From here on the new list counts. */
	if (r == 0) {
		b->added = true;
		clean(b);
	}
	return r;
}
