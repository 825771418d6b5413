/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where lxmgr-create --dir makes a root. */
#ifndef LXMGR_CONTAINER_ROOTPLACE_H
#define LXMGR_CONTAINER_ROOTPLACE_H

#include <stdbool.h>

#include "storage/storage.h"

/* dir without links, where nothing is yet. */
int rootplace_resolve(const char *dir, char ret[STORAGE_PATH_SIZE], struct lxmgr_err *err);
/* May it be made there? Not inside of another container or of a directory of containers, tree being
 * the new container's; otherwise as storage_place_check(). */
int rootplace_check(const char *dir, const char *tree, bool map, struct lxmgr_err *err);

#endif
