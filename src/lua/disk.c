/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:disk(), disk_change(options), disk_compact() */
#include "module.h"

static int disk(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	struct lxmgr_disk d;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_disk(c, &d, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_newtable(L);
	table_text(L, "backend", d.backend);
	table_number(L, "used", d.bytes);
	table_number(L, "limit", d.max_bytes);
	table_number(L, "inodes", d.inodes);
	table_number(L, "inodes_limit", d.max_inodes);
	return 1;
}

struct change_args {
	const char *size, *inodes;
	struct call progress;
};

static int change(lua_State *L)
{
	static const struct opt opts[] = {
		{ "size", OPT_STRING, offsetof(struct change_args, size) },
		{ "inodes", OPT_STRING, offsetof(struct change_args, inodes) },
		{ "progress", OPT_CALL, offsetof(struct change_args, progress) },
	};
	struct change_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &a);
	luaL_argcheck(L, a.size || a.inodes, 2, "neither size nor inodes");
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_disk_change(c, a.size, a.inodes, call_progress, &a.progress, &err);
	r = container_done(L, c, r, &err);
	call_check(&a.progress);
	return r;
}

/* Bytes that the host has back. */
static int compact(lua_State *L)
{
	static const struct opt opts[] = {
		{ "progress", OPT_CALL, offsetof(struct change_args, progress) },
	};
	struct change_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	uint64_t freed = 0;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_disk_compact(c, call_progress, &a.progress, &freed, &err);
	lxmgr_container_close(c);
	call_check(&a.progress);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushinteger(L, (lua_Integer)freed);
	return 1;
}

const luaL_Reg disk_methods[] = {
	{ "disk", disk }, { "disk_change", change }, { "disk_compact", compact }, { NULL, NULL }
};
