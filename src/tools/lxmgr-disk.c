/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>

static const char *size, *inodes;
static bool compact;

static const struct opt opts[] = {
	{ 0, "resize", OPT_STRING, &size, "SIZE",
	  "the root may take SIZE (20G), so much more (+5G), or what there is (max)" },
	{ 0, "inodes", OPT_STRING, &inodes, "N",
	  "the root may have N files, directories and links (200k, +50k, max)" },
	{ 0, "compact", OPT_FLAG, &compact, NULL, "give back to the host what was freed inside" },
};

static const struct tool tool = {
	.name = "lxmgr-disk",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Look at and change what a container's root takes on disk.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.no_rcfile = true,
	.has_json = true,
};

static const char *count(uint64_t n, char *buf, size_t len)
{
	if (n == LXMGR_UNKNOWN)
		return "-";
	snprintf(buf, len, "%llu", (unsigned long long)n);
	return buf;
}

static int show(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_disk d;
	char used[24], max[24];

	if (lxmgr_container_disk(c, &d, &err) < 0)
		return tool_error(&err);
	if (common.json) {
		report_json(json_pack("{ss ss so so so so}", "name", common.name, "backend",
				      d.backend, "used", report_number(d.bytes), "limit",
				      report_number(d.max_bytes), "inodes", report_number(d.inodes),
				      "inodes_limit", report_number(d.max_inodes)));
		return 0;
	}
	printf("%-8s %12s %12s %12s %12s\n", "BACKEND", "USED", "LIMIT", "INODES", "LIMIT");
	printf("%-8s %12s %12s %12s %12s\n", d.backend, tool_size(d.bytes), tool_size(d.max_bytes),
	       count(d.inodes, used, sizeof(used)), count(d.max_inodes, max, sizeof(max)));
	return 0;
}

static int give_back(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	uint64_t freed;

	if (lxmgr_container_disk_compact(c, tool_progress, NULL, &freed, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (common.json)
		report_json(
			json_pack("{ss so}", "name", common.name, "freed", report_number(freed)));
	else if (!common.quiet)
		printf("%s gave back %s\n", common.name, tool_size(freed));
	return 0;
}

static int change(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	if (lxmgr_container_disk_change(c, size, inodes, tool_progress, NULL, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	return common.json ? show(c) : 0;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status;
	struct lxmgr_container *c;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (compact && (size || inodes))
		tool_usage_error("--compact goes with no other change");
	c = tool_open();
	status = compact ? give_back(c) : size || inodes ? change(c) : show(c);
	lxmgr_container_close(c);
	return tool_exit(status);
}
