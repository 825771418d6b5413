/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pseudo terminals of a container, sizes, raw mode, and the byte proxy. */
#ifndef LXMGR_KERNEL_TTY_H
#define LXMGR_KERNEL_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

struct lxmgr_err;

/* Open a new pty in the devpts whose root is devpts_fd (O_PATH or a detached mount), verified to
 * be a devpts. master and peer are close-on-exec; *ret_index is N of pts/N. */
int tty_open_pair(int devpts_fd, int *ret_master, int *ret_peer, int *ret_index,
		  struct lxmgr_err *err);
/* Put tty_fd into raw mode, saving the old state. -ENOTTY if it is none. */
int tty_raw(int tty_fd, struct termios *ret_saved);
int tty_restore(int tty_fd, const struct termios *saved);
int tty_copy_size(int from_fd, int to_fd);
/* Lines end in a newline alone. By a pty's master. */
int tty_plain(int tty_fd);

struct tty_proxy {
	int in_fd, out_fd; /* the caller's side; out_fd may be in_fd */
	int master_fd;	   /* the container's side */
	int pidfd;	   /* ends when this process ends and the master is drained; -1: none */
	int log_fd;	   /* copy of the output, -1: none */
	int escape; /* prefix character ('a' - 'a' + 1 is Ctrl-a), -1: none; then 'q' leaves */
	bool winch; /* forward SIGWINCH from in_fd */
	bool leave_at_eof; /* the end of in_fd is as the escape; else it is typed (Ctrl-d) */
};
/* Copy bytes both ways until the master ends, the process ends or the escape is typed. Returns 0
 * for an end, 1 for the escape. Blocks SIGWINCH in the calling process. */
int tty_proxy_run(const struct tty_proxy *p, struct lxmgr_err *err);

#endif
