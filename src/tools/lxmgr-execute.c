/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct lxmgr_start_opts o = { .execute = true, .uid = (uid_t)-1, .gid = (gid_t)-1 };
static struct strings defines;
static bool daemonize;
static const char *uid, *gid;

static const struct opt opts[] = {
	{ 'd', "daemon", OPT_FLAG, &daemonize, NULL, "run in the background" },
	{ 'f', "rcfile", OPT_STRING, &common.rcfile, "FILE", "config file to use instead" },
	{ 's', "define", OPT_STRINGS, &defines, "KEY=VALUE", "set a key for this run" },
	{ 'u', "uid", OPT_STRING, &uid, "UID", "user id of the command" },
	{ 'g', "gid", OPT_STRING, &gid, "GID", "group id of the command" },
	{ 0, "share-net", OPT_STRING, &o.share[0], "NAME|PID", "share a network namespace" },
	{ 0, "share-ipc", OPT_STRING, &o.share[1], "NAME|PID", "share an IPC namespace" },
	{ 0, "share-uts", OPT_STRING, &o.share[2], "NAME|PID", "share a UTS namespace" },
	{ 0, "share-pid", OPT_STRING, &o.share[3], "NAME|PID", "share a PID namespace" },
};

static const struct tool tool = {
	.name = "lxmgr-execute",
	.usage = "[-n] NAME [OPTIONS] [-- COMMAND ...]",
	.summary = "Run one command in a container of its own, under a small init.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status = 0, r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };

	if (uid)
		o.uid = tool_id("-u", uid);
	if (gid)
		o.gid = tool_id("-g", gid);
	o.defines = defines.v;
	o.foreground = !daemonize;
	o.ret_status = &status;
	o.argv = rest < argc ? (const char *const *)argv + rest : NULL;
	if (lxmgr_container_open(common.path, common.name, common.rcfile, &c, &err) < 0) {
		tool_error(&err);
		return tool_exit(125);
	}
	o.progress = tool_progress;
	o.warn = tool_warn;
	r = lxmgr_container_start(c, &o, &err);
	tool_progress_end();
	lxmgr_container_close(c);
	if (r < 0) {
		tool_error(&err);
		return tool_exit(err.status >= 125 ? err.status : 125);
	}
	if (daemonize)
		return tool_exit(0);
	return tool_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
