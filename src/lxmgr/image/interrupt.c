/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/signalfd.h>
#include <unistd.h>

#include "image/interrupt.h"
#include "util/cleanup.h"
#include "util/log.h"

void interrupt_begin(struct interrupt *i)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &i->saved);
	i->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void interrupt_end(struct interrupt *i)
{
	struct signalfd_siginfo si;

	while (read(i->fd, &si, sizeof(si)) > 0)
		log_info("interrupted by signal %u", si.ssi_signo);
	fd_close(&i->fd);
	sigprocmask(SIG_SETMASK, &i->saved, NULL);
}
