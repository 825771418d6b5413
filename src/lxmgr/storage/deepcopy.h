/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of trees whose paths are longer than the kernel takes. Private to storage. */
#ifndef LXMGR_STORAGE_DEEPCOPY_H
#define LXMGR_STORAGE_DEEPCOPY_H

#include <stdbool.h>

struct lxmgr_err;

/* Is something below dir_fd so deep that a program that goes by paths cannot reach it? */
bool deepcopy_is_needed(int dir_fd);
/* As tree_copy(), into an empty directory. Descriptors and stack do not grow with the depth. */
int deepcopy(int from_fd, int to_fd, struct lxmgr_err *err);

#endif
