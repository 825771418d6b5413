/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/sys.h"
#include "storage/aside.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"

static int move_away(int *const dirs[], size_t n, struct lxmgr_err *err)
{
	static char path[ASIDE_DIRS][PATH_MAX];
	cleanup_fd int host = -EBADF;
	char link[FD_PATH_SIZE];
	int r;

	for (size_t i = 0; i < n; i++) {
		ssize_t len = readlink(fd_path(*dirs[i], link), path[i], PATH_MAX);

		if (len <= 0 || len == PATH_MAX)
			return err_set(err, -ENAMETOOLONG, "find a directory again");
		path[i][len] = '\0';
	}
	r = sys_unshare(CLONE_NEWNS);
	if (r < 0)
		return err_set(err, r, "make a mount namespace");
	host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Slave, not private: what the host unmounts meanwhile must not stay busy here. */
	r = mount_set(host, 0, 0, MS_SLAVE, true, -1, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		*dirs[i] = reopen_dir(*dirs[i], path[i]);
		if (*dirs[i] < 0)
			r = err_set(err, *dirs[i], "open '%s'", path[i]);
	}
	return r;
}

/* Until the child has something to say or has ended; -ECANCELED: it was killed. */
static int wait_for(int sock, pid_t pid)
{
	struct pollfd p[] = { { .fd = sock, .events = POLLIN },
			      { .fd = tree_copy_cancel_fd(), .events = POLLIN } };

	while (poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
		;
	if (!p[1].revents || p[0].revents)
		return 0;
	kill(pid, SIGKILL);
	return -ECANCELED;
}

int storage_aside(int *const dirs[], size_t n, int (*fn)(void *data, struct lxmgr_err *err),
		  void *data, struct lxmgr_err *err)
{
	cleanup_fd int mine = -EBADF, its = -EBADF;
	struct lxmgr_err why = { 0 };
	int pair[2], status = 0, r = n <= ASIDE_DIRS ? msg_pair(pair) : -E2BIG;
	pid_t pid, self = getpid();

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	its = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0) {
		umask(0);
		if (tree_die_with_parent(&self))
			_exit(2);
		r = move_away(dirs, n, &why);
		if (r == 0)
			r = fn(data, &why);
		if (r < 0 && msg_send(its, &why, sizeof(why), NULL, 0) < 0)
			_exit(2);
		_exit(r < 0);
	}
	fd_close(&its);
	r = wait_for(mine, pid);
	if (r == 0)
		r = (int)msg_recv(mine, &why, sizeof(why), NULL, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == -ECANCELED)
		return err_set(err, r, "work on the root");
	if (r == sizeof(why) && why.code < 0) {
		why.text[sizeof(why.text) - 1] = '\0';
		if (err)
			*err = why;
		return why.code;
	}
	return status ? err_msg(err, -EIO, "work on the root ended early") : 0;
}
