/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lxmgr_copy_opts o;
static struct strings defines;
static const char *newname, *backend, *unsupported;
static bool rename_it, foreground, daemonize, keep_data, allow_running;

static const struct opt opts[] = {
	{ 'N', "newname", OPT_STRING, &newname, "NEWNAME", "name of the copy" },
	{ 'p', "newpath", OPT_STRING, &o.path, "DIR", "directory of containers for the copy" },
	{ 'R', "rename", OPT_FLAG, &rename_it, NULL, "rename the container instead" },
	{ 's', "snapshot", OPT_FLAG, &o.share, NULL, "copy on write: share what does not change" },
	{ 'e', "ephemeral", OPT_FLAG, &o.ephemeral, NULL,
	  "start the copy now, and destroy it when it stops" },
	{ 'F', "foreground", OPT_FLAG, &foreground, NULL, "with -e: start it in the foreground" },
	{ 'd', "daemon", OPT_FLAG, &daemonize, NULL, "with -e: in the background (the default)" },
	{ 'D', "keepdata", OPT_FLAG, &keep_data, NULL, "with -e: it stays when it stops" },
	{ 'K', "keepname", OPT_FLAG, &o.keep_name, NULL, "keep the host name" },
	{ 'M', "keepmac", OPT_FLAG, &o.keep_mac, NULL, "keep MAC addresses of the config" },
	{ 0, "keepaddress", OPT_FLAG, &o.keep_addresses, NULL, "keep IP addresses of the config" },
	{ 0, "keepid", OPT_FLAG, &o.keep_identity, NULL, "keep machine-id and ssh host keys" },
	{ 0, "define", OPT_STRINGS, &defines, "KEY=VALUE", "set a key in the copy's config" },
	{ 'a', "allowrunning", OPT_FLAG, &allow_running, NULL,
	  "for LXC's scripts: a running container may always be copied" },
	{ 'B', "backingstorage", OPT_STRING, &backend, "TYPE",
	  "that of the container, or best: it stays as it is" },
	{ 't', "tmpfs", OPT_STRING, &unsupported, "SIZE", "refused: not done yet" },
	{ 'm', "mount", OPT_STRING, &unsupported, "SPEC",
	  "refused: --define lxmgr.mount.entry=... does it" },
	{ 'L', "fssize", OPT_STRING, &unsupported, "SIZE", "refused: no backend here has a size" },
};

static const struct tool tool = {
	.name = "lxmgr-copy",
	.usage = "[-n] NAME [-N] NEWNAME [OPTIONS]",
	.summary = "Copy or rename a container.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.second = &newname,
	.no_rcfile = true,
};

static int start(const char *name)
{
	struct lxmgr_start_opts so = {
		.foreground = foreground, .uid = (uid_t)-1, .gid = (gid_t)-1, .warn = tool_warn
	};
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	int r = lxmgr_container_open(o.path ? o.path : common.path, name, NULL, &c, &err);

	if (r < 0)
		return tool_error(&err);
	r = lxmgr_container_start(c, &so, &err);
	lxmgr_container_close(c);
	return r < 0 ? tool_error(&err) : 0;
}

static int rename_container(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	if (lxmgr_container_rename(c, newname, &err) < 0)
		return tool_error(&err);
	if (!common.quiet)
		printf("Renamed %s to %s\n", common.name, newname);
	return 0;
}

static int copy_container(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	bool ephemeral = o.ephemeral, no_keys = false;
	char *name = NULL;
	int status = 0;

	if (keep_data)
		o.ephemeral = false;
	o.try_share = ephemeral;
	o.defines = defines.v;
	o.progress = tool_progress;
	o.ret_no_keys = &no_keys;
	if (lxmgr_container_copy(c, newname, &o, &name, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (no_keys)
		fprintf(stderr,
			"%s: notice: '%s' has no ssh host keys now (install openssh-client here, "
			"or "
			"run ssh-keygen -A in it)\n",
			tool.name, name);
	if (!common.quiet)
		printf("Created %s as a copy of %s\n", name, common.name);
	if (ephemeral)
		status = start(name);
	free(name);
	return status;
}

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	int rest = tool_parse(&tool, argc, argv), status;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (unsupported)
		tool_usage_error("-t, -m and -L are refused (see lxmgr-copy(1))");
	if (backend && strcmp(backend, "best") != 0)
		tool_usage_error("-B '%s' is refused: a copy has the backend of its source",
				 tool_text(backend));
	if (!newname && !o.ephemeral)
		tool_usage_error("no name for the copy (-N NEWNAME)");
	if (rename_it && (o.ephemeral || o.share || o.path))
		tool_usage_error("-R goes without -e, -s and -p");
	if ((foreground || keep_data || daemonize) && !o.ephemeral)
		tool_usage_error("-F, -d and -D go with -e");
	if (foreground && daemonize)
		tool_usage_error("-F and -d exclude each other");
	if (keep_data && !newname)
		tool_usage_error("-D needs a name for the copy (-N NEWNAME)");
	c = tool_open();
	status = rename_it ? rename_container(c) : copy_container(c);
	lxmgr_container_close(c);
	return tool_exit(status);
}
