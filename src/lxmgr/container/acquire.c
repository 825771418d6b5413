/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the monitor does between the fork and a running init: steps in fixed order. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "container/enter.h"
#include "container/hooks.h"
#include "container/host.h"
#include "container/io.h"
#include "container/service.h"
#include "container/start.h"
#include "kernel/death.h"
#include "kernel/fsids.h"
#include "kernel/lsm.h"
#include "kernel/sys.h"
#include "kernel/tty.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/msg.h"
#include "util/paths.h"

static int record(struct start *s, int r, struct lxmgr_err *err)
{
	return r < 0 ? err_set(err, r, "write the state of '%s'", s->c->name) : 0;
}

static int step_state(struct start *s, struct lxmgr_err *err)
{
	int r = 0;

	s->run_fd = container_run_dir(s->c, true, err);
	if (s->run_fd < 0)
		return s->run_fd;
	s->state_fd = state_create(s->c, s->run_fd, err);
	if (s->state_fd < 0)
		return s->state_fd;
	if (!s->plan.map.n_uid)
		r = state_add(s->state_fd, "flag privileged");
	if (r == 0 && s->service)
		r = state_add(s->state_fd, "flag unit");
	if (r == 0)
		r = state_add_idmap(s->state_fd, &s->plan.map);
	return record(s, r, err);
}

/* The config as it is now, with -s: what attach, info and a reboot go by. */
static int step_config(struct start *s, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	int r = config_print(&s->c->config, &text, err);

	if (r < 0)
		return r;
	r = write_file_replace(s->run_fd, "config", text, strlen(text), 0600);
	host_recorded(&s->turn_fd);
	return r < 0 ? err_set(err, r, "write the running config") : 0;
}

static int step_pre_start(struct start *s, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(s->c, &s->c->config);
	int r = state_add(s->state_fd, "flag hooks");

	return r < 0 ? record(s, r, err) : hooks_run(HOOK_PRE_START, &h, err);
}

/* systemd is to leave the container's groups alone: they go below what it delegates, the unit or a
 * scope. A host where that cannot be had still runs containers, in groups of their own. */
static int step_scope(struct start *s, struct lxmgr_err *err)
{
	const struct cgroup_spec *cg = &s->c->config.cgroup;
	struct lxmgr_err why = { 0 };
	int r = 0;

	/* A reboot keeps what the start got. */
	if (!s->opts || cg->relative || cg->dir || cg->dir_container)
		return 0;
	if (!s->service && !service_is_host())
		return 0;
	if (!s->service)
		r = service_make_scope(s->c, getpid(), &why);
	if (r < 0) {
		log_warn("%s: %s, ignoring", s->c->name, why.text);
		return 0;
	}
	r = cgroup_step_aside(s->base, sizeof(s->base), err);
	return r == -EOPNOTSUPP ? 0 : r;
}

static int step_cgroup(struct start *s, struct lxmgr_err *err)
{
	int r = cgroup_create(&s->cg, &s->c->config.cgroup, *s->base ? s->base : NULL, s->c->tag,
			      err);

	if (r < 0)
		return r;
	s->has_cgroup = true;
	r = state_add(s->state_fd, "cgroup %s", s->cg.path);
	if (r == 0 && *s->cg.inner)
		r = state_add(s->state_fd, "cgroup-inner %s", s->cg.inner);
	return record(s, r, err);
}

static int step_limits(struct start *s, struct lxmgr_err *err)
{
	int r = cgroup_apply(&s->cg, &s->c->config.cgroup, err);

	return r < 0 ? r : io_start(s->c, &s->cg, err);
}

static int step_seccomp(struct start *s, struct lxmgr_err *err)
{
	return enter_seccomp(&s->c->config,
			     enter_limits_mounts(&s->c->config, !s->plan.map.n_uid,
						 s->plan.apparmor, s->plan.lsm_name),
			     &s->seccomp, err);
}

/* The parser's error names the raw line; where that stands is known here. */
static int blame_raw(const struct config *c, int r, struct lxmgr_err *err)
{
	const struct strlist *raw = &c->lsm.apparmor_raw;

	for (size_t i = 0; r < 0 && i < raw->n; i++) {
		const char *where = config_where_item(c, "apparmor.raw", raw->n - 1 - i);

		if (where && strstr(err->text, raw->v[i]))
			return err_hint(err, "%s", where), r;
	}
	return r;
}

