/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr_container_usage(): what a container has of each resource, and how often it was refused. */
#include <errno.h>
#include <stdlib.h>

#include "container/container.h"
#include "container/disk.h"
#include "container/rates.h"
#include "kernel/cgroup.h"
#include "util/cleanup.h"
#include "util/err.h"

static const struct {
	const char *resource, *unit;
} names[CGROUP_RESOURCES] = {
	[CGROUP_MEMORY] = { "memory", "bytes" },
	[CGROUP_SWAP] = { "swap", "bytes" },
	[CGROUP_KERNEL] = { "memory.kernel", "bytes" },
	[CGROUP_SOCKETS] = { "memory.sockets", "bytes" },
	[CGROUP_OOM_KILLS] = { "memory.oom", "kills" },
	[CGROUP_PIDS] = { "pids", "processes" },
	[CGROUP_CPUS] = { "cpus", "thousandths" },
	[CGROUP_CPU_TIME] = { "cpu.time", "microseconds" },
	[CGROUP_CPU_HELD] = { "cpu.throttled", "microseconds" },
	[CGROUP_IO_READ] = { "io.read", "bytes" },
	[CGROUP_IO_WRITE] = { "io.write", "bytes" },
	[CGROUP_CPU_STALL] = { "cpu.stalled", "microseconds" },
	[CGROUP_MEMORY_STALL] = { "memory.stalled", "microseconds" },
	[CGROUP_IO_STALL] = { "io.stalled", "microseconds" },
};

#define USAGES (CGROUP_RESOURCES + 4)

/* No limit and one that is not known are the same to who reads. */
static uint64_t told(uint64_t v)
{
	return v == LIMIT_UNSET || v == LIMIT_MAX ? LXMGR_UNKNOWN : v;
}

static void add(struct lxmgr_usage *v, size_t *n, const char *resource, const char *unit,
		const struct cgroup_counter *k)
{
	struct lxmgr_usage u = { .resource = resource,
				 .unit = unit,
				 .current = told(k->current),
				 .peak = told(k->peak),
				 .limit = told(k->limit),
				 .fails = told(k->fails) };

	if (u.current != LXMGR_UNKNOWN || u.limit != LXMGR_UNKNOWN || u.fails != LXMGR_UNKNOWN)
		v[(*n)++] = u;
}

static int add_cgroup(const struct state *s, struct lxmgr_usage *v, size_t *n,
		      struct lxmgr_err *err)
{
	struct cgroup_counter counters[CGROUP_RESOURCES];
	struct cgroup cg;
	int r = cgroup_open_counters(&cg, s->cgroup, s->cgroup_inner, err);

	if (r < 0)
		return r;
	cgroup_counters(&cg, counters);
	cgroup_close(&cg);
	for (size_t i = 0; i < CGROUP_RESOURCES; i++)
		add(v, n, names[i].resource, names[i].unit, &counters[i]);
	return 0;
}

/* What is known at once: a walk over all files is lxmgr_container_disk()'s. */
static void add_disk(struct lxmgr_container *c, struct lxmgr_usage *v, size_t *n)
{
	struct lxmgr_disk d;
	struct storage st;

	if (container_load_config(c, NULL) < 0 ||
	    storage_open(&st, c->dir_fd, &c->config.storage, NULL) < 0)
		return;
	disk_look(c, &st, &d);
	storage_close(&st);
	add(v, n, "disk", "bytes",
	    &(struct cgroup_counter){ d.bytes, LIMIT_UNSET, d.max_bytes, LIMIT_UNSET });
	add(v, n, "inodes", "inodes",
	    &(struct cgroup_counter){ d.inodes, LIMIT_UNSET, d.max_inodes, LIMIT_UNSET });
}

/* Of all interfaces together; nothing is asked where the config has no rate. */
static void add_rates(const struct lxmgr_container *c, const struct state *s, struct lxmgr_usage *v,
		      size_t *n)
{
	struct cgroup_counter in = { 0, LIMIT_UNSET, LIMIT_UNSET, 0 }, out = in;
	bool has_in = false, has_out = false;
	struct rates now;

	for (size_t i = 0; c->config_loaded && i < c->config.n_nets; i++) {
		has_in |= c->config.nets[i].rate_in.bits != RATE_NONE;
		has_out |= c->config.nets[i].rate_out.bits != RATE_NONE;
	}
	if ((!has_in && !has_out) || rates_get(s, &now, NULL) < 0)
		return;
	for (size_t i = 0; i < s->n_net; i++) {
		in.current += now.in[i].bytes;
		in.fails += now.in[i].drops;
		out.current += now.out[i].bytes;
		out.fails += now.out[i].drops;
	}
	if (has_in)
		add(v, n, "rate.in", "bytes", &in);
	if (has_out)
		add(v, n, "rate.out", "bytes", &out);
}

int lxmgr_container_usage(struct lxmgr_container *c, struct lxmgr_usage **ret, size_t *ret_n,
			  struct lxmgr_err *err)
{
	cleanup_free struct lxmgr_usage *v = NULL;
	struct state s;
	bool stale = false;
	size_t n = 0;
	int r = state_read(c, &s, &stale, err);

	if (r < 0 && r != -ENOENT)
		return r;
	stale |= r == -ENOENT;
	if (c->dir_fd < 0 && stale)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist", c->name);
	v = calloc(USAGES, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "count");
	if (!stale && *s.cgroup) {
		r = add_cgroup(&s, v, &n, err);
		/* It ended meanwhile. */
		if (r < 0 && state_read(c, &s, &stale, NULL) == 0 && !stale)
			return r;
	}
	if (c->dir_fd >= 0)
		add_disk(c, v, &n);
	if (!stale)
		add_rates(c, &s, v, &n);
	*ret = take_ptr(v);
	*ret_n = n;
	return 0;
}
