/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource limits, sysctls and /proc/PID files of the container's init. */
#ifndef LXMGR_KERNEL_LIMITS_H
#define LXMGR_KERNEL_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lxmgr_err;

struct rlimit_spec {
	int resource;	     /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM_INFINITY: unlimited */
};

/* "nofile", "memlock"...: RLIMIT_* or -EINVAL. */
int rlimit_parse_name(const char *name);
const char *rlimit_name(int resource);
/* "1024", "unlimited", "soft:hard"; soft above hard is refused. */
int rlimit_parse_value(const char *text, struct rlimit_spec *ret);
int rlimit_apply(pid_t pid, const struct rlimit_spec *spec, struct lxmgr_err *err);

/* A sysctl that a container may set: name in dots ("net.ipv4.ip_forward"). Only those that are
 * per namespace are allowed: net.*, kernel.{msg*,sem,shm*,hostname,domainname}, fs.mqueue.*,
 * user.max_*; `namespaces` is the mask of CLONE_NEW* the container has of its own. */
int sysctl_check(const char *name, int namespaces, struct lxmgr_err *err);
/* Write it below proc_fd (the root of a procfs of the container that nothing covers). */
int sysctl_write(int proc_fd, const char *name, const char *value, struct lxmgr_err *err);
/* Write /proc/PID/FILE: an allow-list (oom_score_adj, coredump_filter, timerslack_ns, ...). */
int procfile_check(const char *file, struct lxmgr_err *err);
int procfile_write(pid_t pid, const char *file, const char *value, struct lxmgr_err *err);

#endif
