/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "container/rootfs.h"
#include "container/rootrun.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/msg.h"

typedef int root_fn(int root, const struct storage *st, void *data, struct lxmgr_err *err);

/* Namespaces here: a mount namespace of its own, all else the host's. */
__attribute__((noreturn)) static void child(int sock, int ct_fd, const char *path,
					    const struct storage_spec *spec, root_fn *fn,
					    void *data)
{
	struct lxmgr_err err = { 0 };
	struct storage st;
	int root, r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(022);
	root = rootfs_open_stopped(ct_fd, path, spec, &st, &err);
	r = root < 0 ? root : fn(root, &st, data, &err);
	if (r < 0 && msg_send(sock, &err, sizeof(err), NULL, 0) < 0)
		_exit(2);
	_exit(r < 0 ? 125 : r);
}

int rootrun_stopped(int ct_fd, const char *path, const struct storage_spec *spec, root_fn *fn,
		    void *data, struct lxmgr_err *err)
{
	cleanup_fd int mine = -EBADF, its = -EBADF;
	struct lxmgr_err why;
	int pair[2], status = 0, r = msg_pair(pair);
	pid_t pid;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	its = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0)
		child(its, ct_fd, path, spec, fn, data);
	fd_close(&its);
	r = (int)msg_recv(mine, &why, sizeof(why), NULL, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == sizeof(why)) {
		why.text[sizeof(why.text) - 1] = '\0';
		if (err)
			*err = why;
		return why.code < 0 ? why.code : -EIO;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) < 100)
		return WEXITSTATUS(status);
	return err_msg(err, -EIO, "the work on the container's root ended early");
}
