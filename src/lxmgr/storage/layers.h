/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store of read-only layers, .layers in a directory of containers: <id>/rootfs, shared by the
 * containers and snapshots whose `storage` files name them. What no file names is deleted by
 * storage_collect(); whoever makes a layer holds the store's lock (shared) until a file names it.
 * Private to storage/.
 */
#ifndef LXMGR_STORAGE_LAYERS_H
#define LXMGR_STORAGE_LAYERS_H

#include "storage/storage.h"

/* The store that belongs to the container or snapshot directory ct_fd. -ENOENT. */
int layers_open(int ct_fd);
/* Make an empty layer and put its id on top of those of st; takes st's layers_lock. Returns an fd
 * of the layer's directory (<id>), in which rootfs is to be made. -E2BIG, without a message: there
 * are as many as there may be. */
int layers_new(struct storage *st, struct lxmgr_err *err);
/* O_PATH of the layer's directory or of its rootfs. -ENOENT without a message. */
int layers_open_dir(int ct_fd, const char *id);
/* The same, made where it is not there. */
int layers_make_dir(int ct_fd, const char *id);
int layers_open_root(int ct_fd, const char *id);

#endif
