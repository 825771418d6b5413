/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of images: the file `names` of the cache, lines "name = digest", replaced as a whole under
 * its lock. A name that begins with '@' is a template's: which image it made last of these
 * arguments.
 */
#ifndef LXMGR_IMAGE_NAMES_H
#define LXMGR_IMAGE_NAMES_H

#include <stdbool.h>

#include "image/image.h"

struct strlist;

/* 1 to 100 of A-Z a-z 0-9 _ . + / -, a letter or digit first, no "..", no "//", none that looks
 * like a digest or the beginning of one. */
bool image_name_is_valid(const char *name);
/* The digest of a name. -ENOENT. */
int names_get(int cache, const char *name, char ret[IMAGE_DIGEST_LEN + 1]);
/* Give the name to this image, whoever had it; digest NULL: take it away. */
int names_set(int cache, const char *name, const char *digest, struct lxmgr_err *err);
/* Take all names of an image away. */
int names_drop(int cache, const char *digest, struct lxmgr_err *err);
/* The names of an image, sorted, without the templates'. */
int names_of(int cache, const char *digest, struct strlist *ret);

#endif
