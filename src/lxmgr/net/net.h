/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One network interface of a container as data, and the types behind net_ops. net/ knows nothing
 * of configs: container/ hands it net_spec structures.
 */
#ifndef LXMGR_NET_NET_H
#define LXMGR_NET_NET_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/netlink.h"
#include "kernel/traffic.h"

struct lxmgr_err;
struct strlist;

#define NET_MAX_ADDRS  16
#define NET_MAX_ROUTES 16
#define NET_MAX_VLANS  32

enum net_type {
	NET_EMPTY,
	NET_NONE,
	NET_VETH,
	NET_MACVLAN,
	NET_IPVLAN,
	NET_PHYS,
	NET_VLAN,
	NET_TYPES
};
enum net_veth_mode { NET_VETH_BRIDGE, NET_VETH_ROUTER };
enum net_macvlan_mode {
	NET_MACVLAN_PRIVATE,
	NET_MACVLAN_VEPA,
	NET_MACVLAN_BRIDGE,
	NET_MACVLAN_PASSTHRU
};
enum net_ipvlan_mode { NET_IPVLAN_L3, NET_IPVLAN_L3S, NET_IPVLAN_L2 };
enum net_ipvlan_isolation { NET_IPVLAN_BRIDGE, NET_IPVLAN_PRIVATE, NET_IPVLAN_VEPA };
enum net_gateway { NET_GW_NONE, NET_GW_ADDR, NET_GW_AUTO, NET_GW_DEV };

/* lxmgr.net.[i].*; strings are "" when unset. */
struct net_spec {
	enum net_type type;
	unsigned int index; /* i of net.i */
	bool up;	    /* flags = up */
	bool l2proxy;
	char link[IFNAMSIZ]; /* parent or bridge */
	char name[IFNAMSIZ]; /* inside; "": eth<i> */
	bool has_mac;
	uint8_t mac[6];
	uint32_t mtu;			     /* 0: default */
	struct net_addr addr[NET_MAX_ADDRS]; /* both families */
	size_t n_addr;
	enum net_gateway gw4_mode, gw6_mode;
	struct net_addr gw4, gw6;
	char *script_up, *script_down;
	char veth_pair[IFNAMSIZ]; /* host name asked for */
	enum net_veth_mode veth_mode;
	uint32_t n_rxqueues, n_txqueues;
	struct net_addr route[NET_MAX_ROUTES]; /* veth.ipv4/6.route */
	size_t n_route;
	int32_t veth_vlan_id; /* -1: unset, 0: none */
	uint16_t veth_vlan_tagged[NET_MAX_VLANS];
	size_t n_vlan_tagged;
	uint16_t vlan_id;
	enum net_macvlan_mode macvlan_mode;
	enum net_ipvlan_mode ipvlan_mode;
	enum net_ipvlan_isolation ipvlan_isolation;
	bool antispoof;		       /* lxmgr.net.[i].antispoof, default on for veth */
	struct rate rate_in, rate_out; /* lxmgr.net.[i].rate.*, as the container sees it */
	int program;  /* fd of the program that net_preload() gave; 0: it is loaded when needed */
	bool managed; /* addresses come from the address manager: no ipv4/ipv6.address given
			 * and link is the managed bridge */
};

/* What exists of it while it runs: recorded in the state file for teardown and info. */
struct net_live {
	char host_name[IFNAMSIZ]; /* host end of a veth, "" otherwise */
	int host_index;
	char name[IFNAMSIZ];  /* name inside */
	char moved[IFNAMSIZ]; /* phys: its name on the host, to be restored */
	char kind[16];	      /* phys: "" for hardware, else "dummy", "vlan"... */
};

struct net_ops {
	const char *name; /* "veth" */
	/* Refuse what is wrong or not possible on this host, before anything is touched. */
	int (*check)(const struct net_spec *n, struct lxmgr_err *err);
	/* Load what create() would: an fd, -ENOENT: nothing to load. May be NULL. */
	int (*preload)(const struct net_spec *n, struct lxmgr_err *err);
	/* Host side: make the link in (or move it to) the network namespace netns_fd and fill
	 * live. nl is a socket in the host's namespace. */
	int (*create)(struct netlink *nl, const struct net_spec *n, int netns_fd,
		      struct net_live *live, struct lxmgr_err *err);
	/* Take the host side back; must also work on half of it and when it is gone. n is NULL when
	 * the config it was made from cannot be read any more. netns_fd may be -1 when the
	 * namespace died already. For phys keep it open until then: hardware comes home by itself,
	 * under any name; anything else dies with the namespace. */
	void (*destroy)(struct netlink *nl, const struct net_spec *n, const struct net_live *live,
			int netns_fd);
};

extern const struct net_ops *const net_types[NET_TYPES];

/* Dispatchers over all interfaces of a container. */
int net_check(const struct net_spec *specs, size_t n, struct lxmgr_err *err);
/* Gateway `auto` becomes the address of the link. After bridge_ensure(), before net_create(). */
int net_resolve(struct netlink *nl, struct net_spec *specs, size_t n, struct lxmgr_err *err);
/* Load the anti-spoofing program, which takes the kernel about a millisecond, ahead of
 * net_create(): an fd for spec->program, or -ENOENT if there is none. */
int net_preload(const struct net_spec *spec, const char *tag, struct lxmgr_err *err);
/* The MAC that an interface gets where none is given: the same at each start, since neighbours
 * remember it with the address. False: the container has no say in it. */
bool net_default_mac(const struct net_spec *spec, const char *tag, uint8_t mac[6]);
/* Create one interface on the host side, with the anti-spoofing program on its host end. tag names
 * the container: a MAC that is not given is derived from it. */
