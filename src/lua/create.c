/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr.create(name, options), container:reinstall(options): roots of templates and images. */
#include "module.h"

#include <stdlib.h>

struct create_args {
	const char *path;
	struct lxmgr_create_opts o;
	struct call progress;
};

/* The container, and a notice if something had to be other than asked. */
static int create(lua_State *L)
{
	static const struct opt opts[] = {
		{ "path", OPT_STRING, offsetof(struct create_args, path) },
		{ "template", OPT_STRING, offsetof(struct create_args, o.template_name) },
		{ "image", OPT_STRING, offsetof(struct create_args, o.image) },
		{ "args", OPT_STRINGS, offsetof(struct create_args, o.template_args) },
		{ "config", OPT_STRING, offsetof(struct create_args, o.config) },
		{ "backend", OPT_STRING, offsetof(struct create_args, o.backend) },
		{ "dir", OPT_STRING, offsetof(struct create_args, o.dir) },
		{ "fstype", OPT_STRING, offsetof(struct create_args, o.fstype) },
		{ "fssize", OPT_STRING, offsetof(struct create_args, o.fssize) },
		{ "lvname", OPT_STRING, offsetof(struct create_args, o.lvname) },
		{ "vgname", OPT_STRING, offsetof(struct create_args, o.vgname) },
		{ "thinpool", OPT_STRING, offsetof(struct create_args, o.thinpool) },
		{ "privileged", OPT_BOOL, offsetof(struct create_args, o.privileged) },
		{ "flush_cache", OPT_BOOL, offsetof(struct create_args, o.flush_cache) },
		{ "define", OPT_PAIRS, offsetof(struct create_args, o.defines) },
		{ "hostname", OPT_STRING, offsetof(struct create_args, o.hostname) },
		{ "password", OPT_STRING, offsetof(struct create_args, o.password) },
		{ "ssh_key_file", OPT_STRING, offsetof(struct create_args, o.ssh_key_file) },
		{ "plan", OPT_STRING, offsetof(struct create_args, o.plan) },
		{ "timeout", OPT_SECONDS, offsetof(struct create_args, o.timeout_ms) },
		{ "progress", OPT_CALL, offsetof(struct create_args, progress) },
	};
	const char *name = luaL_checkstring(L, 1), *path;
	struct lxmgr_err err = { 0 };
	struct create_args a = { 0 };
	char *notice = NULL;
	int r;

	luaL_checktype(L, 2, LUA_TTABLE);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &a);
	luaL_argcheck(L, a.o.template_name || a.o.image, 2,
		      "no template (\"none\" is one) and no image");
	luaL_argcheck(L, !a.o.template_name || !a.o.image, 2,
		      "template and image exclude each other");
	path = module_path(L, a.path);
	a.o.quiet = true;
	a.o.progress = call_progress;
	a.o.progress_arg = &a.progress;
	a.o.ret_notice = &notice;
	if (!module_is_root(&err))
		return module_fail(L, &err);
	r = lxmgr_container_create(path, name, &a.o, &err);
	lua_pushstring(L, notice);
	free(notice);
	call_check(&a.progress);
	if (r < 0)
		return module_fail(L, &err);
	container_push(L, path, name, NULL);
	lua_insert(L, -2);
	return 2;
}

static int template_help(lua_State *L)
{
	struct lxmgr_err err = { 0 };
	char *text = NULL;

	if (lxmgr_template_help(luaL_checkstring(L, 1), &text, &err) < 0)
		return module_fail(L, &err);
	lua_pushstring(L, text);
	free(text);
	return 1;
}

static int template_list(lua_State *L)
{
	const char *const *args = opts_strings(L, 2, "arguments");
	struct lxmgr_err err = { 0 };
	char *text = NULL;

	if (lxmgr_template_list(luaL_checkstring(L, 1), args, &text, &err) < 0)
		return module_fail(L, &err);
	lua_pushstring(L, text);
	free(text);
	return 1;
}

struct reinstall_args {
	struct lxmgr_reinstall_opts o;
	struct call progress;
};

static int reinstall(lua_State *L)
{
	static const struct opt opts[] = {
		{ "template", OPT_STRING, offsetof(struct reinstall_args, o.template_name) },
		{ "image", OPT_STRING, offsetof(struct reinstall_args, o.image) },
		{ "args", OPT_STRINGS, offsetof(struct reinstall_args, o.template_args) },
		{ "backend", OPT_STRING, offsetof(struct reinstall_args, o.backend) },
		{ "keep_old", OPT_BOOL, offsetof(struct reinstall_args, o.keep_old) },
		{ "force", OPT_BOOL, offsetof(struct reinstall_args, o.force) },
		{ "flush_cache", OPT_BOOL, offsetof(struct reinstall_args, o.flush_cache) },
		{ "timeout", OPT_SECONDS, offsetof(struct reinstall_args, o.timeout_ms) },
		{ "progress", OPT_CALL, offsetof(struct reinstall_args, progress) },
	};
	struct reinstall_args a = { .o = { .quiet = true, .progress = call_progress } };
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	char *text = NULL;
	int r;

	luaL_checkudata(L, 1, LUA_CONTAINER);
	opts_read(L, 2, opts, ARRAY_SIZE(opts), &a);
	a.o.progress_arg = &a.progress;
	a.o.ret_json = &text;
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	r = lxmgr_container_reinstall(c, &a.o, &err);
	lxmgr_container_close(c);
	if (r == 0)
		module_push_json_text(L, text);
	free(text);
	call_check(&a.progress);
	return r < 0 ? module_fail(L, &err) : 1;
}

const luaL_Reg create_functions[] = { { "create", create },
				      { "template_help", template_help },
				      { "template_list", template_list },
				      { NULL, NULL } };
const luaL_Reg create_methods[] = { { "reinstall", reinstall }, { NULL, NULL } };
