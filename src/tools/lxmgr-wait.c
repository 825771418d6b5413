/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *states;
static int timeout = -1;

static const struct opt opts[] = {
	{ 's', "state", OPT_STRING, &states, "STATE|STATE", "states to wait for" },
	{ 't', "timeout", OPT_NUMBER, &timeout, "SECONDS", "give up after this time" },
};

static const struct tool tool = {
	.name = "lxmgr-wait",
	.usage = "[-n] NAME -s STATE [OPTIONS]",
	.summary = "Wait until a container is in one of some states.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	enum lxmgr_state now;
	unsigned int mask = 0;
	char *copy, *save = NULL;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (!states)
		tool_usage_error("no state given (-s RUNNING)");
	if (timeout > 2000000)
		tool_usage_error("-t %d is too long", timeout);
	copy = strdup(states);
	if (!copy)
		tool_no_memory();
	for (char *w = strtok_r(copy, "|", &save); w; w = strtok_r(NULL, "|", &save)) {
		int n = lxmgr_state_parse(w);

		if (n < 0)
			tool_usage_error(
				"'%s' is no state: STOPPED STARTING RUNNING STOPPING ABORTING "
				"FREEZING FROZEN THAWED",
				tool_text(w));
		mask |= 1U << n;
	}
	free(copy);
	if (!mask)
		tool_usage_error("-s '%s' names no state", tool_text(states));
	c = tool_open();
	r = lxmgr_container_wait(c, mask, timeout < 0 ? -1 : timeout * 1000, &now, &err);
	lxmgr_container_close(c);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
