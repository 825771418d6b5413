/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root of what is imported. Private to container/import*.c. */
#ifndef LXMGR_CONTAINER_IMPORT_ROOT_H
#define LXMGR_CONTAINER_IMPORT_ROOT_H

#include "container/import.h"

struct import_fill {
	int ct_fd; /* the draft's directory, which path names; its storage is made */
	const char *path;
	const struct import_source *from;
	const struct import_format *format;
	struct import_parts *parts; /* what fill() says is put here */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
};

/* Fill the root of the draft, in a child. */
int import_fill_root(struct import_fill *f, struct lxmgr_err *err);
/* Set s->members. A file that is no archive has none. */
int import_list_members(struct import_source *s, struct lxmgr_err *err);

#endif
