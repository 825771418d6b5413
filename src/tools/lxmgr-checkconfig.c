/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct tool tool = {
	.name = "lxmgr-checkconfig",
	.usage = "[OPTIONS]",
	.summary = "Check the kernel's configuration (CONFIG=FILE names another file).",
	.no_name = true,
	.has_json = true,
};

static json_t *list;
static char group[32];
static int missing;

static const char *mark(int result)
{
	static const char *const plain[] = { "ok     ", "notice ", "MISSING" };
	static const char *const colour[] = { "\033[32mok\033[0m     ", "\033[33mnotice\033[0m ",
					      "\033[31mMISSING\033[0m" };

	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") ? colour[result] : plain[result];
}

static int print(const struct lxmgr_check *c, void *arg)
{
	static const char *const words[] = { "ok", "notice", "missing" };

	(void)arg;
	missing += c->result == 2;
	if (common.json) {
		json_array_append_new(list, json_pack("{ss ss ss ss ss}", "group", c->group, "name",
						      c->name, "result", words[c->result], "text",
						      c->text, "cure", c->cure));
		return 0;
	}
	if (strcmp(group, c->group) != 0) {
		snprintf(group, sizeof(group), "%s", c->group);
		printf("%s:\n", group);
	}
	printf("  %s %-28s %s\n", mark(c->result), c->name, tool_text(c->text));
	if (*c->cure && c->result)
		printf("          -> %s\n", tool_text(c->cure));
	return 0;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_err err = { 0 };

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	list = json_array();
	if (lxmgr_checkconfig(getenv("CONFIG"), print, NULL, &err) < 0)
		return tool_exit(tool_error(&err));
	if (common.json)
		tool_json(list);
	return tool_exit(missing ? LXMGR_FAILED : 0);
}
