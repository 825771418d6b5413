/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots: directories NAME/snapshots/SNAP that look like a container's (config, storage, root),
 * with a file `meta`. Each knows all its ancestors by id, so that the tree holds when one in the
 * middle goes; the file snapshots/.current names the one that the container was last made or
 * restored from.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/copy.h"
#include "container/disk.h"
#include "container/draft.h"
#include "container/ownpath.h"
#include "container/snapshot.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

#define META_LIMIT    65536
#define COMMENT_LIMIT 1000
#define DIR_FLAGS     (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static void snapshots_path(const struct lxmgr_container *c, char buf[SNAPSHOTS_PATH_SIZE])
{
	snprintf(buf, SNAPSHOTS_PATH_SIZE, "%s/%s/" SNAPSHOTS_DIR, c->path, c->name);
}

/* Meta files. */

static int parse_meta(const char *text, struct lxmgr_snapshot *s)
{
	cleanup_strlist struct strlist lines = { 0 };
	const char *v;

	if (strlist_split(&lines, text, "\n") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < lines.n; i++) {
		if ((v = str_after(lines.v[i], "id = ")))
			snprintf(s->id, sizeof(s->id), "%s", v);
		else if ((v = str_after(lines.v[i], "ancestors = ")))
			s->ancestors = strdup(v);
		else if ((v = str_after(lines.v[i], "comment = ")))
			s->comment = strdup(v);
		else if ((v = str_after(lines.v[i], "created = ")) && parse_u64(v, &s->created) < 0)
			return -EINVAL;
		else if (str_eq(lines.v[i], "scheduled = 1"))
			s->scheduled = true;
	}
	if (!s->ancestors)
		s->ancestors = strdup("");
	if (!s->comment)
		s->comment = strdup("");
	return s->ancestors && s->comment ? (*s->id ? 0 : -EINVAL) : -ENOMEM;
}

static void free_one(struct lxmgr_snapshot *s)
{
	free(s->ancestors);
	free(s->comment);
}

void lxmgr_snapshot_free(struct lxmgr_snapshot *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free_one(&list[i]);
	free(list);
}

static int read_one(int snapshots, const char *name, struct lxmgr_snapshot *s)
{
	static const struct storage_spec none;
	cleanup_fd int dir = openat(snapshots, name, DIR_FLAGS);
	cleanup_free char *text = NULL;
	struct storage st;
	int r = dir < 0 ? -errno : read_file_at(dir, "meta", META_LIMIT, &text, NULL);

	memset(s, 0, sizeof(*s));
	s->size = LXMGR_UNKNOWN;
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (r < 0)
		return r;
	r = parse_meta(text, s);
	if (r < 0)
		return r;
	if (storage_open(&st, dir, &none, NULL) == 0) {
		if (storage_usage(&st, false, &s->size, NULL) < 0)
			s->size = LXMGR_UNKNOWN;
		storage_close(&st);
	}
	return 0;
}

