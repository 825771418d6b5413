/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr.features: what a container may have beyond the default, by name. One table. */
#ifndef LXMGR_CONTAINER_FEATURES_H
#define LXMGR_CONTAINER_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct lxmgr_err;
struct strlist;

/* Ids of an ordinary container. */
#define FEATURES_IDS 65536U

struct feature {
	const char *name, *help;
	/* A character device of the host's /dev, in the container's /dev too; NULL: none. */
	const char *device;
	unsigned int major, minor;
	uint32_t ids; /* size of the block of ids, a power of two of FEATURES_IDS; 0: the usual */
	bool nesting; /* AppArmor lets it make containers; a /proc and a /sys without masks are at
		       * hand, since the kernel allows another one only beside such */
};

/* Add the words of one lxmgr.features line to list; an unknown one is refused with all names. */
int features_parse(const char *text, struct strlist *list, struct lxmgr_err *err);
/* The i-th feature that the config names, NULL behind the last. */
const struct feature *features_get(const struct config *c, size_t i);
/* The block of ids to ask for, and whether containers are made inside. */
uint32_t features_ids(const struct config *c);
bool features_nesting(const struct config *c);
/* The block of the container `id` from the allocator: as large as its features want, or half of
 * that and so on where the host has not as many, as inside a container. */
int features_acquire_ids(const struct config *c, const char *id, uint32_t *ret_base,
			 uint32_t *ret_count, struct lxmgr_err *err);

#endif
