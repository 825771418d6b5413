/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files below /etc/systemd/system: written, compared and removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/service.h"
#include "container/units.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"

#define UNITS	     "/etc/systemd/system"
#define DROP_IN	     "10-lxmgr.conf"
#define WANTS	     "lxmgr.target.wants"
#define TIMER_WANTS  "timers.target.wants"
#define NAME_SIZE    160
#define LIMIT	     65536
#define LOCK_TIME_MS 30000

struct sync {
	int dir; /* of the units */
	bool only_look;
	bool changed;
	/* Timers that are to run anew, and those that are not to run any more, once systemd has
	 * read its files. */
	struct strlist run, end;
	struct lxmgr_err *err;
};

/* 1: it differed. */
static int put_text(struct sync *s, const char *unit, const char *text)
{
	cleanup_free char *have = NULL;
	cleanup_fd int dir = -EBADF;
	char name[NAME_SIZE];
	int r;

	snprintf(name, sizeof(name), "%s.d", unit);
	dir = openat(s->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 && read_file_at(dir, DROP_IN, LIMIT, &have, NULL) < 0)
		have = NULL;
	if (have ? text && str_eq(have, text) : !text)
		return 0;
	s->changed = true;
	if (s->only_look)
		return 1;
	if (!text) {
		r = unlinkat(dir, DROP_IN, 0) < 0 ? -errno : 0;
		/* It stays where the administrator has drop-ins too. */
		if (r == 0 && unlinkat(s->dir, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
			r = -errno;
		return r < 0 ? err_set(s->err, r, "remove '%s/%s'", UNITS, name) : 1;
	}
	if (dir < 0 && mkdirat(s->dir, name, 0755) < 0 && errno != EEXIST)
		return err_set(s->err, -errno, "make '%s/%s'", UNITS, name);
	if (dir < 0)
		dir = openat(s->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? -errno : write_file_atomic(dir, DROP_IN, text, strlen(text), 0644);
	return r < 0 ? err_set(s->err, r, "write '%s/%s/%s'", UNITS, name, DROP_IN) : 1;
}

/* We enabled it, by lxmgr.start.auto. */
static bool is_ours(const struct sync *s, const char *unit)
{
	cleanup_free char *text = NULL;
	char name[NAME_SIZE + 32];

	snprintf(name, sizeof(name), "%s.d/" DROP_IN, unit);
	return read_file_at(s->dir, name, LIMIT, &text, NULL) == 0 && strstr(text, UNIT_ENABLED);
}

static int put_link(struct sync *s, const char *wants, const char *unit, const char *template,
		    bool want)
{
	char link[NAME_SIZE + 32], tmp[NAME_SIZE + 32], to[NAME_SIZE + sizeof(UNITDIR)];
	struct stat st;
	bool have;

	snprintf(link, sizeof(link), "%s/%s", wants, unit);
	snprintf(tmp, sizeof(tmp), "%s/.%s.tmp", wants, unit);
	snprintf(to, sizeof(to), UNITDIR "/%s", template);
	have = fstatat(s->dir, link, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (have == want)
		return 0;
	s->changed = true;
	if (s->only_look)
		return 1;
	if (!want)
		return unlinkat(s->dir, link, 0) < 0
			       ? err_set(s->err, -errno, "remove '%s/%s'", UNITS, link)
			       : 1;
	if (mkdirat(s->dir, wants, 0755) < 0 && errno != EEXIST)
		return err_set(s->err, -errno, "make '%s/%s'", UNITS, wants);
	unlinkat(s->dir, tmp, 0);
	if (symlinkat(to, s->dir, tmp) < 0 || renameat(s->dir, tmp, s->dir, link) < 0)
		return err_set(s->err, -errno, "make '%s/%s'", UNITS, link);
	return 1;
}

/* Unlike the others this timer does not wait for its container to start. */
static int put_snapshots(struct sync *s, const char *name, const char *text)
{
	char unit[NAME_SIZE];
	int link = 0, r;

	snprintf(unit, sizeof(unit), "lxmgr-snapshot@%s.timer", name);
	if (!text)
		link = put_link(s, TIMER_WANTS, unit, "lxmgr-snapshot@.timer", false);
	r = link < 0 ? link : put_text(s, unit, text);
	if (r >= 0 && text)
		link = put_link(s, TIMER_WANTS, unit, "lxmgr-snapshot@.timer", true);
	if (r < 0 || link < 0)
		return r < 0 ? r : link;
	if ((r || link) && !s->only_look && strlist_add(text ? &s->run : &s->end, unit) < 0)
		return err_set(s->err, -ENOMEM, "units");
	return 0;
}

/* The files of one container; t NULL: none. Its link goes before, and comes behind, the drop-in
 * that says that it is ours: a crash in between leaves what the next call mends. */
static int put_container(struct sync *s, const char *name, const struct unit_texts *t)
{
	static const struct unit_texts none = { 0 };
	char service[NAME_SIZE], delay[NAME_SIZE], timer[NAME_SIZE];
	int r = 0;

	t = t ? t : &none;
	snprintf(service, sizeof(service), "lxmgr@%s.service", name);
	snprintf(delay, sizeof(delay), "lxmgr-delay@%s.service", name);
	snprintf(timer, sizeof(timer), "lxmgr-health@%s.timer", name);
	if (!t->enabled && (is_ours(s, service) || t == &none))
		r = put_link(s, WANTS, service, "lxmgr@.service", false);
	if (r >= 0)
		r = put_text(s, service, t->service);
	if (r >= 0)
		r = put_text(s, delay, t->delay);
	if (r >= 0)
		r = put_text(s, timer, t->timer);
	if (r >= 0)
		r = put_snapshots(s, name, t->snapshots);
	if (r >= 0 && t->enabled)
		r = put_link(s, WANTS, service, "lxmgr@.service", true);
	return r < 0 ? r : 0;
}

struct levels {
	struct auto_level *v;
	size_t n;
};

static int add_level(struct levels *l, const struct auto_level *level)
{
	struct auto_level *v;

	for (size_t i = 0; i < l->n; i++)
		if (auto_level_cmp(&l->v[i], level) == 0)
			return 0;
	v = realloc(l->v, (l->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	v[l->n++] = *level;
	l->v = v;
	return 0;
}

/* "PREFIX@INSTANCE.SUFFIX": the instance in buf. */
static bool instance_of(const char *name, const char *prefix, const char *suffix, char *buf,
			size_t size)
{
	const char *rest = str_after(name, prefix);
	size_t n;

	if (!rest || !str_has_suffix(rest, suffix))
		return false;
	n = strlen(rest) - strlen(suffix);
	if (!n || n >= size)
		return false;
	memcpy(buf, rest, n);
	buf[n] = '\0';
	return true;
}

/* The levels that have a turn now. */
static int read_levels(const struct sync *s, struct levels *l)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && r == 0 && (e = readdir(d))) {
		struct auto_level level;
		char text[NAME_SIZE];

		if (instance_of(e->d_name, "lxmgr-turn@", ".target.d", text, sizeof(text)) &&
		    unit_level_parse(text, &level) == 0)
			r = add_level(l, &level);
	}
	return d ? r : -errno;
}

static int put_turn(struct sync *s, const struct auto_level *level, const char *text)
{
	char unit[NAME_SIZE], instance[96];

	unit_level_print(level, instance, sizeof(instance));
	snprintf(unit, sizeof(unit), "lxmgr-turn@%s.target", instance);
	return put_text(s, unit, text);
}

static int cmp_levels(const void *a, const void *b)
{
	return auto_level_cmp(a, b);
}

/* The turn of each level comes when the one before it is done. */
static int put_levels(struct sync *s, struct levels *l)
{
	int r = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), cmp_levels);
	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		cleanup_strbuf struct strbuf b = { 0 };
		char before[96];

		strbuf_addf(
			&b,
			"# Written by lxmgr; lxmgr-autostart --sync writes it again.\n[Unit]\n");
		if (i) {
			unit_level_print(&l->v[i - 1], before, sizeof(before));
			strbuf_addf(&b, "Wants=lxmgr-done@%s.target\nAfter=lxmgr-done@%s.target\n",
				    before, before);
		}
		r = b.failed ? -ENOMEM : put_turn(s, &l->v[i], b.s);
	}
	return r < 0 ? r : 0;
}

/* The levels of all others stay; of this one's only what it has now. */
static int put_levels_with(struct sync *s, const char *name, const struct unit_texts *t)
{
	struct levels have = { 0 }, want = { 0 };
	int r = read_levels(s, &have);

	for (size_t i = 0; r == 0 && i < have.n; i++)
		if (!str_eq(have.v[i].delayed, name))
			r = add_level(&want, &have.v[i]);
	if (r == 0 && t && t->has_level)
		r = add_level(&want, &t->level);
	for (size_t i = 0; r >= 0 && i < have.n; i++)
		if (str_eq(have.v[i].delayed, name) &&
		    !(t && t->has_level && auto_level_cmp(&have.v[i], &t->level) == 0))
			r = put_turn(s, &have.v[i], NULL);
	if (r >= 0)
		r = put_levels(s, &want);
	free(have.v);
	free(want.v);
	return r;
}

static int open_units(struct sync *s)
{
	s->dir = open(UNITS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir < 0 ? err_set(s->err, -errno, "open '%s'", UNITS) : 0;
}

/* Two that write at once would each work out the levels without the other's. */
static int lock_units(struct lxmgr_err *err)
{
	cleanup_fd int run = -EBADF;
	int fd = mkdir_p(RUNDIR, 0700);

	if (fd == 0)
		run = open(RUNDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == 0)
		fd = run < 0 ? -errno : lock_at(run, ".units", true, LOCK_TIME_MS, NULL);
	return fd < 0 ? err_set(err, fd, "lock '%s'", RUNDIR "/.units") : fd;
}

static int reload(const struct sync *s, struct lxmgr_err *err)
{
	int r = service_reload(err);

	if (r < 0)
		return err_hint(err, "its units are written; systemctl daemon-reload"), r;
	for (size_t i = 0; r == 0 && i < s->end.n; i++)
		r = service_timer(s->end.v[i], false, err);
	for (size_t i = 0; r == 0 && i < s->run.n; i++)
		r = service_timer(s->run.v[i], true, err);
	return r;
}

static void close_sync(struct sync *s)
{
	fd_close(&s->dir);
	strlist_free(&s->run);
	strlist_free(&s->end);
}

int units_sync(const char *path, const char *name, const struct config *cfg, struct lxmgr_err *err)
{
	struct sync s = { .dir = -EBADF, .only_look = true, .err = err };
	cleanup_fd int lock = -EBADF;
	struct unit_texts t = { 0 };
	int r;

	if (!str_eq(path, STATEDIR) || !service_is_host())
		return 0;
	r = cfg ? unit_texts_make(name, cfg, &t) : 0;
	if (r < 0)
		return err_set(err, r, "units of '%s'", name);
	r = open_units(&s);
	/* Most containers have none, and most changes are none for systemd. */
	if (r == 0)
		r = put_container(&s, name, cfg ? &t : NULL);
	if (r == 0 && s.changed) {
		s.only_look = false;
		lock = lock_units(err);
		r = lock < 0 ? lock : put_levels_with(&s, name, cfg ? &t : NULL);
		if (r == 0)
			r = put_container(&s, name, cfg ? &t : NULL);
		if (r == 0)
			r = reload(&s, err);
	}
	close_sync(&s);
	unit_texts_free(&t);
	if (r < 0)
		err_prefix(err, "autostart of '%s'", name);
	return r < 0 ? r : s.changed;
}

/* Of all containers: what differs is counted, named and, unless s->only_look, mended. */
struct all {
	struct sync s;
	struct levels levels;
	struct strlist names, *different;
	int n;
};

static int note_change(struct all *a, const char *name, int r)
{
	if (r < 0 || !a->s.changed)
		return r;
	a->s.changed = false;
	a->n++;
	/* One that is gone may have left both a drop-in and a link. */
	if (a->different && !strlist_has(a->different, name) && strlist_add(a->different, name) < 0)
		return err_set(a->s.err, -ENOMEM, "units");
	return 0;
}

static int sync_one(struct all *a, const char *name)
{
	struct lxmgr_container *c = NULL;
	struct lxmgr_err why = { 0 };
	struct unit_texts t;
	int r = lxmgr_container_open(STATEDIR, name, NULL, &c, &why);

	if (r == 0)
		r = container_load_config(c, &why);
	if (r < 0) {
		log_warn("%s: %s; its units stay as they are, ignoring", name, why.text);
		lxmgr_container_close(c);
		return 0;
	}
	r = unit_texts_make(name, &c->config, &t);
	lxmgr_container_close(c);
	if (r < 0)
		return err_set(a->s.err, r, "units of '%s'", name);
	if (t.has_level)
		r = add_level(&a->levels, &t.level);
	if (r == 0)
		r = put_container(&a->s, name, &t);
	unit_texts_free(&t);
	return note_change(a, name, r);
}

/* Units of containers that are gone: what "PREFIX@NAME.SUFFIX" in a directory tells of. A link by
 * systemctl enable is taken away, too: it would fail at each boot. */
static int sync_orphans_in(struct all *a, const char *where, const char *prefix, const char *suffix)
{
	int fd = openat(a->s.dir, where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (fd < 0 && errno == ENOENT)
		return 0;
	while (d && r == 0 && (e = readdir(d))) {
		char name[NAME_SIZE];

		if (instance_of(e->d_name, prefix, suffix, name, sizeof(name)) &&
		    !strlist_has(&a->names, name))
			r = note_change(a, name, put_container(&a->s, name, NULL));
	}
	return d ? r : err_set(a->s.err, -errno, "read '%s/%s'", UNITS, where);
}

static int sync_orphans(struct all *a)
{
	int r = sync_orphans_in(a, ".", "lxmgr@", ".service.d");

	if (r == 0)
		r = sync_orphans_in(a, WANTS, "lxmgr@", ".service");
	if (r == 0)
		r = sync_orphans_in(a, ".", "lxmgr-snapshot@", ".timer.d");
	return r < 0 ? r : sync_orphans_in(a, TIMER_WANTS, "lxmgr-snapshot@", ".timer");
}

static int sync_levels(struct all *a)
{
	struct levels have = { 0 };
	int r = read_levels(&a->s, &have);

	for (size_t i = 0; r >= 0 && i < have.n; i++) {
		size_t k = 0;

		while (k < a->levels.n && auto_level_cmp(&have.v[i], &a->levels.v[k]) != 0)
			k++;
		if (k == a->levels.n)
			r = put_turn(&a->s, &have.v[i], NULL);
	}
	free(have.v);
	if (r >= 0)
		r = put_levels(&a->s, &a->levels);
	return note_change(a, "(order)", r);
}

static int sync_all(struct all *a, struct lxmgr_err *err)
{
	int r;

	if (!service_is_host())
		return 0;
	r = open_units(&a->s);
	if (r == 0)
		r = lxmgr_list(STATEDIR, &a->names.v, &a->names.n, err);
	for (size_t i = 0; r == 0 && i < a->names.n; i++)
		r = sync_one(a, a->names.v[i]);
	if (r == 0)
		r = sync_orphans(a);
	if (r == 0)
		r = sync_levels(a);
	strlist_free(&a->names);
	free(a->levels.v);
	return r;
}

int units_sync_all(struct lxmgr_err *err)
{
	struct all a = { .s = { .dir = -EBADF, .err = err } };
	cleanup_fd int lock = -EBADF;
	int r = 0;

	if (service_is_host())
		r = lock = lock_units(err);
	if (r >= 0)
		r = sync_all(&a, err);
	if (r == 0 && a.n)
		r = reload(&a.s, err);
	close_sync(&a.s);
	return r < 0 ? r : a.n;
}

int lxmgr_auto_sync(struct lxmgr_err *err)
{
	return units_sync_all(err);
}

int units_check(struct strlist *ret, struct lxmgr_err *err)
{
	struct all a = { .s = { .dir = -EBADF, .only_look = true, .err = err }, .different = ret };

	int r = sync_all(&a, err);

	close_sync(&a.s);
	return r;
}
