/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which containers lxmgr-autostart works on, and in which order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/autostart.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/paths.h"

const char *const auto_boot_groups[] = { "onboot", "", NULL };

int auto_level_cmp(const struct auto_level *a, const struct auto_level *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->order != b->order)
		return a->order > b->order ? -1 : 1;
	return strcmp(a->delayed, b->delayed);
}

struct auto_level auto_level_of(const char *name, const struct config *cfg, unsigned int rank)
{
	struct auto_level l = { .rank = rank, .order = cfg->start_order };

	if (cfg->start_delay)
		snprintf(l.delayed, sizeof(l.delayed), "%s", name);
	return l;
}

int auto_group_rank(const struct config *cfg, const char *const *groups)
{
	static const char *const none[] = { "", NULL };

	groups = groups ? groups : none;
	for (int i = 0; groups[i]; i++)
		if (*groups[i] ? strlist_has(&cfg->groups, groups[i]) : !cfg->groups.n)
			return i;
	return -1;
}

/* The saved config of a container, or NULL where there is none that can be read. */
static struct lxmgr_container *open_config(const char *path, const char *name,
					   struct lxmgr_err *err)
{
	struct lxmgr_container *c = NULL;

	if (lxmgr_container_open(path, name, NULL, &c, err) < 0)
		return NULL;
	if (container_load_config(c, err) == 0)
		return c;
	lxmgr_container_close(c);
	return NULL;
}

/* Depth first. trail: how we came here; seen: what leads to no circle. */
static int follow_after(const char *path, const struct config *cfg, struct strlist *trail,
			struct strlist *seen, struct lxmgr_err *err)
{
	for (size_t i = 0; i < cfg->start_after.n; i++) {
		const char *next = cfg->start_after.v[i];
		struct lxmgr_container *c;
		int r;

		if (str_eq(next, trail->v[0])) {
			cleanup_strbuf struct strbuf way = { 0 };

			for (size_t k = 0; k < trail->n; k++)
				strbuf_addf(&way, "%s, which is after ", trail->v[k]);
			return err_msg(err, -ELOOP, "lxmgr.start.after makes a circle: %s%s",
				       way.failed ? "" : way.s, next);
		}
		if (strlist_has(seen, next))
			continue;
		if (strlist_add(seen, next) < 0 || strlist_add(trail, next) < 0)
			return err_set(err, -ENOMEM, "lxmgr.start.after");
		c = open_config(path, next, NULL);
		r = c ? follow_after(path, &c->config, trail, seen, err) : 0;
		lxmgr_container_close(c);
		if (r < 0)
			return r;
		free(trail->v[--trail->n]);
	}
	return 0;
}

int auto_check_after(const char *path, const char *name, const struct config *cfg,
		     struct lxmgr_err *err)
{
	cleanup_strlist struct strlist trail = { 0 }, seen = { 0 };

	if (!cfg->start_after.n)
		return 0;
	if (strlist_add(&trail, name) < 0)
		return err_set(err, -ENOMEM, "lxmgr.start.after");
	return follow_after(path, cfg, &trail, &seen, err);
}

/* A list in the making. */
struct picking {
	struct lxmgr_auto *v;
	size_t n;
	const struct lxmgr_auto_opts *o;
};

static bool has_entry(const struct picking *p, const char *path, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].name, name) && str_eq(p->v[i].path, path))
			return true;
	return false;
}

static int add_entry(struct picking *p, struct lxmgr_container *c, unsigned int rank,
		     enum lxmgr_state state)
{
	struct lxmgr_auto *v = realloc(p->v, (p->n + 1) * sizeof(*v)), *e;
	cleanup_strbuf struct strbuf groups = { 0 };
	const struct config *cfg = &c->config;

	if (!v)
		return -ENOMEM;
	p->v = v;
	e = &v[p->n];
	for (size_t i = 0; i < cfg->groups.n; i++)
		strbuf_addf(&groups, "%s%s", i ? "," : "", cfg->groups.v[i]);
	*e = (struct lxmgr_auto){
		.name = strdup(c->name),
		.path = strdup(c->path),
		.groups = strbuf_take(&groups),
		.after = calloc(cfg->start_after.n + 1, sizeof(char *)),
		.rank = rank,
		.order = cfg->start_order,
		.delay = cfg->start_delay,
		.autostart = cfg->start_auto,
		.state = state,
	};
	p->n++;
	if (!e->name || !e->path || !e->groups || !e->after)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->start_after.n; i++)
		if (!(e->after[i] = strdup(cfg->start_after.v[i])))
			return -ENOMEM;
	return 0;
}

