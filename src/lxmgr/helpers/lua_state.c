/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state: its limits, what of Lua's own libraries is in it, require(), the answer. */
#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/lua_int.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define HOOK_EVERY 1000

static void *allocate(void *data, void *old, size_t old_size, size_t size)
{
	struct lua_ctx *c = data;
	void *p;

	/* For a new object old_size is its kind. */
	if (!old)
		old_size = 0;
	if (size == 0) {
		free(old);
		c->memory -= old_size;
		return NULL;
	}
	if (size > old_size && size - old_size > c->memory_limit - c->memory)
		return NULL;
	p = realloc(old, size);
	if (p)
		c->memory += size - old_size;
	return p;
}

struct lua_ctx *lua_ctx_of(lua_State *L)
{
	void *data;

	lua_getallocf(L, &data);
	return data;
}

int lua_fail(lua_State *L, int error, const char *what, const char *path)
{
	char shown[256];

	return luaL_error(L, "%s '%s': %s", what, str_escape(shown, sizeof(shown), path),
			  strerror(-error));
}

static void answer(char kind, const char *text)
{
	if (write_all(LUA_ANSWER_FD, &kind, 1) < 0 ||
	    write_all(LUA_ANSWER_FD, text, strlen(text)) < 0)
		_exit(1);
}

/* As an error it could be caught. */
static void count(lua_State *L, lua_Debug *ar)
{
	struct lua_ctx *c = lua_ctx_of(L);

	if (++c->steps < c->step_limit)
		return;
	answer('E', "the script took too many steps");
	_exit(2);
}

/* require(name): what the file returned, true if nothing. */
static int l_require(lua_State *L)
{
	const struct lua_ctx *c = lua_ctx_of(L);
	const char *name = luaL_checkstring(L, 1);
	char chunk[80];

	lua_settop(L, 1);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, 2, name) != LUA_TNIL)
		return 1;
	for (size_t i = 0; i < c->n_libs; i++) {
		if (!str_eq(c->libs[i].name, name))
			continue;
		snprintf(chunk, sizeof(chunk), "@%s.lua", name);
		/* "t": bytecode can do what no text can. */
		if (luaL_loadbufferx(L, c->libs[i].text, c->libs[i].len, chunk, "t") != LUA_OK)
			return lua_error(L);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1)) {
			lua_pop(L, 1);
			lua_pushboolean(L, true);
		}
		lua_pushvalue(L, -1);
		lua_setfield(L, 2, name);
		return 1;
	}
	return luaL_error(L, "there is no module '%s'", name);
}

static void open_libraries(lua_State *L)
{
	static const char *const banned[] = { "collectgarbage", "dofile", "load", "loadfile",
					      "warn" };
	static const luaL_Reg libs[] = { { LUA_GNAME, luaopen_base },
					 { LUA_STRLIBNAME, luaopen_string },
					 { LUA_TABLIBNAME, luaopen_table },
					 { LUA_MATHLIBNAME, luaopen_math },
					 { LUA_UTF8LIBNAME, luaopen_utf8 } };

	for (size_t i = 0; i < ARRAY_SIZE(libs); i++) {
		luaL_requiref(L, libs[i].name, libs[i].func, 1);
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(banned); i++) {
		lua_pushnil(L);
		lua_setglobal(L, banned[i]);
	}
	lua_getglobal(L, LUA_STRLIBNAME);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	lua_pop(L, 1);
	/* What the libraries left for require() begins empty: it is no way to what was taken. */
	lua_newtable(L);
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_pushcfunction(L, l_require);
	lua_setglobal(L, "require");
}

/* args.key is an array of what the request has under it. */
static void add_request(lua_State *L, const struct lua_ctx *c)
{
	const char *p = c->request, *end = p + c->request_len;

	lua_newtable(L);
	while (p < end) {
		const char *key = p, *value = key + strlen(key) + 1;

		if (value >= end)
			luaL_error(L, "the request is cut off");
		luaL_getsubtable(L, -1, key);
		lua_pushstring(L, value);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
		lua_pop(L, 1);
		p = value + strlen(value) + 1;
	}
	lua_setfield(L, -2, "args");
}

static void add_libs(lua_State *L, const struct lua_ctx *c)
{
	lua_newtable(L);
	for (size_t i = 0; i < c->n_libs; i++) {
		lua_pushstring(L, c->libs[i].name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "libs");
}

/* Protected, as all of it may run out of memory. */
static int run(lua_State *L)
{
	const struct lua_ctx *c = lua_ctx_of(L);
	char chunk[80];

	open_libraries(L);
	lua_newtable(L);
	add_request(L, c);
	add_libs(L, c);
	lua_add_files(L);
	lua_add_misc(L);
	lua_add_json(L);
	if (c->run)
		lua_add_run(L);
	if (c->with_host)
		lua_add_host(L);
	lua_setglobal(L, "lxmgr");
	snprintf(chunk, sizeof(chunk), "@%s.lua", c->script.name);
	if (luaL_loadbufferx(L, c->script.text, c->script.len, chunk, "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	return 1;
}

int lua_run_script(struct lua_ctx *c)
{
	lua_State *L = lua_newstate(allocate, c);
	cleanup_free char *json = NULL;
	const char *why = "out of memory";
	int r;

	if (!L) {
		answer('E', why);
		return 1;
	}
	lua_sethook(L, count, LUA_MASKCOUNT, HOOK_EVERY);
	lua_pushcfunction(L, run);
	r = lua_pcall(L, 0, 1, 0);
	if (r == LUA_OK) {
		json = lua_to_json(L, -1, &why);
		if (json) {
			answer('R', json);
			return 0;
		}
	} else if (lua_type(L, -1) == LUA_TSTRING) {
		why = lua_tostring(L, -1);
	} else {
		why = "an error that is no text";
	}
	answer('E', why);
	/* The state is not closed: a finalizer of the script's would run without limits. */
	return 1;
}
