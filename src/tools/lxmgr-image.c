/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *as_name, *arch, *sha256;
static bool all, dry_run, offline, every;
static struct strings forget;

static const struct opt opts[] = {
	{ 0, "as", OPT_STRING, &as_name, "NAME", "fetch, publish, import: the image's name here" },
	{ 'a', "arch", OPT_STRING, &arch, "ARCH",
	  "fetch, import: architecture (default: the host's)" },
	{ 0, "offline", OPT_FLAG, &offline, NULL,
	  "fetch, refresh, list: by the last index and what is downloaded" },
	{ 0, "sha256", OPT_STRING, &sha256, "DIGEST",
	  "import: the digest that the file must have" },
	{ 0, "dry-run", OPT_FLAG, &dry_run, NULL, "prune: delete nothing, only tell" },
	{ 0, "all", OPT_FLAG, &all, NULL, "prune: images with a name too" },
	{ 0, "every", OPT_FLAG, &every, NULL, "refresh, verify: all that have a name" },
	{ 0, "forget", OPT_STRINGS, &forget, "DIR",
	  "prune: this directory of containers is gone for ever" },
};

static void more_help(void)
{
	printf("\nSubcommands:\n"
	       "  list [REMOTE:]            the images here, or what a remote has\n"
	       "  show IMAGE                all that is known of one\n"
	       "  fetch REMOTE:IMAGE        get it from a remote\n"
	       "  publish CONTAINER         make an image of a stopped container's root\n"
	       "  import FILE               make an image of a root in a tar archive\n"
	       "  refresh NAME              give the name to the newest version\n"
	       "  verify IMAGE              is its content what it was?\n"
	       "  delete IMAGE              delete it, or one of its names\n"
	       "  prune                     delete what no container stands on\n"
	       "  remotes                   the remotes that are configured\n");
}

static const struct tool tool = {
	.name = "lxmgr-image",
	.usage = "SUBCOMMAND [OPTIONS] [ARGUMENT]",
	.summary = "The images that containers are made of.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.subcommands = true,
	.no_rcfile = true,
	.has_json = true,
	.more_help = more_help,
};

static struct lxmgr_image_opts options(void)
{
	return (struct lxmgr_image_opts){
		.name = as_name,
		.arch = arch,
		.offline = offline,
		.progress = common.quiet ? NULL : tool_progress,
	};
}

static json_t *list_of(char **v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, report_text(v[i]));
	return list;
}

static json_t *or_null(uint64_t when)
{
	return report_number(when ? when : LXMGR_UNKNOWN);
}

static json_t *as_json(const struct lxmgr_image *i)
{
	return json_pack("{ss so so so so so so so so so so sb so}", "digest", i->digest, "names",
			 list_of(i->names, i->n_names), "origin", report_text(i->origin), "arch",
			 report_text(i->arch), "os", report_text(i->os), "release",
			 report_text(i->release), "variant", report_text(i->variant), "version",
			 report_text(i->version), "created", or_null(i->created), "used",
			 or_null(i->used), "size", report_number(i->size), "users_known",
			 i->users_known, "users", list_of(i->users, i->n_users));
}

static const char *or_dash(const char *s)
{
	return s && *s ? tool_text(s) : "-";
}

static const char *date(uint64_t when, char buf[32])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!when || !localtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M", &tm))
		snprintf(buf, 32, "-");
	return buf;
}

static int print_list(const struct lxmgr_image *list, size_t n, bool is_remote)
{
	json_t *rows = common.json ? json_array() : NULL;
	char when[32];

	if (!rows && n)
		printf("%-12s %-28s %-10s %9s %-16s %s\n", "DIGEST", "NAME", "ARCH", "SIZE",
		       is_remote ? "VERSION" : "CREATED", is_remote ? "PRODUCT" : "USED BY");
	for (size_t i = 0; i < n; i++) {
		const struct lxmgr_image *v = &list[i];

		if (rows) {
			json_array_append_new(rows, as_json(v));
			continue;
		}
		printf("%.12s %-28s %-10s %9s %-16s ", v->digest,
		       v->n_names ? tool_text(v->names[0]) : "-", or_dash(v->arch),
		       tool_size(v->size),
		       is_remote ? or_dash(v->version) : date(v->created, when));
		if (is_remote)
			printf("%s\n", or_dash(v->origin));
		else
			printf("%zu%s\n", v->n_users, v->users_known ? "" : "?");
	}
	if (rows)
		report_json(rows);
	return 0;
}

