/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct tool tool = {
	.name = "lxmgr-pid",
	.usage = "PID...",
	.summary = "Tell which containers processes belong to.",
	.no_name = true,
	.has_json = true,
};

static pid_t to_pid(const char *text)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || *end || end == text || v < 1 || v > INT32_MAX)
		tool_usage_error("'%s' is no number of a process", tool_text(text));
	return (pid_t)v;
}

static json_t *to_json(const struct lxmgr_process *p)
{
	bool found = *p->name != '\0';

	return json_pack("{si so so so sb so}", "pid", (int)p->pid, "name",
			 found ? report_text(p->name) : json_null(), "path",
			 found ? report_text(p->path) : json_null(), "pid_inside",
			 report_pid(p->inside), "monitor", p->is_monitor, "command",
			 report_text(p->command));
}

static void print_line(const struct lxmgr_process *p)
{
	char inside[16] = "-";

	if (p->is_monitor)
		snprintf(inside, sizeof(inside), "monitor");
	else if (p->inside)
		snprintf(inside, sizeof(inside), "%d", p->inside);
	printf("%-10d %-15s %-10s %s\n", p->pid, *p->name ? tool_text(p->name) : "-", inside,
	       tool_text(p->command));
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status = 0;
	json_t *list = NULL;

	if (rest == argc)
		tool_usage_error("a PID is missing");
	for (int i = rest; i < argc; i++)
		to_pid(argv[i]);
	if (common.json)
		list = json_array();
	else
		printf("%-10s %-15s %-10s %s\n", "PID", "NAME", "INSIDE", "COMMAND");
	for (int i = rest; i < argc; i++) {
		struct lxmgr_err err = { 0 };
		struct lxmgr_process p;

		if (lxmgr_process(to_pid(argv[i]), &p, &err) < 0)
			status = tool_error(&err);
		else if (list)
			json_array_append_new(list, to_json(&p));
		else
			print_line(&p);
	}
	if (list)
		report_json(list);
	return tool_exit(status);
}
