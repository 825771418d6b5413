/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "helpers/lua_int.h"
#include "image/password.h"
#include "util/str.h"

#define RANDOM_MAX 64

static int l_crypt(lua_State *L)
{
	static struct crypt_data data;
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *password = luaL_checkstring(L, 1), *old = luaL_optstring(L, 2, NULL), *h;
	const char *kind = password_kind(lua_ctx_of(L)->root);

	luaL_argcheck(L, *password && strlen(password) < CRYPT_MAX_PASSPHRASE_SIZE, 1,
		      "an empty or too long password");
	if (!old && !crypt_gensalt_rn(kind, password_cost(kind), NULL, 0, salt, sizeof(salt)))
		return luaL_error(L, "cannot make a salt");
	h = crypt_rn(password, old ? old : salt, &data, sizeof(data));
	/* An old one may be of any kind: what cannot be compared is another. */
	if (old && (!h || *h == '*'))
		return 0;
	if (!h || *h == '*')
		return luaL_error(L, "cannot hash the password");
	lua_pushstring(L, h);
	return 1;
}

static int l_random(lua_State *L)
{
	unsigned char rnd[RANDOM_MAX];
	char hex[2 * RANDOM_MAX + 1];
	lua_Integer n = luaL_checkinteger(L, 1);

	luaL_argcheck(L, n > 0 && n <= RANDOM_MAX, 1, "out of range");
	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		return luaL_error(L, "no random numbers");
	for (lua_Integer i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", rnd[i]);
	lua_pushlstring(L, hex, 2 * (size_t)n);
	return 1;
}

static int l_time(lua_State *L)
{
	lua_pushinteger(L, time(NULL));
	return 1;
}

static int l_log(lua_State *L)
{
	int n = lua_gettop(L);
	char text[1024];

	for (int i = 1; i <= n; i++)
		fprintf(stderr, "%s%s", i > 1 ? " " : "",
			str_escape(text, sizeof(text), luaL_tolstring(L, i, NULL)));
	fprintf(stderr, "\n");
	return 0;
}

static int l_array(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_mark_array(L);
	return 1;
}

void lua_add_misc(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "crypt", l_crypt }, { "random", l_random }, { "time", l_time },
		{ "log", l_log },     { "array", l_array },   { NULL, NULL },
	};

	luaL_setfuncs(L, fns, 0);
	lua_getfield(L, -1, "log");
	lua_setglobal(L, "print");
}
