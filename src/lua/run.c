/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:execute(argv, options), container:runscript(file, options): the container runs for one
 * program alone. */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct run_args {
	const char *path, *name, *rcfile;
	struct capture capture;
	struct lxmgr_start_opts start;
	struct lxmgr_script_opts script;
	bool daemon;
};

static void keep_warning(const char *text, void *arg)
{
	struct capture_result *r = arg;

	if (!*r->warning)
		snprintf(r->warning, sizeof(r->warning), "%s", text);
}

static int open_there(struct run_args *a, struct lxmgr_container **ret, struct lxmgr_err *err)
{
	return lxmgr_container_open(a->path, a->name, a->rcfile, ret, err);
}

static int execute_child(void *data, struct capture_result *r)
{
	struct run_args *a = data;
	struct lxmgr_container *c = NULL;
	int ret = open_there(a, &c, &r->err), status = 0;

	a->start.ret_status = &status;
	a->start.warn = keep_warning;
	a->start.progress_arg = r;
	r->status = 125;
	if (ret == 0)
		ret = lxmgr_container_start(c, &a->start, &r->err);
	lxmgr_container_close(c);
	if (ret == 0)
		r->status = a->daemon		? 0
			    : WIFEXITED(status) ? WEXITSTATUS(status)
						: 128 + WTERMSIG(status);
	else if (r->err.status < 125)
		r->err.status = 125;
	return ret;
}

static int script_child(void *data, struct capture_result *r)
{
	struct run_args *a = data;
	struct lxmgr_container *c = NULL;
	int ret = open_there(a, &c, &r->err);

	a->script.warn = keep_warning;
	a->script.arg = r;
	r->status = 125;
	if (ret == 0)
		ret = lxmgr_container_runscript(c, &a->script, &r->status, &r->err);
	lxmgr_container_close(c);
	if (ret < 0 && r->err.status < 125)
		r->err.status = r->status;
	return ret;
}

static void stop_it(struct run_args *a)
{
	const struct lxmgr_stop_opts o = { .kill = true, .if_running = true, .timeout_ms = -1 };
	struct lxmgr_container *c = NULL;

	if (open_there(a, &c, NULL) == 0)
		lxmgr_container_stop(c, &o, NULL);
	lxmgr_container_close(c);
}

static bool is_stopped(struct run_args *a)
{
	enum lxmgr_state state = LXMGR_RUNNING;
	struct lxmgr_container *c = NULL;

	if (open_there(a, &c, NULL) == 0)
		lxmgr_container_state(c, &state, NULL);
	lxmgr_container_close(c);
	return state == LXMGR_STOPPED;
}

/* The status, what was written or nil, a warning or nil. */
static int run(lua_State *L, struct run_args *a, int (*fn)(void *, struct capture_result *))
{
	struct lxmgr_err err = { 0 };
	bool was_stopped;
	int r;

	a->path = container_field(L, 1);
	a->name = container_field(L, 2);
	a->rcfile = container_field(L, 3);
	if (!module_is_root(&err))
		return module_fail(L, &err);
	was_stopped = is_stopped(a);
	r = capture_run(L, &a->capture, fn, a, &err);
	/* Whoever followed it was killed, and it was started for this alone. */
	if (r == -EFBIG && was_stopped)
		stop_it(a);
	return r < 0 ? module_fail(L, &err) : 3;
}

static int execute(lua_State *L)
{
	static const struct opt opts[] = {
		CAPTURE_OPTS(struct run_args, capture),
		{ "define", OPT_PAIRS, offsetof(struct run_args, start.defines) },
		{ "uid", OPT_ID, offsetof(struct run_args, start.uid) },
		{ "gid", OPT_ID, offsetof(struct run_args, start.gid) },
		{ "share_net", OPT_STRING, offsetof(struct run_args, start.share[0]) },
		{ "share_ipc", OPT_STRING, offsetof(struct run_args, start.share[1]) },
		{ "share_uts", OPT_STRING, offsetof(struct run_args, start.share[2]) },
		{ "share_pid", OPT_STRING, offsetof(struct run_args, start.share[3]) },
		{ "daemon", OPT_BOOL, offsetof(struct run_args, daemon) },
	};
	struct run_args a = { .start = { .execute = true, .uid = (uid_t)-1, .gid = (gid_t)-1 },
			      .capture.limit = CAPTURE_LIMIT };

	luaL_checkudata(L, 1, LUA_CONTAINER);
	lua_settop(L, 3);
	if (!lua_isnoneornil(L, 2))
		a.start.argv = opts_argv(L, 2);
	opts_read(L, 3, opts, ARRAY_SIZE(opts), &a);
	if (a.daemon && (a.capture.capture || a.capture.input))
		luaL_error(L, "daemon goes without capture and input");
	a.start.foreground = !a.daemon;
	return run(L, &a, execute_child);
}

/* -1: *err is filled. */
static int open_script(const char *file, struct lxmgr_err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		fd = -1;
		errno = EISDIR;
	}
	if (fd < 0) {
		*err = (struct lxmgr_err){ .code = -errno, .status = 125 };
		snprintf(err->text, sizeof(err->text), "read the script '%.300s': %s", file,
			 strerror(errno));
	}
	return fd;
}

static int runscript(lua_State *L)
{
	static const struct opt opts[] = {
		CAPTURE_OPTS(struct run_args, capture),
		{ "args", OPT_STRINGS, offsetof(struct run_args, script.args) },
		{ "env", OPT_PAIRS, offsetof(struct run_args, script.set_vars) },
		{ "uid", OPT_ID, offsetof(struct run_args, script.uid) },
		{ "gid", OPT_ID, offsetof(struct run_args, script.gid) },
	};
	struct run_args a = { .script = { .uid = (uid_t)-1, .gid = (gid_t)-1 },
			      .capture.limit = CAPTURE_LIMIT };
	const char *file = luaL_checkstring(L, 2);
	struct lxmgr_err err = { 0 };
	int n;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 3, opts, ARRAY_SIZE(opts), &a);
	opts_check_env(L, a.script.set_vars);
	a.script.fd = open_script(file, &err);
	if (a.script.fd < 0)
		return module_fail(L, &err);
	n = run(L, &a, script_child);
	close(a.script.fd);
	return n;
}

const luaL_Reg run_methods[] = { { "execute", execute },
				 { "runscript", runscript },
				 { NULL, NULL } };
