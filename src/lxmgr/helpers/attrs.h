/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes, access control lists and capabilities of files, between the kernel's form
 * and that of an archive's entry.
 */
#ifndef LXMGR_HELPERS_ATTRS_H
#define LXMGR_HELPERS_ATTRS_H

#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/idmap.h"

#define ATTRS_NAMES 65536
#define ATTRS_VALUE 65536
/* Whom an id is that the container does not have. */
#define ATTRS_NOBODY 65534

/* The devices that a root may hold: those that every container is given anyway; as dev_t,
 * 0-terminated. */
extern const unsigned int attrs_devices[];
bool attrs_device_is_plain(uint64_t dev);

/* The container's id of one on disk; with no map the same. nobody counts those that it lacks. */
uint32_t attrs_uid_in(const struct idmap *map, uint32_t id, uint64_t *nobody);
uint32_t attrs_gid_in(const struct idmap *map, uint32_t id, uint64_t *nobody);

/* user.* but what an overlay means by it. */
bool attrs_is_user(const char *name);

/* Called with the canonical bytes of each attribute, for a digest; may be NULL. */
typedef void attrs_sum(const void *data, size_t len, void *arg);
/* From the file to the entry: fd of a file or directory, or -1: name in the working directory, not
 * followed. 0 or -errno. */
int attrs_read(int fd, const char *name, struct archive_entry *e, const struct idmap *map,
	       uint64_t *nobody, attrs_sum *sum, void *arg);
/* From the entry to the file; its ACLs last, which change the mode's bits of the group to the mask.
 * Where a file system has no attributes of users, these are left away. ids: owners are below.
 * -EOVERFLOW: one is not. */
int attrs_write(int fd, const char *name, struct archive_entry *e, uint64_t ids);
/* Take away those that attrs_read() knows, from a directory. */
int attrs_clear(int fd);

#endif
