/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/copy.h"
#include "container/disk.h"
#include "container/enter.h"
#include "container/label.h"
#include "container/mounts.h"
#include "container/projalloc.h"
#include "container/teardown.h"
#include "kernel/quota.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

typedef char id_buf[PATH_MAX + 80];

static const char *id_of(const struct lxmgr_container *c, id_buf buf)
{
	snprintf(buf, sizeof(id_buf), "%s/%s", c->path, c->name);
	return buf;
}

static uint64_t value_of(uint64_t v)
{
	return v >= LIMIT_MAX ? STORAGE_UNLIMITED : v;
}

struct storage_limit disk_wanted(const struct config *cfg)
{
	return (struct storage_limit){ .bytes = value_of(cfg->limit_disk),
				       .inodes = value_of(cfg->limit_inodes) };
}

bool disk_is_limited(const struct storage_limit *l)
{
	return l->bytes || l->inodes;
}

static bool is_outside(const struct config *cfg)
{
	return cfg->storage.path && *cfg->storage.path;
}

/* Who has CAP_SYS_RESOURCE on the host writes past a quota of ext4. An overlay gives it up for
 * itself, and the root of a user namespace has it not. */
static int check_binds(const struct config *cfg, const struct storage_ops *ops, int path_fd,
		       struct lxmgr_err *err)
{
	struct statfs st;
	uint64_t caps;
	int r;

	if (!ops->project || ops != &storage_dir || cfg->idmap_policy != IDMAP_NONE)
		return 0;
	r = enter_caps(cfg, &caps, err);
	if (r < 0)
		return r;
	if (!(caps & 1ULL << CAP_SYS_RESOURCE) || fstatfs(path_fd, &st) < 0 ||
	    st.f_type != EXT4_SUPER_MAGIC)
		return 0;
	return err_status(
		err, STATUS_REFUSED, -EOPNOTSUPP,
		"lxmgr.limit.disk: the root of a privileged container writes past a quota "
		"of ext4; use -B overlay or -B loop, or lxmgr.cap.drop = sys_resource");
}

int disk_check(const struct config *cfg, const struct storage_ops *ops, int path_fd,
	       struct lxmgr_err *err)
{
	const struct storage_limit want = disk_wanted(cfg);
	int r;

	if (!disk_is_limited(&want))
		return 0;
	if (is_outside(cfg))
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "lxmgr.limit.disk: the root that lxmgr.rootfs.path names is not "
				  "lxmgr's to limit");
	r = storage_can_limit(ops, path_fd, err);
	return r < 0 ? r : check_binds(cfg, ops, path_fd, err);
}

int disk_reserve(const struct config *cfg, const struct storage_ops *ops, const char *id,
		 int dir_fd, struct storage_limit *ret, struct lxmgr_err *err)
{
	*ret = disk_wanted(cfg);
	if (!disk_is_limited(ret) || !ops->project)
		return 0;
	return projalloc_acquire(id, dir_fd, &ret->project, err);
}

/* A project quota is set again each time, because the file system's tools can have lost it; other
 * backends are left alone where nothing changed. */
int disk_apply(const struct config *cfg, struct storage *st, const char *id, int path_fd,
	       bool running, struct lxmgr_err *err)
{
	struct storage_limit want = disk_wanted(cfg);
	int r;

	/* A file system of its own has the size that it was made with. */
	if (!st->ops->project && cfg->limit_disk == LIMIT_UNSET)
		want.bytes = st->limit.bytes;
	if (!st->ops->project && cfg->limit_inodes == LIMIT_UNSET)
		want.inodes = st->limit.inodes;
	if (!disk_is_limited(&want) && !disk_is_limited(&st->limit))
		return 0;
	if (!st->ops->project && want.bytes == st->limit.bytes && want.inodes == st->limit.inodes)
		return 0;
	r = disk_check(cfg, st->ops, path_fd, err);
	if (r == 0)
		r = disk_reserve(cfg, st->ops, id, st->ct_fd, &want, err);
	return r < 0 ? r : storage_resize(st, &want, running, err);
}

