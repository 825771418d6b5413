/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rename verb. The new host name is written first, then what is recorded under the container's
 * path moves, then the directory: killed in between it has its old name still, and the same command
 * does the rest. Until then the old name reserves ids and addresses anew at its next start. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/autostart.h"
#include "container/copy.h"
#include "container/draft.h"
#include "container/idalloc.h"
#include "container/mcsalloc.h"
#include "container/personalize.h"
#include "container/projalloc.h"
#include "container/units.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

static int move_records(const char *from, const char *to, struct lxmgr_err *err)
{
	int r = idalloc_rename(from, to, err);

	if (r == 0)
		r = ipam_rename(from, to, err);
	if (r == 0)
		r = projalloc_rename(from, to, err);
	return r < 0 ? r : mcs_rename(from, to, err);
}

static const char *hostname_of(const struct source *s)
{
	return s->c->config.uts_name ? s->c->config.uts_name : s->c->name;
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
	int r;

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

static int edit_config(struct source *s, struct draft *d, struct lxmgr_err *err)
{
	int r = source_config(s, &d->text, err);

	if (r == 0 && s->c->config.uts_name)
		r = draft_set(d, "lxmgr.uts.name", d->name, err);
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
	int r = source_config(s, &old, err);

	if (r == 0)
		r = edit_config(s, d, err);
	if (r == 0)
		r = set_hostname(s, hostname_of(s), d->name, err);
	if (r < 0)
		return r;
	r = write_config(s, d->text, err);
	if (r == 0)
		r = move(s, d, err);
	if (r < 0 && faccessat(d->path_fd, s->c->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (write_config(s, old, &why) < 0 || set_hostname(s, d->name, hostname_of(s), &why) < 0))
		log_warn("%s, ignoring", why.text);
	return r;
}

int lxmgr_container_rename(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	cleanup_source struct source s = SOURCE_INIT;
	struct draft d = { .path_fd = -EBADF, .dir_fd = -EBADF, .lock = -EBADF };
	int r = draft_open(&d, c->path, name, err);

	if (r == 0)
		r = source_open(&s, c, err);
	if (r == 0 && s.live)
		r = err_status(err, STATUS_WRONG_STATE, -EBUSY,
			       "container '%s' is running; stop it first", c->name);
	if (r == 0 && faccessat(d.path_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = err_status(err, STATUS_WRONG_STATE, -EEXIST,
			       "container '%s' exists already in %s", name, d.path);
	if (r == 0)
		r = rename_stopped(&s, &d, err);
	if (r == 0 && (units_sync(c->path, c->name, NULL, err) < 0 ||
		       units_sync(c->path, name, &d.config, err) < 0))
		r = err ? err->code : -EIO;
	draft_close(&d);
	return r;
}
