/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Container objects: a name, not a handle. Each call opens the container anew, as each tool does.
 */
#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *container_field(lua_State *L, int n)
{
	luaL_checkudata(L, 1, LUA_CONTAINER);
	lua_getiuservalue(L, 1, n);
	return lua_tostring(L, -1);
}

void container_push(lua_State *L, const char *path, const char *name, const char *rcfile)
{
	lua_newuserdatauv(L, 0, 3);
	lua_pushstring(L, path);
	lua_setiuservalue(L, -2, 1);
	lua_pushstring(L, name);
	lua_setiuservalue(L, -2, 2);
	lua_pushstring(L, rcfile);
	lua_setiuservalue(L, -2, 3);
	luaL_setmetatable(L, LUA_CONTAINER);
}

struct lxmgr_container *container_open(lua_State *L, struct lxmgr_err *err)
{
	const char *path = container_field(L, 1), *name = container_field(L, 2),
		   *rcfile = container_field(L, 3);
	struct lxmgr_container *c = NULL;

	if (module_is_root(err))
		lxmgr_container_open(path, name, rcfile, &c, err);
	return c;
}

int container_done(lua_State *L, struct lxmgr_container *c, int r, const struct lxmgr_err *err)
{
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int get_name(lua_State *L)
{
	container_field(L, 2);
	return 1;
}

static int get_path(lua_State *L)
{
	container_field(L, 1);
	return 1;
}

static int to_string(lua_State *L)
{
	lua_pushfstring(L, "lxmgr container '%s'", container_field(L, 2));
	return 1;
}

static int get_state(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	enum lxmgr_state state = LXMGR_STOPPED;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_state(c, &state, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, lxmgr_state_name(state));
	return 1;
}

static int get_info(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	struct lxmgr_info *info = NULL;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_info(c, LXMGR_INFO_ALL, &info, &err);
	if (r == 0)
		info_push(L, lxmgr_container_name(c), info);
	lxmgr_info_free(info);
	lxmgr_container_close(c);
	return r < 0 ? module_fail(L, &err) : 1;
}

static const struct opt stop_opts[] = {
	{ "kill", OPT_BOOL, offsetof(struct lxmgr_stop_opts, kill) },
	{ "reboot", OPT_BOOL, offsetof(struct lxmgr_stop_opts, reboot) },
	{ "nokill", OPT_BOOL, offsetof(struct lxmgr_stop_opts, nokill) },
	{ "nowait", OPT_BOOL, offsetof(struct lxmgr_stop_opts, nowait) },
	{ "if_running", OPT_BOOL, offsetof(struct lxmgr_stop_opts, if_running) },
	{ "timeout", OPT_SECONDS, offsetof(struct lxmgr_stop_opts, timeout_ms) },
};

static int stop(lua_State *L)
{
	struct lxmgr_stop_opts o = { .timeout_ms = -1 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, stop_opts, ARRAY_SIZE(stop_opts), &o);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	return container_done(L, c, lxmgr_container_stop(c, &o, &err), &err);
}

static int destroy(lua_State *L)
{
	struct {
		bool force, snapshots;
	} o = { 0 };
	static const struct opt opts[] = {
		{ "force", OPT_BOOL, 0 },
		{ "snapshots", OPT_BOOL, sizeof(bool) },
	};
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &o);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	return container_done(L, c, lxmgr_container_destroy(c, o.force, o.snapshots, &err), &err);
}

static int freeze(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);

	return c ? container_done(L, c, lxmgr_container_freeze(c, &err), &err)
		 : module_fail(L, &err);
}

static int unfreeze(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);

	return c ? container_done(L, c, lxmgr_container_unfreeze(c, &err), &err)
		 : module_fail(L, &err);
}

