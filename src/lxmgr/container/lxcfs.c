/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/inside.h"
#include "container/lxcfs.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"

#define LOCK_TIMEOUT_MS	    60000
#define INSIDE_TIMEOUT_MS   10000
#define STARTING_TIMEOUT_MS 30000
#define POLL_MS		    20

static int open_host(struct lxcfs *ret, struct lxmgr_err *err)
{
	cleanup_free char *path = NULL;
	int r = lxmgr_global_get("lxmgr.lxcfs.path", &path, err);

	return r < 0 ? r : lxcfs_open(path, ret, err);
}

int lxcfs_get(const struct config *cfg, struct lxcfs *ret, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int r;

	if (cfg->lxcfs == LXCFS_NEVER)
		return 0;
	r = open_host(ret, &why);
	if (r == 0)
		return 1;
	if (cfg->lxcfs == LXCFS_ALWAYS) {
		const char *where = config_where(cfg, "lxcfs");

		if (err)
			*err = why;
		return err_hint(err, "lxmgr.lxcfs = 1%s%s", where ? ", " : "", where ? where : ""),
		       r;
	}
	/* One that is not there is nothing to speak of. */
	if (r != -ENOENT)
		log_notice("/proc shows the host's resources: %s", why.text);
	return 0;
}

int lxcfs_check(const struct config *cfg, struct lxmgr_err *err)
{
	struct lxcfs l = LXCFS_INIT;
	int r = cfg->lxcfs == LXCFS_ALWAYS ? lxcfs_get(cfg, &l, err) : 0;

	lxcfs_close(&l);
	return r < 0 ? r : 0;
}

/* Namespaces here: the host's, but for the container's mount namespace. */
static int renew_inside(int root, void *data, struct lxmgr_err *err)
{
	const struct lxcfs *l = data;
	int r = lxcfs_detach(root, err);

	return r < 0 || !l ? r : lxcfs_attach(root, l, err);
}

/* One that starts is waited for: it may have opened the files of a lxcfs that is gone now. */
static int read_started(const struct lxmgr_container *c, struct state *s, bool *ret_runs,
			struct lxmgr_err *err)
{
	int64_t end = now_ms() + STARTING_TIMEOUT_MS;
	bool stale;
	int r;

	for (;;) {
		r = state_read(c, s, &stale, err);
		*ret_runs = r == 0 && !stale;
		/* What is started at the end of a pause finds the new files. */
		if (!*ret_runs || s->state != LXMGR_STARTING || s->waiting || now_ms() > end)
			break;
		usleep(POLL_MS * 1000);
	}
	*ret_runs = *ret_runs && s->init_pid && s->state != LXMGR_STARTING;
	return r == -ENOENT ? 0 : r;
}

/* 1: done; 0: it does not run, or wants no lxcfs. */
static int renew(struct lxmgr_container *c, bool attach, struct lxmgr_err *err)
{
	struct lxcfs l = LXCFS_INIT;
	struct state s;
	bool runs;
	int r = read_started(c, &s, &runs, err);

	if (r < 0 || !runs)
		return r;
	r = container_load_running_config(c, err);
	if (r < 0 || c->config.lxcfs == LXCFS_NEVER)
		return r;
	/* A mount that was attached somewhere cannot be used again: each gets its own. */
	if (attach)
		r = open_host(&l, err);
	if (r == 0)
		r = inside_run(&s, INSIDE_TIMEOUT_MS, renew_inside, attach ? &l : NULL, err);
	lxcfs_close(&l);
	return r < 0 ? r : 1;
}

struct round {
	bool attach; /* or only take away */
	void (*fn)(const char *name, const struct lxmgr_err *why, void *arg);
	void *arg;
	int failed;
};

static int renew_one(struct lxmgr_container *c, const struct state *seen, void *data)
{
	struct round *o = data;
	struct lxmgr_err why = { 0 };
	int r;

	(void)seen; /* it may have gone on since */
	r = renew(c, o->attach, &why);

	if (r < 0)
		o->failed++;
	if (r != 0)
		o->fn(c->name, r < 0 ? &why : NULL, o->arg);
	return 0;
}

static int wait_for_lxcfs(int wait_ms, struct lxmgr_err *err)
{
	int64_t end = now_ms() + wait_ms;

	for (;;) {
		struct lxcfs l = LXCFS_INIT;
		int r = open_host(&l, err);

		lxcfs_close(&l);
		if (r == 0 || now_ms() >= end)
			return r;
		usleep(POLL_MS * 1000);
	}
}

/* Two at once would lay theirs over each other's. */
static int lock_rounds(struct lxmgr_err *err)
{
	cleanup_fd int run = -EBADF;
	pid_t holder = 0;
	int r = mkdir_p(RUNDIR, 0700);

	run = r < 0 ? r : open(RUNDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = run < 0 ? -errno : lock_at(run, ".lxcfs.lock", true, LOCK_TIMEOUT_MS, &holder);
	if (r == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, r, "process %d does the same", holder);
	return r < 0 ? err_set(err, r, "lock '%s/.lxcfs.lock'", RUNDIR) : r;
}

int lxmgr_lxcfs(const char *path, const char *name, bool attach, int wait_ms,
		void (*fn)(const char *, const struct lxmgr_err *, void *), void *arg,
		struct lxmgr_err *err)
{
	cleanup_fd int lock = lock_rounds(err);
	struct lxmgr_container *c = NULL;
	struct round o = { attach, fn, arg, 0 };
	int r = lock < 0 ? lock : 0;

	if (r == 0 && name)
		r = lxmgr_container_open(path, name, NULL, &c, err);
	if (r == 0 && attach)
		r = wait_for_lxcfs(wait_ms, err);
	if (r == 0 && name)
		r = renew_one(c, NULL, &o);
	else if (r == 0)
		r = container_each_running(renew_one, &o, err);
	lxmgr_container_close(c);
	return r < 0 ? r : o.failed;
}
