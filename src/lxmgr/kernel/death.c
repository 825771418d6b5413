/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel/death.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

/* Only calls that are safe behind a fork of a process with threads. */
__attribute__((noreturn)) static void guard(int caller, int target, int signal)
{
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN }, { .fd = 1, .events = POLLIN } };
	sigset_t all;

	/* What ends the caller's group or terminal does not end this one first. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "lxmgr-guard");
	/* Nobody's pipe or lock is held open here. Both are above 2: fork found 0, 1 and 2 in use.
	 */
	if (dup2(caller, 0) < 0 || dup2(target, 1) < 0 || sys_close_range(2, ~0U, 0) < 0)
		_exit(1);
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[0].revents && !p[1].revents)
		sys_pidfd_send_signal(1, signal);
	_exit(0);
}

int death_guard(int pidfd, int signal, struct lxmgr_err *err)
{
	cleanup_fd int self = sys_pidfd_open(getpid(), 0);
	int target = fcntl(pidfd, F_DUPFD_CLOEXEC, 3), caller = fcntl(self, F_DUPFD_CLOEXEC, 3);
	int status = 1;
	pid_t pid = -1;

	if (target >= 0 && caller >= 0)
		pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			guard(caller, target, signal);
		_exit(pid < 0);
	}
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	fd_close(&target);
	fd_close(&caller);
	return pid > 0 && status == 0
		       ? 0
		       : err_set(err, -EAGAIN, "make the process that sends the death signal");
}
