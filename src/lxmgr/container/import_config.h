/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config of what is imported. Private to container/import*.c and their tests. */
#ifndef LXMGR_CONTAINER_IMPORT_CONFIG_H
#define LXMGR_CONTAINER_IMPORT_CONFIG_H

#include <stdbool.h>

#include "util/str.h"

struct lxmgr_err;

/* May a config that nobody vouches for set this key (without its prefix)? Only what acts inside the
 * container alone. */
bool import_key_is_harmless(const char *name);
/*
 * *text, the config that a new container of this host starts from, gets what `from` says that is
 * harmless. keep_mac, keep_addresses: these of its interfaces, too. The others' keys are added to
 * left_out. *text is replaced; it stays the caller's.
 */
int import_config_merge(char **text, const char *from, bool keep_mac, bool keep_addresses,
			struct strlist *left_out, struct lxmgr_err *err);

#endif
