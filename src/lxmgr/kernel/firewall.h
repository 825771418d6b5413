/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NAT for the managed bridge: the nftables table `inet lxmgr`, made by helpers/lxmgr-nft.c (one
 * program for libnftables: it costs a start 0.9 ms to link). Another firewall's "flush ruleset"
 * removes it. The kernel could protect it by owner (NFT_TABLE_F_OWNER with PERSIST from 6.9), but
 * not on 6.1; so each container's monitor listens to the kernel's nftables events and has it made
 * again when it is gone.
 */
#ifndef LXMGR_KERNEL_FIREWALL_H
#define LXMGR_KERNEL_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>

struct lxmgr_err;

#define FIREWALL_TABLE "lxmgr"

/* One netlink request; true also when the kernel has no nftables to ask. */
bool firewall_nat_is_there(void);
/* Run the helper to make the table / to remove it. */
int firewall_nat_ensure(struct lxmgr_err *err);
int firewall_nat_remove(struct lxmgr_err *err);
/* True if another firewall's forward chain drops what the bridge forwards; why and the cure go
 * into the buffers. */
bool firewall_forward_blocked(const char *bridge, char *why, size_t why_size, char *cure,
			      size_t cure_size);

#endif
