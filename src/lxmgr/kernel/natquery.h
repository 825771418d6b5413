/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One netlink request: is the NAT table there? Apart, because the monitor (static, no library)
 * asks it too. The answer is NFT_MSG_NEWTABLE or an error, -ENOENT when there is none. */
#ifndef LXMGR_KERNEL_NATQUERY_H
#define LXMGR_KERNEL_NATQUERY_H

/* Before linux/in.h, which then leaves out what libc defines. */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define FIREWALL_TABLE "lxmgr"

struct nat_query {
	struct nlmsghdr h;
	struct nfgenmsg g;
	struct nlattr a;
	char name[8];
};

#define NAT_QUERY_INIT                                                             \
	{                                                                          \
		.h = { .nlmsg_len = sizeof(struct nat_query),                      \
		       .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, \
		       .nlmsg_flags = NLM_F_REQUEST,                               \
		       .nlmsg_seq = 1 },                                           \
		.g = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 },    \
		.a = { .nla_len = sizeof(struct nlattr) + sizeof(FIREWALL_TABLE),  \
		       .nla_type = NFTA_TABLE_NAME },                              \
		.name = FIREWALL_TABLE,                                            \
	}

#endif
