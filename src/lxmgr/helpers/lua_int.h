/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lxmgr-lua: a restricted Lua 5.4 that shapes one root file system.
 *
 * Called as
 *	lxmgr-lua [--userns FD] [--net] [--run] [--host] [--memory MiB] [--seconds N]
 *		[--libs DIR]... [--lib FILE]... SCRIPT
 * with the root as its working directory, the request on descriptor 0 and the answer going to
 * descriptor 3; 1 and 2 get messages. The request is a sequence of "key NUL value NUL"; the answer
 * is one byte, 'R' and then what the script returned as JSON, or 'E' and then the error. The exit
 * status is 0 for 'R', 1 for 'E', 2 where a limit was exceeded (nothing or 'E' is answered).
 * image/luarun.h is the caller's side.
 *
 * Each --libs DIR gives its *.lua files, by their base names, to require(), and --lib FILE this
 * one; those of a later option win. The script itself may stand among them.
 *
 * A script has: assert error getmetatable setmetatable ipairs next pairs pcall xpcall rawequal
 * rawget rawlen rawset select tonumber tostring type, string (without dump), table, math, utf8,
 * print (a message), require (only what --libs gave) and the table lxmgr. There is no way to load
 * text or bytecode, no io, os, package, debug or coroutine.
 *
 * All paths are resolved inside the root, absolute or not; links never lead out. A file is
 * replaced, in one rename, and never written through; so is a link that stands at its name.
 * "nil, why" is returned where a thing does not exist; any other failure is an error.
 *
 *	lxmgr.args			the request: args.key is an array of strings, or nil
 *	lxmgr.libs			names that require() knows, sorted
 *	lxmgr.read(path [, limit [, below]])
 *					-> text of a regular file (limit 1 MiB) | nil, why.
 *					below: a directory above it, from which on no link is
 *					followed: a user's home, in which the user lays links
 *	lxmgr.write(path, text [, mode [, uid, gid [, below]]])
 *					-> true if anything changed. Mode and owner that are not
 *					given are the old file's, else 0644 and 0:0. The directory
 *					must exist.
 *	lxmgr.append_line(path, line)	-> true if it was not there as a whole line
 *	lxmgr.edit_line(path, pattern, line)
 *					-> true if anything changed. The first line that the Lua
 *					pattern matches becomes `line`, further ones go; without a
 *					match it is added. line nil: all that match go.
 *	lxmgr.exists(path)		-> boolean; a link counts as what it leads to inside
 *	lxmgr.stat(path [, nofollow])	-> { type = "file" | "dir" | "link" | "other", mode, uid,
 *					gid, size, target (of a link) } | nil, why
 *	lxmgr.list(path)		-> sorted array of names | nil, why
 *	lxmgr.remove(path [, tree])	-> true if it was there; tree: with all below
 *	lxmgr.mkdir(path [, mode [, uid, gid [, below]]])
 *					-> true if it was made; parents too
 *	lxmgr.symlink(target, path)	-> true if anything changed; replaces what is no directory
 *	lxmgr.rename(old, new)
 *	lxmgr.chmod(path, mode), lxmgr.chown(path, uid, gid)
 *	lxmgr.crypt(password [, hash])	-> hash for /etc/shadow, of a kind that the root knows;
 *					with an old hash: the same if the password is, nil if
 *					that cannot be computed
 *	lxmgr.random(n)			-> 2n hex digits
 *	lxmgr.time()			-> seconds since 1970
 *	lxmgr.log(value...)		a message line (print is the same)
 *	lxmgr.decode(json)		-> its value
 *	lxmgr.array(t)			-> t, which is an array in the answer even if it is empty
 *	lxmgr.run{ prog, arg..., env = {"A=b"}, input = text, capture = true, cwd = path }
 *					-> exit status (128 + n for a signal), output. With --run
 *					only. The program runs in the root with /proc, a /dev of
 *					its own and the root's ids, without the host's processes,
 *					and without a network unless --net.
 *
 * With --host, for templates:
 *	lxmgr.fetch(url [, limit])	-> a file that curl fetched by http or https, as nobody;
 *					limit in bytes (1 GiB)
 *	lxmgr.open(path)		-> a file that stands in the request under "arg" (as it is
 *					or behind "="); true if that is a directory
 *	lxmgr.unpack(file or directory [, { to, subdir, strip, offset, over }])
 *					unpacks an archive, or a directory that stands in the
 *					request, below the root. A file must have been checked.
 *	lxmgr.config(key, value)	adds a line to the file "config" beside the root
 *	file:size(), file:read([offset, length]), file:digest(algorithm [, offset, length]),
 *	file:expect(algorithm, hex [, offset, length]), file:members([n]),
 *	file:gunzip(offset [, length [, limit [, heads]]]), file:close(),
 *	file:verify_rsa(algorithm, pem, signature [, offset, length])
 *					heads: of a tar archive the headers alone, which say
 *					then that there is no content
 *					expect and verify_rsa check it; so is what the user named
 *
 * Confinement: the process joins the user namespace of --userns, in which ids 0 and up are those
 * stored in the root, makes mount, IPC, UTS and (without --net) network namespaces of its own,
 * makes the root its root directory, keeps only what owners and modes of files need, and allows
 * itself the system calls for files and memory alone. What it cannot do itself (run, and what
 * --host gives) it asks of processes that were forked before and take nothing but argument vectors,
 * and the requests above.
 *
 * Adding a primitive: files in lua_files.c, anything that needs other rights as an operation of the
 * broker (lua_broker.c), a line here and in the table of lua_state.c.
 */
