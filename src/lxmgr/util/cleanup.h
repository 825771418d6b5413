/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleanup attributes. A variable that carries one is initialised where it is declared and gives
 * its resource away only through take_fd() or take_ptr().
 */
#ifndef LXMGR_UTIL_CLEANUP_H
#define LXMGR_UTIL_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Close *fd if it is open, keep errno, leave -EBADF behind. close() is never retried: on Linux
 * the descriptor is gone even when it reports EINTR. */
static inline void fd_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
	*fd = -EBADF;
}

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_file_fn(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_dir_fn(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define cleanup_fd   __attribute__((cleanup(fd_close)))
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_file __attribute__((cleanup(cleanup_file_fn)))
#define cleanup_dir  __attribute__((cleanup(cleanup_dir_fn)))

static inline int take_fd(int *fd)
{
	int ret = *fd;

	*fd = -EBADF;
	return ret;
}

#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
