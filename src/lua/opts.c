/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of options from Lua, and functions that are called back. */
#include "module.h"

#include <limits.h>
#include <string.h>

/* A new, empty list of strings for n entries. It and what it refers to are kept by the table
 * `keep`, whatever a function that is called back does to the options. */
static const char **new_list(lua_State *L, int keep, size_t n)
{
	const char **v = lua_newuserdatauv(L, (n + 1) * sizeof(*v), 0);

	memset(v, 0, (n + 1) * sizeof(*v));
	luaL_ref(L, keep);
	return v;
}

/* The string on top of the stack, which is popped. */
static const char *keep_string(lua_State *L, int keep)
{
	const char *s = lua_tostring(L, -1);

	luaL_ref(L, keep);
	return s;
}

static const char *want_string(lua_State *L, int keep, const char *what)
{
	size_t len;
	const char *s;

	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "%s must be a string, not a %s", what, luaL_typename(L, -1));
	s = lua_tolstring(L, -1, &len);
	if (strlen(s) != len)
		luaL_error(L, "%s has a NUL", what);
	return keep_string(L, keep);
}

static size_t read_array(lua_State *L, int keep, const char *what, const char **v, size_t max)
{
	size_t n = 0;

	for (lua_Integer i = 1; n < max; i++) {
		if (lua_rawgeti(L, -1, i) == LUA_TNIL) {
			lua_pop(L, 1);
			break;
		}
		v[n++] = want_string(L, keep, what);
	}
	return n;
}

static size_t count(lua_State *L)
{
	size_t n = 0;

	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		n++;
	return n;
}

static const char **read_strings(lua_State *L, int keep, const char *what)
{
	size_t n = count(L);
	const char **v = new_list(L, keep, n);

	if (read_array(L, keep, what, v, n) != n)
		luaL_error(L, "%s must be a list of strings", what);
	return v;
}

static const char **read_pairs(lua_State *L, int keep, const char *what)
{
	size_t max = count(L), n;
	const char **v = new_list(L, keep, max);

	n = read_array(L, keep, what, v, max);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		if (lua_isboolean(L, -1))
			lua_pushstring(L, lua_toboolean(L, -1) ? "1" : "0");
		else if (lua_isstring(L, -1))
			lua_pushvalue(L, -1);
		else
			luaL_error(L, "%s: the value of '%s' is a %s", what, lua_tostring(L, -2),
				   luaL_typename(L, -1));
		if (n == max)
			luaL_error(L, "%s changed", what);
		lua_pushfstring(L, "%s=%s", lua_tostring(L, -3), lua_tostring(L, -1));
		v[n++] = want_string(L, keep, what);
		lua_pop(L, 1);
	}
	if (n != max)
		luaL_error(L, "%s must be a list, or fields with names", what);
	return v;
}

static lua_Integer want_integer(lua_State *L, const char *what, lua_Integer max)
{
	int ok;
	lua_Integer v = lua_tointegerx(L, -1, &ok);

	if (!ok || lua_type(L, -1) != LUA_TNUMBER || v < 0 || v > max)
		luaL_error(L, "%s must be a whole number from 0 to %I", what, max);
	return v;
}

/* Milliseconds of the number of seconds on top of the stack. */
static int want_seconds(lua_State *L, const char *what)
{
	lua_Number s = lua_tonumber(L, -1);

	if (lua_type(L, -1) != LUA_TNUMBER || !(s >= 0 && s <= 2000000))
		luaL_error(L, "%s must be a number of seconds", what);
	return (int)(s * 1000);
}

