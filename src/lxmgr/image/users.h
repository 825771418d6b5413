/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which containers stand on an image. Containers are looked for in STATEDIR and in every directory
 * of containers that the file STATEDIR/trees knows; a verb that makes a container in another one
 * tells of it before it opens the image. Together with the image's lock, which that verb holds
 * until the container's `storage` file is there, nothing can be taken from under a container.
 */
#ifndef LXMGR_IMAGE_USERS_H
#define LXMGR_IMAGE_USERS_H

#include <stdbool.h>

struct lxmgr_err;
struct strlist;

/* Remember a directory of containers (absolute, resolved), in which the directory of the new one,
 * ".NAME.new-PID", is there already: so it cannot be forgotten meanwhile. */
int image_tree_add(const char *path, struct lxmgr_err *err);
/* Forget it if there is no container in it any more, or, with `gone`, if it is not there. */
int image_tree_forget(const char *path, bool gone, struct lxmgr_err *err);
/* All directories of containers that are known. */
int image_trees(struct strlist *ret, struct lxmgr_err *err);
/* The directories ("/var/lib/lxmgr/web") whose `storage` file names the image, those of snapshots
 * too. A directory of containers that is remembered and is not there is an error: nobody knows what
 * stands in it. */
int image_users(const char *digest, struct strlist *ret, struct lxmgr_err *err);

#endif
