/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the types of interfaces share. Private to net/. */
#ifndef LXMGR_NET_NET_TYPES_H
#define LXMGR_NET_NET_TYPES_H

#include "net/net.h"

extern const struct net_ops net_empty, net_none, net_veth, net_macvlan, net_ipvlan, net_phys,
	net_vlan;

/* Fill err for a refused request, with the kernel's own words; returns r. */
int net_fail(struct netlink *nl, int r, struct lxmgr_err *err, const char *what, const char *name);
/* The MAC of a macvlan, the address of an ipvlan and the id of a vlan are in use until the
 * namespace of the container's last run is gone, which the kernel sees to behind its end. True
 * after a pause, for up to three seconds, if that may be what r, the error `busy`, says. *end is 0
 * at first. */
bool net_try_again(int r, int busy, int64_t *end);
/* The interface that n->link names. */
int net_parent(struct netlink *nl, const struct net_spec *n, struct link_info *ret,
	       struct lxmgr_err *err);
/* The name inside, in buf. */
const char *net_inside_name(const struct net_spec *n, char buf[IFNAMSIZ]);

/* l2proxy of types ipvlan and veth (net/l2proxy.c): the entries belong to the link, and the routes
 * to the host: they do not go with the container's interface. del takes what is there. */
int l2proxy_check(const struct net_spec *n, struct lxmgr_err *err);
int l2proxy_add(struct netlink *nl, const struct net_spec *n, struct lxmgr_err *err);
void l2proxy_del(struct netlink *nl, const struct net_spec *n);

#endif
