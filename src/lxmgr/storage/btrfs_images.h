/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Golden images as read-only subvolumes, .images/<digest> in a directory of containers: each is
 * brought there once. A container is a snapshot of one and does not need it any more; it goes with
 * the image of the cache. Private to storage/.
 */
#ifndef LXMGR_STORAGE_BTRFS_IMAGES_H
#define LXMGR_STORAGE_BTRFS_IMAGES_H

struct lxmgr_err;

/* Make ct_fd/name a writable snapshot of the image, whose root is root_fd. */
int btrfs_images_use(int ct_fd, const char *digest, int root_fd, const char *name,
		     struct lxmgr_err *err);
/* Delete those whose image the cache has no more. */
int btrfs_images_collect(int path_fd, struct lxmgr_err *err);

#endif
