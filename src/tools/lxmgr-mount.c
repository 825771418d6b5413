/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_only;
static json_t *list;

static const struct opt opts[] = {
	{ 'r', "read-only", OPT_FLAG, &read_only, NULL, "nothing can be changed" },
};

static const struct tool tool = {
	.name = "lxmgr-mount",
	.usage = "[-n] [NAME] [OPTIONS] [DIR]",
	.summary = "Mount the root of a stopped container for the host; without a name, list what "
		   "is mounted.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.has_json = true,
};

static json_t *as_json(const struct lxmgr_mount *m)
{
	return json_pack("{ss so so sb so}", "name", m->name, "path", report_text(m->path), "dir",
			 report_text(m->dir), "read_only", m->read_only, "elsewhere",
			 report_pid(m->elsewhere));
}

static int show(const struct lxmgr_mount *m, void *arg)
{
	(void)arg;
	if (common.json) {
		json_array_append_new(list, as_json(m));
		return 0;
	}
	printf("%-24s %s %s", m->name, m->read_only ? "ro" : "rw", tool_text(m->dir));
	if (m->elsewhere)
		printf(" (in the mount namespace of process %d)", m->elsewhere);
	printf("\n");
	return 0;
}

static int list_all(void)
{
	struct lxmgr_err err = { 0 };

	list = json_array();
	if (lxmgr_mounts(common.path, show, NULL, &err) < 0)
		return tool_exit(tool_error(&err));
	if (common.json)
		report_json(list);
	return tool_exit(0);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	struct lxmgr_mount m = { 0 };
	char *dir = NULL;

	if (!common.name && rest == argc)
		return list_all();
	if (argc - rest > 1)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest + 1]));
	c = tool_open();
	r = lxmgr_container_mount(c, rest < argc ? argv[rest] : NULL, read_only, &dir, &err);
	if (r == 0) {
		m = (struct lxmgr_mount){ common.name, lxmgr_container_path(c), dir, read_only, 0 };
		if (common.json)
			report_json(as_json(&m));
		else if (!common.quiet)
			printf("%s\n", tool_text(dir));
	}
	lxmgr_container_close(c);
	free(dir);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
