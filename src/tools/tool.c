/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
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

static const char *tool_name(void)
{
	return current ? current->name : "lxmgr";
}

/* A common option that would do nothing in this tool is not there. */
static bool is_offered(const struct opt *o)
{
	if (o->value == &common.json)
		return current->has_json;
	if (o->value == &common.name && current->subcommands)
		return false;
	if (o->value == &common.name || o->value == &common.path)
		return !current->no_name;
	if (o->value == &common.rcfile && (current->no_name || current->no_rcfile))
		return false;
	/* A tool's own option of the same letter or name wins. */
	for (size_t i = 0; i < current->n_opts; i++) {
		const struct opt *own = &current->opts[i];

		if (own->name && o->name && !strcmp(own->name, o->name))
			return false;
	}
	return true;
}

/* A tool's own option of the same letter wins here too: -l of lxmgr-config. */
static char offered_letter(const struct opt *opts, const struct opt *o)
{
	for (size_t i = 0; opts == common_opts && i < current->n_opts; i++)
		if (current->opts[i].shorthand == o->shorthand)
			return 0;
	return o->shorthand;
}

void tool_usage_error(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", tool_name());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see %s --help)\n", tool_name());
	exit(LXMGR_USAGE);
}

void tool_no_memory(void)
{
	fprintf(stderr, "%s: out of memory\n", tool_name());
	exit(LXMGR_FAILED);
}

void strings_add(struct strings *s, const char *v)
{
	const char **p = realloc(s->v, (s->n + 2) * sizeof(*p));

	if (!p)
		tool_no_memory();
	p[s->n++] = v;
	p[s->n] = NULL;
	s->v = p;
}

static void print_opts(const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = &opts[i];
		char left[64], letter;
		int len = 0;

		if (!o->help || (opts == common_opts && !is_offered(o)))
			continue;
		letter = offered_letter(opts, o);
		if (letter)
			len = snprintf(left, sizeof(left), "-%c%s", letter, o->name ? ", " : "");
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
	if (current->more_help)
		current->more_help();
	printf("\nSee %s(1) and lxmgr(7).\n", current->name);
}

/* For completion and the check against the manual page: short, long, value; [=VALUE] may be
 * left out. */
static void dump(const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = &opts[i];
		char letter;

		if (!o->help || (opts == common_opts && !is_offered(o)))
			continue;
		letter = offered_letter(opts, o);
		printf(o->type == OPT_OPTIONAL ? "%s%c\t%s%s\t[=%s]\n" : "%s%c\t%s%s\t%s\n",
		       letter ? "-" : "", letter ? letter : ' ', o->name ? "--" : "",
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
		tool_usage_error("%s: '%s' is no number", what, tool_text(s));
	return (int)v;
}

unsigned int tool_id(const char *option, const char *text)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	/* UINT32_MAX says "unset" to the library and "no change" to the kernel. */
	if (errno || *end || !isdigit((unsigned char)*text) || v >= UINT32_MAX)
		tool_usage_error("%s: '%s' is no id", option, tool_text(text));
	return (unsigned int)v;
}

static void set_option(const struct opt *o, const char *what, const char *value)
{
	switch (o->type) {
	case OPT_FLAG:
	case OPT_OFF:
		*(bool *)o->value = o->type == OPT_FLAG;
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
	return o->type != OPT_FLAG && o->type != OPT_OFF && o->type != OPT_OPTIONAL;
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
	if (eq && !takes_value(o) && o->type != OPT_OPTIONAL)
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

void tool_need_root(void)
{
	if (geteuid() == 0)
		return;
	fprintf(stderr,
		"%s: this needs root; containers of ordinary users are not supported yet "
		"(try: sudo %s ...)\n",
		tool_name(), tool_name());
	exit(LXMGR_REFUSED);
}

/*
 * Were 0, 1 or 2 closed, the next file that is opened, a config for one, would be what is read or
 * printed to. Opened the wrong way round, reading and printing still fail.
 */
static void fill_std_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(LXMGR_FAILED);
}

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] && strcmp(arg, "--") != 0;
}

/* What is no option goes to the end, in its order: the index of the first of it. */
static int parse_anywhere(int argc, char **argv)
{
	char **args = calloc((size_t)argc + 1, sizeof(*args));
	int n = 0;

	if (!args)
		tool_no_memory();
	for (int i = 1; i < argc;) {
		if (is_option(argv[i])) {
			i += argv[i][1] == '-' ? parse_long(argv + i, argc - i)
					       : parse_short(argv + i, argc - i);
			continue;
		}
		if (strcmp(argv[i], "--") != 0) {
			args[n++] = argv[i++];
			continue;
		}
		while (++i < argc)
			args[n++] = argv[i];
	}
	memcpy(argv + argc - n, args, (size_t)n * sizeof(*args));
	free(args);
	return argc - n;
}

static const char *operand_name;

/* Where the next argument that is no option goes; NULL: it is left for the tool. */
static const char **next_operand(void)
{
	const char **second = current->second && !*current->second ? current->second : NULL;

	if (current->no_name || common.name || operand_name || (second && current->name_is_second))
		return second;
	common.name_is_first = !current->name_is_second;
	return &operand_name;
}

