/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reboot, shutdown, hard, list, all, ignore_auto, all_trees, no_units, sync_units;
static struct strings group_args;
static int timeout = -1;

static const struct opt opts[] = {
	{ 'r', "reboot", OPT_FLAG, &reboot, NULL, "ask those that run to reboot" },
	{ 's', "shutdown", OPT_FLAG, &shutdown, NULL, "stop those that run, in reverse order" },
	{ 'k', "kill", OPT_FLAG, &hard, NULL, "stop them without a clean halt" },
	{ 'L', "list", OPT_FLAG, &list, NULL, "only print names, and delays of a start" },
	{ 't', "timeout", OPT_NUMBER, &timeout, "SECONDS",
	  "time for a clean halt or reboot (default: lxmgr.stop.timeout of each)" },
	{ 'g', "groups", OPT_STRINGS, &group_args, "G,G",
	  "these groups one after the other; an empty one: those without a group (default)" },
	{ 'a', "all", OPT_FLAG, &all, NULL, "whatever their groups" },
	{ 'A', "ignore-auto", OPT_FLAG, &ignore_auto, NULL, "also those without lxmgr.start.auto" },
	{ 0, "all-trees", OPT_FLAG, &all_trees, NULL,
	  "with -s, -k or -r: all that run, of every directory of containers" },
	{ 0, "no-units", OPT_FLAG, &no_units, NULL, "with --all-trees: not those that are units" },
	{ 0, "sync", OPT_FLAG, &sync_units, NULL, "only bring systemd's units in line" },
};

static const struct tool tool = {
	.name = "lxmgr-autostart",
	.usage = "[OPTIONS]",
	.summary = "Start or stop many containers: in order, and side by side.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
	.has_json = true,
};

/* "onboot,": two groups, the second of which is none. */
static struct strings split_groups(void)
{
	struct strings groups = { 0 };

	for (size_t i = 0; i < group_args.n; i++) {
		char *rest = strdup(group_args.v[i]), *group;

		if (!rest)
			tool_no_memory();
		while ((group = strsep(&rest, ",")))
			strings_add(&groups, group);
	}
	return groups;
}

static json_t *entry_json(const struct lxmgr_auto *e)
{
	json_t *after = json_array();

	for (size_t i = 0; e->after[i]; i++)
		json_array_append_new(after, report_text(e->after[i]));
	return json_pack("{so so so so sI sI so sb ss}", "name", report_text(e->name), "path",
			 report_text(e->path), "groups", report_text(e->groups), "after", after,
			 "order", (json_int_t)e->order, "delay", (json_int_t)e->delay, "rank",
			 report_number(e->rank), "autostart", e->autostart, "state",
			 lxmgr_state_name(e->state));
}

static void print_list(const struct lxmgr_auto *v, size_t n, bool start)
{
	json_t *entries = common.json ? json_array() : NULL;

	for (size_t i = 0; i < n; i++) {
		if (entries)
			json_array_append_new(entries, entry_json(&v[i]));
		else if (start)
			printf("%s %u\n", v[i].name, v[i].delay);
		else
			printf("%s\n", v[i].name);
	}
	if (entries)
		report_json(entries);
}

static void print_done(const struct lxmgr_auto *e, const struct lxmgr_err *err, void *arg)
{
	if (err->code) {
		common.name = e->name;
		tool_error(err);
	} else if (!common.quiet) {
		printf("%s: %s\n", tool_text(e->name), (const char *)arg);
		fflush(stdout);
	}
}

static int sync_now(void)
{
	struct lxmgr_err err = { 0 };
	int r = lxmgr_auto_sync(&err);

	if (r < 0)
		return tool_error(&err);
	if (!common.quiet)
		printf("units changed: %d\n", r);
	return 0;
}

static void check_usage(int rest, int argc, char **argv)
{
	bool stop = reboot || shutdown || hard;

	if (common.name_is_first)
		tool_usage_error("unexpected argument '%s'", tool_text(common.name));
	if (common.name)
		tool_usage_error("-n has no meaning here: see -g, -a and -A");
	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (reboot + shutdown + hard > 1)
		tool_usage_error("-r, -s and -k exclude each other");
	if (all && group_args.n)
		tool_usage_error("-a and -g exclude each other");
	if (all_trees && !stop)
		tool_usage_error("--all-trees goes with -s, -k or -r");
	if (no_units && !all_trees)
		tool_usage_error("--no-units goes with --all-trees");
	if (timeout >= 0 && (!stop || hard))
		tool_usage_error("-t goes with -s or -r");
	if (timeout > 2000000)
		tool_usage_error("-t %d is too long", timeout);
	if (common.json && !list)
		tool_usage_error("--json goes with -L");
	if (sync_units && (stop || list || all || ignore_auto || group_args.n))
		tool_usage_error("--sync goes with no other option");
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	enum lxmgr_auto_action action = reboot	   ? LXMGR_AUTO_REBOOT
					: shutdown ? LXMGR_AUTO_STOP
					: hard	   ? LXMGR_AUTO_KILL
						   : LXMGR_AUTO_START;
	static const char *const said[] = { "started", "stopped", "killed", "rebooted" };
	struct lxmgr_auto_opts o = {
		.all = all, .ignore_auto = ignore_auto, .all_trees = all_trees, .no_units = no_units
	};
	struct lxmgr_auto *v = NULL;
	struct lxmgr_err err = { 0 };
	size_t n = 0;

	check_usage(rest, argc, argv);
	if (sync_units)
		return tool_exit(sync_now());
	o.groups = split_groups().v;
	o.up = action != LXMGR_AUTO_START;
	r = lxmgr_auto_list(common.path, &o, &v, &n, &err);
	if (r == 0 && list)
		print_list(v, n, action == LXMGR_AUTO_START);
	else if (r == 0)
		r = lxmgr_auto_run(v, n, action, timeout < 0 ? -1 : timeout * 1000, print_done,
				   (void *)said[action], &err);
	lxmgr_auto_free(v, n);
	if (r < 0)
		return tool_exit(tool_error(&err));
	return tool_exit(r ? LXMGR_FAILED : 0);
}
