/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static const struct tool tool = {
	.name = "lxmgr-device",
	.usage = "[-n] NAME add|del DEVICE [NAME INSIDE]",
	.summary = "Give a running container a device or network interface, or take it back.",
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	bool add;

	if (argc - rest < 2 || argc - rest > 3 ||
	    (strcmp(argv[rest], "add") != 0 && strcmp(argv[rest], "del") != 0))
		tool_usage_error("expected add|del DEVICE [NAME INSIDE]");
	add = !strcmp(argv[rest], "add");
	c = tool_open();
	r = lxmgr_container_device(c, add, argv[rest + 1], argc - rest == 3 ? argv[rest + 2] : NULL,
				   &err);
	lxmgr_container_close(c);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
