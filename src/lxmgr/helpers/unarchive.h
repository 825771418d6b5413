/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of lxmgr-unarchive: reading an archive, and making its files. */
#ifndef LXMGR_HELPERS_UNARCHIVE_H
#define LXMGR_HELPERS_UNARCHIVE_H

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>

#include "helpers/archivebounds.h"
#include "helpers/zsum.h"
#include "util/err.h"

#define REFUSED ZSUM_REFUSED

struct unarchive {
	struct archive *a;
	struct zsum_in in;
	uint64_t max_entries, max_size, ratio, ids;
	bool increment; /* over what is there: what stands in the way goes */
	int root;
	/* The directories that the next entry can be in: the root first. */
	struct level {
		int fd;
		size_t len; /* of its path */
		struct timespec mtime;
	} level[ARCHIVE_DEPTH + 2];
	size_t n_levels;
	char path[PATH_MAX]; /* of the innermost */
	uint64_t entries, bytes, told;
	struct lxmgr_err err;
};

/* Refused, with a text in which what the archive says is escaped. */
__attribute__((format(printf, 2, 3))) int refuse(struct unarchive *u, const char *fmt, ...);
/* The name below the root, checked: no part of it is "..", none too long; "" is the root. NULL. */
const char *entry_name(struct unarchive *u, const char *name);
/* Make what the entry is; name from entry_name(). */
int make_entry(struct unarchive *u, struct archive_entry *e, const char *name);
/* A name that is gone. */
int make_gone(struct unarchive *u, const char *name);
/* Leave all directories. */
int make_end(struct unarchive *u);
/* Account for n bytes that are to be written. */
int count_bytes(struct unarchive *u, size_t n);
int read_error(struct unarchive *u, const char *what);

#endif
