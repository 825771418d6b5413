/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/health.h"
#include "container/hooks.h"
#include "container/service.h"
#include "container/teardown.h"
#include "kernel/lsm.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

#define KILL_TIMEOUT_MS 10000

/* Keep the first error; say the others in the trace. */
static void note(int *first, int r, const struct lxmgr_err *why, struct lxmgr_err *err)
{
	if (r >= 0)
		return;
	if (*first == 0) {
		*first = r;
		if (err)
			*err = *why;
	} else {
		log_warn("teardown: %s, ignoring", why->text);
	}
}

/* An init that outlived its monitor or a failed start. */
static int end_init(const struct state *s, struct lxmgr_err *err)
{
	cleanup_fd int pidfd = state_init_pidfd(s);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (pidfd < 0)
		return 0;
	sys_pidfd_send_signal(pidfd, SIGKILL);
	if (poll(&p, 1, KILL_TIMEOUT_MS) == 0)
		return err_msg(err, -ETIMEDOUT, "process %d does not die", s->init_pid);
	return 0;
}

static const struct net_spec *find_net(const struct lxmgr_container *c, unsigned int index)
{
	for (size_t i = 0; c->config_loaded && i < c->config.n_nets; i++)
		if (c->config.nets[i].index == index)
			return &c->config.nets[i];
	return NULL;
}

static int end_nets(struct lxmgr_container *c, const struct state *s, int netns_fd,
		    struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(c, &c->config);
	struct netlink *nl = NULL;
	int r, first = 0;

	if (!s->n_net)
		return 0;
	r = netlink_open(&nl, err);
	if (r < 0)
		return r;
	for (size_t i = s->n_net; i-- > 0;) {
		const struct net_spec *spec = find_net(c, s->net_index[i]);
		struct lxmgr_err why = { 0 };

		if (spec)
			note(&first, hooks_net_script(false, &h, spec, &s->net[i], &why), &why,
			     err);
		net_destroy(nl, s->net_type[i], spec, &s->net[i], netns_fd);
	}
	netlink_close(nl);
	return first;
}

