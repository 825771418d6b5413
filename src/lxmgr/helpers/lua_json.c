/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/lua_int.h"

#define MAX_DEPTH 32

static const char array_mark;

static json_t *convert(lua_State *L, int index, int depth, const char **ret_why);

void lua_mark_array(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &array_mark) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &array_mark);
	}
	lua_setmetatable(L, -2);
}

static bool is_array(lua_State *L, int index)
{
	bool marked = false;

	if (lua_rawlen(L, index) > 0)
		return true;
	if (lua_getmetatable(L, index)) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &array_mark);
		marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	return marked;
}

static json_t *convert_array(lua_State *L, int index, int depth, const char **ret_why)
{
	json_t *array = json_array();

	for (lua_Unsigned i = 1; i <= lua_rawlen(L, index); i++) {
		json_t *v;

		lua_rawgeti(L, index, (lua_Integer)i);
		v = convert(L, lua_gettop(L), depth, ret_why);
		lua_pop(L, 1);
		if (!v || json_array_append_new(array, v) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *convert_object(lua_State *L, int index, int depth, const char **ret_why)
{
	json_t *object = json_object();

	lua_pushnil(L);
	while (lua_next(L, index)) {
		json_t *v = NULL;

		if (lua_type(L, -2) == LUA_TSTRING)
			v = convert(L, lua_gettop(L), depth, ret_why);
		else
			*ret_why = "a key that is no string";
		if (!v || json_object_set_new(object, lua_tostring(L, -2), v) < 0) {
			if (v)
				*ret_why = "a key that is no UTF-8";
			lua_pop(L, 2);
			json_decref(object);
			return NULL;
		}
		lua_pop(L, 1);
	}
	return object;
}

static json_t *convert(lua_State *L, int index, int depth, const char **ret_why)
{
	json_t *v = NULL;

	if (depth > MAX_DEPTH || !lua_checkstack(L, 8)) {
		*ret_why = "it is nested too deeply";
		return NULL;
	}
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		return json_null();
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(L, index));
	case LUA_TNUMBER:
		v = lua_isinteger(L, index) ? json_integer(lua_tointeger(L, index))
					    : json_real(lua_tonumber(L, index));
		break;
	case LUA_TSTRING:
		v = json_string(lua_tostring(L, index));
		break;
	case LUA_TTABLE:
		return is_array(L, index) ? convert_array(L, index, depth + 1, ret_why)
					  : convert_object(L, index, depth + 1, ret_why);
	default:
		break;
	}
	if (!v)
		*ret_why = "a value that JSON has not got";
	return v;
}

char *lua_to_json(lua_State *L, int index, const char **ret_why)
{
	json_t *v;
	char *text;

	*ret_why = "out of memory";
	v = convert(L, lua_absindex(L, index), 0, ret_why);
	text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(v);
	return text;
}

static void push(lua_State *L, const json_t *v, int depth)
{
	const json_t *item;
	const char *key;
	size_t i;

	if (depth > MAX_DEPTH)
		luaL_error(L, "JSON is nested too deeply");
	luaL_checkstack(L, 4, "JSON");
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		lua_newtable(L);
		json_object_foreach((json_t *)v, key, item)
		{
			push(L, item, depth + 1);
			lua_setfield(L, -2, key);
		}
		break;
	case JSON_ARRAY:
		lua_newtable(L);
		json_array_foreach(v, i, item)
		{
			push(L, item, depth + 1);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(v));
		break;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(v));
		break;
	case JSON_NULL:
		lua_pushnil(L);
		break;
	}
}

/* The value is left to the end of the process where Lua raises. */
static int l_decode(lua_State *L)
{
	json_error_t why;
	json_t *v = json_loads(luaL_checkstring(L, 1), JSON_DECODE_ANY, &why);

	if (!v)
		return luaL_error(L, "JSON: %s", why.text);
	push(L, v, 0);
	json_decref(v);
	return 1;
}

void lua_add_json(lua_State *L)
{
	lua_pushcfunction(L, l_decode);
	lua_setfield(L, -2, "decode");
}
