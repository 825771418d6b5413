/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links, addresses, routes and neighbours over rtnetlink (libnl-3 builds and parses the messages;
 * no caches). A struct netlink is one socket in one network namespace.
 */
#ifndef LXMGR_KERNEL_NETLINK_H
#define LXMGR_KERNEL_NETLINK_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lxmgr_err;
struct netlink; /* opaque */

/* An address of either family with a prefix length. */
struct net_addr {
	int family; /* AF_INET, AF_INET6; 0: unset */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint8_t prefix;
	struct in_addr broadcast; /* v4 only; 0: derived from the prefix */
};

/* Parse "10.0.0.2/24", "10.0.0.2/24 10.0.0.255", "fd00::2/64" or, with family given (0: either),
 * without a prefix (then /32 or /128). -EINVAL with a reason. */
int net_addr_parse(const char *text, int family, struct net_addr *ret, struct lxmgr_err *err);
/* "10.0.0.2/24"; without_prefix: "10.0.0.2". Into buf of INET6_ADDRSTRLEN + 4. */
const char *net_addr_print(const struct net_addr *a, bool without_prefix, char *buf);
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);
/* As above, prefix and broadcast address left aside. */
bool net_addr_same_host(const struct net_addr *a, const struct net_addr *b);
/* The address in network byte order; 4 or 16, the number of bytes. a->family must be set. */
size_t net_addr_bytes(const struct net_addr *a, uint8_t ret[16]);
/* True if b lies in a's network. */
bool net_addr_contains(const struct net_addr *a, const struct net_addr *b);
/* "00:16:3e:xx:xx:xx" with x's filled at random; a multicast or all-zero MAC is refused. */
int mac_parse(const char *text, uint8_t ret[6], struct lxmgr_err *err);
const char *mac_print(const uint8_t mac[6], char buf[18]);

int netlink_open(struct netlink **ret, struct lxmgr_err *err);
/* A socket inside the namespace ns_fd, made without leaving this thread there. */
int netlink_open_in(int ns_fd, struct netlink **ret, struct lxmgr_err *err);
void netlink_close(struct netlink *nl);

/* What net/ needs of links. Implemented in kernel/netlink.c; see there for each. */
struct link_info {
	int index;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	unsigned int flags; /* IFF_* */
	int master;	    /* ifindex, 0: none */
	uint32_t mtu;
	uint64_t rx_bytes, tx_bytes;
	char kind[16];	     /* "veth", "bridge"... or "" */
	bool vlan_aware;     /* bridge: this kernel's can filter VLANs */
	bool vlan_filtering; /* bridge: it heeds the VLANs of its ports */
};
/* By name. -ENODEV: there is none. */
int link_get(struct netlink *nl, const char *name, struct link_info *ret);
/* Call fn for each link or address; a non-zero return ends it and is returned. */
int link_list(struct netlink *nl, int (*fn)(const struct link_info *, void *), void *data);
int addr_list(struct netlink *nl,
	      int (*fn)(int ifindex, const struct net_addr *, int scope, void *), void *data);
/* The destinations of all unicast routes of both families. */
int route_list(struct netlink *nl, int (*fn)(const struct net_addr *, void *), void *data);

/* Requests: each is sent at once and its acknowledgement read. 0 or -errno. */
int link_delete(struct netlink *nl, int index);
int link_set_up(struct netlink *nl, int index, bool up);
int link_set_master(struct netlink *nl, int index, int master);
/* Into another namespace, under a new name (NULL: the same). */
int link_move(struct netlink *nl, int index, int ns_fd, const char *new_name);
int link_set_mtu(struct netlink *nl, int index, uint32_t mtu);
int link_rename(struct netlink *nl, int index, const char *name);
int link_set_mac(struct netlink *nl, int index, const uint8_t mac[6]);
int addr_add(struct netlink *nl, int ifindex, const struct net_addr *a);
/* dst.family 0: the default route of gw's family. gw NULL: on-link. */
int route_add(struct netlink *nl, int ifindex, const struct net_addr *dst,
	      const struct net_addr *gw);
/* The on-link route to dst. -ESRCH: there is none. */
int route_del(struct netlink *nl, int ifindex, const struct net_addr *dst);
/* A proxy neighbour entry: this host answers for the address on that link. Deleting one that is
 * not there is -ENOENT. */
int neigh_proxy_add(struct netlink *nl, int ifindex, const struct net_addr *a);
int neigh_proxy_del(struct netlink *nl, int ifindex, const struct net_addr *a);
/* The MAC is behind this port of a bridge, whatever the bridge learned before. */
int bridge_fdb_set(struct netlink *nl, int ifindex, const uint8_t mac[6]);
int bridge_vlan_add(struct netlink *nl, int ifindex, uint16_t vlan, bool pvid);
int bridge_vlan_del(struct netlink *nl, int ifindex, uint16_t vlan);

/* A new link of any kind net/ makes, in one request. */
struct link_new {
	const char *kind;   /* "veth", "bridge", "macvlan", "ipvlan", "vlan" */
	const char *name;   /* host name; with ns_fd >= 0 and no peer: its name there */
	const uint8_t *mac; /* or NULL */
	uint32_t mtu;	    /* 0: default */
	int parent;	    /* ifindex of the parent (macvlan, ipvlan, vlan), 0: none */
	int master;	    /* bridge, 0: none */
	bool up;
	int ns_fd; /* make it in this namespace, -1: here */
	uint32_t rxqueues, txqueues;
	/* veth: the other end */
	const char *peer_name;
	const uint8_t *peer_mac;
	int peer_ns_fd;
	/* the others */
	uint32_t mode;	/* MACVLAN_MODE_* or IPVLAN_MODE_* */
	uint16_t flags; /* IPVLAN_F_* */
	uint16_t vlan_id;
};
int link_create(struct netlink *nl, const struct link_new *l);
/* The kernel's words for the last refusal on this socket, or "". */
const char *netlink_why(const struct netlink *nl);

#endif
