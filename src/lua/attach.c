/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:attach(argv, options) */
#include "module.h"

#include <string.h>

struct attach_args {
	struct lxmgr_attach_opts o;
	struct lxmgr_container *c;
	struct capture capture;
	bool keep_env, elevated;
	const char *namespaces;
};

static const struct opt attach_opts[] = {
	CAPTURE_OPTS(struct attach_args, capture),
	{ "env", OPT_PAIRS, offsetof(struct attach_args, o.set_vars) },
	{ "keep_env", OPT_BOOL, offsetof(struct attach_args, keep_env) },
	{ "keep", OPT_STRINGS, offsetof(struct attach_args, o.keep_vars) },
	{ "uid", OPT_ID, offsetof(struct attach_args, o.uid) },
	{ "gid", OPT_ID, offsetof(struct attach_args, o.gid) },
	{ "arch", OPT_STRING, offsetof(struct attach_args, o.arch) },
	{ "namespaces", OPT_STRING, offsetof(struct attach_args, namespaces) },
	{ "elevated", OPT_BOOL, offsetof(struct attach_args, elevated) },
	{ "remount_sys_proc", OPT_BOOL, offsetof(struct attach_args, o.remount_sys_proc) },
	{ "context", OPT_STRING, offsetof(struct attach_args, o.selinux_context) },
	{ "pty_log", OPT_STRING, offsetof(struct attach_args, o.pty_log) },
};

/* In the child. */
static int attach_child(void *data, struct capture_result *r)
{
	struct attach_args *a = data;

	return lxmgr_container_attach(a->c, &a->o, &r->status, &r->err);
}

static void read_args(lua_State *L, struct attach_args *a)
{
	struct lxmgr_err err = { 0 };

	lua_settop(L, 3);
	luaL_checkudata(L, 1, LUA_CONTAINER);
	a->o.argv = opts_argv(L, 2);
	opts_read(L, 3, attach_opts, ARRAY_SIZE(attach_opts), a);
	opts_check_env(L, a->o.set_vars);
	if (a->namespaces && lxmgr_namespaces_parse(a->namespaces, &a->o.namespaces, &err) < 0)
		luaL_error(L, "%s", err.text);
	a->o.clear_env = !a->keep_env;
	a->o.no_pty = a->capture.capture || a->capture.input;
	a->o.elevated_caps = a->o.elevated_cgroup = a->o.elevated_lsm = a->elevated;
}

static int attach(lua_State *L)
{
	struct attach_args a = { .o = { .uid = (uid_t)-1, .gid = (gid_t)-1 },
				 .capture.limit = CAPTURE_LIMIT };
	struct lxmgr_err err = { 0 };
	int r;

	read_args(L, &a);
	a.c = container_open(L, &err);
	if (!a.c)
		return module_fail(L, &err);
	r = capture_run(L, &a.capture, attach_child, &a, &err);
	lxmgr_container_close(a.c);
	if (r < 0)
		return module_fail(L, &err);
	lua_pop(L, a.capture.capture ? 1 : 2);
	return a.capture.capture ? 2 : 1;
}

const luaL_Reg attach_methods[] = { { "attach", attach }, { NULL, NULL } };
