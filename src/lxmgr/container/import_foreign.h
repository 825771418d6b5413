/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Formats of other managers, and what they share. Private to import*.c. */
#ifndef LXMGR_CONTAINER_IMPORT_FOREIGN_H
#define LXMGR_CONTAINER_IMPORT_FOREIGN_H

#include "container/import.h"
#include "container/translate.h"

extern const struct import_format import_lxc, import_openvz, import_vzdump, import_oci, import_tar;

/* The last part of the path of the directory fd, without links; "" where it has none. */
int import_dir_name(int fd, char *buf, size_t size);
/* A plain file below a directory: its text. -ENOENT without a message. */
int import_read_file(int dir, const char *name, char **ret, size_t *ret_len, struct lxmgr_err *err);
/* A directory below another, or itself (".") that holds something: O_PATH. */
int import_open_root(int dir, const char *name, struct lxmgr_err *err);
/* What a translation has to say, moved into parts. */
int import_take(struct translated *from, struct import_parts *to, struct lxmgr_err *err);

#endif
