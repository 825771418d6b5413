/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this kernel and host can do: each row is found by trying, in a child that goes away. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "kernel/firewall.h"
#include "kernel/idmap.h"
#include "kernel/lsm.h"
#include "kernel/mount.h"
#include "kernel/netlink.h"
#include "kernel/sys.h"
#include "lxmgr.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

struct doctor {
	int (*fn)(const struct lxmgr_check *, void *);
	void *arg;
};

__attribute__((format(printf, 5, 6))) static int
row(const struct doctor *d, const char *group, const char *name, int result, const char *fmt, ...)
{
	struct lxmgr_check c = { .group = group, .name = name, .result = result };
	char text[sizeof(c.text) + sizeof(c.cure)], *tab;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* "what was found<TAB>cure" */
	tab = strchr(text, '\t');
	if (tab)
		*tab++ = '\0';
	snprintf(c.text, sizeof(c.text), "%.159s", text);
	snprintf(c.cure, sizeof(c.cure), "%.239s", tab ? tab : "");
	return d->fn(&c, d->arg);
}

/* Run fn in a child; its negative errno comes back, -EIO if it crashed. */
static int try(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = fn();

		_exit(r < 0 ? (-r & 0x7f) : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

static int try_userns(void)
{
	return sys_unshare(CLONE_NEWUSER);
}

static int try_timens(void)
{
	return sys_unshare(CLONE_NEWTIME);
}

static int try_netns(void)
{
	struct link_new l = { .kind = "veth", .name = "a", .peer_name = "b", .ns_fd = -1 };
	struct netlink *nl;
	int r = sys_unshare(CLONE_NEWNET);

	l.peer_ns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (r < 0 || netlink_open(&nl, NULL) < 0)
		return r < 0 ? r : -EIO;
	return link_create(nl, &l);
}

static int try_kind(const char *kind)
{
	struct link_new dummy = { .kind = "veth", .name = "p", .peer_name = "q", .ns_fd = -1 };
	struct link_new l = { .kind = kind, .name = "x", .ns_fd = -1, .vlan_id = 5, .mode = 1 };
	struct link_info p;
	struct netlink *nl;
	int r = sys_unshare(CLONE_NEWNET);

	dummy.peer_ns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (r < 0 || netlink_open(&nl, NULL) < 0 || link_create(nl, &dummy) < 0 ||
	    link_get(nl, "p", &p) < 0)
		return -EIO;
	l.parent = p.index;
	return link_create(nl, &l);
}

static int try_macvlan(void)
{
	return try_kind("macvlan");
}

static int try_ipvlan(void)
{
	return try_kind("ipvlan");
}

static int try_vlan(void)
{
	return try_kind("vlan");
}

/* An idmapped clone of the file system that would hold the containers. */
static int try_idmapped(void)
{
	struct idmap map = { .n_uid = 0 };
	int mnt, ns;

	mkdir_p(STATEDIR, 0711);
	idmap_add_both(&map, 0, 600000, 65536);
	ns = idmap_userns_fd(&map, NULL);
	mnt = mount_clone(AT_FDCWD, STATEDIR, false, NULL);
	return ns < 0 ? ns : mnt < 0 ? mnt : mount_set(mnt, 0, 0, 0, false, ns, NULL);
}

static int try_overlay(void)
{
	int fs = sys_fsopen("overlay");

	return fs;
}

static const struct {
	const char *group, *name;
	int (*fn)(void);
	int bad; /* result where it fails */
	const char *cure;
} trials[] = {
	{ "kernel", "user namespaces", try_userns, 2,
	  "sysctl -w user.max_user_namespaces=65536, or a kernel with CONFIG_USER_NS" },
	{ "kernel", "time namespaces", try_timens, 1, "a kernel with CONFIG_TIME_NS" },
	{ "storage", "idmapped mounts", try_idmapped, 2,
	  "put /var/lib/lxmgr on ext4, xfs or btrfs, or use --privileged containers" },
	{ "storage", "overlay", try_overlay, 1,
	  "a kernel with CONFIG_OVERLAY_FS; else use -B dir" },
	{ "network", "veth", try_netns, 2, "a kernel with CONFIG_VETH and CONFIG_NET_NS" },
	{ "network", "macvlan", try_macvlan, 1, "a kernel with CONFIG_MACVLAN" },
	{ "network", "ipvlan", try_ipvlan, 1, "a kernel with CONFIG_IPVLAN" },
	{ "network", "vlan", try_vlan, 1, "a kernel with CONFIG_VLAN_8021Q" },
};

static int check_kernel(const struct doctor *d)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return row(d, "kernel", "version", 2, "unknown");
	if (major < 6 || (major == 6 && minor < 1))
		return row(d, "kernel", "version", 2, "%s\tlxmgr needs Linux 6.1 or newer",
			   u.release);
	return row(d, "kernel", "version", 0, "%s", u.release);
}

static int check_cgroup(const struct doctor *d)
{
	static const struct {
		const char *key, *name;
		size_t offset;
	} limits[] = {
		{ "lxmgr.limit.memory", "memory limit", offsetof(struct cgroup_spec, memory) },
		{ "lxmgr.limit.swap", "swap limit", offsetof(struct cgroup_spec, swap) },
		{ "lxmgr.limit.cpus", "CPU limit", offsetof(struct cgroup_spec, cpus_milli) },
		{ "lxmgr.limit.pids", "process limit", offsetof(struct cgroup_spec, pids) },
	};
	struct lxmgr_err err = { 0 };
	const struct cgroup_ops *ops = cgroup_driver(&err);
	int r;

	if (!ops)
		return row(d, "cgroup", "driver", 2, "%s\tmount cgroup2 at /sys/fs/cgroup",
			   err.text);
	r = row(d, "cgroup", "driver", 0, "%s", ops->name);
	for (size_t i = 0; i < ARRAY_SIZE(limits) && r == 0; i++) {
		struct cgroup_spec s = { .memory = LIMIT_UNSET,
					 .swap = LIMIT_UNSET,
					 .cpus_milli = LIMIT_UNSET,
					 .cpu_weight = LIMIT_UNSET,
					 .pids = LIMIT_UNSET };

		if (i == 1)
			s.memory = 1 << 20;
		*(uint64_t *)(void *)((char *)&s + limits[i].offset) = 1000000;
		if (cgroup_check(&s, &err) == 0)
			r = row(d, "cgroup", limits[i].name, 0, "works");
		else
			r = row(d, "cgroup", limits[i].name, 1,
				"%s\ta kernel and boot options with this controller "
				"(swapaccount=1 for swap)",
				err.text);
	}
	return r;
}

static int check_trials(const struct doctor *d, const char *group)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(trials) && r == 0; i++) {
		int got;

		if (!str_eq(trials[i].group, group))
			continue;
		got = try(trials[i].fn);
		if (got == 0)
			r = row(d, group, trials[i].name, 0, "works");
		else
			r = row(d, group, trials[i].name, trials[i].bad, "%s\t%s", strerror(-got),
				trials[i].cure);
	}
	return r;
}

