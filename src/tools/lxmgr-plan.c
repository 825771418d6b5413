/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool dry_run, force;

static const struct opt opts[] = {
	{ 0, "dry-run", OPT_FLAG, &dry_run, NULL, "apply: tell what would change, change nothing" },
	{ 0, "force", OPT_FLAG, &force, NULL,
	  "apply: also beyond what the host may promise (lxmgr-host)" },
};

static void more_help(void)
{
	printf("\nSubcommands:\n"
	       "  list                      the plans in /etc/lxmgr/plans\n"
	       "  show PLAN                 its keys\n"
	       "  apply PLAN NAME...        give them to containers, at once where they run\n"
	       "  diff [NAME...]            whose limits are others than its plan's\n"
	       "  split N                   a plan of which N fill this host\n");
}

static const struct tool tool = {
	.name = "lxmgr-plan",
	.usage = "SUBCOMMAND [OPTIONS] [ARGUMENTS]",
	.summary = "Plans: limits that many containers have alike.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.subcommands = true,
	.no_rcfile = true,
	.has_json = true,
	.more_help = more_help,
};

/* What a call tells of keys, as rows or as lines. */
struct told {
	json_t *rows;	    /* NULL: print */
	const char *before; /* the line's begin */
};

static json_t *value_or_null(const char *value)
{
	return *value ? report_text(value) : json_null();
}

static void tell(const char *key, const char *one, const char *other, void *arg)
{
	struct told *t = arg;

	if (t->rows)
		json_array_append_new(t->rows,
				      json_pack("{ss so so}", "key", key, "value",
						value_or_null(one), "plan", value_or_null(other)));
	else if (!common.quiet)
		printf("%s%s: %s -> %s\n", t->before, key, *one ? tool_text(one) : "default",
		       *other ? tool_text(other) : "default");
}

static json_t *keys_of(const struct lxmgr_plan *plan)
{
	json_t *keys = json_object();

	for (size_t i = 0; i < plan->n; i++)
		json_object_set_new(keys, plan->keys[i].key,
				    value_or_null(plan->keys[i].value ? plan->keys[i].value : ""));
	return keys;
}

static int do_list(char **args, int n)
{
	json_t *rows = common.json ? json_array() : NULL;
	struct lxmgr_err err = { 0 };
	char **names = NULL;
	size_t count = 0;
	int status = 0;

	if (lxmgr_plan_list(&names, &count, &err) < 0)
		status = tool_error(&err);
	for (size_t i = 0; i < count; i++) {
		struct lxmgr_plan plan;

		if (lxmgr_plan_read(names[i], &plan, &err) < 0) {
			status = tool_error(&err);
			continue;
		}
		if (rows)
			json_array_append_new(rows, json_pack("{ss so}", "name", names[i], "keys",
							      keys_of(&plan)));
		else
			puts(names[i]);
		lxmgr_plan_free(&plan);
	}
	lxmgr_list_free(names, count);
	if (rows)
		report_json(rows);
	return status;
}

static int do_show(char **args, int n)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_plan plan;

	if (lxmgr_plan_read(args[0], &plan, &err) < 0)
		return tool_error(&err);
	if (common.json)
		report_json(json_pack("{ss so}", "name", args[0], "keys", keys_of(&plan)));
	else
		for (size_t i = 0; i < plan.n; i++)
			printf("%s = %s\n", plan.keys[i].key,
			       plan.keys[i].value ? tool_text(plan.keys[i].value) : "");
	lxmgr_plan_free(&plan);
	return 0;
}

/* Every container gets its turn; the first failure is the status. */
static int do_apply(char **args, int n)
{
	unsigned int flags = (dry_run ? LXMGR_SET_DRY_RUN : 0) | (force ? LXMGR_SET_FORCE : 0);
	json_t *rows = common.json ? json_array() : NULL;
	int status = 0;

	for (int i = 1; i < n; i++) {
		struct told t = { rows ? json_array() : NULL, "" };
		struct lxmgr_container *c;
		struct lxmgr_err err = { 0 };
		char before[80] = "";
		int r = 0;

		common.name = args[i];
		if (n > 2)
			snprintf(before, sizeof(before), "%s: ", args[i]);
		t.before = before;
		if (lxmgr_container_open(common.path, args[i], NULL, &c, &err) < 0) {
			r = tool_error(&err);
			c = NULL;
		} else if (lxmgr_container_plan(c, args[0], flags, tell, &t, &err) < 0) {
			r = tool_error(&err);
		}
		status = status ? status : r;
		if (rows)
			json_array_append_new(rows, json_pack("{ss sb so}", "name", args[i], "done",
							      !r && !dry_run, "changes", t.rows));
		lxmgr_container_close(c);
	}
	if (rows)
		report_json(rows);
	return status;
}

