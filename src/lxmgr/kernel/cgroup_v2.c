/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pure cgroup v2: one tree. The outer group carries the limits, the inner one ("ns") is what the
 * container owns; processes are only in the inner one and below.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/cgroup_tree.h"
#include "kernel/ns.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define ROOT	      "/sys/fs/cgroup"
#define RECLAIM_TRIES 20

static bool is_present(void)
{
	struct statfs st;

	return statfs(ROOT, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

static bool has_controller(int dir, const char *name)
{
	cleanup_strlist struct strlist words = { 0 };
	char buf[512];

	return read_small(dir, "cgroup.controllers", buf, sizeof(buf)) > 0 &&
	       strlist_split(&words, buf, " ") == 0 && strlist_has(&words, name);
}

static const struct cgroup_limit_file files[LIMIT_COUNT] = {
	[LIMIT_MEMORY] = { "memory", "memory.max", "max" },
	[LIMIT_SWAP] = { "memory", "memory.swap.max", "max" },
	[LIMIT_CPUS] = { "cpu", "cpu.max", "max" },
	[LIMIT_CPU_BURST] = { "cpu", "cpu.max.burst", "0" },
	[LIMIT_CPU_WEIGHT] = { "cpu", "cpu.weight", "100" },
	[LIMIT_PIDS] = { "pids", "pids.max", "max" },
};

static int check(const struct cgroup_spec *s, struct lxmgr_err *err)
{
	cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < LIMIT_COUNT; i++)
		if (s->limit[i] != LIMIT_UNSET && !has_controller(root, files[i].controller))
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.%s cannot act on this host: the controller '%s' is "
				       "not available",
				       cgroup_limit_keys[i], files[i].controller);
	for (size_t i = 0; i < s->n_raw; i++)
		if (s->raw[i].v1)
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.cgroup.%s cannot act on this host: it has cgroup v2 "
				       "only (use lxmgr.limit.* or lxmgr.cgroup2.*)",
				       s->raw[i].file);
	return cgroup_check_cpus(root, "cpuset.cpus.effective", s->cpuset, err);
}

/* In a container whose init does not manage groups, the processes are in the topmost one, which so
 * cannot hand controllers on: they move into a group beside ours. Those that come from the host
 * (attach) are in no pid namespace of ours and stay. */
