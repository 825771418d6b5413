/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LXMGR_STORAGE_TREE_H
#define LXMGR_STORAGE_TREE_H

#include <stdint.h>

struct lxmgr_err;

/* Bytes that the tree below dir_fd takes on disk, on its own file system. */
int tree_usage(int dir_fd, uint64_t *ret_bytes, struct lxmgr_err *err);

/* Add `first` (65536 or more) to the ids below 65536 in the tree below dir_fd, which nobody else
 * can reach: owners, capabilities of files, access control lists. What has been shifted stays, but
 * what has the ids of the block that begins at `from` (0: none) gets those of the new one. */
int tree_shift(int dir_fd, uint32_t from, uint32_t first, struct lxmgr_err *err);

#endif
