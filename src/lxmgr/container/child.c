/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's first process, from clone3 to exec. It is process 1 of the container's pid
 * namespace and shares memory with nobody; whatever fails goes to the monitor as a record and
 * ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "container/enter.h"
#include "container/hooks.h"
#include "container/start.h"
#include "kernel/caps.h"
#include "kernel/limits.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"

/* Namespaces here: new user, pid, uts, net; the mount namespace is still the stage. */
static int child_join(struct start *s, struct lxmgr_err *err)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The host's, for the label: what a container has there may come from its image. */
	s->host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->host_proc_fd < 0)
		return err_set(err, -errno, "open /proc");
	return s->has_cgroup ? cgroup_join(&s->cg, err) : 0;
}

static int child_ids(struct start *s, struct lxmgr_err *err)
{
	/* The way to the stage is the host root's alone. The working directory comes along into
	 * the copy that unshare makes, and leads there. */
	if (chdir(STAGEDIR) < 0)
		return err_set(err, -errno, "change to '%s'", STAGEDIR);
	if (!s->plan.map.n_uid)
		return 0;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(err, -errno, "become root of the container");
	/* The change of ids cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static int child_time(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	char text[128] = "";
	int len = 0, r;
	cleanup_fd int ns = -EBADF;

	if (!(s->plan.ns_new & CLONE_NEWTIME))
		return 0;
	r = sys_unshare(CLONE_NEWTIME);
	if (r < 0)
		return err_set(err, r, "make a time namespace (lxmgr.time.offset)");
	if (cfg->has_time_boot)
		len += snprintf(text, sizeof(text), "boottime %lld %lld\n",
				(long long)(cfg->time_boot_ns / 1000000000),
				(long long)(cfg->time_boot_ns % 1000000000));
	if (cfg->has_time_monotonic)
		snprintf(text + len, sizeof(text) - (size_t)len, "monotonic %lld %lld\n",
			 (long long)(cfg->time_monotonic_ns / 1000000000),
			 (long long)(cfg->time_monotonic_ns % 1000000000));
	r = write_small(AT_FDCWD, "/proc/self/timens_offsets", text);
	if (r < 0)
		return err_set(err, r, "set the clock offsets (lxmgr.time.offset)");
	ns = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	r = ns < 0 ? -errno : sys_setns(ns, CLONE_NEWTIME);
	return r < 0 ? err_set(err, r, "enter the time namespace") : 0;
}

/* The mount namespace last: its copy locks what the stage holds. The root of /dev/mqueue belongs to
 * who makes the IPC namespace: made by the clone, that would be an id which the container has not.
 */
static int child_unshare(struct start *s, struct lxmgr_err *err)
{
	int flags = CLONE_NEWNS | (s->plan.ns_new & START_NS_LATE);
	int r = sys_unshare(flags);

	return r < 0 ? err_set(err, r, "make the mount, IPC and cgroup namespaces") : 0;
}

static int child_hostname(struct start *s, struct lxmgr_err *err)
{
	int r;

	if (!(s->plan.ns_new & CLONE_NEWUTS))
		return 0;
	r = sys_sethostname(s->plan.hostname);
	return r < 0 ? err_set(err, r, "set the host name '%s'", s->plan.hostname) : 0;
}

static int child_network(struct start *s, struct lxmgr_err *err)
{
	int r = start_expect(s->sock, START_NETWORK, NULL, NULL, err);

	if (r < 0 || !(s->plan.ns_new & CLONE_NEWNET))
		return r;
	return net_configure_inside(s->nets, s->n_nets, err);
}

static int child_mount_hooks(struct start *s, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(s->c, &s->c->config);
	int r;

	h.rootfs_mount = s->plan.mountpoint;
	r = hooks_run(HOOK_MOUNT, &h, err);
	return r < 0 || !s->c->config.autodev ? r : hooks_run(HOOK_AUTODEV, &h, err);
}

static int child_ready(struct start *s, struct lxmgr_err *err)
{
	int fds[START_MAX_TTYS + 1], r;
	size_t sent = 0;

	/* A message carries 16 descriptors at most; the first says how many terminals follow. */
	do {
		size_t n = 0;

		while (n < 16 && sent + n <= s->n_ttys) {
			fds[n] = s->tty_fd[sent + n];
			if (fds[n] < 0)
				break;
			n++;
		}
		if (sent == 0 && n == 0 && s->tty_fd[0] < 0 && s->n_ttys) {
			/* No console: tty1 comes first. */
			sent = 1;
			continue;
		}
		r = start_send(s->sock, START_READY, (int)sent, NULL, fds, n);
		if (r < 0)
			return err_set(err, r, "tell the monitor");
		sent += n ? n : 1;
	} while (sent <= s->n_ttys);
	return start_expect(s->sock, START_EXEC, NULL, NULL, err);
}

static int child_limits(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;

	/* What the monitor could raise is so already. */
	for (size_t i = 0; i < cfg->n_prlimits; i++) {
		int r = rlimit_apply(0, &cfg->prlimits[i], err);

		if (r < 0)
			return r;
	}
	if (s->plan.personality != 0xffffffff && personality(s->plan.personality) < 0)
		return err_set(err, -errno, "set the personality (lxmgr.arch)");
	if (cfg->sched_core && prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 1 /* TGID */, 0) < 0)
		return err_set(err, -errno, "make a core scheduling domain (lxmgr.sched.core)");
	prctl(PR_SET_PDEATHSIG, cfg->monitor_signal_pdeath);
	return 0;
}