static void read_field(lua_State *L, int keep, const struct opt *o, void *to)
{
	if ((o->type == OPT_STRINGS || o->type == OPT_PAIRS) && !lua_istable(L, -1))
		luaL_error(L, "%s must be a table", o->name);
	switch (o->type) {
	case OPT_BOOL:
		if (!lua_isboolean(L, -1))
			luaL_error(L, "%s must be true or false", o->name);
		*(bool *)to = lua_toboolean(L, -1);
		break;
	case OPT_STRING:
		lua_pushvalue(L, -1);
		*(const char **)to = want_string(L, keep, o->name);
		break;
	case OPT_STRINGS:
		*(const char ***)to = read_strings(L, keep, o->name);
		break;
	case OPT_PAIRS:
		*(const char ***)to = read_pairs(L, keep, o->name);
		break;
	case OPT_SECONDS:
		*(int *)to = want_seconds(L, o->name);
		break;
	case OPT_ID:
		*(uid_t *)to = (uid_t)want_integer(L, o->name, UINT32_MAX - 1);
		break;
	case OPT_SIZE:
		*(size_t *)to = (size_t)want_integer(L, o->name, LONG_MAX);
		break;
	case OPT_CALL:
		luaL_checktype(L, -1, LUA_TFUNCTION);
		break;
	}
}

/* The functions stay on the stack, since they are called from there. */
static void read_calls(lua_State *L, int arg, const struct opt *table, size_t n, char *base)
{
	for (size_t i = 0; i < n; i++) {
		struct call *call = (struct call *)(base + table[i].offset);

		if (table[i].type != OPT_CALL)
			continue;
		if (lua_getfield(L, arg, table[i].name) == LUA_TNIL)
			lua_pop(L, 1);
		else
			*call = (struct call){ .L = L, .index = lua_gettop(L) };
	}
}

void opts_read(lua_State *L, int arg, const struct opt *table, size_t n, void *base)
{
	int keep;

	if (lua_isnoneornil(L, arg))
		return;
	luaL_checktype(L, arg, LUA_TTABLE);
	luaL_checkstack(L, 40, "options");
	lua_newtable(L);
	keep = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
		size_t i = 0;

		while (i < n && strcmp(table[i].name, name) != 0)
			i++;
		if (i == n) {
			luaL_error(L, "there is no option '%s'", name);
			return;
		}
		read_field(L, keep, &table[i], (char *)base + table[i].offset);
	}
	read_calls(L, arg, table, n, base);
}

const char *const *opts_strings(lua_State *L, int arg, const char *what)
{
	const char *const *v = NULL;
	const struct opt opt = { what, OPT_STRINGS, 0 };

	lua_newtable(L);
	if (lua_type(L, arg) == LUA_TSTRING) {
		lua_createtable(L, 1, 0);
		lua_pushvalue(L, arg);
		lua_rawseti(L, -2, 1);
	} else {
		luaL_checktype(L, arg, LUA_TTABLE);
		lua_pushvalue(L, arg);
	}
	lua_setfield(L, -2, what);
	opts_read(L, lua_gettop(L), &opt, 1, &v);
	return v;
}

const char *const *opts_argv(lua_State *L, int arg)
{
	luaL_checktype(L, arg, LUA_TTABLE);
	if (luaL_len(L, arg) < 1)
		luaL_argerror(L, arg, "no command");
	return opts_strings(L, arg, "argv");
}

void opts_check_env(lua_State *L, const char *const *v)
{
	for (size_t i = 0; v && v[i]; i++)
		if (!strchr(v[i], '=') || v[i][0] == '=')
			luaL_error(L, "env: '%s' is not NAME=VALUE", v[i]);
}

bool call_run(struct call *call, int nargs)
{
	lua_State *L = call->L;
	bool ret;

	lua_pushvalue(L, call->index);
	lua_insert(L, -nargs - 1);
	if (lua_pcall(L, nargs, 1, 0) != LUA_OK) {
		/* In place of the function, until the library has returned. */
		lua_replace(L, call->index);
		call->failed = true;
		return true;
	}
	ret = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return ret;
}

void call_check(struct call *call)
{
	if (!call->failed)
		return;
	lua_pushvalue(call->L, call->index);
	lua_error(call->L);
}

void call_progress(const char *text, int permille, void *arg)
{
	struct call *call = arg;

	if (!call->index || call->failed)
		return;
	lua_pushstring(call->L, text);
	if (permille < 0)
		lua_pushnil(call->L);
	else
		lua_pushinteger(call->L, permille);
	call_run(call, 2);
}

void call_warn(const char *text, void *arg)
{
	struct call *call = arg;

	if (!call->index || call->failed)
		return;
	lua_pushstring(call->L, text);
	call_run(call, 1);
}
