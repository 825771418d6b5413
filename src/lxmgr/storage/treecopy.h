/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole trees, copied. Private to storage/ and container/. */
#ifndef LXMGR_STORAGE_TREECOPY_H
#define LXMGR_STORAGE_TREECOPY_H

#include <stdbool.h>

struct lxmgr_err;

/* Copy what is below from_fd, and its own mode, owner, times and attributes, to the directory
 * to_fd: with hard links, holes, extended attributes; file contents shared where the file system
 * can. */
int tree_copy(int from_fd, int to_fd, struct lxmgr_err *err);
/* While the descriptor is readable, copies of this process end with -ECANCELED; -1: no more. */
void tree_copy_cancel(int fd);
int tree_copy_cancel_fd(void);
/* For run_opts.prepare, with the address of the caller's pid: the program is killed with it. */
int tree_die_with_parent(void *parent);
/* Can files below dir_fd share their contents? Tries it. */
bool tree_can_reflink(int dir_fd);
/* Take from every file below dir_fd what an overlay remembers of the inodes that it once was made
 * of: in a copy these are others. What it means by a file (opaque, redirect) stays. */
int tree_forget_origin(int dir_fd, struct lxmgr_err *err);
/* The directory to_fd gets mode, owner, access control lists and user attributes of from_fd. */
int tree_copy_attributes(int from_fd, int to_fd, struct lxmgr_err *err);

#endif
