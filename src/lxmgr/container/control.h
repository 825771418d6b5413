/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket of a running container: RUNDIR/TAG/control, SOCK_SEQPACKET, in a 0700
 * directory of root. The monitor (helpers/lxmgr-supervise.c) answers; one request a message, one
 * reply a message.
 */
#ifndef LXMGR_CONTAINER_CONTROL_H
#define LXMGR_CONTAINER_CONTROL_H

#include <stddef.h>
#include <stdint.h>

enum control_op {
	CONTROL_PING = 1,   /* value: 0 */
	CONTROL_CONSOLE,    /* arg: tty 1.., 0 the console, -1 the first free tty. value: the tty,
			     * 1 fd: the master of its pty. It is the caller's until it closes
			     * the connection; -EBUSY: somebody else has it, -ENXIO: no such. */
	CONTROL_NO_RESTART, /* arg 1: a stop was asked for, reboot(2) from inside is not served */
	CONTROL_LOG,	    /* the console ring: 1 fd, a memfd with what it holds; -ENODATA */
	CONTROL_PIDFD,	    /* 1 fd: pidfd of init */
	CONTROL_OPS
};

struct control_request {
	uint32_t op;
	int32_t arg;
};

struct control_reply {
	int32_t result; /* 0 or a negative errno */
	int32_t value;
};

struct lxmgr_container;
struct lxmgr_err;

/* Check a request of len bytes: 0 or -EPROTO / -EOPNOTSUPP. Pure; also fuzzed. */
static inline int control_check(const void *data, size_t len)
{
	const struct control_request *q = data;

	if (len != sizeof(*q))
		return -71; /* -EPROTO */
	if (q->op < CONTROL_PING || q->op >= CONTROL_OPS)
		return -95; /* -EOPNOTSUPP */
	return 0;
}

/* Connect. -ENOENT / -ECONNREFUSED: no monitor. */
int control_connect(const struct lxmgr_container *c, struct lxmgr_err *err);
/* One request and its reply (5 s at most). Returns the reply's result; *value and the fds (may be
 * NULL) as the operation says. */
int control_call(int sock, enum control_op op, int arg, int *value, int *fds, size_t *n,
		 struct lxmgr_err *err);

/* Kill the monitor of a start that is not done, which has the container's lock and may hang in a
 * hook. 1: there was one. What it had made is for teardown_stale(), under the lock. */
int container_end_start(const struct lxmgr_container *c);

#endif
