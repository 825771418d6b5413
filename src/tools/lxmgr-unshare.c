/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct lxmgr_unshare_opts o = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
static const char *namespaces, *user;
static struct strings ifnames;

static const struct opt opts[] = {
	{ 's', "namespaces", OPT_STRING, &namespaces, "NS|NS", "namespaces to make" },
	{ 'u', "user", OPT_STRING, &user, "USER", "user to become" },
	{ 'H', "hostname", OPT_STRING, &o.hostname, "NAME", "host name in the UTSNAME namespace" },
	{ 'i', "ifname", OPT_STRINGS, &ifnames, "IFNAME",
	  "interface to move into the NETWORK namespace" },
	{ 'd', "daemon", OPT_FLAG, &o.daemonize, NULL, "do not wait for the command" },
	{ 'M', "remount", OPT_FLAG, &o.remount, NULL,
	  "mount a fresh /proc in the MOUNT namespace" },
};

static const struct tool tool = {
	.name = "lxmgr-unshare",
	.usage = "-s NAMESPACES [OPTIONS] -- COMMAND ...",
	.summary = "Run a command in new namespaces.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.no_name = true,
};

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status = 125;
	struct lxmgr_err err = { 0 };

	if (!namespaces)
		tool_usage_error("no namespaces given (-s)");
	if (lxmgr_namespaces_parse(namespaces, &o.namespaces, &err) < 0)
		return tool_exit(tool_error(&err));
	if (user) {
		struct passwd *pw = getpwnam(user);

		if (pw) {
			o.uid = pw->pw_uid;
			o.gid = pw->pw_gid;
		} else {
			o.uid = tool_id("-u", user);
			o.gid = o.uid;
		}
	}
	o.ifnames = ifnames.v;
	o.argv = (const char *const *)argv + rest;
	if (lxmgr_unshare(&o, &status, &err) < 0)
		tool_error(&err);
	return tool_exit(status);
}
