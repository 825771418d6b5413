/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mount entries with a delta: a directory of the host's below a layer of the container's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "container/disk.h"
#include "container/start.h"
#include "kernel/fsids.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include "util/str.h"

/* Named after the target, which no other entry with a delta has. */
#define NAME_SIZE 32

static int check(const struct start *s, struct lxmgr_err *err)
{
	const struct storage_limit want = disk_wanted(&s->c->config);

	if (s->ct_fd < 0 || !s->storage_open)
		return err_msg(err, -EINVAL, "delta needs a container with a directory");
	if (disk_is_limited(&want) && !s->storage.ops->project)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "what is written to a delta would not count to lxmgr.limit.disk "
				  "with backend '%s'",
				  s->storage.ops->name);
	return 0;
}

static int mount_it(struct start *s, const struct mount_spec *m, struct lxmgr_err *err)
{
	const struct plan *p = &s->plan;
	cleanup_fd int lower = -EBADF, dir = -EBADF;
	char name[NAME_SIZE], path[sizeof(STAGEDIR "/s/") + NAME_SIZE];
	struct storage_stage stage = {
		.dir_path = path,
		.userns_fd = p->map_storage && !s->storage.ids ? s->userns_fd : -1,
		.root_uid = p->root_uid,
		.root_gid = p->root_gid,
		.label = *p->label.file ? p->label.file : NULL,
	};

	lower = open(m->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lower < 0)
		return err_set(err, -errno, "open '%s'", m->source);
	snprintf(name, sizeof(name), "delta.%016llx",
		 (unsigned long long)str_hash(m->target, strlen(m->target)));
	snprintf(path, sizeof(path), STAGEDIR "/s/%s", name);
	if (mkdirat(s->stage_fd, name, 0700) < 0)
		return err_set(err, -errno, "make a place for '%s'", m->target);
	stage.dir_fd = dir = openat(s->stage_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, -errno, "open the place for '%s'", m->target);
	return storage_mount_delta(&s->storage, name, lower, &stage, err);
}

int stage_delta(struct start *s, const struct mount_spec *m, struct lxmgr_err *err)
{
	int r = check(s, err), mnt;

	if (r == 0)
		r = fsids_set(0, 0, err);
	if (r < 0)
		return r;
	mnt = mount_it(s, m, err);
	/* As which places for mounts are made. */
	r = fsids_set(s->plan.root_uid, s->plan.root_gid, mnt < 0 ? NULL : err);
	if (r < 0 && mnt >= 0)
		fd_close(&mnt);
	return mnt < 0 ? mnt : r < 0 ? r : mnt;
}
