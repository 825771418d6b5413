/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static const char *elevated, *namespaces, *uid, *gid;
static struct lxmgr_attach_opts o;
static struct strings keep, set;
static bool keep_env;

static const struct opt opts[] = {
	{ 'e', "elevated-privileges", OPT_OPTIONAL, &elevated, "CAP|CGROUP|LSM",
	  "keep the host's privileges: capabilities, cgroup, security policy" },
	{ 'a', "arch", OPT_STRING, &o.arch, "ARCH", "architecture the command sees" },
	{ 's', "namespaces", OPT_STRING, &namespaces, "NS|NS", "join only these namespaces" },
	{ 'R', "remount-sys-proc", OPT_FLAG, &o.remount_sys_proc, NULL,
	  "fresh /proc and /sys for the command" },
	{ 0, "clear-env", OPT_FLAG, &o.clear_env, NULL,
	  "start from a clean environment (default)" },
	{ 0, "keep-env", OPT_FLAG, &keep_env, NULL, "keep this environment, as lxc-attach does" },
	{ 0, "keep-var", OPT_STRINGS, &keep, "NAME", "keep this variable" },
	{ 'v', "set-var", OPT_STRINGS, &set, "NAME=VALUE", "set a variable" },
	{ 'L', "pty-log", OPT_STRING, &o.pty_log, "FILE", "copy the terminal's output to FILE" },
	{ 'f', "rcfile", OPT_STRING, &common.rcfile, "FILE", "config file to use instead" },
	{ 'u', "uid", OPT_STRING, &uid, "UID", "user id inside" },
	{ 'g', "gid", OPT_STRING, &gid, "GID", "group id inside" },
	{ 'c', "context", OPT_STRING, &o.selinux_context, "CONTEXT", "SELinux context" },
};

static const struct tool tool = {
	.name = "lxmgr-attach",
	.usage = "[-n] NAME [OPTIONS] [-- COMMAND ...]",
	.summary = "Run a command in a running container; without one, root's shell.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

static void parse_elevated(void)
{
	char *copy, *save = NULL;

	if (!elevated)
		return;
	if (!*elevated) {
		o.elevated_caps = o.elevated_cgroup = o.elevated_lsm = true;
		return;
	}
	copy = strdup(elevated);
	if (!copy)
		tool_no_memory();
	for (char *w = strtok_r(copy, "|,", &save); w; w = strtok_r(NULL, "|,", &save)) {
		if (!strcmp(w, "CAP"))
			o.elevated_caps = true;
		else if (!strcmp(w, "CGROUP"))
			o.elevated_cgroup = true;
		else if (!strcmp(w, "LSM"))
			o.elevated_lsm = true;
		else
			tool_usage_error("-e: '%s' is none of CAP CGROUP LSM", tool_text(w));
	}
	free(copy);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status = 125;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };

	parse_elevated();
	if (keep_env && o.clear_env)
		tool_usage_error("--keep-env and --clear-env exclude each other");
	o.clear_env = !keep_env;
	if (namespaces && lxmgr_namespaces_parse(namespaces, &o.namespaces, &err) < 0)
		return tool_exit(tool_error(&err));
	o.uid = uid ? tool_id("-u", uid) : (uid_t)-1;
	o.gid = gid ? tool_id("-g", gid) : (gid_t)-1;
	o.keep_vars = keep.v;
	o.set_vars = set.v;
	o.argv = rest < argc ? (const char *const *)argv + rest : NULL;
	for (size_t i = 0; i < set.n; i++)
		if (!strchr(set.v[i], '=') || set.v[i][0] == '=')
			tool_usage_error("-v: '%s' is not NAME=VALUE", tool_text(set.v[i]));
	if (lxmgr_container_open(common.path, common.name, common.rcfile, &c, &err) < 0) {
		tool_error(&err);
		return tool_exit(125);
	}
	if (lxmgr_container_attach(c, &o, &status, &err) < 0)
		tool_error(&err);
	lxmgr_container_close(c);
	return status;
}
