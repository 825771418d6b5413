/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks over trees that a guest has made, which can nest deeper than there are descriptors, or than
 * a path is long. */
#ifndef LXMGR_UTIL_TREEWALK_H
#define LXMGR_UTIL_TREEWALK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

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

/* The directory of a second tree that a walk's one stands for. */
struct treealong {
	int fd;
	struct treealong_level *v;
	size_t n, size;
};

#define TREEALONG_INIT	  ((struct treealong){ .fd = -EBADF })
#define cleanup_treealong __attribute__((cleanup(treealong_end)))

/* To the top of the second tree, to a directory below, and back, which must be where it came from
 * (-ESTALE: it was moved meanwhile). 0 or a negative errno value. */
int treealong_begin(struct treealong *a, int dir_fd);
int treealong_down(struct treealong *a, const char *name);
int treealong_up(struct treealong *a);
void treealong_end(struct treealong *a);

#endif
