/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plans(), plan(name), plan_split(n); container:plan(name, options), plan_diff(name) */
#include "module.h"

#include <stdlib.h>

static int plans(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	char **names = NULL;
	size_t n = 0;

	if (!module_is_root(&err) || lxmgr_plan_list(&names, &n, &err) < 0)
		return module_fail(L, &err);
	lua_newtable(L);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, names[i]);
		table_add(L);
	}
	lxmgr_list_free(names, n);
	return 1;
}

/* A key without a value is "", as container:get() has it. */
static int plan_keys(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct lxmgr_err err = { 0 };
	struct lxmgr_plan plan;

	if (!module_is_root(&err) || lxmgr_plan_read(name, &plan, &err) < 0)
		return module_fail(L, &err);
	lua_newtable(L);
	for (size_t i = 0; i < plan.n; i++)
		table_text(L, plan.keys[i].key, plan.keys[i].value ? plan.keys[i].value : "");
	lxmgr_plan_free(&plan);
	return 1;
}

static int split(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 1);
	struct lxmgr_err err = { 0 };
	char *text = NULL;

	luaL_argcheck(L, n > 0 && n <= 1000000, 1, "no number of containers");
	if (!module_is_root(&err) || lxmgr_plan_split(NULL, (unsigned int)n, &text, &err) < 0)
		return module_fail(L, &err);
	lua_pushstring(L, text);
	free(text);
	return 1;
}

static int apply(lua_State *L)
{
	struct args {
		bool dry_run, force;
	} a = { 0 };
	static const struct opt opts[] = {
		{ "dry_run", OPT_BOOL, offsetof(struct args, dry_run) },
		{ "force", OPT_BOOL, offsetof(struct args, force) },
	};
	const char *name = luaL_checkstring(L, 2);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 3, opts, ARRAY_SIZE(opts), &a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	lua_newtable(L);
	r = lxmgr_container_plan(
		c, name, (a.dry_run ? LXMGR_SET_DRY_RUN : 0) | (a.force ? LXMGR_SET_FORCE : 0),
		change_told, L, &err);
	lxmgr_container_close(c);
	return r < 0 ? module_fail(L, &err) : 1;
}

static int diff(lua_State *L)
{
	const char *name = luaL_optstring(L, 2, NULL);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	lua_newtable(L);
	r = lxmgr_container_plan_diff(c, name, change_told, L, &err);
	lxmgr_container_close(c);
	return r < 0 ? module_fail(L, &err) : 1;
}

const luaL_Reg plan_functions[] = {
	{ "plan", plan_keys },
	{ "plan_split", split },
	{ "plans", plans },
	{ NULL, NULL },
};
const luaL_Reg plan_methods[] = {
	{ "plan", apply },
	{ "plan_diff", diff },
	{ NULL, NULL },
};
