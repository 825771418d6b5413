/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:snapshot(options) and what is done with snapshots. */
#include "module.h"

static int create(lua_State *L)
{
	static const struct opt opts[] = {
		{ "name", OPT_STRING, offsetof(struct lxmgr_snapshot_opts, name) },
		{ "comment", OPT_STRING, offsetof(struct lxmgr_snapshot_opts, comment) },
	};
	struct lxmgr_snapshot_opts o = { 0 };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	char name[64] = "";
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &o);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_snapshot_create(c, &o, name, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, name);
	return 1;
}

static int scheduled(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	char name[64] = "";
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_snapshot_scheduled(c, name, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pushstring(L, name);
	return 1;
}

static int list(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	struct lxmgr_snapshot *v = NULL;
	size_t n = 0;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_snapshot_list(c, &v, &n, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_newtable(L);
		table_text(L, "name", v[i].name);
		table_text(L, "id", v[i].id);
		table_text(L, "parent", v[i].parent);
		table_text(L, "ancestors", v[i].ancestors);
		table_text(L, "comment", v[i].comment);
		table_number(L, "created", v[i].created);
		table_number(L, "size", v[i].size);
		table_bool(L, "scheduled", v[i].scheduled);
		table_add(L);
	}
	lxmgr_snapshot_free(v, n);
	return 1;
}

static int with_name(lua_State *L,
		     int (*fn)(struct lxmgr_container *, const char *, struct lxmgr_err *))
{
	const char *name = luaL_checkstring(L, 2);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);

	return c ? container_done(L, c, fn(c, name, &err), &err) : module_fail(L, &err);
}

static int restore_quietly(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	return lxmgr_snapshot_restore(c, name, NULL, NULL, err);
}

static int restore(lua_State *L)
{
	return with_name(L, restore_quietly);
}

static int destroy(lua_State *L)
{
	return with_name(L, lxmgr_snapshot_destroy);
}

static void add_name(const char *name, void *arg)
{
	lua_pushstring(arg, name);
	table_add(arg);
}

/* The names of those that are gone. */
static int expire(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	int r;

	if (!c)
		return module_fail(L, &err);
	lua_newtable(L);
	r = lxmgr_snapshot_expire(c, add_name, L, &err);
	lxmgr_container_close(c);
	return r < 0 ? module_fail(L, &err) : 1;
}

static int add_change(const struct lxmgr_diff *d, void *arg)
{
	static const struct {
		unsigned int bit;
		const char *word;
	} words[] = { { LXMGR_DIFF_TYPE, "type" },
		      { LXMGR_DIFF_DATA, "data" },
		      { LXMGR_DIFF_MODE, "mode" },
		      { LXMGR_DIFF_OWNER, "owner" },
		      { LXMGR_DIFF_XATTR, "xattr" } };
	lua_State *L = arg;

	lua_newtable(L);
	table_text(L, "path", d->path);
	table_text(L, "change",
		   d->change == '+'   ? "added"
		   : d->change == '-' ? "deleted"
				      : "modified");
	lua_newtable(L);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (d->what & words[i].bit) {
			lua_pushstring(L, words[i].word);
			table_add(L);
		}
	lua_setfield(L, -2, "what");
	table_add(L);
	return 0;
}

static int diff(lua_State *L)
{
	const char *from = luaL_checkstring(L, 2), *to = luaL_optstring(L, 3, NULL);
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	int r;

	if (!c)
		return module_fail(L, &err);
	lua_newtable(L);
	r = lxmgr_snapshot_diff(c, from, to, add_change, L, &err);
	lxmgr_container_close(c);
	return r < 0 ? module_fail(L, &err) : 1;
}

const luaL_Reg snapshot_methods[] = {
	{ "snapshot", create },		 { "snapshot_destroy", destroy },
	{ "snapshot_diff", diff },	 { "snapshot_expire", expire },
	{ "snapshot_restore", restore }, { "snapshot_scheduled", scheduled },
	{ "snapshots", list },		 { NULL, NULL }
};
