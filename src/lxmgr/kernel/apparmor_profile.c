/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generated AppArmor profile, as text.
 *
 * An unprivileged container is held by its user namespace; the profile is a second fence around the
 * files that reach the host, and leaves mounts alone: whatever can be mounted there is the guest's
 * own, and a service manager mounts a lot. A privileged one has nothing but this: there, /proc and
 * /sys keep their names, so that the rules for their files hold. They are to be had at "/", and
 * below the two directories where systemd puts a service's root together.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/apparmor.h"
#include "util/cleanup.h"
#include "util/err.h"

/* Where /proc and /sys may be: "/", and below systemd's directory for a service's root. ANY is also
 * where copies of copies would be. */
#define SANDBOX "/run/systemd/{unit-root,mount-rootfs}"
#define TOP	"/{,run/systemd/{unit-root,mount-rootfs}/}"
#define ANY	"/{,run/systemd/**/}"

/* The language has no "all but": what is left of a name's characters spells it out. */
#define BUT_PROC_SYS_RUN                                                                   \
	"[^prs]*,p,p[^r]*,pr,pr[^o]*,pro,pro[^c]*,proc[^/]*,r,r[^u]*,ru,ru[^n]*,run[^/]*," \
	"s,s[^y]*,sy,sy[^s]*,sys[^/]*"
#define BUT_SYSTEMD                                                                           \
	"[^s]*,s[^y]*,sy[^s]*,sys[^t]*,syst[^e]*,syste[^m]*,system[^d]*,s,sy,sys,syst,syste," \
	"system,systemd[^/]*"

static const char *const always[] = {
	"file,",
	"capability,",
	"umount,",
	/* The host may signal and look; the guest only its like. (A name of its own here would make
	 * each container's profile one to be compiled.) */
	"signal (receive),",
	"signal (send) peer=lxmgr-**,",
	"ptrace (readby, tracedby),",
	"ptrace (read, trace) peer=lxmgr-**,",
	/* The kernel's knobs, but for those that belong to the container's namespaces. */
	"deny " ANY "proc/sysrq-trigger rwkl,",
	"deny " ANY "proc/kcore rwkl,",
	"deny " ANY "proc/{acpi,asound,bus,fs,irq,mtrr,scsi}{,/**} wkl,",
	"deny " ANY "proc/sys/{[^fkn]*,f[^s]*,k[^e]*,n[^e]*}{,/**} wkl,",
	"deny " ANY "proc/sys/fs/{[^bm]*,b[^i]*,m[^q]*}{,/**} wkl,",
	"deny " ANY "proc/sys/kernel/"
	"{[^dhms]*,d[^o]*,h[^o]*,ho[^s]*,m[^s]*,s[^eh]*,se[^m]*}{,/**} wkl,",
	"deny " ANY "sys/{[^df]*,d[^e]*,dev,f[^s]*}{,/**} wkl,",
	"deny " ANY "sys/devices/{[^v]*,v[^i]*}{,/**} wkl,",
	"deny " ANY "sys/devices/virtual/{[^n]*,n[^e]*}{,/**} wkl,",
	"deny " ANY "sys/fs/{[^bc]*,b[^p]*,c[^g]*}{,/**} wkl,",
	NULL,
};

static const char *const any_mount[] = { "mount,", "pivot_root,", NULL };

/* No user namespace: an interpreter registered there would be run on the host, and a tree that was
 * unmounted under its user has names that begin behind /proc or /sys. */
static const char *const privileged[] = {
	"deny " ANY "proc/sys/fs/b*/** wkl,",
	"deny /sysrq-trigger wkl,",
	"deny /{,sys/}{kernel,vm,power,module,firmware}/** wkl,",
	NULL,
};

/* None of these reaches a device or a setting of the host's; a remount of the file system itself
 * (without bind) would be the host's, too. */
static const char *const own_mounts[] = {
	"mount fstype=(autofs,cgroup2,devpts,fuse,fuse.*,hugetlbfs,mqueue,overlay,ramfs,"
	"tmpfs),",
	"mount fstype=proc -> " TOP "proc/,",
	"mount fstype=sysfs -> " TOP "sys/,",
	"mount fstype=fusectl -> " TOP "sys/fs/fuse/connections/,",
	"mount options=(move) " SANDBOX "/ -> /,",
	"pivot_root " SANDBOX "/,",
	NULL,
};

/* What may be bound and moved, and where to: all but /proc and /sys, and directories that hold
 * them.
 */
static const char *const own_files[] = {
	TOP "{" BUT_PROC_SYS_RUN "}{,/**}",
	TOP "run/{" BUT_SYSTEMD "}{,/**}",
	TOP "run/systemd/{[^mu]*,m[^o]*,u[^n]*,unit-[^r]*}{,/**}",
};

