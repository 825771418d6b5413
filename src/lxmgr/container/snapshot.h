/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LXMGR_CONTAINER_SNAPSHOT_H
#define LXMGR_CONTAINER_SNAPSHOT_H

#include <limits.h>

#define SNAPSHOTS_DIR	    "snapshots"
#define SNAPSHOTS_PATH_SIZE (PATH_MAX + 96)

struct lxmgr_err;

/*
 * A directory that takes the place of the container's (reinstall) gets its snapshots, too, but no
 * two directories change place with what is in them at one instant. So the new one notes before
 * where they are, in from_name beside it, and whoever looks for snapshots first moves them.
 */
int snapshots_note(int old_fd, const char *from_name, int new_fd, struct lxmgr_err *err);
/* Of the container in dir_fd. Without a lock: several may do it at once. As long as it fails,
 * what the note names must not be deleted. */
int snapshots_settle(int dir_fd, struct lxmgr_err *err);

#endif
