/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static int tty = -1;
static const char *escape = "^a";

static const struct opt opts[] = {
	{ 't', "tty", OPT_NUMBER, &tty, "N",
	  "terminal: 0 is the console (default: the first free one)" },
	{ 'e', "escape", OPT_STRING, &escape, "PREFIX",
	  "escape prefix: 'a' or '^a' is Ctrl-a (default); then q leaves" },
};

static const struct tool tool = {
	.name = "lxmgr-console",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Connect to a terminal of a running container.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

static int parse_escape(const char *s)
{
	if (*s == '^')
		s++;
	if (s[0] && !s[1] && s[0] >= 'a' && s[0] <= 'z')
		return s[0] - 'a' + 1;
	if (s[0] && !s[1] && s[0] >= 'A' && s[0] <= 'Z')
		return s[0] - 'A' + 1;
	tool_usage_error("-e: '%s' is no letter", tool_text(s));
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), key = parse_escape(escape), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	enum lxmgr_state state;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	c = tool_open();
	/* The hint is for whoever gets a terminal; the library says why there is none. */
	if (!common.quiet && lxmgr_container_state(c, &state, NULL) == 0 &&
	    state != LXMGR_STOPPED && state != LXMGR_BROKEN)
		fprintf(stderr,
			"Ctrl-%c q leaves, Ctrl-%c Ctrl-%c sends Ctrl-%c. Press Enter for a "
			"prompt.\n",
			key + 'a' - 1, key + 'a' - 1, key + 'a' - 1, key + 'a' - 1);
	r = lxmgr_container_console(c, tty, key, &err);
	lxmgr_container_close(c);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
