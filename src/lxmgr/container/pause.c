/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/pause.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"

#define FREEZE_TIMEOUT_MS 30000

/* Thaws when the last writer of the pipe is gone, which a killed caller is, too. */
static void keep(int pipe, struct cgroup *cg)
{
	sigset_t all;
	int r = -1;
	char c;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	while (read(pipe, &c, 1) < 0 && errno == EINTR)
		;
	for (int tries = 0; r < 0 && tries < 3; tries++)
		r = cgroup_freeze(cg, false, FREEZE_TIMEOUT_MS, NULL);
	_exit(r < 0);
}

int pause_begin(struct lxmgr_container *c, const struct state *s, struct pause *p,
		struct lxmgr_err *err)
{
	struct cgroup cg;
	int fds[2], r;

	if (s->state == LXMGR_FROZEN)
		return 0;
	if (s->state != LXMGR_RUNNING && s->state != LXMGR_THAWED)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY, "container '%s' is %s", c->name,
				  lxmgr_state_name(s->state));
	r = cgroup_open(&cg, s->cgroup, s->cgroup_inner, err);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = err_set(err, -errno, "make a pipe");
	} else {
		p->keeper = fork();
		if (p->keeper == 0) {
			close(fds[1]);
			keep(fds[0], &cg);
		}
		close(fds[0]);
		p->pipe = fds[1];
		r = p->keeper < 0 ? err_set(err, -errno, "fork")
				  : cgroup_freeze(&cg, true, FREEZE_TIMEOUT_MS, err);
	}
	cgroup_close(&cg);
	if (r < 0)
		pause_end(p);
	return r;
}

void pause_end(struct pause *p)
{
	int status = 0;

	fd_close(&p->pipe);
	if (p->keeper <= 0)
		return;
	while (waitpid(p->keeper, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		log_error("the container may still be frozen: lxmgr-unfreeze thaws it");
	p->keeper = 0;
}

int pause_clean(struct lxmgr_container *c, struct cgroup *cg)
{
	cleanup_fd int lock = container_lock(c, 0, NULL);
	struct state s;
	bool stale;

	if (lock < 0 || state_read(c, &s, &stale, NULL) < 0 || stale || s.state == LXMGR_FROZEN)
		return -EBUSY;
	log_notice("%s: it is thawed: who froze it was killed", c->name);
	if (s.state == LXMGR_FREEZING)
		state_set(c, LXMGR_RUNNING);
	return cgroup_freeze(cg, false, FREEZE_TIMEOUT_MS, NULL);
}
