/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:change(changes, options) */
#include "module.h"

#include <stdlib.h>
#include <string.h>

struct change_args {
	bool dry_run, force;
};

/* What changes, as a list of {key, old, value} on top of the stack. */
void change_told(const char *key, const char *old, const char *value, void *arg)
{
	lua_State *L = arg;

	lua_newtable(L);
	table_text(L, "key", key);
	table_text(L, "old", old);
	table_text(L, "value", value);
	table_add(L);
}

/* The pairs "KEY=VALUE" of the table, as one array that belongs to Lua. */
static struct lxmgr_change *to_changes(lua_State *L, const char *const *pairs, size_t *ret_n)
{
	struct lxmgr_change *c;
	size_t n = 0;

	while (pairs[n])
		n++;
	/* The keys stay on the stack; what is told needs a few more. */
	luaL_checkstack(L, (int)n + LUA_MINSTACK, "changes");
	c = lua_newuserdatauv(L, (n + 1) * sizeof(*c), 0);
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(pairs[i], '=');

		if (!eq) {
			luaL_error(L, "'%s' is not KEY=VALUE", pairs[i]);
			return NULL;
		}
		c[i].key = lua_pushlstring(L, pairs[i], (size_t)(eq - pairs[i]));
		c[i].value = eq[1] ? eq + 1 : NULL;
	}
	*ret_n = n;
	return c;
}

static int change(lua_State *L)
{
	static const struct opt opts[] = {
		{ "dry_run", OPT_BOOL, offsetof(struct change_args, dry_run) },
		{ "force", OPT_BOOL, offsetof(struct change_args, force) },
	};
	struct change_args a = { 0 };
	struct lxmgr_err err = { 0 };
	const char *const *pairs;
	struct lxmgr_container *c;
	struct lxmgr_change *changes;
	size_t n = 0;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 3, opts, ARRAY_SIZE(opts), &a);
	pairs = opts_strings(L, 2, "changes");
	luaL_argcheck(L, pairs && *pairs, 2, "a list of KEY=VALUE");
	changes = to_changes(L, pairs, &n);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	lua_newtable(L);
	r = lxmgr_container_set(c, changes, n,
				(a.dry_run ? LXMGR_SET_DRY_RUN : 0) |
					(a.force ? LXMGR_SET_FORCE : 0),
				change_told, L, &err);
	lxmgr_container_close(c);
	return r < 0 ? module_fail(L, &err) : 1;
}

const luaL_Reg change_methods[] = {
	{ "change", change },
	{ NULL, NULL },
};
