/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct lxmgr_start_opts o;
static struct strings defines;
static bool daemonize, close_all, dry_run;

static const struct opt opts[] = {
	{ 'd', "daemon", OPT_FLAG, &daemonize, NULL, "start in the background (default)" },
	{ 'F', "foreground", OPT_FLAG, &o.foreground, NULL,
	  "stay, with the console on this terminal" },
	{ 0, "service", OPT_FLAG, &o.service, NULL,
	  "become the monitor, as the unit lxmgr@NAME.service runs it" },
	{ 'p', "pidfile", OPT_STRING, &o.pidfile, "FILE", "write the monitor's pid to FILE" },
	{ 'c', "console", OPT_STRING, &o.console, "none", "with 'none': no console" },
	{ 'L', "console-log", OPT_STRING, &o.console_log, "FILE",
	  "write the console's output to FILE" },
	{ 'C', "close-all-fds", OPT_FLAG, &close_all, NULL,
	  "accepted: inherited descriptors are always closed" },
	{ 's', "define", OPT_STRINGS, &defines, "KEY=VALUE", "set a key for this start" },
	{ 'f', "rcfile", OPT_STRING, &common.rcfile, "FILE", "config file to use instead" },
	{ 0, "share-net", OPT_STRING, &o.share[0], "NAME|PID", "share a network namespace" },
	{ 0, "share-ipc", OPT_STRING, &o.share[1], "NAME|PID", "share an IPC namespace" },
	{ 0, "share-uts", OPT_STRING, &o.share[2], "NAME|PID", "share a UTS namespace" },
	{ 0, "share-pid", OPT_STRING, &o.share[3], "NAME|PID", "share a PID namespace" },
	{ 0, "force", OPT_FLAG, &o.force, NULL,
	  "also beyond what the host may promise (lxmgr-host)" },
	{ 0, "dry-run", OPT_FLAG, &dry_run, NULL, "print the plan and do nothing" },
};

static const struct tool tool = {
	.name = "lxmgr-start",
	.usage = "[-n] NAME [OPTIONS] [-- COMMAND ...]",
	.summary = "Start a container.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	char *plan = NULL;
	int rest = tool_parse(&tool, argc, argv), status = 0, r;

	if (daemonize && o.foreground)
		tool_usage_error("-d and -F exclude each other");
	if (o.service && (daemonize || o.foreground || dry_run))
		tool_usage_error("--service goes with none of -d, -F and --dry-run");
	if (o.console && strcmp(o.console, "none") != 0)
		tool_usage_error(
			"-c takes 'none' only; use -L FILE to log the console, -F to see it");
	c = tool_open();
	o.defines = defines.v;
	o.argv = rest < argc ? (const char *const *)argv + rest : NULL;
	o.dry_run = dry_run;
	o.ret_plan = &plan;
	o.ret_status = &status;
	o.progress = tool_progress;
	o.warn = tool_warn;
	r = lxmgr_container_start(c, &o, &err);
	tool_progress_end();
	if (r == 0 && dry_run)
		fputs(plan, stdout);
	free(plan);
	lxmgr_container_close(c);
	if (r < 0)
		return tool_exit(tool_error(&err));
	if (!o.foreground)
		return tool_exit(0);
	/* How the kernel tells that reboot(2) was called inside: SIGINT halts, SIGHUP reboots. */
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGHUP))
		return tool_exit(0);
	return tool_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
