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
/* Call it with the nargs values on top of the stack; true if it returned a true value. */
bool call_run(struct call *call, int nargs);
/* Raise the error that was kept. */
void call_check(struct call *call);
/* For the library's callbacks of this name; arg is a struct call. */
void call_progress(const char *text, int permille, void *arg);

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

void info_push(lua_State *L, const char *name, const struct lxmgr_info *info);
void autostart_push(lua_State *L, const struct lxmgr_auto *e);
int lua_attach(lua_State *L);

/*
 * Run fn in a child process that ends with it, as a tool does. *err and the int that fn returns
 * come back; data is shared with the child only where the caller made it so (shared_new()).
 */
int child_run(int (*fn)(void *data, struct lxmgr_err *err), void *data, struct lxmgr_err *err);
void *shared_new(size_t size);
void shared_free(void *p, size_t size);

#endif
