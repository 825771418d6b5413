/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Anti-spoofing: a BPF program on the ingress of a veth's host end (tc clsact, which 6.1 has too).
 * It lives and dies with the link, and no reload of a firewall can remove it.
 */
#ifndef LXMGR_KERNEL_ANTISPOOF_H
#define LXMGR_KERNEL_ANTISPOOF_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;
struct lxmgr_err;

#define ANTISPOOF_MAX 16

struct antispoof_spec {
	uint8_t mac[6];
	struct in_addr v4[ANTISPOOF_MAX];
	size_t n_v4;
	bool any_v4; /* addresses are not known: only the MAC and servers are checked */
	struct in6_addr v6[ANTISPOOF_MAX];
	size_t n_v6;
	bool any_v6;
	bool tagged_vlans; /* let VLAN-tagged frames pass to the bridge's own filter */
};

/*
 * What passes: frames from the MAC; IPv4 from its addresses (and 0.0.0.0 to DHCP's server port);
 * ARP whose sender is it; IPv6 from its addresses, :: (duplicate detection) or a link-local
 * address, no RA, no redirect, ND whose options name its MAC. No DHCP or DHCPv6 server's
 * answers, no first extension header but the harmless ones, no other protocol.
 */
int antispoof_attach(struct netlink *nl, int ifindex, const struct antispoof_spec *s,
		     struct lxmgr_err *err);
/* True if a program of ours is on the interface. */
bool antispoof_is_on(struct netlink *nl, int ifindex);

#endif
