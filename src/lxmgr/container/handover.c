/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the big process that starts a container to the small, static one that watches it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/start.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"

/* Keep fd open over exec and tell its number. */
static int pass(struct strlist *argv, const char *option, int fd)
{
	if (fd < 0)
		return 0;
	if (fd_cloexec(fd, false) < 0)
		return -EBADF;
	return strlist_addf(argv, "--%s=%d", option, fd);
}

static int pass_namespaces(struct start *s, struct strlist *argv)
{
	bool hook = s->c->config.hooks[HOOK_STOP].n;
	bool phys = false;

	/* A device that was moved in is moved back from its namespace, which must live that long:
	 * with it, the kernel would delete a virtual one. */
	for (size_t i = 0; i < s->n_nets; i++)
		phys |= s->nets[i].type == NET_PHYS;
	for (int i = 0; i < NS_COUNT; i++) {
		int fd = -1;

		if (hook || (phys && i == NS_NET))
			fd = ns_open(s->pid, (enum ns_type)i);

		if (fd < 0)
			continue;
		if (fd_cloexec(fd, false) < 0 || strlist_addf(argv, "--ns=%d:%d", i, fd) < 0)
			return -ENOMEM;
	}
	return 0;
}

int start_handover(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
					   "/sbin:/bin",
					   NULL };
	cleanup_strlist struct strlist argv = { 0 };
	int r = 0;

	/* The name first: it is what ps shows. */
	r |= strlist_add(&argv, "lxmgr-supervise");
	r |= strlist_add(&argv, s->c->name);
	r |= strlist_add(&argv, s->c->path);
	if (s->c->rcfile)
		r |= strlist_addf(&argv, "--rcfile=%s", s->c->rcfile);
	r |= pass(&argv, "pidfd", s->pidfd);
	r |= pass(&argv, "control", s->control_fd);
	r |= pass(&argv, "report", s->report_fd);
	r |= pass(&argv, "log", s->log_fd);
	if (s->log_fd >= 0) {
		r |= strlist_addf(&argv, "--log-path=%s", cfg->console_logfile);
		r |= strlist_addf(&argv, "--log-size=%llu", (unsigned long long)cfg->console_size);
		if (cfg->console_rotate)
			r |= strlist_add(&argv, "--log-rotate");
	}
	if (s->service)
		r |= strlist_add(&argv, "--service");
	if (s->restarts >= 0)
		r |= strlist_addf(&argv, "--restarts=%d", s->restarts);
	/* A unit has a timer for it. */
	if (cfg->health_cmd && !s->service)
		r |= strlist_addf(&argv, "--health=%llu",
				  (unsigned long long)cfg->health_interval_ms);
	if (*s->base)
		r |= strlist_addf(&argv, "--base=%s", s->base);
	r |= pass(&argv, "ready", s->ready_fd);
	r |= pass(&argv, "usage", s->usage_fd);
	r |= pass(&argv, "usage-ask", s->usage_ask_fd);
	r |= pass(&argv, "ready-out", s->ready_out);
	if (cfg->console_buffer_size)
		r |= strlist_addf(&argv, "--ring=%llu",
				  (unsigned long long)cfg->console_buffer_size);
	for (size_t i = 0; i <= s->n_ttys; i++) {
		char option[16];

		snprintf(option, sizeof(option), "tty%zu", i);
		r |= pass(&argv, option, s->tty_fd[i]);
	}
	for (size_t i = 0; i < s->n_nets; i++)
		if (s->nets[i].managed) {
			r |= strlist_add(&argv, "--watch-nat");
			break;
		}
	r |= pass_namespaces(s, &argv);
	if (r)
		return err_set(err, -ENOMEM, "hand over to the monitor");
	execve(LIBEXECDIR "/lxmgr-supervise", argv.v, (char *const *)env);
	return err_set(err, -errno, "run '%s'", LIBEXECDIR "/lxmgr-supervise");
}
