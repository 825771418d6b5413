/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lxmgr_container_set(): a change of a container that holds at once and at each start: checked as a
 * whole, brought into force, read back from the kernel, then saved; whatever fails takes back what
 * was done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/copy.h"
#include "container/disk.h"
#include "container/edit.h"
#include "container/host.h"
#include "container/io.h"
#include "container/rates.h"
#include "container/teardown.h"
#include "kernel/cgroup.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

/* When a change of the config of a running container holds. */
enum when {
	WHEN_NEVER, /* not before its next start */
	WHEN_LIMIT, /* at once, in its cgroup */
	WHEN_CPUS,  /* the same */
	WHEN_IO,    /* the same, on the disks of its root */
	WHEN_RATE,  /* at once, on the host's ends of its interfaces */
	WHEN_DISK,  /* at once, as a limit of the root, whether it runs or not */
	WHEN_USED,  /* nothing that runs has it: it is read where it is needed */
};

static const struct {
	const char *key; /* without the prefix */
	enum when when;
} known[] = {
	{ "limit.memory", WHEN_LIMIT },
	{ "limit.swap", WHEN_LIMIT },
	{ "limit.cpus", WHEN_LIMIT },
	{ "limit.cpu.weight", WHEN_LIMIT },
	{ "limit.cpu.burst", WHEN_LIMIT },
	{ "limit.cpuset", WHEN_CPUS },
	{ "limit.pids", WHEN_LIMIT },
	{ "limit.io.read", WHEN_IO },
	{ "limit.io.write", WHEN_IO },
	{ "limit.io.weight", WHEN_IO },
	{ "limit.iops.read", WHEN_IO },
	{ "limit.iops.write", WHEN_IO },
	{ "limit.disk", WHEN_DISK },
	{ "limit.inodes", WHEN_DISK },
	{ "start.auto", WHEN_USED },
	{ "start.order", WHEN_USED },
	{ "start.delay", WHEN_USED },
	{ "start.after", WHEN_USED },
	{ "group", WHEN_USED },
	{ "plan", WHEN_USED },
	{ "protect", WHEN_USED },
	{ "suspended", WHEN_USED },
	{ "owner", WHEN_USED },
	{ "tag", WHEN_USED },
	{ "stop.timeout", WHEN_USED },
	{ "description", WHEN_USED },
	{ "snapshot.schedule", WHEN_USED },
	{ "snapshot.keep", WHEN_USED },
};

static enum when when_of(const char *key)
{
	const char *name = str_after(key, "lxmgr."), *rest = name ? str_after(name, "net.") : NULL;

	if (rest && (str_eq(rest + strspn(rest, "0123456789"), ".rate.in") ||
		     str_eq(rest + strspn(rest, "0123456789"), ".rate.out")))
		return WHEN_RATE;
	for (size_t i = 0; name && i < ARRAY_SIZE(known); i++)
		if (str_eq(known[i].key, name))
			return known[i].when;
	return WHEN_NEVER;
}

struct set {
	struct lxmgr_container *c;
	const struct lxmgr_change *changes;
	size_t n;
	struct state state;
	struct edit edit, running; /* running: if runs */
	struct cgroup cg;	   /* if runs */
	struct disk_job disk;	   /* if on_disk */
	struct disks disks;	   /* if io */
	bool runs, limits, cpus, io, rates, on_disk, saved;
	uint64_t before[LIMIT_COUNT];
	char *cpus_before;
	struct cgroup_io_now io_before;
	struct rates rates_before;
};

/* What is really another value, told in the order it was asked for. */
static int compare(struct set *s, lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		cleanup_free char *old = NULL, *new = NULL;
		enum when when = when_of(s->changes[i].key);
		int r = config_get(&s->c->config, s->changes[i].key, &old, err);

		if (r == 0)
			r = config_get(s->edit.config, s->changes[i].key, &new, err);
		if (r)
			return r;
		if (str_eq(old, new) && when != WHEN_LIMIT && when != WHEN_CPUS &&
		    when != WHEN_IO && when != WHEN_RATE)
			continue;
		if (s->runs && when == WHEN_NEVER)
			return err_status(err, STATUS_WRONG_STATE, -EBUSY,
					  "%s cannot be changed while '%s' runs; stop it first, or "
					  "have lxmgr-config change it for the next start",
					  s->changes[i].key, s->c->name);
		s->limits = s->limits || when == WHEN_LIMIT;
		s->cpus = s->cpus || when == WHEN_CPUS;
		s->io = s->io || when == WHEN_IO;
		s->rates = s->rates || when == WHEN_RATE;
		s->on_disk = s->on_disk || when == WHEN_DISK;
		if (fn && !str_eq(old, new))
			fn(s->changes[i].key, old, new, arg);
	}
	return 0;
}

