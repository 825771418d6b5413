/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink.h"

static void parse_link(const struct nlmsghdr *h, struct link_info *ret)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(h);
	struct nlattr *a, *kind;
	int rest;

	memset(ret, 0, sizeof(*ret));
	ret->index = ifi->ifi_index;
	ret->flags = ifi->ifi_flags;
	nlmsg_for_each_attr(a, (struct nlmsghdr *)(uintptr_t)h, sizeof(*ifi), rest)
	{
		switch (nla_type(a)) {
		case IFLA_IFNAME:
			nla_strlcpy(ret->name, a, sizeof(ret->name));
			break;
		case IFLA_ADDRESS:
			if (nla_len(a) == 6)
				memcpy(ret->mac, nla_data(a), 6);
			break;
		case IFLA_MASTER:
			ret->master = (int)nla_get_u32(a);
			break;
		case IFLA_MTU:
			ret->mtu = nla_get_u32(a);
			break;
		case IFLA_LINKINFO:
			kind = nla_find(nla_data(a), nla_len(a), IFLA_INFO_KIND);
			if (kind)
				nla_strlcpy(ret->kind, kind, sizeof(ret->kind));
			break;
		case IFLA_STATS64:
			if ((size_t)nla_len(a) >= sizeof(struct rtnl_link_stats64)) {
				struct rtnl_link_stats64 st;

				memcpy(&st, nla_data(a), sizeof(st));
				ret->rx_bytes = st.rx_bytes;
				ret->tx_bytes = st.tx_bytes;
			}
			break;
		default:
			break;
		}
	}
}

static int take_link(const struct nlmsghdr *h, void *data)
{
	if (h->nlmsg_type == RTM_NEWLINK)
		parse_link(h, data);
	return 0;
}

int link_get(struct netlink *nl, const char *name, struct link_info *ret)
{
	const struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	const struct netlink_query q = {.type = RTM_GETLINK,
					.header = &ifi,
					.header_len = sizeof(ifi),
					.attr_str = IFLA_IFNAME,
					.str = name};

	return netlink_ask(nl, &q, take_link, ret);
}

int link_get_index(struct netlink *nl, int index, struct link_info *ret)
{
	const struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	const struct netlink_query q = {
		.type = RTM_GETLINK, .header = &ifi, .header_len = sizeof(ifi)};

	return netlink_ask(nl, &q, take_link, ret);
}

struct link_visit {
	int (*fn)(const struct link_info *, void *);
	void *data;
};

static int visit_link(const struct nlmsghdr *h, void *data)
{
	const struct link_visit *v = data;
	struct link_info info;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	parse_link(h, &info);
	return v->fn(&info, v->data);
}

int link_list(struct netlink *nl, int (*fn)(const struct link_info *, void *), void *data)
{
	const struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	const struct netlink_query q = {.type = RTM_GETLINK,
					.flags = NLM_F_DUMP,
					.header = &ifi,
					.header_len = sizeof(ifi)};
	struct link_visit v = {fn, data};

	return netlink_ask(nl, &q, visit_link, &v);
}

/* Fill an address from an attribute; false if it has the wrong length. */
static bool addr_from_attr(struct nlattr *a, int family, uint8_t prefix, struct net_addr *ret)
{
	size_t len = family == AF_INET ? 4 : 16;

	if ((size_t)nla_len(a) != len)
		return false;
	*ret = (struct net_addr){.family = family, .prefix = prefix};
	memcpy(family == AF_INET ? (void *)&ret->v4 : (void *)&ret->v6, nla_data(a), len);
	return true;
}

struct addr_visit {
	int (*fn)(int ifindex, const struct net_addr *, int scope, void *);
	void *data;
};

static int visit_addr(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *ifa = NLMSG_DATA(h);
	const struct addr_visit *v = data;
	struct nlattr *a;
	struct net_addr addr;

	if (h->nlmsg_type != RTM_NEWADDR ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return 0;
	/* On a point-to-point link IFA_ADDRESS is the other end. */
	a = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(*ifa), IFA_LOCAL);
	if (!a)
		a = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(*ifa), IFA_ADDRESS);
	if (!a || !addr_from_attr(a, ifa->ifa_family, ifa->ifa_prefixlen, &addr))
		return 0;
	return v->fn((int)ifa->ifa_index, &addr, ifa->ifa_scope, v->data);
}

int addr_list(struct netlink *nl,
	      int (*fn)(int ifindex, const struct net_addr *, int scope, void *), void *data)
{
	const struct ifaddrmsg ifa = {.ifa_family = AF_UNSPEC};
	const struct netlink_query q = {.type = RTM_GETADDR,
					.flags = NLM_F_DUMP,
					.header = &ifa,
					.header_len = sizeof(ifa)};
	struct addr_visit v = {fn, data};

	return netlink_ask(nl, &q, visit_addr, &v);
}

struct route_visit {
	int (*fn)(const struct net_addr *dst, int ifindex, void *);
	void *data;
};

static int visit_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = NLMSG_DATA(h);
	const struct route_visit *v = data;
	struct nlattr *dst, *oif;
	struct net_addr addr = {.family = rt->rtm_family};

	if (h->nlmsg_type != RTM_NEWROUTE || rt->rtm_table != RT_TABLE_MAIN ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6))
		return 0;
	dst = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(*rt), RTA_DST);
	oif = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(*rt), RTA_OIF);
	if (dst && !addr_from_attr(dst, rt->rtm_family, rt->rtm_dst_len, &addr))
		return 0;
	return v->fn(&addr, oif ? (int)nla_get_u32(oif) : 0, v->data);
}

