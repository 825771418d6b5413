/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands in containers, run in a child, and what they write. */
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

static int fail_errno(struct lxmgr_err *err, const char *text)
{
	*err = (struct lxmgr_err){ .code = -errno, .status = 125 };
	snprintf(err->text, sizeof(err->text), "%s: %s", text, strerror(errno));
	return err->code;
}

/* A file in memory: nobody has to write while another reads. */
static int input_fd(const struct capture *a, struct lxmgr_err *err)
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

static void child_main(int (*fn)(void *, struct capture_result *), void *data, int in, int out,
		       struct capture_result *r, pid_t parent)
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
	r->ret = fn(data, r);
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
static int run(const struct capture *a, int (*fn)(void *, struct capture_result *), void *data,
	       struct capture_result *shared, char **ret, size_t *ret_len, struct lxmgr_err *err)
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
		child_main(fn, data, in, pipefd[1], shared, parent);
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
		return fail_errno(err, "the process that ran it was killed");
	}
	if (shared->ret < 0)
		*err = shared->err;
	return shared->ret;
}

int capture_run(lua_State *L, const struct capture *a,
		int (*fn)(void *data, struct capture_result *r), void *data, struct lxmgr_err *err)
{
	struct capture_result *shared = shared_new(sizeof(*shared));
	size_t len = 0;
	char *out = NULL;
	int r;

	if (!shared)
		return fail_errno(err, "share memory");
	r = run(a, fn, data, shared, &out, &len, err);
	if (r < 0) {
		if (!err->status)
			err->status = shared->status ? shared->status : 125;
	} else {
		lua_pushinteger(L, shared->status);
		if (a->capture)
			lua_pushlstring(L, out ? out : "", len);
		else
			lua_pushnil(L);
		lua_pushstring(L, *shared->warning ? shared->warning : NULL);
	}
	free(out);
	shared_free(shared, sizeof(*shared));
	return r;
}
