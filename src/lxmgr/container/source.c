/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "container/copy.h"
#include "container/mounts.h"
#include "container/snapshot.h"
#include "container/teardown.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define CONFIG_LIMIT (1 << 20)

bool source_is_snapshot(const struct lxmgr_container *c)
{
	const char *base = strrchr(c->path, '/');

	return base && str_eq(base, "/" SNAPSHOTS_DIR);
}

int source_open(struct source *s, struct lxmgr_container *c, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct state state;
	int r;

	s->c = c;
	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	s->lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (s->lock < 0)
		return s->lock;
	r = container_load_config(c, err);
	if (r == 0)
		r = teardown_stale(c, -1, &state, err);
	if (r < 0)
		return r;
	s->live = r > 0;
	/* Writes of the host's are not to be copied half done, nor is what is mounted to be moved
	 * away. */
	r = s->live ? 0 : mounts_check(c, true, err);
	if (r < 0)
		return r;
	/* What a snapshot's config says of a root outside was the container's. */
	r = storage_open(&s->storage, c->dir_fd, source_is_snapshot(c) ? &none : &c->config.storage,
			 err);
	if (r == 0 && s->live)
		r = label_of_files(c, s->label, err);
	else if (r == 0)
		r = storage_recover(&s->storage, err);
	s->storage.label = *s->label ? s->label : NULL;
	return r < 0 ? r : storage_check(&s->storage, err);
}

static int stand_still(void *arg, struct lxmgr_err *err)
{
	struct source *s = arg;
	struct state state;
	bool stale;
	int r = state_read(s->c, &state, &stale, err);

	/* It has stopped meanwhile by itself: then nobody writes to its root. */
	if (r == -ENOENT || (r == 0 && stale))
		return 0;
	return r < 0 ? r : pause_begin(s->c, &state, &s->pause, err);
}

static void go_on(void *arg)
{
	pause_end(&((struct source *)arg)->pause);
}

void source_close(struct source *s)
{
	pause_end(&s->pause);
	storage_close(&s->storage);
	fd_close(&s->lock);
}

int source_config(const struct source *s, char **ret, struct lxmgr_err *err)
{
	const char *other = s->c->rcfile;
	int r = read_file_at(other ? AT_FDCWD : s->c->dir_fd, other ? other : "config",
			     CONFIG_LIMIT, ret, NULL);

	return r < 0 ? err_set(err, r, "read the config of '%s'", s->c->name) : 0;
}

int source_copy(struct source *s, struct storage *to, int to_ct_fd, const char *backend,
		const struct storage_spec *spec, struct storage_copy *how, bool or_full,
		struct lxmgr_err *err)
{
	struct storage blank = *to;
	int r;

	how->live = s->live;
	how->pause = stand_still;
	how->resume = go_on;
	how->pause_arg = s;
	r = storage_copy(&s->storage, to, to_ct_fd, backend, spec, how, err);

	if (r != -EOPNOTSUPP || !how->share || !or_full)
		return r;
	how->share = false;
	storage_close(to);
	*to = blank;
	return storage_copy(&s->storage, to, to_ct_fd, backend, spec, how, err);
}

void copy_interrupt_begin(struct interrupt *i,
			  void (*progress)(const char *text, int permille, void *arg), void *arg)
{
	interrupt_begin(i);
	tree_copy_watch(&(struct tree_watch){ i->fd, progress, arg });
}

void copy_interrupt_end(struct interrupt *i)
{
	tree_copy_watch(NULL);
	interrupt_end(i);
}

int copy_interrupted(const struct interrupt *i, struct lxmgr_err *err)
{
	struct pollfd p = { .fd = i->fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 ? err_msg(err, -ECANCELED, "interrupted") : 0;
}