static void make_room(int root)
{
	cleanup_fd int dir = -EBADF;
	char type[32];

	if (read_small(root, "cgroup.type", type, sizeof(type)) < 0)
		return;
	for (int round = 0; round < 10; round++) {
		cleanup_strlist struct strlist pids = { 0 };
		cleanup_free char *text = NULL;

		if (read_file_at(root, "cgroup.procs", 1 << 20, &text, NULL) < 0 || !*text ||
		    strlist_split(&pids, text, "\n") < 0)
			return;
		if (dir < 0) {
			if (mkdirat(root, "lxmgr.guest", 0755) < 0 && errno != EEXIST)
				return;
			dir = openat(root, "lxmgr.guest", O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		for (size_t i = 0; i < pids.n; i++)
			write_small(dir, "cgroup.procs", pids.v[i]);
	}
}

/* Hand every controller that is there on to the children. One write per controller: one that
 * cannot be enabled must not keep back the others. */
/* As far as can be: what a limit needs and is not there is refused by the limit. */
static int enable_controllers(int dir)
{
	static const char *const want[] = { "+cpu", "+cpuset", "+io", "+memory", "+pids" };
	cleanup_strlist struct strlist have = { 0 };
	size_t missing = 0;
	char buf[512];

	/* A write takes the lock of all cgroups and waits for groups that are being removed. */
	if (read_small(dir, "cgroup.subtree_control", buf, sizeof(buf)) > 0)
		strlist_split(&have, buf, " ");
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		missing += !strlist_has(&have, want[i] + 1);
	/* A group with processes of its own takes the controllers that know threads, by becoming
	 * the root of a threaded tree: nothing below it could hold a container then, and what its
	 * owner has there stops working. The root of all has no type and is no such group. */
	if (!missing || (read_small(dir, "cgroup.type", buf, sizeof(buf)) >= 0 &&
			 read_small(dir, "cgroup.procs", buf, sizeof(buf)) != 0))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (!strlist_has(&have, want[i] + 1))
			write_small(dir, "cgroup.subtree_control", want[i]);
	return 0;
}

/* The path of this process's group, without a leading '/'. */
static int own_path(char *ret, size_t size, struct lxmgr_err *err)
{
	char buf[512], *own;

	if (read_small(AT_FDCWD, "/proc/self/cgroup", buf, sizeof(buf)) < 0 ||
	    !(own = strstr(buf, "0::/")))
		return err_msg(err, -EIO, "cannot tell the cgroup of this process");
	own += 4;
	own[strcspn(own, "\n")] = '\0';
	if ((size_t)snprintf(ret, size, "%s", own) >= size)
		return err_msg(err, -ENAMETOOLONG, "the cgroup's path is too long");
	return 0;
}

static int step_aside(char *ret_base, size_t size, struct lxmgr_err *err)
{
	cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int base = -EBADF, own = -EBADF;
	int r = own_path(ret_base, size, err);

	if (r < 0)
		return r;
	if (!*ret_base)
		return err_msg(err, -EINVAL, "the root cgroup cannot be delegated");
	base = openat(root, ret_base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0 || (mkdirat(base, "supervisor", 0755) < 0 && errno != EEXIST) ||
	    (own = openat(base, "supervisor", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_set(err, -errno, "make the cgroup '%s/supervisor'", ret_base);
	r = write_small(own, "cgroup.procs", "0");
	return r < 0 ? err_set(err, r, "enter the cgroup '%s/supervisor'", ret_base) : 0;
}

static int base_path(const struct cgroup_spec *s, struct cgroup *cg, struct lxmgr_err *err)
{
	char own[512] = "", rel[sizeof(cg->path)];
	int r;

	if (!s->relative)
		return 0;
	r = own_path(own, sizeof(own), err);
	if (r < 0 || !*own)
		return r;
	snprintf(rel, sizeof(rel), "%s", cg->path);
	if ((size_t)snprintf(cg->path, sizeof(cg->path), "%s/%s", own, rel) >= sizeof(cg->path))
		return err_msg(err, -ENAMETOOLONG, "the cgroup's path is too long");
	return cgroup_check_path(cg->path, err);
}

/* Beside "lxmgr", which hands on controllers and so holds no processes. */
static int monitor_dir(struct lxmgr_err *err)
{
	cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return err_set(err, -errno, "open '%s'", ROOT);
	if (mkdirat(root, "lxmgr.monitor", 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make the cgroup 'lxmgr.monitor'");
	fd = openat(root, "lxmgr.monitor", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open the cgroup 'lxmgr.monitor'") : fd;
}

static bool has_limits(const struct cgroup_spec *s)
{
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		if (s->limit[i] < LIMIT_MAX)
			return true;
	return s->n_raw > 0 || s->cpuset;
}

static int create(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (root < 0)
		return err_set(err, -errno, "open '%s'", ROOT);
	r = base_path(spec, cg, err);
	if (r < 0)
		return r;
	if (ns_is_nested() && has_limits(spec))
		make_room(root);
	enable_controllers(root);
	cg->fd[0] = cgroup_tree_make(root, cg->path, enable_controllers, err);
	if (cg->fd[0] < 0)
		return cg->fd[0];
	cg->into_fd = cgroup_tree_make_inner(cg->fd[0], cg->inner, err);
	if (cg->into_fd < 0)
		cgroup_tree_rmdir(root, cg->path);
	return cg->into_fd < 0 ? cg->into_fd : 0;
}

static int v2_open(struct cgroup *cg, struct lxmgr_err *err)
{
	cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

	cg->fd[0] = openat(root, cg->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cg->fd[0] < 0)
		return err_set(err, -errno, "open the cgroup '%s'", cg->path);
	return 0;
}

/* memory.max below what is in use would have the kernel kill: it is taken back first. */
static int reclaim(int dir, uint64_t limit, struct lxmgr_err *err)
{
	uint64_t used = 0;
	char text[32];

	for (int i = 0; i < RECLAIM_TRIES; i++) {
		if (limit >= LIMIT_MAX || cgroup_tree_read(dir, "memory.current", &used) < 0 ||
		    used <= limit)
			return 0;
		snprintf(text, sizeof(text), "%llu", (unsigned long long)(used - limit));
		/* -EAGAIN: a part of it; -ENOENT before Linux 5.19. */
		if (write_small(dir, "memory.reclaim", text) == -ENOENT)
			break;
	}
	if (cgroup_tree_read(dir, "memory.current", &used) < 0 || used <= limit)
		return 0;
	return cgroup_refuse_memory(used, limit, err);
}

static int set_limits(struct cgroup *cg, const uint64_t *limit, struct lxmgr_err *err)
{
	int dir = cg->fd[0], r = reclaim(dir, limit[LIMIT_MEMORY], err);

	for (size_t i = 0; r == 0 && i < LIMIT_COUNT; i++) {
		if (i == LIMIT_CPUS)
			r = cgroup_write_cpus(dir, files, limit, err);
		else if (i != LIMIT_CPU_BURST)
			r = cgroup_write_limit(dir, &files[i], i, limit[i], err);
	}
	return r;
}

static void get_limits(struct cgroup *cg, uint64_t *ret)
{
	unsigned long long quota, period;
	char text[64];

	for (size_t i = 0; i < LIMIT_COUNT; i++)
		if (i != LIMIT_CPUS)
			cgroup_tree_read(cg->fd[0], files[i].file, &ret[i]);
	if (ret[LIMIT_CPU_BURST] < LIMIT_MAX)
		ret[LIMIT_CPU_BURST] /= CGROUP_PERIOD_US_PER_MILLI;
	if (read_small(cg->fd[0], files[LIMIT_CPUS].file, text, sizeof(text)) < 0)
		return;
	if (str_has_prefix(text, "max"))
		ret[LIMIT_CPUS] = LIMIT_MAX;
	else if (sscanf(text, "%llu %llu", &quota, &period) == 2 && period)
		ret[LIMIT_CPUS] = quota * 1000 / period;
}

static int set_cpus(struct cgroup *cg, const char *cpus, struct lxmgr_err *err)
{
	return cgroup_write_cpuset(cg->fd[0], cpus, "cpuset.cpus.effective", err);
}

static int get_cpus(struct cgroup *cg, char **ret, struct lxmgr_err *err)
{
	return cgroup_read_cpuset(cg->fd[0], ret, err);
}

static int apply(struct cgroup *cg, const struct cgroup_spec *s, struct lxmgr_err *err)
{
	int r = set_limits(cg, s->limit, err);

	if (r == 0 && s->cpuset)
		r = set_cpus(cg, s->cpuset, err);
	for (size_t i = 0; r == 0 && i < s->n_raw; i++) {
		r = write_small(cg->fd[0], s->raw[i].file, s->raw[i].value);
		if (r < 0)
			err_set(err, r, "apply lxmgr.cgroup2.%s = %s", s->raw[i].file,
				s->raw[i].value);
	}
	return r < 0 ? r : devices_bpf_attach(cg->fd[0], s->devices, s->n_devices, err);
}

static const struct cgroup_io_files io_files = {
	.controller = "io",
	.all = "io.max",
	.bfq = "io.bfq.weight",
	.cost = "io.weight",
};

static int open_io(struct cgroup *cg)
{
	cleanup_fd int root = cg ? -EBADF : open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (cg)
		return openat(cg->fd[0], ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return has_controller(root, "io") ? take_fd(&root) : -1;
}

static int delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct lxmgr_err *err)
{
	return cgroup_tree_delegate(cg->into_fd, uid, gid, err);
}

/* CLONE_INTO_CGROUP did it. */
static int join(struct cgroup *cg, struct lxmgr_err *err)
{
	return 0;
}

static int open_attach(struct cgroup *cg, struct lxmgr_err *err)
{
	cleanup_fd int inner = openat(cg->fd[0], cg->inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char controllers[256] = "", type[32] = "";

	if (inner < 0)
		return err_set(err, -errno, "open the cgroup '%s/%s'", cg->path, cg->inner);
	read_small(inner, "cgroup.subtree_control", controllers, sizeof(controllers));
	read_small(inner, "cgroup.type", type, sizeof(type));
	/* Docker beside an init that manages no groups makes it the root of a threaded tree: such a
	 * group takes processes, and those below it do not. */
	if (!*controllers || str_eq(type, "domain threaded")) {
		cg->into_fd = take_fd(&inner);
		return 0;
	}
	/* The guest's init made groups below and moved itself: the inner one may hold no processes
	 * now. Beside systemd's own there is room. */
	if (mkdirat(inner, "lxmgr.attach", 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make a cgroup for the command");
	cg->into_fd =
		openat(inner, "lxmgr.attach", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return cg->into_fd < 0 ? err_set(err, -errno, "open the cgroup of the command") : 0;
}

static int v2_freeze(struct cgroup *cg, bool freeze, int timeout_ms, struct lxmgr_err *err)
{
	return cgroup_tree_freeze(cg->fd[0], freeze, timeout_ms, err);
}

static int v2_is_frozen(struct cgroup *cg)
{
	return cgroup_tree_is_frozen(cg->fd[0]);
}

static int v2_kill(struct cgroup *cg, struct lxmgr_err *err)
{
	return cgroup_tree_kill(cg->fd[0], err);
}

static int v2_remove(struct cgroup *cg, struct lxmgr_err *err)
{
	cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = v2_kill(cg, err);

	if (r == 0)
		r = cgroup_tree_wait_empty(cg->fd[0], err);
	cgroup_close(cg);
	return r < 0 ? r : cgroup_tree_remove(root, cg->path, err);
}

static void io_sum(int dir, uint64_t *ret_read, uint64_t *ret_write)
{
	cleanup_free char *text = NULL;
	const char *p;

	if (read_file_at(dir, "io.stat", 1 << 20, &text, NULL) < 0)
		return;
	*ret_read = *ret_write = 0;
	for (p = text; (p = strstr(p, "rbytes=")); p += 7)
		*ret_read += strtoull(p + 7, NULL, 10);
	for (p = text; (p = strstr(p, "wbytes=")); p += 7)
		*ret_write += strtoull(p + 7, NULL, 10);
}

static int stats(struct cgroup *cg, struct cgroup_stats *s, struct lxmgr_err *err)
{
	uint64_t usec;
	int d = cg->fd[0];

	cgroup_tree_read(d, "memory.current", &s->memory);
	cgroup_tree_read(d, "memory.peak", &s->memory_peak);
	cgroup_tree_read(d, "memory.max", &s->memory_limit);
	cgroup_tree_read(d, "memory.swap.current", &s->swap);
	cgroup_tree_read(d, "memory.swap.max", &s->swap_limit);
	cgroup_tree_keyed(d, "memory.stat", "kernel", &s->kmem);
	cgroup_tree_keyed(d, "memory.events", "oom_kill", &s->oom_kills);
	cgroup_tree_read(d, "pids.current", &s->pids);
	cgroup_tree_read(d, "pids.max", &s->pids_limit);
	if (cgroup_tree_keyed(d, "cpu.stat", "usage_usec", &usec) == 0)
		s->cpu_ns = usec * 1000;
	io_sum(d, &s->io_read, &s->io_write);
	return 0;
}

static void counters(struct cgroup *cg, struct cgroup_counter *ret)
{
	const struct cgroup_keyed events[] = {
		{ "max", &ret[CGROUP_MEMORY].fails },
		{ "oom_kill", &ret[CGROUP_OOM_KILLS].fails },
	};
	const struct cgroup_keyed memory[] = {
		{ "kernel", &ret[CGROUP_KERNEL].current },
		{ "sock", &ret[CGROUP_SOCKETS].current },
	};
	const struct cgroup_keyed cpu[] = {
		{ "nr_throttled", &ret[CGROUP_CPUS].fails },
		{ "usage_usec", &ret[CGROUP_CPU_TIME].current },
		{ "throttled_usec", &ret[CGROUP_CPU_HELD].current },
	};
	int d = cg->fd[0];

	cgroup_tree_read(d, "memory.current", &ret[CGROUP_MEMORY].current);
	cgroup_tree_read(d, "memory.peak", &ret[CGROUP_MEMORY].peak);
	cgroup_tree_keyed_all(d, "memory.events", events, ARRAY_SIZE(events));
	cgroup_tree_read(d, "memory.swap.current", &ret[CGROUP_SWAP].current);
	cgroup_tree_read(d, "memory.swap.peak", &ret[CGROUP_SWAP].peak);
	cgroup_tree_keyed(d, "memory.swap.events", "fail", &ret[CGROUP_SWAP].fails);
	cgroup_tree_keyed_all(d, "memory.stat", memory, ARRAY_SIZE(memory));
	cgroup_tree_read(d, "pids.current", &ret[CGROUP_PIDS].current);
	cgroup_tree_read(d, "pids.peak", &ret[CGROUP_PIDS].peak);
	cgroup_tree_keyed(d, "pids.events", "max", &ret[CGROUP_PIDS].fails);
	cgroup_tree_keyed_all(d, "cpu.stat", cpu, ARRAY_SIZE(cpu));
	io_sum(d, &ret[CGROUP_IO_READ].current, &ret[CGROUP_IO_WRITE].current);
	cgroup_tree_stalls(d, ret);
}

static int get(struct cgroup *cg, const char *file, char **ret, struct lxmgr_err *err)
{
	return cgroup_tree_get(cg->fd[0], file, ret, err);
}

static int set(struct cgroup *cg, const char *file, const char *value, struct lxmgr_err *err)
{
	return cgroup_tree_set(cg->fd[0], file, value, err);
}

static int device(struct cgroup *cg, const struct cgroup_device_rule *rule, struct lxmgr_err *err)
{
	return devices_bpf_add(cg->fd[0], rule, err);
}

const struct cgroup_ops cgroup_v2 = {
	.name = "v2",
	.io = &io_files,
	.open_io = open_io,
	.is_present = is_present,
	.check = check,
	.monitor_dir = monitor_dir,
	.step_aside = step_aside,
	.create = create,
	.open = v2_open,
	.apply = apply,
	.set_limits = set_limits,
	.get_limits = get_limits,
	.set_cpus = set_cpus,
	.get_cpus = get_cpus,
	.delegate = delegate,
	.join = join,
	.open_attach = open_attach,
	.freeze = v2_freeze,
	.is_frozen = v2_is_frozen,
	.kill = v2_kill,
	.remove = v2_remove,
	.stats = stats,
	.counters = counters,
	.get = get,
	.set = set,
	.device = device,
};
