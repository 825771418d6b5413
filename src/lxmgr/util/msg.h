/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages with file descriptors over SOCK_SEQPACKET sockets. */
#ifndef LXMGR_UTIL_MSG_H
#define LXMGR_UTIL_MSG_H

#include <stddef.h>
#include <sys/types.h>

#define MSG_MAX_FDS 16

/* A pair of connected SOCK_SEQPACKET sockets, close-on-exec. */
int msg_pair(int ret_fds[2]);
/* Send one message of len bytes (1 at least) with n fds. 0 or -errno (-EPIPE: peer gone). */
int msg_send(int sock, const void *data, size_t len, const int *fds, size_t n);
/*
 * Receive one message. Returns its length, 0 at the end of the stream, or -errno: -EMSGSIZE when
 * it does not fit into size, -EPROTO when it brought more than *n fds (all are closed then). fds
 * are close-on-exec; *n is set to how many came. fds and n may be NULL: none is accepted.
 */
ssize_t msg_recv(int sock, void *data, size_t size, int *fds, size_t *n);

#endif
