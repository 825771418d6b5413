/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting and stopping many containers: each in a child, as soon as what it waits for is done. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/autostart.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

/* Children at once. Starts wait for one of the host's slots besides; a stop only waits. */
#define MAX_STARTS 64
#define MAX_STOPS  1024

enum node_state {
	NODE_WAITS,
	NODE_RUNS,
	NODE_HOLDS, /* it is up; its delay is not over */
	NODE_DONE
};

struct node {
	const struct lxmgr_auto *e;
	unsigned int level; /* 0 first */
	bool after;	    /* ordered by lxmgr.start.after: no level waits for it */
	size_t *deps;	    /* indexes of what it is after */
	size_t n_deps;
	enum node_state state;
	pid_t pid;
	int64_t until; /* end of its delay */
};

struct run {
	struct node *v;
	size_t n;
	enum lxmgr_auto_action action;
	int timeout_ms;
	void (*done)(const struct lxmgr_auto *, const struct lxmgr_err *, void *);
	void *arg;
	struct lxmgr_err *errs; /* shared with the children, one each */
	int wake[2];		/* a child writes its index as it ends */
	size_t running;
	int failed;
};

static bool is_stop(const struct run *r)
{
	return r->action == LXMGR_AUTO_STOP || r->action == LXMGR_AUTO_KILL;
}

static int find_deps(struct run *r, struct node *node)
{
	size_t n = 0;

	while (node->e->after[n])
		n++;
	node->deps = calloc(n + 1, sizeof(*node->deps));
	if (!node->deps)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < r->n; k++)
			if (str_eq(r->v[k].e->name, node->e->after[i]) &&
			    str_eq(r->v[k].e->path, node->e->path))
				node->deps[node->n_deps++] = k;
	node->after = node->n_deps;
	return 0;
}

