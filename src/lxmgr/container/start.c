/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start verb: parse, open, lock, check, plan; then a monitor acquires and this one waits. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/disk.h"
#include "container/features.h"
#include "container/host.h"
#include "container/io.h"
#include "container/lxcfs.h"
#include "container/mcsalloc.h"
#include "container/mounts.h"
#include "container/service.h"
#include "container/slots.h"
#include "container/start.h"
#include "container/teardown.h"
#include "kernel/sys.h"
#include "kernel/tty.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/msg.h"
#include "util/notify.h"
#include "util/parse.h"
#include "util/paths.h"

#define FINISH_TIMEOUT_MS 15000
#define ENDING_POLL_MS	  100
/* For an init that says itself when it is up; as the unit has it. */
#define READY_TIMEOUT_MS (15 * 60 * 1000)

void start_init(struct start *s, struct lxmgr_container *c)
{
	memset(s, 0, sizeof(*s));
	s->c = c;
	s->lxcfs = (struct lxcfs)LXCFS_INIT;
	s->restarts = -1;
	s->run_fd = s->state_fd = s->report_fd = s->sock = s->child_sock = s->pidfd = -EBADF;
	s->ct_fd = s->init_fd = s->preload_sock = s->host_proc_fd = -EBADF;
	s->ready_fd = s->ready_out = s->lock_fd = s->turn_fd = -EBADF;
	s->usage_fd = s->usage_ask_fd = -EBADF;
	s->host_mnt_fd = s->userns_fd = s->netns_fd = s->stage_fd = s->root_fd = -EBADF;
	s->empty_file = s->empty_dir = s->control_fd = s->log_fd = -EBADF;
	s->cg.into_fd = -1;
	for (int i = 0; i < NS_COUNT; i++)
		s->share_fd[i] = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(s->tty_fd); i++)
		s->tty_fd[i] = -EBADF;
}

