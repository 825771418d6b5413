/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits of the host that many containers run into: how they are set, and what is used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container/doctor.h"
#include "container/idalloc.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

static int read_number(const char *file, uint64_t *ret)
{
	char buf[32];
	int r = (int)read_small(AT_FDCWD, file, buf, sizeof(buf));

	return r < 0 ? r : parse_u64(buf, ret);
}

/* Values of which the kernel's defaults are for one system, not for many in one. */
static const struct {
	const char *file, *name;
	uint64_t least;
} sysctls[] = {
	{ "/proc/sys/fs/inotify/max_user_instances", "fs.inotify.max_user_instances", 1024 },
	{ "/proc/sys/kernel/keys/maxkeys", "kernel.keys.maxkeys", 2000 },
	{ "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", 1024 },
	{ "/proc/sys/net/ipv4/neigh/default/gc_thresh3", "net.ipv4.neigh.default.gc_thresh3",
	  4096 },
	{ "/proc/sys/net/ipv6/neigh/default/gc_thresh3", "net.ipv6.neigh.default.gc_thresh3",
	  4096 },
	{ "/proc/sys/kernel/pid_max", "kernel.pid_max", 131072 },
};

void doctor_sysctls(struct doctor *d)
{
	bool have_file = access(SYSCTLFILE, R_OK) == 0;

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		uint64_t v;

		if (read_number(sysctls[i].file, &v) < 0)
			continue;
		d->name = sysctls[i].name;
		if (v >= sysctls[i].least)
			doctor_say(d, DOCTOR_OK, "%llu", (unsigned long long)v);
		else if (have_file)
			doctor_say(d, DOCTOR_NOTICE,
				   "%llu is little for tens of containers\tsysctl -p %s",
				   (unsigned long long)v, SYSCTLFILE);
		else
			doctor_say(d, DOCTOR_NOTICE,
				   "%llu is little for tens of containers\tsysctl -w %s=%llu",
				   (unsigned long long)v, sysctls[i].name,
				   (unsigned long long)sysctls[i].least);
	}
}

void doctor_used(struct doctor *d, uint64_t used, uint64_t max, const char *who, const char *cure)
{
	bool near = used > max / 5 * 4;

	doctor_say(d, near ? DOCTOR_NOTICE : DOCTOR_OK, "%llu of %llu%s%s%s\t%s",
		   (unsigned long long)used, (unsigned long long)max, *who ? " by " : "", who,
		   near ? ": nearly used up" : "", cure);
}

/* Processes and threads: "0.10 0.20 0.30 1/234 5678". */
static int read_tasks(const char *file, uint64_t *ret)
{
	char buf[128], *slash;
	int r = (int)read_small(AT_FDCWD, file, buf, sizeof(buf));

	if (r < 0)
		return r;
	slash = strchr(buf, '/');
	if (!slash)
		return -EIO;
	slash[1 + strcspn(slash + 1, " ")] = '\0';
	return parse_u64(slash + 1, ret);
}

/* The first of "allocated free max". */
static int read_first(const char *file, uint64_t *ret)
{
	char buf[128];
	int r = (int)read_small(AT_FDCWD, file, buf, sizeof(buf));

	if (r < 0)
		return r;
	buf[strcspn(buf, " \t")] = '\0';
	return parse_u64(buf, ret);
}

/* What the kernel counts for the host as a whole. */
static const struct {
	const char *name, *used;
	int (*read)(const char *file, uint64_t *ret);
	const char *max, *cure;
} counted[] = {
	{ "processes and pids", "/proc/loadavg", read_tasks, "/proc/sys/kernel/pid_max",
	  "sysctl -w kernel.pid_max=4194304; lxmgr.limit.pids bounds a container" },
	{ "processes and threads", "/proc/loadavg", read_tasks, "/proc/sys/kernel/threads-max",
	  "raise the sysctl kernel.threads-max; lxmgr.limit.pids bounds a container" },
	{ "open files", "/proc/sys/fs/file-nr", read_first, "/proc/sys/fs/file-max",
	  "raise the sysctl fs.file-max" },
	{ "terminals", "/proc/sys/kernel/pty/nr", read_number, "/proc/sys/kernel/pty/max",
	  "raise the sysctl kernel.pty.max; lxmgr.tty.max and lxmgr.pty.max bound a container" },
	{ "asynchronous I/O", "/proc/sys/fs/aio-nr", read_number, "/proc/sys/fs/aio-max-nr",
	  "raise the sysctl fs.aio-max-nr" },
	{ "tracked connections", "/proc/sys/net/netfilter/nf_conntrack_count", read_number,
	  "/proc/sys/net/netfilter/nf_conntrack_max",
	  "raise the sysctl net.netfilter.nf_conntrack_max" },
};

void doctor_usage(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
		uint64_t used, max;

		/* Not of this kernel, or a module that nothing has needed yet. */
		if (counted[i].read(counted[i].used, &used) < 0 ||
		    read_number(counted[i].max, &max) < 0)
			continue;
		d->name = counted[i].name;
		doctor_used(d, used, max, "", counted[i].cure);
	}
}

/* One table for all network namespaces; the number is hexadecimal, below a line of names. */
static int read_neighbours(const char *file, uint64_t *ret)
{
	cleanup_free char *text = NULL;
	unsigned long long n;
	const char *line;
	int r = read_file_at(AT_FDCWD, file, 1 << 20, &text, NULL);

	if (r < 0)
		return r;
	line = strchr(text, '\n');
	if (!line || sscanf(line, "%llx", &n) != 1)
		return -EIO;
	*ret = n;
	return 0;
}

void doctor_neighbours(struct doctor *d)
{
	static const struct {
		const char *name, *stat, *max, *cure;
	} tables[] = {
		{ "IPv4 neighbours", "/proc/net/stat/arp_cache",
		  "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
		  "raise the sysctls net.ipv4.neigh.default.gc_thresh*" },
		{ "IPv6 neighbours", "/proc/net/stat/ndisc_cache",
		  "/proc/sys/net/ipv6/neigh/default/gc_thresh3",
		  "raise the sysctls net.ipv6.neigh.default.gc_thresh*" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		uint64_t used, max;

		if (read_neighbours(tables[i].stat, &used) < 0 ||
		    read_number(tables[i].max, &max) < 0)
			continue;
		d->name = tables[i].name;
		doctor_used(d, used, max, "", tables[i].cure);
	}
}

void doctor_ids(struct doctor *d)
{
	struct lxmgr_err err = { 0 };
	uint64_t used, total;

	if (idalloc_usage(&used, &total, &err) < 0)
		doctor_say(d, DOCTOR_NOTICE, "%s", err.text);
	else if (!total)
		doctor_say(d, DOCTOR_OK, "registered when the first container starts");
	else
		doctor_used(d, used, total, "",
			    "give root more in /etc/subuid and /etc/subgid, or destroy containers");
}

void doctor_addresses(struct doctor *d)
{
	struct bridge_conf conf;
	struct lxmgr_err err = { 0 };
	uint64_t used, total;

	if (bridge_conf_read(&conf, NULL) < 0)
		doctor_say(d, DOCTOR_OK, "chosen when the first container starts");
	else if (ipam_usage(&conf, &used, &total, &err) < 0)
		doctor_say(d, DOCTOR_NOTICE, "%s", err.text);
	else
		doctor_used(d, used, total, "", "destroy containers that are not needed");
}