/* Bound on themselves by systemd (ProtectKernelTunables and its like), to be made read-only. */
static const char *const kept_names[] = {
	"proc/acpi/",
	"proc/asound/",
	"proc/bus/",
	"proc/fs/",
	"proc/irq/",
	"proc/kallsyms",
	"proc/kcore",
	"proc/kmsg",
	"proc/mtrr",
	"proc/latency_stats",
	"proc/scsi/",
	"proc/sys/",
	"proc/timer_stats",
	"proc/sysrq-trigger",
	"proc/sys/kernel/{host,domain}name",
	"sys/fs/cgroup/**",
	"sys/",
	"sys/firmware/",
	"sys/fs/bpf/",
	"sys/fs/cgroup/",
	"sys/kernel/debug/",
	"sys/kernel/tracing/",
};

static void add(struct strbuf *b, const char *const *lines)
{
	for (size_t i = 0; lines[i]; i++)
		strbuf_addf(b, "  %s\n", lines[i]);
}

static void add_bind(struct strbuf *b, const char *source, const char *target)
{
	/* Options in one rule would be added up by a parser before 4.0. */
	strbuf_addf(b, "  mount options=(bind) %s -> %s,\n", source, target);
	strbuf_addf(b, "  mount options=(rbind) %s -> %s,\n", source, target);
}

static void add_own_mounts(struct strbuf *b)
{
	static const char *const propagation[] = { "shared", "slave", "private", "unbindable" };

	add(b, own_mounts);
	add_bind(b, "/", SANDBOX "/");
	for (size_t i = 0; i < ARRAY_SIZE(own_files); i++) {
		add_bind(b, own_files[i], "/**");
		strbuf_addf(b, "  mount options=(move) %s -> /**,\n", own_files[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kept_names); i++) {
		char path[sizeof(TOP) + 64];

		snprintf(path, sizeof(path), TOP "%s", kept_names[i]);
		add_bind(b, path, path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(propagation); i++) {
		strbuf_addf(b, "  mount options=(make-%s),\n", propagation[i]);
		strbuf_addf(b, "  mount options=(make-r%s),\n", propagation[i]);
	}
}

/* A remount of a bind: its options must be met exactly, so all combinations stand here. */
static void add_remounts(struct strbuf *b)
{
	static const char *const flags[] = { "ro", "nosuid", "nodev", "noexec", "silent" };
	static const char *const times[] = { "",
					     ",relatime",
					     ",noatime",
					     ",strictatime",
					     ",nodiratime",
					     ",noatime,nodiratime",
					     ",relatime,nodiratime" };

	for (size_t t = 0; t < ARRAY_SIZE(times); t++)
		for (unsigned int set = 0; set < 1U << ARRAY_SIZE(flags); set++) {
			strbuf_addf(b, "  mount options=(remount,bind");
			for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
				if (set >> i & 1)
					strbuf_addf(b, ",%s", flags[i]);
			strbuf_addf(b, "%s),\n", times[t]);
		}
}

char *apparmor_profile_text(const struct apparmor_profile *p, unsigned int *ret_raw)
{
	cleanup_strbuf struct strbuf b = { 0 };

	strbuf_addf(&b, "profile \"%s\" flags=(attach_disconnected,mediate_deleted) {\n", p->name);
	add(&b, always);
	if (p->privileged)
		add(&b, privileged);
	if (!p->privileged || p->nesting) {
		add(&b, any_mount);
	} else {
		add_own_mounts(&b);
		add_remounts(&b);
	}
	*ret_raw = 1;
	for (size_t i = 0; i < b.len; i++)
		*ret_raw += b.s[i] == '\n';
	for (size_t i = 0; p->raw && i < p->raw->n; i++)
		strbuf_addf(&b, "  %s\n", p->raw->v[i]);
	strbuf_addf(&b, "}\n");
	return strbuf_take(&b);
}

int apparmor_check_raw(const char *line, struct lxmgr_err *err)
{
	bool quoted = false;
	int depth = 0;

	for (const char *p = line; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '{')
			depth++;
		else if (!quoted && *p == '}' && --depth < 0)
			break;
	}
	if (depth)
		return err_msg(
			err, -EINVAL,
			"a brace is not closed, or closed twice, in the same line: a raw line "
			"stays inside the profile");
	return quoted ? err_msg(err, -EINVAL, "a quote is not closed") : 0;
}

int apparmor_rename(const char *data, size_t len, const char *placeholder, const char *name,
		    char **ret, size_t *ret_len)
{
	size_t old = strlen(placeholder) + 1, new = strlen(name) + 1, head;
	const char *at = memmem(data, len, placeholder, old);
	char *p;

	/* In front of the bytes stands their number, NUL included, in two bytes, and before that 5,
	 * the type. */
	if (!at || at - data < 3 || (old - new) % 8 || new > 0xffff)
		return -EINVAL;
	head = (size_t)(at - data);
	if (at[-3] != 5 || (unsigned char)at[-2] != (old & 0xff) ||
	    (unsigned char)at[-1] != old >> 8 ||
	    memmem(at + old, len - head - old, placeholder, old - 1))
		return -EINVAL;
	p = malloc(len - old + new);
	if (!p)
		return -ENOMEM;
	memcpy(p, data, head);
	p[head - 2] = (char)(new & 0xff);
	p[head - 1] = (char)(new >> 8);
	memcpy(p + head, name, new);
	memcpy(p + head + new, at + old, len - head - old);
	*ret = p;
	*ret_len = len - old + new;
	return 0;
}
