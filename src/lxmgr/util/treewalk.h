/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks over trees that a guest has made, which can nest deeper than there are descriptors, or than
 * a path is long. */
#ifndef LXMGR_UTIL_TREEWALK_H
#define LXMGR_UTIL_TREEWALK_H

#include <stdbool.h>

/* What returns something else than 0 ends the walk, which returns it. NULL: not asked. */
struct treewalk {
	/* What is no directory, in the directory dir_fd, which can be read; type: a DT_ of
	 * readdir(3), never DT_UNKNOWN. All of a directory come before the directories in it. */
	int (*file)(void *arg, int dir_fd, const char *name, unsigned char type);
	/* A directory, before what is in it, and after. fd can be read. Not called for the top. */
	int (*enter)(void *arg, int fd, const char *name);
	int (*leave)(void *arg, int fd, const char *name);
	/* A directory that something is mounted on is left out; otherwise it ends with -EXDEV. */
	bool skip_mounts;
};

/*
 * What is below dir_fd, on its own mount; links are not followed. Descriptors and stack do not grow
 * with the depth: the way down is by name, and the way back "..", which must be what was left
 * (-ESTALE: it was moved meanwhile). What vanishes between being listed and opened is left out.
 * Negative errno values.
 */
int tree_walk(int dir_fd, const struct treewalk *how, void *arg);

/* For who goes along in a second tree: from *fd, which is closed, to its parent, which must be the
 * directory that `dev` and `ino` say. 0, -ESTALE or another negative errno value. */
int treewalk_up(int *fd, unsigned long long dev, unsigned long long ino);

#endif
