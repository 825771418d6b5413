/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who changed what: a line in the host's journal, or syslog, for each change that was asked for. */
#ifndef LXMGR_CONTAINER_AUDIT_H
#define LXMGR_CONTAINER_AUDIT_H

#include <stddef.h>

struct lxmgr_change;
struct lxmgr_container;
struct lxmgr_err;

/*
 * What the public functions end with: tells that the verb was done to the container, or failed
 * where r is negative, for the reason in err (may be NULL). detail: what else there is to say, may
 * be NULL; no secrets. Returns r. A host without a log is told nothing; errno stays.
 */
int audit(const struct lxmgr_container *c, const char *verb, const char *detail, int r,
	  const struct lxmgr_err *err);
/* The same for what is no container yet. path: NULL for the default directory. */
int audit_name(const char *path, const char *name, const char *verb, const char *detail, int r,
	       const struct lxmgr_err *err);

/* The same of an image, by its name or digest; NULL: it has none. */
int audit_image(const char *image, const char *verb, const char *detail, int r,
		const struct lxmgr_err *err);

#define AUDIT_CHANGES 512
/* "lxmgr.limit.memory=2G lxmgr.owner=me", for detail. The environment's values are the guest's. */
const char *audit_changes(const struct lxmgr_change *changes, size_t n, char buf[AUDIT_CHANGES]);

#endif
