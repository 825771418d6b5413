/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The template `download`: an image of a remote by distribution, release, architecture and variant,
 * with the options of LXC's template of that name. What it gives is the remote's image itself, no
 * copy. Private to image/.
 */
#ifndef LXMGR_IMAGE_TEMPLATE_DOWNLOAD_H
#define LXMGR_IMAGE_TEMPLATE_DOWNLOAD_H

#include "image/image.h"

bool download_template_is(const char *name);
/* Of what --help says, a copy. */
int download_template_help(char **ret, struct lxmgr_err *err);
/* What there is, as a table, to be freed. */
int download_template_list(const char *const *args, char **ret, struct lxmgr_err *err);
/* As image_from_template(). */
int download_template_get(const struct template_run *t, struct image *ret, struct lxmgr_err *err);

#endif
