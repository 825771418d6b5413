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
struct import_merge {
	bool mac, addresses; /* these of its interfaces, too */
	bool no_disk;	     /* no limit of the disk */
	/* The keys that are not taken, and notices of values that are not; the caller's. */
	struct strlist left_out, notices;
};
#define cleanup_merge __attribute__((cleanup(import_merge_free)))
void import_merge_free(struct import_merge *m);
/*
 * *text, the config that a new container of this host starts from, gets what `from` says that is
 * harmless. What the former limits it does not lift. *text is replaced; it stays the caller's.
 */
int import_config_merge(char **text, const char *from, struct import_merge *to,
			struct lxmgr_err *err);

#endif