static int do_list(const char *arg)
{
	struct lxmgr_image *list = NULL;
	struct lxmgr_err err = { 0 };
	char remote[80];
	size_t n = 0;
	int r;

	if (arg) {
		const char *colon = strchr(arg, ':');

		if (colon && colon[1])
			tool_usage_error(
				"list takes REMOTE:, and shows all of it; '%s' is an image", arg);
		snprintf(remote, sizeof(remote), "%s", arg);
		remote[strcspn(remote, ":")] = '\0';
		r = lxmgr_image_list_remote(remote, offline, &list, &n, &err);
	} else {
		r = lxmgr_image_list(&list, &n, &err);
	}
	if (r < 0)
		return tool_error(&err);
	r = print_list(list, n, arg != NULL);
	lxmgr_image_list_free(list, n);
	return r;
}

static int do_show(const char *arg)
{
	struct lxmgr_image *i = NULL;
	struct lxmgr_err err = { 0 };
	char when[32];

	if (lxmgr_image_get(arg, &i, &err) < 0)
		return tool_error(&err);
	if (common.json) {
		report_json(as_json(i));
	} else {
		printf("Digest:    %s\n", i->digest);
		for (size_t k = 0; k < i->n_names; k++)
			printf("Name:      %s\n", tool_text(i->names[k]));
		printf("Origin:    %s\nArch:      %s\nSystem:    %s %s %s\nVersion:   %s\n",
		       or_dash(i->origin), or_dash(i->arch), or_dash(i->os), or_dash(i->release),
		       or_dash(i->variant), or_dash(i->version));
		printf("Size:      %s\n", tool_size(i->size));
		printf("Created:   %s\n", date(i->created, when));
		printf("Last used: %s\n", date(i->used, when));
		for (size_t k = 0; k < i->n_users; k++)
			printf("Used by:   %s\n", tool_text(i->users[k]));
		if (!i->users_known)
			printf("Used by:   others perhaps: a directory of containers is not "
			       "there\n");
	}
	lxmgr_image_list_free(i, 1);
	return 0;
}

static int tell(char *digest)
{
	tool_progress_end();
	if (common.json)
		report_json(json_pack("{ss}", "digest", digest));
	else if (!common.quiet)
		printf("%s\n", digest);
	free(digest);
	return 0;
}

static int do_fetch(const char *arg)
{
	struct lxmgr_image_opts o = options();
	struct lxmgr_err err = { 0 };
	char *digest = NULL;

	return lxmgr_image_fetch(arg, &o, &digest, &err) < 0 ? tool_error(&err) : tell(digest);
}

static int do_publish(const char *arg)
{
	struct lxmgr_image_opts o = options();
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };
	char *digest = NULL;
	int r = lxmgr_container_open(common.path, arg, NULL, &c, &err);

	if (r == 0)
		r = lxmgr_image_publish(c, &o, &digest, &err);
	lxmgr_container_close(c);
	return r < 0 ? tool_error(&err) : tell(digest);
}

static int do_import(const char *arg)
{
	struct lxmgr_image_opts o = options();
	struct lxmgr_err err = { 0 };
	char *digest = NULL;

	return lxmgr_image_import(arg, sha256, &o, &digest, &err) < 0 ? tool_error(&err)
								      : tell(digest);
}

/* Both say in *ret_good whether there is a newer one, and whether it is what it was. */
static int refresh_one(const char *name, bool *ret_good, struct lxmgr_err *err)
{
	struct lxmgr_image_opts o = options();
	int r = lxmgr_image_refresh(name, &o, ret_good, err);

	tool_progress_end();
	if (r == 0 && !common.quiet && !common.json)
		printf("%s: %s\n", tool_text(name),
		       *ret_good ? "a newer one" : "the newest already");
	return r;
}

static int verify_one(const char *name, bool *ret_good, struct lxmgr_err *err)
{
	int r = lxmgr_image_verify(name, err);

	*ret_good = r == 0;
	if (r == 0 && !common.quiet && !common.json)
		printf("%s: good\n", tool_text(name));
	return r;
}

/* "REMOTE:PRODUCT": the names of files and containers may have a colon, too. */
static bool is_of_remote(const char *origin)
{
	return strchr(origin, ':') && !strchr(origin, ' ');
}

struct each {
	int (*fn)(const char *name, bool *ret_good, struct lxmgr_err *err);
	const char *key; /* of what it says, in JSON */
	bool only_remote;
	json_t *rows; /* NULL: as text */
	int status;   /* the last failure's */
};

static void do_one(struct each *e, const char *name)
{
	struct lxmgr_err err = { 0 };
	bool good = false;
	int r = e->fn(name, &good, &err);

	if (r < 0)
		e->status = tool_error(&err);
	if (e->rows)
		json_array_append_new(
			e->rows, json_pack("{so sb so}", "name", report_text(name), e->key, good,
					   "error", r < 0 ? report_text(err.text) : json_null()));
}

