/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "storage/across.h"
#include "storage/aside.h"
#include "storage/storage.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"

struct across {
	struct storage *from, *to;
	bool live;
};

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
	if (to->ops == &storage_overlay)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "a root of backend overlay stands on an image: publish the "
				  "container as one and create from that (lxmgr-image publish)");
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
	int r = check(st, to, how, err);

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
