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
/* Of a container that is frozen: thaw it if nobody has it so, because who froze it for a copy was
 * killed together with the process that thaws it then. -EBUSY: somebody has. */
int pause_clean(struct lxmgr_container *c, struct cgroup *cg);
#define cleanup_pause __attribute__((cleanup(pause_end)))

#endif
