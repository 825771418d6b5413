/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "container/io.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"

static bool is_limited(const struct config *cfg)
{
	for (size_t i = 0; i < IO_LIMITS; i++)
		if (cfg->cgroup.io[i] < LIMIT_MAX)
			return true;
	return false;
}

/* A command without a container has the host's root. */
static int disks_of_host(struct disks *ret, struct lxmgr_err *err)
{
	cleanup_fd int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	*ret = (struct disks){ .n = 0 };
	r = fd < 0 ? -errno : disks_add(ret, fd);
	return r < 0 ? err_set(err, r, "find the disks that '/' is on") : 0;
}

static int find_disks(const struct lxmgr_container *c, const struct config *cfg, struct disks *ret,
		      struct lxmgr_err *err)
{
	const struct storage_spec *spec = &cfg->storage;
	struct storage st;
	int r;

	if (c->dir_fd < 0 && !(spec->path && *spec->path))
		return disks_of_host(ret, err);
	r = storage_open(&st, c->dir_fd, spec, err);
	if (r < 0)
		return r;
	r = storage_disks(&st, ret, err);
	storage_close(&st);
	return r;
}

int io_check(const struct lxmgr_container *c, const struct config *cfg, struct disks *ret,
	     struct lxmgr_err *err)
{
	const uint64_t *io = cfg->cgroup.io;
	struct lxmgr_err why = { 0 };
	struct disks disks;
	int r;

	if (!ret)
		ret = &disks;
	if (!is_limited(cfg)) {
		if (ret != &disks && find_disks(c, cfg, ret, &why) < 0)
			ret->n = 0;
		return 0;
	}
	r = cgroup_io_check(io, NULL, err);
	if (r == 0) {
		r = find_disks(c, cfg, ret, err);
		if (r < 0)
			err_prefix(err, "limits of disks (lxmgr.limit.io.*, lxmgr.limit.iops.*)");
	}
	return r < 0 ? r : cgroup_io_check(io, ret, err);
}

int io_start(const struct lxmgr_container *c, struct cgroup *cg, struct lxmgr_err *err)
{
	struct disks disks;
	int r;

	if (!is_limited(&c->config))
		return 0;
	r = io_check(c, &c->config, &disks, err);
	return r < 0 ? r : cgroup_io_set(cg, c->config.cgroup.io, &disks, err);
}

int io_change(struct cgroup *cg, const struct config *cfg, const struct disks *disks,
	      struct lxmgr_err *err)
{
	uint64_t want[IO_LIMITS];

	for (size_t i = 0; i < IO_LIMITS; i++)
		want[i] = cfg->cgroup.io[i] == LIMIT_UNSET ? LIMIT_MAX : cfg->cgroup.io[i];
	return cgroup_io_set(cg, want, disks, err);
}
