/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LXMGR_CONTAINER_SNAPSHOT_H
#define LXMGR_CONTAINER_SNAPSHOT_H

#include <limits.h>

#define SNAPSHOTS_DIR	    "snapshots"
#define SNAPSHOTS_PATH_SIZE (PATH_MAX + 96)

#endif
