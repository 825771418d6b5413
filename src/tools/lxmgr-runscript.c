/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *uid, *gid;
static struct strings set;

static const struct opt opts[] = {
	{ 'u', "uid", OPT_STRING, &uid, "UID", "user id inside" },
	{ 'g', "gid", OPT_STRING, &gid, "GID", "group id inside" },
	{ 'v', "set-var", OPT_STRINGS, &set, "NAME=VALUE", "set a variable" },
};

static const struct tool tool = {
	.name = "lxmgr-runscript",
	.usage = "[-n] NAME [OPTIONS] [--] SCRIPT [ARG ...]",
	.summary = "Run a script of the host's in a container, which is started for it if it is "
		   "stopped.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

static int fail(const char *file)
{
	struct lxmgr_err err = { 0 };

	snprintf(err.text, sizeof(err.text), "read the script '%.300s': %s", file, strerror(errno));
	tool_error(&err);
	return tool_exit(125);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status = 125;
	struct lxmgr_script_opts o = { .fd = STDIN_FILENO };
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	const char *file = argv[rest];
	struct stat st;

	if (rest == argc)
		tool_usage_error("no script given");
	for (size_t i = 0; i < set.n; i++)
		if (!strchr(set.v[i], '=') || set.v[i][0] == '=')
			tool_usage_error("-v: '%s' is not NAME=VALUE", tool_text(set.v[i]));
	o.uid = uid ? tool_id("-u", uid) : (uid_t)-1;
	o.gid = gid ? tool_id("-g", gid) : (gid_t)-1;
	o.set_vars = set.v;
	o.args = (const char *const *)argv + rest + 1;
	o.progress = tool_progress;
	o.warn = tool_warn;
	if (strcmp(file, "-") != 0) {
		o.fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (o.fd < 0)
			return fail(file);
		if (fstat(o.fd, &st) == 0 && S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			return fail(file);
		}
	}
	if (lxmgr_container_open(common.path, common.name, common.rcfile, &c, &err) < 0) {
		tool_error(&err);
		return tool_exit(125);
	}
	if (lxmgr_container_runscript(c, &o, &status, &err) < 0) {
		tool_error(&err);
		if (status == 125 && err.status >= 125)
			status = err.status;
	}
	tool_progress_end();
	lxmgr_container_close(c);
	return tool_exit(status);
}
