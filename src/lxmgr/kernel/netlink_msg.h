/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of libnl for the kernel/ files that talk rtnetlink. */
#ifndef LXMGR_KERNEL_NETLINK_MSG_H
#define LXMGR_KERNEL_NETLINK_MSG_H

#include "kernel/netlink.h"

struct nl_msg;
struct nlmsghdr;

/* A message with its fixed head, or NULL. */
struct nl_msg *netlink_msg(int type, int flags, const void *head, size_t len);
/* One of tc(8)'s, its kind behind the head (NULL: none), or NULL. */
struct nl_msg *netlink_tc_msg(int type, int flags, int ifindex, uint32_t handle, uint32_t parent,
			      uint32_t info, const char *kind);
/* Send m (freed; NULL is -ENOMEM) and read its acknowledgement: 0 or -errno. */
int netlink_talk(struct netlink *nl, struct nl_msg *m);
/* Send m (freed; NULL is -ENOMEM) and call fn for the one answer. */
int netlink_ask(struct netlink *nl, struct nl_msg *m, int (*fn)(struct nlmsghdr *, void *),
		void *data);
/* Send m (freed) as a dump request and call fn for each answer. */
int netlink_dump(struct netlink *nl, struct nl_msg *m, int (*fn)(struct nlmsghdr *, void *),
		 void *data);

#endif
