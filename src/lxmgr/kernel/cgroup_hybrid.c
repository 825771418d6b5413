/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The v1 or hybrid layout: controllers in hierarchies of their own, a v2 tree without controllers
 * at unified/. The limits stay in the v1 groups, which the guest does not see; its own tree is the
 * inner group of the v2 hierarchy.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/cgroup_tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define MAX_HIERARCHIES (CGROUP_MAX_FDS - 1)
#define UNIFIED		(CGROUP_MAX_FDS - 1) /* slot of the v2 tree in cg->fd */
#define NO_LIMIT	(1ULL << 60)	     /* bytes; v1 says what a number has room for */

static struct {
	struct {
		char controllers[64]; /* "cpu,cpuacct" or "name=systemd" */
		int root;	      /* O_PATH */
	} v1[MAX_HIERARCHIES];
	size_t n;
	int unified;
} hosts = { .unified = -1 };

/* Mount options that are no controllers. */
static bool is_option(const char *w)
{
	static const char *const options[] = {
		"rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode", "favordynmods"
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (str_eq(w, options[i]))
			return true;
	return str_has_prefix(w, "release_agent");
}

/* One line of mountinfo: "... MOUNTPOINT ... - cgroup cgroup rw,cpu". */
static void scan_line(char *line)
{
	cleanup_strlist struct strlist words = { 0 };
	char *sep = strstr(line, " - "), *point = NULL;

	if (!sep)
		return;
	*sep = '\0';
	sep += 3;
	point = line;
	for (int i = 0; i < 4 && point; i++)
		point = strchr(point, ' ') ? strchr(point, ' ') + 1 : NULL;
	if (!point || !strchr(point, ' '))
		return;
	*strchr(point, ' ') = '\0';
	if (str_has_prefix(sep, "cgroup2 ")) {
		if (hosts.unified < 0)
			hosts.unified = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return;
	}
	if (!str_has_prefix(sep, "cgroup ") || hosts.n == MAX_HIERARCHIES)
		return;
	if (strlist_split(&words, strrchr(sep, ' ') + 1, ",") < 0)
		return;
	for (size_t i = 0; i < words.n; i++) {
		char *have = hosts.v1[hosts.n].controllers;
		size_t len = strlen(have);

		if (is_option(words.v[i]))
			continue;
		snprintf(have + len, sizeof(hosts.v1[0].controllers) - len, "%s%s", len ? "," : "",
			 words.v[i]);
	}
	/* A hierarchy that is mounted a second time (a bind mount for some chroot) counts once. */
	for (size_t i = 0; i < hosts.n; i++)
		if (str_eq(hosts.v1[i].controllers, hosts.v1[hosts.n].controllers))
			point = NULL;
	if (point)
		hosts.v1[hosts.n].root = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (point && hosts.v1[hosts.n].root >= 0)
		hosts.n++;
	else
		hosts.v1[hosts.n].controllers[0] = '\0';
}

static void scan(void)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;

	if (read_file_at(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL) < 0 ||
	    strlist_split(&lines, text, "\n") < 0)
		return;
	for (size_t i = 0; i < lines.n; i++)
		if (strstr(lines.v[i], " - cgroup"))
			scan_line(lines.v[i]);
}

