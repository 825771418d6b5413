/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cgroups behind one small interface with two drivers: pure v2 (cgroup_v2.c) and v1 or hybrid
 * (cgroup_hybrid.c). Nothing outside these files asks which it is.
 *
 * A container has two nested groups: the outer one carries the limits and belongs to the host,
 * the inner one ("ns") is the root of the container's cgroup namespace and is handed over to the
 * container's root (v2 tree only). On a hybrid host the v1 groups are the outer ones only.
 */
#ifndef LXMGR_KERNEL_CGROUP_H
#define LXMGR_KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lxmgr_err;

#define LIMIT_UNSET UINT64_MAX	     /* not configured */
#define LIMIT_MAX   (UINT64_MAX - 1) /* configured as "max" */

/* The limits that are a number. A new one is a line here, one in cgroup_limit_keys and one in each
 * driver's table. */
enum cgroup_limit {
	LIMIT_MEMORY,	  /* bytes */
	LIMIT_SWAP,	  /* bytes of swap beyond memory */
	LIMIT_CPUS,	  /* 1500: one and a half CPUs */
	LIMIT_CPU_BURST,  /* the same: what a period may take beyond that, of what others left */
	LIMIT_CPU_WEIGHT, /* 1..10000, 100 is normal */
	LIMIT_PIDS,	  /* 1.. */
	LIMIT_COUNT
};
/* "limit.memory" */
extern const char *const cgroup_limit_keys[LIMIT_COUNT];

/* The limits of disks: cgroup_io.h. */
enum cgroup_io_limit {
	IO_READ, /* bytes a second */
	IO_WRITE,
	IO_READ_OPS, /* requests a second */
	IO_WRITE_OPS,
	IO_RATES,
	IO_WEIGHT = IO_RATES, /* 1..10000, 100 is normal */
	IO_LIMITS
};
/* "limit.io.read" */
extern const char *const cgroup_io_keys[IO_LIMITS];

struct cgroup_raw {
	char *file; /* "memory.high" or "devices.allow" */
	char *value;
	bool v1; /* from lxmgr.cgroup.*, else lxmgr.cgroup2.* */
};

struct cgroup_device_rule {
	bool allow;
	char type;	      /* 'a' all, 'b', 'c' */
	int64_t major, minor; /* -1: any */
	bool read, write, mknod;
};

/* What to make and which limits to set. */
struct cgroup_spec {
	char *dir;	     /* lxmgr.cgroup.dir, or NULL: "lxmgr/NAME" */
	char *dir_container; /* lxmgr.cgroup.dir.container */
	char *dir_inner;     /* lxmgr.cgroup.dir.container.inner, NULL: "ns" */
	char *dir_monitor;   /* lxmgr.cgroup.dir.monitor */
	char *dir_pivot;     /* lxmgr.cgroup.dir.monitor.pivot */
	bool relative;	     /* below the caller's cgroup */
	uint64_t limit[LIMIT_COUNT];
	char *cpuset;		/* the CPUs it may use, as "0-3,8"; NULL: those of the host */
	uint64_t io[IO_LIMITS]; /* not applied by cgroup_apply(): cgroup_io_set() */
	struct cgroup_raw *raw;
	size_t n_raw;
	struct cgroup_device_rule *devices; /* in the order given */
	size_t n_devices;
};

#define CGROUP_MAX_FDS 16

/* A container's groups while it is being made or looked at. Opaque but for size. */
struct cgroup {
	const struct cgroup_ops *ops;
	char path[256]; /* the outer group below each hierarchy's root, without a leading '/' */
	char inner[64]; /* the inner group's name below it */
	int fd[CGROUP_MAX_FDS];	     /* driver's: outer group's directories */
	int join_fd[CGROUP_MAX_FDS]; /* driver's: opened for the child to write "0" */
	bool only_counts;	     /* opened for its counters alone */
	int into_fd; /* for CLONE_INTO_CGROUP: the inner group of the v2 tree, or -1 */
};

struct cgroup_stats {
	uint64_t memory, memory_peak, memory_limit; /* bytes; LIMIT_UNSET: not known */
	uint64_t kmem, swap, swap_limit;
	uint64_t cpu_ns;
	uint64_t pids, pids_limit;
	uint64_t io_read, io_write; /* bytes */
	uint64_t oom_kills;
};

