/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files in the guest, so that its own network service keeps the addresses that the host sets. The
 * guest shapes its tree: every path is resolved inside the root, files are replaced and never
 * written through.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/net_types.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define MARKER "# Written by lxmgr; remove this line to keep your own."

static bool exists(int root, const char *path)
{
	cleanup_fd int fd = open_in(root, path, OPEN_IN_ROOT, O_PATH, 0);

	return fd >= 0;
}

/* What stands there now: 1 ours or absent, 0 somebody else's (or a link). */
static int may_write(int dir, const char *base, bool only_marked)
{
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -EBADF;
	struct stat st;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (!only_marked)
		return 1;
	fd = open_in(dir, base, OPEN_NO_LINKS, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0 || read_all(fd, 65536, &text, NULL) < 0)
		return 0;
	return strstr(text, MARKER) != NULL || !*str_strip(text);
}

/* A new file in place of the old one, below directories that exist. 0 also where it is not ours. */
static int put(int root, const char *path, const char *text, bool only_marked,
	       struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);
	int r;

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return err_set(err, dir, "open the directory of '%s' in the container", path);
	if (!may_write(dir, base, only_marked)) {
		log_debug("'%s' in the container is its own, it stays", path);
		return 0;
	}
	r = write_file_replace(dir, base, text, strlen(text), 0644);
	return r < 0 ? err_set(err, r, "write '%s' in the container", path) : 0;
}

static int networkd_file(int root, const struct net_spec *n, const struct strlist *dns,
			 struct lxmgr_err *err)
{
	char name[IFNAMSIZ], path[96];
	cleanup_strbuf struct strbuf b = { 0 };

	net_inside_name(n, name);
	strbuf_addf(&b,
		    MARKER "\n"
			   "# The host sets the addresses before init runs; this keeps them.\n"
			   "[Match]\nName=%s\n\n"
			   "[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n"
			   "KeepConfiguration=yes\n",
		    name);
	for (size_t i = 0; i < dns->n; i++)
		strbuf_addf(&b, "DNS=%s\n", dns->v[i]);
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	snprintf(path, sizeof(path), "etc/systemd/network/05-lxmgr-%s.network", name);
	return put(root, path, b.s, true, err);
}

static void ifupdown_stanza(struct strbuf *b, const struct net_spec *n)
{
	char name[IFNAMSIZ], buf[INET6_ADDRSTRLEN + 4];

	net_inside_name(n, name);
	strbuf_addf(b, "\nauto %s\niface %s inet manual\n\tup ip link set %s up\n", name, name,
		    name);
	for (size_t i = 0; i < n->n_addr; i++)
		strbuf_addf(b, "\tup ip %saddr replace %s dev %s%s\n",
			    n->addr[i].family == AF_INET6 ? "-6 " : "",
			    net_addr_print(&n->addr[i], false, buf), name,
			    n->addr[i].family == AF_INET6 ? " nodad" : "");
	if (n->gw4_mode == NET_GW_ADDR)
		strbuf_addf(b, "\tup ip route replace default via %s dev %s\n",
			    net_addr_print(&n->gw4, true, buf), name);
	if (n->gw6_mode == NET_GW_ADDR)
		strbuf_addf(b, "\tup ip -6 route replace default via %s dev %s\n",
			    net_addr_print(&n->gw6, true, buf), name);
}

/* Interfaces whose addresses the host sets. */
static bool is_host_set(const struct net_spec *n)
{
	return n->type != NET_EMPTY && n->type != NET_NONE && n->n_addr;
}

static int write_services(int root, const struct guest_net *g, const struct strlist *dns,
			  struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	bool any = false;
	int r = 0;

	strbuf_addf(&b, MARKER "\n"
			       "# The host sets the addresses before init runs; this keeps them.\n"
			       "auto lo\niface lo inet loopback\n");
	for (size_t i = 0; i < g->n_nets && r == 0; i++) {
		if (!is_host_set(&g->nets[i]))
			continue;
		any = true;
		if (exists(root, "etc/systemd/network"))
			r = networkd_file(root, &g->nets[i], dns, err);
		ifupdown_stanza(&b, &g->nets[i]);
	}
	if (r < 0 || !any || !exists(root, "etc/network"))
		return r;
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	return put(root, "etc/network/interfaces", b.s, true, err);
}

static int write_resolv(int root, const struct strlist *dns, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };

	if (!dns->n)
		return 0;
	strbuf_addf(&b, MARKER "\n");
	for (size_t i = 0; i < dns->n; i++)
		strbuf_addf(&b, "nameserver %s\n", dns->v[i]);
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	/* A link means that a service of the guest's manages it. */
	return put(root, "etc/resolv.conf", b.s, true, err);
}

static int write_hosts(int root, const char *hostname, struct lxmgr_err *err)
{
	char text[512], name[80];
	int r;

	snprintf(name, sizeof(name), "%s\n", hostname);
	r = put(root, "etc/hostname", name, false, err);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text),
		 MARKER "\n127.0.0.1\tlocalhost\n127.0.1.1\t%s\n"
			"::1\t\tlocalhost ip6-localhost ip6-loopback\n"
			"ff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n",
		 hostname);
	return put(root, "etc/hosts", text, true, err);
}

int guest_write_network(int rootfd, const struct guest_net *g, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist dns = { 0 };
	bool net = false;
	int r;

	for (size_t i = 0; g->nameservers && g->nameservers[i]; i++)
		if (strlist_add(&dns, g->nameservers[i]) < 0)
			return err_set(err, -ENOMEM, "guest files");
	if (!dns.n && host_nameservers_here(&dns) < 0)
		return err_set(err, -ENOMEM, "guest files");
	for (size_t i = 0; i < g->n_nets; i++)
		net |= is_host_set(&g->nets[i]);
	if (net && !dns.n)
		log_notice("no resolver for the container: the host's are on its loopback; name "
			   "some with lxmgr.nameserver");
	r = write_hosts(rootfd, g->hostname, err);
	if (r == 0)
		r = write_services(rootfd, g, &dns, err);
	return r < 0 || !net ? r : write_resolv(rootfd, &dns, err);
}
