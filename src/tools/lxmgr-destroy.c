/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>

static bool force, snapshots;

static const struct opt opts[] = {
	{ 'f', "force", OPT_FLAG, &force, NULL, "stop it first if it runs" },
	{ 's', "snapshots", OPT_FLAG, &snapshots, NULL, "with its snapshots" },
};

static const struct tool tool = {
	.name = "lxmgr-destroy",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Destroy a container: its root, config, addresses and ids.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	int rest = tool_parse(&tool, argc, argv), r;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	c = tool_open();
	r = lxmgr_container_destroy(c, force, snapshots, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return tool_exit(tool_error(&err));
	if (!common.quiet)
		printf("Destroyed %s\n", common.name);
	return tool_exit(0);
}
