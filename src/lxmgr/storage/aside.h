/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work of a backend in a mount namespace of its own. Private to storage/. */
#ifndef LXMGR_STORAGE_ASIDE_H
#define LXMGR_STORAGE_ASIDE_H

#include <stddef.h>

struct lxmgr_err;

#define ASIDE_DIRS 2

/* Run fn in a child that dies with the caller, in a mount namespace of its own. There each of
 * dirs, n of them, is opened again: clones of mounts can be attached only in the namespace that
 * these are of. Returns what fn does. */
int storage_aside(int *const dirs[], size_t n, int (*fn)(void *data, struct lxmgr_err *err),
		  void *data, struct lxmgr_err *err);

#endif
