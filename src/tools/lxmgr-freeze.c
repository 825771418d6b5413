/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>

static const struct tool tool = {
	.name = "lxmgr-freeze",
	.usage = "[-n] NAME",
	.summary = "Freeze all processes of a container.",
};

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	int rest = tool_parse(&tool, argc, argv), r;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	c = tool_open();
	r = lxmgr_container_freeze(c, &err);
	lxmgr_container_close(c);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
