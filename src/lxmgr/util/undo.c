/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "util/undo.h"

int undo_push(struct undo *u, void (*fn)(void *data), void *data)
{
	if (u->n == UNDO_MAX) {
		fn(data);
		return -ENOSPC;
	}
	u->step[u->n].fn = fn;
	u->step[u->n++].data = data;
	return 0;
}

void undo_run(struct undo *u)
{
	int saved = errno;

	while (u->n) {
		u->n--;
		u->step[u->n].fn(u->step[u->n].data);
	}
	errno = saved;
}

void undo_commit(struct undo *u)
{
	u->n = 0;
}
