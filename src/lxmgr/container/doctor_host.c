/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host as a whole: kernel, cgroups, disk, security, programs. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "container/doctor.h"
#include "kernel/cgroup.h"
#include "kernel/lsm.h"
#include "kernel/quota.h"
#include "kernel/selinux.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

void doctor_kernel(struct doctor *d)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		doctor_say(d, DOCTOR_MISSING, "unknown");
	else if (major < 6 || (major == 6 && minor < 1))
		doctor_say(d, DOCTOR_MISSING, "%s\tlxmgr needs Linux 6.1 or newer", u.release);
	else
		doctor_say(d, DOCTOR_OK, "%s", u.release);
}

static const struct {
	const char *name;
	enum cgroup_limit limit;
} limits[] = {
	{ "memory limit", LIMIT_MEMORY },
	{ "swap limit", LIMIT_SWAP },
	{ "CPU limit", LIMIT_CPUS },
	{ "process limit", LIMIT_PIDS },
};

void doctor_cgroup(struct doctor *d)
{
	struct lxmgr_err err = { 0 };
	const struct cgroup_ops *ops = cgroup_driver(&err);

	d->name = "driver";
	if (!ops) {
		doctor_say(d, DOCTOR_MISSING, "%s\tmount cgroup2 at /sys/fs/cgroup", err.text);
		return;
	}
	doctor_say(d, DOCTOR_OK, "%s", ops->name);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct cgroup_spec s;

		cgroup_spec_init(&s);
		/* A swap limit stands on a memory limit. */
		if (limits[i].limit == LIMIT_SWAP)
			s.limit[LIMIT_MEMORY] = 1 << 20;
		s.limit[limits[i].limit] = 1000000;
		d->name = limits[i].name;
		if (cgroup_check(&s, &err) == 0)
			doctor_say(d, DOCTOR_OK, "works");
		else
			doctor_say(d, DOCTOR_NOTICE,
				   "%s\ta kernel and boot options with this controller "
				   "(swapaccount=1 for swap)",
				   err.text);
	}
}

/* Whatever the host has, a guest sees cgroup2 only, and systemd runs on that since 232. */
void doctor_guests(struct doctor *d)
{
	doctor_say(d, DOCTOR_OK,
		   "with systemd 232 or newer; older ones (Debian 8, CentOS 7) know only "
		   "cgroup v1: give them another init, as sysvinit, or a virtual machine");
}

#define MIN_MIB	   1024
#define MIN_INODES 10000

void doctor_disk(struct doctor *d)
{
	unsigned long long mib, inodes;
	struct statvfs s;

	mkdir_p(STATEDIR, 0711);
	if (statvfs(STATEDIR, &s) < 0) {
		doctor_say(d, DOCTOR_NOTICE, "%s: %s", STATEDIR, strerror(errno));
		return;
	}
	mib = (unsigned long long)s.f_bavail * s.f_frsize >> 20;
	inodes = s.f_favail;
	d->name = "space";
	doctor_say(d, mib < MIN_MIB ? DOCTOR_NOTICE : DOCTOR_OK,
		   "%llu MiB free in %s\tfree some space", mib, STATEDIR);
	d->name = "inodes";
	/* btrfs makes them as they are needed, and has none to count. */
	if (s.f_files)
		doctor_say(d, inodes < MIN_INODES ? DOCTOR_NOTICE : DOCTOR_OK,
			   "%llu free in %s\tremove files, or make the file system with more",
			   inodes, STATEDIR);
}

/* Of backends whose root is a directory. What the error says behind the cause is the cure. */
void doctor_disk_limits(struct doctor *d)
{
	cleanup_fd int dir = open(STATEDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lxmgr_err err = { 0 };
	char *cure;

	if (dir >= 0 && quota_check(dir, &err) == 0) {
		doctor_say(d, DOCTOR_OK, "project quotas work in %s", STATEDIR);
		return;
	}
	cure = strchr(err.text, ';');
	if (cure)
		*cure++ = '\0';
	doctor_say(d, DOCTOR_NOTICE, "%s: %s\t%s", STATEDIR, dir < 0 ? strerror(errno) : err.text,
		   cure ? cure + 1 : "");
}

/* Without the module containers are not confined; permissive, it only writes to the log. */
static void doctor_selinux(struct doctor *d)
{
	if (selinux_check_context("system_u:system_r:lxmgr_container_t:s0") < 0)
		doctor_say(d, DOCTOR_NOTICE,
			   "enabled, but it does not confine containers: lxmgr's policy module is "
			   "not loaded\tsemodule -i " DATADIR "/selinux/lxmgr.cil");
	else if (!selinux_is_enforcing())
		doctor_say(d, DOCTOR_NOTICE,
			   "lxmgr's policy module is loaded, but SELinux is permissive\tsetenforce "
			   "1");
	else
		doctor_say(d, DOCTOR_OK, "enforcing, lxmgr's policy module is loaded");
}

/* What a default container would get. */
static void doctor_apparmor(struct doctor *d)
{
	struct lsm_spec spec = { .apparmor = NULL };
	const char *notice = NULL;
	struct lxmgr_err err = { 0 };

	if (lsm_check(&spec, &notice, &err) < 0 || lsm_apparmor_try(&err) < 0)
		doctor_say(d, DOCTOR_MISSING, "%s", err.text);
	else if (notice)
		doctor_say(d, DOCTOR_NOTICE,
			   "enabled, but no policy can be loaded in a container\t"
			   "containers in it start without a profile of their own");
	else
		doctor_say(d, DOCTOR_OK, "enabled, a profile is generated for each container");
}

void doctor_lsm(struct doctor *d)
{
	for (size_t i = 0; lsm_backends[i]; i++) {
		d->name = lsm_backends[i]->name;
		if (lsm_backends[i] == &lsm_selinux && selinux_is_enabled())
			doctor_selinux(d);
		else if (lsm_backends[i] == &lsm_apparmor && lsm_apparmor.is_enabled())
			doctor_apparmor(d);
		else
			doctor_say(d, DOCTOR_OK, "%s",
				   lsm_backends[i]->is_enabled() ? "enabled"
								 : "not enabled on this kernel");
	}
}

void doctor_seccomp(struct doctor *d)
{
	if (access(LIBEXECDIR "/lxmgr-seccomp", X_OK) == 0)
		doctor_say(d, DOCTOR_OK, "installed");
	else
		doctor_say(d, DOCTOR_MISSING,
			   LIBEXECDIR "/lxmgr-seccomp is missing\tinstall lxmgr again");
}

static const struct {
	const char *program, *package, *what;
} programs[] = {
	{ "mmdebstrap", "mmdebstrap", "template debian" },
	{ "debootstrap", "debootstrap", "template debian, where mmdebstrap is missing" },
	{ "busybox", "busybox-static", "template busybox" },
	{ "unshare", "util-linux", "running templates" },
	{ "sha256sum", "coreutils", "image digests" },
	{ "nft", "nftables", "looking at NAT" },
};

void doctor_programs(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		d->name = programs[i].program;
		if (run_has_program(programs[i].program))
			doctor_say(d, DOCTOR_OK, "found");
		else
			doctor_say(d, DOCTOR_NOTICE, "missing: %s\tapt install %s",
				   programs[i].what, programs[i].package);
	}
}