/* What cfg asks for comes into force on c's root. */
static int apply(struct lxmgr_container *c, const struct config *cfg, struct storage *st,
		 bool running, struct lxmgr_err *err)
{
	cleanup_fd int path = openat(c->dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	id_buf id;

	return path < 0 ? err_set(err, -errno, "open '%s'", c->path)
			: disk_apply(cfg, st, id_of(c, id), path, running, err);
}

int disk_start(struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct storage st;
	int r;

	/* A root of its own making, or none. */
	if (c->dir_fd < 0 || is_outside(&c->config)) {
		const struct storage_limit want = disk_wanted(&c->config);

		return disk_is_limited(&want) ? disk_check(&c->config, &storage_dir, -1, err) : 0;
	}
	r = storage_open(&st, c->dir_fd, &c->config.storage, err);
	if (r < 0)
		return r;
	r = apply(c, &c->config, &st, false, err);
	storage_close(&st);
	return r;
}

int disk_lift(const struct lxmgr_container *c, struct storage *st, const struct storage_ops *ops,
	      struct storage_limit *ret, struct lxmgr_err *err)
{
	uint32_t project;
	id_buf id;
	int r = disk_reserve(&c->config, ops, id_of(c, id), c->dir_fd, ret, err);

	if (r < 0 || !ret->project)
		return r;
	ret->bytes = ret->inodes = STORAGE_UNLIMITED;
	if (storage_project(st, &project, NULL) < 0 || project != ret->project)
		return 0;
	r = quota_set(c->dir_fd, project, 0, 0);
	return r < 0 ? err_set(err, r, "lift the limit of project %u", project) : 0;
}

void disk_enforce(const struct lxmgr_container *c, int dir_fd)
{
	struct storage_limit want;
	struct lxmgr_err why = { 0 };
	struct storage st;
	id_buf id;
	int r = storage_open(&st, dir_fd, &c->config.storage, &why);

	if (r == 0 && st.ops->project) {
		r = disk_reserve(&c->config, st.ops, id_of(c, id), dir_fd, &want, &why);
		st.limit = want;
		if (r == 0 && disk_is_limited(&want))
			r = storage_resize(&st, &want, false, &why);
		if (r == 0 && disk_is_limited(&want))
			r = storage_write(&st, true, &why);
	}
	if (r < 0)
		log_warn("%s: %s; the next start limits it again, ignoring", c->name, why.text);
	storage_close(&st);
}

/* The API. */

static bool is_relative(const char *value)
{
	return value && *value == '+';
}

/* "20G", "+5G", "max": as the key's value, in text. */
static int resolve(const char *value, uint64_t have, char text[32], struct lxmgr_err *err)
{
	uint64_t v;

	if (!is_relative(value))
		return snprintf(text, 32, "%.31s", value) < 32
			       ? 0
			       : err_status(err, STATUS_USAGE, -EINVAL, "'%.40s' is no limit",
					    value);
	if (parse_size(value + 1, &v) < 0)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.40s' is no size", value);
	if (!have)
		return err_status(err, STATUS_WRONG_STATE, -EINVAL,
				  "there is no limit that could be raised; give one without '+'");
	if (__builtin_add_overflow(have, v, &v))
		return err_status(err, STATUS_USAGE, -ERANGE, "'%.40s' is too large", value);
	snprintf(text, 32, "%llu", (unsigned long long)v);
	return 0;
}

static int set_key(struct config *cfg, const char *key, const char *value, uint64_t have,
		   char text[32], struct lxmgr_err *err)
{
	int r = value ? resolve(value, have, text, err) : 0;

	if (r < 0 || !value)
		return r;
	r = config_set(cfg, key, text, err);
	if (r < 0 && err)
		err->status = STATUS_USAGE;
	return r;
}

static int open_own(struct lxmgr_container *c, struct storage *st, struct lxmgr_err *err)
{
	int r = container_load_config(c, err);

	if (r == 0 && c->dir_fd < 0)
		r = err_status(err, STATUS_NO_CONTAINER, -ENOENT,
			       "container '%s' does not exist in %s", c->name, c->path);
	return r < 0 ? r : storage_open(st, c->dir_fd, &c->config.storage, err);
}

int disk_job_open(struct lxmgr_container *c, bool runs, struct disk_job *j, struct lxmgr_err *err)
{
	int r;

	*j = (struct disk_job){ .c = c, .runs = runs };
	r = open_own(c, &j->st, err);
	if (r < 0)
		return r;
	j->is_open = true;
	if (!runs) {
		r = mounts_check(c, true, err);
		if (r == 0)
			r = storage_recover(&j->st, err);
	}
	if (r == 0)
		r = storage_check(&j->st, err);
	if (r == 0 && runs && !j->st.ops->project)
		r = label_of_files(c, j->label, err);
	j->st.label = *j->label ? j->label : NULL;
	return r;
}

int disk_job_check(const struct disk_job *j, const struct config *cfg, struct lxmgr_err *err)
{
	cleanup_fd int path = openat(j->c->dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return path < 0 ? err_set(err, -errno, "open '%s'", j->c->path)
			: disk_check(cfg, j->st.ops, path, err);
}

int disk_job_apply(struct disk_job *j, const struct config *cfg, struct lxmgr_err *err)
{
	return apply(j->c, cfg, &j->st, j->runs, err);
}

void disk_job_close(struct disk_job *j)
{
	if (j->is_open)
		storage_close(&j->st);
	j->is_open = false;
}

bool disk_job_grows(struct disk_job *j, const struct config *cfg)
{
	struct storage_limit have;

	return cfg->limit_disk < LIMIT_MAX && storage_bounds(&j->st, false, &have, NULL) == 0 &&
	       have.bytes && cfg->limit_disk > have.bytes;
}

/* What the config says of both; NULL: as it is. So that the next start agrees. */
static int write_keys(struct lxmgr_container *c, const char *bytes, const char *inodes,
		      struct lxmgr_err *err)
{
	int r = bytes ? container_edit_config(c, "lxmgr.limit.disk", *bytes ? bytes : NULL, err)
		      : 0;

	return r < 0 || !inodes ? r
				: container_edit_config(c, "lxmgr.limit.inodes",
							*inodes ? inodes : NULL, err);
}

static int change(struct disk_job *j, const char *bytes, const char *inodes, struct lxmgr_err *err)
{
	struct lxmgr_container *c = j->c;
	cleanup_free char *was_bytes = NULL, *was_inodes = NULL;
	struct storage_limit have = { 0 };
	char bytes_text[32] = "", inodes_text[32] = "";
	bool first;
	int r = config_get(&c->config, "lxmgr.limit.disk", &was_bytes, err);

	if (r == 0)
		r = config_get(&c->config, "lxmgr.limit.inodes", &was_inodes, err);
	if (r == 0 && (is_relative(bytes) || is_relative(inodes)))
		r = storage_bounds(&j->st, false, &have, err);
	if (r == 0)
		r = set_key(&c->config, "lxmgr.limit.disk", bytes, have.bytes, bytes_text, err);
	if (r == 0)
		r = set_key(&c->config, "lxmgr.limit.inodes", inodes, have.inodes, inodes_text,
			    err);
	if (r < 0)
		return r;
	bytes = bytes ? bytes_text : NULL;
	inodes = inodes ? inodes_text : NULL;
	first = disk_job_grows(j, &c->config);
	if (first)
		r = write_keys(c, bytes, inodes, err);
	if (r == 0)
		r = disk_job_apply(j, &c->config, err);
	if (r == 0 && !first)
		r = write_keys(c, bytes, inodes, err);
	if (r < 0 && first &&
	    write_keys(c, bytes ? was_bytes : NULL, inodes ? was_inodes : NULL, NULL) < 0)
		err_hint(err, "its config asks for the new size nevertheless");
	return r;
}

static int change_limits(struct lxmgr_container *c, const char *bytes, const char *inodes,
			 void (*progress)(const char *text, int permille, void *arg), void *arg,
			 struct lxmgr_err *err)
{
	struct state state;
	struct disk_job job = { 0 };
	struct interrupt stop;
	cleanup_fd int lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	int r;

	if (lock < 0)
		return lock;
	r = teardown_stale(c, -1, &state, err);
	if (r >= 0)
		r = disk_job_open(c, r > 0, &job, err);
	if (r == 0) {
		copy_interrupt_begin(&stop, progress, arg);
		r = change(&job, bytes, inodes, err);
		copy_interrupt_end(&stop);
	}
	disk_job_close(&job);
	/* What is in the file counts again. */
	config_free(&c->config);
	c->config_loaded = false;
	return r;
}

int lxmgr_container_disk_change(struct lxmgr_container *c, const char *bytes, const char *inodes,
				void (*progress)(const char *text, int permille, void *arg),
				void *arg, struct lxmgr_err *err)
{
	return audit(c, "disk", bytes ? bytes : inodes,
		     change_limits(c, bytes, inodes, progress, arg, err), err);
}

static int compact(struct lxmgr_container *c,
		   void (*progress)(const char *text, int permille, void *arg), void *arg,
		   uint64_t *ret_freed, struct lxmgr_err *err)
{
	cleanup_fd int lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	struct interrupt stop;
	struct state state;
	struct storage st;
	int r;

	*ret_freed = 0;
	if (lock < 0)
		return lock;
	r = teardown_stale(c, -1, &state, err);
	if (r > 0)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is running; stop it first", c->name);
	if (r == 0)
		r = mounts_check(c, true, err);
	if (r == 0)
		r = open_own(c, &st, err);
	if (r < 0)
		return r;
	r = storage_recover(&st, err);
	if (r == 0) {
		copy_interrupt_begin(&stop, progress, arg);
		r = storage_compact(&st, ret_freed, err);
		copy_interrupt_end(&stop);
	}
	storage_close(&st);
	return r;
}

int lxmgr_container_disk_compact(struct lxmgr_container *c,
				 void (*progress)(const char *text, int permille, void *arg),
				 void *arg, uint64_t *ret_freed, struct lxmgr_err *err)
{
	return audit(c, "compact", NULL, compact(c, progress, arg, ret_freed, err), err);
}

static uint64_t or_unknown(uint64_t v)
{
	return v ? v : LXMGR_UNKNOWN;
}

/* What the kernel counts and holds the root to; what it was told may have been lost since. */
static void add_quota(const struct lxmgr_container *c, struct storage *st, struct lxmgr_disk *d)
{
	uint32_t project = 0;
	struct quota q;

	if (storage_project(st, &project, NULL) < 0 || !project ||
	    quota_check(c->dir_fd, NULL) < 0 || quota_get(c->dir_fd, project, &q) < 0)
		return;
	d->bytes = q.bytes;
	d->inodes = q.inodes;
	d->max_bytes = or_unknown(q.max_bytes);
	d->max_inodes = or_unknown(q.max_inodes);
}

static void look(const struct lxmgr_container *c, struct storage *st, bool at_once,
		 struct lxmgr_disk *ret)
{
	struct storage_limit bounds;

	*ret = (struct lxmgr_disk){ .bytes = LXMGR_UNKNOWN,
				    .inodes = LXMGR_UNKNOWN,
				    .max_bytes = LXMGR_UNKNOWN,
				    .max_inodes = LXMGR_UNKNOWN };
	snprintf(ret->backend, sizeof(ret->backend), "%s", st->ops->name);
	if (st->ops->project) {
		add_quota(c, st, ret);
		return;
	}
	/* Of a root that cannot be read, what it was told is known all the same. */
	if (storage_bounds(st, at_once, &bounds, NULL) < 0)
		bounds = st->limit;
	ret->max_bytes = or_unknown(bounds.bytes);
	ret->max_inodes = or_unknown(bounds.inodes);
	if (at_once && storage_usage(st, true, &ret->bytes, NULL) < 0)
		ret->bytes = LXMGR_UNKNOWN;
}

void disk_look(const struct lxmgr_container *c, struct storage *st, struct lxmgr_disk *ret)
{
	look(c, st, true, ret);
}

int lxmgr_container_disk(struct lxmgr_container *c, struct lxmgr_disk *ret, struct lxmgr_err *err)
{
	struct storage st;
	int r = open_own(c, &st, err);

	if (r < 0)
		return r;
	look(c, &st, false, ret);
	if (ret->bytes == LXMGR_UNKNOWN)
		r = storage_usage(&st, false, &ret->bytes, err);
	storage_close(&st);
	return r;
}
