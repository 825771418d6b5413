/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sets two snapshots of a container apart, or one and the container as it is now. A child has
 * both roots in a mount namespace of its own, and tells the paths one by one. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/container.h"
#include "container/label.h"
#include "container/mounts.h"
#include "container/rootfs.h"
#include "container/snapshot.h"
#include "container/teardown.h"
#include "storage/storage.h"
#include "storage/treediff.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/str.h"

_Static_assert((int)TREE_TYPE == (int)LXMGR_DIFF_TYPE && (int)TREE_DATA == (int)LXMGR_DIFF_DATA &&
		       (int)TREE_MODE == (int)LXMGR_DIFF_MODE &&
		       (int)TREE_OWNER == (int)LXMGR_DIFF_OWNER &&
		       (int)TREE_XATTR == (int)LXMGR_DIFF_XATTR,
	       "one set of bits");

/* One of the two roots: locked, unless it runs. */
struct side {
	struct lxmgr_container *c;
	bool is_snapshot, live;
	int lock;
	char path[SNAPSHOTS_PATH_SIZE + 64];
	char label[SELINUX_CONTEXT_SIZE]; /* where it runs */
};

struct found {
	char change; /* 'E': err is what it says */
	unsigned int what;
	union {
		char path[PATH_MAX];
		struct lxmgr_err err;
	};
};

struct work {
	struct side *a, *b;
	int sock;
	struct found found;
};

/* The backend of a snapshot is what its own record says, whatever root its config names. */
static int open_side(struct side *s, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct storage st;
	int fd = reopen_dir(s->c->dir_fd, s->path), r;

	if (fd < 0)
		return err_set(err, fd, "open '%s'", s->path);
	r = storage_open(&st, fd, s->is_snapshot ? &none : &s->c->config.storage, err);
	if (r == 0 && !s->is_snapshot && !s->live)
		r = storage_recover(&st, err);
	st.label = *s->label ? s->label : NULL;
	return r < 0 ? r : storage_open_view(&st, s->live, err);
}

static int tell(enum tree_change change, unsigned int what, const char *path, void *arg)
{
	static const char signs[] = {
		[TREE_ADDED] = '+', [TREE_DELETED] = '-', [TREE_CONTENT] = 'M', [TREE_META] = 'M'
	};
	struct work *w = arg;

	w->found.change = signs[change];
	w->found.what = what;
	snprintf(w->found.path, sizeof(w->found.path), "%s", path);
	return msg_send(w->sock, &w->found,
			offsetof(struct found, path) + strlen(w->found.path) + 1, NULL, 0);
}

/* Namespaces here: a mount namespace of its own. */
static int compare(struct work *w, struct lxmgr_err *err)
{
	cleanup_fd int a = -EBADF, b = -EBADF;
	int r = rootfs_leave_host(err);

	if (r < 0)
		return r;
	a = open_side(w->a, err);
	b = a < 0 ? a : open_side(w->b, err);
	return b < 0 ? b : tree_diff(a, b, TREE_EACH, tell, w, err);
}

__attribute__((noreturn)) static void child(struct work *w, pid_t parent)
{
	struct lxmgr_err err = { 0 };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	r = compare(w, &err);
	if (r < 0) {
		w->found.change = 'E';
		w->found.err = err;
		msg_send(w->sock, &w->found, sizeof(w->found), NULL, 0);
	}
	_exit(r < 0);
}

/* A path as it is seen inside. */
static int pass_on(const struct found *f, size_t len,
		   int (*fn)(const struct lxmgr_diff *d, void *arg), void *arg)
{
	size_t head = offsetof(struct found, path);
	struct lxmgr_diff d = { .change = f->change, .what = f->what };
	char path[PATH_MAX + 1];

	if (len <= head || f->path[len - head - 1])
		return -EPROTO;
	snprintf(path, sizeof(path), "/%s", str_eq(f->path, ".") ? "" : f->path);
	d.path = path;
	return fn(&d, arg);
}

static int listen_to(int sock, int (*fn)(const struct lxmgr_diff *d, void *arg), void *arg,
		     struct lxmgr_err *err)
{
	cleanup_free struct found *f = malloc(sizeof(*f));
	ssize_t n = 0;
	int r = 0;

