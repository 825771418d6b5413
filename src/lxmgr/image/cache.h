/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache's directory. Private to image/. */
#ifndef LXMGR_IMAGE_CACHE_H
#define LXMGR_IMAGE_CACHE_H

#include "image/image.h"
#include "util/paths.h"

#define IMAGE_CACHE CACHEDIR "/images"

int image_cache_open(struct lxmgr_err *err);
int image_open_in(int cache, const char *digest, struct image *ret);
/* Whoever builds an image holds its lock from before its directory is there until that is in place.
 * As lock_at(). */
int image_build_lock(int cache, const char *digest, int timeout_ms, pid_t *ret_holder);
void image_build_unlock(int cache, const char *digest, int *lock);
/* Remove what killed builds and deletions left. */
void image_clean(int cache);

#endif
