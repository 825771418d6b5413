/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of files in copied trees. Private to storage/ and container/. */
#ifndef LXMGR_STORAGE_TREEATTRS_H
#define LXMGR_STORAGE_TREEATTRS_H

struct lxmgr_err;

/* Take from every file below dir_fd what an overlay remembers of the inodes that it once was made
 * of: in a copy these are others. What it means by a file (opaque, redirect) stays. */
int tree_forget_origin(int dir_fd, struct lxmgr_err *err);
/* to_fd gets mode, owner, access control lists, user attributes and times of from_fd. */
int tree_copy_attributes(int from_fd, int to_fd, struct lxmgr_err *err);
/* The same of any file, with those of an overlay and its label. */
int tree_copy_all_attributes(int from_fd, int to_fd);
/* Give each file below to_fd, a copy of the tree from_fd that nobody else reaches, those extended
 * attributes of its model that it has not got, labels of SELinux excepted. What its place cannot
 * have at all is left out, as cp does. */
int tree_complete_xattrs(int from_fd, int to_fd, struct lxmgr_err *err);

#endif
