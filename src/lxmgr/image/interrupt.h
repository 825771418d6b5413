/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ctrl-C and a terminating signal end the program that is run, not us: what it left is removed
 * first. */
#ifndef LXMGR_IMAGE_INTERRUPT_H
#define LXMGR_IMAGE_INTERRUPT_H

#include <signal.h>

struct interrupt {
	sigset_t saved;
	int fd; /* readable: interrupted. For run_opts.cancel_fd */
};

void interrupt_begin(struct interrupt *i);
/* What came is taken: the caller has things of its own to take back before it ends. */
void interrupt_end(struct interrupt *i);

#endif
