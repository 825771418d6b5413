/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the mounts of a running container from outside. */
#ifndef LXMGR_CONTAINER_INSIDE_H
#define LXMGR_CONTAINER_INSIDE_H

#include "container/container.h"

/*
 * Run fn in a child that has joined the mount namespace of the container's init, and nothing else:
 * nobody in there can see or trace it. root is the container's. -ETIMEDOUT: fn took longer than
 * timeout_ms, which a guest can bring about with a file system of its own, and was killed.
 */
int inside_run(const struct state *s, int timeout_ms,
	       int (*fn)(int root, void *data, struct lxmgr_err *err), void *data,
	       struct lxmgr_err *err);

/* The root directory of a running container, and nothing else of it (O_PATH): no program of the
 * host's runs where the container's files could be taken for the host's. */
int inside_root(const struct state *s, struct lxmgr_err *err);

struct clone_args;

/* clone3() into the cgroup of a running container, which cgroup_open_attach() has opened; the child
 * calls cgroup_join(). */
int inside_clone(struct cgroup *cg, struct clone_args *args);

#endif
