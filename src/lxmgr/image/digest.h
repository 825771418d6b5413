/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 by the system's programs: sha256sum, and tar for whole trees. */
#ifndef LXMGR_IMAGE_DIGEST_H
#define LXMGR_IMAGE_DIGEST_H

#include <stddef.h>

struct lxmgr_err;

/* Of all of a file, from its beginning; its offset is at the end afterwards. */
int digest_fd(int fd, char ret[65], struct lxmgr_err *err);
int digest_data(const void *data, size_t len, char ret[65], struct lxmgr_err *err);
/* A copy of a plain file, from where it stands, that has no name and nobody else can write to, so
 * that what is checked is what is used. An fd. */
int private_copy(int from, struct lxmgr_err *err);
/* The same, and its digest. */
int digest_copy(int from, char ret[65], struct lxmgr_err *err);
/* Of a directory's content: names, types, modes, owners, times of change, attributes and data. */
int digest_tree(int dirfd, char ret[65], struct lxmgr_err *err);

#endif
