/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct lxmgr_export_opts o;
static const char *file, *incremental, *list;

static const struct opt opts[] = {
	{ 0, "incremental", OPT_STRING, &incremental, "DIR",
	  "add a point to the backups in DIR: what has changed" },
	{ 0, "keep", OPT_STRING, &o.keep, "7d,4w,6m", "with --incremental: what points to keep" },
	{ 0, "full", OPT_FLAG, &o.full, NULL, "with --incremental: all of it again" },
	{ 0, "list", OPT_STRING, &list, "DIR", "list the points in DIR" },
};

static const struct tool tool = {
	.name = "lxmgr-export",
	.usage = "[-n] NAME [FILE|-] [OPTIONS]",
	.summary = "Write a container to a file, or to a directory of backups.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.second = &file,
	.name_optional = true,
	.no_rcfile = true,
	.has_json = true,
};

static void print_json(const struct lxmgr_backup *b, size_t n)
{
	json_t *v = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			v,
			json_pack("{ss ss so sI so so}", "name", b[i].name, "point", b[i].point,
				  "parent", *b[i].parent ? json_string(b[i].parent) : json_null(),
				  "created", (json_int_t)b[i].created, "size",
				  report_number(b[i].size), "missing",
				  *b[i].missing ? json_string(b[i].missing) : json_null()));
	report_json(v);
}

static int show(void)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_backup *b;
	size_t n;

	if (lxmgr_backup_list(list, &b, &n, &err) < 0)
		return tool_error(&err);
	if (common.json)
		print_json(b, n);
	else if (n)
		printf("%-22s %-19s %-9s %10s\n", "POINT", "CREATED", "KIND", "SIZE");
	for (size_t i = 0; i < n && !common.json; i++) {
		time_t t = (time_t)b[i].created;
		char when[32] = "";
		struct tm tm;

		if (localtime_r(&t, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		printf("%-22s %-19s %-9s %10s", b[i].point, when,
		       *b[i].parent ? "increment" : "full", tool_size(b[i].size));
		if (*b[i].missing)
			printf("  lacks %s", b[i].missing);
		printf("\n");
	}
	lxmgr_backup_free(b);
	return 0;
}

static int backup(struct lxmgr_container *c)
{
	struct lxmgr_backup_done done;
	struct lxmgr_err err = { 0 };

	if (lxmgr_container_backup(c, incremental, &o, &done, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (common.quiet)
		return 0;
	printf("Added %s to %s: %s, %s\n", done.point, tool_text(incremental),
	       done.full ? "full" : "what has changed", tool_size(done.size));
	if (done.removed)
		printf("Removed %zu that are not kept\n", done.removed);
	return 0;
}

static int export(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	char name[80];

	if (!file) {
		snprintf(name, sizeof(name), "%s.tar.zst", common.name);
		file = name;
	}
	if (lxmgr_container_export(c, file, &o, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (!common.quiet && strcmp(file, "-") != 0)
		printf("Exported %s to %s\n", common.name, tool_text(file));
	return 0;
}

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	int rest = tool_parse(&tool, argc, argv), status;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (list && (file || incremental || common.name))
		tool_usage_error("--list takes no container and no file");
	if (incremental && file)
		tool_usage_error("--incremental takes no file");
	if ((o.keep || o.full) && !incremental)
		tool_usage_error("--keep and --full go with --incremental");
	if (common.json && !list)
		tool_usage_error("--json goes with --list");
	if (!common.name && !list)
		tool_usage_error("no container name (-n NAME)");
	if (file && !strcmp(file, "-") && isatty(STDOUT_FILENO))
		tool_usage_error("an archive is not for a terminal");
	if (list)
		return tool_exit(show());
	o.progress = tool_progress;
	o.warn = tool_warn;
	c = tool_open();
	status = incremental ? backup(c) : export(c);
	lxmgr_container_close(c);
	return tool_exit(status);
}
