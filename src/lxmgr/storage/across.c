/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/across.h"
#include "storage/aside.h"
#include "storage/overlay.h"
#include "storage/storage.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"

struct across {
	struct storage *from, *to;
	bool live;
};

/* What cp has said may be long, and in any language. */
static bool is_full(int fd)
{
	struct statvfs s;

	return fstatvfs(fd, &s) == 0 &&
	       (s.f_bavail < s.f_blocks / 50 || (s.f_files && s.f_ffree == 0));
}

/* Namespaces here: a mount namespace of its own. */
static int copy_root(void *data, struct lxmgr_err *err)
{
	struct across *a = data;
	cleanup_fd int from = storage_open_view(a->from, a->live, err), to = -EBADF, fd = -EBADF;
	int r;

	if (from < 0)
		return from;
	to = storage_open_root(a->to, err);
	if (to < 0)
		return to;
	r = tree_copy(from, to, err);
	if (r == -EIO && a->to->ops->own_fs && is_full(to))
		return err_set(err, -ENOSPC,
			       "copy the root file system, for which the new one is too small "
			       "(--fssize)");
	if (r < 0)
		return err_prefix(err, "copy the root file system"), r;
	/* A write that fails later would be nobody's to hear of. */
	fd = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) < 0 ? err_set(err, -errno, "write the copy to disk") : 0;
}

static int check(const struct storage *st, const struct storage *to, const struct storage_copy *how,
		 struct lxmgr_err *err)
{
	if (how->share)
		return err_msg(err, -EOPNOTSUPP,
			       "a copy in another backend ('%s' of '%s'), or of another size, can "
			       "only be one in full",
			       to->ops->name, st->ops->name);
	if (st->ids && to->ops->own_fs)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "the ids of this root are for backend '%s' alone", st->ops->name);
	return to->ops->probe ? to->ops->probe(to->ct_fd, false, err) : 0;
}

int storage_copy_across(struct storage *st, struct storage *to, const struct storage_copy *how,
			struct lxmgr_err *err)
{
	struct across a = { .from = st, .to = to, .live = how->live };
	int *const dirs[] = { &st->ct_fd, &to->ct_fd };
	int r;

	if (to->ops == &storage_overlay)
		return overlay_copy_from(st, to, how, err);
	r = check(st, to, how, err);
	if (r == 0)
		r = to->ops->create(to, -1, err);
	/* All that takes its time and does not read the source has been done before. */
	if (r == 0)
		r = storage_pause(how, err);
	if (r == 0)
		r = storage_aside(dirs, ARRAY_SIZE(dirs), copy_root, &a, err);
	storage_resume(how);
	return r;
}
