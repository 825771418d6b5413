/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache's directory. Private to image/. */
#ifndef LXMGR_IMAGE_CACHE_H
#define LXMGR_IMAGE_CACHE_H

#include "image/image.h"
#include "util/paths.h"

#define IMAGE_CACHE CACHEDIR "/images"

int image_cache_open(struct lxmgr_err *err);
int image_open_in(int cache, const char *digest, struct image *ret);
/* Remove what killed builds left. */
void image_clean(int cache);

#endif
