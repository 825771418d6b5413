/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's file `storage`. Private to storage/. */
#ifndef LXMGR_STORAGE_RECORD_H
#define LXMGR_STORAGE_RECORD_H

#include "storage/storage.h"

/* Version of a file that says no more than the first lxmgr knew, and of others. */
#define STORAGE_PLAIN_VERSION	1
#define STORAGE_LAYERED_VERSION 2

void storage_init(struct storage *st, int ct_fd, const struct storage_spec *spec);
/* NULL: there is none of that name. */
const struct storage_ops *storage_find(const char *name);
int storage_unknown(const char *name, struct lxmgr_err *err);
/* -ENOENT, without a message: there is no file. */
int storage_read(struct storage *st, struct lxmgr_err *err);
/* Its text, to be freed; -ENOENT. */
int storage_read_text(int ct_fd, char **ret);
/* The text of a file: st's backend, base, tree, layers, ids and limit. */
int storage_parse(struct storage *st, const char *text, struct lxmgr_err *err);
/* The text for st, to be freed; NULL: no memory. */
char *storage_print(const struct storage *st);
/* In a replace(): the file says what `new` is from now on. Where that fails it says again what st
 * is, and the backend's recover() has been called; or, where even that cannot be, either may be
 * what it says: both trees stay. */
int storage_write_over(struct storage *st, const struct storage *new, struct lxmgr_err *err);
/* A name of a layer or a tree: letters, digits, and behind the first "._-+". */
bool storage_name_is_valid(const char *name);
/* Is it `base` or "base.NUMBER"? Other names in a container's directory are somebody else's. */
bool storage_is_tree(const char *name, const char *base);

#endif
