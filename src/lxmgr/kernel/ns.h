/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of namespaces and helpers around it. */
#ifndef LXMGR_KERNEL_NS_H
#define LXMGR_KERNEL_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct lxmgr_err;

/* The order is the order in which attach joins them: user first (security.md rule 4). */
enum ns_type { NS_USER, NS_MNT, NS_PID, NS_UTS, NS_IPC, NS_NET, NS_CGROUP, NS_TIME, NS_COUNT };

struct ns_info {
	const char *name;     /* LXC's name in lxc.namespace.*: "user", "mnt", "net"... */
	const char *proc;     /* name below /proc/PID/ns */
	const char *alt_name; /* LXC's long name for -s: "MOUNT", "UTSNAME", "NETWORK"... */
	int flag;	      /* CLONE_NEW* */
};

extern const struct ns_info ns_table[NS_COUNT];

/* A name of any of the three kinds, any case, or -EINVAL. */
int ns_parse(const char *name);
/* "a|b", "a,b" or "a b": a mask of CLONE_NEW* flags. -EINVAL with the bad word in err. */
int ns_parse_mask(const char *text, int *ret_flags, struct lxmgr_err *err);
/* Open /proc/PID/ns/TYPE through a directory fd of /proc/PID. */
int ns_open(pid_t pid, enum ns_type type);
/* This process is in a container's user namespace, not in the machine's first one: it is root only
 * over what that namespace owns. */
bool ns_is_nested(void);
/* True if the process shares this namespace with us (same inode). */
bool ns_is_ours(pid_t pid, enum ns_type type);

#endif