static int check_security(const struct doctor *d)
{
	int r = 0;

	for (size_t i = 0; lsm_backends[i] && r == 0; i++)
		r = row(d, "security", lsm_backends[i]->name, 0, "%s",
			lsm_backends[i]->is_enabled() ? "enabled" : "not enabled on this kernel");
	if (r == 0)
		r = access(LIBEXECDIR "/lxmgr-seccomp", X_OK) == 0
			    ? row(d, "security", "seccomp compiler", 0, "installed")
			    : row(d, "security", "seccomp compiler", 2,
				  LIBEXECDIR "/lxmgr-seccomp is missing\tinstall lxmgr again");
	return r;
}

static int try_nat(void)
{
	int r = sys_unshare(CLONE_NEWNET);

	return r < 0 ? r : firewall_nat_try(NULL);
}

static int check_nat(const struct doctor *d)
{
	int r = firewall_nat_look();

	if (r > 0)
		return row(d, "network", "NAT", 0, "the table inet lxmgr is there");
	if (r == 0 && try(try_nat) == 0)
		return row(d, "network", "NAT", 0, "made when the first container starts");
	return row(d, "network", "NAT", 1,
		   "cannot be made: containers reach only this host and one another\t%s",
		   FIREWALL_NAT_CURE);
}

static int check_resolver(const struct doctor *d)
{
	cleanup_strlist struct strlist dns = { 0 };

	if (host_nameservers_here(&dns) < 0 || !dns.n)
		return row(d, "network", "resolver", 1,
			   "the host's are on its loopback only, where no container gets\t"
			   "name others: lxmgr.nameserver = ADDRESS in %s",
			   SYSCONFDIR "/default.conf");
	return row(d, "network", "resolver", 0, "containers ask %s%s%s", dns.v[0],
		   dns.n > 1 ? " " : "", dns.n > 1 ? dns.v[1] : "");
}

