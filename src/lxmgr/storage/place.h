/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A root of backend dir that lxmgr makes in a place of its own (lxmgr-create --dir). The
 * container's file `storage` names it (dir, tag) before it is made, and the directory bears the tag
 * as a mark that a guest can neither make nor take away. What does not bear it is somebody else's
 * and is never deleted.
 */
#ifndef LXMGR_STORAGE_PLACE_H
#define LXMGR_STORAGE_PLACE_H

#include <stdbool.h>

#include "storage/storage.h"

/* May a root be made at path (absolute, without links)? Every directory on the way belongs to root,
 * is writable by nobody else and is no such root itself; one at least only root can enter, since a
 * guest can make programs with the set-user-ID bit of the host's root. map: ids are to be mapped
 * there. */
int storage_place_check(const char *path, bool map, struct lxmgr_err *err);
/* Is it a path that a `storage` file may name? */
bool storage_place_is_valid(const char *path);
/* Private to storage/: make st->make->dir, recorded, empty and opened. -EEXIST where there is
 * something of that name. */
int place_make(struct storage *st, struct lxmgr_err *err);
/* Delete what place_make() made for st. Idempotent. */
int place_remove(const struct storage *st, struct lxmgr_err *err);

#endif
