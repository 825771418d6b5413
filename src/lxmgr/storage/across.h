/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to storage/. */
#ifndef LXMGR_STORAGE_ACROSS_H
#define LXMGR_STORAGE_ACROSS_H

struct lxmgr_err;
struct storage;
struct storage_copy;

/* What copy() of a backend does, between two backends, or to a file system of another size or kind
 * (to->make): file by file, as the root shows it. */
int storage_copy_across(struct storage *st, struct storage *to, const struct storage_copy *how,
			struct lxmgr_err *err);

#endif
