/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and CPUs of a group: what both cgroup drivers have in common of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/cgroup_tree.h"
#include "kernel/cpulist.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

const char *const cgroup_limit_keys[LIMIT_COUNT] = {
	[LIMIT_MEMORY] = "limit.memory",
	[LIMIT_SWAP] = "limit.swap",
	[LIMIT_CPUS] = "limit.cpus",
	[LIMIT_CPU_BURST] = "limit.cpu.burst",
	[LIMIT_CPU_WEIGHT] = "limit.cpu.weight",
	[LIMIT_PIDS] = "limit.pids",
};

void cgroup_spec_init(struct cgroup_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		spec->limit[i] = LIMIT_UNSET;
	for (size_t i = 0; i < IO_LIMITS; i++)
		spec->io[i] = LIMIT_UNSET;
}

int cgroup_check_limits(const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	uint64_t cpus = spec->limit[LIMIT_CPUS], burst = spec->limit[LIMIT_CPU_BURST];

	if (burst >= LIMIT_MAX || burst == 0)
		return 0;
	if (cpus >= LIMIT_MAX)
		return err_msg(err, -EINVAL,
			       "lxmgr.limit.cpu.burst needs lxmgr.limit.cpus beside it");
	if (burst > cpus)
		return err_msg(err, -EINVAL,
			       "lxmgr.limit.cpu.burst cannot be more than lxmgr.limit.cpus");
	return 0;
}

int cgroup_set_limits(struct cgroup *cg, const uint64_t limit[LIMIT_COUNT], struct lxmgr_err *err)
{
	return cg->ops->set_limits(cg, limit, err);
}

void cgroup_get_limits(struct cgroup *cg, uint64_t ret[LIMIT_COUNT])
{
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		ret[i] = LIMIT_UNSET;
	cg->ops->get_limits(cg, ret);
}

int cgroup_set_cpus(struct cgroup *cg, const char *cpus, struct lxmgr_err *err)
{
	return cg->ops->set_cpus(cg, cpus, err);
}

int cgroup_get_cpus(struct cgroup *cg, char **ret, struct lxmgr_err *err)
{
	return cg->ops->get_cpus(cg, ret, err);
}

int cgroup_write_limit(int dirfd, const struct cgroup_limit_file *file, enum cgroup_limit which,
		       uint64_t value, struct lxmgr_err *err)
{
	const char *key = cgroup_limit_keys[which];
	char text[32];
	int r;

	if (value == LIMIT_UNSET)
		return 0;
	if (value == LIMIT_MAX)
		snprintf(text, sizeof(text), "%s", file->none);
	else
		snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	r = write_small(dirfd, file->file, text);
	/* Where the controller is not enabled, nothing limits. */
	if (r == -ENOENT && value == LIMIT_MAX)
		return 0;
	if (r == -ENOENT)
		return err_msg(err, r,
			       "apply lxmgr.%s: the cgroup has no %s: its controller is not "
			       "enabled in the groups above",
			       key, file->file);
	return r < 0 ? err_set(err, r, "apply lxmgr.%s = %s (%s)", key, text, file->file) : 0;
}

static uint64_t in_period(uint64_t milli)
{
	return milli < LIMIT_MAX ? milli * CGROUP_PERIOD_US_PER_MILLI : milli;
}

int cgroup_write_cpus(int dirfd, const struct cgroup_limit_file files[LIMIT_COUNT],
		      const uint64_t *limit, struct lxmgr_err *err)
{
	const struct cgroup_limit_file *file = &files[LIMIT_CPU_BURST];
	uint64_t now = 0, burst = in_period(limit[LIMIT_CPU_BURST]);
	int r = 0;

	cgroup_tree_read(dirfd, file->file, &now);
	if (burst >= LIMIT_MAX)
		burst = burst == LIMIT_UNSET ? now : 0;
	if (burst < now)
		r = cgroup_write_limit(dirfd, file, LIMIT_CPU_BURST, burst, err);
	if (r == 0)
		r = cgroup_write_limit(dirfd, &files[LIMIT_CPUS], LIMIT_CPUS,
				       in_period(limit[LIMIT_CPUS]), err);
	if (r == 0 && burst > now)
		r = cgroup_write_limit(dirfd, file, LIMIT_CPU_BURST, burst, err);
	return r;
}

int cgroup_refuse_memory(uint64_t used, uint64_t limit, struct lxmgr_err *err)
{
	return err_status(err, STATUS_REFUSED, -EBUSY,
			  "%llu KiB of memory are in use and cannot be taken back; a limit of %llu "
			  "KiB would have the kernel kill processes",
			  (unsigned long long)used / 1024, (unsigned long long)limit / 1024);
}

int cgroup_check_cpus(int dirfd, const char *host, const char *cpus, struct lxmgr_err *err)
{
	struct cpulist want, have;
	char text[1024];

	if (!cpus)
		return 0;
	if (read_small(dirfd, host, text, sizeof(text)) < 0 || cpulist_parse(text, &have) < 0)
		return err_msg(err, -EOPNOTSUPP,
			       "lxmgr.limit.cpuset cannot act on this host: the controller "
			       "'cpuset' is not available");
	if (cpulist_parse(cpus, &want) < 0 || !cpulist_within(&want, &have))
		return err_msg(err, -ERANGE,
			       "lxmgr.limit.cpuset: this host has the CPUs %.100s, not all of '%s'",
			       text, cpus);
	return 0;
}

int cgroup_read_cpuset(int dirfd, char **ret, struct lxmgr_err *err)
{
	char text[1024] = "";
	int r = (int)read_small(dirfd, "cpuset.cpus", text, sizeof(text));

	if (r < 0 && r != -ENOENT && r != -EBADF)
		return err_set(err, r, "read cpuset.cpus");
	*ret = strdup(text);
	return *ret ? 0 : err_set(err, -ENOMEM, "read cpuset.cpus");
}

int cgroup_write_cpuset(int dirfd, const char *cpus, const char *effective, struct lxmgr_err *err)
{
	cleanup_fd int above = -EBADF;
	char text[1024] = "", all[1024];
	struct cpulist want, have;
	int r;

	if (!cpus || !*cpus) {
		/* Where the controller is not enabled, nothing limits. */
		if (dirfd < 0 || faccessat(dirfd, "cpuset.cpus", F_OK, 0) < 0)
			return 0;
		/* A group with processes must have some: none is refused, on v2 as well. */
		above = openat(dirfd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = above < 0 ? -errno : (int)read_small(above, effective, all, sizeof(all));
		if (r < 0)
			return err_set(err, r, "read the CPUs of the group above");
		cpus = all;
	}
	r = write_small(dirfd, "cpuset.cpus", cpus);
	if (r < 0)
		return err_set(err, r, "apply lxmgr.limit.cpuset = %s (cpuset.cpus)", cpus);
	if (read_small(dirfd, effective, text, sizeof(text)) < 0 ||
	    cpulist_parse(cpus, &want) < 0 || cpulist_parse(text, &have) < 0 ||
	    !cpulist_equal(&want, &have))
		return err_msg(err, -EIO,
			       "lxmgr.limit.cpuset: '%s' was written, but the kernel has '%.100s'",
			       cpus, text);
	return 0;
}
