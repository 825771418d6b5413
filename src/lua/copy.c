/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:copy(name, options), container:snapshot_copy(snapshot, name, options),
 * container:rename(name) */
#include "module.h"

#include <stdlib.h>

struct copy_args {
	struct lxmgr_copy_opts o;
	size_t memory;
	struct call progress;
};

static const struct opt copy_opts[] = {
	{ "path", OPT_STRING, offsetof(struct copy_args, o.path) },
	{ "share", OPT_BOOL, offsetof(struct copy_args, o.share) },
	{ "try_share", OPT_BOOL, offsetof(struct copy_args, o.try_share) },
	{ "ephemeral", OPT_BOOL, offsetof(struct copy_args, o.ephemeral) },
	{ "memory", OPT_SIZE, offsetof(struct copy_args, memory) },
	{ "keep_name", OPT_BOOL, offsetof(struct copy_args, o.keep_name) },
	{ "keep_mac", OPT_BOOL, offsetof(struct copy_args, o.keep_mac) },
	{ "keep_addresses", OPT_BOOL, offsetof(struct copy_args, o.keep_addresses) },
	{ "keep_identity", OPT_BOOL, offsetof(struct copy_args, o.keep_identity) },
	{ "backend", OPT_STRING, offsetof(struct copy_args, o.backend) },
	{ "fstype", OPT_STRING, offsetof(struct copy_args, o.fstype) },
	{ "fssize", OPT_STRING, offsetof(struct copy_args, o.fssize) },
	{ "hook_args", OPT_STRINGS, offsetof(struct copy_args, o.hook_args) },
	{ "define", OPT_PAIRS, offsetof(struct copy_args, o.defines) },
	{ "progress", OPT_CALL, offsetof(struct copy_args, progress) },
};

/* Options at arg. The copy, and a notice if it lacks something. */
static int copy_from(lua_State *L, const char *snapshot, const char *name, int arg)
{
	struct copy_args a = { .o.progress = call_progress };
	struct lxmgr_container *c, *from = NULL;
	struct lxmgr_err err = { 0 };
	bool no_keys = false;
	char *made = NULL;
	int r;

	opts_read(L, arg, copy_opts, ARRAY_SIZE(copy_opts), &a);
	if (!name && !a.o.ephemeral)
		luaL_error(L, "no name for the copy");
	if (a.memory && !a.o.ephemeral)
		luaL_error(L, "memory goes with ephemeral");
	a.o.memory = a.memory;
	a.o.progress_arg = &a.progress;
	a.o.ret_no_keys = &no_keys;
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	if (!a.o.path)
		a.o.path = lxmgr_container_path(c);
	r = snapshot ? lxmgr_snapshot_open(c, snapshot, &from, &err) : 0;
	if (r == 0)
		r = lxmgr_container_copy(from ? from : c, name, &a.o, &made, &err);
	if (r == 0)
		container_push(L, a.o.path, made, NULL);
	free(made);
	lxmgr_container_close(from);
	lxmgr_container_close(c);
	call_check(&a.progress);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, no_keys ? "it has no ssh host keys now" : NULL);
	return 2;
}

static int copy(lua_State *L)
{
	luaL_checkudata(L, 1, LUA_CONTAINER);
	return copy_from(L, NULL, luaL_optstring(L, 2, NULL), 3);
}

static int snapshot_copy(lua_State *L)
{
	luaL_checkudata(L, 1, LUA_CONTAINER);
	return copy_from(L, luaL_checkstring(L, 2), luaL_optstring(L, 3, NULL), 4);
}

/* The container under its new name. */
static int rename_it(lua_State *L)
{
	const char *name = luaL_checkstring(L, 2);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_rename(c, name, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	container_push(L, container_field(L, 1), name, container_field(L, 3));
	return 1;
}

const luaL_Reg copy_methods[] = { { "copy", copy },
				  { "rename", rename_it },
				  { "snapshot_copy", snapshot_copy },
				  { NULL, NULL } };
