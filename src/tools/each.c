/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "each.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MAX_THREADS 16
#define WORTH	    8 /* containers: fewer are read before a thread is there */

struct work {
	size_t n;
	void (*fn)(size_t i, void *arg);
	void *arg;
	atomic_size_t next;
};

static void *work(void *arg)
{
	struct work *w = arg;
	size_t i;

	while ((i = atomic_fetch_add(&w->next, 1)) < w->n)
		w->fn(i, w->arg);
	return NULL;
}

static size_t threads_for(size_t n)
{
	cpu_set_t cpus;
	size_t most = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (size_t)CPU_COUNT(&cpus) : 1;

	most = most < n / WORTH ? most : n / WORTH;
	return most < MAX_THREADS ? most : MAX_THREADS;
}

void each(size_t n, void (*fn)(size_t i, void *arg), void *arg)
{
	struct work w = { .n = n, .fn = fn, .arg = arg };
	pthread_t others[MAX_THREADS];
	size_t want = threads_for(n), have = 0;

	/* This one is the first; where no other can be had it does all. */
	while (have + 1 < want && pthread_create(&others[have], NULL, work, &w) == 0)
		have++;
	work(&w);
	while (have)
		pthread_join(others[--have], NULL);
}
