/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LXMGR_STORAGE_TREE_H
#define LXMGR_STORAGE_TREE_H

#include <stdint.h>

struct lxmgr_err;

/* Bytes that the tree below dir_fd takes on disk, on its own file system. */
int tree_usage(int dir_fd, uint64_t *ret_bytes, struct lxmgr_err *err);

#endif