/* What is counted of a group. */
enum cgroup_resource {
	CGROUP_MEMORY,	     /* bytes; fails: how often it ran into the limit */
	CGROUP_SWAP,	     /* bytes */
	CGROUP_KERNEL,	     /* bytes of the memory that are the kernel's */
	CGROUP_SOCKETS,	     /* bytes of the memory that are buffers of sockets; v1: of TCP */
	CGROUP_OOM_KILLS,    /* fails: processes killed for want of memory */
	CGROUP_PIDS,	     /* fails: forks refused */
	CGROUP_CPUS,	     /* limit: thousandths of a CPU; fails: periods it was held back in */
	CGROUP_CPU_TIME,     /* microseconds used */
	CGROUP_CPU_HELD,     /* microseconds held back by the limit of CPUs */
	CGROUP_IO_READ,	     /* bytes */
	CGROUP_IO_WRITE,     /* bytes */
	CGROUP_CPU_STALL,    /* microseconds in which some process waited for a CPU (PSI "some") */
	CGROUP_MEMORY_STALL, /* for memory */
	CGROUP_IO_STALL,     /* for disks */
	CGROUP_RESOURCES
};

/* LIMIT_UNSET: not counted here; limit LIMIT_MAX: there is none. */
struct cgroup_counter {
	uint64_t current, peak, limit, fails;
};

struct cgroup_ops {
	const char *name;		  /* "v2" or "hybrid" */
	const struct cgroup_io_files *io; /* where limits of disks are */
	bool (*is_present)(void);	  /* called once */
	/* Refuse what this driver cannot do, by key: before anything is touched. */
	int (*check)(const struct cgroup_spec *spec, struct lxmgr_err *err);
	/* May be NULL: the monitor stays where its caller is. */
	int (*monitor_dir)(struct lxmgr_err *err);
	/* May be NULL: what was delegated to a process is of no use. */
	int (*step_aside)(char *ret_base, size_t size, struct lxmgr_err *err);
	int (*create)(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err);
	int (*open)(struct cgroup *cg, struct lxmgr_err *err);
	int (*apply)(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err);
	int (*set_limits)(struct cgroup *cg, const uint64_t *limit, struct lxmgr_err *err);
	void (*get_limits)(struct cgroup *cg, uint64_t *ret);
	int (*set_cpus)(struct cgroup *cg, const char *cpus, struct lxmgr_err *err);
	int (*get_cpus)(struct cgroup *cg, char **ret, struct lxmgr_err *err);
	/* The directory with those files, of the group or (NULL) of the topmost one, for the caller
	 * to close; -1: no such controller. */
	int (*open_io)(struct cgroup *cg);
	int (*delegate)(struct cgroup *cg, uid_t uid, gid_t gid, struct lxmgr_err *err);
	int (*join)(struct cgroup *cg, struct lxmgr_err *err);
	int (*open_attach)(struct cgroup *cg, struct lxmgr_err *err);
	int (*freeze)(struct cgroup *cg, bool freeze, int timeout_ms, struct lxmgr_err *err);
	int (*is_frozen)(struct cgroup *cg);
	int (*kill)(struct cgroup *cg, struct lxmgr_err *err);
	int (*remove)(struct cgroup *cg, struct lxmgr_err *err);
	int (*stats)(struct cgroup *cg, struct cgroup_stats *ret, struct lxmgr_err *err);
	void (*counters)(struct cgroup *cg, struct cgroup_counter *ret);
	int (*get)(struct cgroup *cg, const char *file, char **ret, struct lxmgr_err *err);
	int (*set)(struct cgroup *cg, const char *file, const char *value, struct lxmgr_err *err);
	int (*device)(struct cgroup *cg, const struct cgroup_device_rule *rule,
		      struct lxmgr_err *err);
};

/* The host's driver, decided once per process; NULL with a reason if there is no usable one. */
const struct cgroup_ops *cgroup_driver(struct lxmgr_err *err);

/* No limit at all, no rule. */
void cgroup_spec_init(struct cgroup_spec *spec);
/* Refuse limits or raw keys that the host's driver cannot apply (-EOPNOTSUPP), or that contradict
 * each other (-EINVAL). */
int cgroup_check(const struct cgroup_spec *spec, struct lxmgr_err *err);
/* A group for monitors, to be born in: the caller's session or service takes its own processes with
 * it when it ends. An open descriptor; -EOPNOTSUPP where the driver has none. */
int cgroup_monitor_dir(struct lxmgr_err *err);
/* This process's group was delegated to it by systemd (Delegate=yes): step aside into a group of
 * its own below, so that the delegated one can hand controllers on, and tell the path of that one,
 * the base for cgroup_create(). -EOPNOTSUPP where the driver has no use for it. */
int cgroup_step_aside(char *ret_base, size_t size, struct lxmgr_err *err);
/* Relative, no component "..", not too long: what is made must also be found, and removed, again.
 */
