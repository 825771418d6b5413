/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container that stands still while its root is copied. */
#ifndef LXMGR_CONTAINER_PAUSE_H
#define LXMGR_CONTAINER_PAUSE_H

#include <sys/types.h>

#include "container/container.h"

struct pause {
	int pipe;     /* while it is open the container stands still */
	pid_t keeper; /* 0: nothing to thaw */
};
#define PAUSE_INIT             \
	{                      \
		.pipe = -EBADF \
	}

/* Freeze the running container (with its lock held); one that is frozen stays so. It is thawed by
 * pause_end(), and by a process of its own where the caller is killed. */
int pause_begin(struct lxmgr_container *c, const struct state *s, struct pause *p,
		struct lxmgr_err *err);
/* Idempotent. */
void pause_end(struct pause *p);
#define cleanup_pause __attribute__((cleanup(pause_end)))

#endif
