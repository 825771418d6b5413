/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "container/snapshot.h"
#include "container/snapshot_hold.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"

void snapshots_let_go(struct held *h)
{
	while (h->n)
		close(h->fd[--h->n]);
	free(h->fd);
	h->fd = NULL;
}

static int hold(struct held *h, int snapshots, const char *name, int timeout_ms,
		struct lxmgr_err *err)
{
	cleanup_fd int dir =
		openat(snapshots, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	pid_t holder = 0;
	int *more, r;

	/* What is no snapshot has no readers. */
	if (dir < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
		return 0;
	more = reallocarray(h->fd, h->n + 1, sizeof(*more));
	if (!more)
		return err_set(err, -ENOMEM, "lock the snapshot '%s'", name);
	h->fd = more;
	r = dir < 0 ? -errno : lock_at(dir, "lock", true, timeout_ms, &holder);
	if (r == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, r,
				  "the snapshot '%s' is in use by process %d", name, holder);
	if (r < 0)
		return err_set(err, r, "lock the snapshot '%s'", name);
	h->fd[h->n++] = r;
	return 0;
}

int snapshots_hold(struct held *h, struct lxmgr_container *c, int timeout_ms, struct lxmgr_err *err)
{
	int fd = openat(c->dir_fd, SNAPSHOTS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "open the snapshots of '%s'", c->name);
	while (r == 0 && (e = readdir(d)))
		if (name_is_valid(e->d_name))
			r = hold(h, fd, e->d_name, timeout_ms, err);
	return r;
}
