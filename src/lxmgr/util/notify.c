/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util/cleanup.h"

int notify_connect(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;
	size_t len = path ? strlen(path) : 0;

	if (!len)
		return -ENOENT;
	if (len >= sizeof(a.sun_path) || (*path != '/' && *path != '@'))
		return -EINVAL;
	memcpy(a.sun_path, path, len);
	/* An abstract address. */
	if (*path == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	return take_fd(&fd);
}

int notify_send(const char *text)
{
	cleanup_fd int fd = notify_connect();

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : 0;
}
