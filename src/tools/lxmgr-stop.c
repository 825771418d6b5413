/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <stdio.h>

static struct lxmgr_stop_opts o = { .timeout_ms = -1 };
static int timeout = -1;

static const struct opt opts[] = {
	{ 'k', "kill", OPT_FLAG, &o.kill, NULL, "kill it at once" },
	{ 'r', "reboot", OPT_FLAG, &o.reboot, NULL, "ask it to reboot" },
	{ 't', "timeout", OPT_NUMBER, &timeout, "SECONDS",
	  "time for a clean halt (default: lxmgr.stop.timeout, 60)" },
	{ 'W', "nowait", OPT_FLAG, &o.nowait, NULL, "do not wait for it" },
	{ 0, "nokill", OPT_FLAG, &o.nokill, NULL, "fail instead of killing when the time is over" },
	{ 0, "if-running", OPT_FLAG, &o.if_running, NULL,
	  "a container that does not run, or exist, is no error" },
	{ 0, "cleanup", OPT_FLAG, &o.cleanup, NULL,
	  "stop nothing: only take back what a run that is over left behind" },
	{ 0, "nolock", OPT_FLAG, &o.nolock, NULL, "do not take the container's lock" },
};

static const struct tool tool = {
	.name = "lxmgr-stop",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Stop a container: a clean halt, then by force.",
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
	if (o.kill && (o.reboot || o.nokill || o.nowait))
		tool_usage_error("-k goes with none of -r, -W and --nokill");
	if (o.cleanup && (o.kill || o.reboot || o.nokill || o.nowait || timeout >= 0))
		tool_usage_error("--cleanup goes with none of -k, -r, -t, -W and --nokill");
	if (timeout > 2000000)
		tool_usage_error("-t %d is too long", timeout);
	if (timeout >= 0)
		o.timeout_ms = timeout * 1000;
	r = lxmgr_container_open(common.path, common.name, common.rcfile, &c, &err);
	/* Its unit asks also when it was destroyed under it. */
	if (r == -ENOENT && (o.if_running || o.cleanup))
		return tool_exit(0);
	if (r < 0)
		return tool_exit(tool_error(&err));
	r = lxmgr_container_stop(c, &o, &err);
	lxmgr_container_close(c);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
