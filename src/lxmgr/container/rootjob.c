/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/rootfs.h"
#include "container/rootjob.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/msg.h"

struct message {
	bool is_error;
	int permille;
	struct lxmgr_err err; /* its text is that of the progress, too */
};

void rootjob_tell(struct rootjob *j, const char *text, int permille)
{
	struct message m = { .permille = permille };

	snprintf(m.err.text, sizeof(m.err.text), "%s", text);
	/* Nobody hears it: then this process is about to be killed. */
	(void)msg_send(j->sock, &m, sizeof(m), NULL, 0);
}

/* Namespaces here: a mount namespace of its own, all else the host's. */
__attribute__((noreturn)) static void child(struct rootjob *j)
{
	struct message m = { .is_error = true };
	struct storage st;
	int root, r;

	/* A signal from the terminal ends the tool; this one is ended by it. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(022);
	root = rootfs_open_stopped(j->ct_fd, j->path, j->spec, &st, &m.err);
	r = root < 0 ? root : j->fn(root, &st, j, &m.err);
	if (r < 0 && msg_send(j->sock, &m, sizeof(m), NULL, 0) < 0)
		_exit(2);
	_exit(r < 0);
}

/* Until the child ends; true: with an error, in *ret. */
static bool listen_to(struct rootjob *j, int sock, pid_t pid, bool *ret_cancelled,
		      struct lxmgr_err *ret)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN },
			       { .fd = j->cancel_fd, .events = POLLIN } };
	struct message m;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents) {
			kill(pid, SIGKILL);
			*ret_cancelled = true;
			return true;
		}
		if (msg_recv(sock, &m, sizeof(m), NULL, NULL) != sizeof(m))
			return false;
		m.err.text[sizeof(m.err.text) - 1] = '\0';
		if (m.is_error) {
			*ret = m.err;
			return true;
		}
		if (j->progress)
			j->progress(m.err.text, m.permille, j->progress_arg);
	}
}

int rootjob_run(struct rootjob *j, struct lxmgr_err *err)
{
	cleanup_fd int mine = -EBADF;
	struct lxmgr_err why = { 0 };
	bool cancelled = false, failed;
	int pair[2], status = 0, r;
	pid_t pid;

	j->result_fd = sys_memfd_create("result", 0);
	r = j->result_fd < 0 ? j->result_fd : msg_pair(pair);
	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	j->sock = pair[1];
	pid = fork();
	if (pid == 0)
		child(j);
	fd_close(&j->sock);
	if (pid < 0)
		return err_set(err, -errno, "fork");
	failed = listen_to(j, mine, pid, &cancelled, &why);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (cancelled)
		return err_msg(err, -ECANCELED, "interrupted");
	if (failed) {
		if (err)
			*err = why;
		return why.code < 0 ? why.code : -EIO;
	}
	if (status)
		return err_msg(err, -EIO, "the work on the container's root ended early");
	return lseek(j->result_fd, 0, SEEK_SET) < 0 ? err_set(err, -errno, "read the result") : 0;
}
