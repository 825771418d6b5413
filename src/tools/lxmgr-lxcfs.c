/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>

static bool detach;
static int wait_s;

static const struct opt opts[] = {
	{ 'd', "detach", OPT_FLAG, &detach, NULL, "only take them away" },
	{ 't', "timeout", OPT_NUMBER, &wait_s, "SECONDS", "wait so long for lxcfs (default 0)" },
};

static const struct tool tool = {
	.name = "lxmgr-lxcfs",
	.usage = "[[-n] NAME] [OPTIONS]",
	.summary = "Give running containers the files of lxcfs anew, or take them away.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
};

static void done(const char *name, const struct lxmgr_err *why, void *arg)
{
	(void)arg;
	common.name = name;
	if (why)
		tool_error(why);
	else if (!common.quiet)
		printf("%s\n", tool_text(name));
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_err err = { 0 };

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (wait_s > 3600)
		tool_usage_error("-t %d is too long", wait_s);
	r = lxmgr_lxcfs(common.path, common.name, !detach, wait_s * 1000, done, NULL, &err);
	return tool_exit(r < 0 ? tool_error(&err) : r > 0 ? LXMGR_FAILED : 0);
}
