/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a Lua script on the root file system in the working directory; see lua_int.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/lua_int.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "lxmgr-lua: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(64);
}

/* The script and the modules are root's: nobody else may write what runs with these rights. */
static void load_source(int dir, const char *path, struct lua_source *s)
{
	cleanup_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const char *base = strrchr(path, '/');
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		die("open '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 022) || (st.st_uid && st.st_uid != geteuid()))
		die("'%s' must be a file of root's that nobody else can write", path);
	r = read_all(fd, LUA_SOURCE_MAX, &s->text, &s->len);
	if (r < 0)
		die("read '%s': %s", path, strerror(-r));
	snprintf(s->name, sizeof(s->name), "%s", base ? base + 1 : path);
	if (str_has_suffix(s->name, ".lua"))
		s->name[strlen(s->name) - 4] = '\0';
}

static void add_lib(struct lua_ctx *c, int dir, const char *file)
{
	struct lua_source s = { 0 };
	size_t i = 0;

	load_source(dir, file, &s);
	while (i < c->n_libs && !str_eq(c->libs[i].name, s.name))
		i++;
	if (i == LUA_MAX_LIBS)
		die("more than %d modules", LUA_MAX_LIBS);
	free(c->libs[i].text);
	c->libs[i] = s;
	c->n_libs += i == c->n_libs;
}

static void load_libs(struct lua_ctx *c, const char *path)
{
	cleanup_dir DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		die("open '%s': %s", path, strerror(errno));
	while ((e = readdir(d)))
		if (*e->d_name != '.' && str_has_suffix(e->d_name, ".lua"))
			add_lib(c, dirfd(d), e->d_name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lua_source *)a)->name, ((const struct lua_source *)b)->name);
}

static uint32_t number(const char *option, const char *text, uint32_t max)
{
	uint64_t v;

	if (parse_range(text, option[0] == 'u' ? 0 : 1, max, &v) < 0)
		die("--%s: '%s' is no number up to %u", option, text, max);
	return (uint32_t)v;
}

static void parse(struct lua_ctx *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "userns", required_argument, NULL, 'u' },
		{ "net", no_argument, NULL, 'n' },
		{ "run", no_argument, NULL, 'r' },
		{ "memory", required_argument, NULL, 'm' },
		{ "seconds", required_argument, NULL, 's' },
		{ "libs", required_argument, NULL, 'l' },
		{ "lib", required_argument, NULL, 'L' },
		{ "host", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (o) {
		case 'u':
			c->userns = (int)number("userns", optarg, 1023);
			break;
		case 'n':
			c->net = true;
			break;
		case 'r':
			c->run = true;
			break;
		case 'm':
			c->memory_limit = (size_t)number("memory", optarg, 4096) << 20;
			break;
		case 's':
			c->seconds = number("seconds", optarg, 86400);
			break;
		case 'l':
			load_libs(c, optarg);
			break;
		case 'L':
			add_lib(c, AT_FDCWD, optarg);
			break;
		case 'h':
			c->with_host = true;
			break;
		default:
			die("usage: lxmgr-lua [OPTION]... SCRIPT");
		}
	}
	if (optind + 1 != argc)
		die("usage: lxmgr-lua [OPTION]... SCRIPT");
	load_source(AT_FDCWD, argv[optind], &c->script);
	qsort(c->libs, c->n_libs, sizeof(c->libs[0]), by_name);
}

int main(int argc, char **argv)
{
	static struct lua_ctx c = { .root = -EBADF,
				    .broker = -EBADF,
				    .host = -EBADF,
				    .host_root = -EBADF,
				    .host_dir = -EBADF,
				    .config = -EBADF,
				    .userns = -EBADF,
				    .seconds = 60,
				    .memory_limit = 64 << 20 };
	const char *step = "start what runs programs";
	int r;

	c.parent = getppid();
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	parse(&c, argc, argv);
	/* Some hundred million in a second: the processor time ends it first where it is honest. */
	c.step_limit = (uint64_t)c.seconds * 200000;
	if (fcntl(LUA_ANSWER_FD, F_GETFL) < 0)
		die("descriptor %d is not open", LUA_ANSWER_FD);
	fcntl(LUA_ANSWER_FD, F_SETFD, FD_CLOEXEC);
	if (c.userns >= 0)
		fcntl(c.userns, F_SETFD, FD_CLOEXEC);
	r = read_all(STDIN_FILENO, LUA_REQUEST_MAX, &c.request, &c.request_len);
	if (r < 0)
		die("read the request: %s", strerror(-r));
	r = c.with_host ? lua_host_start(&c) : 0;
	if (r == 0 && c.run)
		r = lua_broker_start(&c);
	if (r == 0)
		r = lua_confine(&c, &step);
	if (r < 0)
		die("cannot %s: %s", step, strerror(-r));
	return lua_run_script(&c);
}
