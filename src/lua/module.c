/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of the module. */
#include "module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int module_fail(lua_State *L, const struct lxmgr_err *err)
{
	lua_pushnil(L);
	lua_pushstring(L, *err->text ? err->text : "failed");
	lua_pushinteger(L, err->status ? err->status : LXMGR_FAILED);
	return 3;
}

bool module_is_root(struct lxmgr_err *err)
{
	if (geteuid() == 0)
		return true;
	*err = (struct lxmgr_err){ .code = -EPERM, .status = LXMGR_REFUSED };
	snprintf(err->text, sizeof(err->text),
		 "this needs root; containers of ordinary users are not supported yet");
	return false;
}

const char *module_path(lua_State *L, const char *path)
{
	char *value = NULL;

	if (!path && lxmgr_global_get("lxmgr.lxmgrpath", &value, NULL) == 0 && value)
		lua_pushstring(L, value);
	else
		lua_pushstring(L, path);
	free(value);
	return lua_tostring(L, -1);
}

struct place {
	const char *path, *rcfile;
};

static int version(lua_State *L)
{
	lua_pushstring(L, lxmgr_version());
	return 1;
}

static int list(lua_State *L)
{
	static const struct opt opts[] = { { "path", OPT_STRING, offsetof(struct place, path) } };
	struct place o = { 0 };
	struct lxmgr_err err = { 0 };
	char **names = NULL;
	size_t n = 0;

	opts_read(L, 1, opts, ARRAY_SIZE(opts), &o);
	if (!module_is_root(&err) || lxmgr_list(module_path(L, o.path), &names, &n, &err) < 0)
		return module_fail(L, &err);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, names[i]);
		table_add(L);
	}
	lxmgr_list_free(names, n);
	return 1;
}

static int open_container(lua_State *L)
{
	static const struct opt opts[] = {
		{ "path", OPT_STRING, offsetof(struct place, path) },
		{ "rcfile", OPT_STRING, offsetof(struct place, rcfile) },
	};
	const char *name = luaL_checkstring(L, 1), *path;
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };
	struct place o = { 0 };

	opts_read(L, 2, opts, ARRAY_SIZE(opts), &o);
	path = module_path(L, o.path);
	if (!module_is_root(&err) || lxmgr_container_open(path, name, o.rcfile, &c, &err) < 0)
		return module_fail(L, &err);
	lxmgr_container_close(c);
	container_push(L, path, name, o.rcfile);
	return 1;
}

/* One setting, or all as a table. */
static int global(lua_State *L)
{
	const char *one = luaL_optstring(L, 1, NULL), *key;
	struct lxmgr_err err = { 0 };

	if (!one)
		lua_newtable(L);
	for (size_t i = 0; (key = one && !i ? one : one ? NULL : lxmgr_global_key(i)); i++) {
		char *value = NULL;

		if (lxmgr_global_get(key, &value, &err) < 0)
			return module_fail(L, &err);
		lua_pushstring(L, value);
		free(value);
		if (!one)
			lua_setfield(L, -2, key);
	}
	return 1;
}