static bool has_word(const char *list, const char *word, size_t n)
{
	while (*list) {
		size_t len = strcspn(list, ",");

		if (len == n && !strncmp(list, word, n))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

/* The hierarchy of a controller, by name or by a control file's prefix; -1: none. */
static int find(const char *file)
{
	size_t n = strcspn(file, ".");

	for (size_t i = 0; i < hosts.n; i++)
		if (has_word(hosts.v1[i].controllers, file, n))
			return (int)i;
	return -1;
}

static bool is_present(void)
{
	scan();
	return hosts.n > 0 && hosts.unified >= 0;
}

static int refuse(const char *key, const char *controller, struct lxmgr_err *err)
{
	return err_msg(err, -EOPNOTSUPP,
		       "lxmgr.%s cannot act on this host: the controller '%s' is not mounted", key,
		       controller);
}

static int check_swap(const struct cgroup_spec *s, struct lxmgr_err *err)
{
	int m = find("memory");

	if (s->limit[LIMIT_SWAP] == LIMIT_UNSET)
		return 0;
	if (m < 0 || faccessat(hosts.v1[m].root, "memory.memsw.usage_in_bytes", F_OK, 0) < 0)
		return err_msg(err, -EOPNOTSUPP,
			       "lxmgr.limit.swap cannot act on this host: its kernel does not "
			       "account swap on cgroup v1");
	/* v1 limits the sum of both. */
	if (s->limit[LIMIT_SWAP] != LIMIT_MAX && s->limit[LIMIT_MEMORY] >= LIMIT_MAX)
		return err_msg(err, -EINVAL,
			       "lxmgr.limit.swap needs lxmgr.limit.memory beside it on cgroup v1");
	return 0;
}

#define RULE_SIZE 64

static const char *rule_text(const struct cgroup_device_rule *d, char buf[RULE_SIZE])
{
	char major[24] = "*", minor[24] = "*";

	if (d->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, d->minor);
	if (d->type == 'a')
		snprintf(buf, RULE_SIZE, "a");
	else
		snprintf(buf, RULE_SIZE, "%c %s:%s %s%s%s", d->type, major, minor,
			 d->read ? "r" : "", d->write ? "w" : "", d->mknod ? "m" : "");
	return buf;
}

/* Some access that both speak of. mknod is not looked at: what counts is open. */
static bool rules_overlap(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
	return a->type == b->type && ((a->read && b->read) || (a->write && b->write)) &&
	       (a->major < 0 || b->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || b->minor < 0 || a->minor == b->minor);
}

/*
 * A v1 group has a default ("a") and a list of exceptions to it. Taking an exception back needs
 * its very numbers: "c 10:200" after an exception "c 10:*" is accepted and does nothing.
 */
static int check_devices(const struct cgroup_spec *s, struct lxmgr_err *err)
{
	size_t first = 0;

	if (find("devices") < 0)
		return 0;
	for (size_t i = 0; i < s->n_devices; i++)
		if (s->devices[i].type == 'a')
			first = i;
	for (size_t i = first + 1; i < s->n_devices; i++) {
		const struct cgroup_device_rule *rule = &s->devices[i];

		if (rule->allow != s->devices[first].allow)
			continue;
		for (size_t j = first + 1; j < i; j++) {
			const struct cgroup_device_rule *old = &s->devices[j];
			char a[RULE_SIZE], b[RULE_SIZE];

			if (old->allow == rule->allow || !rules_overlap(old, rule) ||
			    (old->major == rule->major && old->minor == rule->minor))
				continue;
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.cgroup.devices.%s = %s cannot act on cgroup v1 after "
				       "'%s': only the very same numbers take a rule back",
				       rule->allow ? "allow" : "deny", rule_text(rule, a),
				       rule_text(old, b));
		}
	}
	return 0;
}

static const struct cgroup_limit_file limit_files[LIMIT_COUNT] = {
	[LIMIT_MEMORY] = { "memory", "memory.limit_in_bytes", "-1" },
	[LIMIT_SWAP] = { "memory", "memory.memsw.limit_in_bytes", "-1" },
	[LIMIT_CPUS] = { "cpu", "cpu.cfs_quota_us", "-1" },
	[LIMIT_CPU_BURST] = { "cpu", "cpu.cfs_burst_us", "0" },
	[LIMIT_CPU_WEIGHT] = { "cpu", "cpu.shares", "1024" },
	[LIMIT_PIDS] = { "pids", "pids.max", "max" },
};

static int check_cpus(const struct cgroup_spec *s, struct lxmgr_err *err)
{
	int h = find("cpuset");

	return cgroup_check_cpus(h < 0 ? -EBADF : hosts.v1[h].root, "cpuset.cpus", s->cpuset, err);
}

static int check(const struct cgroup_spec *s, struct lxmgr_err *err)
{
	int r;

	for (size_t i = 0; i < LIMIT_COUNT; i++)
		if (i != LIMIT_SWAP && s->limit[i] != LIMIT_UNSET &&
		    find(limit_files[i].controller) < 0)
			return refuse(cgroup_limit_keys[i], limit_files[i].controller, err);
	for (size_t i = 0; i < s->n_raw; i++) {
		const struct cgroup_raw *raw = &s->raw[i];

		if (raw->v1 && find(raw->file) < 0)
			return err_msg(
				err, -EOPNOTSUPP,
				"lxmgr.cgroup.%s cannot act on this host: no such controller",
				raw->file);
		if (!raw->v1 && !str_has_prefix(raw->file, "cgroup."))
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.cgroup2.%s cannot act on this host: its controllers "
				       "are on cgroup v1 (use lxmgr.limit.* or lxmgr.cgroup.*)",
				       raw->file);
	}
	if (s->relative)
		return err_msg(err, -EOPNOTSUPP,
			       "lxmgr.cgroup.relative cannot act on this host: cgroup v1 has a "
			       "place of the caller's in each hierarchy");
	r = check_devices(s, err);
	if (r == 0)
		r = check_swap(s, err);
	return r < 0 ? r : check_cpus(s, err);
}

