/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"

#define TICK_MS 500

/* Find prog as execvp would, into path. */
static int find_program(const char *prog, char *path, size_t size)
{
	const char *dirs = getenv("PATH");

	if (strchr(prog, '/')) {
		snprintf(path, size, "%s", prog);
		return access(path, X_OK) < 0 ? -errno : 0;
	}
	if (!dirs || !*dirs)
		dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	while (*dirs) {
		size_t n = strcspn(dirs, ":");

		if (n && *dirs == '/' &&
		    (size_t)snprintf(path, size, "%.*s/%s", (int)n, dirs, prog) < size &&
		    access(path, X_OK) == 0)
			return 0;
		dirs += n + (dirs[n] == ':');
	}
	return -ENOENT;
}

bool run_has_program(const char *prog)
{
	char path[4096];

	return find_program(prog, path, sizeof(path)) == 0;
}

/* The descriptors that the program gets, as 0, 1, ...: away from there first, so that no dup2
 * destroys a source that is still needed. */
static int place_fds(const int stdio[3], const struct run_opts *o, unsigned int *ret_n)
{
	size_t n = 3 + (o->n_pass < RUN_MAX_PASS ? o->n_pass : RUN_MAX_PASS);
	int fds[3 + RUN_MAX_PASS];

	for (size_t i = 0; i < n; i++) {
		fds[i] = i < 3 ? stdio[i] : o->pass_fds[i - 3];
		if (fds[i] < (int)n && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, (int)n)) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(fds[i], (int)i) < 0)
			return -1;
	*ret_n = (unsigned int)n;
	return 0;
}

/* In the child: only async-signal-safe calls. Never returns. */
static void child(const char *path, const char *const *argv, const struct run_opts *o, int out,
		  int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[3] = { o->stdin_fd >= 0 ? o->stdin_fd : null,
		       out >= 0		   ? out
		       : o->stdout_fd >= 0 ? o->stdout_fd
					   : null,
		       o->stderr_fd >= 0 ? o->stderr_fd
		       : out >= 0	 ? out
					 : null };
	unsigned int n_fds = 3;
	sigset_t none;
	int code;

	setpgid(0, 0);
	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || (o->dirfd >= 0 ? fchdir(o->dirfd) : chdir("/")) < 0)
		goto fail;
	if (report < (int)(3 + o->n_pass))
		report = fcntl(report, F_DUPFD_CLOEXEC, 3 + (int)o->n_pass);
	if (report < 0 || place_fds(fds, o, &n_fds) < 0)
		goto fail;
	errno = 0;
	if (o->prepare && o->prepare(o->data) != 0) {
		if (!errno)
			errno = ECANCELED;
		goto fail;
	}
	syscall(SYS_close_range, n_fds, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
	execve(path, (char *const *)argv, o->env ? (char *const *)o->env : environ);
fail:
	code = errno;
	if (write(report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* For poll(): until the next tick, or the deadline; -1: for ever. */
static int patience(const struct run_opts *o, int64_t left, bool limited)
{
	int ms = limited ? (int)left : -1;

	return o->tick && (ms < 0 || ms > TICK_MS) ? TICK_MS : ms;
}

/* Read out until its end or the deadline. Returns 0, -ETIMEDOUT or -ECANCELED. */
static int collect(pid_t pid, int out, const struct run_opts *o, int64_t end, struct strbuf *buf)
{
	char piece[8192];

	for (;;) {
		struct pollfd p[2] = { { .fd = out, .events = POLLIN },
				       { .fd = o->cancel_fd, .events = POLLIN } };
		int64_t left = end ? end - now_ms() : -1;
		ssize_t n;
		int r;

		if (end && left <= 0)
			return -ETIMEDOUT;
		r = poll(p, 2, patience(o, left, end != 0));
		if (r == 0 && o->tick)
			o->tick(pid, o->tick_arg);
		if (r <= 0)
			continue;
		if (p[1].revents)
			return -ECANCELED;
		n = read(out, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		if (o->on_output)
			o->on_output(piece, (size_t)n, o->on_output_arg);
		if (buf->len < o->capture)
			strbuf_add(buf, piece,
				   (size_t)n < o->capture - buf->len ? (size_t)n
								     : o->capture - buf->len);
	}
}

/* Wait for pid until end (0: for ever). Returns 0 or -ETIMEDOUT. */
static int wait_until(pid_t pid, int64_t end, int *ret_status)
{
	for (int ms = 1;; ms = ms < 50 ? ms * 2 : 50) {
		pid_t r = waitpid(pid, ret_status, end ? WNOHANG : 0);

		if (r == pid)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (end && now_ms() >= end)
			return -ETIMEDOUT;
		if (end)
			poll(NULL, 0, ms);
	}
}

int run_program(const char *const *argv, const struct run_opts *opts, char **ret_out)
{
	static const struct run_opts none = RUN_OPTS_INIT;
	const struct run_opts *o = opts ? opts : &none;
	cleanup_fd int out_r = -EBADF, out_w = -EBADF, rep_r = -EBADF, rep_w = -EBADF;
	cleanup_strbuf struct strbuf buf = { 0 };
	int64_t end = o->timeout_ms ? now_ms() + o->timeout_ms : 0;
	int p[2], status = 0, code = 0, r;
	char path[4096];
	pid_t pid;

	r = find_program(argv[0], path, sizeof(path));
	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	rep_r = p[0], rep_w = p[1];
	if (o->capture || o->on_output) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return -errno;
		out_r = p[0], out_w = p[1];
	}
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(path, argv, o, out_w, rep_w);
	setpgid(pid, pid);
	fd_close(&rep_w);
	fd_close(&out_w);
	r = 0;
	if (read(rep_r, &code, sizeof(code)) == sizeof(code)) {
		waitpid(pid, &status, 0);
		return -code;
	}
	if (out_r >= 0)
		r = collect(pid, out_r, o, end, &buf);
	if (r == 0)
		r = wait_until(pid, end, &status);
	if (r < 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return r;
	}
	if (ret_out) {
		*ret_out = strbuf_take(&buf);
		if (!*ret_out)
			return -ENOMEM;
	}
	return status;
}

const char *run_status_text(int status, char *buf, size_t size)
{
	if (WIFEXITED(status))
		snprintf(buf, size, "exit status %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(buf, size, "signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(buf, size, "wait status %#x", (unsigned int)status);
	return buf;
}
