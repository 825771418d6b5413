/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Projects of containers' roots, for disk limits: one number each, on the whole host. A number is
 * new when no container has it (STATEDIR/projects), nobody named it (/etc/projid, /etc/projects),
 * and nothing on the file system belongs to it or is limited by it.
 */
#ifndef LXMGR_CONTAINER_PROJALLOC_H
#define LXMGR_CONTAINER_PROJALLOC_H

#include <stdint.h>

struct lxmgr_err;

#define PROJECT_FIRST 1048576U
#define PROJECT_LAST  2147483646U

/* The files, for tests; projalloc_default is the system's. */
struct projalloc_files {
	const char *projid, *projects, *state_dir;
};
extern const struct projalloc_files projalloc_default;

/* The project of the container `id` (its directory's path): the one it has, or a new one on the
 * file system of dir_fd (-1: whatever there is on it). */
int projalloc_acquire(const char *id, int dir_fd, uint32_t *ret, struct lxmgr_err *err);
int projalloc_acquire_in(const struct projalloc_files *f, const char *id, int dir_fd, uint32_t *ret,
			 struct lxmgr_err *err);
/* Give it back, with its limit on the file system of dir_fd (-1: none). 0 also if it has none. */
int projalloc_release(const char *id, int dir_fd, struct lxmgr_err *err);
int projalloc_release_in(const struct projalloc_files *f, const char *id, int dir_fd,
			 struct lxmgr_err *err);
/* What `from` has belongs to `to`. */
int projalloc_rename(const char *from, const char *to, struct lxmgr_err *err);
int projalloc_rename_in(const struct projalloc_files *f, const char *from, const char *to,
			struct lxmgr_err *err);

#endif
