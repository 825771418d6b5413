/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of types, checks over all interfaces, and what happens inside the container. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "net/net_types.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define LAST_RUN_MS 3000

const struct net_ops *const net_types[NET_TYPES] = {
	[NET_EMPTY] = &net_empty,     [NET_NONE] = &net_none,	  [NET_VETH] = &net_veth,
	[NET_MACVLAN] = &net_macvlan, [NET_IPVLAN] = &net_ipvlan, [NET_PHYS] = &net_phys,
	[NET_VLAN] = &net_vlan,
};

int net_fail(struct netlink *nl, int r, struct lxmgr_err *err, const char *what, const char *name)
{
	err_set(err, r, "%s '%s'", what, name);
	if (*netlink_why(nl))
		err_hint(err, "%s", netlink_why(nl));
	return r;
}

bool net_try_again(int r, int busy, int64_t *end)
{
	if (r != busy)
		return false;
	if (!*end)
		*end = now_ms() + LAST_RUN_MS;
	poll(NULL, 0, 5);
	return now_ms() < *end;
}

int net_parent(struct netlink *nl, const struct net_spec *n, struct link_info *ret,
	       struct lxmgr_err *err)
{
	int r;

	if (!*n->link)
		return err_msg(err, -EINVAL, "an interface of type %s needs lxmgr.net.%u.link",
			       net_types[n->type]->name, n->index);
	r = link_get(nl, n->link, ret);
	if (r == -ENODEV)
		return err_msg(err, r, "the interface '%s' does not exist (lxmgr.net.%u.link)",
			       n->link, n->index);
	return r < 0 ? net_fail(nl, r, err, "look up", n->link) : 0;
}

const char *net_inside_name(const struct net_spec *n, char buf[IFNAMSIZ])
{
	if (*n->name || n->type == NET_PHYS)
		snprintf(buf, IFNAMSIZ, "%s", *n->name ? n->name : n->link);
	else
		snprintf(buf, IFNAMSIZ, "eth%u", n->index % 10000);
	return buf;
}