/* A limit that the config does not name is none. */
static void wanted(const struct config *cfg, uint64_t ret[LIMIT_COUNT])
{
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		uint64_t limit = cfg->cgroup.limit[i];

		ret[i] = limit == LIMIT_UNSET ? LIMIT_MAX : limit;
	}
}

/* The kernel counts memory in pages. What weight and what burst are none is its to say. */
static bool agrees(enum cgroup_limit which, uint64_t want, uint64_t have)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t unit = which == LIMIT_MEMORY || which == LIMIT_SWAP ? page : 1;

	if (want != LIMIT_MAX)
		return have < LIMIT_MAX && want / unit == have / unit;
	return which == LIMIT_CPU_WEIGHT || which == LIMIT_CPU_BURST || have >= LIMIT_MAX;
}

static int read_back(struct set *s, const uint64_t *want, struct lxmgr_err *err)
{
	uint64_t have[LIMIT_COUNT];

	cgroup_get_limits(&s->cg, have);
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		if (!agrees(i, want[i], have[i]))
			return err_msg(err, -EIO,
				       "lxmgr.%s: %llu was written, but the kernel has %llu",
				       cgroup_limit_keys[i], (unsigned long long)want[i],
				       (unsigned long long)have[i]);
	return 0;
}

/* What there is, for take_back(). */
static int remember(struct set *s, struct lxmgr_err *err)
{
	int r = 0;

	if (!s->runs)
		return 0;
	if (s->limits)
		cgroup_get_limits(&s->cg, s->before);
	if (s->io)
		cgroup_io_get(&s->cg, &s->disks, &s->io_before);
	if (s->cpus)
		r = cgroup_get_cpus(&s->cg, &s->cpus_before, err);
	if (r == 0 && s->rates)
		r = rates_get(&s->state, &s->rates_before, err);
	return r;
}

static int bring_into_force(struct set *s, struct lxmgr_err *err)
{
	const struct config *cfg = s->running.config;
	uint64_t want[LIMIT_COUNT];
	int r = 0;

	if (!s->runs)
		return 0;
	if (s->limits) {
		wanted(cfg, want);
		r = cgroup_set_limits(&s->cg, want, err);
		if (r == 0)
			r = read_back(s, want, err);
	}
	if (r == 0 && s->cpus)
		r = cgroup_set_cpus(&s->cg, cfg->cgroup.cpuset, err);
	if (r == 0 && s->io)
		r = io_change(&s->cg, cfg, &s->disks, err);
	if (r == 0 && s->rates)
		r = rates_change(&s->state, cfg, err);
	return r;
}

/* Ctrl-C ends what takes long, as in lxmgr-disk. */
static int change_disk(struct set *s, const struct config *cfg, struct lxmgr_err *err)
{
	struct interrupt stop;
	int r;

	if (!s->on_disk)
		return 0;
	copy_interrupt_begin(&stop, NULL, NULL);
	r = disk_job_apply(&s->disk, cfg, err);
	copy_interrupt_end(&stop);
	return r;
}

static int save(struct set *s, struct lxmgr_err *err)
{
	int r = s->runs ? edit_write_running(s->c, s->running.text, err) : 0;

	if (r == 0)
		r = edit_write(s->c, &s->edit, err);
	s->saved = r == 0;
	return r;
}

static int unsave(struct set *s, struct lxmgr_err *err)
{
	const struct edit back = { .config = &s->c->config,
				   .text = s->edit.before,
				   .before = s->edit.text };

	return s->saved ? edit_write(s->c, &back, err) : 0;
}

/* Whatever is not as it was is told with what failed. */
static void take_back(struct set *s, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };

	if (unsave(s, &why) < 0)
		err_hint(err, "the config has the change nevertheless: %s", why.text);
	if (change_disk(s, &s->c->config, &why) < 0)
		err_hint(err, "the former limit of the disk cannot be set again: %s", why.text);
	if (!s->runs)
		return;
	if (s->limits && cgroup_set_limits(&s->cg, s->before, &why) < 0)
		err_hint(err, "the former limits cannot be set again: %s", why.text);
	if (s->cpus_before && cgroup_set_cpus(&s->cg, s->cpus_before, &why) < 0)
		err_hint(err, "the former CPUs cannot be set again: %s", why.text);
	if (s->io && cgroup_io_restore(&s->cg, &s->io_before, &why) < 0)
		err_hint(err, "the former limits of disks cannot be set again: %s", why.text);
	if (s->rates && rates_restore(&s->state, &s->rates_before, &why) < 0)
		err_hint(err, "the former rates cannot be set again: %s", why.text);
	if (edit_write_running(s->c, s->running.before, &why) < 0)
		err_hint(err, "%s", why.text);
}

