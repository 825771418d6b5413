/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* l2proxy: the host answers for the container's addresses on the link to its neighbours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "net/net_types.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

/* In every network namespace. */
#define LO_INDEX 1

int l2proxy_check(const struct net_spec *n, struct lxmgr_err *err)
{
	bool router = n->type == NET_VETH && n->veth_mode == NET_VETH_ROUTER;

	if (!n->l2proxy)
		return 0;
	/* Elsewhere the container is on the link itself, or there is no route to it: without one
	 * the host answers for nobody. */
	if (n->type == NET_IPVLAN && n->ipvlan_mode != NET_IPVLAN_L3S)
		return err_msg(err, -EOPNOTSUPP,
			       "lxmgr.net.%u.l2proxy works with lxmgr.net.%u.ipvlan.mode = l3s",
			       n->index, n->index);
	if (!router && n->type != NET_IPVLAN)
		return err_msg(err, -EOPNOTSUPP,
			       "lxmgr.net.%u.l2proxy works with type ipvlan, or veth in router "
			       "mode (lxmgr.net.%u.veth.mode = router), not with %s",
			       n->index, n->index,
			       n->type == NET_VETH ? "bridge mode" : net_types[n->type]->name);
	if (!*n->link)
		return err_msg(err, -EINVAL, "lxmgr.net.%u.l2proxy needs lxmgr.net.%u.link",
			       n->index, n->index);
	return 0;
}

static int need_sysctl(const struct net_spec *n, const char *family, const char *key,
		       struct lxmgr_err *err)
{
	char path[128], value[8];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, n->link, key);
	if (read_small(AT_FDCWD, path, value, sizeof(value)) > 0 && *value != '0')
		return 0;
	return err_msg(err, -EINVAL,
		       "lxmgr.net.%u.l2proxy needs the host to answer and forward on '%s': "
		       "sysctl -w net.%s.conf.%s.%s=1",
		       n->index, n->link, family, n->link, key);
}

static struct net_addr host_of(const struct net_addr *a)
{
	struct net_addr host = *a;

	host.prefix = a->family == AF_INET ? 32 : 128;
	return host;
}

static int add_one(struct netlink *nl, const struct net_spec *n, int link, const struct net_addr *a,
		   struct lxmgr_err *err)
{
	struct net_addr host = host_of(a);
	bool v4 = a->family == AF_INET;
	/* What that needs of the link is the administrator's to switch on: it makes the host a
	 * router there. */
	int r = need_sysctl(n, v4 ? "ipv4" : "ipv6", "forwarding", err);

	if (r == 0 && !v4)
		r = need_sysctl(n, "ipv6", "proxy_ndp", err);
	if (r < 0)
		return r;
	/* The kernel answers only for what it would send on by another link. An ipvlan takes its
	 * packets before they are routed, so any other will do; veth has its own route. */
	if (n->type == NET_IPVLAN)
		r = route_add(nl, LO_INDEX, &host, NULL);
	if (r == 0)
		r = neigh_proxy_add(nl, link, a);
	return r < 0 ? net_fail(nl, r, err, "answer for the container on", n->link) : 0;
}

int l2proxy_add(struct netlink *nl, const struct net_spec *n, struct lxmgr_err *err)
{
	struct link_info parent;
	int r = net_parent(nl, n, &parent, err);

	for (size_t i = 0; i < n->n_addr && r == 0; i++)
		r = add_one(nl, n, parent.index, &n->addr[i], err);
	return r;
}

static void warn(int r, const struct net_spec *n)
{
	if (r < 0 && r != -ENOENT && r != -ESRCH)
		log_warn("take back the answers for a container on '%s': %s, ignoring", n->link,
			 strerror(-r));
}

void l2proxy_del(struct netlink *nl, const struct net_spec *n)
{
	struct link_info parent;
	bool has_link = link_get(nl, n->link, &parent) == 0;

	for (size_t i = 0; i < n->n_addr; i++) {
		struct net_addr host = host_of(&n->addr[i]);

		if (has_link)
			warn(neigh_proxy_del(nl, parent.index, &n->addr[i]), n);
		if (n->type == NET_IPVLAN)
			warn(route_del(nl, LO_INDEX, &host), n);
	}
}
