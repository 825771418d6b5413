/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* macvlan, ipvlan and vlan: a child of a host interface, made in the container's namespace. */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "net/net_types.h"
#include "util/err.h"

static int check_link(const struct net_spec *n, struct lxmgr_err *err)
{
	if (!*n->link)
		return err_msg(err, -EINVAL, "an interface of type %s needs lxmgr.net.%u.link",
			       net_types[n->type]->name, n->index);
	return 0;
}

/* Kernels before 6.14 look for the name in the host's namespace too, where an eth0 is nothing rare:
 * it is made under a random one and renamed inside. */
static int create_renamed(struct netlink *nl, const struct link_new *l, const char *name,
			  struct lxmgr_err *err)
{
	struct netlink *inside = NULL;
	struct link_new renamed = *l;
	char temporary[IFNAMSIZ];
	struct link_info made;
	uint32_t x;
	int r;

	if (getrandom(&x, sizeof(x), 0) != sizeof(x))
		return err_set(err, -EIO, "random number");
	snprintf(temporary, sizeof(temporary), "lxm%08x", x);
	renamed.name = temporary;
	r = link_create(nl, &renamed);
	if (r < 0)
		return r;
	r = netlink_open_in(l->ns_fd, &inside, err);
	if (r < 0)
		return r;
	r = link_get(inside, temporary, &made);
	if (r == 0)
		r = link_rename(inside, made.index, name);
	netlink_close(inside);
	return r;
}

static int create(struct netlink *nl, const struct net_spec *n, int netns_fd, struct net_live *live,
		  struct link_new *l, struct lxmgr_err *err)
{
	struct link_info parent;
	int64_t end = 0;
	int r = net_parent(nl, n, &parent, err);

	if (r < 0)
		return r;
	l->name = live->name;
	l->parent = parent.index;
	l->mtu = n->mtu;
	l->ns_fd = netns_fd;
	l->mac = n->has_mac && strcmp(l->kind, "ipvlan") != 0 ? n->mac : NULL;
	r = link_create(nl, l);
	while (net_try_again(r, -EEXIST, &end))
		r = create_renamed(nl, l, live->name, err);
	if (r == -EOPNOTSUPP)
		return err_msg(err, r, "this kernel has no interfaces of type %s", l->kind);
	return r < 0 ? net_fail(nl, r, err, "make an interface on", n->link) : 0;
}

static int macvlan_create(struct netlink *nl, const struct net_spec *n, int netns_fd,
			  struct net_live *live, struct lxmgr_err *err)
{
	static const uint32_t modes[] = {
		[NET_MACVLAN_PRIVATE] = MACVLAN_MODE_PRIVATE,
		[NET_MACVLAN_VEPA] = MACVLAN_MODE_VEPA,
		[NET_MACVLAN_BRIDGE] = MACVLAN_MODE_BRIDGE,
		[NET_MACVLAN_PASSTHRU] = MACVLAN_MODE_PASSTHRU,
	};
	struct link_new l = { .kind = "macvlan", .mode = modes[n->macvlan_mode] };

	return create(nl, n, netns_fd, live, &l, err);
}

const struct net_ops net_macvlan = { .name = "macvlan",
				     .check = check_link,
				     .create = macvlan_create };

static int ipvlan_check(const struct net_spec *n, struct lxmgr_err *err)
{
	if (n->has_mac)
		return err_msg(err, -EINVAL, "an ipvlan has its parent's MAC (lxmgr.net.%u.hwaddr)",
			       n->index);
	return check_link(n, err);
}

static int ipvlan_create(struct netlink *nl, const struct net_spec *n, int netns_fd,
			 struct net_live *live, struct lxmgr_err *err)
{
	static const uint32_t modes[] = { [NET_IPVLAN_L3] = IPVLAN_MODE_L3,
					  [NET_IPVLAN_L3S] = IPVLAN_MODE_L3S,
					  [NET_IPVLAN_L2] = IPVLAN_MODE_L2 };
	static const uint16_t flags[] = { [NET_IPVLAN_BRIDGE] = 0,
					  [NET_IPVLAN_PRIVATE] = IPVLAN_F_PRIVATE,
					  [NET_IPVLAN_VEPA] = IPVLAN_F_VEPA };
	struct link_new l = { .kind = "ipvlan",
			      .mode = modes[n->ipvlan_mode],
			      .flags = flags[n->ipvlan_isolation] };
	int r = create(nl, n, netns_fd, live, &l, err);

	if (r == 0 && n->l2proxy)
		r = l2proxy_add(nl, n, err);
	/* The interface itself goes with the namespace. */
	if (r < 0 && n->l2proxy)
		l2proxy_del(nl, n);
	return r;
}

static void ipvlan_destroy(struct netlink *nl, const struct net_spec *n,
			   const struct net_live *live, int netns_fd)
{
	if (n && n->l2proxy)
		l2proxy_del(nl, n);
}

const struct net_ops net_ipvlan = {
	.name = "ipvlan", .check = ipvlan_check, .create = ipvlan_create, .destroy = ipvlan_destroy
};

static int vlan_check(const struct net_spec *n, struct lxmgr_err *err)
{
	if (!n->vlan_id)
		return err_msg(err, -EINVAL, "an interface of type vlan needs lxmgr.net.%u.vlan.id",
			       n->index);
	return check_link(n, err);
}

static int vlan_create(struct netlink *nl, const struct net_spec *n, int netns_fd,
		       struct net_live *live, struct lxmgr_err *err)
{
	struct link_new l = { .kind = "vlan", .vlan_id = n->vlan_id };

	return create(nl, n, netns_fd, live, &l, err);
}

const struct net_ops net_vlan = { .name = "vlan", .check = vlan_check, .create = vlan_create };

const struct net_ops net_empty = { .name = "empty" };
const struct net_ops net_none = { .name = "none" };
