/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of backends whose root is a directory of the host's: a project quota. The container's own
 * tree, and nothing else, belongs to a project; which one says the tree itself. Private to
 * storage/.
 */
#ifndef LXMGR_STORAGE_PROJECT_H
#define LXMGR_STORAGE_PROJECT_H

#include <stdbool.h>

#include "storage/storage.h"

/* An empty directory that is to hold a tree of st gets the project of st->limit, if that says one.
 */
int project_begin(const struct storage *st, int dir_fd, struct lxmgr_err *err);
/* The resize() of a tree in dir_fd: what is there is put into the project first, beginning with the
 * directory `first` in it (NULL: anywhere), out of which a running container moves into others. */
int project_resize(struct storage *st, int dir_fd, const char *first,
		   const struct storage_limit *limit, struct lxmgr_err *err);
/* What the host itself makes in a tree that is full, as mounts do, has to find room: the limit is a
 * little higher up to project_close_room(). True: it was needed. A kill in between is mended by the
 * next start, which brings the limit into force. */
bool project_make_room(const struct storage *st, int dir_fd);
void project_close_room(const struct storage *st, int dir_fd);
/* What the tree in dir_fd takes, as the kernel counts it. -ENOENT: it is in no project. */
int project_usage(int dir_fd, uint64_t *ret_bytes);

#endif
