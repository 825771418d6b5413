/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a template has of the host: files fetched by http and https, files and directories that the
 * user named on the command line, archives unpacked below the root, lines of the config beside it.
 * A process with the caller's rights does it, which was forked before the confinement. It takes
 * these requests and nothing else; what it hands in are descriptors that can only be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/lua_int.h"
#include "image/unpack.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/parse.h"
#include "util/run.h"
#include "util/str.h"

#define REQUEST_MAX   16384
#define CONFIG_MAX    65536
#define FETCH_TIMEOUT (30 * 60 * 1000)
#define NOBODY	      65534

enum host_op { HOST_FETCH, HOST_OPEN, HOST_UNPACK, HOST_CONFIG };

struct host_reply {
	int status;
	char text[500];
};

/* op, offset or limit, flags; the strings follow, each ended by NUL. */
struct host_request {
	uint32_t op, n_strings;
	uint64_t number;
	uint32_t strip, over;
};

struct host_job {
	struct host_request h;
	const char *s[3];
	int fd;
};

static int parse_job(char *buf, size_t len, struct host_job *j)
{
	char *p = buf + sizeof(j->h), *end = buf + len;

	if (len < sizeof(j->h))
		return -EPROTO;
	memcpy(&j->h, buf, sizeof(j->h));
	if (j->h.n_strings > ARRAY_SIZE(j->s))
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(j->s); i++) {
		char *nul = i < j->h.n_strings ? memchr(p, '\0', (size_t)(end - p)) : NULL;

		j->s[i] = nul ? p : "";
		if (i < j->h.n_strings && !nul)
			return -EPROTO;
		p = nul ? nul + 1 : p;
	}
	return p == end ? 0 : -EPROTO;
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

/* In the child: whoever answers from the network talks to nobody's process. There is room for its
 * messages, too. */