int net_create(struct netlink *nl, const struct net_spec *spec, int netns_fd, const char *tag,
	       struct net_live *live, struct lxmgr_err *err);
/*
 * Rates (net/rate.c), of interfaces with a host end: to the container it sends no faster; from it
 * all goes through an ifb of its own, for the kernel lets only what is sent wait. The ifb's name
 * comes from that of the host end, so that it is found again without a record of its own.
 */
/* -EOPNOTSUPP, by key: the interface has no end on the host. */
int net_rate_check(const struct net_spec *n, struct lxmgr_err *err);
/* Bring both into force, read them back; after a failure some may have changed. */
int net_rate_set(struct netlink *nl, const struct net_live *live, const struct rate *in,
		 const struct rate *out, struct lxmgr_err *err);
/* Those in force. */
int net_rate_get(struct netlink *nl, const struct net_live *live, struct rate_now *ret_in,
		 struct rate_now *ret_out, struct lxmgr_err *err);
/* Take away what is beside the host end; 0 also where there is nothing. */
int net_rate_end(struct netlink *nl, const struct net_live *live);
/* spec may be NULL, see net_ops. */
void net_destroy(struct netlink *nl, enum net_type type, const struct net_spec *spec,
		 const struct net_live *live, int netns_fd);
/* In the container's network namespace (the child calls it): lo up, then names, MAC, MTU,
 * addresses, up, routes, all in as few sends as possible. */
int net_configure_inside(const struct net_spec *specs, size_t n, struct lxmgr_err *err);

/*
 * The managed bridge (net/bridge.c): lxmgrbr0, or what lxmgr.conf names. Its subnets are chosen
 * once, from ranges that are in use nowhere on the host, and kept in STATEDIR/network.
 */
struct bridge_conf {
	char name[IFNAMSIZ];
	struct net_addr v4, v6; /* the bridge's own address with the network's prefix */
	bool nat;
};
/* Read the kept configuration or choose one and write it. */
int bridge_conf_get(struct bridge_conf *ret, struct lxmgr_err *err);
/* The kept one only: -ENOENT if none was chosen yet. */
int bridge_conf_read(struct bridge_conf *ret, struct lxmgr_err *err);
/* Make sure that bridge, addresses, forwarding and NAT table are there. Cheap when they are. */
int bridge_ensure(struct netlink *nl, const struct bridge_conf *conf, struct lxmgr_err *err);
/* Remove the bridge if no port is left, and the NAT table with it. */
int bridge_remove(struct netlink *nl, const struct bridge_conf *conf, struct lxmgr_err *err);

/*
 * Forwarding between the bridge and the rest (net/forwarding.c), for each family apart. Only the
 * bridge is switched on where that is enough, the whole host (with a notice) where it is not.
 */
enum forwarding {
	FORWARDING_OFF,	  /* the bridge does not */
	FORWARDING_PART,  /* it does, but `closed`, an interface that is up, does not */
	FORWARDING_LINKS, /* it does and so do all others, each for itself */
	FORWARDING_HOST,  /* the host does as a whole, or has not got this family */
};
enum forwarding forwarding_look(struct netlink *nl, const char *bridge, int family,
				char closed[IFNAMSIZ]);
/* bridge_ensure() calls it. */
void forwarding_ensure(struct netlink *nl, const char *bridge);

/*
 * The address manager (net/ipam.c): one file under lock, address <-> container id.
 * An id is the container's directory path; addresses are the first free ones.
 */
struct ipam_lease {
	struct net_addr v4, v6;
	uint8_t mac[6];
};
int ipam_acquire(const struct bridge_conf *conf, const char *id, unsigned int net_index,
		 struct ipam_lease *ret,
		 struct lxmgr_err *err); /* the same one again if it has one */
/* Note static addresses of an interface that lie in the bridge's networks (others are skipped),
 * instead of those noted before. -EEXIST, naming its owner, if another container has one. */
int ipam_reserve(const struct bridge_conf *conf, const char *id, unsigned int net_index,
		 const struct net_addr *addr, size_t n, struct lxmgr_err *err);
int ipam_rename(const char *from, const char *to, struct lxmgr_err *err);
int ipam_release(const char *id, struct lxmgr_err *err); /* all of a container */
int ipam_lookup(const char *id, unsigned int net_index, struct ipam_lease *ret); /* -ENOENT */
/* How many addresses are taken, and how many the bridge's network has for containers. */
int ipam_usage(const struct bridge_conf *conf, uint64_t *ret_used, uint64_t *ret_total,
	       struct lxmgr_err *err);

/*
 * Guest files (net/guest*.c): written below rootfd with OPEN_IN_ROOT, so that the guest's own
 * network service keeps the addresses which the host sets: systemd-networkd (with netplan or
 * without), ifupdown, NetworkManager; resolver; /etc/hostname and the container's own line of
 * /etc/hosts. Of the others only files that are absent, empty or carry our marker are written.
 * Ids are those stored in the root (0 for its root).
 */
struct guest_net {
	const char *hostname;
	const struct net_spec *nets;
	size_t n_nets;
	const struct bridge_conf *bridge; /* or NULL */
	char **nameservers;		  /* NULL-terminated; NULL: take the host's */
};
/* The host's resolvers which a container can reach, at most three: none on its loopback. rootfd is
 * the host's root; the second one looks at "/". 0, also where there is none, or -ENOMEM. */
int host_nameservers(int rootfd, struct strlist *ret);
int host_nameservers_here(struct strlist *ret);
int guest_write_network(int rootfd, const struct guest_net *g, struct lxmgr_err *err);

#endif
