/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/features.h"
#include "container/inside.h"
#include "container/pause.h"
#include "container/mounts.h"
#include "container/teardown.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

int rootfs_leave_host(struct lxmgr_err *err)
{
	cleanup_fd int host = -EBADF;
	int r = sys_unshare(CLONE_NEWNS);

	if (r < 0)
		return err_set(err, r, "make a mount namespace");
	host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Slave, not private: what the host unmounts meanwhile must not stay busy here. */
	return mount_set(host, 0, 0, 1UL << 19 /* MS_SLAVE */, true, -1, err);
}

/* Namespaces here: a mount namespace of its own, all else the host's. */
int rootfs_open_stopped(int ct_fd, const char *path, const struct storage_spec *spec,
			struct storage *st, struct lxmgr_err *err)
{
	int r = rootfs_leave_host(err);

	if (r == 0 && ct_fd >= 0) {
		ct_fd = reopen_dir(ct_fd, path);
		if (ct_fd < 0)
			r = err_set(err, ct_fd, "open '%s'", path);
	}
	if (r == 0)
		r = storage_open(st, ct_fd, spec, err);
	return r < 0 ? r : storage_open_root(st, err);
}

int rootfs_recover(struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct storage st;
	int r = storage_open(&st, c->dir_fd, &c->config.storage, err);

	if (r < 0)
		return r;
	r = storage_recover(&st, err);
	storage_close(&st);
	return r;
}

static int begin_running(struct rootfs *f, struct lxmgr_err *err)
{
	struct lxmgr_container *c = f->c;
	int r;

	/* Until init runs, its namespaces still hold the host's tree. */
	if (f->state.state == LXMGR_STARTING)
		return err_status(err, STATUS_WRONG_STATE, -EAGAIN,
				  "container '%s' is just starting; try again", c->name);
	f->pidfd = state_init_pidfd(&f->state);
	if (f->pidfd < 0)
		return err_status(err, STATUS_WRONG_STATE, f->pidfd,
				  "container '%s' is just ending; try again", c->name);
	f->running = true;
	if (!*f->state.cgroup)
		return 0;
	r = cgroup_open(&f->cg, f->state.cgroup, f->state.cgroup_inner, err);
	if (r < 0)
		return r;
	f->has_cgroup = true;
	if (cgroup_is_frozen(&f->cg) > 0 && pause_clean(c, &f->cg) < 0)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is frozen; unfreeze it first", c->name);
	return cgroup_open_attach(&f->cg, err);
}

int rootfs_begin(struct rootfs *f, struct lxmgr_container *c, struct lxmgr_err *err)
{
	bool stale;
	int r = state_read(c, &f->state, &stale, err);

	f->c = c;
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && !stale) {
		r = container_load_running_config(c, err);
		return r < 0 ? r : begin_running(f, err);
	}
	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	f->lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (f->lock < 0)
		return f->lock;
	r = teardown_stale(c, -1, &f->state, err);
	if (r > 0) {
		/* It was started while we waited. */
		fd_close(&f->lock);
		r = container_load_running_config(c, err);
		return r < 0 ? r : begin_running(f, err);
	}
	if (r == 0)
		r = container_load_config(c, err);
	if (r == 0)
		r = mounts_check(c, true, err);
	return r < 0 ? r : rootfs_recover(c, err);
}

void rootfs_end(struct rootfs *f)
{
	fd_close(&f->pidfd);
	if (f->has_cgroup)
		cgroup_close(&f->cg);
	f->has_cgroup = false;
	fd_close(&f->lock);
}

/* Namespaces here: the host's, then the container's user and mount namespace. */
static int enter(struct rootfs *f, struct lxmgr_err *err)
{
	int flags = CLONE_NEWNS, root, r;

	if (!ns_is_ours(f->state.init_pid, NS_USER))
		flags |= CLONE_NEWUSER;
	r = f->has_cgroup ? cgroup_join(&f->cg, err) : 0;
	if (r < 0)
		return r;
	/* The caller's groups are the host's. Inside, where they have no names, it may be
	 * denied. */
	if (setgroups(0, NULL) < 0)
		return err_set(err, -errno, "leave the caller's groups");
	r = sys_setns(f->pidfd, flags);
	if (r < 0)
		return err_set(err, r, "join the namespaces of '%s'", f->c->name);
	if ((flags & CLONE_NEWUSER) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return err_set(err, -errno, "become root of the container");
	/* The change of ids set it. */
	prctl(PR_SET_DUMPABLE, 0);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_set(err, -errno, "open the container's root") : root;
}

static int open_stopped(struct rootfs *f, struct lxmgr_err *err)
{
	const struct config *cfg = &f->c->config;
	char path[PATH_MAX + sizeof(f->c->name) + 2];
	struct storage st;
	int root;

	snprintf(path, sizeof(path), "%s/%s", f->c->path, f->c->name);
	root = rootfs_open_stopped(f->c->dir_fd, path, &cfg->storage, &st, err);
	if (root >= 0 && st.ids)
		idmap_add_both(&f->map, 0, st.ids, 65536);
	else if (root >= 0 && cfg->idmap_policy == IDMAP_EXPLICIT && !cfg->storage.idmap_container)
		f->map = cfg->idmap;
	return root;
}

static void child(struct rootfs *f, const struct rootfs_work *w, pid_t parent)
{
	struct lxmgr_err err = { 0 };
	int fds, root;

	close(w->close_fd);
	/* Whoever interrupts the tool, from its terminal too, leaves it to clean up here. */
	for (int sig = 1; sig < NSIG; sig++)
		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT ||
		    sig == SIGPIPE || sig == SIGTSTP)
			signal(sig, SIG_IGN);
	/* Processes of the container could look at this one from here on (CVE-2016-9962). */
	prctl(PR_SET_DUMPABLE, 0);
	fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	umask(0);
	root = fds < 0	    ? err_set(&err, -errno, "open /proc")
	       : f->running ? enter(f, &err)
			    : open_stopped(f, &err);
	/* Only now: a change of ids clears it. */
	if (!w->outlives)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!w->outlives && getppid() != parent)
		_exit(1);
	if (root < 0)
		w->fail(&err, w->data);
	else
		w->run(f, root, fds, w->data);
	_exit(root < 0);
}

int rootfs_spawn(struct rootfs *f, const struct rootfs_work *w, struct lxmgr_err *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t parent = getpid();
	int pid = inside_clone(f->has_cgroup ? &f->cg : NULL, &args);

	if (pid == 0)
		child(f, w, parent);
	if (pid == -EAGAIN && f->running)
		return err_msg(err, pid,
			       "container '%s' is at its limit of processes (lxmgr.limit.pids)",
			       f->c->name);
	return pid < 0 ? err_set(err, pid, "fork") : pid;
}
