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

/* What a TREE_CONTENT or TREE_META is about. */
enum { TREE_TYPE = 1, TREE_DATA = 2, TREE_MODE = 4, TREE_OWNER = 8, TREE_XATTR = 16 };

/* How two files are told to be the same. */
enum tree_compare {
	/* Both are views of one layer if also the time of the last change of the inode is the same,
	 * which nobody inside can set: for two overlays over the same base. A directory of another
	 * time of modification is a TREE_META. */
	TREE_BY_CHANGE_TIME,
	TREE_BY_TIME,	 /* size and time of modification */
	TREE_BY_CONTENT, /* every byte is read */
	/* By content what TREE_BY_CHANGE_TIME takes for different. `what` is known, and all that is
	 * below an added or deleted directory is told as well. */
	TREE_EACH,
};

/* fn for each path (relative, without "./"; that of the root itself is ".") that differs from
 * `before` in `after`, a directory before what is in it; what is below an added or deleted
 * directory is not told one by one, but by TREE_EACH. what: TREE_TYPE and so on, by TREE_EACH
 * alone. An error of fn ends the walk. The process may have as many open files from then on as its
 * hard limit lets it. */
typedef int tree_diff_fn(enum tree_change change, unsigned int what, const char *path, void *arg);
int tree_diff(int before_fd, int after_fd, enum tree_compare how, tree_diff_fn *fn, void *arg,
	      struct lxmgr_err *err);

#endif
