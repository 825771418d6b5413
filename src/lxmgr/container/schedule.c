/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots by the clock: when they are made, and which of them go. */
#include "container/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "container/container.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/keep.h"
#include "util/run.h"
#include "util/str.h"

#define ANALYZE_MS 20000
#define EXPR_MAX   200

/* How long after its time a snapshot may be made: not those of all containers at once. */
static const struct {
	const char *word;
	unsigned int spread_s;
} words[] = { { "hourly", 600 }, { "daily", 3600 }, { "weekly", 3600 }, { "monthly", 3600 } };

bool schedule_is_word(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i].word, text))
			return true;
	return false;
}

bool schedule_is_valid(const char *text)
{
	size_t n = strlen(text);

	if (!n || n > EXPR_MAX || !(isalnum((unsigned char)*text) || *text == '*'))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(" *,.:/~+-_", *text))
			return false;
	return true;
}

int schedule_check(const struct config *cfg, struct lxmgr_err *err)
{
	const char *text = cfg->snapshot_schedule;
	const char *argv[] = { "systemd-analyze", "calendar", "--", text, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int r;

	if (!text || schedule_is_word(text) || !run_has_program(argv[0]))
		return 0;
	o.capture = 4096;
	o.timeout_ms = ANALYZE_MS;
	r = run_program(argv, &o, &out);
	if (r < 0)
		return err_set(err, r, "run systemd-analyze");
	if (r == 0)
		return 0;
	if (out)
		out[strcspn(out, "\n")] = '\0';
	return err_status(err, STATUS_USAGE, -EINVAL, "lxmgr.snapshot.schedule = %s: %.200s", text,
			  out && *out ? out : "no OnCalendar expression of systemd.time(7)");
}

char *schedule_timer(const struct config *cfg)
{
	struct strbuf b = { 0 };

	/* The first line takes the template's own time away. */
	strbuf_addf(&b, "[Timer]\nOnCalendar=\nOnCalendar=%s\n", cfg->snapshot_schedule);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i].word, cfg->snapshot_schedule))
			strbuf_addf(&b,
				    "AccuracySec=1min\nRandomizedDelaySec=%u\n"
				    "FixedRandomDelay=yes\n",
				    words[i].spread_s);
	return strbuf_take(&b);
}

/* "auto-20261122-102500", local time; with a number behind it if there is one already. */
static int make_scheduled(struct lxmgr_container *c, char ret_name[64], struct lxmgr_err *err)
{
	struct lxmgr_snapshot_opts o = { .scheduled = true };
	time_t now = time(NULL);
	char when[32], name[64];
	struct tm tm;
	int r = -EEXIST;

	if (!localtime_r(&now, &tm))
		return err_set(err, -EINVAL, "tell the time");
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	o.name = name;
	for (int i = 1; r == -EEXIST && i < 10; i++) {
		snprintf(name, sizeof(name), i == 1 ? "auto-%s" : "auto-%s-%d", when, i);
		r = lxmgr_snapshot_create(c, &o, ret_name, err);
	}
	return r;
}

int lxmgr_snapshot_scheduled(struct lxmgr_container *c, char ret_name[64], struct lxmgr_err *err)
{
	int r = container_load_config(c, err);

	return r < 0 ? r : make_scheduled(c, ret_name, err);
}

/* Only of those that the clock made: list is the oldest first. */
static int expire(struct lxmgr_container *c, const struct keep *k,
		  const struct lxmgr_snapshot *list, size_t n,
		  void (*fn)(const char *name, void *arg), void *arg, struct lxmgr_err *err)
{
	cleanup_free uint64_t *times = calloc(n, sizeof(*times));
	cleanup_free size_t *which = calloc(n, sizeof(*which));
	cleanup_free bool *stays = calloc(n, sizeof(*stays));
	size_t found = 0;
	int r = 0;

	if (!times || !which || !stays)
		return err_set(err, -ENOMEM, "choose snapshots");
	for (size_t i = 0; i < n; i++)
		if (list[i].scheduled) {
			times[found] = list[i].created;
			which[found++] = i;
		}
	keep_choose(k, times, found, stays);
	for (size_t i = 0; r == 0 && i < found; i++) {
		if (stays[i])
			continue;
		r = lxmgr_snapshot_destroy(c, list[which[i]].name, err);
		/* Somebody was faster. */
		if (r == -ENOENT)
			r = 0;
		else if (r == 0 && fn)
			fn(list[which[i]].name, arg);
	}
	return r;
}

int lxmgr_snapshot_expire(struct lxmgr_container *c, void (*fn)(const char *name, void *arg),
			  void *arg, struct lxmgr_err *err)
{
	struct lxmgr_snapshot *list = NULL;
	struct keep k;
	size_t n = 0;
	int r = container_load_config(c, err);

	if (r < 0)
		return r;
	if (!c->config.snapshot_keep)
		return err_status(err, STATUS_WRONG_STATE, -ENOENT,
				  "'%s' has no lxmgr.snapshot.keep: nothing expires", c->name);
	if (keep_parse(c->config.snapshot_keep, &k) < 0)
		return err_msg(err, -EINVAL, "lxmgr.snapshot.keep = %s", c->config.snapshot_keep);
	r = lxmgr_snapshot_list(c, &list, &n, err);
	if (r == 0 && n)
		r = expire(c, &k, list, n, fn, arg, err);
	lxmgr_snapshot_free(list, n);
	return r;
}
