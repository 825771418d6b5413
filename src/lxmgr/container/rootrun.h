/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work on the root of a stopped container. */
#ifndef LXMGR_CONTAINER_ROOTRUN_H
#define LXMGR_CONTAINER_ROOTRUN_H

struct lxmgr_err;
struct storage;
struct storage_spec;

/*
 * Run fn in a child with a mount namespace of its own, in which the root of the container in ct_fd,
 * which path names, is opened: unmapped and writable. Returns what fn does, up to 99;
 * what else it finds out comes back by descriptors.
 */
int rootrun_stopped(int ct_fd, const char *path, const struct storage_spec *spec,
		    int (*fn)(int root, const struct storage *st, void *data,
			      struct lxmgr_err *err),
		    void *data, struct lxmgr_err *err);

#endif
