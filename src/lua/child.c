/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tool does once and then ends is done in a child here: the monitor of a container is no
 * child of a script that may run for years, and a command's output can be taken.
 */
#include "module.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct child_result {
	int ret;
	struct lxmgr_err err;
};

void *shared_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void shared_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static void child_main(int (*fn)(void *, struct lxmgr_err *), void *data, struct child_result *r,
		       pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	r->ret = fn(data, &r->err);
	/* What the script has in its buffers is the script's to write. */
	_exit(0);
}

static int fill(struct lxmgr_err *err, int code, const char *text)
{
	*err = (struct lxmgr_err){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s: %s", text, strerror(-code));
	return code;
}

int child_run(int (*fn)(void *data, struct lxmgr_err *err), void *data, struct lxmgr_err *err)
{
	struct child_result *shared = shared_new(sizeof(*shared));
	pid_t parent = getpid(), pid;
	int r, status = 0;

	if (!shared)
		return fill(err, -errno, "share memory with a child");
	pid = fork();
	if (pid == 0)
		child_main(fn, data, shared, parent);
	if (pid < 0) {
		r = fill(err, -errno, "fork");
	} else {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		r = WIFEXITED(status) && WEXITSTATUS(status) == 0
			    ? shared->ret
			    : fill(err, -EINTR, "the process that did it was killed");
		if (shared->err.code)
			*err = shared->err;
	}
	shared_free(shared, sizeof(*shared));
	return r;
}
