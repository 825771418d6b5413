/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>

#include "each.h"
#include "tool.h"

const struct top_title top_titles[TOP_COLUMNS] = {
	[TOP_NAME] = { "NAME", 0 },
	[TOP_STATE] = { "STATE", 8 },
	[TOP_CPU] = { "CPU%", 6 },
	[TOP_MEMORY] = { "MEM", 6 },
	[TOP_SHARE] = { "MEM%", 5 },
	[TOP_SWAP] = { "SWAP", 6 },
	[TOP_TASKS] = { "TASKS", 6 },
	[TOP_READ] = { "READ/s", 6 },
	[TOP_WRITE] = { "WRITE/s", 7 },
	[TOP_IN] = { "IN/s", 6 },
	[TOP_OUT] = { "OUT/s", 6 },
	[TOP_STALL_CPU] = { "CWAIT%", 6 },
	[TOP_STALL_MEMORY] = { "MWAIT%", 6 },
	[TOP_STALL_IO] = { "IOWAIT%", 7 },
	[TOP_TIME] = { "UP", 7 },
};

/* What goes up, to be compared with the look before. */
enum counter { CPU, READ, WRITE, IN, OUT, STALL_CPU, STALL_MEMORY, STALL_IO, COUNTERS };

/* The column of a counter, and what a second of it is, counted. */
static const struct {
	enum top_column column;
	double per_second;
} rates[COUNTERS] = {
	[CPU] = { TOP_CPU, 1e4 }, /* microseconds, as percent */
	[READ] = { TOP_READ, 1 },
	[WRITE] = { TOP_WRITE, 1 },
	[IN] = { TOP_IN, 1 },
	[OUT] = { TOP_OUT, 1 },
	[STALL_CPU] = { TOP_STALL_CPU, 1e4 },
	[STALL_MEMORY] = { TOP_STALL_MEMORY, 1e4 },
	[STALL_IO] = { TOP_STALL_IO, 1e4 },
};

struct top_sample {
	const char *path, *name; /* to be looked at */
	struct top_row row;
	bool there;
	uint64_t started; /* a counter of another start begins at 0 */
	double when;	  /* seconds */
	uint64_t counted[COUNTERS];
};

enum top_column top_column_parse(const char *title)
{
	int i = 0;

	while (i < TOP_COLUMNS && strcasecmp(top_titles[i].title, title) != 0)
		i++;
	return (enum top_column)i;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double known(uint64_t v)
{
	return v == LXMGR_UNKNOWN ? -1 : (double)v;
}

static void take_usage(struct top_sample *s, const struct lxmgr_usage *u)
{
	static const struct {
		const char *resource;
		enum counter counter;
	} counters[] = {
		{ "cpu.time", CPU },
		{ "io.read", READ },
		{ "io.write", WRITE },
		{ "cpu.stalled", STALL_CPU },
		{ "memory.stalled", STALL_MEMORY },
		{ "io.stalled", STALL_IO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (!strcmp(u->resource, counters[i].resource))
			s->counted[counters[i].counter] = u->current;
	if (!strcmp(u->resource, "memory")) {
		s->row.value[TOP_MEMORY] = known(u->current);
		if (u->limit != LXMGR_UNKNOWN && u->limit && u->current != LXMGR_UNKNOWN)
			s->row.value[TOP_SHARE] = 100.0 * (double)u->current / (double)u->limit;
	} else if (!strcmp(u->resource, "swap")) {
		s->row.value[TOP_SWAP] = known(u->current);
	} else if (!strcmp(u->resource, "pids")) {
		s->row.value[TOP_TASKS] = known(u->current);
	}
}

static void take_info(struct top_sample *s, const struct lxmgr_info *info)
{
	s->there = true;
	s->row.state = info->state;
	s->started = info->started;
	if (info->started)
		s->row.value[TOP_TIME] = (double)time(NULL) - (double)info->started;
	for (size_t i = 0; i < info->n_links; i++) {
		if (s->counted[IN] == LXMGR_UNKNOWN)
			s->counted[IN] = s->counted[OUT] = 0;
		s->counted[IN] += info->links[i].rx_bytes;
		s->counted[OUT] += info->links[i].tx_bytes;
	}
}

static bool is_up(enum lxmgr_state state)
{
	return state != LXMGR_STOPPED && state != LXMGR_BROKEN;
}

/* One that vanished meanwhile, or cannot be read, never stops the others. */
static void take_sample(size_t i, void *arg)
{
	struct top_sample *s = (struct top_sample *)arg + i;
	struct lxmgr_usage *usage = NULL;
	struct lxmgr_info *info = NULL;
	struct lxmgr_container *c;
	size_t n = 0;

	snprintf(s->row.name, sizeof(s->row.name), "%s", s->name);
	for (int k = 0; k < TOP_COLUMNS; k++)
		s->row.value[k] = -1;
	for (int k = 0; k < COUNTERS; k++)
		s->counted[k] = LXMGR_UNKNOWN;
	if (lxmgr_container_open(s->path, s->name, NULL, &c, NULL) < 0)
		return;
	if (lxmgr_container_info(c, LXMGR_INFO_TRAFFIC, &info, NULL) == 0) {
		take_info(s, info);
		lxmgr_info_free(info);
	}
	s->when = seconds(CLOCK_MONOTONIC);
	if (s->there && is_up(s->row.state) && lxmgr_container_usage(c, &usage, &n, NULL) == 0) {
		for (size_t k = 0; k < n; k++)
			take_usage(s, &usage[k]);
		free(usage);
	}
	lxmgr_container_close(c);
}

static void rate(struct top_sample *s, const struct top_sample *before)
{
	double passed = s->when - before->when;

	if (strcmp(s->row.name, before->row.name) != 0 || s->started != before->started ||
	    passed <= 0)
		return;
	for (int k = 0; k < COUNTERS; k++)
		if (s->counted[k] != LXMGR_UNKNOWN && before->counted[k] != LXMGR_UNKNOWN &&
		    s->counted[k] >= before->counted[k])
			s->row.value[rates[k].column] =
				(double)(s->counted[k] - before->counted[k]) / passed /
				rates[k].per_second;
}

static bool is_shown(const struct top *t, const struct top_sample *s)
{
	return s->there && (t->all || is_up(s->row.state)) &&
	       (!t->filter || regexec(t->filter, s->row.name, 0, NULL, 0) == 0);
}

/* Both are sorted by name. */
static void compare_looks(const struct top *t, struct top_sample *now, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		while (k < t->n_last && strcmp(t->last[k].row.name, now[i].row.name) < 0)
			k++;
		if (k < t->n_last)
			rate(&now[i], &t->last[k]);
	}
}

void top_pick(struct top *t)
{
	t->n = t->n_running = t->n_frozen = t->n_stopped = 0;
	for (size_t i = 0; i < t->n_last; i++) {
		const struct top_sample *s = &t->last[i];

		t->n_frozen += s->there && s->row.state == LXMGR_FROZEN;
		t->n_stopped += s->there && !is_up(s->row.state);
		t->n_running += s->there && is_up(s->row.state) && s->row.state != LXMGR_FROZEN;
		if (is_shown(t, s))
			t->rows[t->n++] = s->row;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct top_sample *)a)->name, ((const struct top_sample *)b)->name);
}

