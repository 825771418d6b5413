/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container/tree.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/str.h"

bool tree_name_is_valid(const char *name)
{
	return *name && !strchr(name, '/') && !str_eq(name, ".") && !str_eq(name, "..");
}

bool tree_name_is_tmp(const char *name)
{
	const char *rest = str_after(name, TREE_TMP);

	return rest && strspn(rest, "0123456789abcdef") == 16 && !rest[16];
}

bool tree_takes_xattr(const struct tree *t, const char *name)
{
	if (str_has_prefix(name, "user."))
		return true;
	/* With ids in them that would have to be changed as well. */
	if (!idmap_is_none(&t->map))
		return false;
	/* A program of the guest's must not come with rights on the host. */
	if (str_eq(name, "security.capability"))
		return !t->pull;
	return str_eq(name, "system.posix_acl_access") || str_eq(name, "system.posix_acl_default");
}

mode_t tree_mode(const struct tree *t, mode_t mode, bool is_dir)
{
	if (!is_dir && t->mode != (mode_t)-1)
		return t->mode;
	if (t->archive)
		return mode & (!t->pull ? 07777 : is_dir ? 01777 : 0777);
	return mode & 0777 & (t->pull ? ~t->umask : 0777);
}

/* 0, or -ECANCELED. */
static int wait_for(const struct tree *t, short events)
{
	struct pollfd p[2] = { { .fd = t->sock, .events = events },
			       { .fd = t->cancel_fd, .events = POLLIN } };

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return p[1].revents ? -ECANCELED : 0;
}

int tree_put(struct tree *t, enum tree_kind kind, int fd)
{
	size_t len = offsetof(struct tree_msg, data) + t->m.len;
	int r;

	t->m.kind = kind;
	for (;;) {
		r = msg_send(t->sock, &t->m, len, &fd, fd >= 0);
		if (r != -EAGAIN)
			return r == -ECONNRESET ? -EPIPE : r;
		r = wait_for(t, POLLOUT);
		if (r < 0)
			return r;
	}
}

int tree_get(struct tree *t, int *ret_fd)
{
	const size_t head = offsetof(struct tree_msg, data);
	int fds[1] = { -1 };
	ssize_t len;
	size_t n;

	*ret_fd = -1;
	do {
		int r = t->cancel_fd >= 0 ? wait_for(t, POLLIN) : 0;

		if (r < 0)
			return r;
		n = 1;
		len = msg_recv(t->sock, &t->m, sizeof(t->m), fds, &n);
		/* The other end went without having read all; what it had to say comes now. */
	} while (len == -EAGAIN || len == -ECONNRESET);
	if (len <= 0)
		return (int)len;
	if (n)
		*ret_fd = fds[0];
	if ((size_t)len < head || t->m.len != (size_t)len - head ||
	    !memchr(t->m.name, '\0', sizeof(t->m.name))) {
		fd_close(ret_fd);
		return -EPROTO;
	}
	return 1;
}

int tree_reopen(const struct tree *t, int fd, int flags)
{
	char name[16];
	int r;

	snprintf(name, sizeof(name), "%d", fd);
	r = openat(t->fds, name, flags | O_CLOEXEC | O_NOCTTY);
	return r < 0 ? -errno : r;
}

int tree_open(const struct tree *t, const char *path, int flags)
{
	int fd;

	if (t->root >= 0)
		return open_in(t->root, path, OPEN_IN_ROOT, flags, 0);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int tree_wait_readable(const struct tree *t, int fd)
{
	/* Without a cancel_fd this is the side that is told by the end of the socket. */
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
			       { .fd = t->cancel_fd >= 0 ? t->cancel_fd : t->sock,
				 .events = t->cancel_fd >= 0 ? POLLIN : 0 } };

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	/* The sender of a pull may be through, and gone, while its pipe is still read. */
	return p[1].revents && (t->cancel_fd >= 0 || !t->pull) ? 0 : 1;
}

int tree_failure(const struct tree *t, struct lxmgr_err *err)
{
	struct lxmgr_err why;

	if (t->m.len != sizeof(why))
		return err_msg(err, -EPROTO, "the other side failed");
	memcpy(&why, t->m.data, sizeof(why));
	why.text[sizeof(why.text) - 1] = '\0';
	if (err)
		*err = why;
	return why.code < 0 ? why.code : -EIO;
}

int tree_await(struct tree *t, struct lxmgr_err *err)
{
	int fd, r = tree_get(t, &fd);

	fd_close(&fd);
	if (r > 0 && t->m.kind == TREE_DONE)
		return 0;
	if (r > 0 && t->m.kind == TREE_FAIL)
		return tree_failure(t, err);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	return err_msg(err, r < 0 ? r : -EPIPE,
		       "the helper process in the container was killed (is it being stopped?)");
}
