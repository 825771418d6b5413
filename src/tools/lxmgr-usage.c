/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "each.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct strings resources;
static bool failed, raw;

static const struct opt opts[] = {
	{ 'r', "resource", OPT_STRINGS, &resources, "RESOURCE",
	  "only this one (memory), or those below it (cpu.); can be repeated" },
	{ 'f', "failed", OPT_FLAG, &failed, NULL, "only what was refused at least once" },
	{ 'H', "no-humanize", OPT_FLAG, &raw, NULL, "plain numbers, for scripts" },
};

static const struct tool tool = {
	.name = "lxmgr-usage",
	.usage = "[[-n] NAME] [OPTIONS]",
	.summary = "Print what containers have of each resource, and what they were refused.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
	.has_json = true,
};

static bool is_wanted(const struct lxmgr_usage *u)
{
	bool found = resources.n == 0;

	for (size_t i = 0; i < resources.n; i++) {
		const char *want = resources.v[i];
		size_t n = strlen(want);

		found |= n && want[n - 1] == '.' ? !strncmp(u->resource, want, n)
						 : !strcmp(u->resource, want);
	}
	return found && (!failed || (u->fails != LXMGR_UNKNOWN && u->fails > 0));
}

static const char *print(uint64_t v, const char *unit, char buf[32])
{
	if (v == LXMGR_UNKNOWN)
		return "-";
	if (!raw && !strcmp(unit, "bytes"))
		return tool_size(v);
	if (!raw && !strcmp(unit, "microseconds"))
		snprintf(buf, 32, "%.2f s", (double)v / 1e6);
	else if (!raw && !strcmp(unit, "thousandths"))
		snprintf(buf, 32, "%.3f", (double)v / 1e3);
	else
		snprintf(buf, 32, "%llu", (unsigned long long)v);
	return buf;
}

static void print_row(const char *name, const struct lxmgr_usage *u)
{
	char current[32], peak[32], limit[32], fails[32];

	printf("%-15s %-14s %12s %12s %12s %8s\n", name ? tool_text(name) : "NAME",
	       u ? u->resource : "RESOURCE", u ? print(u->current, u->unit, current) : "CURRENT",
	       u ? print(u->peak, u->unit, peak) : "PEAK",
	       u ? print(u->limit, u->unit, limit) : "LIMIT",
	       u ? print(u->fails, "", fails) : "FAILS");
}

static json_t *to_json(const struct lxmgr_usage *u)
{
	return json_pack("{ss ss so so so so}", "resource", u->resource, "unit", u->unit, "current",
			 report_number(u->current), "peak", report_number(u->peak), "limit",
			 report_number(u->limit), "fails", report_number(u->fails));
}

struct one {
	const char *name;
	struct lxmgr_usage *v; /* NULL: there is nothing to tell */
	size_t n;
};

static int look(struct one *o, struct lxmgr_err *err)
{
	struct lxmgr_container *c;
	int r = lxmgr_container_open(common.path, o->name, NULL, &c, err);

	if (r < 0)
		return r;
	r = lxmgr_container_usage(c, &o->v, &o->n, err);
	lxmgr_container_close(c);
	if (r < 0)
		o->v = NULL;
	return r;
}

/* Into list, or printed where that is NULL. */
static void show(struct one *o, json_t *list)
{
	json_t *rows = list ? json_array() : NULL;

	for (size_t i = 0; i < o->n; i++) {
		if (!is_wanted(&o->v[i]))
			continue;
		if (list)
			json_array_append_new(rows, to_json(&o->v[i]));
		else
			print_row(o->name, &o->v[i]);
	}
	free(o->v);
	if (list)
		json_array_append_new(list, json_pack("{so so}", "name", report_text(o->name),
						      "resources", rows));
}

static void look_at(size_t i, void *arg)
{
	look((struct one *)arg + i, NULL);
}

/* One that vanished meanwhile, or cannot be read, never stops the others. */
static int show_all(json_t *list)
{
	struct lxmgr_err err = { 0 };
	struct one *all;
	char **names;
	size_t n;

	if (lxmgr_list(common.path, &names, &n, &err) < 0)
		return tool_error(&err);
	all = calloc(n ? n : 1, sizeof(*all));
	if (!all)
		tool_no_memory();
	for (size_t i = 0; i < n; i++)
		all[i].name = names[i];
	each(n, look_at, all);
	for (size_t i = 0; i < n; i++)
		if (all[i].v)
			show(&all[i], list);
	free(all);
	lxmgr_list_free(names, n);
	return 0;
}

static int show_one(json_t *list)
{
	struct one o = { .name = common.name };
	struct lxmgr_err err = { 0 };

	if (look(&o, &err) < 0)
		return tool_error(&err);
	show(&o, list);
	return 0;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status;
	json_t *list = NULL;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (common.json)
		list = json_array();
	else
		print_row(NULL, NULL);
	status = common.name ? show_one(list) : show_all(list);
	if (list && status == 0)
		report_json(list);
	else
		json_decref(list);
	return tool_exit(status);
}
