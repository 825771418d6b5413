/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's network services: each is told to keep what the host set, in its own words. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/guest.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

#define NM_FILE "etc/NetworkManager/conf.d/05-lxmgr.conf"

bool guest_is_host_set(const struct net_spec *n)
{
	return n->type != NET_EMPTY && n->type != NET_NONE && n->n_addr;
}

/* What is the guest's own must not find our file of an earlier start: it forbids DHCP.
 * Before any other file of networkd's, netplan's in /run too: the first that matches counts. */
static int networkd_file(int root, const struct net_spec *n, const struct strlist *dns,
			 struct lxmgr_err *err)
{
	char name[IFNAMSIZ], path[96];
	cleanup_strbuf struct strbuf b = { 0 };

	net_inside_name(n, name);
	snprintf(path, sizeof(path), "etc/systemd/network/05-lxmgr-%s.network", name);
	if (!guest_is_host_set(n))
		return guest_drop(root, path, err);
	strbuf_addf(&b,
		    GUEST_MARKER "\n" GUEST_KEEPS "[Match]\nName=%s\n\n"
				 "[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n"
				 "KeepConfiguration=yes\n",
		    name);
	for (size_t i = 0; i < dns->n; i++)
		strbuf_addf(&b, "DNS=%s\n", dns->v[i]);
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	return guest_put(root, path, b.s, GUEST_PUT_MARKED, err);
}

/* Enabled: installed, and started by the guest's systemd. */
static bool has_resolved(int root)
{
	static const char *const links[] = {
		"etc/systemd/system/sysinit.target.wants/systemd-resolved.service",
		"etc/systemd/system/multi-user.target.wants/systemd-resolved.service",
		"etc/systemd/system/dbus-org.freedesktop.resolve1.service",
	};

	if (!guest_exists(root, "usr/lib/systemd/systemd-resolved") &&
	    !guest_exists(root, "lib/systemd/systemd-resolved"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (guest_has_entry(root, links[i]))
			return true;
	return false;
}

enum resolv_owner { RESOLV_FILE, RESOLV_RESOLVED, RESOLV_RESOLVCONF, RESOLV_OTHER };

/* A link in place of resolv.conf means that a service writes it; but only one that is there does.
 * What the link leads to now says nothing when it is below /run, which is empty at each boot. */
static enum resolv_owner resolv_owner(int root, bool nm_silent)
{
	char target[512];
	ssize_t n = -1;
	const char *base;
	cleanup_fd int etc = open_parent_in(root, "etc/resolv.conf", OPEN_IN_ROOT, &base);

	if (etc >= 0)
		n = readlinkat(etc, base, target, sizeof(target) - 1);
	if (n < 0)
		return RESOLV_FILE;
	target[n] = '\0';
	if (strstr(target, "systemd/resolve/"))
		return has_resolved(root) ? RESOLV_RESOLVED : RESOLV_FILE;
	if (strstr(target, "run/NetworkManager/"))
		return guest_exists(root, "usr/sbin/NetworkManager") && !nm_silent ? RESOLV_OTHER
										   : RESOLV_FILE;
	if (strstr(target, "resolvconf/"))
		return guest_exists(root, "sbin/resolvconf") ||
				       guest_exists(root, "usr/sbin/resolvconf")
			       ? RESOLV_RESOLVCONF
			       : RESOLV_FILE;
	return guest_exists(root, "etc/resolv.conf") ? RESOLV_OTHER : RESOLV_FILE;
}

/* NetworkManager leaves these interfaces alone. Where it has none of its own, it must not write an
 * empty resolv.conf either. */
static int nm_file(int root, const struct guest_net *g, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	char name[IFNAMSIZ];
	bool all = true, any = false;

	for (size_t i = 0; i < g->n_nets; i++)
		any |= guest_is_host_set(&g->nets[i]);
	if (!any)
		return guest_drop(root, NM_FILE, err);
	for (size_t i = 0; i < g->n_nets; i++)
		all &= guest_is_host_set(&g->nets[i]) || g->nets[i].type == NET_EMPTY;
	strbuf_addf(&b, GUEST_MARKER "\n" GUEST_KEEPS);
	if (all)
		strbuf_addf(&b, "[main]\ndns=none\n");
	for (size_t i = 0; i < g->n_nets; i++)
		if (guest_is_host_set(&g->nets[i])) {
			net_inside_name(&g->nets[i], name);
			strbuf_addf(&b,
				    "\n[device-lxmgr-%s]\nmatch-device=interface-name:%s\n"
				    "managed=0\n",
				    name, name);
		}
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	return guest_put(root, NM_FILE, b.s, GUEST_PUT_MARKED, err);
}

int guest_write_services(int root, const struct guest_net *g, const struct strlist *dns,
			 struct lxmgr_err *err)
{
	bool resolvconf = resolv_owner(root, true) == RESOLV_RESOLVCONF;
	int r = nm_file(root, g, err);

	for (size_t i = 0; i < g->n_nets && r == 0; i++)
		r = networkd_file(root, &g->nets[i], dns, err);
	return r < 0 ? r : guest_write_ifupdown(root, g, resolvconf ? dns : NULL, err);
}

/* Networkd's DNS= says the same, but not every guest with resolved has networkd. */
static int resolved_file(int root, const struct strlist *dns, struct lxmgr_err *err)
{
	static const char dir[] = "etc/systemd/resolved.conf.d";
	cleanup_fd int made = mkdir_in(root, dir, 0755, (uid_t)-1, (gid_t)-1);
	cleanup_strbuf struct strbuf b = { 0 };

	if (made < 0)
		log_info("the guest has something else at /%s, ignoring", dir);
	strbuf_addf(&b, GUEST_MARKER "\n[Resolve]\nDNS=");
	for (size_t i = 0; i < dns->n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", dns->v[i]);
	strbuf_addf(&b, "\n");
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	return guest_put(root, "etc/systemd/resolved.conf.d/05-lxmgr.conf", b.s, GUEST_PUT_MARKED,
			 err);
}

int guest_write_resolv(int root, const struct guest_net *g, const struct strlist *dns,
		       struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	bool nm_silent = true;

	for (size_t i = 0; i < g->n_nets; i++)
		nm_silent &= guest_is_host_set(&g->nets[i]) || g->nets[i].type == NET_EMPTY;
	switch (resolv_owner(root, nm_silent)) {
	case RESOLV_RESOLVED:
		return resolved_file(root, dns, err);
	case RESOLV_RESOLVCONF:
	case RESOLV_OTHER:
		return 0;
	case RESOLV_FILE:
		break;
	}
	strbuf_addf(&b, GUEST_MARKER "\n");
	for (size_t i = 0; i < dns->n; i++)
		strbuf_addf(&b, "nameserver %s\n", dns->v[i]);
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	return guest_put(root, "etc/resolv.conf", b.s, GUEST_PUT_LINK, err);
}
