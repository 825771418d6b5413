/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows when a container's init has ended: teardown, then nothing, a restart or the end. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "container/finish.h"
#include "container/start.h"
#include "container/teardown.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/run.h"

static void report_end(int fd, int status)
{
	if (fd >= 0)
		start_send(fd, START_ENDED, status, NULL, NULL, 0);
}

/* Start again in this process. Returns only when that failed. */
static int restart_here(struct lxmgr_container *c, const struct finish *f, int restarts,
			struct lxmgr_err *err)
{
	struct start s;
	int r;

	start_init(&s, c);
	s.report_fd = f->report_fd;
	s.service = f->service;
	s.restarts = restarts;
	if (f->base)
		snprintf(s.base, sizeof(s.base), "%s", f->base);
	r = start_in_monitor(&s, err);
	start_release(&s);
	return r;
}

/* Ended by itself, and not by its own halt. */
static bool has_failed(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) != 0
				 : WTERMSIG(status) != SIGINT && WTERMSIG(status) != SIGHUP;
}

/* What those see who look meanwhile: a start that takes its time, and whose monitor may be killed.
 */
static int note_waiting(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, true, err), state = -EBADF;
	int r;

	if (run < 0)
		return run;
	state = state_create(c, run, err);
	if (state < 0)
		return state;
	r = state_add(state, "flag waiting");
	return r < 0 ? err_set(err, r, "write the state of '%s'", c->name) : 0;
}

/* Who stops or starts it in the pause kills this process. Returns when it is given up. */
static int restart_by_policy(struct lxmgr_container *c, const struct finish *f, bool ran_long,
			     struct lxmgr_err *err)
{
	int n = ran_long ? 0 : f->restarts, r = 0;

	for (; n < RESTART_BURST; n++) {
		int pause = RESTART_PAUSE_S << n;

		log_notice("%s: starting it again in %d s (lxmgr.start.restart)", c->name, pause);
		r = note_waiting(c, err);
		if (r < 0)
			return r;
		sleep((unsigned int)pause);
		r = restart_here(c, f, n + 1, err);
		log_error("%s: restart: %s", c->name, err->text);
	}
	log_error("%s: it ended %d times in a row: it stays stopped", c->name, RESTART_BURST + 1);
	return r;
}

/* The exit status that systemd's Restart= goes by. */
static int unit_status(const struct lxmgr_container *c, bool asked, int status)
{
	if (asked)
		return FINISH_STOPPED;
	if (has_failed(status))
		return FINISH_FAILED;
	return c->config_loaded && c->config.start_restart == RESTART_ALWAYS ? FINISH_HALTED
									     : FINISH_STOPPED;
}

static bool policy_applies(const struct lxmgr_container *c, const struct finish *f)
{
	if (!f->restart || f->restarts < 0)
		return false;
	return c->config.start_restart == RESTART_ALWAYS ||
	       (c->config.start_restart == RESTART_ON_FAILURE && has_failed(f->wait_status));
}

int container_finish(struct lxmgr_container *c, const struct finish *f)
{
	int status = f->wait_status;
	/* reboot(2) in a pid namespace ends its init with SIGHUP, halt and power-off with SIGINT.
	 */
	bool reboot = f->restart && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP;
	struct lxmgr_err err = { 0 }, why = { 0 };
	struct state s;
	bool stale, again;
	char text[64];
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
	again = c->config_loaded && (reboot || policy_applies(c, f));
	r = teardown(c, &s, reboot ? "reboot" : "stop", f->ns_fd, again, &err);
	if (r < 0)
		log_error("%s: teardown: %s", c->name, err.text);
	if (again && reboot) {
		log_info("%s: restarting, as its init asked", c->name);
		r = restart_here(c, f, f->restarts, &err);
		log_error("%s: restart: %s", c->name, err.text);
	} else if (again) {
		bool ran_long = time(NULL) - s.started >= RESTART_WINDOW_S;

		log_notice("%s: its init ended with %s", c->name,
			   run_status_text(status, text, sizeof(text)));
		r = restart_by_policy(c, f, ran_long, &err);
	}
	if (again && teardown_run_dir(c, &why) < 0)
		log_error("%s: teardown: %s", c->name, why.text);
	if (c->config_loaded && c->config.ephemeral && c->dir_fd >= 0 &&
	    container_destroy_stopped(c, &err) < 0)
		log_error("%s: destroy (lxmgr.ephemeral): %s", c->name, err.text);
	report_end(f->report_fd, status);
	return r < 0 ? FINISH_FAILED : unit_status(c, !f->restart, status);
}
