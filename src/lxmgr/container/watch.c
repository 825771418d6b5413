/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for states and following them: inotify on the run directory, no daemon. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "container/container.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"

#define EVENTS (IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_TO | IN_DELETE_SELF)

static void watch_dir(int in, const struct lxmgr_container *c)
{
	char path[sizeof(RUNDIR) + sizeof(c->tag) + 2];

	snprintf(path, sizeof(path), "%s/%s", RUNDIR, c->tag);
	inotify_add_watch(in, path, EVENTS);
}

static void drain(int in)
{
	char buf[4096];

	while (read(in, buf, sizeof(buf)) > 0)
		;
}

int lxmgr_container_wait(struct lxmgr_container *c, unsigned int mask, int timeout_ms,
			 enum lxmgr_state *ret, struct lxmgr_err *err)
{
	cleanup_fd int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int64_t end = now_ms() + timeout_ms;

	if (in < 0 || mkdir_p(RUNDIR, 0700) < 0 || inotify_add_watch(in, RUNDIR, EVENTS) < 0)
		return err_set(err, -errno, "watch '%s'", RUNDIR);
	for (;;) {
		struct pollfd p = { .fd = in, .events = POLLIN };
		int64_t left = timeout_ms < 0 ? 1000 : end - now_ms();
		enum lxmgr_state now;
		int r;

		/* Watch first, look afterwards: nothing is missed in between. */
		watch_dir(in, c);
		r = lxmgr_container_state(c, &now, err);
		if (r < 0)
			return r;
		if (mask >> now & 1) {
			*ret = now;
			return 0;
		}
		if (timeout_ms >= 0 && left <= 0)
			return err_msg(err, -ETIMEDOUT, "container '%s' is %s after %d s", c->name,
				       lxmgr_state_name(now), timeout_ms / 1000);
		/* A crash of the monitor writes nothing: look again now and then. */
		poll(&p, 1, (int)(left < 1000 ? left : 1000));
		drain(in);
	}
}

/* The last state of each container that was told. */
struct seen {
	char name[64];
	enum lxmgr_state state;
};

struct follow {
	const char *path, *name;
	int (*fn)(const char *name, enum lxmgr_state state, void *arg);
	void *arg;
	struct seen *seen;
	size_t n;
	int in;
};

static int tell(struct follow *f, const char *name, enum lxmgr_state state)
{
	struct seen *s;
	size_t i = 0;

	while (i < f->n && strcmp(f->seen[i].name, name) != 0)
		i++;
	if (i < f->n && f->seen[i].state == state)
		return 0;
	if (i == f->n) {
		s = realloc(f->seen, (f->n + 1) * sizeof(*s));
		if (!s)
			return -ENOMEM;
		f->seen = s;
		snprintf(s[f->n].name, sizeof(s[0].name), "%s", name);
		s[f->n++].state = state;
		/* What is stopped at the beginning is no change. */
		if (state == LXMGR_STOPPED)
			return 0;
	}
	f->seen[i].state = state;
	return f->fn(name, state, f->arg);
}

/* All states that the file records since it was looked at would be needed to tell each; the last
 * one is what it is now. */
static int look(struct follow *f, const char *name)
{
	struct lxmgr_container *c = NULL;
	bool stale;
	struct state s;
	int r;

	if (lxmgr_container_open(f->path, name, "", &c, NULL) < 0)
		return 0;
	watch_dir(f->in, c);
	r = state_read(c, &s, &stale, NULL);
	r = tell(f, name, r < 0 || stale ? LXMGR_STOPPED : s.state);
	lxmgr_container_close(c);
	return r;
}

static int look_all(struct follow *f)
{
	char **names = NULL;
	size_t n = 0;
	int r;

	if (f->name)
		return look(f, f->name);
	r = lxmgr_list(f->path, &names, &n, NULL);
	for (size_t i = 0; i < n && r == 0; i++)
		r = look(f, names[i]);
	lxmgr_list_free(names, n);
	return r;
}

int lxmgr_monitor(const char *path, const char *name,
		  int (*fn)(const char *name, enum lxmgr_state state, void *arg), void *arg,
		  struct lxmgr_err *err)
{
	cleanup_fd int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct follow f = { .path = path, .name = name, .fn = fn, .arg = arg, .in = in };
	int r = 0;

	if (in < 0 || mkdir_p(RUNDIR, 0700) < 0 || inotify_add_watch(in, RUNDIR, EVENTS) < 0)
		return err_set(err, -errno, "watch '%s'", RUNDIR);
	while (r == 0) {
		struct pollfd p = { .fd = in, .events = POLLIN };

		r = look_all(&f);
		if (r == 0) {
			poll(&p, 1, 5000);
			drain(in);
		}
	}
	free(f.seen);
	return r < 0 ? err_set(err, r, "follow the containers") : r;
}