int net_check(const struct net_spec *specs, size_t n, struct lxmgr_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct net_ops *ops = net_types[specs[i].type];
		int r = ops->check ? ops->check(&specs[i], err) : 0;

		if (r == 0)
			r = l2proxy_check(&specs[i], err);
		if (r == 0)
			r = net_rate_check(&specs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct link_address {
	int ifindex;
	struct net_addr found[2]; /* IPv4, IPv6 */
};

static int find_address(int ifindex, const struct net_addr *a, int scope, void *data)
{
	struct link_address *l = data;
	struct net_addr *slot = &l->found[a->family == AF_INET6];

	/* The first one; of IPv6 rather a global than the link-local one. */
	if (ifindex == l->ifindex &&
	    (!slot->family || (a->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&slot->v6))))
		*slot = *a;
	return 0;
}

static int resolve_auto(struct netlink *nl, struct net_spec *n, struct lxmgr_err *err)
{
	struct link_address l = { 0 };
	struct link_info link = { 0 };
	int r = net_parent(nl, n, &link, err);

	if (r < 0)
		return r;
	l.ifindex = link.index;
	r = addr_list(nl, find_address, &l);
	if (r < 0)
		return err_set(err, r, "addresses of '%s' (lxmgr.net.%u.link)", n->link, n->index);
	for (int i = 0; i < 2; i++) {
		enum net_gateway *mode = i ? &n->gw6_mode : &n->gw4_mode;

		if (*mode != NET_GW_AUTO)
			continue;
		if (!l.found[i].family)
			return err_msg(err, -EADDRNOTAVAIL,
				       "'%s' has no address to be the gateway "
				       "(lxmgr.net.%u.%s.gateway = auto)",
				       n->link, n->index, i ? "ipv6" : "ipv4");
		*mode = NET_GW_ADDR;
		*(i ? &n->gw6 : &n->gw4) = l.found[i];
	}
	return 0;
}

int net_resolve(struct netlink *nl, struct net_spec *specs, size_t n, struct lxmgr_err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (specs[i].gw4_mode == NET_GW_AUTO || specs[i].gw6_mode == NET_GW_AUTO)
			r = resolve_auto(nl, &specs[i], err);
	return r;
}

bool net_default_mac(const struct net_spec *spec, const char *tag, uint8_t mac[6])
{
	unsigned long long h = str_hash(tag, strlen(tag)) + spec->index * 0x9e3779b97f4a7c15ULL;

	if (spec->has_mac || (spec->type != NET_VETH && spec->type != NET_MACVLAN))
		return false;
	memcpy(mac, (const uint8_t[]){ 0x10, 0x66, 0x6a }, 3);
	memcpy(mac + 3, &h, 3);
	return true;
}

static struct net_spec with_mac(const struct net_spec *spec, const char *tag)
{
	struct net_spec n = *spec;

	n.has_mac |= net_default_mac(spec, tag, n.mac);
	return n;
}

int net_preload(const struct net_spec *spec, const char *tag, struct lxmgr_err *err)
{
	const struct net_ops *ops = net_types[spec->type];
	struct net_spec n = with_mac(spec, tag);

	return ops->preload ? ops->preload(&n, err) : -ENOENT;
}

int net_create(struct netlink *nl, const struct net_spec *spec, int netns_fd, const char *tag,
	       struct net_live *live, struct lxmgr_err *err)
{
	const struct net_ops *ops = net_types[spec->type];
	struct net_spec n = with_mac(spec, tag);

	memset(live, 0, sizeof(*live));
	net_inside_name(spec, live->name);
	return ops->create ? ops->create(nl, &n, netns_fd, live, err) : 0;
}

void net_destroy(struct netlink *nl, enum net_type type, const struct net_spec *spec,
		 const struct net_live *live, int netns_fd)
{
	if (net_types[type]->destroy)
		net_types[type]->destroy(nl, spec, live, netns_fd);
}

static int add_gateway(struct netlink *nl, int index, const struct net_spec *n,
		       enum net_gateway mode, const struct net_addr *gw, int family,
		       struct lxmgr_err *err)
{
	struct net_addr any = { .family = family }, host = *gw;
	bool reachable = false;
	int r = 0;

	if (mode == NET_GW_NONE)
		return 0;
	if (mode == NET_GW_AUTO)
		return err_msg(err, -EINVAL, "the gateway of net.%u was not resolved", n->index);
	if (mode == NET_GW_DEV) {
		any.prefix = 0;
		r = route_add(nl, index, &any, NULL);
		return r < 0 ? net_fail(nl, r, err, "add the default route of", n->link) : 0;
	}
	for (size_t i = 0; i < n->n_addr; i++)
		reachable |= net_addr_contains(&n->addr[i], gw);
	if (!reachable) {
		/* Router mode: the gateway is told to be on the link. */
		host.prefix = family == AF_INET ? 32 : 128;
		r = route_add(nl, index, &host, NULL);
	}
	if (r == 0)
		r = route_add(nl, index, NULL, gw);
	return r < 0 ? net_fail(nl, r, err, "add the default route of", n->name) : 0;
}

/* Namespaces here: the container's network. */
static int configure_one(struct netlink *nl, const struct net_spec *n, struct lxmgr_err *err)
{
	char name[IFNAMSIZ];
	struct link_info l;
	int64_t end = 0;
	int r;

	if (n->type == NET_EMPTY || n->type == NET_NONE)
		return 0;
	net_inside_name(n, name);
	r = link_get(nl, name, &l);
	if (r < 0)
		return net_fail(nl, r, err, "look up", name);
	if (n->has_mac && memcmp(l.mac, n->mac, 6) != 0) {
		r = link_set_mac(nl, l.index, n->mac);
		if (r < 0)
			return net_fail(nl, r, err, "set the MAC of", name);
	}
	if (n->mtu && l.mtu != n->mtu) {
		r = link_set_mtu(nl, l.index, n->mtu);
		if (r < 0)
			return net_fail(nl, r, err, "set the MTU of", name);
	}
	for (size_t i = 0; i < n->n_addr; i++) {
		do {
			r = addr_add(nl, l.index, &n->addr[i]);
		} while (net_try_again(r, -EADDRINUSE, &end));
		if (r < 0)
			return net_fail(nl, r, err, "add an address to", name);
	}
	if (!n->up && !n->n_addr && n->type != NET_VETH)
		return 0;
	do {
		r = link_set_up(nl, l.index, true);
	} while (net_try_again(r, -EADDRINUSE, &end));
	if (r < 0)
		return net_fail(nl, r, err, "set up", name);
	r = add_gateway(nl, l.index, n, n->gw4_mode, &n->gw4, AF_INET, err);
	return r < 0 ? r : add_gateway(nl, l.index, n, n->gw6_mode, &n->gw6, AF_INET6, err);
}

int net_configure_inside(const struct net_spec *specs, size_t n, struct lxmgr_err *err)
{
	struct netlink *nl = NULL;
	int r = netlink_open(&nl, err);

	if (r < 0)
		return r;
	/* lo has index 1 in every network namespace. */
	r = link_set_up(nl, 1, true);
	if (r < 0)
		net_fail(nl, r, err, "set up", "lo");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = configure_one(nl, &specs[i], err);
	netlink_close(nl);
	return r;
}
