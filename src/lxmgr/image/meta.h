/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of an image: its file `meta`, lines "key = value". */
#ifndef LXMGR_IMAGE_META_H
#define LXMGR_IMAGE_META_H

#include <stdint.h>

struct lxmgr_err;

struct image_meta {
	char origin[300]; /* "template NAME", "REMOTE:PRODUCT", "container NAME", "file NAME" */
	char arch[32], os[64], release[64], variant[64];
	char version[64]; /* of the product in its index */
	char tree[65];	  /* digest of its content, "": not known */
	int64_t created;
	uint64_t size; /* bytes on disk; 0: not known */
};

/* -ENOENT, ... An unknown line is skipped. */
int image_meta_read(int dir, struct image_meta *ret);
/* Control characters in a value become '?'. */
int image_meta_write(int dir, const struct image_meta *m, struct lxmgr_err *err);

#endif
