/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Lua module "lxmgr", on liblxmgr's public functions alone. What fails returns nil, a message
 * and the exit status that a tool would end with; a wrong argument raises an error.
 */
#ifndef LXMGR_LUA_MODULE_H
#define LXMGR_LUA_MODULE_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "lxmgr.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define LUA_CONTAINER "lxmgr.container"

/* One field of a table of options, and where its value goes. */
enum opt_type {
	OPT_BOOL,    /* bool */
	OPT_STRING,  /* const char * */
	OPT_STRINGS, /* const char *const *, of an array */
	OPT_PAIRS,   /* the same, of "KEY=VALUE" strings, and of fields KEY = VALUE */
	OPT_SECONDS, /* int, milliseconds */
	OPT_ID,	     /* uid_t */
	OPT_SIZE,    /* size_t */
	OPT_CALL,    /* struct call */
};

struct opt {
	const char *name;
	enum opt_type type;
	size_t offset;
};

/* A Lua function that the library calls back. An error in it is kept, and raised when the library
 * has returned. */
struct call {
	lua_State *L;
	int index; /* of the function on the stack; 0: none */
	bool failed;
};

/*
 * Read the table of options at arg (nil and none are empty) into base. An unknown field or a wrong
 * type raises an error. What the values refer to is left on the stack.
 */
void opts_read(lua_State *L, int arg, const struct opt *table, size_t n, void *base);
/* The list of strings, or the one string, at arg; it stays on the stack. */
const char *const *opts_strings(lua_State *L, int arg, const char *what);
/* A list with a command in it. */
const char *const *opts_argv(lua_State *L, int arg);
/* An error unless each is NAME=VALUE. */
void opts_check_env(lua_State *L, const char *const *v);
/* Call it with the nargs values on top of the stack; true if it returned a true value. */
bool call_run(struct call *call, int nargs);
/* Raise the error that was kept. */
void call_check(struct call *call);
/* For the library's callbacks of these names; arg is a struct call. */
void call_progress(const char *text, int permille, void *arg);
void call_warn(const char *text, void *arg);

/* Push what the answer of a library function says as JSON; nil where memory ends. */
void module_push_json_text(lua_State *L, const char *text);

/* Set a field of the table on top of the stack. What is not known is nil. */
void table_text(lua_State *L, const char *key, const char *value);
void table_number(lua_State *L, const char *key, uint64_t value);
void table_bool(lua_State *L, const char *key, bool value);
void table_strings(lua_State *L, const char *key, char *const *v);
/* Append the value on top of the stack to the list below it. */
void table_add(lua_State *L);
/* An lxmgr_set_fn whose arg is a lua_State: {key, old, value}, added to the list on top. */
void change_told(const char *key, const char *old, const char *value, void *arg);

/* nil, message, status. */
int module_fail(lua_State *L, const struct lxmgr_err *err);
/* Fill err unless this is root. */
bool module_is_root(struct lxmgr_err *err);
/* path, or the host's directory of containers; it stays on the stack. */
const char *module_path(lua_State *L, const char *path);

void container_register(lua_State *L);
/* Push an object for the container of this name. */
void container_push(lua_State *L, const char *path, const char *name, const char *rcfile);
/* Open the container that the object at 1 names, as each call does. NULL: err is filled. */
struct lxmgr_container *container_open(lua_State *L, struct lxmgr_err *err);
/* A string of the object at 1, which stays on the stack: 1 its path, 2 its name, 3 its rcfile or
 * NULL. */
const char *container_field(lua_State *L, int n);
/* Close c (NULL is fine). true, or nil, message, status. */
int container_done(lua_State *L, struct lxmgr_container *c, int r, const struct lxmgr_err *err);

/* What each file has to offer. */
extern const luaL_Reg archive_functions[], create_functions[], files_functions[], plan_functions[],
	usage_functions[];
extern const luaL_Reg archive_methods[], attach_methods[], change_methods[], copy_methods[],
	create_methods[], disk_methods[], files_methods[], image_methods[], run_methods[],
	plan_methods[], setup_methods[], snapshot_methods[], start_methods[], usage_methods[];
/* Add the table "image" to the table on top of the stack. */
void image_register(lua_State *L);

void info_push(lua_State *L, const char *name, const struct lxmgr_info *f);
void autostart_push(lua_State *L, const struct lxmgr_auto *e);

/*
 * Run fn in a child process that ends with it, as a tool does. *err and the int that fn returns
 * come back; data is shared with the child only where the caller made it so (shared_new()).
 */
int child_run(int (*fn)(void *data, struct lxmgr_err *err), void *data, struct lxmgr_err *err);
void *shared_new(size_t size);
void shared_free(void *p, size_t size);

/* A command that runs in a container. */
struct capture {
	bool capture;	   /* take what it writes */
	size_t limit;	   /* at most so many bytes of it */
	const char *input; /* NULL: ours, or none with capture */
};
#define CAPTURE_LIMIT (16 << 20)
#define CAPTURE_OPTS(type, member)                                   \
	{ "capture", OPT_BOOL, offsetof(type, member.capture) },     \
		{ "limit", OPT_SIZE, offsetof(type, member.limit) }, \
	{                                                            \
		"input", OPT_STRING, offsetof(type, member.input)    \
	}

/* Shared with the child. */
struct capture_result {
	int ret, status; /* status: of the command, or of what kept it from running */
	char warning[512];
	struct lxmgr_err err;
};
/*
 * Run fn in a child, which has the command's input and output. Pushes the status, what the command
 * wrote or nil, and a warning or nil; negative: nothing, and *err says why. A command that writes
 * more than the limit is an error (-EFBIG), and the child is killed.
 */
int capture_run(lua_State *L, const struct capture *a,
		int (*fn)(void *data, struct capture_result *r), void *data, struct lxmgr_err *err);

#endif
