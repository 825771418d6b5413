/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fields of the table on top of the stack. */
#include "module.h"

void table_text(lua_State *L, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

void table_number(lua_State *L, const char *key, uint64_t value)
{
	if (value == LXMGR_UNKNOWN)
		return;
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, key);
}

void table_bool(lua_State *L, const char *key, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, key);
}

void table_strings(lua_State *L, const char *key, char *const *v)
{
	lua_newtable(L);
	for (size_t i = 0; v && v[i]; i++) {
		lua_pushstring(L, v[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, key);
}

void table_add(lua_State *L)
{
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}
