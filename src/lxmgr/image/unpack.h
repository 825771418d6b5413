/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacking hostile archives: a front to the helper lxmgr-unpack, which reads them confined (its
 * head says what it takes and refuses). What it left is a tree to go through with
 * image_verify_tree() before anything stands on it.
 */
#ifndef LXMGR_IMAGE_UNPACK_H
#define LXMGR_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

struct lxmgr_err;

struct unpack {
	int archive_fd; /* a file or a pipe, read from where it stands */
	int target_fd; /* a directory (also O_PATH), empty but for a layer; it stays the caller's */
	const char *subdir;  /* only this directory of the archive, as the top; NULL: all */
	unsigned int strip;  /* leading parts of each name to leave out */
	const char *without; /* this directory of it is left out; NULL: nothing is */
	uint32_t shift;	     /* owners from this one on are moved to begin at 0; 0: none */
	bool layer;	     /* over what is there, as a layer of an OCI image */
	bool whiteouts; /* only delete what the layer's whiteouts name: the pass before `layer` */
	/* Limits; 0: the helper's default. */
	uint64_t max_entries, max_size, max_depth, max_ratio, max_ids;
	int timeout_ms; /* 0: one hour; -1: none */
	int cancel_fd;	/* readable: it is ended; -1: none */
	/* Set by unpack_run(). */
	uint64_t entries, bytes, skipped;
};

#define UNPACK_INIT                                                        \
	{                                                                  \
		.archive_fd = -EBADF, .target_fd = -EBADF, .cancel_fd = -1 \
	}

/* 0; -EBADMSG: the archive is refused (STATUS_REFUSED); -ECANCELED, -ETIMEDOUT; -EIO. What was
 * written stays in target_fd. */
int unpack_run(struct unpack *u, struct lxmgr_err *err);

#endif
