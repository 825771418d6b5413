/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct common common;
static const struct tool *current;
static const char *logfile, *logpriority;
static bool help, usage, version, dump_options, progress_shown;

static const struct opt common_opts[] = {
	{ 'n', "name", OPT_STRING, &common.name, "NAME", "name of the container" },
	{ 'P', "lxmgrpath", OPT_STRING, &common.path, "DIR", "directory of containers" },
	{ 0, "lxcpath", OPT_STRING, &common.path, "DIR", NULL },
	{ 0, "rcfile", OPT_STRING, &common.rcfile, "FILE", "config file to use instead" },
	{ 'o', "logfile", OPT_STRING, &logfile, "FILE", "write the trace to FILE" },
	{ 'l', "logpriority", OPT_STRING, &logpriority, "LEVEL", "level of the trace" },
	{ 'q', "quiet", OPT_FLAG, &common.quiet, NULL, "say nothing but errors" },
	{ 0, "json", OPT_FLAG, &common.json, NULL, "print JSON" },
	{ '?', "help", OPT_FLAG, &help, NULL, "show this help" },
	{ 0, "usage", OPT_FLAG, &usage, NULL, "show a short usage" },
	{ 0, "version", OPT_FLAG, &version, NULL, "show the version" },
	{ 0, "dump-options", OPT_FLAG, &dump_options, NULL, NULL },
};

static bool is_offered(const struct opt *o)
{
	if (o->value == &common.json)
		return current->has_json;
	if (o->value == &common.name)
		return !current->no_name;
	/* A tool's own option of the same letter or name wins. */
	for (size_t i = 0; i < current->n_opts; i++) {
		const struct opt *own = &current->opts[i];

		if (own->name && o->name && !strcmp(own->name, o->name))
			return false;
	}
	return true;
}

void tool_usage_error(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", current->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see %s --help)\n", current->name);
	exit(LXMGR_USAGE);
}

void strings_add(struct strings *s, const char *v)
{
	const char **p = realloc(s->v, (s->n + 2) * sizeof(*p));

	if (!p) {
		fprintf(stderr, "%s: out of memory\n", current->name);
		exit(LXMGR_FAILED);
	}
	p[s->n++] = v;
	p[s->n] = NULL;
	s->v = p;
}

static void print_opts(const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = &opts[i];
		char left[64];
		int len = 0;

		if (!o->help || (opts == common_opts && !is_offered(o)))
			continue;
		if (o->shorthand)
			len = snprintf(left, sizeof(left), "-%c%s", o->shorthand,
				       o->name ? ", " : "");
		else
			len = snprintf(left, sizeof(left), "    ");
		if (o->name)
			len += snprintf(left + len, sizeof(left) - (size_t)len, "--%s", o->name);
		if (o->arg)
			snprintf(left + len, sizeof(left) - (size_t)len,
				 o->type == OPT_OPTIONAL ? "[=%s]"
				 : o->name		 ? "=%s"
							 : " %s",
				 o->arg);
		printf("  %-28s %s\n", left, o->help);
	}
}

static void print_help(void)
{
	printf("Usage: %s %s\n\n%s\n\n", current->name, current->usage, current->summary);
	if (current->n_opts) {
		printf("Options:\n");
		print_opts(current->opts, current->n_opts);
		printf("\n");
	}
	printf("Common options:\n");
	print_opts(common_opts, ARRAY_SIZE(common_opts));
	printf("\nSee %s(1) and lxmgr(7).\n", current->name);
}

/* For completion and the check against the manual page: short, long, value. */
static void dump(const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = &opts[i];

		if (!o->help || (opts == common_opts && !is_offered(o)))
			continue;
		printf("%s%c\t%s%s\t%s\n", o->shorthand ? "-" : "",
		       o->shorthand ? o->shorthand : ' ', o->name ? "--" : "",
		       o->name ? o->name : "", o->arg ? o->arg : "");
	}
}

static int parse_number(const char *what, const char *s)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*s) || v > INT_MAX)
		tool_usage_error("%s: '%s' is no number", what, s);
	return (int)v;
}

static void set_option(const struct opt *o, const char *what, const char *value)
{
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		break;
	case OPT_STRING:
	case OPT_OPTIONAL:
		*(const char **)o->value = value ? value : "";
		break;
	case OPT_STRINGS:
		strings_add(o->value, value);
		break;
	case OPT_NUMBER:
		*(int *)o->value = parse_number(what, value);
		break;
	}
}

static bool takes_value(const struct opt *o)
{
	return o->type != OPT_FLAG && o->type != OPT_OPTIONAL;
}

static const struct opt *find_in(const struct opt *opts, size_t n, const char *name, size_t len,
				 char shorthand)
{
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = &opts[i];

		if (opts == common_opts && !is_offered(o))
			continue;
		if (name ? o->name && strlen(o->name) == len && !strncmp(o->name, name, len)
			 : o->shorthand && o->shorthand == shorthand)
			return o;
	}
	return NULL;
}

static const struct opt *find(const char *name, size_t len, char shorthand)
{
	const struct opt *o = find_in(current->opts, current->n_opts, name, len, shorthand);

	return o ? o : find_in(common_opts, ARRAY_SIZE(common_opts), name, len, shorthand);
}

/* --name, --name=value, --name value. Returns how many arguments it took. */
static int parse_long(char **argv, int left)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct opt *o = find(name, len, 0);

	if (!o)
		tool_usage_error("unknown option '%s'", tool_text(argv[0]));
	if (eq && o->type == OPT_FLAG)
		tool_usage_error("option '--%s' takes no value", o->name);
	if (eq || !takes_value(o)) {
		set_option(o, argv[0], eq ? eq + 1 : NULL);
		return 1;
	}
	if (left < 2)
		tool_usage_error("option '--%s' needs a value", o->name);
	set_option(o, argv[0], argv[1]);
	return 2;
}

