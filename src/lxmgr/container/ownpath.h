/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths in configs that lead through a container's own directory, as LXC's configs have them. */
#ifndef LXMGR_CONTAINER_OWNPATH_H
#define LXMGR_CONTAINER_OWNPATH_H

#include "container/container.h"

/*
 * The text of a config with the directory `to` wherever a value has `from`, or a place below it;
 * neither ends in '/'. To be freed. A file that is read with the config (lxmgr.include,
 * lxmgr.mount.fstab) is not looked into: one that lies there is refused.
 */
int ownpath_move(const char *text, const char *from, const char *to, char **ret,
		 struct lxmgr_err *err);
/* Refuse (LXMGR_WRONG_STATE, naming it) where the root of another container of its directory stands
 * on this one's by its path: LXC's copy on write. */
int ownpath_check_dependents(struct lxmgr_container *c, struct lxmgr_err *err);

#endif