static bool is_up(enum lxmgr_state s)
{
	return s != LXMGR_STOPPED && s != LXMGR_BROKEN;
}

static int consider(struct picking *p, const char *path, const char *name)
{
	enum lxmgr_state state = LXMGR_STOPPED;
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = open_config(path, name, &err);
	int rank, r = 0;

	if (!c) {
		log_warn("%s: %s, ignoring", name, err.text);
		return 0;
	}
	rank = p->o->all ? 0 : auto_group_rank(&c->config, p->o->groups);
	/* It would be refused, and is no failure of the others' boot. */
	if (!p->o->up && c->config.suspended)
		rank = -1;
	if (rank >= 0 && (p->o->ignore_auto || c->config.start_auto)) {
		lxmgr_container_state(c, &state, NULL);
		if (is_up(state) == p->o->up)
			r = add_entry(p, c, (unsigned int)rank, state);
	}
	lxmgr_container_close(c);
	return r;
}

static int pick_selected(struct picking *p, const char *path, struct lxmgr_err *err)
{
	size_t n = 0;
	char **names;
	int r = lxmgr_list(path, &names, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = consider(p, path, names[i]);
	lxmgr_list_free(names, n);
	return r < 0 ? err_set(err, r, "pick the containers") : 0;
}

/* What those that are to start are after is started too, with them. Grows while it is walked. */
static int pick_needed(struct picking *p, struct lxmgr_err *err)
{
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; p->v[i].after[k]; k++) {
			enum lxmgr_state state = LXMGR_STOPPED;
			const char *name = p->v[i].after[k];
			struct lxmgr_err why = { 0 };
			struct lxmgr_container *c;
			int r = 0;

			if (has_entry(p, p->v[i].path, name))
				continue;
			c = open_config(p->v[i].path, name, &why);
			if (!c) {
				log_warn("%s: lxmgr.start.after: %s, ignoring", p->v[i].name,
					 why.text);
				continue;
			}
			lxmgr_container_state(c, &state, NULL);
			if (!is_up(state))
				r = add_entry(p, c, p->v[i].rank, state);
			lxmgr_container_close(c);
			if (r < 0)
				return err_set(err, r, "pick the containers");
		}
	return 0;
}

static int add_running(struct lxmgr_container *c, const struct state *s, void *data)
{
	struct picking *p = data;

	if (p->o->no_units && s->unit)
		return 0;
	if (container_load_running_config(c, NULL) < 0) {
		config_init(&c->config);
		c->config_loaded = true;
	}
	return add_entry(p, c, 0, s->state);
}

static int pick_running(struct picking *p, struct lxmgr_err *err)
{
	int r = container_each_running(add_running, p, err);

	return r < 0 ? err_set(err, r, "pick the containers") : 0;
}

static int by_level(const void *a, const void *b)
{
	const struct lxmgr_auto *x = a, *y = b;
	struct auto_level lx, ly;
	int r;

	auto_entry_level(x, &lx);
	auto_entry_level(y, &ly);
	r = auto_level_cmp(&lx, &ly);
	if (r == 0)
		r = strcmp(x->name, y->name);
	return r ? r : strcmp(x->path, y->path);
}

void auto_entry_level(const struct lxmgr_auto *e, struct auto_level *ret)
{
	*ret = (struct auto_level){ .rank = e->rank, .order = e->order };
	if (e->delay)
		snprintf(ret->delayed, sizeof(ret->delayed), "%s", e->name);
}

int lxmgr_auto_list(const char *path, const struct lxmgr_auto_opts *opts, struct lxmgr_auto **ret,
		    size_t *ret_n, struct lxmgr_err *err)
{
	struct picking p = { .o = opts };
	int r = opts->all_trees ? pick_running(&p, err)
				: pick_selected(&p, path ? path : STATEDIR, err);

	if (r == 0 && !opts->up)
		r = pick_needed(&p, err);
	if (r < 0) {
		lxmgr_auto_free(p.v, p.n);
		return r;
	}
	if (p.n)
		qsort(p.v, p.n, sizeof(*p.v), by_level);
	*ret = p.v;
	*ret_n = p.n;
	return 0;
}

void lxmgr_auto_free(struct lxmgr_auto *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].path);
		free(list[i].groups);
		for (size_t k = 0; list[i].after && list[i].after[k]; k++)
			free(list[i].after[k]);
		free(list[i].after);
	}
	free(list);
}
