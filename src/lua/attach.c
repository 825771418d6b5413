/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* container:attach(argv, options) */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_LIMIT (16 << 20)

struct attach_args {
	struct lxmgr_attach_opts o;
	bool capture, keep_env, elevated;
	const char *input, *namespaces;
	size_t limit;
};

/* Shared with the child. */
struct attach_result {
	int ret, status;
	struct lxmgr_err err;
};

static const struct opt attach_opts[] = {
	{ "capture", OPT_BOOL, offsetof(struct attach_args, capture) },
	{ "limit", OPT_SIZE, offsetof(struct attach_args, limit) },
	{ "input", OPT_STRING, offsetof(struct attach_args, input) },
	{ "env", OPT_PAIRS, offsetof(struct attach_args, o.set_vars) },
	{ "keep_env", OPT_BOOL, offsetof(struct attach_args, keep_env) },
	{ "keep", OPT_STRINGS, offsetof(struct attach_args, o.keep_vars) },
	{ "uid", OPT_ID, offsetof(struct attach_args, o.uid) },
	{ "gid", OPT_ID, offsetof(struct attach_args, o.gid) },
	{ "arch", OPT_STRING, offsetof(struct attach_args, o.arch) },
	{ "namespaces", OPT_STRING, offsetof(struct attach_args, namespaces) },
	{ "elevated", OPT_BOOL, offsetof(struct attach_args, elevated) },
};

static int fail_errno(struct lxmgr_err *err, const char *text)
{
	*err = (struct lxmgr_err){ .code = -errno, .status = 125 };
	snprintf(err->text, sizeof(err->text), "%s: %s", text, strerror(errno));
	return err->code;
}

/* A file in memory: nobody has to write while another reads. */
static int input_fd(const struct attach_args *a, struct lxmgr_err *err)
{
	size_t len, done = 0;
	int fd;

	if (!a->input)
		return a->capture ? open("/dev/null", O_RDONLY | O_CLOEXEC)
				  : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	fd = memfd_create("input", MFD_CLOEXEC);
	len = strlen(a->input);
	while (fd >= 0 && done < len) {
		ssize_t n = write(fd, a->input + done, len - done);

		if (n < 0 && errno != EINTR) {
			fail_errno(err, "write the command's input");
			close(fd);
			return -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* In the child. */
static void attach_child(struct lxmgr_container *c, const struct attach_args *a, int in, int out,
			 struct attach_result *r, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	r->ret = lxmgr_container_attach(c, &a->o, &r->status, &r->err);
	_exit(0);
}

/* All that it writes. A command that is over may have left others that still could: once its
 * process has ended, only what is there already is read. */
static int read_output(int fd, pid_t pid, size_t limit, char **ret, size_t *ret_len)
{
	int pidfd = pidfd_open(pid, 0);
	size_t size = 0, len = 0;
	char *buf = NULL;

	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
				       { .fd = pidfd, .events = POLLIN } };
		ssize_t n;

		if (len == size) {
			char *more = realloc(buf, size = size ? size * 2 : 65536);

			if (!more) {
				len = limit + 1;
				break;
			}
			buf = more;
		}
		if (poll(p, 2, -1) < 0 && errno == EINTR)
			continue;
		if (!p[0].revents)
			break;
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > limit)
			break;
	}
	if (pidfd >= 0)
		close(pidfd);
	*ret = buf;
	*ret_len = len;
	return len > limit ? -EFBIG : 0;
}

/* Fork, read and wait. */
static int run(struct lxmgr_container *c, const struct attach_args *a, struct attach_result *shared,
	       char **ret, size_t *ret_len, struct lxmgr_err *err)
{
	int pipefd[2] = { -1, -1 }, in = input_fd(a, err), r = 0, status = 0;
	pid_t parent = getpid(), pid;

	if (err->code || (a->capture && pipe2(pipefd, O_CLOEXEC) < 0)) {
		if (in >= 0)
			close(in);
		return err->code ? err->code : fail_errno(err, "make a pipe");
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		attach_child(c, a, in, pipefd[1], shared, parent);
	if (pid < 0)
		r = fail_errno(err, "fork");
	if (in >= 0)
		close(in);
	if (pipefd[1] >= 0)
		close(pipefd[1]);
	if (pid > 0 && a->capture && read_output(pipefd[0], pid, a->limit, ret, ret_len) < 0) {
		kill(pid, SIGKILL);
		errno = EFBIG;
		r = fail_errno(err, "the command's output is longer than the limit");
	}
	if (pipefd[0] >= 0)
		close(pipefd[0]);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		errno = EINTR;
		return fail_errno(err, "the attach was killed");
	}
	if (shared->ret < 0)
		*err = shared->err;
	return shared->ret;
}

static void read_args(lua_State *L, struct attach_args *a)
{
	static const struct opt argv_opt[] = {
		{ "argv", OPT_STRINGS, offsetof(struct attach_args, o.argv) },
	};
	struct lxmgr_err err = { 0 };

	lua_settop(L, 3);
	luaL_checktype(L, 2, LUA_TTABLE);
	if (luaL_len(L, 2) < 1)
		luaL_argerror(L, 2, "no command");
	lua_newtable(L);
	lua_pushvalue(L, 2);
	lua_setfield(L, -2, "argv");
	opts_read(L, lua_gettop(L), argv_opt, 1, a);
	opts_read(L, 3, attach_opts, ARRAY_SIZE(attach_opts), a);
	for (size_t i = 0; a->o.set_vars && a->o.set_vars[i]; i++)
		if (!strchr(a->o.set_vars[i], '=') || a->o.set_vars[i][0] == '=')
			luaL_error(L, "env: '%s' is not NAME=VALUE", a->o.set_vars[i]);
	if (a->namespaces && lxmgr_namespaces_parse(a->namespaces, &a->o.namespaces, &err) < 0)
		luaL_error(L, "%s", err.text);
	a->o.clear_env = !a->keep_env;
	a->o.no_pty = a->capture || a->input;
	a->o.elevated_caps = a->o.elevated_cgroup = a->o.elevated_lsm = a->elevated;
}

int lua_attach(lua_State *L)
{
	struct attach_args a = { .o = { .uid = (uid_t)-1, .gid = (gid_t)-1 },
				 .limit = DEFAULT_LIMIT };
	struct lxmgr_container *c;
	struct attach_result *shared;
	struct lxmgr_err err = { 0 };
	size_t len = 0;
	char *out = NULL;
	int r, status;

	read_args(L, &a);
	c = container_open(L, &err);
	if (!c)
		return module_fail(L, &err);
	shared = shared_new(sizeof(*shared));
	r = shared ? run(c, &a, shared, &out, &len, &err) : fail_errno(&err, "share memory");
	lxmgr_container_close(c);
	status = shared ? shared->status : 125;
	shared_free(shared, sizeof(*shared));
	if (r < 0) {
		free(out);
		if (!err.status)
			err.status = status;
		return module_fail(L, &err);
	}
	lua_pushinteger(L, status);
	if (a.capture)
		lua_pushlstring(L, out ? out : "", len);
	free(out);
	return a.capture ? 2 : 1;
}
