/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:push(sources, dest, options), pull, mount(options) and umount, lxmgr.mounts(options) */
#include "module.h"

#include <stdlib.h>

struct files_args {
	struct lxmgr_files_opts o;
	struct call progress, warn;
};

static const struct opt files_opts[] = {
	{ "recursive", OPT_BOOL, offsetof(struct files_args, o.recursive) },
	{ "archive", OPT_BOOL, offsetof(struct files_args, o.archive) },
	{ "parents", OPT_BOOL, offsetof(struct files_args, o.parents) },
	{ "uid", OPT_ID, offsetof(struct files_args, o.uid) },
	{ "gid", OPT_ID, offsetof(struct files_args, o.gid) },
	{ "mode", OPT_ID, offsetof(struct files_args, o.mode) },
	{ "progress", OPT_CALL, offsetof(struct files_args, progress) },
	{ "warn", OPT_CALL, offsetof(struct files_args, warn) },
};

/* The library has one argument for both. */
static void tell_progress(const char *text, int permille, void *arg)
{
	call_progress(text, permille, &((struct files_args *)arg)->progress);
}

static void tell_warning(const char *text, void *arg)
{
	call_warn(text, &((struct files_args *)arg)->warn);
}

static int transfer(lua_State *L, mode_t mode_max,
		    int (*fn)(struct lxmgr_container *, const char *const *, const char *,
			      const struct lxmgr_files_opts *, struct lxmgr_err *))
{
	struct files_args a = { .o = { .uid = (uid_t)-1,
				       .gid = (gid_t)-1,
				       .mode = (mode_t)-1,
				       .warn = tell_warning,
				       .progress = tell_progress } };
	const char *dest = luaL_checkstring(L, 3), *const * sources;
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	lua_settop(L, 4);
	sources = opts_strings(L, 2, "sources");
	luaL_argcheck(L, *sources, 2, "no source");
	opts_read(L, 4, files_opts, ARRAY_SIZE(files_opts), &a);
	luaL_argcheck(L, a.o.mode == (mode_t)-1 || a.o.mode <= mode_max, 4, "mode is no mode");
	a.o.recursive = a.o.recursive || a.o.archive;
	a.o.arg = &a;
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = fn(c, sources, dest, &a.o, &err);
	lxmgr_container_close(c);
	call_check(&a.progress);
	call_check(&a.warn);
	return container_done(L, NULL, r, &err);
}

static int push(lua_State *L)
{
	return transfer(L, 07777, lxmgr_container_push);
}

static int pull(lua_State *L)
{
	return transfer(L, 0777, lxmgr_container_pull);
}

struct mount_args {
	const char *dir;
	bool read_only;
};

/* Where it is. */
static int mount_root(lua_State *L)
{
	static const struct opt opts[] = {
		{ "dir", OPT_STRING, offsetof(struct mount_args, dir) },
		{ "read_only", OPT_BOOL, offsetof(struct mount_args, read_only) },
	};
	struct mount_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	char *dir = NULL;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_mount(c, a.dir, a.read_only, &dir, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, dir);
	free(dir);
	return 1;
}

static int umount_root(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);

	return c ? container_done(L, c, lxmgr_container_umount(c, &err), &err)
		 : module_fail(L, &err);
}

static int add_mount(const struct lxmgr_mount *m, void *arg)
{
	lua_State *L = arg;

	lua_newtable(L);
	table_text(L, "name", m->name);
	table_text(L, "path", m->path);
	table_text(L, "dir", m->dir);
	table_bool(L, "read_only", m->read_only);
	table_number(L, "elsewhere", m->elsewhere ? (uint64_t)m->elsewhere : LXMGR_UNKNOWN);
	table_add(L);
	return 0;
}

static int mounts(lua_State *L)
{
	const char *path = NULL;
	const struct opt opt = { "path", OPT_STRING, 0 };
	struct lxmgr_err err = { 0 };

	opts_read(L, 1, &opt, 1, &path);
	path = module_path(L, path);
	lua_newtable(L);
	if (!module_is_root(&err) || lxmgr_mounts(path, add_mount, L, &err) < 0)
		return module_fail(L, &err);
	return 1;
}

const luaL_Reg files_functions[] = { { "mounts", mounts }, { NULL, NULL } };
const luaL_Reg files_methods[] = { { "mount", mount_root },
				   { "pull", pull },
				   { "push", push },
				   { "umount", umount_root },
				   { NULL, NULL } };