/* A new cpuset has no CPUs and no memory nodes: nothing can run in it. */
static int prepare_cpuset(int dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	cleanup_fd int parent = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char buf[1024];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		if (read_small(dir, files[i], buf, sizeof(buf)) == 0 &&
		    read_small(parent, files[i], buf, sizeof(buf)) > 0)
			r = write_small(dir, files[i], buf);
	return r;
}

static int make_unified(struct cgroup *cg, struct lxmgr_err *err)
{
	cg->fd[UNIFIED] = cgroup_tree_make(hosts.unified, cg->path, NULL, err);
	if (cg->fd[UNIFIED] < 0)
		return cg->fd[UNIFIED];
	cg->into_fd = cgroup_tree_make_inner(cg->fd[UNIFIED], cg->inner, err);
	return cg->into_fd < 0 ? cg->into_fd : 0;
}

static int make_v1(struct cgroup *cg, size_t i, struct lxmgr_err *err)
{
	bool cpuset = has_word(hosts.v1[i].controllers, "cpuset", 6);

	cg->fd[i] =
		cgroup_tree_make(hosts.v1[i].root, cg->path, cpuset ? prepare_cpuset : NULL, err);
	if (cg->fd[i] < 0)
		return cg->fd[i];
	cg->join_fd[i] = openat(cg->fd[i], "tasks", O_WRONLY | O_CLOEXEC);
	return cg->join_fd[i] < 0 ? err_set(err, -errno, "open the cgroup's tasks") : 0;
}

static int create(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	/* First the tree that tells whether the name is in use. */
	int r = make_unified(cg, err);

	for (size_t i = 0; r == 0 && i < hosts.n; i++)
		r = make_v1(cg, i, err);
	if (r == 0)
		return 0;
	for (size_t i = 0; i < hosts.n; i++)
		if (cg->fd[i] >= 0)
			cgroup_tree_rmdir(hosts.v1[i].root, cg->path);
	if (cg->fd[UNIFIED] >= 0)
		cgroup_tree_rmdir(hosts.unified, cg->path);
	return r;
}

/* It has something to count, that we tell of. */
static bool has_counters(const char *controllers)
{
	static const char *const counting[] = { "memory", "cpu", "cpuacct", "pids", "blkio" };

	for (size_t i = 0; i < ARRAY_SIZE(counting); i++)
		if (has_word(controllers, counting[i], strlen(counting[i])))
			return true;
	return false;
}

