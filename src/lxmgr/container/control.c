/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "container/container.h"
#include "container/control.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"

int control_connect(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, false, err);
	cleanup_fd int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 5 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	if (run < 0)
		return run == -ENOENT ? err_status(err, STATUS_WRONG_STATE, run,
						   "container '%s' is not running", c->name)
				      : run;
	if (sock < 0)
		return err_set(err, -errno, "make a socket");
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	/* Through the fd: the path of a container directory may be longer than sun_path. */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control", run);
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0) {
		r = -errno;
		if (r == -ENOENT || r == -ECONNREFUSED)
			return err_status(err, STATUS_WRONG_STATE, r,
					  "container '%s' has no monitor to ask (it was killed; "
					  "restart the container to get one)",
					  c->name);
		return err_set(err, r, "connect to the monitor of '%s'", c->name);
	}
	return take_fd(&sock);
}

int control_call(int sock, enum control_op op, int arg, int *value, int *fds, size_t *n,
		 struct lxmgr_err *err)
{
	struct control_request q = { .op = op, .arg = arg };
	struct control_reply reply = { 0 };
	ssize_t len;
	int r;

	r = msg_send(sock, &q, sizeof(q), NULL, 0);
	if (r < 0)
		return err_set(err, r, "ask the monitor");
	len = msg_recv(sock, &reply, sizeof(reply), fds, n);
	if (len != sizeof(reply))
		return err_set(err, len < 0 ? (int)len : -EPIPE, "hear from the monitor");
	if (value)
		*value = reply.value;
	return reply.result;
}