static int older(const void *a, const void *b)
{
	const struct lxmgr_snapshot *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The nearest ancestor that there still is. */
static void find_parent(struct lxmgr_snapshot *list, size_t n, struct lxmgr_snapshot *s)
{
	cleanup_strlist struct strlist ids = { 0 };

	if (strlist_split(&ids, s->ancestors, " ") < 0)
		return;
	for (size_t i = 0; i < ids.n; i++)
		for (size_t k = 0; k < n; k++)
			if (str_eq(list[k].id, ids.v[i])) {
				snprintf(s->parent, sizeof(s->parent), "%s", list[k].name);
				return;
			}
}

int lxmgr_snapshot_list(struct lxmgr_container *c, struct lxmgr_snapshot **ret, size_t *ret_n,
			struct lxmgr_err *err)
{
	int r = snapshots_settle(c->dir_fd, err);
	int fd = openat(c->dir_fd, SNAPSHOTS_DIR, DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct lxmgr_snapshot *list = NULL;
	size_t n = 0;
	struct dirent *e;

	*ret = NULL;
	*ret_n = 0;
	if (r < 0)
		return r;
	if (!d)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "open the snapshots of '%s'", c->name);
	while ((e = readdir(d))) {
		struct lxmgr_snapshot *more;

		if (!name_is_valid(e->d_name))
			continue;
		more = realloc(list, (n + 1) * sizeof(*list));
		if (!more) {
			lxmgr_snapshot_free(list, n);
			return err_set(err, -ENOMEM, "list snapshots");
		}
		list = more;
		if (read_one(fd, e->d_name, &list[n]) == 0) {
			n++;
			continue;
		}
		free_one(&list[n]);
		log_warn("%s: the snapshot '%s' cannot be read, ignoring", c->name, e->d_name);
	}
	if (n)
		qsort(list, n, sizeof(*list), older);
	for (size_t i = 0; i < n; i++)
		find_parent(list, n, &list[i]);
	*ret = list;
	*ret_n = n;
	return 0;
}

/* Ids of the snapshot that the container stands on now, then of its ancestors; "" for none. */
static int read_current(const struct lxmgr_container *c, char **ret)
{
	cleanup_fd int dir = openat(c->dir_fd, SNAPSHOTS_DIR, DIR_FLAGS);
	int r = dir < 0 ? -errno : read_file_at(dir, ".current", META_LIMIT, ret, NULL);

	if (r == -ENOENT)
		r = (*ret = strdup("")) ? 0 : -ENOMEM;
	return r;
}

static int write_current(int snapshots, const char *id, const char *ancestors)
{
	cleanup_free char *text = str_printf("%s%s%s", id, *ancestors ? " " : "", ancestors);

	return text ? write_file_replace(snapshots, ".current", text, strlen(text), 0600) : -ENOMEM;
}

/* Create. */

static int collect(struct lxmgr_container *c)
{
	cleanup_fd int path = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lxmgr_err why = { 0 };
	int r = path < 0 ? -errno : storage_collect(path, &why);

	if (r < 0)
		log_warn("%s: %s, ignoring", c->name, why.text);
	return r;
}

static int free_name(const struct lxmgr_container *c, char name[64], struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(c->dir_fd, SNAPSHOTS_DIR, DIR_FLAGS);

	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(name, 64, "snap%u", i);
		if (dir < 0 || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
	}
	return err_msg(err, -EEXIST, "there are too many snapshots; give a name");
}

static int write_meta(const struct draft *d, const char *comment, bool scheduled, const char *above,
		      char id[LXMGR_SNAPSHOT_ID_SIZE], struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	uint64_t random;
	int r;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, -EIO, "make an id");
	snprintf(id, LXMGR_SNAPSHOT_ID_SIZE, "%016" PRIx64, random);
	text = str_printf("id = %s\nancestors = %s\ncreated = %lld\ncomment = %s\n%s", id, above,
			  (long long)time(NULL), comment ? comment : "",
			  scheduled ? "scheduled = 1\n" : "");
	r = text ? write_file_replace(d->dir_fd, "meta", text, strlen(text), 0600) : -ENOMEM;
	return r < 0 ? err_set(err, r, "write the snapshot's description") : 0;
}

static int copy_root(struct source *s, struct draft *d, struct lxmgr_err *err)
{
	struct storage_copy how = { .share = true, .keep = true };
	struct storage to = { .layers_lock = -EBADF };
	static const struct storage_spec none;
	int r = source_copy(s, &to, d->dir_fd, NULL, &none, &how, true, err);

	if (r == 0)
		r = storage_write(&to, false, err);
	storage_close(&to);
	return r;
}

