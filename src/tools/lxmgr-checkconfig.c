/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdlib.h>

static const struct tool tool = {
	.name = "lxmgr-checkconfig",
	.usage = "[OPTIONS]",
	.summary = "Check the kernel's configuration (CONFIG=FILE names another file).",
	.no_name = true,
	.has_json = true,
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_err err = { 0 };

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (lxmgr_checkconfig(getenv("CONFIG"), report_check, NULL, &err) < 0)
		return tool_exit(tool_error(&err));
	return tool_exit(report_check_end());
}
