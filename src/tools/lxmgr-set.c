/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An option for each key; NULL where it was not given. */
enum {
	MEMORY,
	SWAP,
	CPUS,
	CPU_BURST,
	CPU_WEIGHT,
	CPUSET,
	PIDS,
	DISK,
	INODES,
	ONBOOT,
	BOOT_ORDER,
	BOOT_DELAY,
	STOP_TIMEOUT,
	DESCRIPTION,
	OWNER,
	TAG,
	PROTECT,
	SUSPEND,
	OPTIONS
};
static const char *given[OPTIONS];
static const char *const keys[OPTIONS] = {
	[MEMORY] = "lxmgr.limit.memory",
	[SWAP] = "lxmgr.limit.swap",
	[CPUS] = "lxmgr.limit.cpus",
	[CPU_BURST] = "lxmgr.limit.cpu.burst",
	[CPUSET] = "lxmgr.limit.cpuset",
	[CPU_WEIGHT] = "lxmgr.limit.cpu.weight",
	[PIDS] = "lxmgr.limit.pids",
	[DISK] = "lxmgr.limit.disk",
	[INODES] = "lxmgr.limit.inodes",
	[ONBOOT] = "lxmgr.start.auto",
	[BOOT_ORDER] = "lxmgr.start.order",
	[BOOT_DELAY] = "lxmgr.start.delay",
	[STOP_TIMEOUT] = "lxmgr.stop.timeout",
	[DESCRIPTION] = "lxmgr.description",
	[OWNER] = "lxmgr.owner",
	[TAG] = "lxmgr.tag",
	[PROTECT] = "lxmgr.protect",
	[SUSPEND] = "lxmgr.suspended",
};
static bool dry_run;

static const struct opt opts[] = {
	{ 0, "memory", OPT_STRING, &given[MEMORY], "SIZE", "memory (2G, max)" },
	{ 0, "swap", OPT_STRING, &given[SWAP], "SIZE", "swap beyond the memory (1G, 0, max)" },
	{ 0, "cpus", OPT_STRING, &given[CPUS], "N", "CPU time, in CPUs (1.5, max)" },
	{ 0, "cpu-burst", OPT_STRING, &given[CPU_BURST], "N",
	  "CPUs beyond that for a moment, of what was left over (0.5, 0)" },
	{ 0, "cpuset", OPT_STRING, &given[CPUSET], "LIST", "the CPUs it may use (0-3,8)" },
	{ 0, "cpu-weight", OPT_STRING, &given[CPU_WEIGHT], "N",
	  "share of CPU time where it is short, 1 to 10000 (100)" },
	{ 0, "pids", OPT_STRING, &given[PIDS], "N", "processes and threads (4096, max)" },
	{ 0, "disk", OPT_STRING, &given[DISK], "SIZE", "what its root may take (20G, max)" },
	{ 0, "inodes", OPT_STRING, &given[INODES], "N",
	  "files, directories and links of its root (200k, max)" },
	{ 0, "onboot", OPT_STRING, &given[ONBOOT], "yes|no", "start it when the host starts" },
	{ 0, "boot-order", OPT_STRING, &given[BOOT_ORDER], "N", "the highest starts first" },
	{ 0, "boot-delay", OPT_STRING, &given[BOOT_DELAY], "SECONDS", "wait behind its start" },
	{ 0, "stop-timeout", OPT_STRING, &given[STOP_TIMEOUT], "TIME",
	  "what a clean halt may take (60s)" },
	{ 0, "description", OPT_STRING, &given[DESCRIPTION], "TEXT", "what it is for" },
	{ 0, "owner", OPT_STRING, &given[OWNER], "TEXT", "whose it is" },
	{ 0, "tag", OPT_STRING, &given[TAG], "WORDS", "words for whoever looks for it" },
	{ 0, "protect", OPT_STRING, &given[PROTECT], "yes|no",
	  "yes: it can neither be destroyed nor reinstalled" },
	{ 0, "suspend-service", OPT_STRING, &given[SUSPEND], "yes|no",
	  "yes: it cannot be started, what runs goes on" },
	{ 0, "dry-run", OPT_FLAG, &dry_run, NULL, "tell what would change, and change nothing" },
};

static void more_help(void)
{
	puts("\nAn empty value (--swap=) is the default again.");
}

static const struct tool tool = {
	.name = "lxmgr-set",
	.usage = "[-n] NAME OPTIONS",
	.summary = "Change a container, at once if it runs, and its config.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.no_rcfile = true,
	.has_json = true,
	.more_help = more_help,
};

static void print_change(const char *key, const char *old, const char *value, void *arg)
{
	if (arg)
		json_array_append_new(arg,
				      json_pack("{ss so so}", "key", key, "old", report_text(old),
						"value", report_text(value)));
	else if (!common.quiet)
		printf("%s: %s -> %s\n", key, *old ? tool_text(old) : "default",
		       *value ? tool_text(value) : "default");
}

/* The option that takes yes or no, or NULL. */
static const char *switch_name(int option)
{
	return option == ONBOOT	   ? "--onboot"
	       : option == PROTECT ? "--protect"
	       : option == SUSPEND ? "--suspend-service"
				   : NULL;
}

static const char *value_of(int option)
{
	const char *text = given[option], *name = switch_name(option);

	if (!*text)
		return NULL;
	if (!name)
		return text;
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		tool_usage_error("%s takes yes or no, not '%s'", name, tool_text(text));
	return strcmp(text, "yes") == 0 ? "1" : "0";
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status = 0;
	struct lxmgr_change changes[OPTIONS];
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	json_t *told = NULL;
	size_t n = 0;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	for (int i = 0; i < OPTIONS; i++)
		if (given[i])
			changes[n++] = (struct lxmgr_change){ keys[i], value_of(i) };
	if (!n)
		tool_usage_error("nothing to change; see --help");
	c = tool_open();
	if (common.json)
		told = json_array();
	if (lxmgr_container_set(c, changes, n, dry_run ? LXMGR_SET_DRY_RUN : 0, print_change, told,
				&err) < 0)
		status = tool_error(&err);
	else if (common.json)
		report_json(json_pack("{ss sO sb}", "name", common.name, "changes", told, "dry_run",
				      dry_run));
	json_decref(told);
	lxmgr_container_close(c);
	return tool_exit(status);
}
