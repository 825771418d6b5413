/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"
#include "util/table.h"

#define LIMIT		(16 << 20)
#define LOCK_TIMEOUT_MS 10000

static int read_table(struct table *t, bool lock)
{
	char file[64];
	int r;

	snprintf(file, sizeof(file), ".%s.lock", t->name);
	if (lock) {
		t->lock = lock_at(t->dir, file, true, LOCK_TIMEOUT_MS, NULL);
		if (t->lock < 0)
			return t->lock;
	}
	r = read_file_at(t->dir, t->name, LIMIT, &t->text, NULL);
	if (r == -ENOENT)
		r = (t->text = strdup("")) ? 0 : -ENOMEM;
	return r;
}

int table_open(struct table *t, const char *dir, const char *name, bool lock)
{
	int r = mkdir_p(dir, 0711);

	*t = (struct table){ .name = name, .dir = -EBADF, .lock = -EBADF };
	if (r < 0)
		return r;
	t->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = t->dir < 0 ? -errno : read_table(t, lock);
	if (r < 0)
		table_close(t);
	return r;
}

int table_replace(struct table *t, const struct strbuf *b, bool sync)
{
	const char *text = b->s ? b->s : "";

	if (b->failed)
		return -ENOMEM;
	return sync ? write_file_atomic(t->dir, t->name, text, b->len, 0600)
		    : write_file_replace(t->dir, t->name, text, b->len, 0600);
}

void table_close(struct table *t)
{
	fd_close(&t->dir);
	fd_close(&t->lock);
	free(take_ptr(t->text));
}
