/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The primitives for files: every path is resolved inside the root, a file is replaced by rename.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/lua_int.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define READ_LIMIT (1 << 20)
#define LIST_LIMIT 65536

/* Nothing that Lua raises may jump over a cleanup: the functions below gather what they need first
 * and raise last. */

static const char *path_arg(lua_State *L, int n)
{
	size_t len;
	const char *p = luaL_checklstring(L, n, &len);

	luaL_argcheck(L, len && len < PATH_MAX && strlen(p) == len, n, "no path");
	return p;
}

static bool is_missing(int r)
{
	return r == -ENOENT || r == -ENOTDIR;
}

static int missing(lua_State *L, int r)
{
	lua_pushnil(L);
	lua_pushstring(L, strerror(-r));
	return 2;
}

static unsigned int opt_number(lua_State *L, int n, unsigned int max, unsigned int unset)
{
	lua_Integer v;

	if (lua_isnoneornil(L, n))
		return unset;
	v = luaL_checkinteger(L, n);
	luaL_argcheck(L, v >= 0 && v <= max, n, "out of range");
	return (unsigned int)v;
}

/* Where a path begins and how it goes on. Below a user's directory no link is followed: the user
 * may have laid it, and lays it at any moment in a guest that runs. */
struct place {
	int dir; /* or -errno */
	bool own;
	const char *path;
	enum open_policy policy;
};

static struct place place_arg(lua_State *L, int n, const char *path)
{
	struct place p = { lua_ctx_of(L)->root, false, path, OPEN_IN_ROOT };
	const char *below;
	size_t len;