static int child_start_hooks(struct start *s, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(s->c, &s->c->config);

	return hooks_run(HOOK_START, &h, err);
}

static int child_exec(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	cleanup_fd int console = -EBADF;
	struct enter_spec e = {
		.argv = (const char *const *)s->plan.argv.v,
		.envp = (const char *const *)s->plan.env.v,
		.exec_fd = s->init_fd,
		.keep_fd = s->opts ? s->opts->script_fd : 0,
		.cwd = cfg->init_cwd,
		.uid = s->plan.uid,
		.gid = s->plan.gid,
		.groups = cfg->init_groups,
		.n_groups = s->plan.config_user ? cfg->n_init_groups : 0,
		.caps_keep = s->plan.caps,
		.no_new_privs = cfg->no_new_privs,
		.seccomp = &s->seccomp,
		.lsm = &s->plan.lsm,
		.lsm_name = s->plan.lsm_name,
		.report_fd = s->sock,
		.stdio = { -1, -1, -1 },
		.new_session = true,
		.new_keyring = cfg->keyring_session,
	};

	if (s->tty_fd[0] >= 0) {
		console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (console < 0)
			return err_set(err, -errno, "open /dev/console");
		e.stdio[0] = e.stdio[1] = e.stdio[2] = console;
	}
	e.proc_fd = s->host_proc_fd;
	return enter_exec(&e, err);
}

const struct start_step child_steps[] = {
	{ "child-join", child_join },
	{ "child-go", childfs_go },
	{ "child-ids", child_ids },
	{ "child-time", child_time },
	{ "child-unshare", child_unshare },
	{ "child-hostname", child_hostname },
	{ "child-root", childfs_root },
	{ "child-api", childfs_api },
	{ "child-lxcfs", childfs_lxcfs },
	{ "child-pts", childfs_pts },
	{ "child-entries", childfs_entries },
	{ "child-mount-hooks", child_mount_hooks },
	{ "child-network", child_network },
	{ "child-pivot", childfs_pivot },
	{ "child-ready", child_ready },
	{ "child-limits", child_limits },
	{ "child-start-hooks", child_start_hooks },
	{ "child-exec", child_exec },
};
const size_t child_n_steps = ARRAY_SIZE(child_steps);

/* Namespaces here: new user, pid, uts, net; the mount namespace is the stage. */
void child_main(struct start *s)
{
	struct lxmgr_err err = { 0 };

	fd_close(&s->sock);
	s->sock = s->child_sock;
	/* The descriptors of the monitor's own business. */
	fd_close(&s->lock_fd);
	fd_close(&s->report_fd);
	fd_close(&s->control_fd);
	fd_close(&s->state_fd);
	fd_close(&s->host_mnt_fd);
	start_run_steps(s, child_steps, child_n_steps, &err);
	start_send(s->sock, START_FAILED, 0, &err, NULL, 0);
	_exit(127);
}
