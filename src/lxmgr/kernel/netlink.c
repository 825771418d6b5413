/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/netlink_msg.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"

struct netlink {
	int fd;
	uint32_t seq;
	char why[160]; /* extended ack of the last refusal */
};

int netlink_open(struct netlink **ret, struct lxmgr_err *err)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	struct netlink *nl = calloc(1, sizeof(*nl));
	int one = 1, size = 1 << 20;

	if (!nl)
		return err_set(err, -ENOMEM, "netlink");
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (nl->fd < 0 || bind(nl->fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int r = err_set(err, -errno, "open a netlink socket");

		netlink_close(nl);
		return r;
	}
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret = nl;
	return 0;
}

int netlink_open_in(int ns_fd, struct netlink **ret, struct lxmgr_err *err)
{
	cleanup_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r, back;

	if (own < 0)
		return err_set(err, -errno, "open the own network namespace");
	r = sys_setns(ns_fd, CLONE_NEWNET);
	if (r < 0)
		return err_set(err, r, "enter the network namespace");
	r = netlink_open(ret, err);
	back = sys_setns(own, CLONE_NEWNET);
	/* Nothing may go on in the container's namespace by mistake. */
	if (back < 0)
		abort();
	return r;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	fd_close(&nl->fd);
	free(nl);
}

const char *netlink_why(const struct netlink *nl)
{
	return nl->why;
}

static int send_msg(struct netlink *nl, struct nl_msg *m, uint16_t flags)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };

	h->nlmsg_flags |= NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	h->nlmsg_pid = 0;
	return sendto(nl->fd, h, h->nlmsg_len, 0, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno
											: 0;
}

static void keep_why(struct netlink *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	size_t used = sizeof(*e);
	struct nlattr *attr;
	int rem;

	nl->why[0] = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		used += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	nla_for_each_attr (attr, (struct nlattr *)((char *)nlmsg_data(h) + used),
			   nlmsg_datalen(h) - (int)used, rem)
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			snprintf(nl->why, sizeof(nl->why), "%.*s", nla_len(attr),
				 (char *)nla_data(attr));
}

int netlink_talk(struct netlink *nl, struct nl_msg *m)
{
	char buf[8192];
	int r = m ? send_msg(nl, m, NLM_F_ACK) : -ENOMEM;

	nlmsg_free(m);
	while (r == 0) {
		ssize_t n = recv(nl->fd, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		int len = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (; nlmsg_ok(h, len); h = nlmsg_next(h, &len)) {
			if (h->nlmsg_seq != nl->seq || h->nlmsg_type != NLMSG_ERROR)
				continue;
			keep_why(nl, h);
			return ((struct nlmsgerr *)nlmsg_data(h))->error;
		}
	}
	return r;
}

int netlink_ask(struct netlink *nl, struct nl_msg *m, int (*fn)(struct nlmsghdr *, void *),
		void *data)
{
	struct nlmsghdr *h;
	char buf[16384];
	int r = m ? send_msg(nl, m, 0) : -ENOMEM;

	nlmsg_free(m);
	while (r == 0) {
		ssize_t n = recv(nl->fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		h = (struct nlmsghdr *)(void *)buf;
		if (h->nlmsg_seq != nl->seq)
			continue;
		return h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)nlmsg_data(h))->error
						    : fn(h, data);
	}
	return r;
}

int netlink_dump(struct netlink *nl, struct nl_msg *m, int (*fn)(struct nlmsghdr *, void *),
		 void *data)
{
	cleanup_free char *buf = malloc(65536);
	int r = m && buf ? send_msg(nl, m, NLM_F_DUMP) : -ENOMEM, result = 0;

	nlmsg_free(m);
	while (r == 0) {
		ssize_t n = recv(nl->fd, buf, 65536, 0);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		int len = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (; nlmsg_ok(h, len); h = nlmsg_next(h, &len)) {
			if (h->nlmsg_seq != nl->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return result;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)nlmsg_data(h))->error;
			/* The rest of the dump is read all the same: the socket stays usable. */
			if (result == 0)
				result = fn(h, data);
		}
	}
	return r;
}

