/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caller's side of lxmgr-lua, the restricted Lua (helpers/lua_int.h says what a script finds).
 */
#ifndef LXMGR_IMAGE_LUARUN_H
#define LXMGR_IMAGE_LUARUN_H

#include <stdbool.h>
#include <stddef.h>

#include "util/str.h"

struct lxmgr_err;

struct lua_run {
	const char *script;	     /* absolute path; root's own file */
	const char *const *lib_dirs; /* directories whose *.lua it can require(); NULL-terminated */
	const char *lib_file;	     /* one more file for require(), or NULL */
	const struct strbuf *request; /* lua_request_add(); NULL: empty */
	int root_fd;		      /* the root directory, O_PATH */
	int userns_fd;	 /* ids 0 and up in it are those stored in the root; -1: the present one */
	bool allow_net;	 /* keeps the caller's network */
	bool allow_host; /* lxmgr.fetch, open, unpack and config, for templates */
	bool allow_run;	 /* lxmgr.run: programs of the root's, in namespaces of their own */
	unsigned int memory_mib; /* 0: 64 */
	unsigned int seconds;	 /* of processor time for the script alone; 0: 60 */
	int timeout_ms;		 /* for all of it; 0: none */
	int cancel_fd;		 /* readable: kill it, -ECANCELED; -1: none */
	/* Messages of the script and of what it runs, as they come; may be NULL. */
	void (*on_output)(const char *data, size_t len, void *arg);
	void *on_output_arg;
};

#define LUA_RUN_INIT                                            \
	{                                                       \
		.root_fd = -1, .userns_fd = -1, .cancel_fd = -1 \
	}

/* Append a value to key's array in the request; -EINVAL for an empty key. */
int lua_request_add(struct strbuf *b, const char *key, const char *value);
/* Run the script. *ret_json (may be NULL) is what it returned, to be freed. The script's own error,
 * with its place, is the error's text. -ETIMEDOUT, -ECANCELED, -EOVERFLOW: a limit. */
int lua_run(const struct lua_run *l, char **ret_json, struct lxmgr_err *err);

#endif
