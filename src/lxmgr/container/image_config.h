/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image says about its containers: the few keys that a template may set. */
#ifndef LXMGR_CONTAINER_IMAGE_CONFIG_H
#define LXMGR_CONTAINER_IMAGE_CONFIG_H

struct config;
struct draft;
struct lxmgr_err;
struct strbuf;
struct strlist;

/* The lines of an image's config that make containers of it as this one is. */
int image_config_text(const struct config *c, struct strbuf *ret, struct lxmgr_err *err);
/* Put them into the config in the making; image_root is the image's, -1: there is none. */
int image_config_add(struct draft *d, int image_root, struct lxmgr_err *err);
/* Take those away that are still as this image had them: its root goes. */
int image_config_drop(struct draft *d, int image_root, struct lxmgr_err *err);
/* A line of text on each value of the old config that the new one has not. */
int image_config_lost(const struct config *old, const struct config *now, struct strlist *ret,
		      struct lxmgr_err *err);

#endif
