/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

static const struct tool tool = {
	.name = "lxmgr-umount",
	.usage = "[-n] NAME",
	.summary = "Unmount the root of a container that lxmgr-mount mounted.",
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	c = tool_open();
	r = lxmgr_container_umount(c, &err);
	lxmgr_container_close(c);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
