/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:usage(), process(pid), host(path) */
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

/* What is not known, and a container that there is none, are left out. */
static int process(lua_State *L)
{
	lua_Integer pid = luaL_checkinteger(L, 1);
	struct lxmgr_err err = { 0 };
	struct lxmgr_process p;

	luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, 1, "no number of a process");
	if (!module_is_root(&err) || lxmgr_process((pid_t)pid, &p, &err) < 0)
		return module_fail(L, &err);
	lua_newtable(L);
	table_number(L, "pid", (uint64_t)p.pid);
	table_text(L, "command", p.command);
	if (*p.name) {
		table_text(L, "name", p.name);
		table_text(L, "path", p.path);
	}
	if (p.inside)
		table_number(L, "pid_inside", (uint64_t)p.inside);
	lua_pushboolean(L, p.is_monitor);
	lua_setfield(L, -2, "monitor");
	return 1;
}

static void push_resources(lua_State *L, const struct lxmgr_host_resource *r)
{
	lua_createtable(L, 0, LXMGR_HOST_RESOURCES);
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++) {
		lua_newtable(L);
		table_text(L, "unit", r[i].unit);
		table_number(L, "capacity", r[i].capacity);
		table_number(L, "used", r[i].used);
		table_number(L, "running", r[i].running);
		table_number(L, "all", r[i].all);
		table_number(L, "unlimited_running", r[i].unlimited_running);
		table_number(L, "unlimited", r[i].unlimited);
		if (r[i].overcommit != LXMGR_UNKNOWN) {
			lua_pushnumber(L, (lua_Number)r[i].overcommit / 1000);
			lua_setfield(L, -2, "overcommit");
		}
		lua_setfield(L, -2, r[i].name);
	}
}

/* By resource what there is and what of it is promised, and a list of the containers' limits. */
static int host(lua_State *L)
{
	const char *path = module_path(L, luaL_optstring(L, 1, NULL));
	struct lxmgr_host_resource r[LXMGR_HOST_RESOURCES];
	struct lxmgr_host_container *list = NULL;
	struct lxmgr_err err = { 0 };
	size_t n = 0;

	if (!module_is_root(&err) || lxmgr_host(path, r, &list, &n, &err) < 0)
		return module_fail(L, &err);
	push_resources(L, r);
	lua_createtable(L, (int)n, 0);
	for (size_t k = 0; k < n; k++) {
		lua_newtable(L);
		table_text(L, "name", list[k].name);
		table_text(L, "path", list[k].path);
		table_text(L, "state", lxmgr_state_name(list[k].state));
		for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
			table_number(L, r[i].name, list[k].limit[i]);
		table_add(L);
	}
	lxmgr_host_free(list, n);
	return 2;
}

const luaL_Reg usage_functions[] = { { "host", host }, { "process", process }, { NULL, NULL } };
const luaL_Reg usage_methods[] = {
	{ "usage", usage },
	{ NULL, NULL },
};
