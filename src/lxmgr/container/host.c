/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr_host(): what there is, and what of it is promised to containers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "container/container.h"
#include "container/disk.h"
#include "container/host.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

/* That a start is on its way to its record takes milliseconds. */
#define TURN_TIMEOUT_MS 30000

static const struct {
	const char *name, *unit, *key; /* key: of lxmgr.conf, how much of it may be promised */
} resources[LXMGR_HOST_RESOURCES] = {
	[LXMGR_HOST_MEMORY] = { "memory", "bytes", "lxmgr.overcommit.memory" },
	[LXMGR_HOST_SWAP] = { "swap", "bytes", "lxmgr.overcommit.swap" },
	[LXMGR_HOST_CPUS] = { "cpus", "thousandths", "lxmgr.overcommit.cpus" },
	[LXMGR_HOST_PIDS] = { "pids", "number", "lxmgr.overcommit.pids" },
	[LXMGR_HOST_DISK] = { "disk", "bytes", "lxmgr.overcommit.disk" },
	[LXMGR_HOST_ADDRESSES] = { "addresses", "number", NULL },
};

struct listing {
	struct lxmgr_host_container *v;
	size_t n;
	bool addresses; /* look for them, too */
};

static uint64_t limit_or_unknown(uint64_t limit)
{
	return limit >= LIMIT_MAX ? LXMGR_UNKNOWN : limit;
}

static void limits_of(const struct config *cfg, uint64_t ret[LXMGR_HOST_RESOURCES])
{
	const struct storage_limit disk = disk_wanted(cfg);

	ret[LXMGR_HOST_MEMORY] = limit_or_unknown(cfg->cgroup.limit[LIMIT_MEMORY]);
	ret[LXMGR_HOST_SWAP] = limit_or_unknown(cfg->cgroup.limit[LIMIT_SWAP]);
	ret[LXMGR_HOST_CPUS] = limit_or_unknown(cfg->cgroup.limit[LIMIT_CPUS]);
	ret[LXMGR_HOST_ADDRESSES] = 0;
	ret[LXMGR_HOST_PIDS] = limit_or_unknown(cfg->cgroup.limit[LIMIT_PIDS]);
	ret[LXMGR_HOST_DISK] = disk.bytes ? disk.bytes : LXMGR_UNKNOWN;
}

/* What it has of the managed bridge's, also while it is stopped. */
static uint64_t addresses_of(const struct lxmgr_container *c)
{
	cleanup_free char *id = str_printf("%s/%s", c->path, c->name);
	struct ipam_lease lease;
	uint64_t n = 0;

	for (size_t i = 0; id && i < c->config.n_nets; i++)
		n += ipam_lookup(id, c->config.nets[i].index, &lease) == 0;
	return n;
}

static uint64_t number_in(const char *path)
{
	char text[32];
	uint64_t n;

	return read_small(AT_FDCWD, path, text, sizeof(text)) > 0 && parse_u64(text, &n) == 0
		       ? n
		       : LXMGR_UNKNOWN;
}

/* "MemAvailable:   123 kB", in bytes. */
static uint64_t available_memory(void)
{
	cleanup_free char *text = NULL;
	const char *line;
	unsigned long long kb;

	if (read_file_at(AT_FDCWD, "/proc/meminfo", 65536, &text, NULL) < 0)
		return LXMGR_UNKNOWN;
	line = strstr(text, "\nMemAvailable:");
	return line && sscanf(line, "\nMemAvailable: %llu kB", &kb) == 1 ? kb * 1024
									 : LXMGR_UNKNOWN;
}

static int look_at_host(const char *path, struct lxmgr_host_resource *ret, struct lxmgr_err *err)
{
	uint64_t threads = number_in("/proc/sys/kernel/threads-max"), available;
	uint64_t pids = number_in("/proc/sys/kernel/pid_max");
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	struct bridge_conf bridge;
	uint64_t taken, total;
	struct sysinfo host;
	struct statvfs fs;

	if (sysinfo(&host) < 0 || online < 1)
		return err_set(err, -errno, "look at the host");
	if (statvfs(path, &fs) < 0)
		return err_set(err, -errno, "look at '%s'", path);
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
		ret[i] = (struct lxmgr_host_resource){ .name = resources[i].name,
						       .unit = resources[i].unit,
						       .used = LXMGR_UNKNOWN,
						       .overcommit = LXMGR_UNKNOWN };
	available = available_memory();
	ret[LXMGR_HOST_MEMORY].capacity = (uint64_t)host.totalram * host.mem_unit;
	if (available != LXMGR_UNKNOWN)
		ret[LXMGR_HOST_MEMORY].used = ret[LXMGR_HOST_MEMORY].capacity - available;
	ret[LXMGR_HOST_SWAP].capacity = (uint64_t)host.totalswap * host.mem_unit;
	ret[LXMGR_HOST_SWAP].used = (uint64_t)(host.totalswap - host.freeswap) * host.mem_unit;
	ret[LXMGR_HOST_CPUS].capacity = (uint64_t)online * 1000;
	ret[LXMGR_HOST_PIDS].capacity = threads < pids ? threads : pids;
	ret[LXMGR_HOST_PIDS].used = host.procs;
	ret[LXMGR_HOST_DISK].capacity = (uint64_t)fs.f_blocks * fs.f_frsize;
	/* A host whose bridge was never made has none yet. */
	if (bridge_conf_read(&bridge, NULL) == 0 &&
	    ipam_usage(&bridge, &taken, &total, NULL) == 0) {
		ret[LXMGR_HOST_ADDRESSES].capacity = total;
		ret[LXMGR_HOST_ADDRESSES].used = taken;
	}
	ret[LXMGR_HOST_DISK].used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	return 0;
}