static int check_forwarding(const struct doctor *d, const char *bridge, int family)
{
	const char *name = family == AF_INET ? "IPv4 forwarding" : "IPv6 forwarding";
	const char *key =
		family == AF_INET ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
	char closed[IFNAMSIZ];
	struct netlink *nl;
	struct link_info l;
	int r = netlink_open(&nl, NULL), have;

	if (r < 0)
		return r;
	r = link_get(nl, bridge, &l);
	have = forwarding_look(nl, bridge, family, closed);
	netlink_close(nl);
	switch ((enum forwarding)have) {
	case FORWARDING_HOST:
		return row(d, "network", name, 0, "on for the whole host (%s)", key);
	case FORWARDING_LINKS:
		return row(d, "network", name, 0, "on for %s; the host's own is off", bridge);
	case FORWARDING_PART:
		return row(d, "network", name, 1,
			   "'%s' does not forward: no answers reach containers from there\t"
			   "sysctl -w %s=1 (the next start does it)",
			   closed, key);
	case FORWARDING_OFF:
		break;
	}
	if (r == -ENODEV)
		return row(d, "network", name, 0, "off until the first container starts");
	return row(d, "network", name, 1, "off for %s\tsysctl -w %s=1 (the next start does it)",
		   bridge, key);
}

static int check_firewalls(const struct doctor *d, const char *bridge)
{
	cleanup_strlist struct strlist found = { 0 };
	struct lxmgr_err err = { 0 };
	int r = 0;

	if (firewall_forward_look(bridge, &found, &err) < 0)
		return row(d, "network", "firewall", 1, "cannot be looked at: %s", err.text);
	if (!found.n)
		return row(d, "network", "firewall", 0, "none drops what the bridge forwards");
	for (size_t i = 0; i < found.n && r == 0; i++)
		r = row(d, "network", "firewall", 1, "%s", found.v[i]);
	return r;
}

static int check_network(const struct doctor *d)
{
	struct bridge_conf conf = { .name = "lxmgrbr0" };
	int r = check_trials(d, "network");

	if (bridge_conf_read(&conf, NULL) < 0)
		log_debug("no networks are chosen yet, ignoring");
	if (r == 0)
		r = check_firewalls(d, conf.name);
	if (r == 0)
		r = check_forwarding(d, conf.name, AF_INET);
	if (r == 0)
		r = check_forwarding(d, conf.name, AF_INET6);
	if (r == 0)
		r = check_nat(d);
	return r == 0 ? check_resolver(d) : r;
}

/* Values that many containers run into. */
static const struct {
	const char *file, *name;
	uint64_t least;
} sysctls[] = {
	{ "/proc/sys/fs/inotify/max_user_instances", "fs.inotify.max_user_instances", 1024 },
	{ "/proc/sys/kernel/keys/maxkeys", "kernel.keys.maxkeys", 2000 },
	{ "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", 1024 },
	{ "/proc/sys/net/ipv4/neigh/default/gc_thresh3", "net.ipv4.neigh.default.gc_thresh3",
	  4096 },
};

static int check_sysctls(const struct doctor *d)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sysctls) && r == 0; i++) {
		char buf[32];
		uint64_t v;

		if (read_small(AT_FDCWD, sysctls[i].file, buf, sizeof(buf)) < 0 ||
		    parse_u64(buf, &v) < 0)
			continue;
		if (v >= sysctls[i].least)
			r = row(d, "sysctls", sysctls[i].name, 0, "%s", buf);
		else
			r = row(d, "sysctls", sysctls[i].name, 1,
				"%s is little for tens of containers\tsysctl -w %s=%llu", buf,
				sysctls[i].name, (unsigned long long)sysctls[i].least);
	}
	return r;
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

static int check_programs(const struct doctor *d)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(programs) && r == 0; i++)
		r = run_has_program(programs[i].program)
			    ? row(d, "programs", programs[i].program, 0, "found")
			    : row(d, "programs", programs[i].program, 1,
				  "missing: %s\tapt install %s", programs[i].what,
				  programs[i].package);
	return r;
}

static int check_disk(const struct doctor *d)
{
	struct statvfs s;
	unsigned long long mib;

	mkdir_p(STATEDIR, 0711);
	if (statvfs(STATEDIR, &s) < 0)
		return row(d, "storage", "space", 1, "%s: %s", STATEDIR, strerror(errno));
	mib = (unsigned long long)s.f_bavail * s.f_frsize >> 20;
	return row(d, "storage", "space", mib < 1024, "%llu MiB free in %s\tfree some space", mib,
		   STATEDIR);
}

int lxmgr_doctor(int (*fn)(const struct lxmgr_check *check, void *arg), void *arg,
		 struct lxmgr_err *err)
{
	const struct doctor d = { fn, arg };
	int r = check_kernel(&d);

