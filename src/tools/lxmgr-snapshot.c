/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct lxmgr_snapshot_opts o;
static struct strings defines;
static const char *destroy, *restore, *newname, *second, *comment_file, *diff_from;
static bool list, comments, scheduled, expire;

static const struct opt opts[] = {
	{ 0, "snapshot", OPT_STRING, &o.name, "SNAP", "its name (default: snap0, snap1, ...)" },
	{ 0, "comment", OPT_STRING, &o.comment, "TEXT", "one line on it" },
	{ 'c', "comment-file", OPT_STRING, &comment_file, "FILE",
	  "the same, the first line of FILE" },
	{ 'L', "list", OPT_FLAG, &list, NULL, "list them, those made from another below it" },
	{ 'C', "showcomments", OPT_FLAG, &comments, NULL, "with -L: the comments, too" },
	{ 'd', "destroy", OPT_STRING, &destroy, "SNAP", "destroy it; ALL: all of them" },
	{ 'r', "restore", OPT_STRING, &restore, "SNAP",
	  "the container's root becomes that of SNAP" },
	{ 'N', "newname", OPT_STRING, &newname, "NAME",
	  "with -r: a new container from it, and the container stays" },
	{ 0, "diff", OPT_STRING, &diff_from, "SNAP",
	  "what is different in the second snapshot, or in the container now" },
	{ 0, "scheduled", OPT_FLAG, &scheduled, NULL,
	  "as lxmgr.snapshot.schedule does: named by its time; then --expire" },
	{ 0, "expire", OPT_FLAG, &expire, NULL,
	  "destroy of these what lxmgr.snapshot.keep does not keep" },
	{ 0, "define", OPT_STRINGS, &defines, "KEY=VALUE", "with -N: set a key in its config" },
};

static const struct tool tool = {
	.name = "lxmgr-snapshot",
	.usage = "[-n] NAME [SNAP] [OPTIONS], or -r SNAP [-n] NAME [NEWNAME]",
	.summary = "Keep what a container is now, and go back to it.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.second = &second,
	.has_json = true,
};

static void print_json(const struct lxmgr_snapshot *s, size_t n)
{
	json_t *v = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			v,
			json_pack("{ss ss so so so sI so sb}", "name", s[i].name, "id", s[i].id,
				  "parent", *s[i].parent ? json_string(s[i].parent) : json_null(),
				  "comment", report_text(s[i].comment), "size",
				  report_number(s[i].size), "created", (json_int_t)s[i].created,
				  "ancestors", report_text(s[i].ancestors), "scheduled",
				  s[i].scheduled));
	report_json(v);
}

