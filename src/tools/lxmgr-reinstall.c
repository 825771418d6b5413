/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lxmgr_reinstall_opts o;
static int timeout;

static const struct opt opts[] = {
	{ 't', "template", OPT_STRING, &o.template_name, "TEMPLATE",
	  "another template (default: the one that it was made from)" },
	{ 0, "image", OPT_STRING, &o.image, "IMAGE",
	  "an image of the cache in place of a template (lxmgr-image list)" },
	{ 'B', "bdev", OPT_STRING, &o.backend, "TYPE", "storage backend (default: as it was)" },
	{ 0, "keep-old", OPT_FLAG, &o.keep_old, NULL, "keep the old root under /old" },
	{ 'f', "force", OPT_FLAG, &o.force, NULL, "stop it first if it runs" },
	{ 'F', "flush-cache", OPT_FLAG, &o.flush_cache, NULL, "build the template's image again" },
	{ 0, "timeout", OPT_NUMBER, &timeout, "SECONDS",
	  "kill the template after this time (default: 3600)" },
};

static const struct tool tool = {
	.name = "lxmgr-reinstall",
	.usage = "[-n] NAME [-t TEMPLATE | --image IMAGE] [OPTIONS] [-- TEMPLATE OPTIONS]",
	.summary = "Give a container a fresh root; who it is and who may log in stays.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.has_json = true,
	.no_rcfile = true,
};

static void print_done(const json_t *j)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(j, "notices"), i, v)
		fprintf(stderr, "%s: notice: %s\n", tool.name, tool_text(json_string_value(v)));
	printf("Reinstalled %s. Start it with: lxmgr-start %s\n", common.name, common.name);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	char *text = NULL;
	json_t *j;

	if (timeout > 2000000)
		tool_usage_error("--timeout %d is too long", timeout);
	o.template_args = (const char *const *)argv + rest;
	o.timeout_ms = timeout * 1000;
	o.quiet = common.quiet;
	o.progress = tool_progress;
	o.ret_json = &text;
	c = tool_open();
	r = lxmgr_container_reinstall(c, &o, &err);
	if (r < 0)
		return tool_exit(tool_error(&err));
	tool_progress_end();
	lxmgr_container_close(c);
	j = json_loads(text, 0, NULL);
	free(text);
	if (!j)
		tool_no_memory();
	if (common.json)
		report_json(json_incref(j));
	else if (!common.quiet)
		print_done(j);
	json_decref(j);
	return tool_exit(0);
}
