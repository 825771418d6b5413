/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running a command in a container. The caller's process stays outside and copies bytes; a child
 * that is born in the cgroup and the pid namespace joins the others and becomes the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/attach.h"
#include "container/control.h"
#include "container/inside.h"
#include "container/pause.h"
#include "kernel/caps.h"
#include "kernel/death.h"
#include "kernel/sys.h"
#include "kernel/tty.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/msg.h"

static int check_fds(struct lxmgr_err *err)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0)
			continue;
		/* A directory of the host's in the container's hands is a way out of its root. */
		if ((flags & O_PATH) || (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)))
			return err_status(err, STATUS_REFUSED, -EISDIR,
					  "descriptor %d is a directory", fd);
	}
	return 0;
}

static int open_target(struct attach *a, struct lxmgr_err *err)
{
	struct lxmgr_container *c = a->c;
	bool stale;
	int r = state_read(c, &a->state, &stale, err);

	if (r == -ENOENT || (r == 0 && stale))
		return err_status(err, STATUS_WRONG_STATE, -ESRCH, "container '%s' is not running",
				  c->name);
	if (r < 0)
		return r;
	/* Until init runs, its namespaces still hold the host's tree. */
	if (a->state.state == LXMGR_STARTING)
		return err_status(err, STATUS_WRONG_STATE, -EAGAIN,
				  "container '%s' is just starting; try again", c->name);
	a->pidfd = state_init_pidfd(&a->state);
	if (a->pidfd < 0)
		return err_status(err, STATUS_WRONG_STATE, a->pidfd,
				  "container '%s' is not running", c->name);
	if (*a->state.cgroup) {
		r = cgroup_open(&a->cg, a->state.cgroup, a->state.cgroup_inner, err);
		if (r < 0)
			return r;
		a->has_cgroup = true;
		if (cgroup_is_frozen(&a->cg) > 0 && pause_clean(c, &a->cg) < 0)
			return err_status(err, STATUS_WRONG_STATE, -EBUSY,
					  "container '%s' is frozen; unfreeze it first", c->name);
		if (!a->o->elevated_cgroup)
			return cgroup_open_attach(&a->cg, err);
	}
	return 0;
}

/* The namespaces of the container that differ from ours, or those that were asked for. */
static int pick_namespaces(struct attach *a, struct lxmgr_err *err)
{
	int want = a->o->namespaces;

	for (int i = 0; i < NS_COUNT; i++) {
		int flag = ns_table[i].flag;

		if (want && !(want & flag))
			continue;
		if (!ns_is_ours(a->state.init_pid, (enum ns_type)i))
			a->flags |= flag;
	}
	/* Joining some of an unprivileged container's namespaces with the host's full powers is
	 * what -e is for; without the user namespace they would be kept by accident. */
	if (want && !(want & CLONE_NEWUSER) && !ns_is_ours(a->state.init_pid, NS_USER) &&
	    !a->o->elevated_caps)
		a->flags |= CLONE_NEWUSER;
	return a->flags ? 0
			: err_msg(err, -EINVAL,
				  "container '%s' has none of these namespaces of "
				  "its own",
				  a->c->name);
}

static int prepare(struct attach *a, struct lxmgr_err *err)
{
	const struct lxmgr_attach_opts *o = a->o;
	const struct config *cfg = &a->c->config;
	int r = container_load_running_config(a->c, err);
	const char *notice;

	if (r < 0)
		return r;
	r = pick_namespaces(a, err);
	if (r == 0 && !o->elevated_caps)
		r = enter_caps(cfg, &a->caps, err);
	else
		a->caps = CAPS_ALL;
	if (r == 0 && !o->elevated_lsm)
		r = enter_seccomp(cfg,
				  enter_limits_mounts(cfg, a->state.privileged, a->state.apparmor,
						      a->state.lsm_name),
				  &a->seccomp, err);
	/* What init got, whatever the config says or the host has by now. */
	a->lsm = cfg->lsm;
	a->lsm.apparmor = *a->state.apparmor ? a->state.apparmor : (char *)"unchanged";
	a->lsm.selinux = *a->state.selinux ? a->state.selinux : NULL;
	if (o->selinux_context)
		a->lsm.selinux = (char *)o->selinux_context;
	if (r == 0)
		r = lsm_check(&a->lsm, &notice, err);
	a->personality = 0xffffffff;
	if (r == 0 && o->arch)
		a->personality = !strcasecmp(o->arch, "x86_64") || !strcasecmp(o->arch, "amd64") ||
						 !strcasecmp(o->arch, "linux64")
					 ? PER_LINUX
					 : PER_LINUX32;
	return r;
}

