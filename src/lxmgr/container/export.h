/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an export to a file and one to a directory of backups have in common. */
#ifndef LXMGR_CONTAINER_EXPORT_H
#define LXMGR_CONTAINER_EXPORT_H

#include "container/copy.h"
#include "container/draft.h"
#include "image/archive.h"

struct export
{
	struct source from;
	struct draft copy; /* of one that runs: it goes when the archive is made */
	struct storage copied;
	bool has_copy;
	struct idmap map;
	char *config;
	const struct lxmgr_export_opts *o;
	int cancel_fd;
};
#define EXPORT_INIT                                                              \
	{                                                                        \
		.from = SOURCE_INIT,                                             \
		.copy = { .path_fd = -EBADF, .dir_fd = -EBADF, .lock = -EBADF }, \
		.copied = { .layers_lock = -EBADF }, .cancel_fd = -1             \
	}

/* Lock the container; of one that runs make a copy that stands still, and let it go on. */
int export_begin(struct export *x, struct lxmgr_container *c, struct lxmgr_err *err);
/* What it says of itself: kind "full" or "increment", point and parent may be NULL. To be freed. */
char *export_head(const struct export *x, const char *kind, const char *point, const char *parent,
		  uint64_t when);
/* Write the archive; p has the fds, before_fd and head. */
int export_pack(struct export *x, struct archive_pack *p, struct lxmgr_err *err);
/* Say what was left out. */
void export_warn(const struct export *x, const struct archive_pack *p);
void export_end(struct export *x);

#endif
