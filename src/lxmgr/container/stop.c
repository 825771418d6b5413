/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stop verb: ask init as it expects to be asked, wait, kill; or kill at once. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/control.h"
#include "container/service.h"
#include "container/teardown.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

#define KILL_WAIT_MS 20000

struct target {
	struct state state;
	int init, monitor; /* pidfds, -1: gone */
	int netns;	   /* with an interface to be brought home, or -1 */
};

static int not_running(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	return err_status(err, STATUS_NOT_RUNNING, -ESRCH, "container '%s' is not running",
			  c->name);
}

/* systemd blocks SIGRTMIN+3 and takes it from a signalfd: it is how it wants to be told. */
static bool init_blocks(pid_t pid, int sig)
{
	cleanup_free char *text = NULL;
	char path[32], *line;
	uint64_t mask = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_file_at(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return false;
	line = strstr(text, "\nSigBlk:");
	return line && sscanf(line, "\nSigBlk: %" SCNx64, &mask) == 1 && (mask >> (sig - 1) & 1);
}

static int halt_signal(const struct lxmgr_container *c, pid_t init)
{
	if (c->config_loaded && c->config.signal_halt)
		return c->config.signal_halt;
	return init_blocks(init, SIGRTMIN + 3) ? SIGRTMIN + 3 : SIGPWR;
}

/* Tell the monitor that reboot(2) from inside is not to be served now; without a monitor nobody
 * would. */
static void forbid_restart(const struct lxmgr_container *c)
{
	cleanup_fd int sock = control_connect(c, NULL);

	if (sock >= 0)
		control_call(sock, CONTROL_NO_RESTART, 1, NULL, NULL, NULL, NULL);
}

static int thaw(const struct lxmgr_container *c, const struct state *s, struct lxmgr_err *err)
{
	struct cgroup cg;
	int r;

	if (!*s->cgroup)
		return 0;
	r = cgroup_open(&cg, s->cgroup, s->cgroup_inner, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (cgroup_is_frozen(&cg) > 0)
		r = cgroup_freeze(&cg, false, 5000, err);
	cgroup_close(&cg);
	if (r < 0)
		err_prefix(err, "thaw '%s'", c->name);
	return r;
}

/* Until init is dead and the monitor has torn down. 0 or -ETIMEDOUT. */
static int wait_end(const struct target *t, int64_t timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	struct pollfd p = { .fd = t->init, .events = POLLIN };

	for (int i = 0; i < 2; i++, p.fd = t->monitor) {
		while (p.fd >= 0) {
			int64_t left = end - now_ms();
			int r = poll(&p, 1, left > 0 ? (int)(left > 3600000 ? 3600000 : left) : 0);

			if (r > 0)
				break;
			if (r == 0 && left <= 0)
				return -ETIMEDOUT;
		}
	}
	return 0;
}

static bool init_is_gone(const struct target *t)
{
	struct pollfd p = { .fd = t->init, .events = POLLIN };

	return t->init < 0 || poll(&p, 1, 0) > 0;
}

/* systemd would take the end of a monitor that was killed for a failure, which it may answer with a
 * restart. */
static void forbid_unit_restart(const struct lxmgr_container *c)
{
	struct lxmgr_err why = { 0 };

	if (service_stop_unit(c, &why) < 0)
		log_warn("%s: %s, ignoring", c->name, why.text);
}

/* A container whose monitor was killed, before or while it was waited for: whoever stops it cleans
 * up. */
static int clean_up(struct lxmgr_container *c, const struct target *t, struct lxmgr_err *err)
{
	struct state s;
	bool stale;
	int r;

	if (t->monitor >= 0 && state_read(c, &s, &stale, NULL) == 0)
		forbid_unit_restart(c);
	r = teardown_stale(c, t->netns, &s, err);
	return r > 0 ? 0 : r;
}

static void kill_monitor(const struct lxmgr_container *c, int monitor)
{
	struct pollfd p = { .fd = monitor, .events = POLLIN };

	forbid_unit_restart(c);
	sys_pidfd_send_signal(monitor, SIGKILL);
	poll(&p, 1, KILL_WAIT_MS);
}

/* A start that is not done: its monitor may hang in a hook, and answers nobody. With the monitor
 * gone, what it had got to is read again: init may have been born meanwhile. */
static void end_start(const struct lxmgr_container *c, struct target *t, int *ret_init)
{
	bool stale;

	kill_monitor(c, t->monitor);
	if (state_read(c, &t->state, &stale, NULL) == 0)
		t->init = *ret_init = state_init_pidfd(&t->state);
}

int container_end_start(const struct lxmgr_container *c)
{
	cleanup_fd int monitor = -EBADF;
	struct state s;
	bool stale;

	if (state_read(c, &s, &stale, NULL) < 0 || stale || s.state != LXMGR_STARTING)
		return 0;
	monitor = state_monitor_pidfd(&s);
	if (monitor < 0)
		return 0;
	kill_monitor(c, monitor);
	return 1;
}

/* The monitor hangs after init's end: in a hook, which would hang here again. */
static int end_finish(struct lxmgr_container *c, const struct target *t, struct lxmgr_err *err)
{
	struct state s;
	bool stale;
	int r;

	log_warn("%s: its monitor hangs and is killed; no more hooks are run", c->name);
	kill_monitor(c, t->monitor);
	r = state_read(c, &s, &stale, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	s.hooks_started = false;
	return teardown(c, &s, "stop", NULL, false, err);
}

static int kill_all(struct lxmgr_container *c, struct target *t, struct lxmgr_err *err)
{
	cleanup_fd int born = -EBADF;
	int r;

	if (t->state.state == LXMGR_STARTING && t->monitor >= 0)
		end_start(c, t, &born);
	else
		forbid_restart(c);
	if (t->init >= 0)
		sys_pidfd_send_signal(t->init, c->config_loaded && c->config.signal_stop
						       ? c->config.signal_stop
						       : SIGKILL);
	/* A frozen v1 group does not die before it is thawed; in a pid namespace init's end takes
	 * the rest along. */
	r = thaw(c, &t->state, err);
	if (r < 0)
		return r;
	r = wait_end(t, KILL_WAIT_MS);
	if (r == -ETIMEDOUT && t->init >= 0) {
		sys_pidfd_send_signal(t->init, SIGKILL);
		r = wait_end(t, KILL_WAIT_MS);
	}
	if (r == -ETIMEDOUT && t->monitor >= 0 && init_is_gone(t))
		return end_finish(c, t, err);
	if (r < 0)
		return err_msg(err, r, "container '%s' did not die within %d s of SIGKILL", c->name,
			       2 * KILL_WAIT_MS / 1000);
	return clean_up(c, t, err);
}

/* Wait until another init runs. */
static int wait_reboot(struct lxmgr_container *c, const struct target *t, int64_t timeout_ms,
		       struct lxmgr_err *err)
{
	int64_t end = now_ms() + timeout_ms;

	while (now_ms() < end) {
		struct pollfd p = { .fd = t->init, .events = POLLIN };
		struct state s;
		bool stale;

		if (poll(&p, 1, 20) > 0 && state_read(c, &s, &stale, NULL) == 0 && !stale &&
		    s.state == LXMGR_RUNNING && s.init_pid != t->state.init_pid)
			return 0;
		if (p.revents)
			poll(NULL, 0, 10);
	}
	return err_msg(err, -ETIMEDOUT, "container '%s' did not reboot within %lld s", c->name,
		       (long long)(timeout_ms / 1000));
}

static int ask(struct lxmgr_container *c, const struct target *t, const struct lxmgr_stop_opts *o,
	       struct lxmgr_err *err)
{
	int sig = o->reboot ? SIGINT : halt_signal(c, t->state.init_pid);
	int r;

	if (o->reboot && c->config_loaded && c->config.signal_reboot)
		sig = c->config.signal_reboot;
	if (!o->reboot)
		forbid_restart(c);
	r = thaw(c, &t->state, err);
	if (r < 0)
		return r;
	if (!o->reboot)
		state_set(c, LXMGR_STOPPING);
	r = sys_pidfd_send_signal(t->init, sig);
	return r < 0 && r != -ESRCH ? err_set(err, r, "signal the init of '%s'", c->name) : 0;
}

static int stop_locked(struct lxmgr_container *c, struct target *t, const struct lxmgr_stop_opts *o,
		       struct lxmgr_err *err)
{
	int64_t timeout = o->timeout_ms >= 0 ? o->timeout_ms
			  : c->config_loaded ? (int64_t)c->config.stop_timeout_ms
					     : 60000;
	int r;

	if (!o->reboot && t->monitor < 0)
		forbid_unit_restart(c);
	/* Between two runs. */
	if (o->reboot && !o->kill && t->init < 0 && t->monitor >= 0)
		return err_status(err, STATUS_WRONG_STATE, -EAGAIN,
				  "container '%s' is just starting or ending; try again", c->name);
	if (o->kill || t->init < 0)
		return kill_all(c, t, err);
	if (o->reboot && t->monitor < 0)
		return err_status(err, STATUS_WRONG_STATE, -ESRCH,
				  "container '%s' has no monitor that would start it again (it was "
				  "killed); use lxmgr-restart",
				  c->name);
	service_extend((uint64_t)timeout + 3 * KILL_WAIT_MS);
	r = ask(c, t, o, err);
	if (r < 0 || o->nowait)
		return r;
	if (o->reboot)
		return wait_reboot(c, t, timeout, err);
	if (wait_end(t, timeout) == 0)
		return clean_up(c, t, err);
	if (o->nokill) {
		state_set(c, LXMGR_RUNNING);
		return err_msg(err, -ETIMEDOUT,
			       "container '%s' did not stop within %lld s and was left alone "
			       "(--nokill)",
			       c->name, (long long)(timeout / 1000));
	}
	log_warn("%s did not stop within %lld s: killing it", c->name, (long long)(timeout / 1000));
	return kill_all(c, t, err);
}

static int stop(struct lxmgr_container *c, const struct lxmgr_stop_opts *opts,
		struct lxmgr_err *err)
{
	static const struct lxmgr_stop_opts none = { .timeout_ms = -1 };
	const struct lxmgr_stop_opts *o = opts ? opts : &none;
	cleanup_fd int lock = -EBADF, init = -EBADF, monitor = -EBADF, netns = -EBADF;
	struct target t = { .init = -1, .monitor = -1, .netns = -1 };
	bool ended = false;
	int r;

	if (!o->nolock) {
		/* It has the lock. */
		ended = o->kill && container_end_start(c);
		lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
		if (lock < 0)
			return lock;
	}
	/* A config that cannot be read must not keep a container from being stopped. */
	if (container_load_running_config(c, NULL) < 0)
		log_info("%s: its config cannot be read, defaults are used, ignoring", c->name);
	r = teardown_stale(c, -1, &t.state, err);
	if (r < 0 || o->cleanup)
		return r < 0 ? r : 0;
	if (r == 0)
		return ended || o->if_running ? 0 : not_running(c, err);
	t.init = init = state_init_pidfd(&t.state);
	t.monitor = monitor = state_monitor_pidfd(&t.state);
	/* Also where there is a monitor: it may be killed while we wait for it. */
	t.netns = netns = teardown_hold_netns(&t.state);
	return stop_locked(c, &t, o, err);
}

int lxmgr_container_stop(struct lxmgr_container *c, const struct lxmgr_stop_opts *opts,
			 struct lxmgr_err *err)
{
	return audit(c, "stop", opts && opts->kill ? "by force" : NULL, stop(c, opts, err), err);
}
