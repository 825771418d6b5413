/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:start(options) and restart(options) */
#include "module.h"

#include <stdio.h>
#include <stdlib.h>

/* A start as the child does it. What it warns of comes back in shared memory. */
struct start_job {
	const char *path, *name, *rcfile;
	struct lxmgr_start_opts o;
	char *warning; /* 512 bytes, shared */
};

static void keep_warning(const char *text, void *arg)
{
	struct start_job *job = arg;

	if (!*job->warning)
		snprintf(job->warning, 512, "%s", text);
}

static int start_child(void *data, struct lxmgr_err *err)
{
	struct start_job *job = data;
	struct lxmgr_container *c = NULL;
	int r = lxmgr_container_open(job->path, job->name, job->rcfile, &c, err);

	if (r == 0)
		r = lxmgr_container_start(c, &job->o, err);
	lxmgr_container_close(c);
	return r;
}

static int run_start(lua_State *L, struct start_job *job)
{
	struct lxmgr_err err = { 0 };
	int r;

	job->path = container_field(L, 1);
	job->name = container_field(L, 2);
	job->rcfile = container_field(L, 3);
	if (!module_is_root(&err))
		return module_fail(L, &err);
	job->warning = shared_new(512);
	if (!job->warning)
		return luaL_error(L, "not enough memory");
	job->o.warn = keep_warning;
	job->o.progress_arg = job;
	r = child_run(start_child, job, &err);
	lua_pushboolean(L, 1);
	lua_pushstring(L, job->warning);
	shared_free(job->warning, 512);
	if (r < 0)
		return module_fail(L, &err);
	if (!*lua_tostring(L, -1))
		lua_pop(L, 1);
	return lua_isboolean(L, -1) ? 1 : 2;
}

static int plan(lua_State *L, struct start_job *job)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	char *text = NULL;
	int r;

	if (!c)
		return module_fail(L, &err);
	job->o.ret_plan = &text;
	r = lxmgr_container_start(c, &job->o, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, text);
	free(text);
	return 1;
}

static int start(lua_State *L)
{
	static const struct opt opts[] = {
		{ "argv", OPT_STRINGS, offsetof(struct start_job, o.argv) },
		{ "define", OPT_PAIRS, offsetof(struct start_job, o.defines) },
		{ "console", OPT_STRING, offsetof(struct start_job, o.console) },
		{ "console_log", OPT_STRING, offsetof(struct start_job, o.console_log) },
		{ "pidfile", OPT_STRING, offsetof(struct start_job, o.pidfile) },
		{ "share_net", OPT_STRING, offsetof(struct start_job, o.share[0]) },
		{ "share_ipc", OPT_STRING, offsetof(struct start_job, o.share[1]) },
		{ "share_uts", OPT_STRING, offsetof(struct start_job, o.share[2]) },
		{ "share_pid", OPT_STRING, offsetof(struct start_job, o.share[3]) },
		{ "force", OPT_BOOL, offsetof(struct start_job, o.force) },
		{ "dry_run", OPT_BOOL, offsetof(struct start_job, o.dry_run) },
	};
	struct start_job job = { .o = { .uid = (uid_t)-1, .gid = (gid_t)-1 } };

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &job);
	return job.o.dry_run ? plan(L, &job) : run_start(L, &job);
}

static int restart(lua_State *L)
{
	static const struct opt opts[] = {
		{ "kill", OPT_BOOL, offsetof(struct lxmgr_stop_opts, kill) },
		{ "timeout", OPT_SECONDS, offsetof(struct lxmgr_stop_opts, timeout_ms) },
	};
	struct lxmgr_stop_opts o = { .timeout_ms = -1 };
	/* It ran already: what it has is no more than before. */
	struct start_job job = { .o = { .uid = (uid_t)-1, .gid = (gid_t)-1, .force = true } };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &o);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_stop(c, &o, &err);
	lxmgr_container_close(c);
	if (r < 0 && err.status != LXMGR_NOT_RUNNING)
		return module_fail(L, &err);
	return run_start(L, &job);
}

const luaL_Reg start_methods[] = { { "restart", restart }, { "start", start }, { NULL, NULL } };
