/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this kernel can do, found by trying it in a child that goes away. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "container/doctor.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/netlink.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"

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
	enum doctor_result bad; /* where it fails */
	const char *cure;
} trials[] = {
	{ "kernel", "user namespaces", try_userns, DOCTOR_MISSING,
	  "sysctl -w user.max_user_namespaces=65536, or a kernel with CONFIG_USER_NS" },
	{ "kernel", "time namespaces", try_timens, DOCTOR_NOTICE, "a kernel with CONFIG_TIME_NS" },
	{ "storage", "idmapped mounts", try_idmapped, DOCTOR_MISSING,
	  "put /var/lib/lxmgr on ext4, xfs or btrfs, or use --privileged containers" },
	{ "storage", "overlay", try_overlay, DOCTOR_NOTICE,
	  "a kernel with CONFIG_OVERLAY_FS; else use -B dir" },
	{ "network", "veth", try_netns, DOCTOR_MISSING,
	  "a kernel with CONFIG_VETH and CONFIG_NET_NS" },
	{ "network", "macvlan", try_macvlan, DOCTOR_NOTICE, "a kernel with CONFIG_MACVLAN" },
	{ "network", "ipvlan", try_ipvlan, DOCTOR_NOTICE, "a kernel with CONFIG_IPVLAN" },
	{ "network", "vlan", try_vlan, DOCTOR_NOTICE, "a kernel with CONFIG_VLAN_8021Q" },
};

void doctor_trials(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		int r;

		if (!str_eq(trials[i].group, d->group))
			continue;
		d->name = trials[i].name;
		r = doctor_try(trials[i].fn);
		if (r == 0)
			doctor_say(d, DOCTOR_OK, "works");
		else
			doctor_say(d, trials[i].bad, "%s\t%s", strerror(-r), trials[i].cure);
	}
}
