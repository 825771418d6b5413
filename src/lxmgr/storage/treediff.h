/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sets two trees apart. */
#ifndef LXMGR_STORAGE_TREEDIFF_H
#define LXMGR_STORAGE_TREEDIFF_H

#include <stdbool.h>

struct lxmgr_err;

enum tree_change {
	TREE_ADDED,
	TREE_DELETED,
	TREE_CONTENT, /* other bytes, another link target or device, another type */
	TREE_META,    /* mode, owner or extended attributes alone */
};

/* How two files are told to be the same. */
enum tree_compare {
	/* Both are views of one layer if also the time of the last change of the inode is the same,
	 * which nobody inside can set: for two overlays over the same base. */
	TREE_BY_CHANGE_TIME,
	TREE_BY_TIME,	 /* size and time of modification */
	TREE_BY_CONTENT, /* every byte is read */
};

/* fn for each path (relative, without "./") that differs from `before` in `after`, a directory
 * before what is in it; what is below an added or deleted directory is not told one by one. An
 * error of fn ends the walk. */
int tree_diff(int before_fd, int after_fd, enum tree_compare how,
	      int (*fn)(enum tree_change change, const char *path, void *arg), void *arg,
	      struct lxmgr_err *err);

#endif
