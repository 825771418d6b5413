/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table lxmgr.image: the cache of images; container:publish(options). */
#include "module.h"

#include <stdlib.h>

static void push_image(lua_State *L, const struct lxmgr_image *i)
{
	lua_newtable(L);
	table_text(L, "digest", i->digest);
	table_strings(L, "names", i->names);
	table_text(L, "origin", i->origin);
	table_text(L, "arch", i->arch);
	table_text(L, "os", i->os);
	table_text(L, "release", i->release);
	table_text(L, "variant", i->variant);
	table_text(L, "version", i->version);
	table_number(L, "created", i->created ? i->created : LXMGR_UNKNOWN);
	table_number(L, "used", i->used ? i->used : LXMGR_UNKNOWN);
	table_number(L, "size", i->size);
	table_bool(L, "users_known", i->users_known);
	lua_createtable(L, (int)i->n_users, 0);
	for (size_t k = 0; k < i->n_users; k++) {
		lua_pushstring(L, i->users[k]);
		table_add(L);
	}
	lua_setfield(L, -2, "users");
}

struct list_args {
	const char *remote;
	bool offline;
};

static int list(lua_State *L)
{
	static const struct opt opts[] = {
		{ "remote", OPT_STRING, offsetof(struct list_args, remote) },
		{ "offline", OPT_BOOL, offsetof(struct list_args, offline) },
	};
	struct list_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_image *v = NULL;
	size_t n = 0;
	int r;

	opts_read(L, 1, opts, ARRAY_SIZE(opts), &a);
	if (a.offline && !a.remote)
		luaL_error(L, "offline goes with remote");
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = a.remote ? lxmgr_image_list_remote(a.remote, a.offline, &v, &n, &err)
		     : lxmgr_image_list(&v, &n, &err);
	if (r < 0)
		return module_fail(L, &err);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		push_image(L, &v[i]);
		table_add(L);
	}
	lxmgr_image_list_free(v, n);
	return 1;
}

static int show(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct lxmgr_err err = { 0 };
	struct lxmgr_image *i = NULL;

	if (!module_is_root(&err) || lxmgr_image_get(name, &i, &err) < 0)
		return module_fail(L, &err);
	push_image(L, i);
	lxmgr_image_list_free(i, 1);
	return 1;
}

static int remotes(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	char **names = NULL;
	size_t n = 0;

	if (!module_is_root(&err) || lxmgr_image_remotes(&names, &n, &err) < 0)
		return module_fail(L, &err);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, names[i]);
		table_add(L);
	}
	lxmgr_list_free(names, n);
	return 1;
}

struct image_args {
	struct lxmgr_image_opts o;
	const char *sha256;
	struct call progress;
};

/* What a function takes begins at its place. */
static const struct opt image_opts[] = {
	{ "sha256", OPT_STRING, offsetof(struct image_args, sha256) },
	{ "arch", OPT_STRING, offsetof(struct image_args, o.arch) },
	{ "name", OPT_STRING, offsetof(struct image_args, o.name) },
	{ "progress", OPT_CALL, offsetof(struct image_args, progress) },
	{ "offline", OPT_BOOL, offsetof(struct image_args, o.offline) },
};

static void read_opts(lua_State *L, int arg, size_t from, size_t to, struct image_args *a)
{
	opts_read(L, arg, image_opts + from, to - from, a);
	a->o.progress = call_progress;
	a->o.progress_arg = &a->progress;
}

static int push_digest(lua_State *L, struct image_args *a, int r, char *digest,
		       const struct lxmgr_err *err)
{
	lua_pushstring(L, digest);
	free(digest);
	call_check(&a->progress);
	return r < 0 ? module_fail(L, err) : 1;
}

static int fetch(lua_State *L)
{
	const char *source = luaL_checkstring(L, 1);
	struct image_args a = { 0 };
	struct lxmgr_err err = { 0 };
	char *digest = NULL;
	int r;

	read_opts(L, 2, 1, 5, &a);
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = lxmgr_image_fetch(source, &a.o, &digest, &err);
	return push_digest(L, &a, r, digest, &err);
}

static int import(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	struct image_args a = { 0 };
	struct lxmgr_err err = { 0 };
	char *digest = NULL;
	int r;

	read_opts(L, 2, 0, 4, &a);
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = lxmgr_image_import(file, a.sha256, &a.o, &digest, &err);
	return push_digest(L, &a, r, digest, &err);
}

static int publish(lua_State *L)
{
	struct image_args a = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	char *digest = NULL;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	read_opts(L, 2, 2, 4, &a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_image_publish(c, &a.o, &digest, &err);
	lxmgr_container_close(c);
	return push_digest(L, &a, r, digest, &err);
}

/* Is there a newer one now? */
static int refresh(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct image_args a = { 0 };
	struct lxmgr_err err = { 0 };
	bool changed = false;
	int r;

	read_opts(L, 2, 3, 5, &a);
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = lxmgr_image_refresh(name, &a.o, &changed, &err);
	call_check(&a.progress);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushboolean(L, changed);
	return 1;
}

static int with_name(lua_State *L, int (*fn)(const char *, struct lxmgr_err *))
{
	const char *name = luaL_checkstring(L, 1);
	struct lxmgr_err err = { 0 };

	if (!module_is_root(&err))
		return module_fail(L, &err);
	return container_done(L, NULL, fn(name, &err), &err);
}

static int verify(lua_State *L)
{
	return with_name(L, lxmgr_image_verify);
}

static int delete (lua_State *L)
{
	return with_name(L, lxmgr_image_delete);
}

static void removed(const struct lxmgr_image *i, void *arg)
{
	push_image(arg, i);
	table_add(arg);
}

struct prune_args {
	struct lxmgr_prune_opts o;
	const char *path;
};

/* Those that are gone. */
static int prune(lua_State *L)
{
	static const struct opt opts[] = {
		{ "path", OPT_STRING, offsetof(struct prune_args, path) },
		{ "all", OPT_BOOL, offsetof(struct prune_args, o.all) },
		{ "dry_run", OPT_BOOL, offsetof(struct prune_args, o.dry_run) },
		{ "forget", OPT_STRINGS, offsetof(struct prune_args, o.forget) },
	};
	struct prune_args a = { 0 };
	const char *trees[2] = { NULL };
	struct lxmgr_err err = { 0 };

	opts_read(L, 1, opts, ARRAY_SIZE(opts), &a);
	trees[0] = module_path(L, a.path);
	a.o.trees = trees;
	a.o.removed = removed;
	a.o.arg = L;
	lua_newtable(L);
	if (!module_is_root(&err) || lxmgr_image_prune(&a.o, &err) < 0)
		return module_fail(L, &err);
	return 1;
}

void image_register(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "delete", delete },	{ "fetch", fetch }, { "import", import },
		{ "list", list },	{ "prune", prune }, { "refresh", refresh },
		{ "remotes", remotes }, { "show", show },   { "verify", verify },
		{ NULL, NULL },
	};

	luaL_newlib(L, functions);
	lua_setfield(L, -2, "image");
}

const luaL_Reg image_methods[] = { { "publish", publish }, { NULL, NULL } };