static int end_cgroup(const struct state *s, struct lxmgr_err *err)
{
	struct cgroup cg;
	int r;

	if (!*s->cgroup)
		return 0;
	r = cgroup_open(&cg, s->cgroup, s->cgroup_inner, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = cgroup_remove(&cg, err);
	cgroup_close(&cg);
	return r;
}

static int remove_files(const struct lxmgr_container *c, int run, const char *const *files,
			size_t n, struct lxmgr_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (unlinkat(run, files[i], 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "remove the %s file of '%s'", files[i],
				       c->name);
	return 0;
}

static const char *const run_files[] = { "control", "config", ".config.tmp", "argv" };

/* This process starts it again: for whoever looks in between it starts already, or he would do
 * with its root what is for a stopped one. */
static int begin_again(const struct lxmgr_container *c, const struct state *s,
		       struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, true, err), state = -EBADF;
	int r = 0;

	if (run < 0)
		return run;
	health_forget(c);
	state = state_create(c, run, err);
	if (state < 0)
		return state;
	if (s->unit)
		r = state_add(state, "flag unit");
	if (r < 0)
		return err_set(err, r, "write the state of '%s'", c->name);
	return remove_files(c, run, run_files, ARRAY_SIZE(run_files), err);
}

/* The state file goes last: until then the next command finds what is left to do. */
int teardown_run_dir(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	static const char *const last[] = { "lock", STATE_NEW, "state" };
	cleanup_fd int run = container_run_dir(c, false, err);
	cleanup_fd int base = -EBADF;
	int r;

	if (run < 0)
		return run == -ENOENT ? 0 : run;
	health_forget(c);
	state_set(c, LXMGR_STOPPED);
	r = remove_files(c, run, run_files, ARRAY_SIZE(run_files), err);
	if (r == 0)
		r = remove_files(c, run, last, ARRAY_SIZE(last), err);
	if (r < 0)
		return r;
	base = openat(run, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0 || (unlinkat(base, c->tag, AT_REMOVEDIR) < 0 && errno != ENOENT))
		return err_set(err, -errno, "remove the run directory of '%s'", c->name);
	return 0;
}

int teardown_unrecorded(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct cgroup cg;
	int r = cgroup_open_default(&cg, c->tag, err);

	if (r == 0) {
		r = cgroup_remove(&cg, err);
		cgroup_close(&cg);
	}
	return r < 0 && r != -ENOENT ? r : teardown_run_dir(c, err);
}

static int run_hooks(struct lxmgr_container *c, enum hook_type type, const char *target,
		     const int *ns_fd, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(c, &c->config);

	if (!c->config_loaded)
		return 0;
	h.target = target;
	if (ns_fd)
		memcpy(h.ns_fd, ns_fd, sizeof(h.ns_fd));
	return hooks_run(type, &h, err);
}

int teardown_hold_netns(const struct state *s)
{
	cleanup_fd int pidfd = state_init_pidfd(s);
	cleanup_fd int netns = -EBADF;
	bool moved = false;

	for (size_t i = 0; i < s->n_net; i++)
		moved |= s->net_type[i] == NET_PHYS;
	if (pidfd < 0 || !moved)
		return -1;
	netns = ns_open(s->init_pid, NS_NET);
	/* Alive also now: the number was nobody else's in between. */
	if (netns < 0 || sys_pidfd_send_signal(pidfd, 0) < 0)
		return -1;
	return take_fd(&netns);
}

static int teardown_with(struct lxmgr_container *c, const struct state *s, const char *target,
			 const int *ns_fd, int netns_fd, bool again, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int first = 0, r;

	note(&first, end_init(s, &why), &why, err);
	if (s->hooks_started)
		note(&first, run_hooks(c, HOOK_STOP, target, ns_fd, &why), &why, err);
	if (s->machine && service_unregister(c, &why) < 0)
		log_notice("%s: %s, ignoring", c->name, why.text);
	note(&first, end_nets(c, s, netns_fd, &why), &why, err);
	r = end_cgroup(s, &why);
	note(&first, r, &why, err);
	service_sweep_scopes(c, 0);
	if (c->config_loaded && *s->lsm_name)
		lsm_release(&c->config.lsm, s->lsm_name);
	/* Whoever still ran in the profile would be unconfined without it. */
	if (r == 0 && *s->apparmor && str_eq(s->apparmor, s->lsm_name))
		lsm_apparmor_unload(s->lsm_name);
	if (s->hooks_started)
		note(&first, run_hooks(c, HOOK_POST_STOP, target, NULL, &why), &why, err);
	r = again ? begin_again(c, s, &why) : teardown_run_dir(c, &why);
	note(&first, r, &why, err);
	return first;
}

int teardown(struct lxmgr_container *c, const struct state *s, const char *target, const int *ns_fd,
	     bool again, struct lxmgr_err *err)
{
	cleanup_fd int held = ns_fd ? -1 : teardown_hold_netns(s);

	return teardown_with(c, s, target, ns_fd, ns_fd ? ns_fd[NS_NET] : held, again, err);
}

int teardown_stale(struct lxmgr_container *c, int netns_fd, struct state *ret,
		   struct lxmgr_err *err)
{
	cleanup_fd int held = -EBADF;
	bool stale;
	int r = state_read(c, ret, &stale, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!stale)
		return 1;
	log_notice("%s: taking back what an earlier run left", c->name);
	if (!c->config_loaded && container_load_running_config(c, NULL) < 0)
		log_warn("%s: its config cannot be read: no hooks are run, ignoring", c->name);
	held = netns_fd < 0 ? teardown_hold_netns(ret) : -1;
	return teardown_with(c, ret, "stop", NULL, netns_fd < 0 ? held : netns_fd, false, err);
}