/* Options stand before and behind the name, not behind a command. The index of what is left. */
static int parse_args(int argc, char **argv)
{
	const char **to;
	int i = 1;

	for (;;) {
		while (i < argc && is_option(argv[i]))
			i += argv[i][1] == '-' ? parse_long(argv + i, argc - i)
					       : parse_short(argv + i, argc - i);
		if (i == argc || !strcmp(argv[i], "--") || !(to = next_operand()))
			break;
		*to = argv[i++];
	}
	if (i < argc && !strcmp(argv[i], "--"))
		i++;
	while (i < argc && (to = next_operand()))
		*to = argv[i++];
	if (operand_name && common.name)
		tool_usage_error("two names of a container, '%s' and '%s'", tool_text(operand_name),
				 tool_text(common.name));
	if (operand_name)
		common.name = operand_name;
	return i;
}

int tool_parse(const struct tool *t, int argc, char **argv)
{
	struct lxmgr_err err = { 0 };
	int i;

	current = t;
	fill_std_fds();
	i = t->subcommands ? parse_anywhere(argc, argv) : parse_args(argc, argv);
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
	if (!t->any_user)
		tool_need_root();
	if (!common.path && !t->no_name) {
		char *path = NULL;

		if (lxmgr_global_get("lxmgr.lxmgrpath", &path, NULL) == 0)
			common.path = path;
	}
	if (lxmgr_log_setup(logpriority, logfile, common.quiet, &err) < 0)
		exit(tool_error(&err));
	return i;
}

/* Whether the text names the container: in quotes, as every message does that does. */
static bool names_it(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strchr(text, '\''); p; p = strchr(p + 1, '\''))
		if (!strncmp(p + 1, name, n) && p[n + 1] == '\'')
			return true;
	return false;
}

int tool_error(const struct lxmgr_err *err)
{
	tool_progress_end();
	if (common.name && !names_it(err->text, common.name))
		fprintf(stderr, "%s: %s: %s\n", tool_name(), tool_text(common.name),
			tool_text(err->text));
	else
		fprintf(stderr, "%s: %s\n", tool_name(), tool_text(err->text));
	return err->status ? err->status : LXMGR_FAILED;
}

int tool_exit(int status)
{
	bool bad = ferror(stdout);

	/* A file system may tell of a full disk only when the file is closed. */
	if (fclose(stdout) != 0)
		bad = true;
	if (bad && status == 0) {
		fprintf(stderr, "%s: cannot write the output: %s\n", tool_name(),
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

/* The length of the UTF-8 sequence at s; 0: none, or a control character (C0, DEL, C1). */
static size_t printable(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *s < 0x80 ? 1 : *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? *s : *s & (0x7fU >> n);

	/* No first byte: one that continues, or is longer than UTF-8 goes. */
	if ((*s & 0xc0) == 0x80 || *s >= 0xf8)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n;
}

const char *tool_text(const char *s)
{
	static char *ring[8];
	static unsigned int next;
	char **slot = &ring[next++ % ARRAY_SIZE(ring)];
	char *out = realloc(*slot, strlen(s) * 4 + 1);

	if (!out)
		tool_no_memory();
	*slot = out;
	while (*s) {
		size_t n = printable((const unsigned char *)s);

		if (n) {
			memcpy(out, s, n);
			out += n;
			s += n;
		} else {
			out += snprintf(out, 5, "\\x%02x", (unsigned char)*s++);
		}
	}
	*out = '\0';
	return *slot;
}

void tool_value(const char *key, const char *value)
{
	char *copy = strdup(value), *rest = copy, *line;

	if (!copy)
		tool_no_memory();
	while ((line = strsep(&rest, "\n"))) {
		/* The end of the last line is no further, empty one. */
		if (!rest && !*line && line != copy)
			break;
		if (key)
			printf("%s = ", tool_text(key));
		printf("%s\n", tool_text(line));
	}
	free(copy);
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

void tool_no_host_keys(const char *container)
{
	fprintf(stderr,
		"%s: notice: '%s' has no ssh host keys now (install openssh-client here, or run "
		"ssh-keygen -A in it)\n",
		tool_name(), tool_text(container));
}

void tool_warn(const char *text, void *arg)
{
	tool_progress_end();
	if (!common.quiet)
		fprintf(stderr, "%s: %s: warning: %s\n", tool_name(), tool_text(common.name),
			tool_text(text));
	(void)arg;
}

void tool_progress_end(void)
{
	if (progress_shown)
		fprintf(stderr, "\r\033[K");
	progress_shown = false;
}

char *tool_read_line(const char *file)
{
	FILE *f = strcmp(file, "-") ? fopen(file, "re") : stdin;
	struct lxmgr_err err = { 0 };
	char *line = NULL;
	size_t size = 0;

	if (!f || getline(&line, &size, f) < 0) {
		snprintf(err.text, sizeof(err.text), "cannot read a password from '%.300s': %s",
			 file, f && feof(f) ? "it is empty" : strerror(errno));
		exit(tool_exit(tool_error(&err)));
	}
	if (f != stdin)
		fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

char *tool_take_secret(char *arg)
{
	char *copy = strdup(arg);

	if (!copy)
		tool_no_memory();
	memset(arg, 'x', strlen(arg));
	return copy;
}