/* "1.5" of what there is; "" is no bound. Returns 1 if there is one. */
static int read_ratio(size_t i, uint64_t *ret, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	int r;

	if (!resources[i].key)
		return 0;
	r = lxmgr_global_get(resources[i].key, &text, err);
	if (r < 0 || !*text)
		return r;
	if (parse_milli(text, 1000, ret) < 0 || !*ret)
		return err_msg(err, -EINVAL, "%s: '%.80s' is no ratio, such as 1.5",
			       resources[i].key, text);
	return 1;
}

static int add(struct listing *l, const struct lxmgr_container *c, enum lxmgr_state state)
{
	struct lxmgr_host_container *v = realloc(l->v, (l->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	l->v = v;
	v += l->n;
	*v = (struct lxmgr_host_container){ .name = strdup(c->name),
					    .path = strdup(c->path),
					    .state = state };
	if (!v->name || !v->path) {
		free(v->name);
		free(v->path);
		return -ENOMEM;
	}
	l->n++;
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
		v->limit[i] = LXMGR_UNKNOWN;
	if (c->config_loaded)
		limits_of(&c->config, v->limit);
	if (c->config_loaded && l->addresses)
		v->limit[LXMGR_HOST_ADDRESSES] = addresses_of(c);
	return 0;
}

static int add_running(struct lxmgr_container *c, const struct state *s, void *data)
{
	(void)container_load_running_config(c, NULL);
	return add(data, c, s->state);
}

static bool has(const struct listing *l, const char *path, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].name, name) && str_eq(l->v[i].path, path))
			return true;
	return false;
}

static int add_stopped(struct listing *l, const char *path, struct lxmgr_err *err)
{
	char **names;
	size_t n = 0;
	int r = lxmgr_list(path, &names, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct lxmgr_container *c = NULL;

		/* One that is gone meanwhile promises nothing. */
		if (lxmgr_container_open(path, names[i], NULL, &c, NULL) < 0)
			continue;
		if (!has(l, c->path, c->name)) {
			int loaded = container_load_config(c, NULL);

			r = add(l, c, loaded < 0 ? LXMGR_BROKEN : LXMGR_STOPPED);
		}
		lxmgr_container_close(c);
	}
	lxmgr_list_free(names, n);
	return r < 0 ? err_set(err, r, "list the containers") : 0;
}

static int list_all(const char *path, struct listing *l, struct lxmgr_err *err)
{
	int r = container_each_running(add_running, l, err);

	return r < 0 ? err_set(err, r, "list the containers that run") : add_stopped(l, path, err);
}

static bool is_up(enum lxmgr_state state)
{
	return state != LXMGR_STOPPED && state != LXMGR_BROKEN;
}

static void add_up(const struct listing *l, struct lxmgr_host_resource *host)
{
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES; i++)
		for (size_t k = 0; k < l->n; k++) {
			uint64_t limit = l->v[k].limit[i];
			bool up = is_up(l->v[k].state);

			if (limit == LXMGR_UNKNOWN) {
				host[i].unlimited++;
				host[i].unlimited_running += up;
			} else {
				host[i].all += limit;
				host[i].running += up ? limit : 0;
			}
		}
}

void lxmgr_host_free(struct lxmgr_host_container *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].path);
	}
	free(list);
}

static int by_name(const void *a, const void *b)
{
	const struct lxmgr_host_container *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : strcmp(x->path, y->path);
}

int lxmgr_host(const char *path, struct lxmgr_host_resource ret[LXMGR_HOST_RESOURCES],
	       struct lxmgr_host_container **ret_list, size_t *ret_n, struct lxmgr_err *err)
{
	struct listing l = { .addresses = true };
	int r;