static int be_nobody(void *data)
{
	const uint64_t *limit = data;
	const struct rlimit size = { *limit + 4096, *limit + 4096 };

	if (setrlimit(RLIMIT_FSIZE, &size) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) | prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* A nameless file beside the root, so that nothing of it can stay. */
static int temporary_file(const struct lua_ctx *c)
{
	int fd = openat(c->host_dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* To read only, and a copy: what curl left behind may still hold the file open. */
static int read_only_copy(const struct lua_ctx *c, int fd)
{
	cleanup_fd int copy = temporary_file(c);
	char path[FD_PATH_SIZE];
	ssize_t n;
	int ro;

	if (copy < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return copy < 0 ? copy : -errno;
	do
		n = copy_file_range(fd, NULL, copy, NULL, 1 << 30, 0);
	while (n > 0);
	if (n < 0)
		return -errno;
	ro = open(fd_path(copy, path), O_RDONLY | O_CLOEXEC);
	return ro < 0 ? -errno : ro;
}

static int fetch(const struct lua_ctx *c, const struct host_job *j, int *ret_fd,
		 struct lxmgr_err *err)
{
	uint64_t limit = j->h.number;
	char max[32];
	/* Neither a name nor a redirection leads to a file or another protocol. */
	const char *const argv[] = { "curl",	    "--disable",
				     "--silent",    "--show-error",
				     "--fail",	    "--globoff",
				     "--location",  "--max-redirs",
				     "5",	    "--proto",
				     "=http,https", "--proto-redir",
				     "=http,https", "--connect-timeout",
				     "30",	    "--speed-limit",
				     "1",	    "--speed-time",
				     "60",	    "--max-filesize",
				     max,	    "--url",
				     j->s[0],	    NULL };
	cleanup_fd int file = temporary_file(c), errors = sys_memfd_create("errors", 0);
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *said = NULL;
	struct stat st;
	int r;

	if (!is_plain(j->s[0]) ||
	    (!str_has_prefix(j->s[0], "http://") && !str_has_prefix(j->s[0], "https://")))
		return err_msg(err, -EINVAL, "'%.200s' is no http or https address", j->s[0]);
	if (file < 0 || errors < 0)
		return err_set(err, file < 0 ? file : errors, "make a file to fetch into");
	snprintf(max, sizeof(max), "%llu", (unsigned long long)limit);
	o.stdout_fd = file;
	o.stderr_fd = errors;
	o.timeout_ms = FETCH_TIMEOUT;
	o.prepare = be_nobody;
	o.data = &limit;
	r = run_program(argv, &o, &said);
	if (r == -ENOENT)
		return err_msg(err, r, "curl is not there; install the package curl");
	if (r < 0)
		return err_set(err, r, "fetch '%.200s'", j->s[0]);
	if ((WIFSIGNALED(r) && WTERMSIG(r) == SIGXFSZ) || fstat(file, &st) < 0 ||
	    (uint64_t)st.st_size > limit)
		return err_msg(err, -EFBIG, "fetch '%.200s': longer than %llu bytes", j->s[0],
			       (unsigned long long)limit);
	if (r != 0 && (lseek(errors, 0, SEEK_SET) < 0 || read_all(errors, 8192, &said, NULL) < 0))
		return err_msg(err, -EIO, "fetch '%.200s': curl failed", j->s[0]);
	if (r != 0)
		return err_msg(err, -EIO, "fetch '%.200s': %.200s", j->s[0], str_strip(said));
	*ret_fd = read_only_copy(c, file);
	return *ret_fd < 0 ? err_set(err, *ret_fd, "open what was fetched") : 0;
}

/* Only what stands in the user's own arguments, also behind "=", or is what one of them leads
 * to. */
static bool is_named(const struct lua_ctx *c, const char *path)
{
	const char *p = c->request, *end = p + c->request_len;

	while (*path && p < end) {
		const char *key = p, *value = key + strlen(key) + 1, *eq;

		if (value >= end)
			return false;
		eq = strchr(value, str_eq(key, "path") ? '\n' : '=');
		if (str_eq(key, "path") && eq && str_eq(eq + 1, path))
			return true;
		if (str_eq(key, "arg") && (str_eq(value, path) || (eq && str_eq(eq + 1, path))))
			return true;
		p = value + strlen(value) + 1;
	}
	return false;
}

static int open_named(const struct lua_ctx *c, const struct host_job *j, int *ret_fd,
		      struct lxmgr_err *err)
{
	const char *path = j->s[0];
	struct stat st;
	int fd;

	if (!is_named(c, path))
		return err_msg(err, -EACCES,
			       "'%.200s' is no file that was named on the command line", path);
	if (*path != '/')
		return err_msg(err, -EINVAL, "'%.200s': give the whole path", path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open '%.200s'", path);
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
		close(fd);
		return err_msg(err, -EINVAL, "'%.200s' is neither a file nor a directory", path);
	}
	/* A directory of the host's would be a way out: it is unpacked by its name alone. */
	if (S_ISDIR(st.st_mode))
		close(fd);
	else
		*ret_fd = fd;
	return 0;
}

/* In a child: the tree as an archive on stdout. */
static int spawn_tar(const char *path, int out, pid_t *ret, struct lxmgr_err *err)
{
	const char *const argv[] = { "tar",
				     "--create",
				     "--file=-",
				     "--format=posix",
				     "--numeric-owner",
				     "--xattrs",
				     "--acls",
				     "--one-file-system",
				     "--sparse",
				     "--directory",
				     path,
				     "--",
				     ".",
				     NULL };
	struct run_opts o = RUN_OPTS_INIT;

	*ret = fork();
	if (*ret < 0)
		return err_set(err, -errno, "fork");
	if (*ret == 0) {
		int r;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		o.stdout_fd = out;
		o.timeout_ms = FETCH_TIMEOUT;
		r = run_program(argv, &o, NULL);
		_exit(r == 0 ? 0 : 1);
	}
	return 0;
}

static int unpack_tree(struct unpack *u, const char *path, struct lxmgr_err *err)
{
	cleanup_fd int out = -EBADF, in = -EBADF;
	int p[2], status = 0, r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	in = p[0], out = p[1];
	r = spawn_tar(path, out, &pid, err);
	if (r < 0)
		return r;
	fd_close(&out);
	u->archive_fd = in;
	r = unpack_run(u, err);
	fd_close(&in);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		return err_msg(err, -EIO, "tar of '%.200s' failed", path);
	return r;
}

static int unpack(const struct lua_ctx *c, const struct host_job *j, struct lxmgr_err *err)
{
	cleanup_fd int to = open_in(c->host_root, j->s[0], OPEN_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	struct unpack u = UNPACK_INIT;
	struct stat st;

	if (to < 0)
		return err_set(err, to, "open '%.200s' in the root", j->s[0]);
	u.target_fd = to;
	u.subdir = *j->s[1] ? j->s[1] : NULL;
	u.strip = j->h.strip;
	u.layer = j->h.over;
	if (*j->s[2]) {
		if (!is_named(c, j->s[2]) || *j->s[2] != '/' || stat(j->s[2], &st) < 0 ||
		    !S_ISDIR(st.st_mode))
			return err_msg(
				err, -EACCES,
				"'%.200s' is no directory that was named on the command line",
				j->s[2]);
		return unpack_tree(&u, j->s[2], err);
	}
	if (j->fd < 0 || lseek(j->fd, (off_t)j->h.number, SEEK_SET) < 0)
		return err_msg(err, -EINVAL, "unpack: no file");
	u.archive_fd = j->fd;
	return unpack_run(&u, err);
}

/* Which keys a template may set, and their values, are judged when a container is made of it. */
static int add_config(const struct lua_ctx *c, const struct host_job *j, struct lxmgr_err *err)
{
	const char *key = j->s[0], *value = j->s[1];
	cleanup_free char *line = NULL;
	struct stat st;
	int r;

	if (!*key || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(key))
		return err_msg(err, -EINVAL, "'%.80s' is no config key", key);
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_msg(err, -EINVAL,
				       "the value of %.80s has a newline or a control character",
				       key);
	line = str_printf("%s = %s\n", key, value);
	if (!line)
		return err_set(err, -ENOMEM, "config");
	if (fstat(c->config, &st) < 0 || st.st_size + (off_t)strlen(line) > CONFIG_MAX)
		return err_msg(err, -EFBIG, "the config is too long");
	r = write_all(c->config, line, strlen(line));
	return r < 0 ? err_set(err, r, "write the config") : 0;
}

static int serve_one(const struct lua_ctx *c, const struct host_job *j, int *ret_fd,
		     struct lxmgr_err *err)
{
	switch (j->h.op) {
	case HOST_FETCH:
		return fetch(c, j, ret_fd, err);
	case HOST_OPEN:
		return open_named(c, j, ret_fd, err);
	case HOST_UNPACK:
		return unpack(c, j, err);
	case HOST_CONFIG:
		return add_config(c, j, err);
	default:
		return err_msg(err, -EPROTO, "no such request");
	}
}

__attribute__((noreturn)) static void serve(const struct lua_ctx *c, int sock)
{
	static char buf[REQUEST_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(LUA_ANSWER_FD);
	for (;;) {
		struct host_job j = { .fd = -EBADF };
		struct host_reply reply = { 0 };
		struct lxmgr_err err = { 0 };
		cleanup_fd int out = -EBADF;
		size_t n_fds = 1;
		ssize_t n = msg_recv(sock, buf, sizeof(buf), &j.fd, &n_fds);

		if (n <= 0 || parse_job(buf, (size_t)n, &j) < 0)
			break;
		if (!n_fds)
			j.fd = -EBADF;
		reply.status = serve_one(c, &j, &out, &err);
		fd_close(&j.fd);
		snprintf(reply.text, sizeof(reply.text), "%.490s", err.text);
		if (msg_send(sock, &reply, sizeof(reply), &out, out >= 0 ? 1 : 0) < 0)
			break;
	}
	_exit(0);
}

int lua_host_start(struct lua_ctx *c)
{
	int pair[2], r;
	pid_t pid;

	c->host_root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->host_dir = open("..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->host_root < 0 || c->host_dir < 0)
		return -errno;
	c->config = openat(c->host_dir, "config",
			   O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->config < 0)
		return -errno;
	r = msg_pair(pair);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(pair[0]);
		serve(c, pair[1]);
	}
	close(pair[1]);
	/* Only the other process may have these. */
	fd_close(&c->host_root);
	fd_close(&c->host_dir);
	fd_close(&c->config);
	c->host = pair[0];
	return 0;
}

/* Send the request with its strings; raise what went wrong. The descriptor that came, or -1. */
static int ask(lua_State *L, const struct host_request *h, const char *const s[3], int fd)
{
	struct lua_ctx *c = lua_ctx_of(L);
	struct host_reply reply;
	char buf[REQUEST_MAX];
	size_t len = sizeof(*h), n = 1;
	int got = -1;

	memcpy(buf, h, sizeof(*h));
	for (size_t i = 0; i < h->n_strings; i++) {
		size_t l = strlen(s[i]) + 1;

		if (len + l > sizeof(buf))
			return luaL_error(L, "an argument is too long");
		memcpy(buf + len, s[i], l);
		len += l;
	}
	if (msg_send(c->host, buf, len, &fd, fd >= 0 ? 1 : 0) < 0 ||
	    msg_recv(c->host, &reply, sizeof(reply), &got, &n) != sizeof(reply))
		return luaL_error(L, "the process that serves templates is gone");
	if (reply.status < 0) {
		reply.text[sizeof(reply.text) - 1] = '\0';
		lua_pushstring(L, reply.text);
		return lua_error(L);
	}
	return n ? got : -1;
}

static const char *text_arg(lua_State *L, int n)
{
	size_t len;
	const char *s = luaL_checklstring(L, n, &len);

	luaL_argcheck(L, strlen(s) == len, n, "has a NUL");
	return s;
}

/* lxmgr.fetch(url, limit) */
static int l_fetch(lua_State *L)
{
	const char *const s[3] = { text_arg(L, 1) };
	lua_Integer limit = luaL_optinteger(L, 2, 1 << 30);
	const struct host_request h = { HOST_FETCH, 1, (uint64_t)limit, 0, 0 };

	luaL_argcheck(L, limit > 0, 2, "no limit");
	lua_push_blob(L, ask(L, &h, s, -1), false);
	return 1;
}

/* lxmgr.open(path): a file that the user named, or true for a directory. */
static int l_open(lua_State *L)
{
	const char *const s[3] = { text_arg(L, 1) };
	const struct host_request h = { HOST_OPEN, 1, 0, 0, 0 };
	int fd = ask(L, &h, s, -1);

	if (fd >= 0)
		lua_push_blob(L, fd, true);
	else
		lua_pushboolean(L, true);
	return 1;
}

/* lxmgr.unpack(file or directory, { to, subdir, strip, offset, over }) */
static int l_unpack(lua_State *L)
{
	bool is_dir = lua_type(L, 1) == LUA_TSTRING;
	int fd = is_dir ? -1 : lua_blob_fd(L, 1);
	struct host_request h = { HOST_UNPACK, 3, 0, 0, 0 };
	const char *s[3] = { "/", "", is_dir ? text_arg(L, 1) : "" };

	lua_settop(L, 2);
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		if (lua_getfield(L, 2, "to") != LUA_TNIL)
			s[0] = text_arg(L, 3);
		if (lua_getfield(L, 2, "subdir") != LUA_TNIL)
			s[1] = text_arg(L, 4);
		lua_getfield(L, 2, "strip");
		h.strip = (uint32_t)luaL_optinteger(L, 5, 0);
		lua_getfield(L, 2, "offset");
		h.number = (uint64_t)luaL_optinteger(L, 6, 0);
		lua_getfield(L, 2, "over");
		h.over = (uint32_t)lua_toboolean(L, 7);
	}
	ask(L, &h, s, fd);
	return 0;
}

/* lxmgr.config(key, value) */
static int l_config(lua_State *L)
{
	const char *const s[3] = { text_arg(L, 1), text_arg(L, 2) };
	const struct host_request h = { HOST_CONFIG, 2, 0, 0, 0 };

	ask(L, &h, s, -1);
	return 0;
}

void lua_add_host(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "fetch", l_fetch },	{ "open", l_open }, { "unpack", l_unpack },
		{ "config", l_config }, { NULL, NULL },
	};

	luaL_setfuncs(L, fns, 0);
	lua_register_blob(L);
}
