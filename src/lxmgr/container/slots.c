/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A counting lock of N files, each with an flock; and one more for the place in the queue. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "container/slots.h"
#include "lxmgr.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

/* A name that no container has. */
#define SLOTS_DIR RUNDIR "/.slots"
#define WAIT_MS	  30000
#define LEAST	  4

/* How many starts at once; 0: any number. */
static uint32_t cap(void)
{
	cleanup_free char *value = NULL;
	struct lxmgr_err err = { 0 };
	cpu_set_t cpus;
	uint32_t n;

	if (lxmgr_global_get("lxmgr.start.parallel", &value, &err) < 0)
		log_warn("%s, ignoring", err.text);
	if (value && parse_u32(value, &n) == 0)
		return n;
	if (value && !str_eq(value, "auto"))
		log_warn("lxmgr.conf: lxmgr.start.parallel '%s' is neither a number nor auto, "
			 "ignoring",
			 value);
	n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : LEAST;
	return n < LEAST ? LEAST : n;
}

static int try_slots(int dir, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "%u", i);
		fd = lock_at(dir, name, true, 0, NULL);
		if (fd != -EWOULDBLOCK)
			return fd;
	}
	return -EWOULDBLOCK;
}

int start_slot_take(void)
{
	cleanup_fd int dir = -EBADF, queue = -EBADF;
	int64_t end = now_ms() + WAIT_MS;
	uint32_t n = cap();
	int fd;

	if (!n || mkdir_p(SLOTS_DIR, 0700) < 0)
		return -EBADF;
	dir = open(SLOTS_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -EBADF;
	/* Only the first in the queue looks for a slot; who comes later cannot overtake it. */
	queue = lock_at(dir, "queue", true, -1, NULL);
	if (queue < 0)
		return -EBADF;
	while ((fd = try_slots(dir, n)) == -EWOULDBLOCK && now_ms() < end)
		usleep(5000);
	if (fd == -EWOULDBLOCK)
		log_notice("all %u slots for starts were taken for half a minute: starting without",
			   n);
	return fd < 0 ? -EBADF : fd;
}
