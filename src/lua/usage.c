/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:usage() */
#include "module.h"

#include <stdlib.h>

/* By resource: {unit, current, peak, limit, fails}; what is not known is left out. */
static int usage(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	struct lxmgr_usage *v;
	size_t n;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_usage(c, &v, &n, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_createtable(L, 0, (int)n);
	for (size_t i = 0; i < n; i++) {
		lua_createtable(L, 0, 5);
		table_text(L, "unit", v[i].unit);
		table_number(L, "current", v[i].current);
		table_number(L, "peak", v[i].peak);
		table_number(L, "limit", v[i].limit);
		table_number(L, "fails", v[i].fails);
		lua_setfield(L, -2, v[i].resource);
	}
	free(v);
	return 1;
}

const luaL_Reg usage_methods[] = {
	{ "usage", usage },
	{ NULL, NULL },
};