	if (r == 0)
		r = check_trials(&d, "kernel");
	if (r == 0)
		r = check_cgroup(&d);
	if (r == 0)
		r = check_trials(&d, "storage");
	if (r == 0)
		r = check_disk(&d);
	if (r == 0)
		r = check_network(&d);
	if (r == 0)
		r = check_security(&d);
	if (r == 0)
		r = check_sysctls(&d);
	if (r == 0)
		r = check_programs(&d);
	return r < 0 ? err_set(err, r, "look at the host") : 0;
}

static const struct {
	const char *option, *what;
	int bad;
} options[] = {
	{ "CONFIG_NAMESPACES", "namespaces", 2 },
	{ "CONFIG_USER_NS", "user namespaces", 2 },
	{ "CONFIG_PID_NS", "pid namespaces", 2 },
	{ "CONFIG_NET_NS", "network namespaces", 2 },
	{ "CONFIG_UTS_NS", "host names", 2 },
	{ "CONFIG_IPC_NS", "IPC namespaces", 2 },
	{ "CONFIG_TIME_NS", "clock offsets", 1 },
	{ "CONFIG_CGROUPS", "cgroups", 2 },
	{ "CONFIG_CGROUP_PIDS", "process limit", 2 },
	{ "CONFIG_MEMCG", "memory limit", 2 },
	{ "CONFIG_CFS_BANDWIDTH", "CPU limit", 1 },
	{ "CONFIG_CGROUP_BPF", "device rules on cgroup v2", 1 },
	{ "CONFIG_SECCOMP_FILTER", "seccomp", 2 },
	{ "CONFIG_OVERLAY_FS", "backend overlay", 1 },
	{ "CONFIG_VETH", "veth", 2 },
	{ "CONFIG_BRIDGE", "bridges", 2 },
	{ "CONFIG_NF_TABLES", "NAT", 1 },
	{ "CONFIG_NFT_MASQ", "NAT", 1 },
	{ "CONFIG_NET_CLS_BPF", "anti-spoofing", 2 },
	{ "CONFIG_NET_SCH_INGRESS", "anti-spoofing", 2 },
	{ "CONFIG_MACVLAN", "macvlan", 1 },
	{ "CONFIG_IPVLAN", "ipvlan", 1 },
	{ "CONFIG_VLAN_8021Q", "vlan", 1 },
	{ "CONFIG_FUSE_FS", "FUSE in containers", 1 },
	{ "CONFIG_SECURITY_APPARMOR", "AppArmor", 1 },
	{ "CONFIG_CHECKPOINT_RESTORE", "checkpoints", 1 },
};

static int read_config(const char *file, char **ret, struct lxmgr_err *err)
{
	struct run_opts o = RUN_OPTS_INIT;
	const char *argv[] = { "zcat", "-f", "--", file, NULL };
	char guess[300];
	struct utsname u;
	int r;

	if (!file && access("/proc/config.gz", R_OK) == 0)
		file = "/proc/config.gz";
	if (!file && uname(&u) == 0) {
		snprintf(guess, sizeof(guess), "/boot/config-%s", u.release);
		file = guess;
	}
	argv[3] = file;
	o.capture = 4 << 20;
	o.timeout_ms = 30000;
	r = file && access(file, R_OK) == 0 ? run_program(argv, &o, ret) : -ENOENT;
	if (r != 0)
		return err_msg(err, -ENOENT,
			       "the kernel's configuration cannot be read (%s); name a file with "
			       "CONFIG=FILE",
			       file ? file : "?");
	return 0;
}

int lxmgr_checkconfig(const char *file, int (*fn)(const struct lxmgr_check *check, void *arg),
		      void *arg, struct lxmgr_err *err)
{
	const struct doctor d = { fn, arg };
	cleanup_free char *text = NULL;
	int r = read_config(file, &text, err);

	for (size_t i = 0; i < ARRAY_SIZE(options) && r == 0; i++) {
		char line[80];
		const char *p;

		snprintf(line, sizeof(line), "\n%s=", options[i].option);
		p = text ? strstr(text, line) : NULL;
		if (p && (p[strlen(line)] == 'y' || p[strlen(line)] == 'm'))
			r = row(&d, "kernel configuration", options[i].option, 0, "%s: %s",
				options[i].what,
				p[strlen(line)] == 'y' ? "built in" : "as a module");
		else
			r = row(&d, "kernel configuration", options[i].option, options[i].bad,
				"%s: not set\ta kernel with %s", options[i].what,
				options[i].option);
	}
	return r;
}
