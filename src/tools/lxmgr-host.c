/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool total_only;

static const struct opt opts[] = {
	{ 't', "total", OPT_FLAG, &total_only, NULL, "the sums alone, not each container" },
};

static const struct tool tool = {
	.name = "lxmgr-host",
	.usage = "[[-n] NAME] [OPTIONS]",
	.summary = "Show what this host has, and what of it is promised to containers.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
	.has_json = true,
};

static bool is_wanted(const struct lxmgr_host_container *c)
{
	return !total_only && (!common.name || !strcmp(c->name, common.name));
}

/* One of a ring of buffers. */
static const char *amount(uint64_t v, const char *unit)
{
	static char ring[8][24];
	static unsigned int next;
	char *buf = ring[next++ % ARRAY_SIZE(ring)];

	if (v == LXMGR_UNKNOWN)
		return "-";
	if (!strcmp(unit, "bytes"))
		return tool_size(v);
	if (!strcmp(unit, "thousandths"))
		snprintf(buf, sizeof(ring[0]), "%llu.%02llu", (unsigned long long)v / 1000,
			 (unsigned long long)v % 1000 / 10);
	else
		snprintf(buf, sizeof(ring[0]), "%llu", (unsigned long long)v);
	return buf;
}

/* How much of the capacity that is, in hundredths: "0.75". */
static const char *ratio(uint64_t v, uint64_t capacity)
{
	return capacity ? amount((uint64_t)((double)v / (double)capacity * 1000), "thousandths")
			: "-";
}

static json_t *total_json(const struct lxmgr_host_resource *r)
{
	return json_pack("{ss ss so so so so sI sI so}", "resource", r->name, "unit", r->unit,
			 "capacity", report_number(r->capacity), "used", report_number(r->used),
			 "running", report_number(r->running), "all", report_number(r->all),
			 "unlimited_running", (json_int_t)r->unlimited_running, "unlimited",
			 (json_int_t)r->unlimited, "overcommit",
			 r->overcommit == LXMGR_UNKNOWN ? json_null()
							: json_real((double)r->overcommit / 1000));
}

static json_t *container_json(const struct lxmgr_host_container *c,
			      const struct lxmgr_host_resource *r)
{
	json_t *j = json_pack("{so so ss}", "name", report_text(c->name), "path",
			      report_text(c->path), "state", lxmgr_state_name(c->state));

	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
		json_object_set_new(j, r[i].name, report_number(c->limit[i]));
	return j;
}

static void print_containers(const struct lxmgr_host_container *list, size_t n,
			     const struct lxmgr_host_resource *r)
{
	printf("%-20s %-9s", "NAME", "STATE");
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
		printf(" %10s", r[i].name);
	printf("\n");
	for (size_t k = 0; k < n; k++) {
		if (!is_wanted(&list[k]))
			continue;
		printf("%-20s %-9s", tool_text(list[k].name), lxmgr_state_name(list[k].state));
		for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
			printf(" %10s", amount(list[k].limit[i], r[i].unit));
		printf("\n");
	}
	printf("\n");
}

/* A sum of limits says nothing of those that have none. */
static const char *with_unlimited(uint64_t sum, size_t unlimited, const char *unit, char buf[48])
{
	if (unlimited)
		snprintf(buf, 48, "%s +%zu", amount(sum, unit), unlimited);
	else
		snprintf(buf, 48, "%s", amount(sum, unit));
	return buf;
}

static void print_totals(const struct lxmgr_host_resource *r)
{
	char running[48], all[48];
	bool any = false;

	printf("%-10s %10s %10s %16s %6s %16s %6s %8s\n", "RESOURCE", "CAPACITY", "USED", "RUNNING",
	       "RATIO", "ALL", "RATIO", "ALLOWED");
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++) {
		any |= r[i].unlimited;
		printf("%-10s %10s %10s %16s %6s %16s %6s %8s\n", r[i].name,
		       amount(r[i].capacity, r[i].unit), amount(r[i].used, r[i].unit),
		       with_unlimited(r[i].running, r[i].unlimited_running, r[i].unit, running),
		       ratio(r[i].running, r[i].capacity),
		       with_unlimited(r[i].all, r[i].unlimited, r[i].unit, all),
		       ratio(r[i].all, r[i].capacity), amount(r[i].overcommit, "thousandths"));
	}
	if (any)
		printf("\n+N: so many more have no limit, and may take all that there is.\n");
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_host_resource r[LXMGR_HOST_RESOURCES];
	struct lxmgr_host_container *list = NULL;
	struct lxmgr_err err = { 0 };
	size_t n = 0;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (lxmgr_host(common.path, r, &list, &n, &err) < 0)
		return tool_exit(tool_error(&err));
	if (common.json) {
		json_t *totals = json_array(), *each = json_array();

		for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
			json_array_append_new(totals, total_json(&r[i]));
		for (size_t k = 0; k < n; k++)
			if (is_wanted(&list[k]))
				json_array_append_new(each, container_json(&list[k], r));
		report_json(json_pack("{so so}", "resources", totals, "containers", each));
	} else {
		if (n && !total_only)
			print_containers(list, n, r);
		print_totals(r);
	}
	lxmgr_host_free(list, n);
	return tool_exit(0);
}
