/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the two cgroup drivers share. Private to cgroup*.c. */
#ifndef LXMGR_KERNEL_CGROUP_TREE_H
#define LXMGR_KERNEL_CGROUP_TREE_H

#include "kernel/cgroup.h"

extern const struct cgroup_ops cgroup_v2, cgroup_hybrid;

void cgroup_init(struct cgroup *cg);
/* mkdir -p below rootfd; the last component is always new (-EBUSY if it holds processes). prepare
 * (may be NULL) is called for each component, also for one that was there. An O_PATH fd. */
int cgroup_tree_make(int rootfd, const char *path, int (*prepare)(int dirfd),
		     struct lxmgr_err *err);
/* The group of a v2 tree that the container owns, below its outer one: an fd to clone into. */
int cgroup_tree_make_inner(int dirfd, const char *inner, struct lxmgr_err *err);
/* The number in a control file, LIMIT_MAX for "max". */
int cgroup_tree_read(int dirfd, const char *file, uint64_t *ret);
/* The value of a key in a flat keyed file ("oom_kill 3"). */
int cgroup_tree_keyed(int dirfd, const char *file, const char *key, uint64_t *ret);
/* Several at once; what the file lacks stays as it was, and is -ENOENT. */
struct cgroup_keyed {
	const char *key;
	uint64_t *ret;
};
int cgroup_tree_keyed_all(int dirfd, const char *file, const struct cgroup_keyed *want, size_t n);
/* What a v2 group has waited, where the kernel counts it. */
void cgroup_tree_stalls(int dirfd, struct cgroup_counter *ret);
int cgroup_tree_freeze(int dirfd, bool freeze, int timeout_ms, struct lxmgr_err *err);
int cgroup_tree_is_frozen(int dirfd);
int cgroup_tree_kill(int dirfd, struct lxmgr_err *err);
int cgroup_tree_wait_empty(int dirfd, struct lxmgr_err *err);
/* Remove path below rootfd with all below it, if no process is left: 0, also when it is not there,
 * -EBUSY or another -errno. */
int cgroup_tree_rmdir(int rootfd, const char *path);
/* The same with patience; waits for the last process to leave. */
int cgroup_tree_remove(int rootfd, const char *path, struct lxmgr_err *err);
int cgroup_tree_delegate(int inner, uid_t uid, gid_t gid, struct lxmgr_err *err);
int cgroup_tree_get(int dirfd, const char *file, char **ret, struct lxmgr_err *err);
int cgroup_tree_set(int dirfd, const char *file, const char *value, struct lxmgr_err *err);

/* cgroup_limits.c: where a driver has a limit. */
struct cgroup_limit_file {
	const char *controller, *file;
	const char *none; /* the text for LIMIT_MAX */
};
#define CGROUP_PERIOD_US_PER_MILLI 100 /* of a period of 100 ms, which every new group has */

/* Write a limit, in the kernel's unit, where it is set. */
int cgroup_write_limit(int dirfd, const struct cgroup_limit_file *file, enum cgroup_limit which,
		       uint64_t value, struct lxmgr_err *err);
/* Write a quota and the burst beside it (milli-CPUs): no quota may be below the burst, whichever
 * of both grows. */
int cgroup_write_cpus(int dirfd, const struct cgroup_limit_file files[LIMIT_COUNT],
		      const uint64_t *limit, struct lxmgr_err *err);
/* host: the group's file with the CPUs that there are. */
int cgroup_check_cpus(int dirfd, const char *host, const char *cpus, struct lxmgr_err *err);
/* Write it into cpuset.cpus (NULL or "": those of the group above) and see that the file
 * "effective" has it. */
int cgroup_write_cpuset(int dirfd, const char *cpus, const char *effective, struct lxmgr_err *err);
int cgroup_read_cpuset(int dirfd, char **ret, struct lxmgr_err *err);
/* -EINVAL: limits that contradict each other. */
int cgroup_check_limits(const struct cgroup_spec *spec, struct lxmgr_err *err);

/* -EBUSY: more is in use (bytes) than a new limit of memory would allow. */
int cgroup_refuse_memory(uint64_t used, uint64_t limit, struct lxmgr_err *err);

/* cgroup_io.c: where a driver has the limits of disks; NULL: nowhere. */
struct cgroup_io_files {
	const char *controller;
	const char *all;	    /* io.max: all rates of a disk in a line */
	const char *each[IO_RATES]; /* or a file for each */
	const char *bfq, *cost;	    /* weights: of the scheduler bfq, of io.cost */
};

/* devices_bpf.c: the device rules of a v2 group, as a BPF program with a map of rules. */
int devices_bpf_attach(int cgroup_dir, const struct cgroup_device_rule *rules, size_t n,
		       struct lxmgr_err *err);
int devices_bpf_add(int cgroup_dir, const struct cgroup_device_rule *rule, struct lxmgr_err *err);

#endif
