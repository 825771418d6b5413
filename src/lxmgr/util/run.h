/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running other programs: an argument vector, never a shell; a time limit; captured output. */
#ifndef LXMGR_UTIL_RUN_H
#define LXMGR_UTIL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct run_opts {
	const char *const *env; /* NULL: this process's environment */
	int stdin_fd;		/* -1: /dev/null */
	int stdout_fd;		/* -1: /dev/null unless capture */
	int stderr_fd;		/* -1: with capture together with stdout, else /dev/null */
	size_t capture;		/* keep up to this many bytes of output; more is read and dropped */
	int timeout_ms;		/* 0: none; then SIGKILL to its process group */
	int dirfd;		/* working directory, -1: "/" */
	int cancel_fd;		/* readable: kill the program and return -ECANCELED; -1: none */
	/* Runs in the child just before exec; must be async-signal-safe. Non-zero: run_program()
	 * returns the errno that it leaves, or -ECANCELED. */
	int (*prepare)(void *data);
	void *data;
	/* Called with every piece of captured output as it arrives (may be NULL). */
	void (*on_output)(const char *data, size_t len, void *arg);
	void *on_output_arg;
	/* Called now and then while it runs (may be NULL); only with captured output. */
	void (*tick)(pid_t pid, void *arg);
	void *tick_arg;
	const int *pass_fds; /* become 3, 4, ... in the program */
	size_t n_pass;	     /* at most RUN_MAX_PASS */
};

#define RUN_MAX_PASS 16

#define RUN_OPTS_INIT                                                                          \
	{                                                                                      \
		.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .dirfd = -1, .cancel_fd = -1 \
	}

/*
 * Run argv[0] (with a slash: that path; else searched in PATH) in a process group of its own and
 * wait. Signals are at their defaults in it and nothing but 0, 1, 2 (and pass_fds) is open. Returns
 * the wait status (see WIFEXITED), -ETIMEDOUT, -ECANCELED, -ENOENT if it cannot be found, or
 * another negative errno. *ret_out (may be NULL) is the captured output, terminated, to be freed.
 */
int run_program(const char *const *argv, const struct run_opts *opts, char **ret_out);

/* True if prog is found: an absolute path, or in PATH. */
bool run_has_program(const char *prog);
/* The wait status in words ("exit status 3", "signal 9 (Killed)") in buf. */
const char *run_status_text(int status, char *buf, size_t size);

#endif
