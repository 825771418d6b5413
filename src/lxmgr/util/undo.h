/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The undo list: what was acquired, to be taken back in reverse order unless the whole succeeded.
 *
 *	cleanup_undo struct undo undo = { 0 };
 *	...
 *	r = undo_push(&undo, remove_link, name);
 *	...
 *	undo_commit(&undo);
 */
#ifndef LXMGR_UTIL_UNDO_H
#define LXMGR_UTIL_UNDO_H

#include <stddef.h>

#define UNDO_MAX 64

struct undo {
	struct {
		void (*fn)(void *data);
		void *data;
	} step[UNDO_MAX];
	size_t n;
};

/* Remember fn(data). If the list is full, fn runs at once and -ENOSPC is returned. */
int undo_push(struct undo *u, void (*fn)(void *data), void *data);
/* Run all in reverse order and empty the list. */
void undo_run(struct undo *u);
/* Forget all: it succeeded. */
void undo_commit(struct undo *u);
#define cleanup_undo __attribute__((cleanup(undo_run)))

#endif
