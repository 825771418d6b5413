/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:setup(options) and setup_show() */
#include "module.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define APPLY_SECONDS 60
#define MAX_WORDS     16

static const struct opt setup_opts[] = {
	{ "hostname", OPT_STRING, offsetof(struct lxmgr_setup_opts, hostname) },
	{ "interface", OPT_STRING, offsetof(struct lxmgr_setup_opts, interface) },
	{ "addresses", OPT_STRINGS, offsetof(struct lxmgr_setup_opts, addresses) },
	{ "routes", OPT_STRINGS, offsetof(struct lxmgr_setup_opts, routes) },
	{ "nameservers", OPT_STRINGS, offsetof(struct lxmgr_setup_opts, nameservers) },
	{ "search", OPT_STRINGS, offsetof(struct lxmgr_setup_opts, search) },
	{ "hosts", OPT_STRINGS, offsetof(struct lxmgr_setup_opts, hosts) },
	{ "timezone", OPT_STRING, offsetof(struct lxmgr_setup_opts, timezone) },
	{ "locale", OPT_STRING, offsetof(struct lxmgr_setup_opts, locale) },
	{ "user", OPT_STRING, offsetof(struct lxmgr_setup_opts, user) },
	{ "password", OPT_STRING, offsetof(struct lxmgr_setup_opts, password) },
	{ "password_hash", OPT_STRING, offsetof(struct lxmgr_setup_opts, password_hash) },
	{ "ssh_key_files", OPT_STRINGS, offsetof(struct lxmgr_setup_opts, ssh_key_files) },
};

/* Lists, objects, strings and truth are all that setup's answers have. */
static void push_json(lua_State *L, const json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;

	luaL_checkstack(L, 4, "setup");
	if (json_is_array(j)) {
		lua_newtable(L);
		json_array_foreach(j, i, v)
		{
			push_json(L, v);
			table_add(L);
		}
	} else if (json_is_object(j)) {
		lua_newtable(L);
		json_object_foreach((json_t *)j, key, v)
		{
			push_json(L, v);
			lua_setfield(L, -2, key);
		}
	} else if (json_is_boolean(j)) {
		lua_pushboolean(L, json_is_true(j));
	} else {
		lua_pushstring(L, json_string_value(j));
	}
}

struct apply {
	struct lxmgr_container *c;
	const char *argv[MAX_WORDS];
};

/* With a time limit, and nothing of the script's terminal. */
static int apply_child(void *data, struct capture_result *r)
{
	struct apply *a = data;
	const struct lxmgr_attach_opts o = { .argv = a->argv,
					     .clear_env = true,
					     .uid = (uid_t)-1,
					     .gid = (gid_t)-1,
					     .no_pty = true };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	signal(SIGALRM, SIG_DFL);
	alarm(APPLY_SECONDS);
	return lxmgr_container_attach(a->c, &o, &r->status, &r->err);
}

/* What the guest is to be told, if it runs. The table of the answer is on top of the stack. */
static void apply(lua_State *L, struct lxmgr_container *c, const json_t *commands)
{
	enum lxmgr_state state;
	const json_t *command;
	size_t i;

	if (lxmgr_container_state(c, &state, NULL) < 0 || state != LXMGR_RUNNING)
		return;
	lua_getfield(L, -1, "notices");
	json_array_foreach(commands, i, command)
	{
		struct apply a = { .c = c };
		struct capture none = { 0 };
		struct lxmgr_err err = { 0 };
		const json_t *word;
		int status = 0;
		size_t n;

		json_array_foreach(command, n, word) if (n < MAX_WORDS - 1) a.argv[n] =
			json_string_value(word);
		if (!a.argv[0])
			continue;
		if (capture_run(L, &none, apply_child, &a, &err) == 0) {
			status = (int)lua_tointeger(L, -3);
			lua_pop(L, 3);
		} else {
			status = err.status;
		}
		if (status == 0)
			continue;
		lua_pushfstring(L,
				"'%s' in the container ended with %d; what was set counts from "
				"its next start",
				a.argv[0], status);
		table_add(L);
	}
	lua_pop(L, 1);
}

void module_push_json_text(lua_State *L, const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	if (j)
		push_json(L, j);
	else
		lua_pushnil(L);
	json_decref(j);
}

static int answer(lua_State *L, const struct lxmgr_setup_opts *o)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c = container_open(L, &err);
	char *text = NULL;
	json_t *j;
	int r;

	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_setup(c, o, &text, &err);
	j = r < 0 ? NULL : json_loads(text, 0, NULL);
	free(text);
	if (j) {
		push_json(L, j);
		if (o)
			apply(L, c, json_object_get(j, "apply"));
	}
	lxmgr_container_close(c);
	if (r < 0)
		return module_fail(L, &err);
	if (!j)
		return luaL_error(L, "not enough memory");
	json_decref(j);
	return 1;
}

static int setup(lua_State *L)
{
	struct lxmgr_setup_opts o = { 0 };

	luaL_checkudata(L, 1, LUA_CONTAINER);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_pushnil(L);
	luaL_argcheck(L, lua_next(L, 2), 2, "nothing to set");
	lua_pop(L, 2);
	opts_read(L, 2, setup_opts, ARRAY_SIZE(setup_opts), &o);
	return answer(L, &o);
}

static int show(lua_State *L)
{
	luaL_checkudata(L, 1, LUA_CONTAINER);
	return answer(L, NULL);
}

const luaL_Reg setup_methods[] = { { "setup", setup }, { "setup_show", show }, { NULL, NULL } };