/* "RUNNING|FROZEN", as lxmgr-wait has it. */
static unsigned int want_states(lua_State *L, int arg)
{
	const char *text = luaL_checkstring(L, arg);
	unsigned int mask = 0;

	while (*text) {
		size_t n = strcspn(text, "|");
		int state;

		lua_pushlstring(L, text, n);
		state = lxmgr_state_parse(lua_tostring(L, -1));
		if (state < 0)
			luaL_argerror(L, arg, "no state");
		mask |= 1U << state;
		lua_pop(L, 1);
		text += n + (text[n] == '|');
	}
	luaL_argcheck(L, mask, arg, "no state");
	return mask;
}

static int wait_state(lua_State *L)
{
	unsigned int mask = want_states(L, 2);
	lua_Number seconds = luaL_optnumber(L, 3, -1);
	enum lxmgr_state state = LXMGR_STOPPED;
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_argcheck(L, seconds == -1 || (seconds >= 0 && seconds <= 2000000), 3,
		      "must be a number of seconds");
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_wait(c, mask, seconds < 0 ? -1 : (int)(seconds * 1000), &state, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, lxmgr_state_name(state));
	return 1;
}

static int get_with(lua_State *L,
		    int (*get)(struct lxmgr_container *, const char *, char **, struct lxmgr_err *))
{
	const char *key = luaL_checkstring(L, 2);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	char *value = NULL;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = get(c, key, &value, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, value ? value : "");
	free(value);
	return 1;
}

static int get_item(lua_State *L)
{
	return get_with(L, lxmgr_container_get_item);
}

static int get_running(lua_State *L)
{
	return get_with(L, lxmgr_container_get_running_item);
}

static int set_item(lua_State *L)
{
	const char *key = luaL_checkstring(L, 2), *value;
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	size_t len;

	if (lua_isboolean(L, 3)) {
		lua_pushstring(L, lua_toboolean(L, 3) ? "1" : "0");
		lua_replace(L, 3);
	}
	value = luaL_checklstring(L, 3, &len);
	luaL_argcheck(L, strlen(value) == len, 3, "has a NUL");
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	return container_done(L, c, lxmgr_container_set_item(c, key, value, &err), &err);
}

static int clear_item(lua_State *L)
{
	const char *key = luaL_checkstring(L, 2);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);

	if (!c)
		return module_fail(L, &err);
	return container_done(L, c, lxmgr_container_clear_item(c, key, &err), &err);
}

static int cgroup(lua_State *L)
{
	const char *file = luaL_checkstring(L, 2), *value = luaL_optstring(L, 3, NULL);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	char *text = NULL;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_cgroup(c, file, value, value ? NULL : &text, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	if (value)
		lua_pushboolean(L, 1);
	else
		lua_pushstring(L, text);
	free(text);
	return 1;
}

static int device(lua_State *L)
{
	static const char *const words[] = { "del", "add", NULL };
	bool add = luaL_checkoption(L, 2, NULL, words) == 1;
	const char *dev = luaL_checkstring(L, 3), *dest = luaL_optstring(L, 4, NULL);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);

	if (!c)
		return module_fail(L, &err);
	return container_done(L, c, lxmgr_container_device(c, add, dev, dest, &err), &err);
}

void container_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "cgroup", cgroup },
		{ "clear", clear_item },
		{ "destroy", destroy },
		{ "device", device },
		{ "freeze", freeze },
		{ "get", get_item },
		{ "get_running", get_running },
		{ "info", get_info },
		{ "name", get_name },
		{ "path", get_path },
		{ "set", set_item },
		{ "state", get_state },
		{ "stop", stop },
		{ "unfreeze", unfreeze },
		{ "wait", wait_state },
		{ "__tostring", to_string },
		{ NULL, NULL },
	};
	static const luaL_Reg *const more[] = { archive_methods, attach_methods, change_methods,
						copy_methods,	 create_methods, disk_methods,
						files_methods,	 image_methods,	 plan_methods,
						run_methods,	 setup_methods,	 snapshot_methods,
						start_methods,	 usage_methods };

	luaL_newmetatable(L, LUA_CONTAINER);
	luaL_setfuncs(L, methods, 0);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		luaL_setfuncs(L, more[i], 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "lxmgr.container");
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}