#ifndef LXMGR_HELPERS_LUA_INT_H
#define LXMGR_HELPERS_LUA_INT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LUA_MAX_LIBS	64
#define LUA_SOURCE_MAX	(1 << 20)
#define LUA_REQUEST_MAX (4 << 20)
#define LUA_ANSWER_FD	3

struct lua_source {
	char name[64];
	char *text;
	size_t len;
};

struct lua_ctx {
	int root;			 /* the root directory, opened after the confinement */
	int broker;			 /* socket to the process that runs programs, or -1 */
	int userns;			 /* of the root's ids, or -1: stay in the present one */
	int host;			 /* socket to the process that serves templates, or -1 */
	int host_root, host_dir, config; /* its own: the root, what is above, the config */
	bool net, run, with_host;	 /* what the caller allows */
	pid_t parent;			 /* ends with it */
	unsigned int seconds;		 /* processor time and, times ten, time */
	size_t memory, memory_limit;	 /* bytes */
	uint64_t steps, step_limit;	 /* in thousands of instructions */
	struct lua_source script, libs[LUA_MAX_LIBS];
	size_t n_libs;
	char *request;
	size_t request_len;
};

/* The context of a state. */
struct lua_ctx *lua_ctx_of(lua_State *L);
/* Raise "what 'path': reason". */
int lua_fail(lua_State *L, int error, const char *what, const char *path);

/* lua_state.c: a state with the limits and the table; run the script and answer. The exit status.
 */
int lua_run_script(struct lua_ctx *c);
/* lua_files.c, lua_misc.c: put the primitives into the table on top of the stack. */
void lua_add_files(lua_State *L);
void lua_add_misc(lua_State *L);
/* lua_json.c: the value at index as JSON, to be freed. NULL and why in *ret_why. */
char *lua_to_json(lua_State *L, int index, const char **ret_why);
/* Mark the table at the top as an array. */
void lua_mark_array(lua_State *L);
void lua_add_json(lua_State *L);

/* lua_broker.c: fork it; it ends with us. 0 or -errno. */
int lua_broker_start(struct lua_ctx *c);
void lua_add_run(lua_State *L);
/* lua_host.c: the same for fetch, open, unpack and config. */
int lua_host_start(struct lua_ctx *c);
void lua_add_host(lua_State *L);
/* lua_blob.c: files of the host's side. The object takes the descriptor. */
void lua_push_blob(lua_State *L, int fd, bool checked);
/* Of one that was checked; raises an error. */
int lua_blob_fd(lua_State *L, int arg);
void lua_register_blob(lua_State *L);
/* lua_confine.c: after it the process has nothing but the root. 0 or -errno, what failed in *step.
 */
int lua_confine(struct lua_ctx *c, const char **step);
/* For a program of the root's: no keys, no new namespaces, no mounts. After no_new_privs. 0 or
 * -errno. */
int lua_confine_program(void);

#endif
