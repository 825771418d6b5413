/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "container/copy.h"
#include "container/teardown.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define CONFIG_LIMIT (1 << 20)

int source_open(struct source *s, struct lxmgr_container *c, struct lxmgr_err *err)
{
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
	r = storage_open(&s->storage, c->dir_fd, &c->config.storage, err);
	if (r == 0 && !s->live)
		r = storage_recover(&s->storage, err);
	return r < 0 ? r : storage_check(&s->storage, err);
}

int source_pause(struct source *s, struct lxmgr_err *err)
{
	struct state state;
	bool stale;
	int r;

	if (!s->live)
		return 0;
	r = state_read(s->c, &state, &stale, err);
	/* It has stopped meanwhile by itself: then nobody writes to its root. */
	if (r == -ENOENT || (r == 0 && stale)) {
		s->live = false;
		return 0;
	}
	return r < 0 ? r : pause_begin(s->c, &state, &s->pause, err);
}

void source_resume(struct source *s)
{
	pause_end(&s->pause);
}

void source_close(struct source *s)
{
	pause_end(&s->pause);
	storage_close(&s->storage);
	fd_close(&s->lock);
}

int source_config(const struct source *s, char **ret, struct lxmgr_err *err)
{
	int r = read_file_at(s->c->dir_fd, "config", CONFIG_LIMIT, ret, NULL);

	return r < 0 ? err_set(err, r, "read the config of '%s'", s->c->name) : 0;
}

int source_copy(struct source *s, struct storage *to, int to_ct_fd, const struct storage_spec *spec,
		struct storage_copy *how, bool or_full, struct lxmgr_err *err)
{
	struct storage blank = *to;
	int r = storage_copy(&s->storage, to, to_ct_fd, NULL, spec, how, err);

	if (r != -EOPNOTSUPP || !how->share || !or_full)
		return r;
	how->share = false;
	storage_close(to);
	*to = blank;
	return storage_copy(&s->storage, to, to_ct_fd, NULL, spec, how, err);
}