/* -abc, -nNAME, -n NAME. */
static int parse_short(char **argv, int left)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct opt *o = find(NULL, 0, *p);
		char what[3] = { '-', *p, 0 };

		if (!o && *p == 'h')
			o = find("help", 4, 0);
		if (!o)
			tool_usage_error("unknown option '-%s'", tool_text((char[]){ *p, 0 }));
		if (o->type == OPT_OPTIONAL && p[1] && p[1] != '=') {
			set_option(o, what, p + 1);
			return 1;
		}
		if (o->type == OPT_OPTIONAL && p[1] == '=') {
			set_option(o, what, p + 2);
			return 1;
		}
		if (!takes_value(o)) {
			set_option(o, what, NULL);
			continue;
		}
		if (p[1]) {
			set_option(o, what, p + 1 + (p[1] == '='));
			return 1;
		}
		if (left < 2)
			tool_usage_error("option '-%c' needs a value", *p);
		set_option(o, what, argv[1]);
		return 2;
	}
	return 1;
}

static void need_root(void)
{
	if (current->any_user || geteuid() == 0)
		return;
	fprintf(stderr,
		"%s: this needs root; containers of ordinary users are not supported yet "
		"(try: sudo %s ...)\n",
		current->name, current->name);
	exit(LXMGR_REFUSED);
}

int tool_parse(const struct tool *t, int argc, char **argv)
{
	struct lxmgr_err err = { 0 };
	int i = 1;

	current = t;
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		if (!strcmp(argv[i], "--")) {
			break;
		}
		i += argv[i][1] == '-' ? parse_long(argv + i, argc - i)
				       : parse_short(argv + i, argc - i);
		/* The name first, options behind it. */
		if (i < argc && argv[i][0] != '-' && !t->no_name && !common.name) {
			common.name = argv[i];
			i++;
		}
	}
	if (i == 1 && i < argc && argv[i][0] != '-' && !t->no_name && !common.name) {
		common.name = argv[i++];
		while (i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--") != 0)
			i += argv[i][1] == '-' ? parse_long(argv + i, argc - i)
					       : parse_short(argv + i, argc - i);
	}
	if (i < argc && !strcmp(argv[i], "--"))
		i++;
	if (help) {
		print_help();
		exit(tool_exit(0));
	}
	if (usage) {
		printf("Usage: %s %s\n", t->name, t->usage);
		exit(tool_exit(0));
	}
	if (version) {
		printf("%s\n", lxmgr_version());
		exit(tool_exit(0));
	}
	if (dump_options) {
		dump(t->opts, t->n_opts);
		dump(common_opts, ARRAY_SIZE(common_opts));
		exit(tool_exit(0));
	}
	if (!t->no_name && !t->name_optional && !common.name)
		tool_usage_error("no container name given");
	need_root();
	if (!common.path && !t->no_name) {
		char *path = NULL;

		if (lxmgr_global_get("lxmgr.lxmgrpath", &path, NULL) == 0)
			common.path = path;
	}
	if (lxmgr_log_setup(logpriority, logfile, common.quiet, &err) < 0)
		exit(tool_error(&err));
	return i;
}

int tool_error(const struct lxmgr_err *err)
{
	tool_progress_end();
	if (common.name && !strstr(err->text, common.name))
		fprintf(stderr, "%s: %s: %s\n", current->name, tool_text(common.name),
			tool_text(err->text));
	else
		fprintf(stderr, "%s: %s\n", current->name, tool_text(err->text));
	return err->status ? err->status : LXMGR_FAILED;
}

int tool_exit(int status)
{
	bool bad = ferror(stdout);

	if (fclose(stdout) != 0 && errno != EBADF)
		bad = true;
	if (bad && status == 0) {
		fprintf(stderr, "%s: cannot write the output: %s\n", current->name,
			strerror(errno ? errno : EIO));
		return LXMGR_FAILED;
	}
	return status;
}

struct lxmgr_container *tool_open(void)
{
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };

	if (lxmgr_container_open(common.path, common.name, common.rcfile, &c, &err) < 0)
		exit(tool_error(&err));
	return c;
}

void tool_json(json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(v);
}

const char *tool_text(const char *s)
{
	static char ring[8][2048];
	static unsigned int next;
	char *out = ring[next++ % 8];
	size_t n = 0;

	for (; *s && n + 5 < sizeof(ring[0]); s++) {
		unsigned char c = (unsigned char)*s;

		/* C0, DEL; C1 controls are 0xc2 0x80..0x9f in UTF-8. */
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0))
			n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
		else
			out[n++] = *s;
	}
	out[n] = '\0';
	return out;
}

const char *tool_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	static char ring[8][32];
	static unsigned int next;
	char *out = ring[next++ % 8];
	double v = (double)bytes;
	size_t u = 0;

	if (bytes == LXMGR_UNKNOWN)
		return "-";
	while (v >= 1024 && u + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		u++;
	}
	snprintf(out, sizeof(ring[0]), u ? "%.2f %s" : "%.0f %s", v, units[u]);
	return out;
}

void tool_progress(const char *text, int permille, void *arg)
{
	if (common.quiet || !isatty(STDERR_FILENO))
		return;
	progress_shown = true;
	if (permille >= 0)
		fprintf(stderr, "\r\033[K%3d%% %.70s", permille / 10, tool_text(text));
	else
		fprintf(stderr, "\r\033[K     %.70s", tool_text(text));
	fflush(stderr);
	(void)arg;
}

void tool_progress_end(void)
{
	if (progress_shown)
		fprintf(stderr, "\r\033[K");
	progress_shown = false;
}