static void print_tree(const struct lxmgr_snapshot *s, size_t n, const char *parent, int depth)
{
	for (size_t i = 0; i < n; i++) {
		time_t t = (time_t)s[i].created;
		char when[32] = "", name[96];
		struct tm tm;

		if (strcmp(s[i].parent, parent) != 0)
			continue;
		if (localtime_r(&t, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		snprintf(name, sizeof(name), "%*s%s", depth * 2, "", s[i].name);
		printf("%-24s %-19s %10s%s%s\n", name, when, tool_size(s[i].size),
		       comments && *s[i].comment ? "  " : "",
		       comments ? tool_text(s[i].comment) : "");
		print_tree(s, n, s[i].name, depth < 16 ? depth + 1 : depth);
	}
}

static int show(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_snapshot *s;
	size_t n;

	if (lxmgr_snapshot_list(c, &s, &n, &err) < 0)
		return tool_error(&err);
	if (common.json)
		print_json(s, n);
	else if (n)
		printf("%-24s %-19s %10s%s\n", "NAME", "CREATED", "SIZE",
		       comments ? "  COMMENT" : "");
	if (!common.json)
		print_tree(s, n, "", 0);
	lxmgr_snapshot_free(s, n);
	return 0;
}

static int destroy_all(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_snapshot *s;
	int status = 0;
	size_t n;

	if (lxmgr_snapshot_list(c, &s, &n, &err) < 0)
		return tool_error(&err);
	for (size_t i = n; i > 0 && !status; i--)
		if (lxmgr_snapshot_destroy(c, s[i - 1].name, &err) < 0)
			status = tool_error(&err);
	lxmgr_snapshot_free(s, n);
	return status;
}

static int restore_new(struct lxmgr_container *c)
{
	bool no_keys = false;
	struct lxmgr_copy_opts copy = { .path = lxmgr_container_path(c),
					.defines = defines.v,
					.progress = tool_progress,
					.ret_no_keys = &no_keys };
	struct lxmgr_container *snap;
	struct lxmgr_err err = { 0 };
	int r = lxmgr_snapshot_open(c, restore, &snap, &err);

	if (r < 0)
		return tool_error(&err);
	r = lxmgr_container_copy(snap, newname, &copy, NULL, &err);
	lxmgr_container_close(snap);
	if (r < 0)
		return tool_error(&err);
	tool_progress_end();
	if (no_keys)
		tool_no_host_keys(newname);
	if (!common.quiet)
		printf("Created %s from snapshot %s of %s\n", newname, restore, common.name);
	return 0;
}

static int restore_here(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	if (lxmgr_snapshot_restore(c, restore, tool_progress, NULL, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (!common.quiet)
		printf("%s is as it was in snapshot %s\n", common.name, restore);
	return 0;
}

/* The first line. */
static const char *read_comment(void)
{
	struct lxmgr_err err = { 0 };
	FILE *f = fopen(comment_file, "re");
	char *line = NULL;
	size_t size = 0;

	if (!f || getline(&line, &size, f) < 0) {
		snprintf(err.text, sizeof(err.text), "cannot read a comment from '%s': %m",
			 comment_file);
		exit(tool_exit(tool_error(&err)));
	}
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

struct words {
	unsigned int bit;
	const char *word;
};
static const struct words words[] = { { LXMGR_DIFF_TYPE, "type" },
				      { LXMGR_DIFF_DATA, "data" },
				      { LXMGR_DIFF_MODE, "mode" },
				      { LXMGR_DIFF_OWNER, "owner" },
				      { LXMGR_DIFF_XATTR, "xattr" } };

static int print_change(const struct lxmgr_diff *d, void *arg)
{
	const char *before = " (";

	(void)arg;
	printf("%c %s", d->change, tool_text(d->path));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (d->what & words[i].bit) {
			printf("%s%s", before, words[i].word);
			before = ",";
		}
	puts(d->what ? ")" : "");
	return ferror(stdout) ? -EPIPE : 0;
}

static int add_change(const struct lxmgr_diff *d, void *arg)
{
	const char *change = d->change == '+' ? "added" : d->change == '-' ? "deleted" : "modified";
	json_t *what = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (d->what & words[i].bit)
			json_array_append_new(what, json_string(words[i].word));
	return json_array_append_new(arg, json_pack("{so ss so}", "path", report_text(d->path),
						    "change", change, "what", what)) < 0
		       ? -ENOMEM
		       : 0;
}

static int diff(struct lxmgr_container *c)
{
	json_t *v = common.json ? json_array() : NULL;
	struct lxmgr_err err = { 0 };

	if (lxmgr_snapshot_diff(c, diff_from, o.name, v ? add_change : print_change, v, &err) < 0)
		return tool_error(&err);
	if (v)
		report_json(v);
	return 0;
}

static void told(const char *name, void *arg)
{
	(void)arg;
	if (!common.quiet)
		printf("Destroyed snapshot %s of %s\n", name, common.name);
}

static int expire_old(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	return lxmgr_snapshot_expire(c, told, NULL, &err) < 0 ? tool_error(&err) : 0;
}

static int by_clock(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	char name[64], *keep = NULL;
	int r;

	if (lxmgr_snapshot_scheduled(c, name, &err) < 0)
		return tool_error(&err);
	if (!common.quiet)
		printf("Created snapshot %s of %s\n", name, common.name);
	/* Without the key all are kept. */
	r = lxmgr_container_get_item(c, "lxmgr.snapshot.keep", &keep, &err);
	if (r < 0)
		return tool_error(&err);
	r = *keep ? expire_old(c) : 0;
	free(keep);
	return r;
}

static int create(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };
	char name[64];

	if (comment_file)
		o.comment = read_comment();
	o.progress = tool_progress;
	if (lxmgr_snapshot_create(c, &o, name, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (!common.quiet)
		printf("Created snapshot %s of %s\n", name, common.name);
	return 0;
}

static int run(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	if (list)
		return show(c);
	if (diff_from)
		return diff(c);
	if (scheduled || expire)
		return scheduled ? by_clock(c) : expire_old(c);
	if (restore)
		return newname ? restore_new(c) : restore_here(c);
	if (!destroy)
		return create(c);
	if (!strcmp(destroy, "ALL"))
		return destroy_all(c);
	return lxmgr_snapshot_destroy(c, destroy, &err) < 0 ? tool_error(&err) : 0;
}

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	int rest = tool_parse(&tool, argc, argv), status;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (second && (restore ? newname : o.name))
		tool_usage_error("unexpected argument '%s'", tool_text(second));
	/* As LXC has it: behind a restore it is the name of what is made. */
	if (second && restore)
		newname = second;
	else if (second)
		o.name = second;
	if (list + !!destroy + !!restore + !!diff_from + scheduled + expire +
		    ((o.name && !diff_from) || o.comment || comment_file) >
	    1)
		tool_usage_error("list, destroy, restore, diff, --scheduled, --expire and create "
				 "exclude each other");
	if (common.rcfile && (list || destroy || restore || diff_from || scheduled || expire))
		tool_usage_error("--rcfile goes with making a snapshot");
	if (o.comment && comment_file)
		tool_usage_error("--comment and -c exclude each other");
	if ((newname || defines.n) && !restore)
		tool_usage_error("-N and --define go with -r");
	if (defines.n && !newname)
		tool_usage_error("--define goes with -N");
	if (comments && !list)
		tool_usage_error("-C goes with -L");
	if (common.json && !list && !diff_from)
		tool_usage_error("--json goes with -L and --diff");
	c = tool_open();
	status = run(c);
	lxmgr_container_close(c);
	return tool_exit(status);
}
