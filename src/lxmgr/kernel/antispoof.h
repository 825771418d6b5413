/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Anti-spoofing: a BPF program at the tc ingress (clsact) of the host end of a veth, which lives
 * and dies with the link; no reload of a firewall removes it. clsact and not TCX, because TCX
 * came with 6.6 and 6.1 is supported.
 *
 * What the container may send:
 *   - Ethernet: only its own MAC as source; ARP, IPv4, IPv6 only; no VLAN tag unless `vlan`.
 *   - ARP: request and reply for Ethernet/IPv4 with its own MAC and an address of its own as
 *     sender (0.0.0.0 in a request: probing).
 *   - IPv4: sources of the list; 0.0.0.0 for DHCP requests. No DHCP server (port 67), ICMP
 *     redirect or router advertisement, IGMP query.
 *   - IPv6: sources of the list and the link-local address that belongs to its MAC; :: only for
 *     duplicate address detection, router solicitation and MLD reports. No router advertisement,
 *     redirect, MLD query, DHCPv6 server (port 547). Neighbour advertisements and duplicate
 *     address detection only for its own addresses, link-layer options only with its own MAC,
 *     never in fragments. Extension headers are followed; a packet whose headers do not end in
 *     its first fragment, or with more than EXT_MAX of them, is dropped.
 *
 * The list is of prefixes: an address has /32 or /128, a routed network its own prefix. If it is
 * empty, addresses are the guest's business (DHCP, SLAAC) and only MACs and the roles of router
 * and DHCP server are checked. If it has addresses of one family only, the other family is shut
 * (but for IPv6 link-local).
 */
#ifndef LXMGR_KERNEL_ANTISPOOF_H
#define LXMGR_KERNEL_ANTISPOOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/netlink.h"

struct lxmgr_err;
struct bpfasm;

struct antispoof_spec {
	uint8_t mac[6];
	const struct net_addr *allow;
	size_t n_allow;
	bool vlan; /* tags are let through: the bridge port has VLANs */
};

/* Write the program (pure). The number of instructions or -E2BIG. */
int antispoof_assemble(const struct antispoof_spec *s, struct bpfasm *a);
/* Load it; an fd of the program. */
int antispoof_load(const struct antispoof_spec *s, struct lxmgr_err *err);
/* Attach a loaded one to the link. */
int antispoof_attach(struct netlink *nl, int ifindex, int program, struct lxmgr_err *err);
/* True if a program of ours is attached to the link's ingress. */
bool antispoof_is_on(struct netlink *nl, int ifindex);

#endif
