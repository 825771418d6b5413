/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the confined process may not do itself: run programs in the root. The broker keeps the
 * caller's rights, takes argument vectors and nothing else, and lets each program have namespaces
 * of its own in which the root is all there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/lua_int.h"
#include "kernel/caps.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/str.h"

#define REQUEST_MAX (128 << 10)
#define OUTPUT_MAX  (96 << 10)
#define MAX_ARGS    512
#define DEFAULT_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Followed by the arguments, the environment, the working directory, each ended by NUL, and then
 * the input. */
struct run_request {
	uint32_t n_args, n_env, capture, input_len;
};

struct run_reply {
	int status; /* exit status, or -errno with the step in text */
	uint32_t len;
	char text[OUTPUT_MAX];
};

#define CAP(c) (1ULL << (c))
#define CAPS_RUN                                                                                  \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_FOWNER) |    \
	 CAP(CAP_FSETID) | CAP(CAP_KILL) | CAP(CAP_SETGID) | CAP(CAP_SETUID) | CAP(CAP_SETPCAP) | \
	 CAP(CAP_SETFCAP) | CAP(CAP_SYS_CHROOT) | CAP(CAP_NET_BIND_SERVICE))

/* A request as vectors that point into the message. */
struct job {
	char *argv[MAX_ARGS + 1], *env[MAX_ARGS + 2];
	const char *cwd, *input;
	size_t input_len;
	bool capture;
};

static int parse_job(char *buf, size_t len, struct job *j)
{
	struct run_request h;
	char *p = buf + sizeof(h), *end = buf + len;
	size_t n_strings;

	if (len < sizeof(h))
		return -EPROTO;
	memcpy(&h, buf, sizeof(h));
	if (!h.n_args || h.n_args > MAX_ARGS || h.n_env > MAX_ARGS)
		return -EPROTO;
	n_strings = (size_t)h.n_args + h.n_env + 1;
	for (size_t i = 0; i < n_strings; i++) {
		char *nul = memchr(p, '\0', (size_t)(end - p));

		if (!nul)
			return -EPROTO;
		if (i < h.n_args)
			j->argv[i] = p;
		else if (i < n_strings - 1)
			j->env[i - h.n_args] = p;
		else
			j->cwd = p;
		p = nul + 1;
	}
	j->argv[h.n_args] = NULL;
	j->env[h.n_env] = (char *)DEFAULT_ENV;
	j->env[h.n_env + 1] = NULL;
	if (h.input_len != (size_t)(end - p))
		return -EPROTO;
	j->input = p;
	j->input_len = h.input_len;
	j->capture = h.capture;
	return 0;
}

/* A /dev of its own with the nodes that every program expects, taken from the host's. */
static int stage_dev(int root, struct lxmgr_err *err)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
	cleanup_fd int host = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int at = mount_open_target(root, "dev", MOUNT_CREATE_DIR, true, err);
	cleanup_fd int dev = -EBADF;
	int r = 0;

	if (at < 0)
		return at;
	dev = mount_new_fs("tmpfs", "none", "mode=755,size=64k", MOUNT_ATTR_NOSUID, err);
	if (dev < 0)
		return dev;
	/* First: before Linux 6.15 nothing can be mounted inside one that is nowhere yet. */
	r = mount_attach(dev, at, "/dev", err);
	for (size_t i = 0; i < ARRAY_SIZE(nodes) && r == 0; i++) {
		cleanup_fd int node = mount_clone(host, nodes[i], false, err);
		cleanup_fd int file = openat(dev, nodes[i], O_CREAT | O_EXCL | O_CLOEXEC, 0666);

		if (node < 0)
			return node;
		if (file < 0)
			return err_set(err, -errno, "make /dev/%s", nodes[i]);
		r = mount_attach(node, file, nodes[i], err);
	}
	if (r == 0 && symlinkat("/proc/self/fd", dev, "fd") < 0)
		r = err_set(err, -errno, "make /dev/fd");
	return r;
}