void start_release(struct start *s)
{
	int *const fds[] = { &s->ct_fd,	      &s->init_fd,	&s->run_fd,	  &s->state_fd,
			     &s->report_fd,   &s->sock,		&s->child_sock,	  &s->pidfd,
			     &s->host_mnt_fd, &s->userns_fd,	&s->netns_fd,	  &s->stage_fd,
			     &s->root_fd,     &s->empty_file,	&s->empty_dir,	  &s->control_fd,
			     &s->log_fd,      &s->preload_sock, &s->host_proc_fd, &s->ready_fd,
			     &s->ready_out,   &s->lock_fd,	&s->turn_fd,	  &s->usage_fd,
			     &s->usage_ask_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	for (int i = 0; i < NS_COUNT; i++)
		fd_close(&s->share_fd[i]);
	for (size_t i = 0; i < ARRAY_SIZE(s->tty_fd); i++)
		fd_close(&s->tty_fd[i]);
	for (size_t i = 0; s->entry_fd && i < s->c->config.n_mounts; i++)
		fd_close(&s->entry_fd[i]);
	free(s->entry_fd);
	lxcfs_close(&s->lxcfs);
	if (s->has_cgroup)
		cgroup_close(&s->cg);
	if (s->storage_open)
		storage_close(&s->storage);
	if (s->nl)
		netlink_close(s->nl);
	seccomp_free(&s->seccomp);
	for (size_t i = 0; i < s->n_nets; i++)
		if (s->nets[i].program)
			close(s->nets[i].program);
	free(s->nets);
	free(s->live);
	plan_free(&s->plan);
}

static int apply_defines(struct lxmgr_container *c, const struct lxmgr_start_opts *o,
			 struct lxmgr_err *err)
{
	int r = 0;

	for (size_t i = 0; o->defines && o->defines[i]; i++) {
		r = config_read_text(&c->config, o->defines[i], strlen(o->defines[i]), "-s", err);
		if (r < 0)
			return r;
	}
	if (o->console_log)
		r = config_set(&c->config, "console.logfile", o->console_log, err);
	if (r == 0 && o->console)
		r = config_set(&c->config, "console.path", o->console, err);
	return r < 0 ? r : config_check(&c->config, c->name, err);
}

/* NAME of a running container becomes the pid of its init; PIDs and paths stay. */
static int resolve_share(struct lxmgr_container *c, struct plan *p, int type, struct lxmgr_err *err)
{
	struct lxmgr_container *other = NULL;
	struct state state;
	uint64_t pid;
	bool stale;
	int r;

	if (!*p->share[type] || *p->share[type] == '/' || parse_u64(p->share[type], &pid) == 0)
		return 0;
	r = lxmgr_container_open(c->path, p->share[type], NULL, &other, err);
	if (r < 0)
		return r;
	r = state_read(other, &state, &stale, err);
	lxmgr_container_close(other);
	if (r < 0 || stale || !state.init_pid)
		return err_status(err, STATUS_WRONG_STATE, -ESRCH,
				  "container '%s' does not run: its %s namespace cannot be shared",
				  p->share[type], ns_table[type].name);
	snprintf(p->share[type], sizeof(p->share[type]), "%d", state.init_pid);
	return 0;
}

static int make_plan(struct start *s, struct lxmgr_err *err)
{
	struct lxmgr_container *c = s->c;
	char id[sizeof(c->path) + sizeof(c->name) + 2], level[MCS_LEVEL_SIZE] = "";
	uint32_t base = 0, count = 0;
	int r = 0;

	snprintf(id, sizeof(id), "%s/%s", c->path, c->name);
	if (c->config.idmap_policy == IDMAP_AUTO)
		r = features_acquire_ids(&c->config, id, &base, &count, err);
	if (r == 0 && label_is_ours(&c->config))
		r = mcs_acquire(id, level, err);
	if (r == 0)
		r = plan_make(c, s->opts, base, count, level, &s->plan, err);
	for (int i = 0; r == 0 && i < NS_COUNT; i++)
		r = resolve_share(c, &s->plan, i, err);
	return r;
}

/* Who restarts had it already. */
static int admit(const struct start *s, int *ret_turn, struct lxmgr_err *err)
{
	if (!s->opts || s->forced)
		return 0;
	return host_admit(s->c, &s->c->config, true, ret_turn, err);
}

/* All that can be refused before anything is touched. Without the container's lock somebody may
 * just be at work on its root: what he leaves is not looked at. */
static int check(struct start *s, bool locked, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	struct storage st;
	int r = container_may_start(s->c, err);

	if (r == 0)
		r = admit(s, NULL, err);
	if (r == 0)
		r = cgroup_check(&cfg->cgroup, err);
	if (r == 0)
		r = io_check(s->c, cfg, NULL, err);
	if (r == 0)
		r = lxcfs_check(cfg, err);
	if (r < 0)
		return r;
	r = storage_open(&st, s->c->dir_fd, &cfg->storage, err);
	if (r < 0)
		return r;
	r = locked ? storage_recover(&st, err) : 0;
	if (r == 0 && locked)
		r = storage_check(&st, err);
	storage_close(&st);
	return r;
}

/* What the labels of the plan ask of the host's files, and what the user must know about them. */
static int label(struct start *s, struct lxmgr_err *err)
{
	const struct lxmgr_start_opts *o = s->opts;
	const struct label *l = &s->plan.label;
	struct label_progress p = { o ? o->progress : NULL, o ? o->progress_arg : NULL };
	int r = label_root(&s->c->config, s->c->dir_fd, l->file, &p, err);

	if (r == 0)
		r = label_volumes(&s->c->config, l->file, &p, err);
	if (r == 0 && l->warning && o && o->warn)
		o->warn(l->warning, o->progress_arg);
	return r;
}

static int open_trace(const struct lxmgr_container *c)
{
	const struct config *cfg = &c->config;
	int level = cfg->log_level ? log_level_parse(cfg->log_level) : LOG_L_DEBUG;
	char path[sizeof(LOGDIR) + sizeof(c->tag) + 8];
	const char *file = cfg->log_file;
	int fd;

	if (!file) {
		/* A trace that cannot be kept must not stop a start. */
		if (mkdir_p(LOGDIR, 0750) < 0)
			return -EBADF;
		snprintf(path, sizeof(path), "%s/%s.log", LOGDIR, c->tag);
		file = path;
	}
	fd = open(file,
		  O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_APPEND |
			  (cfg->log_file ? 0 : O_TRUNC),
		  0640);
	if (fd >= 0)
		log_to_fd(fd, level < 0 ? LOG_L_DEBUG : (enum log_level)level, c->name);
	if (cfg->log_syslog)
		log_to_syslog(cfg->log_syslog);
	return fd;
}

/* Tell who waits that it runs. An init that is to say itself that it is up does so later, through
 * the monitor. */
static void report_running(struct start *s)
{
	bool fg = s->opts && s->opts->foreground;

	/* Before: whoever hears of it finds the lock free. */
	fd_close(&s->lock_fd);
	if (s->report_fd >= 0)
		start_send(s->report_fd, START_RUNNING, s->pid, NULL, &s->tty_fd[0],
			   fg && s->tty_fd[0] >= 0);
	if (!fg && s->opts)
		fd_close(&s->report_fd);
	if (!s->service || !s->opts)
		return;
	if (s->ready_fd >= 0)
		s->ready_out = notify_connect();
	else
		notify_send("READY=1\nSTATUS=");
}

int start_in_monitor(struct start *s, struct lxmgr_err *err)
{
	int ns[NS_COUNT] = { -1, -1, -1, -1, -1, -1, -1, -1 }, r = 0, ended;
	struct lxmgr_err why = { 0 };
	struct state state;
	bool stale;

	if (!s->plan.argv.n)
		r = make_plan(s, err);
	/* A reboot: the config may have changed. */
	if (r == 0 && !s->opts)
		r = disk_start(s->c, err);
	if (r == 0 && !s->opts)
		r = label(s, err);
	for (int i = 0; i < 3; i++) {
		const char *said[] = { s->plan.lsm_notice, s->plan.label.notice,
				       s->plan.label.warning };

		if (said[i])
			log_notice("%s", said[i]);
	}
	if (r == 0)
		r = start_acquire(s, err);
	if (r == 0) {
		report_running(s);
		/* Behind the report: taking the stage apart waits for an RCU grace period. */
		r = stage_leave(s, err);
		if (r == 0)
			r = start_handover(s, err);
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	ns[NS_NET] = s->netns_fd;
	ended = state_read(s->c, &state, &stale, &why);
	/* -ENOENT: not even its state could be written. */
	if (ended == 0)
		ended = teardown(s->c, &state, "stop", ns, !s->opts, &why);
	else if (ended == -ENOENT)
		ended = teardown_run_dir(s->c, &why);
	if (ended < 0)
		log_error("teardown after a failed start: %s", why.text);
	if (s->report_fd >= 0)
		start_send(s->report_fd, START_FAILED, 0, err, NULL, 0);
	return r;
}

static void be_monitor(void)
{
	prctl(PR_SET_NAME, "lxmgr-supervise");
	/* Not the caller's: what is made in /dev is everybody's in the container. */
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
}

/* In the fork. Never returns. */
static void monitor_main(struct start *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct lxmgr_err err = { 0 };

	lock_hand_over(s->lock_fd);
	setsid();
	be_monitor();
	/* Before the terminal is let go: a program that looks at once must find the size. */
	if (s->opts->foreground && ioctl(STDIN_FILENO, TIOCGWINSZ, &s->size) < 0)
		s->size = (struct winsize){ 0 };
	s->to_file = s->opts->foreground && !isatty(STDOUT_FILENO);
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	if (chdir("/") < 0)
		_exit(1);
	start_in_monitor(s, &err);
	_exit(1);
}

static int write_pidfile(const char *file, pid_t pid, struct lxmgr_err *err)
{
	cleanup_fd int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || dprintf(fd, "%d\n", pid) < 0)
		return err_set(err, -errno, "write the pid file '%s'", file);
	return 0;
}

/* In the foreground: the console is ours until the container ends. */
static int follow(int report, int console, int *ret_status, struct lxmgr_err *err)
{
	struct start_msg m;
	ssize_t len;

	if (console >= 0) {
		struct tty_proxy p = { .in_fd = STDIN_FILENO,
				       .out_fd = STDOUT_FILENO,
				       .master_fd = console,
				       .pidfd = -1,
				       .log_fd = -1,
				       .escape = -1,
				       .winch = true };
		struct termios saved;
		bool raw = isatty(STDIN_FILENO) && tty_raw(STDIN_FILENO, &saved) == 0;
		int r;

		if (raw)
			tty_copy_size(STDIN_FILENO, console);
		r = tty_proxy_run(&p, err);
		if (raw)
			tty_restore(STDIN_FILENO, &saved);
		if (r < 0)
			return r;
	}
	len = msg_recv(report, &m, sizeof(m), NULL, NULL);
	if (len != sizeof(m) || m.kind != START_ENDED)
		return err_msg(err, -EPIPE,
			       "the monitor ended before the container "
			       "(was it killed? the container may still run)");
	if (ret_status)
		*ret_status = m.value;
	return 0;
}

/* The monitor is not of the caller's session or service, whose end would be its own: systemd kills
 * what is left of a unit. One that is followed in the foreground stays, and so does the monitor of
 * a container below the caller's group. */
static pid_t fork_monitor(const struct start *s)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	cleanup_fd int dir = -EBADF;
	pid_t pid;

	/* The C library's fork also sees to the locks of other threads. */
	if (!__libc_single_threaded || s->opts->foreground || s->c->config.cgroup.relative)
		return fork();
	dir = cgroup_monitor_dir(NULL);
	if (dir < 0)
		return fork();
	args.cgroup = (uint64_t)dir;
	pid = sys_clone3(&args);
	return pid < 0 ? fork() : pid;
}

