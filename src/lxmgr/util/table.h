/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small text table in a directory of ours: read as a whole, changed under a lock and replaced as
 * a whole, so that whoever only looks something up needs no lock.
 */
#ifndef LXMGR_UTIL_TABLE_H
#define LXMGR_UTIL_TABLE_H

#include <stdbool.h>

struct strbuf;

struct table {
	const char *name;
	int dir, lock;
	char *text; /* "" where there is no file yet */
};
#define TABLE_INIT                    \
	{                             \
		.dir = -1, .lock = -1 \
	}
#define cleanup_table __attribute__((cleanup(table_close)))

/* Read dir/name, of 16 MiB at most; the directory is made where it is missing. With lock,
 * dir/.name.lock is held until the table is closed: -EWOULDBLOCK if it is not had in ten seconds.
 */
int table_open(struct table *t, const char *dir, const char *name, bool lock);
/* Write the locked table. sync: it is on the disk when this returns. -ENOMEM if b failed. */
int table_replace(struct table *t, const struct strbuf *b, bool sync);
void table_close(struct table *t);

/* From here to table_sync_end() the names of tables that are written with sync may reach the disk
 * as late as there, all in one go: each wait for the disk costs as much as all else together. */
void table_sync_begin(void);
/* Nothing to wait for where they are on the file system of covered_fd, which the caller syncs as a
 * whole before anybody counts on them. -1: they always are waited for. */
int table_sync_end(int covered_fd);

#endif
