/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Acting as a container's root on file systems that are mapped for it. */
#ifndef LXMGR_KERNEL_FSIDS_H
#define LXMGR_KERNEL_FSIDS_H

#include <sys/types.h>

struct lxmgr_err;

/*
 * Make files as uid:gid (host ids) from now on, with the process's capabilities kept effective:
 * through an idmapped mount of a container's root, host id 0 has no name and creating a file
 * fails with EOVERFLOW. fsids_set(0, 0, ...) goes back.
 */
int fsids_set(uid_t uid, gid_t gid, struct lxmgr_err *err);

#endif
