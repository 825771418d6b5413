/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What -B loop and -B lvm are to make: the verbs' options, and lxmgr.conf where they say nothing.
 */
#ifndef LXMGR_CONTAINER_MAKEOPTS_H
#define LXMGR_CONTAINER_MAKEOPTS_H

#include "storage/storage.h"

struct makeopts {
	const char *backend, *fstype, *fssize, *lvname, *vgname, *thinpool; /* any may be NULL */
	const char *name;						    /* the container's */
	struct storage_make make; /* what comes of them; points into this and the options */
	char *group, *pool;
};

/* Options that the backend has no use for are refused. */
int makeopts_resolve(struct makeopts *m, struct lxmgr_err *err);
void makeopts_free(struct makeopts *m);
#define cleanup_makeopts __attribute__((cleanup(makeopts_free)))

#endif