static int build(struct source *s, struct draft *d, const struct lxmgr_snapshot_opts *o,
		 const struct interrupt *stop, struct lxmgr_err *err)
{
	cleanup_free char *above = NULL;
	char id[LXMGR_SNAPSHOT_ID_SIZE];
	int r = source_config(s, &d->text, err);

	if (r == 0 && read_current(s->c, &above) < 0)
		r = err_msg(err, -EIO, "cannot read which snapshot '%s' stands on", s->c->name);
	if (r == 0)
		r = draft_make_dir(d, err);
	if (r == 0)
		r = copy_root(s, d, err);
	if (r == 0)
		r = write_meta(d, o->comment, o->scheduled, str_strip(above), id, err);
	if (r == 0)
		r = copy_interrupted(stop, err);
	if (r == 0)
		r = draft_publish(d, err);
	if (r == 0 && write_current(d->path_fd, id, str_strip(above)) < 0)
		log_warn("%s: which snapshot it stands on cannot be written, ignoring", s->c->name);
	return r;
}

static int create(struct lxmgr_container *c, const struct lxmgr_snapshot_opts *o, char ret_name[64],
		  struct lxmgr_err *err)
{
	cleanup_source struct source s = SOURCE_INIT;
	char path[SNAPSHOTS_PATH_SIZE], name[64] = "";
	struct interrupt stop;
	struct draft d = { .path_fd = -EBADF, .dir_fd = -EBADF, .lock = -EBADF };
	int r;

	if (o->comment && (strpbrk(o->comment, "\n\r") || strlen(o->comment) > COMMENT_LIMIT))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "a comment is one line of at most %d bytes", COMMENT_LIMIT);
	if (o->name && !name_is_valid(o->name))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is no name of a snapshot",
				  o->name);
	r = source_open(&s, c, err);
	if (r == 0)
		r = snapshots_settle(c->dir_fd, err);
	if (r == 0 && o->name)
		snprintf(name, sizeof(name), "%s", o->name);
	else if (r == 0)
		r = free_name(c, name, err);
	snapshots_path(c, path);
	if (r == 0)
		r = draft_open(&d, path, name, err);
	d.in_known_tree = true;
	if (r == 0) {
		copy_interrupt_begin(&stop, o->progress, o->progress_arg);
		r = build(&s, &d, o, &stop, err);
		if (r < 0)
			draft_give_up(&d);
		copy_interrupt_end(&stop);
	}
	source_close(&s);
	/* The layer of the one that failed. */
	if (r < 0)
		collect(c);
	if (r == -EEXIST)
		err_status(err, STATUS_WRONG_STATE, r, "container '%s' has a snapshot '%s' already",
			   c->name, name);
	if (r == 0)
		snprintf(ret_name, 64, "%s", name);
	draft_close(&d);
	return r;
}

int lxmgr_snapshot_create(struct lxmgr_container *c, const struct lxmgr_snapshot_opts *o,
			  char ret_name[64], struct lxmgr_err *err)
{
	int r = create(c, o, ret_name, err);

	return audit(c, "snapshot", r < 0 ? NULL : ret_name, r, err);
}

/* Of one that there is. */

int lxmgr_snapshot_open(struct lxmgr_container *c, const char *name, struct lxmgr_container **ret,
			struct lxmgr_err *err)
{
	int r = snapshots_settle(c->dir_fd, err);
	char path[SNAPSHOTS_PATH_SIZE];

	snapshots_path(c, path);
	if (r == 0)
		r = lxmgr_container_open(path, name, NULL, ret, err);
	return r == -ENOENT ? err_status(err, STATUS_NO_CONTAINER, r,
					 "container '%s' has no snapshot '%s'", c->name, name)
			    : r;
}

/* What a killed snapshot left. */
static void clean(struct lxmgr_container *c)
{
	char path[SNAPSHOTS_PATH_SIZE];
	struct draft d;

	snapshots_path(c, path);
	if (draft_open(&d, path, "any", NULL) == 0)
		draft_clean(&d);
	draft_close(&d);
}

/* One rename takes it away; what is left is cleaned by the next that makes or destroys one. */
static int remove_snapshot(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(c->dir_fd, SNAPSHOTS_DIR, DIR_FLAGS);
	char dead[DRAFT_TMP_SIZE];
	int r = dir < 0 ? -errno : draft_bury(dir, name, dead);

	if (r < 0)
		return err_set(err, r, "take the snapshot '%s' away", name);
	r = fsync(dir) < 0 ? err_set(err, -errno, "write to disk")
			   : storage_remove_dir(dir, dead, err);
	return r < 0 ? err_prefix(err, "delete the snapshot '%s'", name) : 0;
}

