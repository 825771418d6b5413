/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The drop-ins as text. Containers of one level (autostart.h) start when lxmgr-turn@LEVEL is
 * reached, and lxmgr-done@LEVEL is reached when they are up; the turn of a level comes when the one
 * before it is done. So a container's files depend on nothing but its own config.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/finish.h"
#include "container/schedule.h"
#include "container/units.h"
#include "util/cleanup.h"
#include "util/parse.h"

#define HEAD                                                                                \
	"# Written by lxmgr from the container's config; lxmgr-autostart --sync writes it " \
	"again.\n"
#define LEVEL_SIZE 96

void unit_level_print(const struct auto_level *l, char *buf, size_t size)
{
	snprintf(buf, size, "%s%u%s%s", l->rank ? "" : "onboot:", l->order, *l->delayed ? ":" : "",
		 l->delayed);
}

int unit_level_parse(const char *text, struct auto_level *ret)
{
	const char *rest = str_after(text, "onboot:");
	char number[16];
	size_t n;

	*ret = (struct auto_level){ .rank = !rest };
	text = rest ? rest : text;
	n = strcspn(text, ":");
	if (n >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, n);
	number[n] = '\0';
	if (parse_u32(number, &ret->order) < 0)
		return -EINVAL;
	if (text[n] && !name_is_valid(text + n + 1))
		return -EINVAL;
	if (text[n])
		snprintf(ret->delayed, sizeof(ret->delayed), "%s", text + n + 1);
	return 0;
}

static void add_level(struct strbuf *b, const struct unit_texts *t, const struct config *cfg)
{
	char level[LEVEL_SIZE];

	unit_level_print(&t->level, level, sizeof(level));
	strbuf_addf(b, "Wants=lxmgr-turn@%s.target\nAfter=lxmgr-turn@%s.target\n", level, level);
	/* One that waits for another by name would close a circle with the levels. */
	if (!cfg->start_after.n)
		strbuf_addf(b, "Wants=lxmgr-done@%s.target\nBefore=lxmgr-done@%s.target\n", level,
			    level);
}

static void add_unit(struct strbuf *b, const char *name, const struct unit_texts *t,
		     const struct config *cfg)
{
	strbuf_addf(b, "[Unit]\n");
	if (t->has_level)
		add_level(b, t, cfg);
	for (size_t i = 0; i < cfg->start_after.n; i++)
		strbuf_addf(
			b,
			"Wants=lxmgr@%s.service\nAfter=lxmgr@%s.service lxmgr-delay@%s.service\n",
			cfg->start_after.v[i], cfg->start_after.v[i], cfg->start_after.v[i]);
	if (t->delay)
		strbuf_addf(b, "Wants=lxmgr-delay@%s.service\n", name);
	if (t->timer)
		strbuf_addf(b, "Wants=lxmgr-health@%s.timer\n", name);
	if (cfg->start_restart != RESTART_NO)
		strbuf_addf(b, "StartLimitIntervalSec=%d\nStartLimitBurst=%d\n", RESTART_WINDOW_S,
			    RESTART_BURST + 1);
}

/* The monitor's exit status says how it ended: container/finish.h. */
static void add_restart(struct strbuf *b, const struct config *cfg)
{
	if (cfg->start_restart == RESTART_ON_FAILURE)
		strbuf_addf(b, "[Service]\nRestart=on-failure\nRestartSec=%d\n", RESTART_PAUSE_S);
	else if (cfg->start_restart == RESTART_ALWAYS)
		strbuf_addf(b,
			    "[Service]\nRestart=always\nRestartSec=%d\nSuccessExitStatus=%d\n"
			    "RestartPreventExitStatus=0\n",
			    RESTART_PAUSE_S, FINISH_HALTED);
}

static int take(struct strbuf *b, char **ret)
{
	*ret = strbuf_take(b);
	return *ret ? 0 : -ENOMEM;
}

static int make_delay(const char *name, const struct config *cfg, struct unit_texts *t)
{
	cleanup_strbuf struct strbuf b = { 0 };
	char level[LEVEL_SIZE];

	unit_level_print(&t->level, level, sizeof(level));
	strbuf_addf(&b, HEAD "[Unit]\n");
	if (t->has_level && !cfg->start_after.n)
		strbuf_addf(&b, "Before=lxmgr-done@%s.target\n", level);
	strbuf_addf(&b, "[Service]\nEnvironment=DELAY=%u\n", cfg->start_delay);
	return take(&b, &t->delay);
}

static int make_timer(const struct config *cfg, struct unit_texts *t)
{
	cleanup_strbuf struct strbuf b = { 0 };
	unsigned long long ms = cfg->health_interval_ms;

	/* The first line takes the template's own times away. */
	strbuf_addf(&b, HEAD "[Timer]\nOnActiveSec=\nOnActiveSec=%llums\nOnUnitActiveSec=%llums\n",
		    ms, ms);
	return take(&b, &t->timer);
}

static int make_snapshots(const struct config *cfg, struct unit_texts *t)
{
	cleanup_free char *timer = schedule_timer(cfg);
	cleanup_strbuf struct strbuf b = { 0 };

	if (!timer)
		return -ENOMEM;
	strbuf_addf(&b, HEAD "%s", timer);
	return take(&b, &t->snapshots);
}

int unit_texts_make(const char *name, const struct config *cfg, struct unit_texts *ret)
{
	cleanup_strbuf struct strbuf b = { 0 };
	int rank = auto_group_rank(cfg, auto_boot_groups), r = 0;

	*ret = (struct unit_texts){ .enabled = cfg->start_auto && !cfg->suspended && rank >= 0 };
	/* An order is also one for the stop, of one that somebody starts by hand. */
	ret->has_level = ret->enabled || cfg->start_order;
	ret->level = auto_level_of(name, cfg, rank < 0 ? 1 : (unsigned int)rank);
	if (cfg->start_delay)
		r = make_delay(name, cfg, ret);
	if (r == 0 && cfg->health_cmd)
		r = make_timer(cfg, ret);
	if (r == 0 && cfg->snapshot_schedule)
		r = make_snapshots(cfg, ret);
	if (r == 0 && (ret->has_level || cfg->start_after.n || ret->delay || ret->timer ||
		       cfg->start_restart != RESTART_NO)) {
		strbuf_addf(&b, HEAD "%s", ret->enabled ? UNIT_ENABLED : "");
		add_unit(&b, name, ret, cfg);
		add_restart(&b, cfg);
		r = take(&b, &ret->service);
	}
	if (r < 0)
		unit_texts_free(ret);
	return r;
}

void unit_texts_free(struct unit_texts *t)
{
	free(t->service);
	free(t->delay);
	free(t->timer);
	free(t->snapshots);
	t->service = t->delay = t->timer = t->snapshots = NULL;
}