/* One, or with --every each name; the last failure's status. */
static int do_each(const char *arg, struct each *e)
{
	struct lxmgr_image *list = NULL;
	struct lxmgr_err err = { 0 };
	size_t n = 0;

	if (!arg && lxmgr_image_list(&list, &n, &err) < 0)
		return tool_error(&err);
	e->rows = common.json ? json_array() : NULL;
	if (arg)
		do_one(e, arg);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n_names; k++)
			if (!e->only_remote || is_of_remote(list[i].origin))
				do_one(e, list[i].names[k]);
	lxmgr_image_list_free(list, n);
	if (e->rows)
		report_json(e->rows);
	return e->status;
}

static int do_refresh(const char *arg)
{
	struct each e = { .fn = refresh_one, .key = "changed", .only_remote = true };

	return do_each(arg, &e);
}

static int do_verify(const char *arg)
{
	struct each e = { .fn = verify_one, .key = "good" };

	return do_each(arg, &e);
}

static int do_delete(const char *arg)
{
	struct lxmgr_err err = { 0 };

	if (lxmgr_image_delete(arg, &err) < 0)
		return tool_error(&err);
	if (common.json)
		report_json(json_pack("{so}", "deleted", report_text(arg)));
	return 0;
}

static void removed(const struct lxmgr_image *i, void *arg)
{
	if (arg)
		json_array_append_new(arg, as_json(i));
	else if (!common.quiet)
		printf("%s %.12s %s (%s)\n", dry_run ? "would delete" : "deleted", i->digest,
		       i->n_names ? tool_text(i->names[0]) : or_dash(i->origin),
		       tool_size(i->size));
}

static int do_prune(const char *arg)
{
	const char *trees[] = { common.path, NULL };
	struct lxmgr_prune_opts o = { .all = all,
				      .dry_run = dry_run,
				      .trees = trees,
				      .forget = forget.v,
				      .removed = removed };
	json_t *rows = common.json ? json_array() : NULL;
	struct lxmgr_err err = { 0 };
	int r;

	o.arg = rows;
	r = lxmgr_image_prune(&o, &err);
	if (rows)
		report_json(rows);
	return r < 0 ? tool_error(&err) : 0;
}

static int do_remotes(const char *arg)
{
	json_t *rows = common.json ? json_array() : NULL;
	struct lxmgr_err err = { 0 };
	char **names = NULL;
	size_t n = 0;

	if (lxmgr_image_remotes(&names, &n, &err) < 0)
		return tool_error(&err);
	for (size_t i = 0; i < n; i++) {
		if (rows)
			json_array_append_new(rows, report_text(names[i]));
		else
			printf("%s\n", tool_text(names[i]));
	}
	if (rows)
		report_json(rows);
	lxmgr_list_free(names, n);
	return 0;
}

/* The options that a subcommand takes. */
enum { AS = 1, ARCH = 2, OFFLINE = 4, SHA256 = 8, PRUNE = 16, EVERY = 32 };

static const struct {
	const char *name;
	int (*fn)(const char *arg);
	int min, max; /* arguments */
	unsigned int options;
} verbs[] = {
	{ "list", do_list, 0, 1, OFFLINE },
	{ "show", do_show, 1, 1, 0 },
	{ "fetch", do_fetch, 1, 1, AS | ARCH | OFFLINE },
	{ "publish", do_publish, 1, 1, AS },
	{ "import", do_import, 1, 1, AS | ARCH | SHA256 },
	{ "refresh", do_refresh, 1, 1, OFFLINE | EVERY },
	{ "verify", do_verify, 1, 1, EVERY },
	{ "delete", do_delete, 1, 1, 0 },
	{ "prune", do_prune, 0, 0, PRUNE },
	{ "remotes", do_remotes, 0, 0, 0 },
};

static void check_options(const char *verb, unsigned int taken)
{
	const struct {
		bool given;
		unsigned int option;
		const char *name;
	} all_of[] = {
		{ as_name, AS, "--as" },	   { arch, ARCH, "--arch" },
		{ offline, OFFLINE, "--offline" }, { sha256, SHA256, "--sha256" },
		{ dry_run, PRUNE, "--dry-run" },   { all, PRUNE, "--all" },
		{ forget.n, PRUNE, "--forget" },   { every, EVERY, "--every" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all_of); i++)
		if (all_of[i].given && !(taken & all_of[i].option))
			tool_usage_error("%s does not take %s", verb, all_of[i].name);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), left = argc - rest - 1;
	const char *verb = argv[rest++];

	if (left < 0)
		tool_usage_error("no subcommand given");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		int min = verbs[i].min;

		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		check_options(verb, verbs[i].options);
		if (every)
			min = 0;
		if (left < min)
			tool_usage_error("%s needs an argument", verb);
		if (left > verbs[i].max || (every && left))
			tool_usage_error("unexpected argument '%s'", tool_text(argv[argc - 1]));
		return tool_exit(verbs[i].fn(left ? argv[rest] : NULL));
	}
	tool_usage_error("unknown subcommand '%s'", tool_text(verb));
}
