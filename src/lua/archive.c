/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:export(file, options), container:backup(dir, options), lxmgr.backups(dir),
 * lxmgr.import(source, options) */
#include "module.h"

#include <stdlib.h>

struct export_args {
	struct lxmgr_export_opts o;
	struct call progress, warn;
};

static void set_calls(struct export_args *a)
{
	a->o.progress = call_progress;
	a->o.progress_arg = &a->progress;
	a->o.warn = call_warn;
	a->o.warn_arg = &a->warn;
}

static int export(lua_State *L)
{
	static const struct opt opts[] = {
		{ "progress", OPT_CALL, offsetof(struct export_args, progress) },
		{ "warn", OPT_CALL, offsetof(struct export_args, warn) },
	};
	const char *file = luaL_checkstring(L, 2);
	struct export_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 3, opts, ARRAY_SIZE(opts), &a);
	set_calls(&a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_export(c, file, &a.o, &err);
	lxmgr_container_close(c);
	call_check(&a.progress);
	call_check(&a.warn);
	return container_done(L, NULL, r, &err);
}

/* What was added: {point, full, size, removed}. */
static int backup(lua_State *L)
{
	static const struct opt opts[] = {
		{ "full", OPT_BOOL, offsetof(struct export_args, o.full) },
		{ "keep", OPT_STRING, offsetof(struct export_args, o.keep) },
		{ "progress", OPT_CALL, offsetof(struct export_args, progress) },
		{ "warn", OPT_CALL, offsetof(struct export_args, warn) },
	};
	const char *dir = luaL_checkstring(L, 2);
	struct lxmgr_backup_done done = { 0 };
	struct export_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 3, opts, ARRAY_SIZE(opts), &a);
	set_calls(&a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_backup(c, dir, &a.o, &done, &err);
	lxmgr_container_close(c);
	call_check(&a.progress);
	call_check(&a.warn);
	if (r < 0)
		return module_fail(L, &err);
	lua_newtable(L);
	table_text(L, "point", done.point);
	table_bool(L, "full", done.full);
	table_number(L, "size", done.size);
	table_number(L, "removed", done.removed);
	return 1;
}

static int backups(lua_State *L)
{
	const char *dir = luaL_checkstring(L, 1);
	struct lxmgr_backup *v = NULL;
	struct lxmgr_err err = { 0 };
	size_t n = 0;

	if (!module_is_root(&err) || lxmgr_backup_list(dir, &v, &n, &err) < 0)
		return module_fail(L, &err);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_newtable(L);
		table_text(L, "name", v[i].name);
		table_text(L, "point", v[i].point);
		table_text(L, "parent", v[i].parent);
		table_text(L, "missing", v[i].missing);
		table_number(L, "created", v[i].created);
		table_number(L, "size", v[i].size);
		table_add(L);
	}
	lxmgr_backup_free(v);
	return 1;
}

struct import_args {
	const char *path;
	struct lxmgr_import_opts o;
	struct call progress, warn;
};

/* The container, and a notice if it lacks something. */
static int import(lua_State *L)
{
	static const struct opt opts[] = {
		{ "path", OPT_STRING, offsetof(struct import_args, path) },
		{ "name", OPT_STRING, offsetof(struct import_args, o.name) },
		{ "format", OPT_STRING, offsetof(struct import_args, o.format) },
		{ "backend", OPT_STRING, offsetof(struct import_args, o.backend) },
		{ "fstype", OPT_STRING, offsetof(struct import_args, o.fstype) },
		{ "fssize", OPT_STRING, offsetof(struct import_args, o.fssize) },
		{ "trust", OPT_BOOL, offsetof(struct import_args, o.trust) },
		{ "keep_name", OPT_BOOL, offsetof(struct import_args, o.keep_name) },
		{ "keep_mac", OPT_BOOL, offsetof(struct import_args, o.keep_mac) },
		{ "keep_addresses", OPT_BOOL, offsetof(struct import_args, o.keep_addresses) },
		{ "keep_identity", OPT_BOOL, offsetof(struct import_args, o.keep_identity) },
		{ "define", OPT_PAIRS, offsetof(struct import_args, o.defines) },
		{ "max_entries", OPT_STRING, offsetof(struct import_args, o.max_entries) },
		{ "max_size", OPT_STRING, offsetof(struct import_args, o.max_size) },
		{ "progress", OPT_CALL, offsetof(struct import_args, progress) },
		{ "warn", OPT_CALL, offsetof(struct import_args, warn) },
	};
	const char *source = luaL_checkstring(L, 1), *path;
	struct import_args a = { .o = { .progress = call_progress, .warn = call_warn } };
	struct lxmgr_err err = { 0 };
	bool no_keys = false;
	char *name = NULL;
	int r;

	opts_read(L, 2, opts, ARRAY_SIZE(opts), &a);
	path = module_path(L, a.path);
	a.o.progress_arg = &a.progress;
	a.o.warn_arg = &a.warn;
	a.o.ret_no_keys = &no_keys;
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = lxmgr_container_import(path, source, &a.o, &name, &err);
	if (r >= 0)
		container_push(L, path, name, NULL);
	free(name);
	call_check(&a.progress);
	call_check(&a.warn);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, no_keys ? "it has no ssh host keys now" : NULL);
	return 2;
}

static int import_formats(lua_State *L)
{
	const char *name, *help = NULL;

	lua_newtable(L);
	for (size_t i = 0; (name = lxmgr_import_format(i, &help)); i++) {
		lua_newtable(L);
		table_text(L, "name", name);
		table_text(L, "help", help);
		table_add(L);
	}
	return 1;
}

const luaL_Reg archive_functions[] = { { "backups", backups },
				       { "import", import },
				       { "import_formats", import_formats },
				       { NULL, NULL } };
const luaL_Reg archive_methods[] = { { "backup", backup }, { "export", export }, { NULL, NULL } };