/* Namespaces here: new ones, owned by the user namespace of the root's ids. */
static int enter_root(const struct lua_ctx *c, struct lxmgr_err *err)
{
	cleanup_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int root = -EBADF, proc = -EBADF, at = -EBADF;
	int r = mount_set(host, 0, 0, 1UL << 18 /* MS_PRIVATE */, true, -1, err);

	if (r < 0)
		return r;
	root = mount_clone(dir, "", false, err);
	if (root < 0)
		return root;
	r = mount_attach(root, dir, "the root", err);
	if (r < 0)
		return r;
	/* Without a user namespace its root is the host's: /proc/sys would be too. */
	proc = mount_new_fs("proc", "proc", c->userns < 0 ? "subset=pid" : NULL,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (proc < 0)
		return proc;
	at = mount_open_target(root, "proc", MOUNT_CREATE_DIR, true, err);
	if (at < 0)
		return at;
	r = mount_attach(proc, at, "/proc", err);
	if (r == 0)
		r = stage_dev(root, err);
	if (r < 0)
		return r;
	if (fchdir(root) < 0)
		return err_set(err, -errno, "enter the root");
	r = sys_pivot_root(".", ".");
	if (r == 0)
		r = sys_umount2(".", 2 /* MNT_DETACH */);
	if (r < 0)
		return err_set(err, r, "change to the root");
	return chdir("/") < 0 ? err_set(err, -errno, "enter the root") : 0;
}

/* The first process of the pid namespace: waits for the program and all it left. */
__attribute__((noreturn)) static void first(pid_t program)
{
	int status = 0, code = 125;
	pid_t pid;

	while ((pid = wait(&status)) > 0 || errno == EINTR)
		if (pid == program) {
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			break;
		}
	_exit(code);
}

__attribute__((noreturn)) static void refuse(int report, const struct lxmgr_err *err)
{
	if (write(report, err, sizeof(*err)) < 0)
		_exit(126);
	_exit(125);
}

/* Namespaces here: all new; pid 1 in its own. */
__attribute__((noreturn)) static void inside(const struct lua_ctx *c, const struct job *j,
					     int report)
{
	struct lxmgr_err err = { 0 };
	uint64_t caps = CAPS_RUN;
	pid_t pid;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(022);
	if (enter_root(c, &err) < 0)
		refuse(report, &err);
	if (*j->cwd && chdir(j->cwd) < 0) {
		err_set(&err, -errno, "enter '%s'", j->cwd);
		refuse(report, &err);
	}
	/* In the host's user namespace it would open any file by its handle (open_by_handle_at). */
	if (c->userns < 0)
		caps &= ~CAP(CAP_DAC_READ_SEARCH);
	if (caps_apply(caps, &err) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		refuse(report, &err);
	r = lua_confine_program();
	if (r < 0) {
		err_set(&err, r, "confine '%s'", j->argv[0]);
		refuse(report, &err);
	}
	pid = fork();
	if (pid == 0) {
		setsid();
		signal(SIGPIPE, SIG_DFL);
		execvpe(j->argv[0], j->argv, j->env);
		err_set(&err, -errno, "run '%s'", j->argv[0]);
		refuse(report, &err);
	}
	/* Only the program's copy may stay: its end says that it runs. */
	close(report);
	first(pid);
}

/* A child of the broker: becomes the root's root and makes the namespaces. */
__attribute__((noreturn)) static void outside(const struct lua_ctx *c, const struct job *j,
					      int report)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID |
		    (c->net ? 0 : CLONE_NEWNET);
	struct lxmgr_err err = { 0 };
	int status = 0, r = 0;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (c->userns >= 0) {
		r = setgroups(0, NULL) < 0 ? -errno : sys_setns(c->userns, CLONE_NEWUSER);
		if (r == 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
			r = -errno;
	}
	if (r == 0)
		r = sys_unshare(flags);
	if (r < 0) {
		err_set(&err, r, "make namespaces for '%s'", j->argv[0]);
		refuse(report, &err);
	}
	/* The change of ids cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid = fork();
	if (pid == 0)
		inside(c, j, report);
	close(report);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* 0, 1, 2 of the program. */
static int place_stdio(const struct job *j, int out)
{
	cleanup_fd int in = j->input_len ? sys_memfd_create("input", 0)
					 : open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return -errno;
	if (j->input_len && write_all(in, j->input, j->input_len) < 0)
		return -EIO;
	if (lseek(in, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return -errno;
	if (dup2(in, 0) < 0 || dup2(out >= 0 ? out : 2, 1) < 0)
		return -errno;
	return 0;
}

/* Read on to the end, keep what there is room for. */
static void collect(int fd, struct run_reply *reply)
{
	char drop[4096];
	ssize_t n;

	for (;;) {
		size_t room = sizeof(reply->text) - reply->len;

		n = read(fd, room ? reply->text + reply->len : drop, room ? room : sizeof(drop));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		reply->len += room ? (uint32_t)n : 0;
	}
}

static void run_job(const struct lua_ctx *c, const struct job *j, struct run_reply *reply)
{
	cleanup_fd int out_r = -EBADF, out_w = -EBADF, rep_r = -EBADF, rep_w = -EBADF;
	struct lxmgr_err why;
	int p[2], status = 0;
	pid_t pid;

	reply->len = 0;
	reply->status = -EMFILE;
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	rep_r = p[0], rep_w = p[1];
	if (j->capture) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return;
		out_r = p[0], out_w = p[1];
	}
	pid = fork();
	if (pid == 0) {
		if (place_stdio(j, out_w) < 0)
			_exit(125);
		outside(c, j, rep_w);
	}
	if (pid < 0)
		return;
	fd_close(&rep_w);
	fd_close(&out_w);
	if (read(rep_r, &why, sizeof(why)) == sizeof(why)) {
		reply->status = why.code < 0 ? why.code : -EIO;
		snprintf(reply->text, sizeof(reply->text), "%.500s", why.text);
		reply->len = (uint32_t)strlen(reply->text);
		waitpid(pid, &status, 0);
		return;
	}
	if (out_r >= 0)
		collect(out_r, reply);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	reply->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

__attribute__((noreturn)) static void serve(const struct lua_ctx *c, int sock)
{
	static char buf[REQUEST_MAX];
	static struct run_reply reply;
	static struct job job;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(LUA_ANSWER_FD);
	while ((n = msg_recv(sock, buf, sizeof(buf), NULL, NULL)) > 0) {
		if (parse_job(buf, (size_t)n, &job) < 0)
			break;
		run_job(c, &job, &reply);
		if (msg_send(sock, &reply, offsetof(struct run_reply, text) + reply.len, NULL, 0) <
		    0)
			break;
	}
	_exit(0);
}

int lua_broker_start(struct lua_ctx *c)
{
	int pair[2], r = msg_pair(pair);
	pid_t pid;

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
	c->broker = pair[0];
	return 0;
}

static void add_string(lua_State *L, struct strbuf *b, const char *s, size_t len)
{
	if (!s || strlen(s) != len || b->len + len + 1 > REQUEST_MAX) {
		strbuf_free(b);
		luaL_error(L, "run: an argument has a NUL or they are too long");
	}
	strbuf_add(b, s, len + 1);
}

/* The strings of the array at the top: how many. */
static uint32_t add_array(lua_State *L, struct strbuf *b)
{
	lua_Unsigned n = lua_rawlen(L, -1);

	if (n > MAX_ARGS)
		luaL_error(L, "run: too many arguments");
	for (lua_Unsigned i = 1; i <= n; i++) {
		size_t len;
		const char *s;

		lua_rawgeti(L, -1, (lua_Integer)i);
		s = lua_tolstring(L, -1, &len);
		if (!s) {
			strbuf_free(b);
			luaL_error(L, "run: an argument is no string");
		}
		add_string(L, b, s, len);
		lua_pop(L, 1);
	}
	return (uint32_t)n;
}

static void add_cwd_and_input(lua_State *L, struct strbuf *b, struct run_request *h)
{
	size_t len;
	const char *s;

	lua_getfield(L, 1, "cwd");
	s = luaL_optlstring(L, -1, "", &len);
	add_string(L, b, s, len);
	lua_getfield(L, 1, "input");
	s = luaL_optlstring(L, -1, "", &len);
	if (b->len + len > REQUEST_MAX) {
		strbuf_free(b);
		luaL_error(L, "run: the input is too long");
	}
	strbuf_add(b, s, len);
	h->input_len = (uint32_t)len;
	lua_pop(L, 2);
}

static int l_run(lua_State *L)
{
	static struct run_reply reply;
	struct lua_ctx *c = lua_ctx_of(L);
	struct strbuf b = { 0 };
	struct run_request h = { 0 };
	ssize_t n;
	int r;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argcheck(L, lua_rawlen(L, 1) > 0, 1, "no program");
	lua_settop(L, 1);
	strbuf_add(&b, (const char *)&h, sizeof(h));
	h.n_args = add_array(L, &b);
	if (lua_getfield(L, 1, "env") == LUA_TTABLE)
		h.n_env = add_array(L, &b);
	lua_getfield(L, 1, "capture");
	h.capture = (uint32_t)lua_toboolean(L, -1);
	lua_pop(L, 2);
	add_cwd_and_input(L, &b, &h);
	if (b.failed)
		return luaL_error(L, "run: out of memory");
	memcpy(b.s, &h, sizeof(h));
	r = msg_send(c->broker, b.s, b.len, NULL, 0);
	strbuf_free(&b);
	n = r < 0 ? r : msg_recv(c->broker, &reply, sizeof(reply), NULL, NULL);
	if (n < (ssize_t)offsetof(struct run_reply, text))
		return luaL_error(L, "run: what runs programs is gone");
	if (reply.status < 0)
		return luaL_error(L, "%s", lua_pushlstring(L, reply.text, reply.len));
	lua_pushinteger(L, reply.status);
	lua_pushlstring(L, reply.text, reply.len);
	return 2;
}

void lua_add_run(lua_State *L)
{
	lua_pushcfunction(L, l_run);
	lua_setfield(L, -2, "run");
}
