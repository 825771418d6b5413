/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole trees, copied. Private to storage/ and container/. */
#ifndef LXMGR_STORAGE_TREECOPY_H
#define LXMGR_STORAGE_TREECOPY_H

#include <stdbool.h>

struct lxmgr_err;
struct run_opts;

/* Copy what is below from_fd, and its own mode, owner, times and attributes, to the directory
 * to_fd: with hard links, holes, extended attributes; file contents shared where the file system
 * can. */
int tree_copy(int from_fd, int to_fd, struct lxmgr_err *err);
/* For all copies of this process: while the descriptor is readable they end with -ECANCELED, and
 * those that take long tell how far they are. -1 and NULL: not. */
struct tree_watch {
	int cancel_fd;
	void (*progress)(const char *text, int permille, void *arg);
	void *arg;
};
/* NULL: no more. */
void tree_copy_watch(const struct tree_watch *w);
int tree_copy_cancel_fd(void);
bool tree_copy_is_cancelled(void);
/* How far work is that no program does; -ECANCELED: it is to end. */
int tree_copy_tell(const char *text, int permille);
/* A program (NULL: cp) that is about to be run is to end and tell likewise. */
void tree_watch_program(const char *program, struct run_opts *o);
/* Run cp as that is watched. */
int tree_run_cp(const char *const *argv, struct lxmgr_err *err);
/* For run_opts.prepare, with the address of the caller's pid: the program is killed with it. */
int tree_die_with_parent(void *parent);
/* Can files below dir_fd share their contents? Tries it. */
bool tree_can_reflink(int dir_fd);

#endif
