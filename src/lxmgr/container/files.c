/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs push and pull: one half of a copy in the container, the other here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/features.h"
#include "container/rootfs.h"
#include "container/tree.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/msg.h"

/* For the half inside to take back what it began. */
#define CLEAN_MS 5000

struct copy {
	const char *const *sources;
	const char *dest;
	struct tree t;
	int its; /* the other half's end of the socket */
};

static void inside_fail(const struct lxmgr_err *err, void *data)
{
	struct copy *cp = data;

	cp->t.sock = cp->its;
	tree_send_done(&cp->t, err, NULL);
}

/* Namespaces here: those of rootfs_spawn(). Nothing of the container is run or loaded. */
static void inside_push(struct rootfs *f, int root, int fds, void *data)
{
	struct copy *cp = data;
	struct tree *t = &cp->t;
	struct lxmgr_err err = { 0 };
	int r;

	t->sock = cp->its;
	t->root = root;
	t->fds = fds;
	t->map = f->map;
	t->cancel_fd = -1;
	t->warn = NULL;
	t->progress = NULL;
	r = tree_receive(t, cp->dest, cp->sources[0] && cp->sources[1], &err);
	tree_send_done(t, r < 0 ? &err : NULL, NULL);
}

static void inside_pull(struct rootfs *f, int root, int fds, void *data)
{
	struct copy *cp = data;
	struct tree *t = &cp->t;
	struct lxmgr_err err = { 0 };
	int r = 0;

	t->sock = cp->its;
	t->root = root;
	t->fds = fds;
	t->map = f->map;
	t->cancel_fd = -1;
	t->warn = NULL;
	t->progress = NULL;
	for (size_t i = 0; r == 0 && cp->sources[i]; i++)
		r = tree_send(t, cp->sources[i], &err);
	tree_send_done(t, r < 0 ? &err : NULL, NULL);
}

static int outside_push(struct copy *cp, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && cp->sources[i]; i++)
		r = tree_send(&cp->t, cp->sources[i], &why);
	if (r == 0)
		r = tree_send_done(&cp->t, NULL, &why);
	/* The other half ended: it says why. */
	if (r == 0 || r == -EPIPE)
		return tree_await(&cp->t, err);
	if (err)
		*err = why;
	return r;
}

/* A process that hangs in a file system of the guest's cannot be waited for. */
static void reap(pid_t pid, bool gently)
{
	int64_t end = now_ms() + CLEAN_MS;

	while (gently && waitpid(pid, NULL, WNOHANG) == 0) {
		if (now_ms() > end)
			gently = false;
		usleep(1000);
	}
	if (gently)
		return;
	kill(pid, SIGKILL);
	for (int i = 0; i < 100 && waitpid(pid, NULL, WNOHANG) == 0; i++)
		usleep(1000);
}

/* The umask, without changing it for other threads on the way. */
static mode_t read_umask(void)
{
	cleanup_free char *text = NULL;
	unsigned int mask;
	char *line;

	if (read_file_at(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) < 0 ||
	    !(line = strstr(text, "\nUmask:")) || sscanf(line, "\nUmask: %o", &mask) != 1)
		return 077;
	return mask;
}

static int check(const struct copy *cp, struct lxmgr_err *err)
{
	size_t n = 0, dashes = 0;

	for (; cp->sources[n]; n++)
		dashes += str_eq(cp->sources[n], "-");
	if (!n || !cp->dest || !*cp->dest)
		return err_status(err, STATUS_USAGE, -EINVAL, "no source or no destination");
	if (n > 1 && (dashes || (cp->t.pull && str_eq(cp->dest, "-"))))
		return err_status(err, STATUS_USAGE, -EINVAL, "'-' takes one file alone");
	if (cp->t.pull && str_eq(cp->dest, "-") && cp->t.recursive)
		return err_status(err, STATUS_USAGE, -EINVAL, "'-' takes no tree (-r)");
	return 0;
}

static int copy(struct lxmgr_container *c, struct copy *cp, struct lxmgr_err *err)
{
	struct rootfs f = ROOTFS_INIT;
	struct rootfs_work w = { .run = cp->t.pull ? inside_pull : inside_push,
				 .fail = inside_fail,
				 .data = cp,
				 .outlives = !cp->t.pull };
	cleanup_fd int mine = -EBADF, its = -EBADF, fds = -EBADF;
	int pair[2], r, pid = -1;

	r = rootfs_begin(&f, c, err);
	if (r == 0 && c->config.idmap_policy == IDMAP_AUTO)
		cp->t.ids = features_ids(&c->config);
	fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && fds < 0)
		r = err_set(err, -errno, "open /proc/self/fd");
	if (r == 0 && (r = msg_pair(pair)) < 0)
		err_set(err, r, "make a socket pair");
	if (r == 0) {
		mine = pair[0];
		its = pair[1];
		cp->its = its;
		w.close_fd = mine;
		r = pid = rootfs_spawn(&f, &w, err);
	}
	if (r >= 0) {
		fd_close(&its);
		cp->t.sock = mine;
		cp->t.root = -1;
		cp->t.fds = fds;
		if (cp->t.cancel_fd >= 0)
			fd_nonblock(mine, true);
		r = cp->t.pull
			    ? tree_receive(&cp->t, cp->dest, cp->sources[0] && cp->sources[1], err)
			    : outside_push(cp, err);
		fd_close(&mine);
		reap(pid, !cp->t.pull);
	}
	rootfs_end(&f);
	return r;
}

static int verb(struct lxmgr_container *c, const char *const *sources, const char *dest, bool pull,
		const struct lxmgr_files_opts *o, struct lxmgr_err *err)
{
	cleanup_free struct copy *cp = calloc(1, sizeof(*cp));
	int r;

	if (!cp)
		return err_set(err, -ENOMEM, "copy");
	cp->sources = sources;
	cp->dest = dest;
	cp->t.pull = pull;
	cp->t.recursive = o->recursive;
	cp->t.archive = o->archive;
	cp->t.parents = o->parents;
	cp->t.uid = o->uid;
	cp->t.gid = o->gid;
	cp->t.mode = o->mode;
	cp->t.umask = read_umask();
	cp->t.cancel_fd = o->cancel_fd > 0 ? o->cancel_fd : -1;
	cp->t.warn = o->warn;
	cp->t.progress = o->progress;
	cp->t.arg = o->arg;
	r = check(cp, err);
	return r < 0 ? r : copy(c, cp, err);
}

int lxmgr_container_push(struct lxmgr_container *c, const char *const *sources, const char *dest,
			 const struct lxmgr_files_opts *opts, struct lxmgr_err *err)
{
	return audit(c, "push", dest, verb(c, sources, dest, false, opts, err), err);
}

int lxmgr_container_pull(struct lxmgr_container *c, const char *const *sources, const char *dest,
			 const struct lxmgr_files_opts *opts, struct lxmgr_err *err)
{
	return audit(c, "pull", *sources, verb(c, sources, dest, true, opts, err), err);
}
