/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates in Lua: the driver (templates/lib/template.lua) in lxmgr-lua. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/luarun.h"
#include "image/luatemplate.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define LIBS	   DATADIR "/lua"
#define DRIVER	   LIBS "/template.lua"
#define MEMORY_MIB 256
#define SECONDS	   600
#define HELP_LIMIT 16384

bool lua_template_is(const char *path)
{
	return str_has_suffix(path, ".lua");
}

/* "/x/alpine.lua" is "alpine". */
static int add_name(struct strbuf *request, const char *path)
{
	const char *base = strrchr(path, '/');
	char name[64];
	int n;

	base = base ? base + 1 : path;
	n = (int)(strlen(base) - strlen(".lua"));
	if (n < 1 || n >= (int)sizeof(name))
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s", n, base);
	return lua_request_add(request, "template", name);
}

static int start_request(struct strbuf *request, const char *path, const char *mode,
			 struct lxmgr_err *err)
{
	struct utsname u;
	int r = add_name(request, path);

	if (r == 0)
		r = lua_request_add(request, "mode", mode);
	if (r == 0)
		r = lua_request_add(request, "machine", uname(&u) < 0 ? "unknown" : u.machine);
	return r < 0 ? err_msg(err, r, "'%s' is no name of a Lua template", path) : 0;
}

static int run(const char *path, struct lua_run *l, struct lxmgr_err *err)
{
	static const char *const libs[] = { LIBS, NULL };

	l->script = DRIVER;
	l->lib_dirs = libs;
	l->lib_file = path;
	l->memory_mib = MEMORY_MIB;
	l->seconds = SECONDS;
	return lua_run(l, NULL, err);
}

static void keep(const char *data, size_t n, void *arg)
{
	struct strbuf *b = arg;

	if (b->len + n <= HELP_LIMIT)
		strbuf_add(b, data, n);
}

/* The declaration alone: nothing of the host's, an empty directory as the root. */
int lua_template_help(const char *path, char **ret, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf request = { 0 }, text = { 0 };
	struct lua_run l = LUA_RUN_INIT;
	cleanup_fd int empty = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = start_request(&request, path, "help", err);

	if (r < 0)
		return r;
	if (empty < 0)
		return err_set(err, -errno, "open /proc");
	l.root_fd = empty;
	l.request = &request;
	l.timeout_ms = 10000;
	l.on_output = keep;
	l.on_output_arg = &text;
	r = run(path, &l, err);
	if (r < 0)
		return r;
	*ret = strbuf_take(&text);
	return *ret ? 0 : err_set(err, -ENOMEM, "help");
}

/* The user's arguments. What one of them is, should it be a file's name, is told beside it: the
 * helper is elsewhere. */
static int add_args(struct strbuf *request, const struct template_run *t, struct lxmgr_err *err)
{
	char path[PATH_MAX];

	for (size_t i = 0; t->args && t->args[i]; i++) {
		const char *arg = t->args[i], *eq = *arg == '-' ? strchr(arg, '=') : NULL;
		const char *value = eq ? eq + 1 : arg;
		cleanup_free char *whole = NULL;
		int r = lua_request_add(request, "arg", arg);

		if (*value && *value != '/' && (eq || *arg != '-') && !strchr(value, '\n') &&
		    realpath(value, path))
			whole = str_printf("%s\n%s", value, path);
		if (r == 0 && whole)
			r = lua_request_add(request, "path", whole);
		if (r < 0)
			return err_set(err, r, "template arguments");
	}
	return 0;
}

int lua_template_run(const char *path, const struct template_run *t, int root_fd,
		     const struct lua_template_io *io, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf request = { 0 };
	struct lua_run l = LUA_RUN_INIT;
	int r = start_request(&request, path, "build", err);

	if (r == 0)
		r = lua_request_add(&request, "container", t->container ? t->container : "image");
	if (r == 0)
		r = add_args(&request, t, err);
	if (r < 0)
		return r;
	l.root_fd = root_fd;
	l.request = &request;
	l.allow_run = true;
	l.allow_host = true;
	l.timeout_ms = io->timeout_ms;
	l.cancel_fd = io->cancel_fd;
	l.on_output = io->on_output;
	l.on_output_arg = io->arg;
	return run(path, &l, err);
}