/* Until init says that it is up; the monitor hands that on. */
static int wait_ready(int fd, struct lxmgr_err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + READY_TIMEOUT_MS;
	char word;
	int r;

	do {
		int64_t left = end - now_ms();

		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_msg(err, -ETIMEDOUT,
			       "its init did not say within %d minutes that it is up, and runs on "
			       "(lxmgr.start.ready = init needs one that does, as systemd)",
			       READY_TIMEOUT_MS / 60000);
	if (recv(fd, &word, 1, 0) <= 0)
		return err_msg(err, -EPIPE, "its init ended before it was up");
	return 0;
}

static int launch(struct start *s, struct lxmgr_err *err)
{
	bool want_ready = s->c->config.start_ready == START_READY_INIT && !s->opts->foreground &&
			  !s->opts->argv;
	cleanup_fd int report = -EBADF, console = -EBADF, ready = -EBADF;
	const struct lxmgr_start_opts *o = s->opts;
	int pair[2], fds[1], r;
	size_t n = 1;
	pid_t pid;

	r = msg_pair(pair);
	if (r < 0)
		return err_set(err, r, "make a socket pair");
	report = pair[0];
	s->report_fd = pair[1];
	r = want_ready ? msg_pair(pair) : 0;
	if (r < 0)
		return err_set(err, r, "make a socket pair");
	if (want_ready) {
		ready = pair[0];
		s->ready_out = pair[1];
	}
	pid = fork_monitor(s);
	if (pid < 0)
		return err_set(err, -errno, "fork the monitor");
	if (pid == 0) {
		fd_close(&report);
		fd_close(&ready);
		monitor_main(s);
	}
	fd_close(&s->report_fd);
	fd_close(&s->ready_out);
	r = start_expect(report, START_RUNNING, fds, &n, err);
	if (r < 0) {
		waitpid(pid, NULL, 0);
		return r;
	}
	if (n)
		console = fds[0];
	if (o->pidfile) {
		r = write_pidfile(o->pidfile, pid, err);
		if (r < 0)
			return r;
	}
	/* Others may stop it while it runs here, or comes up. */
	fd_close(&s->lock_fd);
	if (!o->foreground)
		return want_ready ? wait_ready(ready, err) : 0;
	r = follow(report, console, o->ret_status, err);
	waitpid(pid, NULL, 0);
	return r;
}

/* A container that is just ending is waited for; one that runs is refused. */
static int ensure_stopped(struct lxmgr_container *c, struct lxmgr_err *err)
{
	int64_t end = now_ms() + FINISH_TIMEOUT_MS;
	struct state state;

	for (;;) {
		cleanup_fd int monitor = -EBADF, init = -EBADF;
		struct pollfd p;
		int r = teardown_stale(c, -1, &state, err);

		if (r <= 0)
			return r < 0 ? r : mounts_check(c, true, err);
		init = state_init_pidfd(&state);
		monitor = state_monitor_pidfd(&state);
		/* Nobody has to wait for the end of its pause. */
		if (state.waiting && monitor >= 0)
			sys_pidfd_send_signal(monitor, SIGKILL);
		p = (struct pollfd){ .fd = init, .events = POLLIN };
		if ((init >= 0 && poll(&p, 1, 0) == 0) || monitor < 0 || now_ms() > end)
			return err_status(err, STATUS_WRONG_STATE, -EBUSY,
					  "container '%s' is already running", c->name);
		/* One that reboots has the same monitor. */
		p.fd = monitor;
		poll(&p, 1, ENDING_POLL_MS);
	}
}

/* This process, a unit's, is the monitor. Its output stays the journal's. */
static int launch_here(struct start *s, struct lxmgr_err *err)
{
	be_monitor();
	return start_in_monitor(s, err);
}

/* A root with a file system of its own is made smaller or larger as the config says by now. */
static int apply_limit(struct start *s, struct lxmgr_err *err)
{
	int r;

	tree_copy_watch(&(struct tree_watch){ -1, s->opts->progress, s->opts->progress_arg });
	r = disk_start(s->c, err);
	tree_copy_watch(NULL);
	return r;
}

static int start_direct(struct start *s, struct lxmgr_err *err)
{
	cleanup_fd int slot = -EBADF, trace = -EBADF;
	struct lxmgr_container *c = s->c;
	int r;

	/* Held until the start is done. */
	if (s->opts->queue || s->opts->service)
		slot = start_slot_take();
	s->lock_fd = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (s->lock_fd < 0)
		return s->lock_fd;
	r = c->reloaded ? apply_defines(c, s->opts, err) : 0;
	/* A unit's monitor tells systemd how it ended, who does the rest; and a command that
	 * somebody waits for or gave is not started twice. */
	if (c->config.start_restart != RESTART_NO && !s->opts->service && !s->opts->foreground &&
	    !s->opts->argv)
		s->restarts = 0;
	if (r == 0)
		r = ensure_stopped(c, err);
	if (r == 0)
		trace = open_trace(c);
	if (r == 0)
		r = make_plan(s, err);
	if (r == 0)
		r = check(s, true, err);
	if (r == 0)
		r = apply_limit(s, err);
	if (r == 0)
		r = label(s, err);
	/* Again, because others may have started since; from here on they wait until it counts. */
	if (r == 0)
		r = admit(s, &s->turn_fd, err);
	if (r == 0)
		r = s->opts->service ? launch_here(s, err) : launch(s, err);
	log_to_fd(-1, LOG_L_DEBUG, NULL);
	return r;
}

/* The unit would say the same, but wait for its turn first. */
static int start_by_unit(struct start *s, bool *ret_no_unit, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	struct state state;
	bool stale;
	int r;

	if (state_read(s->c, &state, &stale, &why) == 0 && !stale &&
	    (state.state == LXMGR_RUNNING || state.state == LXMGR_FROZEN))
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is already running", s->c->name);
	r = mounts_check(s->c, false, err);
	if (r == 0)
		r = check(s, false, err);
	/* The unit would label as well, but here somebody sees it, and the warning. */
	if (r == 0 && selinux_is_enabled()) {
		r = make_plan(s, err);
		if (r == 0)
			r = label(s, err);
		plan_free(&s->plan);
	}
	if (r < 0)
		return r;
	if (s->opts->force)
		service_force(s->c, true);
	r = service_start_unit(s->c, err);
	if (s->opts->force)
		service_force(s->c, false);
	*ret_no_unit = r == -ENOENT;
	return r;
}

static int start(struct lxmgr_container *c, const struct lxmgr_start_opts *opts,
		 struct lxmgr_err *err)
{
	struct start s;
	int r;

	start_init(&s, c);
	s.opts = opts;
	s.service = opts->service;
	s.forced = opts->force || service_was_forced(c, opts);
	r = container_load_config(c, err);
	if (r == 0)
		r = apply_defines(c, opts, err);
	if (r == 0 && opts->dry_run) {
		r = make_plan(&s, err);
		if (r == 0)
			r = plan_print(c, &s.plan, opts->ret_plan);
	} else if (r == 0) {
		bool direct = opts->service || !service_is_host() || !service_has_unit(c, opts);

		if (!direct)
			r = start_by_unit(&s, &direct, err);
		if (direct)
			r = start_direct(&s, err);
	}
	if (r < 0 && opts->service && err) {
		char text[sizeof(err->text) + 16];

		snprintf(text, sizeof(text), "STATUS=%s", err->text);
		notify_send(text);
	}
	start_release(&s);
	return r;
}

int lxmgr_container_start(struct lxmgr_container *c, const struct lxmgr_start_opts *opts,
			  struct lxmgr_err *err)
{
	static const struct lxmgr_start_opts none = { 0 };
	int r;

	opts = opts ? opts : &none;
	/* What starts a unit is told of, and not its unit beside it. */
	if (opts->dry_run || opts->service)
		return start(c, opts, err);
	/* That ends with the container. */
	if (opts->foreground)
		audit(c, "start", "in the foreground", 0, NULL);
	r = start(c, opts, err);
	return opts->foreground ? r : audit(c, "start", NULL, r, err);
}