static int keys(lua_State *L)
{
	const struct lxmgr_key *k;

	lua_newtable(L);
	for (size_t i = 0; (k = lxmgr_config_key(i)); i++) {
		lua_createtable(L, 0, 4);
		lua_pushfstring(L, "lxmgr.%s", k->name);
		lua_setfield(L, -2, "name");
		lua_pushstring(L, k->type);
		lua_setfield(L, -2, "type");
		lua_pushstring(L, k->help);
		lua_setfield(L, -2, "help");
		lua_pushboolean(L, k->is_list);
		lua_setfield(L, -2, "list");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int add_check(const struct lxmgr_check *c, void *arg)
{
	static const char *const words[] = { "ok", "notice", "missing" };
	lua_State *L = arg;
	const struct {
		const char *key, *value;
	} fields[] = { { "group", c->group },
		       { "name", c->name },
		       { "result", words[c->result] },
		       { "text", c->text },
		       { "cure", c->cure } };

	lua_createtable(L, 0, ARRAY_SIZE(fields));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		lua_pushstring(L, fields[i].value);
		lua_setfield(L, -2, fields[i].key);
	}
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	return 0;
}

static int doctor(lua_State *L)
{
	struct lxmgr_err err = { 0 };

	lua_newtable(L);
	if (!module_is_root(&err) || lxmgr_doctor(add_check, L, &err) < 0)
		return module_fail(L, &err);
	return 1;
}

static int checkconfig(lua_State *L)
{
	const char *file = luaL_optstring(L, 1, NULL);
	struct lxmgr_err err = { 0 };

	lua_newtable(L);
	if (lxmgr_checkconfig(file, add_check, L, &err) < 0)
		return module_fail(L, &err);
	return 1;
}

struct auto_args {
	const char *path, *action;
	struct lxmgr_auto_opts o;
	int timeout;
	struct call done;
};

static const struct opt auto_opts[] = {
	{ "path", OPT_STRING, offsetof(struct auto_args, path) },
	{ "groups", OPT_STRINGS, offsetof(struct auto_args, o.groups) },
	{ "all", OPT_BOOL, offsetof(struct auto_args, o.all) },
	{ "ignore_auto", OPT_BOOL, offsetof(struct auto_args, o.ignore_auto) },
	{ "all_trees", OPT_BOOL, offsetof(struct auto_args, o.all_trees) },
	{ "no_units", OPT_BOOL, offsetof(struct auto_args, o.no_units) },
	{ "action", OPT_STRING, offsetof(struct auto_args, action) },
	{ "timeout", OPT_SECONDS, offsetof(struct auto_args, timeout) },
	{ "done", OPT_CALL, offsetof(struct auto_args, done) },
};

static const char *const auto_actions[] = { "start", "stop", "kill", "reboot" };

/* The list for the action of the options at 1. Negative: *err says why. */
static int auto_get(lua_State *L, struct auto_args *a, struct lxmgr_auto **ret, size_t *ret_n,
		    struct lxmgr_err *err)
{
	size_t action = 0;

	opts_read(L, 1, auto_opts, ARRAY_SIZE(auto_opts), a);
	while (a->action && action < ARRAY_SIZE(auto_actions) &&
	       strcmp(auto_actions[action], a->action) != 0)
		action++;
	if (action == ARRAY_SIZE(auto_actions))
		luaL_error(L, "action must be start, stop, kill or reboot");
	a->o.up = action != 0;
	if (a->o.all_trees && !a->o.up)
		luaL_error(L, "all_trees goes with stop, kill and reboot");
	if (a->o.no_units && !a->o.all_trees)
		luaL_error(L, "no_units goes with all_trees");
	if (!module_is_root(err) ||
	    lxmgr_auto_list(module_path(L, a->path), &a->o, ret, ret_n, err) < 0)
		return -EIO;
	return (int)action;
}

static int autostart_list(lua_State *L)
{
	struct auto_args a = { .timeout = -1 };
	struct lxmgr_auto *v = NULL;
	struct lxmgr_err err = { 0 };
	size_t n = 0;

	if (auto_get(L, &a, &v, &n, &err) < 0)
		return module_fail(L, &err);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		autostart_push(L, &v[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lxmgr_auto_free(v, n);
	return 1;
}

struct auto_job {
	const struct lxmgr_auto *v;
	size_t n;
	enum lxmgr_auto_action action;
	int timeout;
	struct lxmgr_err *errs; /* shared with the child */
	bool *did;
};

static void auto_done(const struct lxmgr_auto *e, const struct lxmgr_err *err, void *arg)
{
	struct auto_job *job = arg;

	job->errs[e - job->v] = *err;
	job->did[e - job->v] = true;
}

static int auto_child(void *data, struct lxmgr_err *err)
{
	struct auto_job *job = data;

	return lxmgr_auto_run(job->v, job->n, job->action, job->timeout, auto_done, job, err);
}

static void auto_tell(struct auto_job *job, struct call *done)
{
	for (size_t i = 0; i < job->n && done->index; i++) {
		if (!job->did[i])
			continue;
		lua_pushstring(done->L, job->v[i].name);
		if (job->errs[i].code) {
			module_fail(done->L, &job->errs[i]);
			lua_remove(done->L, -3);
		}
		if (call_run(done, job->errs[i].code ? 3 : 1))
			break;
	}
}

/* The number that failed; `done` hears of each, when all is over. */
static int autostart(lua_State *L)
{
	struct auto_args a = { .timeout = -1 };
	struct lxmgr_auto *v = NULL;
	struct lxmgr_err err = { 0 };
	struct auto_job job = { 0 };
	size_t n = 0, size;
	int action = auto_get(L, &a, &v, &n, &err), r;

	if (action < 0)
		return module_fail(L, &err);
	size = (n + 1) * (sizeof(*job.errs) + sizeof(*job.did));
	job = (struct auto_job){ .v = v,
				 .n = n,
				 .action = (enum lxmgr_auto_action)action,
				 .timeout = a.timeout,
				 .errs = shared_new(size) };
	if (!job.errs) {
		lxmgr_auto_free(v, n);
		return luaL_error(L, "not enough memory");
	}
	job.did = (bool *)(job.errs + n + 1);
	r = child_run(auto_child, &job, &err);
	if (r >= 0)
		auto_tell(&job, &a.done);
	shared_free(job.errs, size);
	lxmgr_auto_free(v, n);
	call_check(&a.done);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushinteger(L, r);
	return 1;
}

static int autostart_sync(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	int r = module_is_root(&err) ? lxmgr_auto_sync(&err) : -EPERM;

	if (r < 0)
		return module_fail(L, &err);
	lua_pushinteger(L, r);
	return 1;
}

static int tell_change(const char *name, enum lxmgr_state state, void *arg)
{
	struct call *call = arg;

	lua_pushstring(call->L, name);
	lua_pushstring(call->L, lxmgr_state_name(state));
	return call_run(call, 2);
}

/* Call fn(name, state) at each change until it returns true. */
static int monitor(lua_State *L)
{
	struct {
		struct place place;
		const char *name;
	} o = { 0 };
	static const struct opt opts[] = {
		{ "path", OPT_STRING, offsetof(struct place, path) },
		{ "name", OPT_STRING, sizeof(struct place) },
	};
	struct lxmgr_err err = { 0 };
	struct call call = { .L = L };
	int r;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &o);
	module_path(L, o.place.path);
	lua_pushvalue(L, 1);
	call.index = lua_gettop(L);
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = lxmgr_monitor(lua_tostring(L, -2), o.name, tell_change, &call, &err);
	call_check(&call);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

__attribute__((visibility("default"))) int luaopen_lxmgr(lua_State *L);

int luaopen_lxmgr(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "autostart", autostart },
		{ "autostart_list", autostart_list },
		{ "autostart_sync", autostart_sync },
		{ "checkconfig", checkconfig },
		{ "doctor", doctor },
		{ "global", global },
		{ "keys", keys },
		{ "list", list },
		{ "monitor", monitor },
		{ "open", open_container },
		{ "version", version },
		{ NULL, NULL },
	};
	static const luaL_Reg *const more[] = { archive_functions, create_functions,
						files_functions, plan_functions, usage_functions };

	container_register(L);
	luaL_newlib(L, functions);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		luaL_setfuncs(L, more[i], 0);
	image_register(L);
	return 1;
}
