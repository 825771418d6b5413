/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host forwards for its containers. A packet is forwarded if the interface it comes in by
 * does: the bridge for what containers send, the others for what comes back. The bridge is ours and
 * is switched on alone; the host as a whole becomes a router only where another interface would
 * not let answers in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/net_types.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

static void sysctl_path(char path[128], int family, const char *link, const char *key)
{
	snprintf(path, 128, "/proc/sys/net/%s/conf/%s/%s", family == AF_INET ? "ipv4" : "ipv6",
		 link, key);
}

/* 1 or more: on; 0: off; -ENOENT where the kernel has no such key. */
static int get(int family, const char *link, const char *key)
{
	char path[128], value[8];
	ssize_t n;

	sysctl_path(path, family, link, key);
	n = read_small(AT_FDCWD, path, value, sizeof(value));
	return n < 0 ? (int)n : *value != '0';
}

static int set(int family, const char *link, const char *key)
{
	char path[128];

	sysctl_path(path, family, link, key);
	return write_small(AT_FDCWD, path, "1");
}

/* IPv4 has a switch for each interface. IPv6's of that name only says who is a router; the one that
 * forwards came with 6.17, before that there is only the host's. */
static const char *link_key(int family)
{
	return family == AF_INET ? "forwarding" : "force_forwarding";
}

struct search {
	int family;
	const char *bridge;
	char *closed;
};

/* Ports of bridges are none of IP's; what is down brings no answers. */
static int see_closed(const struct link_info *l, void *data)
{
	struct search *s = data;

	if (!(l->flags & IFF_UP) || l->flags & IFF_LOOPBACK || l->master ||
	    str_eq(l->name, s->bridge) || get(s->family, l->name, link_key(s->family)) > 0)
		return 0;
	snprintf(s->closed, IFNAMSIZ, "%s", l->name);
	return 1;
}

enum forwarding forwarding_look(struct netlink *nl, const char *bridge, int family,
				char closed[IFNAMSIZ])
{
	struct search s = { .family = family, .bridge = bridge, .closed = closed };
	int host = get(family, "all", "forwarding"), own = get(family, bridge, link_key(family));

	closed[0] = '\0';
	/* A host without this family has nothing to forward. */
	if (host < 0)
		return FORWARDING_HOST;
	/* For IPv6 the host's switch is all that counts. */
	if (host && (own || family == AF_INET6))
		return FORWARDING_HOST;
	if (own <= 0)
		return FORWARDING_OFF;
	return link_list(nl, see_closed, &s) == 0 ? FORWARDING_LINKS : FORWARDING_PART;
}

/* With forwarding on, the kernel stops taking router advertisements where accept_ra is 1: the
 * host would lose the address it lives by. 2 means "although forwarding". */
static void keep_router_advertisements(void)
{
	cleanup_dir DIR *d = opendir("/proc/sys/net/ipv6/conf");
	struct dirent *e;
	char path[320], value[8];

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || str_eq(e->d_name, "all"))
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", e->d_name);
		if (read_small(AT_FDCWD, path, value, sizeof(value)) > 0 && *value == '1')
			write_small(AT_FDCWD, path, "2");
	}
}

static void ensure_host(int family, const char *why)
{
	const char *version = family == AF_INET ? "IPv4" : "IPv6";
	int r;

	log_notice("%s forwarding is switched on for the whole host (net.%s = 1): %s", version,
		   family == AF_INET ? "ipv4.ip_forward" : "ipv6.conf.all.forwarding", why);
	if (family == AF_INET6)
		keep_router_advertisements();
	r = set(family, "all", "forwarding");
	if (r < 0)
		log_warn("cannot enable %s forwarding: %s, ignoring", version, strerror(-r));
}

static void ensure_family(struct netlink *nl, const char *bridge, int family)
{
	char closed[IFNAMSIZ], why[96];
	enum forwarding have = forwarding_look(nl, bridge, family, closed);

	if (have == FORWARDING_OFF) {
		set(family, bridge, link_key(family));
		have = forwarding_look(nl, bridge, family, closed);
	}
	if (have == FORWARDING_OFF) {
		ensure_host(family, "this kernel cannot do it for the bridge alone");
	} else if (have == FORWARDING_PART) {
		snprintf(why, sizeof(why), "answers to the containers come in by '%s'", closed);
		ensure_host(family, why);
	}
}

void forwarding_ensure(struct netlink *nl, const char *bridge)
{
	ensure_family(nl, bridge, AF_INET);
	ensure_family(nl, bridge, AF_INET6);
}
