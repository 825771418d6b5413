/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Roots of stopped containers that are mounted for the host. */
#ifndef LXMGR_CONTAINER_MOUNTS_H
#define LXMGR_CONTAINER_MOUNTS_H

#include "container/container.h"

/* Refuse what must not be done to a container whose root is mounted (LXMGR_WRONG_STATE, naming the
 * place). locked: the caller has the container's lock, and what a crash left is taken away. */
int mounts_check(struct lxmgr_container *c, bool locked, struct lxmgr_err *err);
/* Under the lock: let go of it, even where it is in use. */
int mounts_drop(struct lxmgr_container *c, struct lxmgr_err *err);

#endif
