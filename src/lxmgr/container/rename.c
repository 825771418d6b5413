/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rename verb. The new host name is written first, and paths in the config that lead through
 * the container's own directory, then what is recorded under its path moves, then the directory:
 * killed in between it has its old name still, and the same command does the rest. Until then the
 * old name reserves ids and addresses anew at its next start. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/autostart.h"
#include "container/claim.h"
#include "container/copy.h"
#include "container/draft.h"
#include "container/idalloc.h"
#include "container/mcsalloc.h"
#include "container/ownpath.h"
#include "container/personalize.h"
#include "container/projalloc.h"
#include "container/snapshot.h"
#include "container/snapshot_hold.h"
#include "container/units.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"

static int move_records(const char *from, const char *to, struct lxmgr_err *err)
{
	int r = idalloc_rename(from, to, err);

	if (r == 0)
		r = ipam_rename(from, to, err);
	if (r == 0)
		r = projalloc_rename(from, to, err);
	return r < 0 ? r : mcs_rename(from, to, err);
}

static const char *hostname_of(const struct config *config, const char *name)
{
	return config->uts_name ? config->uts_name : name;
}

static int set_hostname(struct source *s, const char *old, const char *new, struct lxmgr_err *err)
{
	struct personalize p = { .hostname = new, .old_hostname = old, .keep_machine_id = true };
	char path[sizeof(s->c->path) + sizeof(s->c->name) + 2];

	snprintf(path, sizeof(path), "%s/%s", s->c->path, s->c->name);
	return personalize_root(s->c->dir_fd, path, &s->c->config.storage, &p, err);
}

static int move(struct source *s, struct draft *d, struct lxmgr_err *err)
{
	char from[sizeof(s->c->path) + sizeof(s->c->name) + 2];
	cleanup_fd int layers = storage_hold_layers(s->c->dir_fd, err), lock = -EBADF;
	int r;

	if (layers < 0 && layers != -ENOENT)
		return layers;
	lock = claim_lock(err);
	if (lock < 0)
		return lock;
	if (claim_is_draft(d->path_fd, d->name))
		return err_status(err, STATUS_WRONG_STATE, -EEXIST,
				  "a container '%s' is just being made in %s", d->name, d->path);
	snprintf(from, sizeof(from), "%s/%s", s->c->path, s->c->name);
	r = move_records(from, d->id, err);
	if (r == 0 &&
	    renameat2(d->path_fd, s->c->name, d->path_fd, d->name, RENAME_NOREPLACE) < 0) {
		r = errno == EEXIST
			    ? err_status(err, STATUS_WRONG_STATE, -EEXIST,
					 "container '%s' exists already in %s", d->name, d->path)
			    : err_set(err, -errno, "rename '%s'", from);
		if (move_records(d->id, from, NULL) < 0)
			log_warn("'%s' gets other ids and addresses at its next start", s->c->name);
	}
	if (r == 0 && fsync(d->path_fd) < 0)
		r = err_set(err, -errno, "write '%s' to disk", d->path);
	return r;
}

/* The config's text with the paths below PATH/FROM at PATH/TO. */
static int move_paths(const struct lxmgr_container *c, const char *from, const char *to,
		      char **text, struct lxmgr_err *err)
{
	cleanup_free char *old = str_printf("%s/%s", c->path, from);
	cleanup_free char *new = str_printf("%s/%s", c->path, to);
	char *moved;
	int r;

	if (!old || !new)
		return err_set(err, -ENOMEM, "config");
	r = ownpath_move(*text, old, new, &moved, err);
	if (r < 0)
		return r;
	free(*text);
	*text = moved;
	return 0;
}

static int edit_config(struct source *s, struct draft *d, struct lxmgr_err *err)
{
	char hostname[HOSTNAME_SIZE];
	int r = source_config(s, &d->text, err);

	if (r == 0)
		r = move_paths(s->c, s->c->name, d->name, &d->text, err);
	if (r == 0 && s->c->config.uts_name)
		r = draft_set(d, "lxmgr.uts.name", hostname_from_name(d->name, hostname), err);
	if (r == 0)
		r = draft_parse(d, "config", err);
	return r < 0 ? r : auto_check_after(d->path, d->name, &d->config, err);
}

static int write_config(struct source *s, const char *text, struct lxmgr_err *err)
{
	int r = write_file_atomic(s->c->dir_fd, "config", text, strlen(text), 0600);

	return r < 0 ? err_set(err, r, "write the config of '%s'", s->c->name) : 0;
}

static int rename_stopped(struct source *s, struct draft *d, struct lxmgr_err *err)
{
	cleanup_free char *old = NULL;
	struct lxmgr_err why = { 0 };
	const char *was, *is;
	int r = source_config(s, &old, err);

	if (r == 0)
		r = edit_config(s, d, err);
	if (r < 0)
		return r;
	was = hostname_of(&s->c->config, s->c->name);
	is = hostname_of(&d->config, d->name);
	r = set_hostname(s, was, is, err);
	if (r < 0)
		return r;
	r = write_config(s, d->text, err);
	if (r == 0)
		r = move(s, d, err);
	if (r < 0 && faccessat(d->path_fd, s->c->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (write_config(s, old, &why) < 0 || set_hostname(s, is, was, &why) < 0))
		log_warn("%s, ignoring", why.text);
	return r;
}

/* What a rename to this name that was killed left: paths to a directory that is not there. */
static int take_paths_back(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	struct source s = { .c = c };
	cleanup_free char *have = NULL, *text = NULL;
	cleanup_fd int lock = -EBADF;
	int r;

	if (c->dir_fd < 0)
		return 0;
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	r = source_config(&s, &have, err);
	if (r < 0)
		return r;
	text = strdup(have);
	if (!text)
		return err_set(err, -ENOMEM, "config");
	r = move_paths(c, name, c->name, &text, err);
	return r < 0 || str_eq(have, text) ? r : write_config(&s, text, err);
}

static int rename_to(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	cleanup_source struct source s = SOURCE_INIT;
	cleanup_held struct held h = { 0 };
	struct draft d = { .path_fd = -EBADF, .dir_fd = -EBADF, .lock = -EBADF };
	int r = draft_open(&d, c->path, name, err);

	if (r == 0 && faccessat(d.path_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = err_status(err, STATUS_WRONG_STATE, -EEXIST,
			       "container '%s' exists already in %s", name, d.path);
	if (r == 0)
		r = take_paths_back(c, name, err);
	if (r == 0)
		r = source_open(&s, c, err);
	if (r == 0 && s.live)
		r = err_status(err, STATUS_WRONG_STATE, -EBUSY,
			       "container '%s' is running; stop it first", c->name);
	if (r == 0)
		r = ownpath_check_dependents(c, err);
	/* They are looked for by the old name. */
	if (r == 0)
		r = snapshots_settle(c->dir_fd, err);
	/* Who reads one has found the container's layers and base by its path. */
	if (r == 0)
		r = snapshots_hold(&h, c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (r == 0)
		r = rename_stopped(&s, &d, err);
	if (r == 0 && (units_sync(c->path, c->name, NULL, err) < 0 ||
		       units_sync(c->path, name, &d.config, err) < 0))
		r = err ? err->code : -EIO;
	draft_close(&d);
	return r;
}

int lxmgr_container_rename(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	char old[sizeof(c->name)];
	int r;

	snprintf(old, sizeof(old), "%s", c->name);
	r = rename_to(c, name, err);
	return audit_name(c->path, old, "rename", name, r, err);
}