int route_list(struct netlink *nl, int (*fn)(const struct net_addr *dst, int ifindex, void *),
	       void *data)
{
	const struct rtmsg rt = {.rtm_family = AF_UNSPEC};
	const struct netlink_query q = {
		.type = RTM_GETROUTE, .flags = NLM_F_DUMP, .header = &rt, .header_len = sizeof(rt)};
	struct route_visit v = {fn, data};

	return netlink_ask(nl, &q, visit_route, &v);
}

int link_delete(struct netlink *nl, int index)
{
	const struct ifinfomsg ifi = {.ifi_index = index};

	netlink_queue(nl, RTM_DELLINK, 0, &ifi, sizeof(ifi), "delete link %d", index);
	return netlink_flush(nl, NULL);
}

static void queue_flags(struct netlink *nl, int index, bool up, const char *name)
{
	const struct ifinfomsg ifi = {
		.ifi_index = index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP};

	netlink_queue(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "set '%s' %s", name,
		      up ? "up" : "down");
}

void link_queue_up(struct netlink *nl, int index, const char *name)
{
	queue_flags(nl, index, true, name);
}

int link_set_up(struct netlink *nl, int index, bool up)
{
	queue_flags(nl, index, up, "link");
	return netlink_flush(nl, NULL);
}

int link_set_master(struct netlink *nl, int index, int master)
{
	const struct ifinfomsg ifi = {.ifi_index = index};

	netlink_queue(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "attach link %d to %d", index, master);
	netlink_put_u32(nl, IFLA_MASTER, (uint32_t)master);
	return netlink_flush(nl, NULL);
}

int link_move(struct netlink *nl, int index, int ns_fd, const char *new_name)
{
	const struct ifinfomsg ifi = {.ifi_index = index};

	netlink_queue(nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "move link %d", index);
	netlink_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)ns_fd);
	if (new_name)
		netlink_put_str(nl, IFLA_IFNAME, new_name);
	return netlink_flush(nl, NULL);
}

void addr_queue(struct netlink *nl, int ifindex, const struct net_addr *a, bool replace)
{
	const struct ifaddrmsg ifa = {.ifa_family = (uint8_t)a->family,
				      .ifa_prefixlen = a->prefix,
				      .ifa_index = (uint32_t)ifindex,
				      .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0};
	struct in_addr broadcast = a->broadcast;
	char buf[INET6_ADDRSTRLEN + 4];

	netlink_queue(nl, RTM_NEWADDR, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), &ifa,
		      sizeof(ifa), "add address %s", net_addr_print(a, false, buf));
	netlink_put_addr(nl, IFA_LOCAL, a);
	netlink_put_addr(nl, IFA_ADDRESS, a);
	if (a->family != AF_INET)
		return;
	if (!broadcast.s_addr && a->prefix < 31)
		broadcast.s_addr = a->v4.s_addr | htonl(0xffffffffU >> a->prefix);
	if (broadcast.s_addr)
		netlink_put(nl, IFA_BROADCAST, &broadcast, 4);
}

int addr_add(struct netlink *nl, int ifindex, const struct net_addr *a)
{
	addr_queue(nl, ifindex, a, false);
	return netlink_flush(nl, NULL);
}

void route_queue(struct netlink *nl, int ifindex, const struct net_addr *dst,
		 const struct net_addr *gw)
{
	const struct rtmsg rt = {.rtm_family = (uint8_t)dst->family,
				 .rtm_dst_len = dst->prefix,
				 .rtm_table = RT_TABLE_MAIN,
				 .rtm_protocol = RTPROT_STATIC,
				 .rtm_scope = gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
				 .rtm_type = RTN_UNICAST};
	char to[INET6_ADDRSTRLEN + 4], via[INET6_ADDRSTRLEN + 4] = "";

	netlink_queue(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &rt, sizeof(rt),
		      "add route to %s%s%s", net_addr_print(dst, false, to), gw ? " via " : "",
		      gw ? net_addr_print(gw, true, via) : "");
	if (dst->prefix)
		netlink_put_addr(nl, RTA_DST, dst);
	netlink_put_u32(nl, RTA_OIF, (uint32_t)ifindex);
	if (gw)
		netlink_put_addr(nl, RTA_GATEWAY, gw);
}

static void queue_proxy(struct netlink *nl, int ifindex, const struct net_addr *a, bool add)
{
	const struct ndmsg nd = {.ndm_family = (uint8_t)a->family,
				 .ndm_ifindex = ifindex,
				 .ndm_state = NUD_PERMANENT,
				 .ndm_flags = NTF_PROXY};
	char buf[INET6_ADDRSTRLEN + 4];

	netlink_queue(nl, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
		      &nd, sizeof(nd), "%s neighbour proxy %s", add ? "add" : "delete",
		      net_addr_print(a, true, buf));
	netlink_put_addr(nl, NDA_DST, a);
}

void neigh_proxy_queue(struct netlink *nl, int ifindex, const struct net_addr *a)
{
	queue_proxy(nl, ifindex, a, true);
}

int neigh_proxy_delete(struct netlink *nl, int ifindex, const struct net_addr *a)
{
	queue_proxy(nl, ifindex, a, false);
	return netlink_flush(nl, NULL);
}