static int destroy(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err), own = -EBADF;
	struct lxmgr_container *snap = NULL;
	int r = lock < 0 ? lock : lxmgr_snapshot_open(c, name, &snap, err);

	if (r < 0)
		return r;
	own = container_lock(snap, CONTAINER_LOCK_TIMEOUT_MS, err);
	r = own < 0 ? own : remove_snapshot(c, name, err);
	lxmgr_container_close(snap);
	if (r == 0) {
		clean(c);
		collect(c);
	}
	return r;
}

int lxmgr_snapshot_destroy(struct lxmgr_container *c, const char *name, struct lxmgr_err *err)
{
	return audit(c, "snapshot, destroy", name, destroy(c, name, err), err);
}

static int put_back(struct source *s, struct source *from, const struct label_progress *progress,
		    struct lxmgr_err *err)
{
	struct storage_copy how = { .share = true };
	struct interrupt stop;
	struct storage new;
	int r;

	storage_new_tree(&s->storage, &new);
	r = disk_lift(s->c, &s->storage, s->storage.ops, &new.limit, err);
	if (r < 0)
		return r;
	/* A root of a size of its own keeps that until the config's comes into force. */
	if (!new.limit.project)
		new.limit = s->storage.limit;
	copy_interrupt_begin(&stop, progress->fn, progress->arg);
	r = source_copy(from, &new, s->c->dir_fd, NULL, &s->c->config.storage, &how, true, err);
	if (r == 0)
		r = copy_interrupted(&stop, err);
	/* What of the network stands in the other root is what was true then. */
	if (r == 0 && unlinkat(s->c->dir_fd, "guest", 0) < 0 && errno != ENOENT)
		r = err_set(err, -errno, "delete '%s/guest'", s->c->name);
	if (r == 0)
		r = storage_replace(&s->storage, &new, err);
	else if (storage_recover(&s->storage, NULL) < 0)
		log_warn("%s: what is left of the restore stays, ignoring", s->c->name);
	copy_interrupt_end(&stop);
	storage_close(&new);
	disk_enforce(s->c, s->c->dir_fd);
	return r;
}

static void note_current(struct lxmgr_container *c, const char *name)
{
	cleanup_fd int dir = openat(c->dir_fd, SNAPSHOTS_DIR, DIR_FLAGS);
	struct lxmgr_snapshot s = { 0 };

	if (dir >= 0 && read_one(dir, name, &s) == 0 && write_current(dir, s.id, s.ancestors) < 0)
		log_warn("%s: which snapshot it stands on cannot be written, ignoring", c->name);
	free_one(&s);
}

static int restore(struct lxmgr_container *c, const char *name,
		   void (*progress)(const char *text, int permille, void *arg), void *arg,
		   struct lxmgr_err *err)
{
	const struct label_progress told = { progress, arg };
	cleanup_source struct source s = SOURCE_INIT, from = SOURCE_INIT;
	struct lxmgr_container *snap = NULL;
	int r = source_open(&s, c, err);

	if (r == 0)
		r = lxmgr_snapshot_open(c, name, &snap, err);
	if (r == 0 && s.live)
		r = err_status(err, STATUS_WRONG_STATE, -EBUSY,
			       "container '%s' is running; stop it first", c->name);
	/* Their root would change below them. */
	if (r == 0)
		r = ownpath_check_dependents(c, err);
	if (r == 0)
		r = source_open(&from, snap, err);
	if (r == 0)
		r = put_back(&s, &from, &told, err);
	if (r == 0) {
		note_current(c, name);
		collect(c);
	}
	source_close(&from);
	lxmgr_container_close(snap);
	return r;
}

int lxmgr_snapshot_restore(struct lxmgr_container *c, const char *name,
			   void (*progress)(const char *text, int permille, void *arg), void *arg,
			   struct lxmgr_err *err)
{
	return audit(c, "snapshot, restore", name, restore(c, name, progress, arg, err), err);
}
