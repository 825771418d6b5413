/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image says about its containers: the few keys that a template may set. */
#ifndef LXMGR_CONTAINER_IMAGE_CONFIG_H
#define LXMGR_CONTAINER_IMAGE_CONFIG_H

struct draft;
struct lxmgr_err;

/* Put them into the config in the making; image_root is the image's, -1: there is none. */
int image_config_add(struct draft *d, int image_root, struct lxmgr_err *err);
/* Take those away that are still as this image had them: its root goes. */
int image_config_drop(struct draft *d, int image_root, struct lxmgr_err *err);

#endif
