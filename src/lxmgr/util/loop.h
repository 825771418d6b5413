/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small event loop over epoll: descriptors, signals and one deadline per loop. */
#ifndef LXMGR_UTIL_LOOP_H
#define LXMGR_UTIL_LOOP_H

#include <signal.h>
#include <stdint.h>

#define LOOP_MAX 64

struct loop {
	int epfd;
	struct {
		int fd; /* -1: free */
		int (*fn)(int fd, uint32_t events, void *data);
		void *data;
	} slot[LOOP_MAX];
	int64_t deadline_ms; /* now_ms() clock; 0: none */
};

int loop_open(struct loop *l);
void loop_close(struct loop *l); /* does not close the watched fds */
/* Call fn when fd has EPOLLIN/EPOLLOUT/... `events`. A callback that returns non-zero ends
 * loop_run() with that value; 0 goes on. */
int loop_add(struct loop *l, int fd, uint32_t events, int (*fn)(int, uint32_t, void *), void *data);
int loop_mod(struct loop *l, int fd, uint32_t events);
void loop_del(struct loop *l, int fd);
/* Run until a callback returns non-zero (returned) or the deadline is over (-ETIMEDOUT). */
int loop_run(struct loop *l);
/* Block the signals of set in this process and return a signalfd for them. */
int loop_signalfd(const sigset_t *set);

#endif