static int wait_exact(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The child tells the grandchild's pid in our pid namespace, the master of its terminal, or why it
 * failed. */
static int hear(struct attach *a, struct lxmgr_err *err)
{
	struct attach_msg m;
	int fds[1] = { -1 };
	size_t n = 1;
	ssize_t len = msg_recv(a->sock, &m, sizeof(m), fds, &n);

	if (len == 0)
		return 1; /* exec closed it: the command runs */
	if (len != sizeof(m))
		return err_set(err, len < 0 ? (int)len : -EPROTO, "enter the container");
	if (m.err.code) {
		m.err.text[sizeof(m.err.text) - 1] = '\0';
		if (err)
			*err = m.err;
		return m.err.code < 0 ? m.err.code : -EIO;
	}
	if (n)
		a->master = fds[0];
	return 0;
}

static void proxy(struct attach *a)
{
	bool in_tty = isatty(STDIN_FILENO);
	struct tty_proxy p = {
		.in_fd = in_tty ? STDIN_FILENO : -1,
		.out_fd = a->pty_out,
		.master_fd = a->master,
		.pidfd = a->child_pidfd,
		.log_fd = a->log_fd,
		.escape = -1,
		.winch = in_tty,
	};
	struct termios saved;
	bool raw = in_tty && tty_raw(STDIN_FILENO, &saved) == 0;

	if (tty_proxy_run(&p, NULL) < 0)
		log_debug("the terminal went away, ignoring");
	if (raw)
		tty_restore(STDIN_FILENO, &saved);
}

/* The child is born in the pid namespace, which a process cannot enter itself, and in the cgroup.
 */
static int spawn(struct attach *a, struct lxmgr_err *err)
{
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&a->child_pidfd,
				   .exit_signal = SIGCHLD };
	cleanup_fd int own = -EBADF;
	int pid, r = 0;

	if (a->flags & CLONE_NEWPID) {
		own = ns_open(getpid(), NS_PID);
		if (own < 0)
			return err_set(err, own, "open the own pid namespace");
		r = sys_setns(a->pidfd, CLONE_NEWPID);
		if (r < 0)
			return err_set(err, r, "join the pid namespace of '%s'", a->c->name);
	}
	pid = inside_clone(a->has_cgroup ? &a->cg : NULL, &args);
	if (pid == 0)
		attach_child(a);
	/* Only children shall be there: the caller may fork on. */
	if (own >= 0)
		r = sys_setns(own, CLONE_NEWPID);
	if (pid == -EAGAIN)
		return err_msg(err, pid,
			       "container '%s' is at its limit of processes (lxmgr.limit.pids)",
			       a->c->name);
	if (pid < 0)
		return err_set(err, pid, "fork in the container");
	if (r < 0) {
		sys_pidfd_send_signal(a->child_pidfd, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_set(err, r, "leave the pid namespace of '%s'", a->c->name);
	}
	return pid;
}

static int run(struct attach *a, int *ret_status, struct lxmgr_err *err)
{
	int pair[2], r = msg_pair(pair), pid;
	struct lxmgr_err why = { 0 };

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	a->sock = pair[0];
	a->child_sock = pair[1];
	pid = spawn(a, err);
	if (pid < 0)
		return pid;
	if (attach_lsm(a) && lsm_changes_label(attach_lsm(a)) &&
	    death_guard(a->child_pidfd, SIGKILL, &why) < 0)
		log_notice("%s: the command will outlive a killed attach, ignoring", why.text);
	fd_close(&a->child_sock);
	do {
		r = hear(a, err);
	} while (r == 0);
	if (r < 0) {
		*ret_status = err && err->status ? err->status : 125;
		waitpid(pid, NULL, 0);
		return r;
	}
	if (a->master >= 0)
		proxy(a);
	*ret_status = wait_exact(pid);
	return 0;
}

static int attach(struct lxmgr_container *c, const struct lxmgr_attach_opts *opts, int *ret_status,
		  struct lxmgr_err *err)
{
	struct attach a = { .c = c,
			    .o = opts,
			    .pidfd = -EBADF,
			    .sock = -EBADF,
			    .child_sock = -EBADF,
			    .child_pidfd = -EBADF,
			    .master = -EBADF,
			    .log_fd = -EBADF,
			    .pty_out = STDOUT_FILENO };
	int r;

	*ret_status = 125;
	r = check_fds(err);
	if (r == 0)
		r = open_target(&a, err);
	if (r == 0)
		r = prepare(&a, err);
	if (r == 0 && opts->pty_log) {
		a.log_fd = open(opts->pty_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
		if (a.log_fd < 0)
			r = err_set(err, -errno, "open '%s'", opts->pty_log);
	}
	for (int fd = 0; fd < 3; fd++)
		a.is_tty[fd] = !opts->no_pty && isatty(fd);
	a.want_pty = a.is_tty[0] || a.is_tty[1] || a.is_tty[2];
	/* What the command writes to its terminal goes to ours, wherever that still is. */
	if (!a.is_tty[1])
		a.pty_out = a.is_tty[2] ? STDERR_FILENO : STDIN_FILENO;
	if (r == 0)
		r = run(&a, ret_status, err);
	fd_close(&a.pidfd);
	fd_close(&a.sock);
	fd_close(&a.child_pidfd);
	fd_close(&a.master);
	fd_close(&a.log_fd);
	if (a.has_cgroup)
		cgroup_close(&a.cg);
	seccomp_free(&a.seccomp);
	return r;
}

int lxmgr_container_attach(struct lxmgr_container *c, const struct lxmgr_attach_opts *opts,
			   int *ret_status, struct lxmgr_err *err)
{
	/* It may last for long, and the command's status is no failure of ours. */
	audit(c, "attach", opts->argv ? opts->argv[0] : "a shell", 0, NULL);
	return attach(c, opts, ret_status, err);
}

static int console(struct lxmgr_container *c, int tty, int escape, struct lxmgr_err *err)
{
	cleanup_fd int sock = control_connect(c, err), master = -EBADF;
	struct tty_proxy p = { .in_fd = STDIN_FILENO,
			       .out_fd = STDOUT_FILENO,
			       .pidfd = -1,
			       .log_fd = -1,
			       .escape = escape,
			       .winch = true,
			       /* A terminal has somebody logged in: Ctrl-d would end that. */
			       .leave_at_eof = true };
	struct termios saved;
	int fds[1], value = 0, r;
	size_t n = 1;
	bool raw;

	if (sock < 0)
		return sock;
	r = control_call(sock, CONTROL_CONSOLE, tty, &value, fds, &n, err);
	if (r == -EBUSY)
		return err_msg(err, r,
			       tty < 0 ? "all terminals of '%s' are in use"
				       : "this terminal of '%s' is in use",
			       c->name);
	if (r == -ENXIO && tty < 0)
		return err_msg(
			err, r,
			"container '%s' has no terminals (lxmgr.tty.max); -t 0 is its console",
			c->name);
	if (r == -ENXIO)
		return err_msg(err, r, "container '%s' has no terminal %d (lxmgr.tty.max)", c->name,
			       tty);
	if (r < 0 || n != 1)
		return r < 0 ? r : err_msg(err, -EPROTO, "the monitor sent no terminal");
	master = fds[0];
	p.master_fd = master;
	raw = isatty(STDIN_FILENO) && tty_raw(STDIN_FILENO, &saved) == 0;
	if (raw)
		tty_copy_size(STDIN_FILENO, master);
	r = tty_proxy_run(&p, err);
	if (raw)
		tty_restore(STDIN_FILENO, &saved);
	return r < 0 ? r : 0;
}

int lxmgr_container_console(struct lxmgr_container *c, int tty, int escape, struct lxmgr_err *err)
{
	audit(c, "console", NULL, 0, NULL);
	return console(c, tty, escape, err);
}
