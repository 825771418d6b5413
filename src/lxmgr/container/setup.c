/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The setup verb. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/setup.h"
#include "container/mounts.h"
#include "container/rootfs.h"
#include "container/setup_run.h"
#include "container/teardown.h"
#include "kernel/ns.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/msg.h"

struct hostname {
	const struct state *state;
	const char *name;
};

/* Namespaces here: the host's, then the container's user and UTS namespaces. */
static int set_hostname(const struct hostname *h, struct lxmgr_err *err)
{
	cleanup_fd int pidfd = state_init_pidfd(h->state);
	int flags = CLONE_NEWUTS, r;
	struct stat before, after;

	if (pidfd < 0)
		return err_set(err, pidfd, "find the init of the container");
	if (!ns_is_ours(h->state->init_pid, NS_USER))
		flags |= CLONE_NEWUSER;
	prctl(PR_SET_DUMPABLE, 0);
	if (stat("/proc/self/ns/uts", &before) < 0)
		return err_set(err, -errno, "look at the own namespace");
	r = sys_setns(pidfd, flags);
	if (r < 0)
		return err_set(err, r, "join the container's namespace of names");
	/* Whatever was thought before: the host's name is not changed. */
	if (stat("/proc/self/ns/uts", &after) < 0 || after.st_ino == before.st_ino)
		return err_msg(err, -EPERM, "the container has the host's namespace of names");
	r = sys_sethostname(h->name);
	return r < 0 ? err_set(err, r, "set the container's host name") : 0;
}

static int hostname_now(const struct state *state, const char *name, struct lxmgr_err *err)
{
	const struct hostname h = { state, name };
	struct lxmgr_err why = { 0 };
	int pair[2], r;
	pid_t pid;

	if (ns_is_ours(state->init_pid, NS_UTS))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "the container shares the host's name, which is not changed");
	r = msg_pair(pair);
	if (r < 0)
		return err_set(err, r, "make a socket pair");
	pid = fork();
	if (pid == 0) {
		why.code = set_hostname(&h, &why);
		_exit(msg_send(pair[1], &why, sizeof(why), NULL, 0) < 0);
	}
	close(pair[1]);
	if (pid < 0 || msg_recv(pair[0], &why, sizeof(why), NULL, NULL) != sizeof(why))
		err_msg(&why, -EIO, "the helper process ended");
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (why.code < 0 && err)
		*err = why;
	return why.code < 0 ? why.code : 0;
}

/* Start writes the saved name into the guest. Not before the guest has it: what was refused changes
 * nothing. */
static int save_hostname(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	const char *old = c->config.uts_name ? c->config.uts_name : c->name;
	int r = str_eq(old, name) ? 0 : lxmgr_container_set_item(c, "lxmgr.uts.name", name, err);

	if (r < 0)
		err_prefix(err, "the guest has the new host name, the config has not");
	return r;
}

static bool sets_network(const struct lxmgr_setup_opts *o)
{
	return o && (o->addresses || o->routes);
}

static int set_up(struct lxmgr_container *c, const struct lxmgr_setup_opts *opts, char **ret_json,
		  struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf request = { 0 };
	cleanup_fd int answer = sys_memfd_create("answer", 0), lock = -EBADF;
	char path[PATH_MAX + 80];
	struct state state;
	int r;

	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	r = answer < 0 ? err_set(err, answer, "make a file in memory")
		       : container_load_config(c, err);
	if (r == 0)
		r = setup_request(opts, &c->config, &request, err);
	if (r < 0 || (opts && opts->check))
		return r;
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	r = teardown_stale(c, -1, &state, err);
	if (r > 0 && state.state == LXMGR_STARTING)
		return err_status(err, STATUS_WRONG_STATE, -EAGAIN,
				  "container '%s' is just starting; try again", c->name);
	snprintf(path, sizeof(path), "%s/%s", c->path, c->name);
	/* Two overlays over the same directories are undefined, and the mount would not see it. */
	if (r == 0)
		r = mounts_check(c, true, err);
	if (r == 0)
		r = rootfs_recover(c, err);
	if (r >= 0 && sets_network(opts) && setup_note_network(c->dir_fd, err) < 0)
		r = err->code;
	if (r == 0) {
		r = setup_run_stopped(c->dir_fd, path, &c->config, SETUP_MAIN, &request, answer,
				      err);
	} else if (r > 0) {
		r = setup_run_running(&state, SETUP_MAIN, &request, answer, err);
		if (r == 0 && opts && opts->hostname)
			r = hostname_now(&state, opts->hostname, err);
	}
	fd_close(&lock);
	if (r == 0 && opts && opts->hostname)
		r = save_hostname(c, opts->hostname, err);
	return r < 0 ? r : setup_answer(answer, ret_json, err);
}

int lxmgr_container_setup(struct lxmgr_container *c, const struct lxmgr_setup_opts *opts,
			  char **ret_json, struct lxmgr_err *err)
{
	return audit(c, "setup", NULL, set_up(c, opts, ret_json, err), err);
}
