/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The init of lxmgr-execute: runs one command, passes signals on, reaps what is left to it, and
 * ends with the command's status. Static, and run from a sealed copy: the container never gets a
 * file of the host's in its hands (CVE-2019-5736).
 *
 *	lxmgr-init UID GID COMMAND ...		(4294967295: leave; the groups are what it got)
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what)
{
	const char *why = strerror(errno);

	if (write(2, "lxmgr-init: ", 12) < 0 || write(2, what, strlen(what)) < 0 ||
	    write(2, ": ", 2) < 0 || write(2, why, strlen(why)) < 0 || write(2, "\n", 1) < 0)
		_exit(125);
}

static void run(char **argv, const sigset_t *saved)
{
	unsigned long uid = strtoul(argv[1], NULL, 10), gid = strtoul(argv[2], NULL, 10);

	setsid();
	/* The command, not this init, is what the terminal talks to. */
	ioctl(0, TIOCSCTTY, 1);
	if ((gid != 4294967295UL && setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0) ||
	    (uid != 4294967295UL && setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)) {
		say("cannot change the user");
		_exit(125);
	}
	sigprocmask(SIG_SETMASK, saved, NULL);
	execvp(argv[3], argv + 3);
	say(argv[3]);
	_exit(errno == ENOENT ? 127 : 126);
}

int main(int argc, char **argv)
{
	sigset_t all, saved;
	int status = 0;
	pid_t pid, got;

	if (argc < 4)
		return 125;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &saved);
	pid = fork();
	if (pid < 0) {
		say("fork");
		return 125;
	}
	if (pid == 0)
		run(argv, &saved);
	for (;;) {
		int sig = sigwaitinfo(&all, NULL);

		if (sig > 0 && sig != SIGCHLD) {
			/* How a container is asked to halt is for a command to end. */
			kill(pid, sig == SIGPWR ? SIGTERM : sig);
			continue;
		}
		while ((got = waitpid(-1, &status, WNOHANG)) > 0)
			if (got == pid)
				return WIFEXITED(status) ? WEXITSTATUS(status)
							 : 128 + WTERMSIG(status);
	}
}
