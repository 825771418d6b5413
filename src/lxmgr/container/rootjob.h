/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long work on the root of a container that is stopped, or not made yet: it tells how far it is,
 * and can be interrupted. */
#ifndef LXMGR_CONTAINER_ROOTJOB_H
#define LXMGR_CONTAINER_ROOTJOB_H

#include <stdint.h>

struct lxmgr_err;
struct storage;
struct storage_spec;

struct rootjob {
	int ct_fd; /* the container's directory, which path names */
	const char *path;
	const struct storage_spec *spec;
	/* In a child with a mount namespace of its own, as rootrun_stopped() has it. */
	int (*fn)(int root, const struct storage *st, struct rootjob *j, struct lxmgr_err *err);
	void *data;
	int cancel_fd; /* readable: the child is killed (-ECANCELED); -1: none */
	void (*progress)(const char *text, int permille,
			 void *arg); /* in the parent; may be NULL */
	void *progress_arg;
	int result_fd; /* a file in memory: what the child writes the parent reads from the
			* beginning; the caller closes it */
	int sock;      /* the child's, private */
};
#define ROOTJOB_INIT                                                      \
	{                                                                 \
		.ct_fd = -1, .cancel_fd = -1, .result_fd = -1, .sock = -1 \
	}

int rootjob_run(struct rootjob *j, struct lxmgr_err *err);
/* In the child. permille -1: not known. */
void rootjob_tell(struct rootjob *j, const char *text, int permille);

#endif
