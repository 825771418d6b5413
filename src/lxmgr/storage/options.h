/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr.rootfs.options as mount attributes. Private to storage/. */
#ifndef LXMGR_STORAGE_OPTIONS_H
#define LXMGR_STORAGE_OPTIONS_H

#include "storage/storage.h"

/* MOUNT_ATTR_* of the options; an unknown word is refused. */
int storage_attrs(const struct storage_spec *spec, uint64_t *ret, struct lxmgr_err *err);

#endif