	if (lua_isnoneornil(L, n))
		return p;
	below = luaL_checklstring(L, n, &len);
	luaL_argcheck(L, len && !strncmp(path, below, len) && path[len] == '/', n,
		      "the path is not below it");
	p.path = path + len + strspn(path + len, "/");
	luaL_argcheck(L, *p.path, 1, "no path");
	p.dir = open_in(p.dir, below, OPEN_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	p.own = true;
	p.policy = OPEN_NO_LINKS;
	return p;
}

static void place_close(struct place *p)
{
	if (p->own)
		fd_close(&p->dir);
}

static int place_fail(lua_State *L, const struct place *p, int r, const char *what,
		      const char *path)
{
	if (p->own && r == -ELOOP)
		return luaL_error(L, "%s '%s': a link of the user's is in the way", what, path);
	return lua_fail(L, r, what, path);
}

/* The text of a regular file; should it be a fifo, the open does not wait for a writer. */
static int read_regular(int root, const char *path, enum open_policy policy, size_t limit,
			char **ret, size_t *len, struct stat *st)
{
	cleanup_fd int fd = open_in(root, path, policy, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode) ? read_all(fd, limit, ret, len) : -EINVAL;
}

static int l_read(lua_State *L)
{
	const char *path = path_arg(L, 1);
	size_t limit = opt_number(L, 2, LUA_REQUEST_MAX, READ_LIMIT), len = 0;
	struct place p = place_arg(L, 3, path);
	char *text = NULL;
	struct stat st;
	int r = p.dir < 0 ? p.dir : read_regular(p.dir, p.path, p.policy, limit, &text, &len, &st);

	place_close(&p);
	if (is_missing(r))
		return missing(L, r);
	if (r < 0)
		return place_fail(L, &p, r, "read", path);
	/* lua_pushlstring() may raise for want of memory: the text is the kernel's to take back
	 * then, the process ends with its script. */
	lua_pushlstring(L, text, len);
	free(text);
	return 1;
}

/* What a new file is to be like; (unsigned)-1: as the old one. */
struct new_file {
	const char *text;
	size_t len;
	unsigned int mode, uid, gid;
};

static int write_temp(int dir, const char *tmp, const struct new_file *f)
{
	cleanup_fd int fd =
		openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, f->text, f->len);
	if (r < 0)
		return r;
	if (fchown(fd, f->uid, f->gid) < 0 || fchmod(fd, f->mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* Fill in what is not given from what stands there. True: nothing is to be changed. */
static bool is_same(int dir, const char *base, struct new_file *f)
{
	cleanup_free char *text = NULL;
	struct stat st = { 0 };
	size_t len = 0;
	bool old = fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);

	f->mode = f->mode != UINT_MAX ? f->mode : old ? st.st_mode & 07777 : 0644;
	f->uid = f->uid != UINT_MAX ? f->uid : old ? st.st_uid : 0;
	f->gid = f->gid != UINT_MAX ? f->gid : old ? st.st_gid : 0;
	return old && (st.st_mode & 07777) == f->mode && st.st_uid == f->uid &&
	       st.st_gid == f->gid && (size_t)st.st_size == f->len &&
	       read_regular(dir, base, OPEN_IN_ROOT, f->len, &text, &len, &st) == 0 &&
	       len == f->len && text && memcmp(text, f->text, len) == 0;
}

/* 1: written, 0: it was so. */
static int put_file(const struct place *p, struct new_file *f)
{
	const char *base;
	cleanup_fd int dir =
		p->dir < 0 ? p->dir : open_parent_in(p->dir, p->path, p->policy, &base);
	unsigned int rnd;
	char tmp[32];
	int r;

	if (dir < 0)
		return dir;
	if (is_same(dir, base, f))
		return 0;
	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return -EIO;
	snprintf(tmp, sizeof(tmp), ".lxmgr-%08x", rnd);
	r = write_temp(dir, tmp, f);
	if (r == 0 && renameat(dir, tmp, dir, base) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, tmp, 0);
	return r < 0 ? r : 1;
}

static int l_write(lua_State *L)
{
	const char *path = path_arg(L, 1);
	struct new_file f = { .mode = opt_number(L, 3, 07777, UINT_MAX),
			      .uid = opt_number(L, 4, UINT_MAX - 1, UINT_MAX),
			      .gid = opt_number(L, 5, UINT_MAX - 1, UINT_MAX) };
	struct place p;
	int r;

	f.text = luaL_checklstring(L, 2, &f.len);
	p = place_arg(L, 6, path);
	r = put_file(&p, &f);
	place_close(&p);
	if (r < 0)
		return place_fail(L, &p, r, "write", path);
	lua_pushboolean(L, r);
	return 1;
}

/* The old text of a file that lines are put into, on the stack; "" where there is none. */
static const char *push_old(lua_State *L, const char *path)
{
	char *text = NULL;
	struct stat st;
	size_t len;
	int r = read_regular(lua_ctx_of(L)->root, path, OPEN_IN_ROOT, READ_LIMIT, &text, &len, &st);

	if (r < 0 && r != -ENOENT)
		lua_fail(L, r, "read", path);
	lua_pushlstring(L, text ? text : "", text ? strlen(text) : 0);
	free(text);
	return lua_tostring(L, -1);
}

static int finish_lines(lua_State *L, const char *path, const char *old)
{
	const struct place p = { lua_ctx_of(L)->root, false, path, OPEN_IN_ROOT };
	struct new_file f = { .mode = UINT_MAX, .uid = UINT_MAX, .gid = UINT_MAX };
	int r;

	f.text = lua_tolstring(L, -1, &f.len);
	r = str_eq(f.text, old) ? 0 : put_file(&p, &f);
	if (r < 0)
		return lua_fail(L, r, "write", path);
	lua_pushboolean(L, r);
	return 1;
}

static int l_append_line(lua_State *L)
{
	const char *path = path_arg(L, 1), *line = luaL_checkstring(L, 2), *old, *p;
	size_t n = strlen(line);

	luaL_argcheck(L, !strchr(line, '\n'), 2, "a line has no line break");
	old = push_old(L, path);
	for (p = old; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") == n && !strncmp(p, line, n)) {
			lua_pushboolean(L, false);
			return 1;
		}
	lua_pushfstring(L, "%s%s%s\n", old, *old && p[-1] != '\n' ? "\n" : "", line);
	return finish_lines(L, path, old);
}

/* Does the line match the pattern in argument 2? string.find itself says. */
static bool line_matches(lua_State *L, const char *line, size_t n)
{
	bool is;

	lua_getglobal(L, "string");
	lua_getfield(L, -1, "find");
	lua_pushlstring(L, line, n);
	lua_pushvalue(L, 2);
	lua_call(L, 2, 1);
	is = !lua_isnil(L, -1);
	lua_pop(L, 2);
	return is;
}

static int l_edit_line(lua_State *L)
{
	const char *path = path_arg(L, 1), *line, *old, *p;
	bool done = false;
	int parts = 0;

	luaL_checkstring(L, 2);
	line = luaL_optstring(L, 3, NULL);
	luaL_argcheck(L, !line || !strchr(line, '\n'), 3, "a line has no line break");
	lua_settop(L, 3);
	old = push_old(L, path);
	lua_newtable(L);
	for (p = old; *p;) {
		size_t n = strcspn(p, "\n");

		if (!line_matches(L, p, n))
			lua_pushlstring(L, p, n);
		else if (line && !done)
			lua_pushstring(L, line);
		else
			lua_pushnil(L);
		done |= lua_rawequal(L, -1, 3) && line;
		if (lua_isnil(L, -1))
			lua_pop(L, 1);
		else
			lua_rawseti(L, 5, ++parts);
		p += n + (p[n] == '\n');
	}
	if (line && !done) {
		lua_pushvalue(L, 3);
		lua_rawseti(L, 5, ++parts);
	}
	lua_pushliteral(L, "");
	lua_rawseti(L, 5, ++parts);
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "concat");
	lua_pushvalue(L, 5);
	lua_pushliteral(L, "\n");
	lua_call(L, 2, 1);
	return finish_lines(L, path, old);
}

static int l_exists(lua_State *L)
{
	cleanup_fd int fd = open_in(lua_ctx_of(L)->root, path_arg(L, 1), OPEN_IN_ROOT, O_PATH, 0);

	lua_pushboolean(L, fd >= 0);
	return 1;
}

static void set_int(lua_State *L, const char *key, lua_Integer v)
{
	lua_pushinteger(L, v);
	lua_setfield(L, -2, key);
}

static int l_stat(lua_State *L)
{
	const char *path = path_arg(L, 1);
	int flags = O_PATH | (lua_toboolean(L, 2) ? O_NOFOLLOW : 0);
	int fd = open_in(lua_ctx_of(L)->root, path, OPEN_IN_ROOT, flags, 0), r = 0;
	char target[PATH_MAX] = "";
	struct stat st;
	ssize_t n = 0;

	if (is_missing(fd) || fd == -ELOOP)
		return missing(L, fd);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = fd < 0 ? fd : -errno;
	if (r == 0 && S_ISLNK(st.st_mode))
		n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		r = -errno;
	fd_close(&fd);
	if (r < 0)
		return lua_fail(L, r, "stat", path);
	lua_newtable(L);
	lua_pushstring(L, S_ISREG(st.st_mode)	? "file"
			  : S_ISDIR(st.st_mode) ? "dir"
			  : S_ISLNK(st.st_mode) ? "link"
						: "other");
	lua_setfield(L, -2, "type");
	set_int(L, "mode", st.st_mode & 07777);
	set_int(L, "uid", st.st_uid);
	set_int(L, "gid", st.st_gid);
	set_int(L, "size", st.st_size);
	if (n > 0) {
		lua_pushlstring(L, target, (size_t)n);
		lua_setfield(L, -2, "target");
	}
	return 1;
}

static int list_names(int root, const char *path, struct strlist *ret)
{
	int fd = open_in(root, path, OPEN_IN_ROOT, O_RDONLY | O_DIRECTORY, 0);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd < 0 ? fd : -errno;
	while ((e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (ret->n >= LIST_LIMIT)
			return -EFBIG;
		if (strlist_add(ret, e->d_name) < 0)
			return -ENOMEM;
	}
	strlist_sort(ret);
	return 0;
}

static int l_list(lua_State *L)
{
	const char *path = path_arg(L, 1);
	struct strlist names = { 0 };
	int r = list_names(lua_ctx_of(L)->root, path, &names);

	if (r < 0) {
		strlist_free(&names);
		return is_missing(r) ? missing(L, r) : lua_fail(L, r, "list", path);
	}
	lua_newtable(L);
	for (size_t i = 0; i < names.n; i++) {
		lua_pushstring(L, names.v[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	strlist_free(&names);
	lua_mark_array(L);
	return 1;
}

/* 1: removed, 0: it was not there. */
static int remove_one(int root, const char *path, bool tree)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);
	struct stat st;
	int r;

	if (dir < 0)
		return is_missing(dir) ? 0 : dir;
	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (tree) {
		r = remove_tree_at(dir, base);
		return r < 0 ? r : 1;
	}
	return unlinkat(dir, base, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 ? -errno : 1;
}

static int l_remove(lua_State *L)
{
	const char *path = path_arg(L, 1);
	int r = remove_one(lua_ctx_of(L)->root, path, lua_toboolean(L, 2));

	if (r < 0)
		return lua_fail(L, r, "remove", path);
	lua_pushboolean(L, r);
	return 1;
}

/* The last component of path. 1: made, 0: a directory was there. */
static int make_one(int root, const char *path, enum open_policy policy, mode_t mode, uid_t uid,
		    gid_t gid)
{
	const char *base;
	cleanup_fd int dir = -EBADF, made = open_in(root, path, policy, O_PATH, 0);
	struct stat st;

	if (made >= 0 && fstat(made, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	if (made != -ENOENT)
		return made;
	dir = open_parent_in(root, path, policy, &base);
	if (dir < 0)
		return dir;
	if (mkdirat(dir, base, 0700) < 0)
		return -errno;
	made = open_in(dir, base, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
	if (made < 0)
		return made;
	return fchown(made, uid, gid) < 0 || fchmod(made, mode) < 0 ? -errno : 1;
}

/* With all above it. */
static int make_all(const struct place *p, mode_t mode, uid_t uid, gid_t gid)
{
	const char *path = p->path;
	char part[PATH_MAX];
	int r = p->dir < 0 ? p->dir : 0;

	for (size_t n = 0; r >= 0 && path[n];) {
		n += strspn(path + n, "/");
		n += strcspn(path + n, "/");
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		if (!path[n + strspn(path + n, "/")])
			return make_one(p->dir, part, p->policy, mode, uid, gid);
		r = make_one(p->dir, part, p->policy, 0755, 0, 0);
	}
	return r;
}

static int l_mkdir(lua_State *L)
{
	const char *path = path_arg(L, 1);
	unsigned int mode = opt_number(L, 2, 07777, 0755), uid = opt_number(L, 3, UINT_MAX - 1, 0),
		     gid = opt_number(L, 4, UINT_MAX - 1, 0);
	struct place p = place_arg(L, 5, path);
	int r = make_all(&p, mode, uid, gid);

	place_close(&p);
	if (r < 0)
		return place_fail(L, &p, r, "make the directory", path);
	lua_pushboolean(L, r);
	return 1;
}

/* 1: made, 0: it was so. */
static int link_one(int root, const char *target, const char *path)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);
	char old[PATH_MAX], tmp[32];
	unsigned int rnd;
	ssize_t n;

	if (dir < 0)
		return dir;
	n = readlinkat(dir, base, old, sizeof(old) - 1);
	if (n >= 0 && (size_t)n == strlen(target) && !memcmp(old, target, (size_t)n))
		return 0;
	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return -EIO;
	snprintf(tmp, sizeof(tmp), ".lxmgr-%08x", rnd);
	if (symlinkat(target, dir, tmp) < 0)
		return -errno;
	if (renameat(dir, tmp, dir, base) < 0) {
		int r = -errno;

		unlinkat(dir, tmp, 0);
		return r;
	}
	return 1;
}

static int l_symlink(lua_State *L)
{
	const char *target = path_arg(L, 1), *path = path_arg(L, 2);
	int r = link_one(lua_ctx_of(L)->root, target, path);

	if (r < 0)
		return lua_fail(L, r, "make the link", path);
	lua_pushboolean(L, r);
	return 1;
}

static int rename_one(int root, const char *from, const char *to)
{
	const char *b1, *b2;
	cleanup_fd int d1 = open_parent_in(root, from, OPEN_IN_ROOT, &b1);
	cleanup_fd int d2 = open_parent_in(root, to, OPEN_IN_ROOT, &b2);

	if (d1 < 0 || d2 < 0)
		return d1 < 0 ? d1 : d2;
	return renameat(d1, b1, d2, b2) < 0 ? -errno : 0;
}

static int l_rename(lua_State *L)
{
	const char *from = path_arg(L, 1), *to = path_arg(L, 2);
	int r = rename_one(lua_ctx_of(L)->root, from, to);

	return r < 0 ? lua_fail(L, r, "rename", from) : 0;
}

/* A file or directory itself, opened so that a fifo or a device is not waited for. */
static int open_plain(int root, const char *path)
{
	return open_in(root, path, OPEN_IN_ROOT, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
}

static int l_chmod(lua_State *L)
{
	const char *path = path_arg(L, 1);
	unsigned int mode = opt_number(L, 2, 07777, 0644);
	int fd = open_plain(lua_ctx_of(L)->root, path);
	int r = fd < 0 ? fd : fchmod(fd, mode) < 0 ? -errno : 0;

	fd_close(&fd);
	return r < 0 ? lua_fail(L, r, "change the mode of", path) : 0;
}

static int l_chown(lua_State *L)
{
	const char *path = path_arg(L, 1);
	unsigned int uid = opt_number(L, 2, UINT_MAX - 1, 0),
		     gid = opt_number(L, 3, UINT_MAX - 1, 0);
	int fd = open_plain(lua_ctx_of(L)->root, path);
	int r = fd < 0 ? fd : fchown(fd, uid, gid) < 0 ? -errno : 0;

	fd_close(&fd);
	return r < 0 ? lua_fail(L, r, "change the owner of", path) : 0;
}

void lua_add_files(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "read", l_read },	      { "write", l_write },
		{ "exists", l_exists },	      { "stat", l_stat },
		{ "list", l_list },	      { "remove", l_remove },
		{ "mkdir", l_mkdir },	      { "symlink", l_symlink },
		{ "rename", l_rename },	      { "chmod", l_chmod },
		{ "chown", l_chown },	      { "append_line", l_append_line },
		{ "edit_line", l_edit_line }, { NULL, NULL },
	};

	luaL_setfuncs(L, fns, 0);
}