	if (!f)
		return err_set(err, -ENOMEM, "compare two roots");
	while (r == 0 && (n = msg_recv(sock, f, sizeof(*f), NULL, NULL)) > 0) {
		if (f->change != 'E' || n != sizeof(*f)) {
			r = pass_on(f, (size_t)n, fn, arg);
			continue;
		}
		f->err.text[sizeof(f->err.text) - 1] = '\0';
		if (err)
			*err = f->err;
		return f->err.code < 0 ? f->err.code : -EIO;
	}
	return n < 0 || r < 0 ? err_set(err, n < 0 ? (int)n : r, "compare two roots") : r;
}

static int run(struct work *w, int (*fn)(const struct lxmgr_diff *d, void *arg), void *arg,
	       struct lxmgr_err *err)
{
	cleanup_fd int mine = -EBADF, its = -EBADF;
	pid_t pid, self = getpid();
	int pair[2], status = 0, r = msg_pair(pair);

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	its = pair[1];
	w->sock = its;
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0) {
		close(mine);
		child(w, self);
	}
	fd_close(&its);
	r = listen_to(mine, fn, arg, err);
	fd_close(&mine);
	if (r)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status)
		r = err_msg(err, -EIO, "comparing the roots ended early");
	return r < 0 ? r : 0;
}

static int begin_snapshot(struct lxmgr_container *c, const char *name, struct side *s,
			  struct lxmgr_err *err)
{
	int r = lxmgr_snapshot_open(c, name, &s->c, err);

	if (r < 0)
		return r;
	s->is_snapshot = true;
	snprintf(s->path, sizeof(s->path), "%s/%s", s->c->path, s->c->name);
	/* So it is not destroyed meanwhile. */
	s->lock = lock_at(s->c->dir_fd, "lock", false, CONTAINER_LOCK_TIMEOUT_MS, NULL);
	if (s->lock == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, s->lock,
				  "the snapshot '%s' of '%s' is in use", name, c->name);
	return s->lock < 0 ? err_set(err, s->lock, "lock the snapshot '%s'", name) : 0;
}

/* lock: of the container, which is kept where it is stopped. */
static int begin_now(struct lxmgr_container *c, struct side *s, int *lock, struct lxmgr_err *err)
{
	struct state state;
	int r = teardown_stale(c, -1, &state, err);

	s->c = c;
	s->live = r > 0;
	snprintf(s->path, sizeof(s->path), "%s/%s", c->path, c->name);
	if (r < 0 || s->live)
		return r < 0 ? r : label_of_files(c, s->label, err);
	s->lock = take_fd(lock);
	return mounts_check(c, true, err);
}

static void end(struct side *s, const struct lxmgr_container *c)
{
	fd_close(&s->lock);
	if (s->c != c)
		lxmgr_container_close(s->c);
}

int lxmgr_snapshot_diff(struct lxmgr_container *c, const char *from, const char *to,
			int (*fn)(const struct lxmgr_diff *d, void *arg), void *arg,
			struct lxmgr_err *err)
{
	struct side a = { .lock = -EBADF }, b = { .lock = -EBADF };
	cleanup_free struct work *w = calloc(1, sizeof(*w));
	cleanup_fd int lock = -EBADF;
	int r = 0;

	if (!w)
		return err_set(err, -ENOMEM, "compare two roots");
	if (c->dir_fd < 0)
		r = err_status(err, STATUS_NO_CONTAINER, -ENOENT,
			       "container '%s' does not exist in %s", c->name, c->path);
	if (r == 0)
		r = lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (r >= 0)
		r = container_load_config(c, err);
	if (r >= 0)
		r = begin_snapshot(c, from, &a, err);
	if (r >= 0)
		r = to ? begin_snapshot(c, to, &b, err) : begin_now(c, &b, &lock, err);
	if (r >= 0) {
		/* What is compared is not to keep a container from stopping. */
		fd_close(&lock);
		w->a = &a;
		w->b = &b;
		r = run(w, fn, arg, err);
	}
	end(&a, c);
	end(&b, c);
	return r < 0 ? r : 0;
}