struct nl_msg *netlink_msg(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (m && nlmsg_append(m, (void *)head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static struct nl_msg *link_msg(int type, int flags, int index, unsigned int up, unsigned int change)
{
	struct ifinfomsg head = { .ifi_index = index, .ifi_flags = up, .ifi_change = change };

	return netlink_msg(type, flags, &head, sizeof(head));
}

static void parse_link(struct nlmsghdr *h, struct link_info *l)
{
	const struct ifinfomsg *head = nlmsg_data(h);
	struct nlattr *attr, *sub, *info = NULL;
	int rem, rem2;

	memset(l, 0, sizeof(*l));
	l->index = head->ifi_index;
	l->flags = head->ifi_flags;
	nlmsg_for_each_attr (attr, h, sizeof(*head), rem) {
		switch (nla_type(attr)) {
		case IFLA_IFNAME:
			snprintf(l->name, sizeof(l->name), "%s", nla_get_string(attr));
			break;
		case IFLA_ADDRESS:
			if (nla_len(attr) == 6)
				memcpy(l->mac, nla_data(attr), 6);
			break;
		case IFLA_MASTER:
			l->master = (int)nla_get_u32(attr);
			break;
		case IFLA_MTU:
			l->mtu = nla_get_u32(attr);
			break;
		case IFLA_STATS64: {
			struct rtnl_link_stats64 st;

			if ((size_t)nla_len(attr) < offsetof(struct rtnl_link_stats64, rx_errors))
				break;
			memcpy(&st, nla_data(attr), offsetof(struct rtnl_link_stats64, rx_errors));
			l->rx_bytes = st.rx_bytes;
			l->tx_bytes = st.tx_bytes;
			break;
		}
		case IFLA_LINKINFO:
			nla_for_each_nested (sub, attr, rem2) {
				if (nla_type(sub) == IFLA_INFO_KIND)
					snprintf(l->kind, sizeof(l->kind), "%s",
						 nla_get_string(sub));
				else if (nla_type(sub) == IFLA_INFO_DATA)
					info = sub;
			}
			break;
		default:
			break;
		}
	}
	/* The same number means something else for each kind. */
	if (info && !strcmp(l->kind, "bridge"))
		nla_for_each_nested (sub, info, rem) {
			if (nla_type(sub) == IFLA_BR_VLAN_FILTERING)
				l->vlan_filtering = nla_get_u8(sub);
			l->vlan_aware |= nla_type(sub) == IFLA_BR_VLAN_PROTOCOL;
		}
}

struct link_visit {
	int (*fn)(const struct link_info *, void *);
	void *data;
};

static int visit_link(struct nlmsghdr *h, void *data)
{
	struct link_visit *v = data;
	struct link_info l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	parse_link(h, &l);
	return v->fn(&l, v->data);
}

int link_list(struct netlink *nl, int (*fn)(const struct link_info *, void *), void *data)
{
	struct link_visit v = { fn, data };

	return netlink_dump(nl, link_msg(RTM_GETLINK, 0, 0, 0, 0), visit_link, &v);
}

static int found_link(struct nlmsghdr *h, void *data)
{
	parse_link(h, data);
	return 0;
}

int link_get(struct netlink *nl, const char *name, struct link_info *ret)
{
	struct nl_msg *m = link_msg(RTM_GETLINK, 0, 0, 0, 0);

	if (m && nla_put_string(m, IFLA_IFNAME, name) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_ask(nl, m, found_link, ret);
}

struct addr_visit {
	int (*fn)(int, const struct net_addr *, int, void *);
	int (*route)(const struct net_addr *, void *);
	void *data;
};

static int visit_addr(struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *head = nlmsg_data(h);
	struct addr_visit *v = data;
	struct net_addr a = { .family = head->ifa_family, .prefix = head->ifa_prefixlen };
	bool local = false;
	struct nlattr *attr;
	int rem;

	if (h->nlmsg_type != RTM_NEWADDR || (a.family != AF_INET && a.family != AF_INET6))
		return 0;
	nlmsg_for_each_attr (attr, h, sizeof(*head), rem) {
		size_t len = a.family == AF_INET ? 4 : 16;

		/* On a point-to-point link IFA_ADDRESS is the peer's. */
		if ((nla_type(attr) != IFA_LOCAL && (nla_type(attr) != IFA_ADDRESS || local)) ||
		    (size_t)nla_len(attr) != len)
			continue;
		local |= nla_type(attr) == IFA_LOCAL;
		memcpy(&a.v6, nla_data(attr), len);
	}
	return v->fn((int)head->ifa_index, &a, head->ifa_scope, v->data);
}

int addr_list(struct netlink *nl,
	      int (*fn)(int ifindex, const struct net_addr *, int scope, void *), void *data)
{
	struct ifaddrmsg head = { .ifa_family = AF_UNSPEC };
	struct addr_visit v = { .fn = fn, .data = data };

	return netlink_dump(nl, netlink_msg(RTM_GETADDR, 0, &head, sizeof(head)), visit_addr, &v);
}

static int visit_route(struct nlmsghdr *h, void *data)
{
	const struct rtmsg *head = nlmsg_data(h);
	struct addr_visit *v = data;
	struct net_addr a = { .family = head->rtm_family, .prefix = head->rtm_dst_len };
	struct nlattr *attr;
	int rem;

	if (h->nlmsg_type != RTM_NEWROUTE || head->rtm_type != RTN_UNICAST || !head->rtm_dst_len)
		return 0;
	nlmsg_for_each_attr (attr, h, sizeof(*head), rem)
		if (nla_type(attr) == RTA_DST &&
		    nla_len(attr) == (head->rtm_family == AF_INET ? 4 : 16))
			memcpy(&a.v6, nla_data(attr), (size_t)nla_len(attr));
	return v->route(&a, v->data);
}

int route_list(struct netlink *nl, int (*fn)(const struct net_addr *, void *), void *data)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct addr_visit v = { .route = fn, .data = data };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct rtmsg head = { .rtm_family = families[i] };
		int r = netlink_dump(nl, netlink_msg(RTM_GETROUTE, 0, &head, sizeof(head)),
				     visit_route, &v);

		if (r)
			return r;
	}
	return 0;
}

int link_delete(struct netlink *nl, int index)
{
	return netlink_talk(nl, link_msg(RTM_DELLINK, 0, index, 0, 0));
}

int link_set_up(struct netlink *nl, int index, bool up)
{
	return netlink_talk(nl, link_msg(RTM_NEWLINK, 0, index, up ? IFF_UP : 0, IFF_UP));
}

static int link_attr(struct netlink *nl, int index, int attr, const void *data, int len)
{
	struct nl_msg *m = link_msg(RTM_NEWLINK, 0, index, 0, 0);

	if (m && nla_put(m, attr, len, data) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

int link_set_master(struct netlink *nl, int index, int master)
{
	return link_attr(nl, index, IFLA_MASTER, &master, sizeof(master));
}

int link_set_mtu(struct netlink *nl, int index, uint32_t mtu)
{
	return link_attr(nl, index, IFLA_MTU, &mtu, sizeof(mtu));
}

int link_rename(struct netlink *nl, int index, const char *name)
{
	return link_attr(nl, index, IFLA_IFNAME, name, (int)strlen(name) + 1);
}

int link_set_mac(struct netlink *nl, int index, const uint8_t mac[6])
{
	return link_attr(nl, index, IFLA_ADDRESS, mac, 6);
}

int link_move(struct netlink *nl, int index, int ns_fd, const char *new_name)
{
	struct nl_msg *m = link_msg(RTM_NEWLINK, 0, index, 0, 0);

	if (m && (nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)ns_fd) < 0 ||
		  (new_name && nla_put_string(m, IFLA_IFNAME, new_name) < 0))) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

int addr_add(struct netlink *nl, int ifindex, const struct net_addr *a)
{
	struct ifaddrmsg head = { .ifa_family = (unsigned char)a->family,
				  .ifa_prefixlen = a->prefix,
				  .ifa_flags = IFA_F_PERMANENT,
				  .ifa_index = (unsigned int)ifindex };
	int len = a->family == AF_INET ? 4 : 16;
	struct in_addr bc = a->broadcast;
	struct nl_msg *m;

	/* Nobody else can have it: without duplicate detection it is usable at once. */
	if (a->family == AF_INET6)
		head.ifa_flags |= IFA_F_NODAD;
	if (a->family == AF_INET && !bc.s_addr && a->prefix < 31)
		bc.s_addr = a->v4.s_addr | htonl(0xffffffffU >> a->prefix);
	m = netlink_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	if (m &&
	    (nla_put(m, IFA_LOCAL, len, &a->v6) < 0 || nla_put(m, IFA_ADDRESS, len, &a->v6) < 0 ||
	     (a->family == AF_INET && bc.s_addr && nla_put(m, IFA_BROADCAST, 4, &bc) < 0))) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

int route_add(struct netlink *nl, int ifindex, const struct net_addr *dst,
	      const struct net_addr *gw)
{
	int family = dst && dst->family ? dst->family : gw->family;
	struct rtmsg head = { .rtm_family = (unsigned char)family,
			      .rtm_dst_len = dst && dst->family ? dst->prefix : 0,
			      .rtm_table = RT_TABLE_MAIN,
			      .rtm_protocol = RTPROT_STATIC,
			      .rtm_scope = gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			      .rtm_type = RTN_UNICAST };
	int len = family == AF_INET ? 4 : 16;
	struct nl_msg *m =
		netlink_msg(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));

	if (m && ((head.rtm_dst_len && nla_put(m, RTA_DST, len, &dst->v6) < 0) ||
		  (gw && nla_put(m, RTA_GATEWAY, len, &gw->v6) < 0) ||
		  nla_put_u32(m, RTA_OIF, (uint32_t)ifindex) < 0)) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

int route_del(struct netlink *nl, int ifindex, const struct net_addr *dst)
{
	struct rtmsg head = { .rtm_family = (unsigned char)dst->family,
			      .rtm_dst_len = dst->prefix,
			      .rtm_table = RT_TABLE_MAIN,
			      .rtm_protocol = RTPROT_STATIC,
			      .rtm_scope = RT_SCOPE_LINK,
			      .rtm_type = RTN_UNICAST };
	struct nl_msg *m = netlink_msg(RTM_DELROUTE, 0, &head, sizeof(head));

	if (m && (nla_put(m, RTA_DST, dst->family == AF_INET ? 4 : 16, &dst->v6) < 0 ||
		  nla_put_u32(m, RTA_OIF, (uint32_t)ifindex) < 0)) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

static int neigh_proxy(struct netlink *nl, int type, int flags, int ifindex,
		       const struct net_addr *a)
{
	struct ndmsg head = { .ndm_family = (unsigned char)a->family,
			      .ndm_ifindex = ifindex,
			      .ndm_state = NUD_PERMANENT,
			      .ndm_flags = NTF_PROXY };
	struct nl_msg *m = netlink_msg(type, flags, &head, sizeof(head));

	if (m && nla_put(m, NDA_DST, a->family == AF_INET ? 4 : 16, &a->v6) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

int neigh_proxy_add(struct netlink *nl, int ifindex, const struct net_addr *a)
{
	return neigh_proxy(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, a);
}

int neigh_proxy_del(struct netlink *nl, int ifindex, const struct net_addr *a)
{
	return neigh_proxy(nl, RTM_DELNEIGH, 0, ifindex, a);
}

int bridge_fdb_set(struct netlink *nl, int ifindex, const uint8_t mac[6])
{
	struct ndmsg head = { .ndm_family = AF_BRIDGE,
			      .ndm_ifindex = ifindex,
			      .ndm_state = NUD_NOARP,
			      .ndm_flags = NTF_MASTER };
	struct nl_msg *m =
		netlink_msg(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));

	if (m && nla_put(m, NDA_LLADDR, 6, mac) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

static int bridge_vlan(struct netlink *nl, int type, int ifindex, uint16_t vlan, bool pvid)
{
	struct ifinfomsg head = { .ifi_family = AF_BRIDGE, .ifi_index = ifindex };
	struct bridge_vlan_info info = {
		.vid = vlan,
		.flags = pvid ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED : 0,
	};
	struct nl_msg *m = netlink_msg(type, 0, &head, sizeof(head));
	struct nlattr *spec = m ? nla_nest_start(m, IFLA_AF_SPEC) : NULL;

	if (!spec || nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nla_nest_end(m, spec);
	return netlink_talk(nl, m);
}

int bridge_vlan_add(struct netlink *nl, int ifindex, uint16_t vlan, bool pvid)
{
	return bridge_vlan(nl, RTM_SETLINK, ifindex, vlan, pvid);
}

int bridge_vlan_del(struct netlink *nl, int ifindex, uint16_t vlan)
{
	return bridge_vlan(nl, RTM_DELLINK, ifindex, vlan, false);
}

static int put_kind_data(struct nl_msg *m, const struct link_new *l)
{
	struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA), *peer;
	struct ifinfomsg head = { .ifi_flags = 0 };
	int r = 0;

	if (!data)
		return -ENOMEM;
	if (!strcmp(l->kind, "veth")) {
		peer = nla_nest_start(m, VETH_INFO_PEER);
		if (!peer || nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) < 0)
			return -ENOMEM;
		r |= nla_put_string(m, IFLA_IFNAME, l->peer_name);
		if (l->peer_mac)
			r |= nla_put(m, IFLA_ADDRESS, 6, l->peer_mac);
		if (l->mtu)
			r |= nla_put_u32(m, IFLA_MTU, l->mtu);
		if (l->rxqueues)
			r |= nla_put_u32(m, IFLA_NUM_RX_QUEUES, l->rxqueues);
		if (l->txqueues)
			r |= nla_put_u32(m, IFLA_NUM_TX_QUEUES, l->txqueues);
		r |= nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)l->peer_ns_fd);
		nla_nest_end(m, peer);
	} else if (!strcmp(l->kind, "macvlan")) {
		r |= nla_put_u32(m, IFLA_MACVLAN_MODE, l->mode);
	} else if (!strcmp(l->kind, "ipvlan")) {
		r |= nla_put_u16(m, IFLA_IPVLAN_MODE, (uint16_t)l->mode);
		r |= nla_put_u16(m, IFLA_IPVLAN_FLAGS, l->flags);
	} else if (!strcmp(l->kind, "vlan")) {
		r |= nla_put_u16(m, IFLA_VLAN_ID, l->vlan_id);
	} else if (!strcmp(l->kind, "bridge")) {
		/* Forwarding at once: nothing else is on it that could make a loop. */
		r |= nla_put_u32(m, IFLA_BR_FORWARD_DELAY, 0);
	}
	nla_nest_end(m, data);
	return r ? -ENOMEM : 0;
}

struct nl_msg *netlink_tc_msg(int type, int flags, int ifindex, uint32_t handle, uint32_t parent,
			      uint32_t info, const char *kind)
{
	struct tcmsg head = { .tcm_family = AF_UNSPEC,
			      .tcm_ifindex = ifindex,
			      .tcm_handle = handle,
			      .tcm_parent = parent,
			      .tcm_info = info };
	struct nl_msg *m = netlink_msg(type, flags, &head, sizeof(head));

	if (m && kind && nla_put_string(m, TCA_KIND, kind) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int link_create(struct netlink *nl, const struct link_new *l)
{
	struct nl_msg *m = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, l->up ? IFF_UP : 0,
				    l->up ? IFF_UP : 0);
	struct nlattr *info;
	int r = m ? nla_put_string(m, IFLA_IFNAME, l->name) : -ENOMEM;

	if (r == 0 && l->mac)
		r = nla_put(m, IFLA_ADDRESS, 6, l->mac);
	if (r == 0 && l->mtu)
		r = nla_put_u32(m, IFLA_MTU, l->mtu);
	if (r == 0 && l->parent)
		r = nla_put_u32(m, IFLA_LINK, (uint32_t)l->parent);
	if (r == 0 && l->master)
		r = nla_put_u32(m, IFLA_MASTER, (uint32_t)l->master);
	if (r == 0 && l->rxqueues)
		r = nla_put_u32(m, IFLA_NUM_RX_QUEUES, l->rxqueues);
	if (r == 0 && l->txqueues)
		r = nla_put_u32(m, IFLA_NUM_TX_QUEUES, l->txqueues);
	if (r == 0 && l->ns_fd >= 0)
		r = nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)l->ns_fd);
	info = r == 0 ? nla_nest_start(m, IFLA_LINKINFO) : NULL;
	if (!info || nla_put_string(m, IFLA_INFO_KIND, l->kind) < 0 || put_kind_data(m, l) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nla_nest_end(m, info);
	return netlink_talk(nl, m);
}
