/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/inside.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/msg.h"

#define ROOT_TIMEOUT_MS 10000

/* Namespaces here: the host's, then the container's mount namespace. */
static int enter(const struct state *s, int (*fn)(int, void *, struct lxmgr_err *), void *data,
		 struct lxmgr_err *err)
{
	cleanup_fd int pidfd = state_init_pidfd(s), root = -EBADF;
	int r;

	if (pidfd < 0)
		return err_set(err, pidfd, "find the init of the container");
	prctl(PR_SET_DUMPABLE, 0);
	r = sys_setns(pidfd, CLONE_NEWNS);
	if (r < 0)
		return err_set(err, r, "join the container's mount namespace");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_set(err, -errno, "open the container's root") : fn(root, data, err);
}

int inside_run(const struct state *s, int timeout_ms, int (*fn)(int, void *, struct lxmgr_err *),
	       void *data, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int pair[2], r = msg_pair(pair);
	struct pollfd p;
	pid_t pid;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	pid = fork();
	if (pid == 0) {
		why.code = enter(s, fn, data, &why);
		_exit(msg_send(pair[1], &why, sizeof(why), NULL, 0) < 0);
	}
	close(pair[1]);
	p = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	if (pid < 0)
		err_msg(&why, -EIO, "cannot fork");
	else if (poll(&p, 1, timeout_ms) == 0)
		err_msg(&why, -ETIMEDOUT, "the container's mounts did not answer within %d s",
			timeout_ms / 1000);
	else if (msg_recv(pair[0], &why, sizeof(why), NULL, NULL) != sizeof(why))
		err_msg(&why, -EIO, "the helper process ended");
	close(pair[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		/* Not even a killed process leaves a FUSE whose daemon, the guest's, keeps it. */
		while (waitpid(pid, NULL, why.code == -ETIMEDOUT ? WNOHANG : 0) < 0 &&
		       errno == EINTR)
			;
	}
	if (why.code < 0 && err)
		*err = why;
	return why.code < 0 ? why.code : 0;
}

/* Namespaces here: the container's mount namespace. */
static int send_root(int root, void *data, struct lxmgr_err *err)
{
	int r = msg_send(*(const int *)data, "r", 1, &root, 1);

	return r < 0 ? err_set(err, r, "hand the container's root out") : 0;
}

int inside_root(const struct state *s, struct lxmgr_err *err)
{
	cleanup_fd int mine = -EBADF, its = -EBADF;
	int pair[2], root = -EBADF, r = msg_pair(pair);
	size_t n = 1;
	char c;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	its = pair[1];
	r = inside_run(s, ROOT_TIMEOUT_MS, send_root, &its, err);
	if (r < 0)
		return r;
	r = (int)msg_recv(mine, &c, 1, &root, &n);
	if (r != 1 || n != 1)
		return err_set(err, r < 0 ? r : -EPROTO, "open the container's root");
	return root;
}

int inside_clone(struct cgroup *cg, struct clone_args *args)
{
	int pid = -EBUSY;

	/* An init that comes up hands on controllers: its group may have become one that holds no
	 * processes since we looked. */
	for (int tries = 0; pid == -EBUSY && tries < 4; tries++) {
		if (tries && cg) {
			fd_close(&cg->into_fd);
			if (cgroup_open_attach(cg, NULL) < 0)
				break;
		}
		if (cg && cg->into_fd >= 0) {
			args->flags |= CLONE_INTO_CGROUP;
			args->cgroup = (uint64_t)cg->into_fd;
		}
		pid = sys_clone3(args);
		if (!(args->flags & CLONE_INTO_CGROUP))
			break;
	}
	return pid;
}