static int prepare(struct set *s, struct lxmgr_err *err)
{
	int r = teardown_stale(s->c, -1, &s->state, err);

	if (r < 0)
		return r;
	s->runs = r > 0;
	r = container_load_config(s->c, err);
	if (r == 0)
		r = edit_prepare(s->c, s->changes, s->n, &s->edit, err);
	if (r == 0)
		r = cgroup_check(&s->edit.config->cgroup, err);
	if (r < 0 || !s->runs)
		return r;
	return edit_prepare_running(s->c, s->changes, s->n, &s->running, err);
}

/* What makes it smaller is never refused: that is how a host that promised too much is mended. */
static int check_host(struct set *s, int *ret_turn, struct lxmgr_err *err)
{
	static const enum cgroup_limit counted[] = { LIMIT_MEMORY, LIMIT_SWAP, LIMIT_CPUS,
						     LIMIT_PIDS };
	const struct cgroup_spec *was = &s->c->config.cgroup, *is = &s->edit.config->cgroup;
	const struct storage_limit old = disk_wanted(&s->c->config),
				   new = disk_wanted(s->edit.config);
	bool grows = s->on_disk && old.bytes && (!new.bytes || new.bytes > old.bytes);

	for (size_t i = 0; i < ARRAY_SIZE(counted) && s->runs && s->limits; i++)
		grows |= is->limit[counted[i]] > was->limit[counted[i]];
	return grows ? host_admit(s->c, s->edit.config, s->runs, ret_turn, err) : 0;
}

static int open_disk(struct set *s, struct lxmgr_err *err)
{
	int r = s->on_disk ? disk_job_open(s->c, s->runs, &s->disk, err) : 0;

	return r < 0 || !s->on_disk ? r : disk_job_check(&s->disk, s->edit.config, err);
}

/* What needs none is changed without. */
static int open_cgroup(struct set *s, struct lxmgr_err *err)
{
	if (!s->runs || (!s->limits && !s->cpus && !s->io))
		return 0;
	if (!*s->state.cgroup)
		return err_msg(err, -ENOENT, "container '%s' has no cgroup", s->c->name);
	return cgroup_open(&s->cg, s->state.cgroup, s->state.cgroup_inner, err);
}

static int set(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
	       unsigned int flags, lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err)
{
	struct set s = { .c = c, .changes = changes, .n = n };
	cleanup_fd int lock = -EBADF, turn = -EBADF;
	int r;

	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist", c->name);
	if (flags & ~(LXMGR_SET_DRY_RUN | LXMGR_SET_FORCE))
		return err_msg(err, -EINVAL, "unknown flags");
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	r = prepare(&s, err);
	if (r == 0)
		r = compare(&s, fn, arg, err);
	if (r == 0 && !(flags & LXMGR_SET_FORCE))
		r = check_host(&s, &turn, err);
	if (r == 0 && s.io)
		r = io_check(c, s.edit.config, &s.disks, err);
	if (r == 0 && s.rates)
		r = rates_check(s.edit.config, err);
	if (r == 0)
		r = open_cgroup(&s, err);
	if (r == 0)
		r = open_disk(&s, err);
	if (r == 0 && !(flags & LXMGR_SET_DRY_RUN))
		r = remember(&s, err);
	if (r == 0 && !(flags & LXMGR_SET_DRY_RUN)) {
		r = bring_into_force(&s, err);
		if (r == 0 && s.on_disk && disk_job_grows(&s.disk, s.edit.config))
			r = save(&s, err);
		if (r == 0)
			r = change_disk(&s, s.edit.config, err);
		if (r == 0 && !s.saved)
			r = save(&s, err);
		if (r < 0)
			take_back(&s, err);
	}
	if (s.cg.ops)
		cgroup_close(&s.cg);
	free(s.cpus_before);
	disk_job_close(&s.disk);
	edit_free(&s.edit);
	edit_free(&s.running);
	return r;
}

int lxmgr_container_set(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
			unsigned int flags, lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err)
{
	char buf[AUDIT_CHANGES];
	int r = set(c, changes, n, flags, fn, arg, err);

	return flags & LXMGR_SET_DRY_RUN ? r
					 : audit(c, "set", audit_changes(changes, n, buf), r, err);
}
