/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lxmgr_unshare_opts o = { .namespaces = CLONE_NEWUSER, .uid = 0, .gid = 0 };
static struct strings maps;
static const char *uid, *gid;

static const struct opt opts[] = {
	{ 'm', "map", OPT_STRINGS, &maps, "[u|g|b]:NS:HOST:COUNT",
	  "an id map (default: root's first subordinate block)" },
	{ 's', "map-self", OPT_FLAG, &o.map_self, NULL, "map the caller to root" },
	{ 'u', "uid", OPT_STRING, &uid, "UID", "user id inside (default 0)" },
	{ 'g', "gid", OPT_STRING, &gid, "GID", "group id inside (default 0)" },
};

static const struct tool tool = {
	.name = "lxmgr-usernsexec",
	.usage = "[-m MAP]... [OPTIONS] [-- COMMAND ...]",
	.summary = "Run a command (default: a shell) as root of a new user namespace.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.no_name = true,
};

/* "b:0:100000:65536" as the line "b 0 100000 65536". */
static const char *map_line(const char *text)
{
	char *line = strdup(text);

	if (!line || strlen(text) < 7)
		tool_usage_error("-m: '%s' is not [u|g|b]:NS:HOST:COUNT", tool_text(text));
	for (char *p = line; *p; p++)
		if (*p == ':')
			*p = ' ';
	return line;
}

/* Root's first range of /etc/subuid and /etc/subgid, 65536 ids of it. */
static void default_map(struct strings *lines)
{
	static const struct {
		const char *file;
		char kind;
	} files[] = { { "/etc/subuid", 'u' }, { "/etc/subgid", 'g' } };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		FILE *f = fopen(files[i].file, "re");
		unsigned long first = 0, count = 0;
		char buf[256], *line;

		while (f && fgets(buf, sizeof(buf), f) &&
		       sscanf(buf, "root:%lu:%lu", &first, &count) != 2)
			;
		if (f)
			fclose(f);
		if (count < 65536)
			tool_usage_error("root has no 65536 ids in %s: give a map with -m",
					 files[i].file);
		line = malloc(64);
		if (!line)
			exit(LXMGR_FAILED);
		snprintf(line, 64, "%c 0 %lu 65536", files[i].kind, first);
		strings_add(lines, line);
	}
}

int main(int argc, char **argv)
{
	static const char *const shell[] = { "/bin/sh", NULL };
	int rest = tool_parse(&tool, argc, argv), status = 125;
	struct lxmgr_err err = { 0 };
	struct strings lines = { 0 };

	for (size_t i = 0; i < maps.n; i++)
		strings_add(&lines, map_line(maps.v[i]));
	if (!maps.n && !o.map_self)
		default_map(&lines);
	if (uid)
		o.uid = tool_id("-u", uid);
	if (gid)
		o.gid = tool_id("-g", gid);
	o.idmap = lines.v;
	o.argv = rest < argc ? (const char *const *)argv + rest : shell;
	if (lxmgr_unshare(&o, &status, &err) < 0)
		tool_error(&err);
	return tool_exit(status);
}
