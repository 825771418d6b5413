/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lxmgr_import_opts o;
static struct strings defines;
static const char *source;

static const struct opt opts[] = {
	{ 0, "format", OPT_STRING, &o.format, "FORMAT",
	  "what it is (default: what it looks like)" },
	{ 'B', "bdev", OPT_STRING, &o.backend, "TYPE", "storage backend (default: dir)" },
	{ 0, "fstype", OPT_STRING, &o.fstype, "TYPE", "with loop and lvm: ext4, xfs or btrfs" },
	{ 0, "fssize", OPT_STRING, &o.fssize, "SIZE",
	  "with loop and lvm: size of its file system (default: 10G, or lxmgr.limit.disk)" },
	{ 0, "trust", OPT_FLAG, &o.trust, NULL,
	  "take all of its config: hooks, mounts, interfaces of the host" },
	{ 'K', "keepname", OPT_FLAG, &o.keep_name, NULL, "keep the host name" },
	{ 'M', "keepmac", OPT_FLAG, &o.keep_mac, NULL, "keep MAC addresses of the config" },
	{ 0, "keepaddress", OPT_FLAG, &o.keep_addresses, NULL, "keep IP addresses of the config" },
	{ 0, "keepid", OPT_FLAG, &o.keep_identity, NULL, "keep machine-id and ssh host keys" },
	{ 0, "define", OPT_STRINGS, &defines, "KEY=VALUE", "set a key in its config" },
	{ 0, "max-entries", OPT_STRING, &o.max_entries, "N",
	  "refuse more files (default: 10M, of other managers' archives 2M)" },
	{ 0, "max-size", OPT_STRING, &o.max_size, "SIZE", "refuse more content (default: 1T)" },
};

static void more_help(void)
{
	const char *name, *help;

	printf("\nFormats:\n");
	for (size_t i = 0; (name = lxmgr_import_format(i, &help)); i++)
		printf("  %-12s %s\n", name, help);
}

static const struct tool tool = {
	.name = "lxmgr-import",
	.usage = "FILE|DIR[@POINT]|- [[-n] NAME] [OPTIONS]",
	.summary = "Make a container of what an export, or another manager, wrote.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.second = &source,
	.name_is_second = true,
	.no_rcfile = true,
	.more_help = more_help,
};

static void warn(const char *text, void *arg)
{
	if (!common.quiet)
		fprintf(stderr, "%s: notice: %s\n", tool.name, text);
	(void)arg;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_err err = { 0 };
	bool no_keys = false;
	char *name = NULL;

	if (!source)
		tool_usage_error("no file (FILE, DIR[@POINT], or - for the standard input)");
	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (!strcmp(source, "-") && isatty(STDIN_FILENO))
		tool_usage_error("an archive does not come from a terminal");
	o.name = common.name;
	o.defines = defines.v;
	o.progress = tool_progress;
	o.warn = warn;
	o.ret_no_keys = &no_keys;
	if (lxmgr_container_import(common.path, source, &o, &name, &err) < 0)
		return tool_exit(tool_error(&err));
	tool_progress_end();
	if (no_keys)
		tool_no_host_keys(name);
	if (!common.quiet)
		printf("Created %s\n", name);
	free(name);
	return tool_exit(0);
}