static int hybrid_open(struct cgroup *cg, struct lxmgr_err *err)
{
	bool any = false;

	for (size_t i = 0; i < hosts.n; i++) {
		if (cg->only_counts && !has_counters(hosts.v1[i].controllers))
			continue;
		cg->fd[i] = openat(hosts.v1[i].root, cg->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		any |= cg->fd[i] >= 0;
	}
	cg->fd[UNIFIED] = openat(hosts.unified, cg->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!any && cg->fd[UNIFIED] < 0)
		return err_msg(err, -ENOENT, "the cgroup '%s' is gone", cg->path);
	return 0;
}

static int apply_raw(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	for (size_t i = 0; i < spec->n_raw; i++) {
		const struct cgroup_raw *raw = &spec->raw[i];
		int h = raw->v1 ? find(raw->file) : UNIFIED;
		int r = h < 0 ? -EOPNOTSUPP : write_small(cg->fd[h], raw->file, raw->value);

		if (r < 0)
			return err_set(err, r, "apply lxmgr.cgroup%s.%s = %s", raw->v1 ? "" : "2",
				       raw->file, raw->value);
	}
	return 0;
}

static int device(struct cgroup *cg, const struct cgroup_device_rule *d, struct lxmgr_err *err)
{
	char text[RULE_SIZE];
	int h = find("devices"), r;

	if (h < 0)
		return devices_bpf_add(cg->fd[UNIFIED], d, err);
	rule_text(d, text);
	r = write_small(cg->fd[h], d->allow ? "devices.allow" : "devices.deny", text);
	return r < 0 ? err_set(err, r, "%s the devices '%s'", d->allow ? "allow" : "deny", text)
		     : 0;
}

/* Of a running container: a deny that leaves the device allowed is not a success. */
static int device_live(struct cgroup *cg, const struct cgroup_device_rule *d, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	struct cgroup_device_rule have;
	int h = find("devices"), r = device(cg, d, err);

	if (r < 0 || d->allow || h < 0)
		return r;
	r = read_file_at(cg->fd[h], "devices.list", 1 << 20, &text, NULL);
	if (r == 0)
		r = strlist_split(&lines, text, "\n");
	if (r < 0)
		return err_set(err, r, "read devices.list");
	for (size_t i = 0; i < lines.n; i++)
		if (cgroup_device_parse(lines.v[i], true, &have, NULL) == 0 &&
		    rules_overlap(&have, d))
			return err_msg(err, -EBUSY, "the device is still allowed by the rule '%s'",
				       lines.v[i]);
	return 0;
}

static int apply_devices(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	/* The v2 tree has no controllers here, but it takes programs. */
	if (find("devices") < 0)
		return devices_bpf_attach(cg->fd[UNIFIED], spec->devices, spec->n_devices, err);
	for (size_t i = 0; i < spec->n_devices; i++) {
		int r = device(cg, &spec->devices[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int group_of(struct cgroup *cg, const char *controller)
{
	int h = find(controller);

	return h < 0 ? -EBADF : cg->fd[h];
}

/* The sum of both may not be below memory at any time. */
static int set_memory(int dir, uint64_t memory, uint64_t memsw, struct lxmgr_err *err)
{
	static const enum cgroup_limit which[] = { LIMIT_MEMORY, LIMIT_SWAP };
	const uint64_t value[] = { memory, memsw };
	uint64_t sum = 0, used;
	int r, first;

	/* Numbers of v1 without a limit are larger than any. */
	first = memsw != LIMIT_UNSET &&
		cgroup_tree_read(dir, limit_files[LIMIT_SWAP].file, &sum) == 0 && memsw > sum;
	r = cgroup_write_limit(dir, &limit_files[which[first]], which[first], value[first], err);
	if (r == 0)
		r = cgroup_write_limit(dir, &limit_files[which[!first]], which[!first],
				       value[!first], err);
	if (r == -EBUSY && cgroup_tree_read(dir, "memory.usage_in_bytes", &used) == 0)
		return cgroup_refuse_memory(used, memory, err);
	return r;
}

static int set_limits(struct cgroup *cg, const uint64_t *limit, struct lxmgr_err *err)
{
	int mem = group_of(cg, "memory"), cpu = group_of(cg, "cpu"), pids = group_of(cg, "pids");
	uint64_t shares = limit[LIMIT_CPU_WEIGHT], memsw = limit[LIMIT_SWAP];
	int r = 0;

	if (shares < LIMIT_MAX)
		shares = shares * 1024 / 100 < 2 ? 2 : shares * 1024 / 100;
	if (memsw < LIMIT_MAX && __builtin_add_overflow(memsw, limit[LIMIT_MEMORY], &memsw))
		memsw = LIMIT_MAX;
	if (mem >= 0)
		r = set_memory(mem, limit[LIMIT_MEMORY], memsw, err);
	if (r == 0 && cpu >= 0)
		r = cgroup_write_cpus(cpu, limit_files, limit, err);
	if (r == 0 && cpu >= 0)
		r = cgroup_write_limit(cpu, &limit_files[LIMIT_CPU_WEIGHT], LIMIT_CPU_WEIGHT,
				       shares, err);
	if (r == 0 && pids >= 0)
		r = cgroup_write_limit(pids, &limit_files[LIMIT_PIDS], LIMIT_PIDS,
				       limit[LIMIT_PIDS], err);
	return r;
}

static void get_bytes(int dir, const char *file, uint64_t *ret)
{
	if (cgroup_tree_read(dir, file, ret) == 0 && *ret > NO_LIMIT)
		*ret = LIMIT_MAX;
}

static void get_weight(int cpu, uint64_t *ret)
{
	uint64_t shares;

	if (cgroup_tree_read(cpu, limit_files[LIMIT_CPU_WEIGHT].file, &shares) == 0)
		ret[LIMIT_CPU_WEIGHT] = (shares * 100 + 512) / 1024;
	if (cgroup_tree_read(cpu, limit_files[LIMIT_CPU_BURST].file, &ret[LIMIT_CPU_BURST]) == 0)
		ret[LIMIT_CPU_BURST] /= CGROUP_PERIOD_US_PER_MILLI;
}

static void get_quota(int cpu, uint64_t *ret)
{
	uint64_t period;
	char quota[32];

	if (read_small(cpu, limit_files[LIMIT_CPUS].file, quota, sizeof(quota)) <= 0)
		return;
	if (*quota == '-')
		*ret = LIMIT_MAX;
	else if (cgroup_tree_read(cpu, "cpu.cfs_period_us", &period) == 0 && period)
		*ret = strtoull(quota, NULL, 10) * 1000 / period;
}

static void get_limits(struct cgroup *cg, uint64_t *ret)
{
	int mem = group_of(cg, "memory"), cpu = group_of(cg, "cpu"), pids = group_of(cg, "pids");

	if (mem >= 0) {
		get_bytes(mem, limit_files[LIMIT_MEMORY].file, &ret[LIMIT_MEMORY]);
		get_bytes(mem, limit_files[LIMIT_SWAP].file, &ret[LIMIT_SWAP]);
		if (ret[LIMIT_SWAP] < LIMIT_MAX)
			ret[LIMIT_SWAP] = ret[LIMIT_SWAP] > ret[LIMIT_MEMORY]
						  ? ret[LIMIT_SWAP] - ret[LIMIT_MEMORY]
						  : 0;
	}
	if (cpu >= 0)
		get_quota(cpu, &ret[LIMIT_CPUS]);
	/* Nothing is counted against them. */
	if (cpu >= 0 && !cg->only_counts)
		get_weight(cpu, ret);
	if (pids >= 0)
		cgroup_tree_read(pids, limit_files[LIMIT_PIDS].file, &ret[LIMIT_PIDS]);
}

static int set_cpus(struct cgroup *cg, const char *cpus, struct lxmgr_err *err)
{
	return cgroup_write_cpuset(group_of(cg, "cpuset"), cpus, "cpuset.effective_cpus", err);
}

static int get_cpus(struct cgroup *cg, char **ret, struct lxmgr_err *err)
{
	return cgroup_read_cpuset(group_of(cg, "cpuset"), ret, err);
}

static int apply(struct cgroup *cg, const struct cgroup_spec *s, struct lxmgr_err *err)
{
	int r = set_limits(cg, s->limit, err);

	if (r == 0 && s->cpuset)
		r = set_cpus(cg, s->cpuset, err);
	if (r == 0)
		r = apply_raw(cg, s, err);
	return r < 0 ? r : apply_devices(cg, s, err);
}

/* What is written goes into the page cache first and from there on as the host's own: only reads,
 * and what asks for a weight, are the group's here. */
static const struct cgroup_io_files io_files = {
	.controller = "blkio",
	.each = { [IO_READ] = "blkio.throttle.read_bps_device",
		  [IO_READ_OPS] = "blkio.throttle.read_iops_device" },
	.bfq = "blkio.bfq.weight",
};

static int open_io(struct cgroup *cg)
{
	int h = find("blkio");

	if (h < 0)
		return -1;
	return openat(cg ? cg->fd[h] : hosts.v1[h].root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct lxmgr_err *err)
{
	return cgroup_tree_delegate(cg->into_fd, uid, gid, err);
}

/* Writing "0" moves the writer itself: by pid it takes a lock that costs 7 ms over nine
 * hierarchies. */
static int join(struct cgroup *cg, struct lxmgr_err *err)
{
	for (size_t i = 0; i < hosts.n; i++) {
		if (cg->join_fd[i] >= 0 && write(cg->join_fd[i], "0", 1) < 0)
			return err_set(err, -errno, "join the cgroup (%s)",
				       hosts.v1[i].controllers);
		fd_close(&cg->join_fd[i]);
	}
	return 0;
}

static int open_attach(struct cgroup *cg, struct lxmgr_err *err)
{
	for (size_t i = 0; i < hosts.n; i++) {
		if (cg->fd[i] < 0)
			continue;
		cg->join_fd[i] = openat(cg->fd[i], "tasks", O_WRONLY | O_CLOEXEC);
		if (cg->join_fd[i] < 0)
			return err_set(err, -errno, "open the cgroup's tasks (%s)",
				       hosts.v1[i].controllers);
	}
	if (cg->fd[UNIFIED] < 0)
		return 0;
	cg->into_fd = openat(cg->fd[UNIFIED], cg->inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cg->into_fd < 0
		       ? err_set(err, -errno, "open the cgroup '%s/%s'", cg->path, cg->inner)
		       : 0;
}

static int hybrid_freeze(struct cgroup *cg, bool freeze, int timeout_ms, struct lxmgr_err *err)
{
	return cgroup_tree_freeze(cg->fd[UNIFIED], freeze, timeout_ms, err);
}

static int hybrid_is_frozen(struct cgroup *cg)
{
	return cgroup_tree_is_frozen(cg->fd[UNIFIED]);
}

static int hybrid_kill(struct cgroup *cg, struct lxmgr_err *err)
{
	int freezer = find("freezer");

	/* The v1 freezer, if somebody used it, would keep the killed ones alive. */
	if (freezer >= 0 && cg->fd[freezer] >= 0)
		write_small(cg->fd[freezer], "freezer.state", "THAWED");
	return cg->fd[UNIFIED] < 0 ? 0 : cgroup_tree_kill(cg->fd[UNIFIED], err);
}

static int hybrid_remove(struct cgroup *cg, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int r = hybrid_kill(cg, err), first = 0;

	if (r == 0 && cg->fd[UNIFIED] >= 0)
		r = cgroup_tree_wait_empty(cg->fd[UNIFIED], err);
	if (r < 0)
		return r;
	cgroup_close(cg);
	for (size_t i = 0; i < hosts.n; i++) {
		r = cgroup_tree_remove(hosts.v1[i].root, cg->path, &why);
		if (r < 0 && first == 0) {
			first = r;
			if (err)
				*err = why;
		}
	}
	r = cgroup_tree_remove(hosts.unified, cg->path, first ? NULL : err);
	return first ? first : r;
}

/* "Total N" or the sum of the lines that end in the word. */
static int blkio(int dir, uint64_t *ret_read, uint64_t *ret_write)
{
	cleanup_free char *text = NULL;
	unsigned long long n;
	char op[16];

	if (read_file_at(dir, "blkio.throttle.io_service_bytes_recursive", 1 << 20, &text, NULL) <
	    0)
		return -ENOENT;
	*ret_read = *ret_write = 0;
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (sscanf(p, "%*s %15s %llu", op, &n) != 2)
			continue;
		if (str_eq(op, "Read"))
			*ret_read += n;
		else if (str_eq(op, "Write"))
			*ret_write += n;
	}
	return 0;
}

static int stats(struct cgroup *cg, struct cgroup_stats *s, struct lxmgr_err *err)
{
	int mem = find("memory"), acct = find("cpuacct"), pids = find("pids"), blk = find("blkio");

	if (mem >= 0 && cg->fd[mem] >= 0) {
		uint64_t memsw;

		cgroup_tree_read(cg->fd[mem], "memory.usage_in_bytes", &s->memory);
		cgroup_tree_read(cg->fd[mem], "memory.max_usage_in_bytes", &s->memory_peak);
		cgroup_tree_read(cg->fd[mem], "memory.kmem.usage_in_bytes", &s->kmem);
		if (cgroup_tree_read(cg->fd[mem], "memory.limit_in_bytes", &s->memory_limit) == 0 &&
		    s->memory_limit > NO_LIMIT)
			s->memory_limit = LIMIT_MAX;
		if (cgroup_tree_read(cg->fd[mem], "memory.memsw.usage_in_bytes", &memsw) == 0 &&
		    s->memory != LIMIT_UNSET)
			s->swap = memsw > s->memory ? memsw - s->memory : 0;
		cgroup_tree_keyed(cg->fd[mem], "memory.oom_control", "oom_kill", &s->oom_kills);
	}
	if (acct >= 0 && cg->fd[acct] >= 0)
		cgroup_tree_read(cg->fd[acct], "cpuacct.usage", &s->cpu_ns);
	if (pids >= 0 && cg->fd[pids] >= 0) {
		cgroup_tree_read(cg->fd[pids], "pids.current", &s->pids);
		cgroup_tree_read(cg->fd[pids], "pids.max", &s->pids_limit);
	}
	if (blk >= 0 && cg->fd[blk] >= 0)
		blkio(cg->fd[blk], &s->io_read, &s->io_write);
	return 0;
}

static void memory_counters(int mem, struct cgroup_counter *ret)
{
	uint64_t memsw;

	cgroup_tree_read(mem, "memory.usage_in_bytes", &ret[CGROUP_MEMORY].current);
	cgroup_tree_read(mem, "memory.max_usage_in_bytes", &ret[CGROUP_MEMORY].peak);
	cgroup_tree_read(mem, "memory.failcnt", &ret[CGROUP_MEMORY].fails);
	cgroup_tree_keyed(mem, "memory.oom_control", "oom_kill", &ret[CGROUP_OOM_KILLS].fails);
	if (cgroup_tree_read(mem, "memory.memsw.usage_in_bytes", &memsw) == 0 &&
	    ret[CGROUP_MEMORY].current != LIMIT_UNSET)
		ret[CGROUP_SWAP].current =
			memsw > ret[CGROUP_MEMORY].current ? memsw - ret[CGROUP_MEMORY].current : 0;
	/* How often memory and swap together ran into their limit. */
	cgroup_tree_read(mem, "memory.memsw.failcnt", &ret[CGROUP_SWAP].fails);
	cgroup_tree_read(mem, "memory.kmem.usage_in_bytes", &ret[CGROUP_KERNEL].current);
	cgroup_tree_read(mem, "memory.kmem.max_usage_in_bytes", &ret[CGROUP_KERNEL].peak);
	cgroup_tree_read(mem, "memory.kmem.tcp.usage_in_bytes", &ret[CGROUP_SOCKETS].current);
	cgroup_tree_read(mem, "memory.kmem.tcp.max_usage_in_bytes", &ret[CGROUP_SOCKETS].peak);
	cgroup_tree_read(mem, "memory.kmem.tcp.failcnt", &ret[CGROUP_SOCKETS].fails);
}

static void counters(struct cgroup *cg, struct cgroup_counter *ret)
{
	int cpu = group_of(cg, "cpu"), pids = group_of(cg, "pids"), blk = group_of(cg, "blkio");
	uint64_t ns, held_ns = LIMIT_UNSET;
	const struct cgroup_keyed held[] = {
		{ "nr_throttled", &ret[CGROUP_CPUS].fails },
		{ "throttled_time", &held_ns },
	};

	memory_counters(group_of(cg, "memory"), ret);
	cgroup_tree_read(pids, "pids.current", &ret[CGROUP_PIDS].current);
	cgroup_tree_read(pids, "pids.peak", &ret[CGROUP_PIDS].peak);
	cgroup_tree_keyed(pids, "pids.events", "max", &ret[CGROUP_PIDS].fails);
	cgroup_tree_keyed_all(cpu, "cpu.stat", held, ARRAY_SIZE(held));
	if (held_ns != LIMIT_UNSET)
		ret[CGROUP_CPU_HELD].current = held_ns / 1000;
	if (cgroup_tree_read(group_of(cg, "cpuacct"), "cpuacct.usage", &ns) == 0)
		ret[CGROUP_CPU_TIME].current = ns / 1000;
	if (blk >= 0)
		blkio(blk, &ret[CGROUP_IO_READ].current, &ret[CGROUP_IO_WRITE].current);
	cgroup_tree_stalls(cg->fd[UNIFIED], ret);
}

static int pick(struct cgroup *cg, const char *file, struct lxmgr_err *err)
{
	int h = str_has_prefix(file, "cgroup.") ? UNIFIED : find(file);

	if (h < 0 || cg->fd[h] < 0)
		return err_msg(err, -ENOENT, "no control file '%s': no such controller here", file);
	return cg->fd[h];
}

static int get(struct cgroup *cg, const char *file, char **ret, struct lxmgr_err *err)
{
	int dir = pick(cg, file, err);

	return dir < 0 ? dir : cgroup_tree_get(dir, file, ret, err);
}

static int set(struct cgroup *cg, const char *file, const char *value, struct lxmgr_err *err)
{
	int dir = pick(cg, file, err);

	return dir < 0 ? dir : cgroup_tree_set(dir, file, value, err);
}

const struct cgroup_ops cgroup_hybrid = {
	.name = "hybrid",
	.io = &io_files,
	.open_io = open_io,
	.is_present = is_present,
	.check = check,
	.create = create,
	.open = hybrid_open,
	.apply = apply,
	.set_limits = set_limits,
	.get_limits = get_limits,
	.set_cpus = set_cpus,
	.get_cpus = get_cpus,
	.delegate = delegate,
	.join = join,
	.open_attach = open_attach,
	.freeze = hybrid_freeze,
	.is_frozen = hybrid_is_frozen,
	.kill = hybrid_kill,
	.remove = hybrid_remove,
	.stats = stats,
	.counters = counters,
	.get = get,
	.set = set,
	.device = device_live,
};
