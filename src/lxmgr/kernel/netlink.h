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

/* A rtnetlink socket in this process's network namespace. */
int netlink_open(struct netlink **ret, struct lxmgr_err *err);
/* A socket inside the namespace ns_fd; it stays there when the caller is long back. The thread
 * goes in and comes back before this returns (a failure to come back aborts the process). */
int netlink_open_in(int ns_fd, struct netlink **ret, struct lxmgr_err *err);
void netlink_close(struct netlink *nl);

/*
 * Requests. netlink_queue() begins one: message type, NLM_F_* beside REQUEST and ACK, the fixed
 * header, and in words what it does ("add address 10.0.0.2/24 to 'eth0'") for the error text. The
 * netlink_put functions add attributes to the request begun last. Nothing is sent before
 * netlink_flush(), which sends them in order, as many as fit in one system call, and reads all
 * answers; the kernel goes on after one that failed, the first error is returned, with the
 * kernel's own explanation where it gives one. Running out of memory is remembered until then.
 */
void netlink_queue(struct netlink *nl, uint16_t type, uint16_t flags, const void *header,
		   size_t len, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void netlink_put(struct netlink *nl, int attr, const void *data, size_t len);
void netlink_put_u16(struct netlink *nl, int attr, uint16_t v);
void netlink_put_u32(struct netlink *nl, int attr, uint32_t v);
void netlink_put_str(struct netlink *nl, int attr, const char *s);
void netlink_put_addr(struct netlink *nl, int attr, const struct net_addr *a);
void netlink_put_raw(struct netlink *nl, const void *data, size_t len); /* no attribute header */
void *netlink_nest(struct netlink *nl, int attr);
void netlink_nest_end(struct netlink *nl, void *nest);
/* An answer -`error` to the request begun last is no failure. */
void netlink_tolerate(struct netlink *nl, int error);
int netlink_flush(struct netlink *nl, struct lxmgr_err *err);

/* Ask, and hand every message of the answer to fn (non-zero ends it with that value). flags is
 * NLM_F_DUMP or 0; what was queued must have been flushed. Attributes: one u32 or one string
 * (attr 0: none). Returns 0 or a negative errno. */
struct nlmsghdr;
struct netlink_query {
	uint16_t type, flags;
	const void *header;
	size_t header_len;
	int attr_str;
	const char *str;
	int attr_u32;
	uint32_t u32;
};
int netlink_ask(struct netlink *nl, const struct netlink_query *q,
		int (*fn)(const struct nlmsghdr *, void *), void *data);

/* What net/ needs of links (kernel/link.c). */
struct link_info {
	int index;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	unsigned int flags; /* IFF_* */
	int master;	    /* ifindex, 0: none */
	uint32_t mtu;
	uint64_t rx_bytes, tx_bytes;
	char kind[16]; /* "veth", "bridge"... or "" */
};
int link_get(struct netlink *nl, const char *name, struct link_info *ret); /* -ENODEV */
int link_get_index(struct netlink *nl, int index, struct link_info *ret);  /* -ENODEV */
/* Call fn for every link; non-zero ends it with that value. */
int link_list(struct netlink *nl, int (*fn)(const struct link_info *, void *), void *data);
/* The same for every address, with its RT_SCOPE_*. */
int addr_list(struct netlink *nl,
	      int (*fn)(int ifindex, const struct net_addr *, int scope, void *), void *data);
/* The same for every route of the main table: destination (prefix 0: default route) and the
 * index of the outgoing link (0: none). */
int route_list(struct netlink *nl, int (*fn)(const struct net_addr *dst, int ifindex, void *),
	       void *data);

/* Each of these is one request on its own: 0 or a negative errno. */
int link_delete(struct netlink *nl, int index);
int link_set_up(struct netlink *nl, int index, bool up);
int link_set_master(struct netlink *nl, int index, int master); /* 0: none */
/* Move to another namespace, with a new name there (NULL: as it was); it arrives down. */
int link_move(struct netlink *nl, int index, int ns_fd, const char *new_name);
int addr_add(struct netlink *nl, int ifindex, const struct net_addr *a);

/* The same as queued requests; netlink_flush() sends them. */
void link_queue_up(struct netlink *nl, int index, const char *name);
/* An IPv6 address is usable at once: no duplicate address detection. replace: no error if it is
 * there. */
void addr_queue(struct netlink *nl, int ifindex, const struct net_addr *a, bool replace);
/* A route to dst through the link, via gw (NULL: directly). dst with prefix 0: default route. */
void route_queue(struct netlink *nl, int ifindex, const struct net_addr *dst,
		 const struct net_addr *gw);
/* Answer ARP or neighbour solicitations for `a` on the link (ip neigh add proxy). */
void neigh_proxy_queue(struct netlink *nl, int ifindex, const struct net_addr *a);
int neigh_proxy_delete(struct netlink *nl, int ifindex, const struct net_addr *a);

#endif
