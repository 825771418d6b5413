/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory of backups: archives, full ones and increments, and the file `points`, which is
 * replaced as a whole and says which of them there are (lxmgr-archive(5)). What it does not name is
 * left over. Its lines:
 *
 *	lxmgr-backup 1
 *	name NAME
 *	part POINT full|increment PARENT|- SHA256 SIZE WHEN point|base
 *	index POINT
 *
 * in the order they were made. A part that is `base` is no point any more, but others need it. The
 * file POINT.index of the last part says what every file was.
 */
#ifndef LXMGR_CONTAINER_BACKUP_H
#define LXMGR_CONTAINER_BACKUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keep;
struct lxmgr_err;

#define BACKUP_NAME	 40
#define BACKUP_FILE_SIZE (BACKUP_NAME + 16)

struct backup_part {
	char point[BACKUP_NAME], parent[BACKUP_NAME]; /* parent "": it is full */
	char sum[65];
	uint64_t size, when;
	bool is_point;
};

struct backup {
	char path[PATH_MAX];
	int dir_fd, lock;
	char name[64];		  /* of the container; "" while there is no point */
	char index[BACKUP_NAME];  /* whose index there is, or "" */
	struct backup_part *part; /* the oldest first */
	size_t n;
	bool made;  /* the directory was made by backup_open() */
	bool added; /* a point was, by backup_add() */
};
#define BACKUP_INIT                              \
	{                                        \
		.dir_fd = -EBADF, .lock = -EBADF \
	}

/* write: the directory is made if it is not there, locked for one alone, and what killed ones left
 * in it is removed. Else -ENOENT where it is none. */
int backup_open(struct backup *b, const char *path, bool write, struct lxmgr_err *err);
/* The same, of a directory that is open (borrowed), to read. */
int backup_open_at(struct backup *b, int dir_fd, const char *path, struct lxmgr_err *err);
void backup_close(struct backup *b);
/* Nothing came of it: a directory that was made for it goes. */
void backup_forget(struct backup *b);
#define cleanup_backup __attribute__((cleanup(backup_close)))

/* One by name; NULL: the last that is a point. NULL: there is none. */
const struct backup_part *backup_find(const struct backup *b, const char *point);
/* The parts that a point is made of, the full one first; their number. 0: one is missing in
 * `points`. */
size_t backup_chain(const struct backup *b, const struct backup_part *p,
		    const struct backup_part **ret, size_t size);
/* Is the file of each of them there, with its size? The name of the first that is not, or NULL. */
const char *backup_missing(const struct backup *b, const struct backup_part *p);
/* "POINT.tar.zst". */
const char *backup_file(const struct backup_part *p, char buf[BACKUP_FILE_SIZE]);
/* The part that the next increment goes on, NULL: it must be a full one. */
const struct backup_part *backup_base(const struct backup *b);
/* A name for a point of this time. */
int backup_new_point(const struct backup *b, uint64_t when, char ret[BACKUP_NAME],
		     struct lxmgr_err *err);
/* The new point stands under these names: put it in place, and let go what keep (NULL: nothing)
 * does not want and no other needs. At one instant. ret_removed: how many points went. */
#define BACKUP_NEW	 ".new.tar.zst"
#define BACKUP_NEW_INDEX ".new.index"
int backup_add(struct backup *b, const struct backup_part *p, const struct keep *keep,
	       size_t *ret_removed, struct lxmgr_err *err);

/* Below, for tests. */
int backup_parse(struct backup *b, const char *text, struct lxmgr_err *err);
char *backup_print(const struct backup *b);
/* Mark what goes by taking it out of b. The last point always stays. */
size_t backup_prune(struct backup *b, const struct keep *keep);

#endif
