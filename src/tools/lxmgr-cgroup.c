/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tool tool = {
	.name = "lxmgr-cgroup",
	.usage = "[-n] NAME FILE [VALUE]",
	.summary = "Read or write a control file of a running container's cgroup.",
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	char *value = NULL;

	if (argc - rest < 1 || argc - rest > 2)
		tool_usage_error("expected FILE [VALUE]");
	c = tool_open();
	r = lxmgr_container_cgroup(c, argv[rest], argc - rest == 2 ? argv[rest + 1] : NULL, &value,
				   &err);
	lxmgr_container_close(c);
	if (r < 0)
		return tool_exit(tool_error(&err));
	if (value)
		printf("%s\n", value);
	free(value);
	return tool_exit(0);
}