int cgroup_check_path(const char *path, struct lxmgr_err *err);
/* Make the groups (outer, inner). base is what was delegated, or NULL; name is else the default's
 * last component ("web", or "web-1a2b3c4d" in a tree that is not the default one). An existing
 * group that holds processes is refused (-EBUSY), an empty one is made anew, without the limits it
 * had. */
int cgroup_create(struct cgroup *cg, const struct cgroup_spec *spec, const char *base,
		  const char *name, struct lxmgr_err *err);
/* Open the groups of a running container by the path that was recorded. */
int cgroup_open(struct cgroup *cg, const char *path, const char *inner, struct lxmgr_err *err);
/* The same for cgroup_stats() and cgroup_counters() alone, in less time. */
int cgroup_open_counters(struct cgroup *cg, const char *path, const char *inner,
			 struct lxmgr_err *err);
/* The same where nothing was recorded: those that cgroup_create() makes without a path of the
 * config's and without a base. */
int cgroup_open_default(struct cgroup *cg, const char *name, struct lxmgr_err *err);
/* Limits, raw keys and device rules (v2: a BPF program that lives with the group). The rules add to
 * cgroup_device_defaults() unless one of them is "a", which begins anew. */
int cgroup_apply(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err);
/* The limits alone, of a group in use, in an order that the kernel takes; LIMIT_UNSET: as it is.
 * swap counts with memory on v1, and no burst is above the CPUs, so these are given
 * together. -EBUSY with a reason: more memory is in use than that, and cannot be taken back. After
 * a failure some may have changed. */
int cgroup_set_limits(struct cgroup *cg, const uint64_t limit[LIMIT_COUNT], struct lxmgr_err *err);
/* Those that are in force; LIMIT_UNSET: there is no such thing here. */
void cgroup_get_limits(struct cgroup *cg, uint64_t ret[LIMIT_COUNT]);
/* The CPUs that its processes may use, as cpuset(7) writes them; NULL or empty: those of the group
 * above it. */
int cgroup_set_cpus(struct cgroup *cg, const char *cpus, struct lxmgr_err *err);
/* Those that it was given, empty: none; the caller frees them. */
int cgroup_get_cpus(struct cgroup *cg, char **ret, struct lxmgr_err *err);
/* Hand the inner v2 group to the container's root: the files of cgroup_delegate(7). */
int cgroup_delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct lxmgr_err *err);
/* Called by the child itself, right after clone and before it makes its cgroup namespace:
 * writes "0" to descriptors opened before. Async-signal-safe. (Groups entered by
 * CLONE_INTO_CGROUP are skipped.) */
int cgroup_join(struct cgroup *cg, struct lxmgr_err *err);
/* Open what a process needs that comes later (attach): it is cloned into into_fd, where that is not
 * -1, and calls cgroup_join(). Moving a process by its pid instead waits for an RCU grace period.
 */
int cgroup_open_attach(struct cgroup *cg, struct lxmgr_err *err);
int cgroup_freeze(struct cgroup *cg, bool freeze, int timeout_ms, struct lxmgr_err *err);
int cgroup_is_frozen(struct cgroup *cg);
/* SIGKILL every process in it. */
int cgroup_kill(struct cgroup *cg, struct lxmgr_err *err);
/* Kill what is left, wait until empty (a bounded time) and remove all directories, also those the
 * guest made below. 0 also when they are gone. Never touches a directory above `path`, but for the
 * shared parent "lxmgr", which is left. */
int cgroup_remove(struct cgroup *cg, struct lxmgr_err *err);
int cgroup_stats(struct cgroup *cg, struct cgroup_stats *ret, struct lxmgr_err *err);
/* All that is counted since the group was made. */
void cgroup_counters(struct cgroup *cg, struct cgroup_counter ret[CGROUP_RESOURCES]);
/* Read or write one control file of the outer group, as lxmgr-cgroup does; v1 names work on v1,
 * devices.allow and devices.deny can be written on both. */
int cgroup_get(struct cgroup *cg, const char *file, char **ret, struct lxmgr_err *err);
int cgroup_set(struct cgroup *cg, const char *file, const char *value, struct lxmgr_err *err);
/* Add one device rule to a running container. */
int cgroup_device(struct cgroup *cg, const struct cgroup_device_rule *rule, struct lxmgr_err *err);
void cgroup_close(struct cgroup *cg);

/* Parse "c 1:3 rwm", "a", "b *:* m" for allow or deny. */
int cgroup_device_parse(const char *text, bool allow, struct cgroup_device_rule *ret,
			struct lxmgr_err *err);
/* The rules every container starts from (null, zero, full, random, urandom, tty, console, ptmx,
 * pts, fuse, tun and mknod of anything). *ret_n of them; static. */
const struct cgroup_device_rule *cgroup_device_defaults(size_t *ret_n);

#endif
