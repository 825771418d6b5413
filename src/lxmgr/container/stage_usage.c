/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /dev/lxmgr/usage: what lxmgr-usage tells, for who is inside. The monitor has it written anew when
 * somebody opens it (helpers/usagewatch.h): the kernel asks it first (fanotify), so that nobody
 * reads what was long ago, and nothing is done where nobody reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/start.h"
#include "kernel/fsids.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"

/* Directory and file are the host's root's, whom the container does not know: it can neither write
 * nor replace it. */
static int make_file(int dev)
{
	cleanup_fd int dir = -EBADF;
	int fd;

	if (mkdirat(dev, "lxmgr", 0755) < 0)
		return -errno;
	dir = openat(dev, "lxmgr", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = openat(dir, "usage", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	return fd < 0 ? -errno : fd;
}

int stage_usage(struct start *s, int dev, struct lxmgr_err *err)
{
	int r;

	/* A kernel without it, or another container around: no file is better than one that never
	 * changes. */
	s->usage_ask_fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
					O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	if (s->usage_ask_fd < 0) {
		log_debug("%s: no /dev/lxmgr/usage: %m", s->c->name);
		return 0;
	}
	r = fsids_set(0, 0, err);
	if (r < 0)
		return r;
	s->usage_fd = make_file(dev);
	r = fsids_set(s->plan.root_uid, s->plan.root_gid, err);
	if (s->usage_fd < 0)
		return err_set(err, s->usage_fd, "make '/dev/lxmgr/usage'");
	if (r == 0 &&
	    fanotify_mark(s->usage_ask_fd, FAN_MARK_ADD, FAN_OPEN_PERM, s->usage_fd, NULL) < 0)
		r = err_set(err, -errno, "watch '/dev/lxmgr/usage'");
	return r;
}
