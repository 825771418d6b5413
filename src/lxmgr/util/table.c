/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The directory whose names are not on the disk yet. */
static struct {
	bool on;
	int dir;
} later = { .dir = -1 };

static bool same_directory(int a, int b)
{
	struct stat x, y;

	return a >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int sync_later(void)
{
	cleanup_fd int dir = take_fd(&later.dir);

	return dir >= 0 && fsync(dir) < 0 ? -errno : 0;
}

static int replace_synced(struct table *t, const char *text, size_t len)
{
	int r;

	if (!later.on)
		return write_file_atomic(t->dir, t->name, text, len, 0600);
	r = write_file_whole(t->dir, t->name, text, len, 0600);
	if (r < 0 || same_directory(later.dir, t->dir))
		return r;
	r = sync_later();
	later.dir = fcntl(t->dir, F_DUPFD_CLOEXEC, 3);
	return later.dir < 0 ? -errno : r;
}

int table_replace(struct table *t, const struct strbuf *b, bool sync)
{
	const char *text = b->s ? b->s : "";

	if (b->failed)
		return -ENOMEM;
	return sync ? replace_synced(t, text, b->len)
		    : write_file_replace(t->dir, t->name, text, b->len, 0600);
}

void table_sync_begin(void)
{
	later.on = true;
}

int table_sync_end(int covered_fd)
{
	struct stat x, y;

	later.on = false;
	if (later.dir >= 0 && covered_fd >= 0 && fstat(later.dir, &x) == 0 &&
	    fstat(covered_fd, &y) == 0 && x.st_dev == y.st_dev)
		fd_close(&later.dir);
	return sync_later();
}

void table_close(struct table *t)
{
	fd_close(&t->dir);
	fd_close(&t->lock);
	free(take_ptr(t->text));
}