static int make_nodes(struct run *r, const struct lxmgr_auto *list, size_t n)
{
	r->v = calloc(n + 1, sizeof(*r->v));
	if (!r->v)
		return -ENOMEM;
	r->n = n;
	for (size_t i = 0; i < n; i++) {
		struct auto_level here, last;

		r->v[i].e = &list[i];
		if (i == 0)
			continue;
		auto_entry_level(&list[i - 1], &last);
		auto_entry_level(&list[i], &here);
		r->v[i].level = r->v[i - 1].level + (auto_level_cmp(&last, &here) != 0);
	}
	for (size_t i = 0; i < n; i++)
		if (find_deps(r, &r->v[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* Visit what a node is after. 0, or -ELOOP with the name of one in the circle. */
static int visit(struct run *r, size_t i, char *mark, struct lxmgr_err *err)
{
	int ret = 0;

	if (mark[i] == 2)
		return 0;
	if (mark[i] == 1)
		return err_msg(err, -ELOOP,
			       "'%s' waits for itself: lxmgr.start.after makes a circle",
			       r->v[i].e->name);
	mark[i] = 1;
	for (size_t k = 0; ret == 0 && k < r->v[i].n_deps; k++)
		ret = visit(r, r->v[i].deps[k], mark, err);
	mark[i] = 2;
	return ret;
}

static int check_circles(struct run *r, struct lxmgr_err *err)
{
	cleanup_free char *mark = calloc(r->n + 1, 1);
	int ret = 0;

	if (!mark)
		return err_set(err, -ENOMEM, "autostart");
	for (size_t i = 0; ret == 0 && i < r->n; i++)
		ret = visit(r, i, mark, err);
	return ret;
}

static void drop_deps(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		r->v[i].n_deps = 0;
		r->v[i].after = false;
	}
}

/* The level whose turn it is: of a start the first that is not done, of a stop the last. */
static unsigned int turn(const struct run *r)
{
	bool stop = is_stop(r);
	unsigned int level = stop ? 0 : UINT32_MAX;

	for (size_t i = 0; i < r->n; i++) {
		const struct node *v = &r->v[i];

		if (v->state == NODE_DONE || (!stop && v->after))
			continue;
		if (stop ? v->level > level : v->level < level)
			level = v->level;
	}
	return level;
}

static bool deps_are_done(const struct run *r, size_t i)
{
	const struct node *v = &r->v[i];

	for (size_t k = 0; !is_stop(r) && k < v->n_deps; k++)
		if (r->v[v->deps[k]].state != NODE_DONE)
			return false;
	for (size_t k = 0; is_stop(r) && k < r->n; k++)
		for (size_t d = 0; d < r->v[k].n_deps; d++)
			if (r->v[k].deps[d] == i && r->v[k].state != NODE_DONE)
				return false;
	return true;
}

/* A stop is the start turned round: what no level waited for then waits for no level now. */
static bool is_ready(const struct run *r, size_t i, unsigned int level)
{
	const struct node *v = &r->v[i];
	bool turned = is_stop(r) ? v->after || v->level >= level : v->level <= level;

	return v->state == NODE_WAITS && turned && deps_are_done(r, i);
}

static int act(const struct run *r, struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct lxmgr_start_opts start = { .queue = true };
	struct lxmgr_stop_opts stop = { .kill = r->action == LXMGR_AUTO_KILL,
					.reboot = r->action == LXMGR_AUTO_REBOOT,
					.timeout_ms = r->timeout_ms };
	int ret;

	if (r->action == LXMGR_AUTO_START)
		ret = lxmgr_container_start(c, &start, err);
	else
		ret = lxmgr_container_stop(c, &stop, err);
	/* Somebody else was there first. */
	if (ret < 0 && r->action == LXMGR_AUTO_START && err->status == STATUS_WRONG_STATE &&
	    ret == -EBUSY)
		ret = 0;
	if (ret < 0 && is_stop(r) && err->status == STATUS_NOT_RUNNING)
		ret = 0;
	return ret;
}

/* In the child. */
static void work(struct run *r, size_t i)
{
	const struct lxmgr_auto *e = r->v[i].e;
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };
	/* One that runs may have no directory (lxmgr-execute): its config is in the run directory.
	 */
	const char *rcfile = is_stop(r) ? "" : NULL;
	uint32_t index = (uint32_t)i;
	int ret = lxmgr_container_open(e->path, e->name, rcfile, &c, &err);

	if (ret == 0)
		ret = act(r, c, &err);
	if (ret == 0)
		err.code = 0;
	r->errs[i] = err;
	/* Its end is noticed without this too, only later. */
	if (write(r->wake[1], &index, sizeof(index)) < 0)
		log_debug("cannot wake the parent, ignoring");
	_exit(0);
}

static void finish_node(struct run *r, struct node *v, const struct lxmgr_err *err)
{
	bool hold = r->action == LXMGR_AUTO_START && v->e->delay && !err->code;

	v->state = hold ? NODE_HOLDS : NODE_DONE;
	v->until = now_ms() + (int64_t)v->e->delay * 1000;
	if (err->code)
		r->failed++;
	if (r->done)
		r->done(v->e, err, r->arg);
}

static void launch_ready(struct run *r)
{
	size_t most = is_stop(r) ? MAX_STOPS : MAX_STARTS;
	unsigned int level = turn(r);

	for (size_t i = 0; i < r->n && r->running < most; i++) {
		struct node *v = &r->v[i];

		if (!is_ready(r, i, level))
			continue;
		/* What a child that dies at once leaves. */
		err_msg(&r->errs[i], -EIO, "the process that worked on it was killed");
		v->pid = fork();
		if (v->pid == 0)
			work(r, i);
		v->state = NODE_RUNS;
		r->running++;
		if (v->pid < 0) {
			r->running--;
			err_set(&r->errs[i], -errno, "fork");
			finish_node(r, v, &r->errs[i]);
		}
	}
}

static void reap(struct run *r, size_t i, int flags)
{
	struct node *v = &r->v[i];

	if (i >= r->n || v->state != NODE_RUNS || waitpid(v->pid, NULL, flags) != v->pid)
		return;
	r->running--;
	finish_node(r, v, &r->errs[i]);
}

/* Until a child has ended or a delay is over. */
static void wait_some(struct run *r)
{
	struct pollfd p = { .fd = r->wake[0], .events = POLLIN };
	int64_t end = now_ms() + 1000, left;
	uint32_t index;

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].state == NODE_HOLDS && r->v[i].until < end)
			end = r->v[i].until;
	left = end - now_ms();
	if (poll(&p, 1, left > 0 ? (int)left : 0) > 0 &&
	    read(r->wake[0], &index, sizeof(index)) == sizeof(index))
		reap(r, index, 0);
	else
		for (size_t i = 0; i < r->n; i++)
			reap(r, i, WNOHANG);
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].state == NODE_HOLDS && r->v[i].until <= now_ms())
			r->v[i].state = NODE_DONE;
}

/* The delay of the last ones holds nobody. */
static bool is_over(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].state == NODE_WAITS || r->v[i].state == NODE_RUNS)
			return false;
	return true;
}

int lxmgr_auto_run(const struct lxmgr_auto *list, size_t n, enum lxmgr_auto_action action,
		   int timeout_ms,
		   void (*done)(const struct lxmgr_auto *e, const struct lxmgr_err *err, void *arg),
		   void *arg, struct lxmgr_err *err)
{
	struct run r = { .action = action,
			 .timeout_ms = timeout_ms,
			 .done = done,
			 .arg = arg,
			 .wake = { -EBADF, -EBADF } };
	int ret = make_nodes(&r, list, n) < 0 ? err_set(err, -ENOMEM, "autostart") : 0;

	if (ret == 0)
		ret = check_circles(&r, err);
	/* To stop, any order will do where there is none. */
	if (ret == -ELOOP && is_stop(&r)) {
		drop_deps(&r);
		ret = 0;
	}
	r.errs = mmap(NULL, (n + 1) * sizeof(*r.errs), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ret == 0 && (r.errs == MAP_FAILED || pipe2(r.wake, O_CLOEXEC) < 0))
		ret = err_set(err, -errno, "autostart");
	while (ret == 0) {
		launch_ready(&r);
		if (is_over(&r))
			break;
		wait_some(&r);
	}
	for (size_t i = 0; i < r.n; i++)
		free(r.v[i].deps);
	free(r.v);
	if (r.errs != MAP_FAILED)
		munmap(r.errs, (n + 1) * sizeof(*r.errs));
	fd_close(&r.wake[0]);
	fd_close(&r.wake[1]);
	return ret < 0 ? ret : r.failed;
}