/* 0, LXMGR_FAILED: it differs. */
static int diff_one(const char *name, json_t *rows, bool asked)
{
	struct told t = { rows ? json_array() : NULL, "" };
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };
	char *plan = NULL, before[160];
	int status = 0, r;

	common.name = name;
	if (lxmgr_container_open(common.path, name, NULL, &c, &err) < 0 ||
	    lxmgr_container_get_item(c, "lxmgr.plan", &plan, &err) < 0) {
		status = tool_error(&err);
	} else if (*plan || asked) {
		snprintf(before, sizeof(before), "%s (%s): ", name, tool_text(plan));
		t.before = before;
		r = lxmgr_container_plan_diff(c, NULL, tell, &t, &err);
		status = r < 0 ? tool_error(&err) : r > 0 ? LXMGR_FAILED : 0;
		if (rows && r >= 0) {
			json_array_append_new(rows, json_pack("{ss ss sO}", "name", name, "plan",
							      plan, "differences", t.rows));
		}
	}
	json_decref(t.rows);
	free(plan);
	lxmgr_container_close(c);
	return status;
}

static int do_diff(char **args, int n)
{
	json_t *rows = common.json ? json_array() : NULL;
	struct lxmgr_err err = { 0 };
	char **all = NULL;
	size_t count = 0;
	int status = 0;

	if (!n && lxmgr_list(common.path, &all, &count, &err) < 0)
		status = tool_error(&err);
	for (size_t i = 0; i < (n ? (size_t)n : count); i++) {
		int r = diff_one(n ? args[i] : all[i], rows, n);

		status = status ? status : r;
	}
	lxmgr_list_free(all, count);
	if (rows)
		report_json(rows);
	return status;
}

static int do_split(char **args, int n)
{
	struct lxmgr_err err = { 0 };
	char *text = NULL, *end;
	unsigned long parts = strtoul(args[0], &end, 10);

	if (*args[0] < '0' || *args[0] > '9' || *end || !parts || parts > 1000000)
		tool_usage_error("'%s' is no number of containers", tool_text(args[0]));
	if (common.json)
		tool_usage_error("split prints a file, no JSON");
	if (lxmgr_plan_split(common.path, (unsigned int)parts, &text, &err) < 0)
		return tool_error(&err);
	fputs(text, stdout);
	free(text);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(char **args, int n);
	int min, max; /* arguments; max 0: any number */
} verbs[] = {
	{ "list", do_list, 0, -1 }, { "show", do_show, 1, 1 },	 { "apply", do_apply, 2, 0 },
	{ "diff", do_diff, 0, 0 },  { "split", do_split, 1, 1 },
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), left = argc - rest - 1;
	const char *verb = argv[rest++];

	if (left < 0)
		tool_usage_error("no subcommand given");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		int max = verbs[i].max < 0 ? 0 : verbs[i].max ? verbs[i].max : left;

		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		if (dry_run && strcmp(verb, "apply") != 0)
			tool_usage_error("%s does not take --dry-run", verb);
		if (force && strcmp(verb, "apply") != 0)
			tool_usage_error("%s does not take --force", verb);
		if (left < verbs[i].min)
			tool_usage_error("%s needs %s", verb,
					 verbs[i].min > 1 ? "a plan and a container"
							  : "an argument");
		if (left > max)
			tool_usage_error("unexpected argument '%s'", tool_text(argv[argc - 1]));
		return tool_exit(verbs[i].fn(argv + rest, left));
	}
	tool_usage_error("unknown subcommand '%s'", tool_text(verb));
}
