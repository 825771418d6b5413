/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows when a container's init has ended: teardown, then nothing, a restart or the end. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "container/finish.h"
#include "container/start.h"
#include "container/teardown.h"
#include "util/err.h"
#include "util/log.h"

static void report_end(int fd, int status)
{
	if (fd >= 0)
		start_send(fd, START_ENDED, status, NULL, NULL, 0);
}

/* Start again in this process. Returns only when that failed. */
static int restart_here(struct lxmgr_container *c, const struct finish *f, struct lxmgr_err *err)
{
	struct start s;
	int r;

	start_init(&s, c);
	s.report_fd = f->report_fd;
	s.service = f->service;
	if (f->base)
		snprintf(s.base, sizeof(s.base), "%s", f->base);
	r = start_in_monitor(&s, err);
	start_release(&s);
	return r;
}

int container_finish(struct lxmgr_container *c, const struct finish *f)
{
	int status = f->wait_status;
	/* reboot(2) in a pid namespace ends its init with SIGHUP, halt and power-off with SIGINT.
	 */
	bool reboot = f->restart && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP;
	struct lxmgr_err err = { 0 };
	struct state s;
	bool stale;
	int r;

	/* Before the run directory goes. */
	if (container_load_running_config(c, &err) < 0)
		log_error("%s", err.text);
	r = state_read(c, &s, &stale, &err);
	if (r < 0) {
		log_error("%s: no state at its end: %s", c->name, err.text);
		report_end(f->report_fd, status);
		return 1;
	}
	state_set(c, LXMGR_STOPPING);
	r = teardown(c, &s, reboot ? "reboot" : "stop", f->ns_fd, &err);
	if (r < 0)
		log_error("%s: teardown: %s", c->name, err.text);
	if (reboot && c->config_loaded) {
		log_info("%s: restarting, as its init asked", c->name);
		r = restart_here(c, f, &err);
		log_error("%s: restart: %s", c->name, err.text);
	}
	if (c->config_loaded && c->config.ephemeral && c->dir_fd >= 0 &&
	    container_destroy_stopped(c, &err) < 0)
		log_error("%s: destroy (lxmgr.ephemeral): %s", c->name, err.text);
	report_end(f->report_fd, status);
	return r < 0;
}
