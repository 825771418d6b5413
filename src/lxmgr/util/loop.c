/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/loop.h"

int loop_open(struct loop *l)
{
	for (int i = 0; i < LOOP_MAX; i++)
		l->slot[i].fd = -1;
	l->deadline_ms = 0;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	return l->epfd < 0 ? -errno : 0;
}

void loop_close(struct loop *l)
{
	fd_close(&l->epfd);
}

static int find(const struct loop *l, int fd)
{
	for (int i = 0; i < LOOP_MAX; i++)
		if (l->slot[i].fd == fd)
			return i;
	return -1;
}

int loop_add(struct loop *l, int fd, uint32_t events, int (*fn)(int, uint32_t, void *), void *data)
{
	struct epoll_event ev = { .events = events };
	int i = find(l, -1);

	if (i < 0)
		return -ENOSPC;
	ev.data.u32 = (uint32_t)i;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	l->slot[i].fd = fd;
	l->slot[i].fn = fn;
	l->slot[i].data = data;
	return 0;
}

int loop_mod(struct loop *l, int fd, uint32_t events)
{
	int i = find(l, fd);
	struct epoll_event ev = { .events = events, .data.u32 = (uint32_t)i };

	if (i < 0)
		return -ENOENT;
	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

void loop_del(struct loop *l, int fd)
{
	int i = find(l, fd);

	if (i < 0)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
	l->slot[i].fd = -1;
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[16];

	for (;;) {
		int64_t left = l->deadline_ms ? l->deadline_ms - now_ms() : -1;
		int n;

		if (l->deadline_ms && left <= 0)
			return -ETIMEDOUT;
		n = epoll_wait(l->epfd, ev, (int)ARRAY_SIZE(ev), (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int k = 0; k < n; k++) {
			uint32_t i = ev[k].data.u32;
			int r;

			/* Removed by an earlier callback of this round. */
			if (l->slot[i].fd < 0)
				continue;
			r = l->slot[i].fn(l->slot[i].fd, ev[k].events, l->slot[i].data);
			if (r)
				return r;
		}
	}
}

int loop_signalfd(const sigset_t *set)
{
	int fd;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