	path = path ? path : STATEDIR;
	r = look_at_host(path, ret, err);
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES && r >= 0; i++)
		r = read_ratio(i, &ret[i].overcommit, err);
	if (r >= 0)
		r = list_all(path, &l, err);
	if (r < 0) {
		lxmgr_host_free(l.v, l.n);
		return r;
	}
	add_up(&l, ret);
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	*ret_list = l.v;
	*ret_n = l.n;
	return 0;
}

static uint64_t allowed(const struct lxmgr_host_resource *h)
{
	return h->capacity / 1000 * h->overcommit + h->capacity % 1000 * h->overcommit / 1000;
}

/* Its roots take disk whether they run or not. */
static uint64_t promised(size_t i, const struct lxmgr_host_resource *h)
{
	uint64_t sum = i == LXMGR_HOST_DISK ? h->all : h->running;
	size_t unlimited = i == LXMGR_HOST_DISK ? h->unlimited : h->unlimited_running;

	return sum + unlimited * h->capacity;
}

static int refuse(const struct lxmgr_container *c, size_t i, const struct lxmgr_host_resource *h,
		  uint64_t own, struct lxmgr_err *err)
{
	uint64_t unit = str_eq(h->unit, "bytes") ? 1 << 20 : 1;

	return err_status(err, STATUS_REFUSED, -EBUSY,
			  "%s = %llu.%03llu allows %llu%s of %s for containers; with '%s' (%llu%s) "
			  "these would have %llu%s",
			  resources[i].key, (unsigned long long)h->overcommit / 1000,
			  (unsigned long long)h->overcommit % 1000,
			  (unsigned long long)(allowed(h) / unit), unit > 1 ? " MiB" : "", h->name,
			  c->name, (unsigned long long)(own / unit), unit > 1 ? " MiB" : "",
			  (unsigned long long)((promised(i, h) + own) / unit),
			  unit > 1 ? " MiB" : "");
}

/* All but c itself. */
static void leave_out(struct listing *l, const struct lxmgr_container *c)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!str_eq(l->v[i].name, c->name) || !str_eq(l->v[i].path, c->path))
			continue;
		free(l->v[i].name);
		free(l->v[i].path);
		l->v[i--] = l->v[--l->n];
	}
}

static int admit(const struct lxmgr_container *c, const struct config *cfg, bool runs,
		 const uint64_t *ratio, struct lxmgr_err *err)
{
	struct lxmgr_host_resource h[LXMGR_HOST_RESOURCES];
	uint64_t own[LXMGR_HOST_RESOURCES];
	struct listing l = { 0 };
	int r = look_at_host(c->path, h, err);

	if (r == 0)
		r = list_all(c->path, &l, err);
	if (r == 0) {
		leave_out(&l, c);
		add_up(&l, h);
		limits_of(cfg, own);
	}
	for (size_t i = 0; i < LXMGR_HOST_RESOURCES && r == 0; i++) {
		h[i].overcommit = ratio[i];
		if (own[i] == LXMGR_UNKNOWN)
			own[i] = h[i].capacity;
		if (ratio[i] != LXMGR_UNKNOWN && (runs || i == LXMGR_HOST_DISK) &&
		    promised(i, &h[i]) + own[i] > allowed(&h[i]))
			r = refuse(c, i, &h[i], own[i], err);
	}
	lxmgr_host_free(l.v, l.n);
	return r;
}

static int take_turn(struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF;
	pid_t holder = 0;
	int r = mkdir_p(RUNDIR, 0700);

	if (r == 0)
		dir = open(RUNDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = r < 0 ? r : dir < 0 ? -errno : lock_at(dir, ".admit", true, TURN_TIMEOUT_MS, &holder);
	if (r == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, -EBUSY,
				  "another start or change of limits (pid %d) does not end",
				  holder);
	return r < 0 ? err_set(err, r, "lock '%s/.admit'", RUNDIR) : r;
}

int host_admit(const struct lxmgr_container *c, const struct config *cfg, bool runs, int *ret_turn,
	       struct lxmgr_err *err)
{
	uint64_t ratio[LXMGR_HOST_RESOURCES];
	cleanup_fd int turn = -EBADF;
	int r = 0, bounds = 0;

	for (size_t i = 0; i < LXMGR_HOST_RESOURCES && r >= 0; i++) {
		ratio[i] = LXMGR_UNKNOWN;
		r = read_ratio(i, &ratio[i], err);
		bounds += r > 0;
	}
	if (r < 0 || !bounds)
		return r < 0 ? r : 0;
	if (ret_turn) {
		turn = take_turn(err);
		if (turn < 0)
			return turn;
	}
	r = admit(c, cfg, runs, ratio, err);
	if (r == 0 && ret_turn)
		*ret_turn = take_fd(&turn);
	return r;
}

void host_recorded(int *turn)
{
	/* Closing this one alone leaves it with a process that was forked meanwhile. */
	if (*turn >= 0)
		flock(*turn, LOCK_UN);
	fd_close(turn);
}
