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
/* The text of a file: st's backend, base, tree, layers, ids and limit. */
int storage_parse(struct storage *st, const char *text, struct lxmgr_err *err);
/* The text for st, to be freed; NULL: no memory. */
char *storage_print(const struct storage *st);
/* A name of a layer or a tree: letters, digits, and behind the first "._-+". */
bool storage_name_is_valid(const char *name);

#endif