int top_look(struct top *t, struct lxmgr_err *err)
{
	double began = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct top_sample *now;
	char **names;
	size_t n;
	int r = lxmgr_list(t->path, &names, &n, err);

	if (r < 0)
		return r;
	now = calloc(n ? n : 1, sizeof(*now));
	free(t->rows);
	t->rows = calloc(n ? n : 1, sizeof(*t->rows));
	if (!now || !t->rows)
		tool_no_memory();
	for (size_t i = 0; i < n; i++) {
		now[i].path = t->path;
		now[i].name = names[i];
	}
	qsort(now, n, sizeof(*now), by_name);
	each(n, take_sample, now);
	lxmgr_list_free(names, n);
	compare_looks(t, now, n);
	free(t->last);
	t->last = now;
	t->n_last = n;
	top_pick(t);
	t->cost = seconds(CLOCK_PROCESS_CPUTIME_ID) - began;
	return 0;
}

static enum top_column sort_by;
static bool sort_reverse;

static int compare_rows(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int r = 0;

	if (sort_by == TOP_STATE)
		r = strcmp(lxmgr_state_name(x->state), lxmgr_state_name(y->state));
	else if (sort_by != TOP_NAME)
		r = (x->value[sort_by] < y->value[sort_by]) -
		    (x->value[sort_by] > y->value[sort_by]);
	/* Those that are alike stay where they are from look to look. */
	if (r == 0)
		return sort_reverse && sort_by == TOP_NAME ? strverscmp(y->name, x->name)
							   : strverscmp(x->name, y->name);
	return sort_reverse ? -r : r;
}

void top_sort(struct top *t, enum top_column by, bool reverse)
{
	sort_by = by;
	sort_reverse = reverse;
	qsort(t->rows, t->n, sizeof(*t->rows), compare_rows);
}

/* Five characters at most: "999", "1.0K", "123M". */
static void print_size(double v, char buf[64])
{
	static const char units[] = " KMGTP";
	int u = 0;

	while (v >= 999.5 && units[u + 1]) {
		v /= 1024;
		u++;
	}
	if (!u)
		snprintf(buf, 64, "%.0f", v);
	else
		snprintf(buf, 64, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[u]);
}

static void print_time(double v, char buf[64])
{
	unsigned long s = (unsigned long)v;

	if (s < 3600)
		snprintf(buf, 64, "%lum%02lus", s / 60, s % 60);
	else if (s < 100 * 3600)
		snprintf(buf, 64, "%luh%02lum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 64, "%lud%02luh", s / 86400, s / 3600 % 24);
}

const char *top_cell(const struct top_row *row, enum top_column column, char buf[64])
{
	double v = row->value[column];

	if (column == TOP_NAME || column == TOP_STATE) {
		snprintf(buf, 64, "%s",
			 column == TOP_NAME ? row->name : lxmgr_state_name(row->state));
		return buf;
	}
	snprintf(buf, 64, "-");
	if (v < 0)
		return buf;
	switch (column) {
	case TOP_CPU:
	case TOP_SHARE:
	case TOP_STALL_CPU:
	case TOP_STALL_MEMORY:
	case TOP_STALL_IO:
		snprintf(buf, 64, "%.1f", v);
		break;
	case TOP_TASKS:
		snprintf(buf, 64, "%.0f", v);
		break;
	case TOP_TIME:
		print_time(v, buf);
		break;
	default:
		print_size(v, buf);
	}
	return buf;
}

void top_free(struct top *t)
{
	free(t->rows);
	free(t->last);
	*t = (struct top){ 0 };
}
