/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "kernel/limits.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{ "as", RLIMIT_AS },
	{ "core", RLIMIT_CORE },
	{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },
	{ "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE },
	{ "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },
	{ "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },
	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

int rlimit_parse_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (!strcasecmp(name, limits[i].name))
			return limits[i].resource;
	return -EINVAL;
}

const char *rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].resource == resource)
			return limits[i].name;
	return NULL;
}

static int parse_limit(const char *s, uint64_t *ret)
{
	if (str_eq(s, "unlimited")) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	return parse_u64(s, ret);
}

int rlimit_parse_value(const char *text, struct rlimit_spec *ret)
{
	const char *colon = strchr(text, ':');
	uint64_t soft, hard;
	char buf[32];

	if (!colon) {
		if (parse_limit(text, &soft) < 0)
			return -EINVAL;
		hard = soft;
	} else {
		if ((size_t)(colon - text) >= sizeof(buf))
			return -EINVAL;
		memcpy(buf, text, (size_t)(colon - text));
		buf[colon - text] = '\0';
		if (parse_limit(buf, &soft) < 0 || parse_limit(colon + 1, &hard) < 0)
			return -EINVAL;
	}
	if (soft > hard)
		return -EINVAL;
	ret->soft = soft;
	ret->hard = hard;
	return 0;
}

int rlimit_apply(pid_t pid, const struct rlimit_spec *spec, struct lxmgr_err *err)
{
	struct rlimit l = { .rlim_cur = spec->soft, .rlim_max = spec->hard };

	if (prlimit(pid, (__rlimit_resource_t)spec->resource, &l, NULL) < 0)
		return err_set(err, -errno, "set the limit lxmgr.prlimit.%s",
			       rlimit_name(spec->resource));
	return 0;
}

/* What is per namespace in the kernel (and so the container's own), by the namespace it needs. */
static const struct {
	const char *prefix;
	int ns;
} sysctls[] = {
	{ "net.", CLONE_NEWNET },
	{ "kernel.msg", CLONE_NEWIPC },
	{ "kernel.sem", CLONE_NEWIPC },
	{ "kernel.shm", CLONE_NEWIPC },
	{ "kernel.auto_msgmni", CLONE_NEWIPC },
	{ "fs.mqueue.", CLONE_NEWIPC },
	{ "kernel.hostname", CLONE_NEWUTS },
	{ "kernel.domainname", CLONE_NEWUTS },
	{ "user.max_", CLONE_NEWUSER },
};

int sysctl_check(const char *name, int namespaces, struct lxmgr_err *err)
{
	/* Dots separate; a slash or an empty part would lead elsewhere below /proc/sys. */
	if (strchr(name, '/') || strstr(name, "..") || *name == '.' || !*name)
		return err_msg(err, -EINVAL, "'%s' is no sysctl name", name);
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		if (!str_has_prefix(name, sysctls[i].prefix))
			continue;
		if (namespaces & sysctls[i].ns)
			return 0;
		return err_msg(err, -EPERM,
			       "'%s' would change the host: the container shares the "
			       "namespace it belongs to",
			       name);
	}
	return err_msg(err, -EPERM,
		       "'%s' belongs to the whole host; a container may set net.*, kernel.msg*, "
		       ".sem, .shm*, .hostname, .domainname, fs.mqueue.* and user.max_*",
		       name);
}

int sysctl_write(int proc_fd, const char *name, const char *value, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	char path[256];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "sys/%s", name) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "sysctl '%s'", name);
	for (char *p = path + 4; *p; p++)
		if (*p == '.')
			*p = '/';
	fd = open_in(proc_fd, path, OPEN_NO_LINKS, O_WRONLY, 0);
	if (fd < 0)
		return err_set(err, fd, "open the sysctl '%s'", name);
	r = write_all(fd, value, strlen(value));
	return r < 0 ? err_set(err, r, "set lxmgr.sysctl.%s = %s", name, value) : 0;
}

static const char *const procfiles[] = { "oom_score_adj", "coredump_filter", "timerslack_ns",
					 "autogroup",	  "loginuid",	     "sched" };

int procfile_check(const char *file, struct lxmgr_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(procfiles); i++)
		if (str_eq(file, procfiles[i]))
			return 0;
	return err_msg(err, -EPERM,
		       "'%s' is none of oom_score_adj coredump_filter timerslack_ns autogroup "
		       "loginuid sched",
		       file);
}

int procfile_write(pid_t pid, const char *file, const char *value, struct lxmgr_err *err)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	r = write_small(AT_FDCWD, path, value);
	return r < 0 ? err_set(err, r, "set lxmgr.proc.%s = %s", file, value) : 0;
}
