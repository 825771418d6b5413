/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lxmgr_stop_opts o = { .timeout_ms = -1 };
static int timeout = -1;

static const struct opt opts[] = {
	{ 'k', "kill", OPT_FLAG, &o.kill, NULL, "kill it instead of a clean halt" },
	{ 't', "timeout", OPT_NUMBER, &timeout, "SECONDS", "time for a clean halt" },
};

static const struct tool tool = {
	.name = "lxmgr-restart",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Stop a container and start it again; one that is stopped is started.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

/* It would not come back. */
static void refuse_suspended(struct lxmgr_container *c)
{
	struct lxmgr_err err = { .status = LXMGR_REFUSED };
	char *value = NULL;
	bool suspended = lxmgr_container_get_item(c, "lxmgr.suspended", &value, NULL) == 0 &&
			 strcmp(value, "1") == 0;

	free(value);
	if (!suspended)
		return;
	snprintf(err.text, sizeof(err.text),
		 "it is suspended and would not start again; 'lxmgr-set %s --suspend-service no' "
		 "lifts that",
		 common.name);
	exit(tool_exit(tool_error(&err)));
}

int main(int argc, char **argv)
{
	struct lxmgr_start_opts start = { .progress = tool_progress, .warn = tool_warn };
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	int rest = tool_parse(&tool, argc, argv), r;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (timeout > 2000000)
		tool_usage_error("-t %d is too long", timeout);
	if (timeout >= 0)
		o.timeout_ms = timeout * 1000;
	c = tool_open();
	refuse_suspended(c);
	r = lxmgr_container_stop(c, &o, &err);
	lxmgr_container_close(c);
	if (r < 0 && err.status != LXMGR_NOT_RUNNING)
		return tool_exit(tool_error(&err));
	/* What ran already has no more than before: it is not left stopped. */
	start.force = r == 0;
	/* Opened anew: the stop read the running config, the start reads the saved one. */
	c = tool_open();
	r = lxmgr_container_start(c, &start, &err);
	lxmgr_container_close(c);
	tool_progress_end();
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
