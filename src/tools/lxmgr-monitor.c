/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool quit;
static regex_t pattern;
static bool has_pattern;

static const struct opt opts[] = {
	{ 'Q', "quit", OPT_FLAG, &quit, NULL, "refused: there is no daemon that could be ended" },
};

static const struct tool tool = {
	.name = "lxmgr-monitor",
	.usage = "[[-n] NAME|REGEX]",
	.summary = "Print the state changes of containers as they happen.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
	.has_json = true,
};

static int print(const char *name, enum lxmgr_state state, void *arg)
{
	(void)arg;
	if (has_pattern && regexec(&pattern, name, 0, NULL, 0))
		return 0;
	if (common.json) {
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		printf("{\"time\": %lld.%03ld, \"name\": \"%s\", \"state\": \"%s\"}\n",
		       (long long)t.tv_sec, t.tv_nsec / 1000000, name, lxmgr_state_name(state));
	} else {
		printf("'%s' changed state to [%s]\n", name, lxmgr_state_name(state));
	}
	return fflush(stdout) ? -1 : 0;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_err err = { 0 };

	if (quit)
		tool_usage_error("-Q: there is no lxc-monitord here, nothing needs to be ended");
	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (common.name) {
		char *whole = NULL;

		if (asprintf(&whole, "^(%s)$", common.name) < 0)
			tool_no_memory();
		if (regcomp(&pattern, whole, REG_EXTENDED | REG_NOSUB))
			tool_usage_error("'%s' is no regular expression", tool_text(common.name));
		free(whole);
		has_pattern = true;
	}
	if (lxmgr_monitor(common.path, NULL, print, NULL, &err) < 0)
		return tool_exit(tool_error(&err));
	return tool_exit(0);
}
