/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a container's saved config, several at once: checked as a whole, then written. */
#ifndef LXMGR_CONTAINER_EDIT_H
#define LXMGR_CONTAINER_EDIT_H

#include "container/container.h"

/* A config file as it is and as it would be with the changes. */
struct edit {
	char *before, *text;
	struct config *config; /* of text */
};
#define cleanup_edit __attribute__((cleanup(edit_free)))
void edit_free(struct edit *e);

/* Under the lock: read c's config, change it, and check the whole as it would be read. A change's
 * value NULL takes its key away. */
int edit_prepare(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
		 struct edit *ret, struct lxmgr_err *err);
/* The file is replaced, and what follows from it (units of a start, timers) brought up to date; or
 * all is as before. */
int edit_write(struct lxmgr_container *c, const struct edit *e, struct lxmgr_err *err);

/* The same for the config that the running container was started with, which can have values of
 * its own (-s). */
int edit_prepare_running(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
			 struct edit *ret, struct lxmgr_err *err);
/* text: before or text of an edit. */
int edit_write_running(struct lxmgr_container *c, const char *text, struct lxmgr_err *err);

#endif