static int step_lsm(struct start *s, struct lxmgr_err *err)
{
	const struct label *l = &s->plan.label;
	int r = state_add(s->state_fd, "lsm %s", s->plan.lsm_name);

	if (r == 0 && *l->process)
		r = state_add(s->state_fd, "selinux %s", l->process);
	if (r == 0 && s->plan.apparmor)
		r = state_add(s->state_fd, "apparmor %s", s->plan.apparmor);
	if (r < 0)
		return record(s, r, err);
	r = lsm_prepare(&s->c->config.lsm, s->plan.lsm_name, !s->plan.map.n_uid, err);
	return blame_raw(&s->c->config, r, err);
}

static int step_control(struct start *s, struct lxmgr_err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *log = s->c->config.console_logfile;

	unlinkat(s->run_fd, "control", 0);
	s->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control", s->run_fd);
	if (s->control_fd < 0 || bind(s->control_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(s->control_fd, 16) < 0)
		return err_set(err, -errno, "make the control socket");
	if (!log)
		return 0;
	s->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
			 0640);
	if (s->log_fd < 0)
		return err_set(err, -errno, "open the console log '%s' (lxmgr.console.logfile)",
			       log);
	return 0;
}

/* execute: a copy that nobody can write to, so that what runs inside is no file of the host's. */
static int step_init(struct start *s, struct lxmgr_err *err)
{
	cleanup_fd int file = -EBADF;
	cleanup_free char *data = NULL;
	size_t len;
	int r;

	if (!s->opts || !s->opts->execute)
		return 0;
	file = open(LIBEXECDIR "/lxmgr-init", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return err_set(err, -errno, "open '%s'", LIBEXECDIR "/lxmgr-init");
	r = read_all(file, 16 << 20, &data, &len);
	s->init_fd = r < 0 ? r : sys_memfd_create("lxmgr-init", MFD_ALLOW_SEALING);
	if (s->init_fd < 0)
		return err_set(err, s->init_fd, "copy lxmgr-init");
	r = write_all(s->init_fd, data, len);
	if (r == 0 && fcntl(s->init_fd, F_ADD_SEALS,
			    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "copy lxmgr-init");
	return *s->plan.label.file
		       ? selinux_label_fd(s->init_fd, s->plan.label.file, "lxmgr-init", err)
		       : 0;
}

/* The namespace that is shared, from a PID or a path (NAME was resolved by the verb). */
static int open_share(struct start *s, int type, struct lxmgr_err *err)
{
	const char *what = s->plan.share[type];
	char path[PATH_MAX];

	if (*what == '/')
		snprintf(path, sizeof(path), "%s", what);
	else
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", what, ns_table[type].proc);
	s->share_fd[type] = open(path, O_RDONLY | O_CLOEXEC);
	if (s->share_fd[type] < 0)
		return err_set(err, -errno, "open the %s namespace '%s' to share it",
			       ns_table[type].name, what);
	return 0;
}

static int step_share(struct start *s, struct lxmgr_err *err)
{
	for (int i = 0; i < NS_COUNT; i++) {
		int r = *s->plan.share[i] ? open_share(s, i, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Step into what is shared around the clone, and back: only the child shall be there. */
static int switch_shared(struct start *s, const int own[NS_COUNT], bool into, struct lxmgr_err *err)
{
	for (int i = 0; i < NS_COUNT; i++) {
		int r;

		if (s->share_fd[i] < 0)
			continue;
		r = sys_setns(into ? s->share_fd[i] : own[i], ns_table[i].flag);
		if (r < 0)
			return err_set(err, r, "%s the shared %s namespace",
				       into ? "enter" : "leave", ns_table[i].name);
	}
	return 0;
}

/* A user namespace is owned by the effective uid that makes it, and what its users take of the
 * kernel's limits per user (inotify, namespaces, pending signals) is charged to that one outside:
 * owned by the host's root, one container could use up the share of all, and the host's own. */
static int set_userns_owner(const struct start *s, uid_t uid, struct lxmgr_err *err)
{
	if (!(s->plan.ns_new & CLONE_NEWUSER))
		return 0;
	if (setresuid((uid_t)-1, uid, (uid_t)-1) < 0)
		return err_set(err, -errno, "take the uid %u for the user namespace", uid);
	/* Files, the cgroup's among them, are still reached as root. */
	return fsids_set(0, 0, err);
}

static int do_clone(struct start *s, struct lxmgr_err *err)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | (uint64_t)(s->plan.ns_new &
						  ~(CLONE_NEWNS | CLONE_NEWTIME | START_NS_LATE)),
		.pidfd = (uint64_t)(uintptr_t)&s->pidfd,
		.exit_signal = SIGCHLD,
	};
	int r;

	if (s->cg.into_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)s->cg.into_fd;
	}
	r = set_userns_owner(s, s->plan.root_uid, err);
	if (r == 0) {
		r = sys_clone3(&args);
		if (r == 0)
			child_main(s);
		if (r < 0)
			err_set(err, r, "clone the container's first process");
	}
	if (set_userns_owner(s, 0, r < 0 ? NULL : err) < 0 && r >= 0)
		r = -EPERM;
	return r;
}

static int step_clone(struct start *s, struct lxmgr_err *err)
{
	int own[NS_COUNT] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	int pair[2], r = msg_pair(pair);

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	s->sock = pair[0];
	s->child_sock = pair[1];
	for (int i = 0; i < NS_COUNT; i++)
		if (s->share_fd[i] >= 0)
			own[i] = ns_open(getpid(), (enum ns_type)i);
	r = switch_shared(s, own, true, err);
	if (r == 0)
		r = do_clone(s, err);
	if (switch_shared(s, own, false, r < 0 ? NULL : err) < 0 && r >= 0)
		r = -EIO;
	for (int i = 0; i < NS_COUNT; i++)
		fd_close(&own[i]);
	fd_close(&s->child_sock);
	if (r < 0)
		return r;
	s->pid = r;
	r = state_add(s->state_fd, "init %d %llu", s->pid,
		      (unsigned long long)proc_start_time(s->pid));
	return record(s, r, err);
}

static int step_idmap(struct start *s, struct lxmgr_err *err)
{
	int r = 0;

	if (s->plan.map.n_uid) {
		r = idmap_write(s->pid, &s->plan.map, err);
		if (r < 0)
			return r;
		s->userns_fd = ns_open(s->pid, NS_USER);
		if (s->userns_fd < 0)
			return err_set(err, s->userns_fd, "open the user namespace");
	}
	if (s->has_cgroup)
		r = cgroup_delegate(&s->cg, s->plan.root_uid, s->plan.root_gid, err);
	return r;
}

static int step_proc(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;

	for (size_t i = 0; i < cfg->n_prlimits; i++) {
		int r = rlimit_apply(s->pid, &cfg->prlimits[i], err);

		/* A root without CAP_SYS_RESOURCE: the process itself may still lower it. */
		if (r < 0 && r != -EPERM)
			return r;
	}
	for (size_t i = 0; i < cfg->proc.n; i++) {
		int r = procfile_write(s->pid, cfg->proc.v[i].name, cfg->proc.v[i].value, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int step_pre_mount(struct start *s, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(s->c, &s->c->config);

	h.rootfs_mount = s->plan.mountpoint;
	return hooks_run(HOOK_PRE_MOUNT, &h, err);
}

/* The child makes its mounts; its interfaces are made meanwhile. */
static int step_go(struct start *s, struct lxmgr_err *err)
{
	int r = start_send(s->sock, START_GO, 0, NULL, NULL, 0);

	return r < 0 ? err_set(err, r, "tell the container to go on") : 0;
}

/* The child comes back ready, with the masters of its terminals. */
static int step_ready(struct start *s, struct lxmgr_err *err)
{
	size_t have = 0;
	int r = start_send(s->sock, START_NETWORK, 0, NULL, NULL, 0);

	if (r < 0)
		return err_set(err, r, "tell the container of its interfaces");
	s->n_ttys = s->c->config.tty_max < START_MAX_TTYS ? s->c->config.tty_max : START_MAX_TTYS;
	while (have <= s->n_ttys) {
		int fds[16];
		size_t n = 16;

		r = start_expect(s->sock, START_READY, fds, &n, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++) {
			if ((size_t)r + i <= s->n_ttys)
				s->tty_fd[(size_t)r + i] = fds[i];
			else
				close(fds[i]);
		}
		have = (size_t)r + (n ? n : 1);
	}
	return 0;
}

static int step_start_host(struct start *s, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(s->c, &s->c->config);

	if (s->size.ws_row && s->tty_fd[0] >= 0 && ioctl(s->tty_fd[0], TIOCSWINSZ, &s->size) < 0)
		log_info("the size of the console cannot be set, ignoring");
	if (s->to_file && s->tty_fd[0] >= 0 && tty_plain(s->tty_fd[0]) < 0)
		log_info("the console's line ends cannot be set, ignoring");
	return hooks_run(HOOK_START_HOST, &h, err);
}

/* For lxmgr.monitor.signal.pdeath. */
static int guard_init(const struct start *s, struct lxmgr_err *err)
{
	int signal = s->c->config.monitor_signal_pdeath;

	return signal && lsm_changes_label(&s->plan.lsm) ? death_guard(s->pidfd, signal, err) : 0;
}

static int step_exec(struct start *s, struct lxmgr_err *err)
{
	struct pollfd tool = { .fd = s->report_fd };
	struct start_msg m;
	ssize_t len;
	int r;

	/* Ctrl-C ended the tool that waits: the start is not wanted any more. */
	if (poll(&tool, 1, 0) > 0 && (tool.revents & POLLHUP))
		return err_msg(err, -ECANCELED, "interrupted");
	r = start_send(s->sock, START_EXEC, 0, NULL, NULL, 0);

	if (r < 0)
		return err_set(err, r, "tell the container to run its init");
	/* The end of the stream is the success: exec closed the socket. */
	len = msg_recv(s->sock, &m, sizeof(m), NULL, NULL);
	if (len == 0)
		return guard_init(s, err);
	if (len != sizeof(m))
		return err_set(err, len < 0 ? (int)len : -EPROTO, "wait for init");
	m.err.text[sizeof(m.err.text) - 1] = '\0';
	*err = m.err;
	return m.err.code < 0 ? m.err.code : -EIO;
}

/* So that machinectl, journalctl -M and the name service know it. */
static int step_machine(struct start *s, struct lxmgr_err *err)
{
	int index[CONFIG_MAX_NETS], r;
	struct lxmgr_err why = { 0 };
	size_t n = 0;

	if (!service_is_host())
		return 0;
	for (size_t i = 0; i < s->n_nets; i++)
		if (s->live[i].host_index)
			index[n++] = s->live[i].host_index;
	r = state_add(s->state_fd, "flag machine");
	if (r < 0)
		return record(s, r, err);
	if (service_register(s->c, s->pid, index, n, &why) < 0)
		log_notice("%s: %s, ignoring", s->c->name, why.text);
	return 0;
}

static int step_running(struct start *s, struct lxmgr_err *err)
{
	int r = state_add(s->state_fd, "started %lld", (long long)time(NULL));

	if (r == 0)
		r = state_add(s->state_fd, "state RUNNING");
	return record(s, r, err);
}

const struct start_step start_steps[] = {
	{ "state", step_state },
	{ "config", step_config },
	{ "pre-start", step_pre_start },
	{ "scope", step_scope },
	{ "cgroup", step_cgroup },
	{ "limits", step_limits },
	{ "seccomp", step_seccomp },
	{ "lsm", step_lsm },
	{ "control", step_control },
	{ "init", step_init },
	{ "addresses", start_resolve_nets },
	{ "preload", start_preload_nets },
	{ "share", step_share },
	{ "stage", stage_enter },
	{ "clone", step_clone },
	{ "idmap", step_idmap },
	{ "proc", step_proc },
	{ "pre-mount", step_pre_mount },
	{ "rootfs", stage_root },
	{ "dev", stage_dev },
	{ "mounts", stage_mounts },
	{ "entries", stage_entries },
	{ "lxcfs", stage_lxcfs },
	{ "guest-files", stage_guest },
	{ "go", step_go },
	{ "network", start_create_nets },
	{ "ready", step_ready },
	{ "start-host", step_start_host },
	{ "exec", step_exec },
	{ "machine", step_machine },
	{ "running", step_running },
};
const size_t start_n_steps = ARRAY_SIZE(start_steps);

int start_acquire(struct start *s, struct lxmgr_err *err)
{
	int r = start_run_steps(s, start_steps, start_n_steps, err);

	if (r >= 0)
		return 0;
	if (s->pid > 0) {
		struct lxmgr_err why = { 0 };
		struct start_msg m;

		/* When the child failed first, its own words say more than what followed from it
		 * here. */
		if (recv(s->sock, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m) &&
		    m.kind == START_FAILED) {
			m.err.text[sizeof(m.err.text) - 1] = '\0';
			why = m.err;
			*err = why;
			r = why.code < 0 ? why.code : r;
		}
		sys_pidfd_send_signal(s->pidfd, SIGKILL);
		waitpid(s->pid, NULL, 0);
		s->pid = 0;
	}
	stage_leave(s, NULL);
	return r;
}
