/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Putting an image into the cache: built beside it, gone through, renamed. Private to image/ and
 * container/. */
#ifndef LXMGR_IMAGE_STORE_H
#define LXMGR_IMAGE_STORE_H

#include <stdbool.h>

#include "image/image.h"
#include "image/meta.h"

struct image_build {
	int cache, lock, dir, root; /* root: rootfs/ of the new image */
	int hold;		    /* the new image's own lock, shared */
	char id[IMAGE_DIGEST_LEN + 1];
	char tmp[IMAGE_DIGEST_LEN + 16];
};

#define IMAGE_BUILD_INIT                                                                        \
	{                                                                                       \
		.cache = -EBADF, .lock = -EBADF, .dir = -EBADF, .root = -EBADF, .hold = -EBADF, \
	}

/* Begin to build what will probably have this digest. Waits for who builds it. */
int image_build_begin(struct image_build *b, const char *digest, struct lxmgr_err *err);
/* Go through the tree, write its metadata, and put it in place as `digest`. One that is there
 * already stays. Until image_build_end() it is not deleted. */
int image_build_commit(struct image_build *b, const char *digest, struct image_meta *m,
		       struct lxmgr_err *err);
/* Remove what was not put in place, and let go. */
void image_build_end(struct image_build *b);

/* An image from an archive whose digest the caller has checked over these bytes. */
struct image_archive {
	/* A file that nobody else can write to; -EBADF: take what the cache has, or -ENOENT. */
	int fd;
	const char *digest;
	struct image_meta meta;
	const char *name;   /* gets this name; or NULL */
	struct image *keep; /* gets the image, open; or NULL */
	uint64_t max_size;
	int cancel_fd;
};
int image_from_archive(struct image_archive *a, struct lxmgr_err *err);

/* A name, a digest, or 12 or more of its first digits. */
int image_resolve(int cache, const char *name, char ret[IMAGE_DIGEST_LEN + 1],
		  struct lxmgr_err *err);

#endif
