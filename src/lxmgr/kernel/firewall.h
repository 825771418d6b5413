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
struct strlist;

/* What mends a host where the table cannot be made. */
#define FIREWALL_NAT_CURE                                \
	"modprobe -a nf_tables nft_chain_nat nft_masq, " \
	"or a kernel with CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT and CONFIG_NFT_MASQ"

/* One netlink request: 1 the table is there, 0 it is not, or a negative errno where the kernel has
 * no nftables to ask. */
int firewall_nat_look(void);
/* Run the helper to make the table, to make one like it (in a network namespace that is thrown
 * away afterwards) / to remove it. */
int firewall_nat_ensure(struct lxmgr_err *err);
int firewall_nat_try(struct lxmgr_err *err);
int firewall_nat_remove(struct lxmgr_err *err);
/* A line for each firewall that drops what the bridge forwards, "what<TAB>the cure"
 * (kernel/forward.h), found by the helper. */
int firewall_forward_look(const char *bridge, struct strlist *ret, struct lxmgr_err *err);

#endif
