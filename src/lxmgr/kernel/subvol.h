/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subvolumes of btrfs. A guest can make such in its root, nested as deep as it likes: they are
 * found in the file system's own tables and reached by handle, not by path.
 */
#ifndef LXMGR_KERNEL_SUBVOL_H
#define LXMGR_KERNEL_SUBVOL_H

#include <stdbool.h>
#include <stdint.h>

struct lxmgr_err;

/* Is fd on btrfs; is it the root of a subvolume there? */
bool subvol_is_btrfs(int fd);
bool subvol_is(int fd);
int subvol_create(int dir_fd, const char *name, struct lxmgr_err *err);
/* A snapshot of the subvolume fd as dir_fd/name, on the same file system, at one instant; with what
 * is nested in it, each of these a moment later. -EXDEV, without a message: on another one. */
int subvol_snapshot(int fd, int dir_fd, const char *name, bool read_only, struct lxmgr_err *err);
int subvol_set_read_only(int fd, bool on, struct lxmgr_err *err);
/* With all that is nested in it. 0 also where it is not there; -ENOTDIR for any other directory,
 * which stays. */
int subvol_delete(int dir_fd, const char *name, struct lxmgr_err *err);
/* What the subvolume and those in it may refer to: 0 takes the limit away. -ENOTCONN, without a
 * message: the file system does not count. */
int subvol_limit(int fd, uint64_t bytes, struct lxmgr_err *err);
/* What it refers to, as the file system counts; -ENOTCONN as above. */
int subvol_usage(int fd, uint64_t *ret_bytes, struct lxmgr_err *err);

#endif
