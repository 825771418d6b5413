/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "container/draft.h"
#include "container/features.h"
#include "container/idalloc.h"
#include "container/mcsalloc.h"
#include "image/users.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"

static int open_path(struct draft *d, const char *path, struct lxmgr_err *err)
{
	int r = mkdir_p(path, 0711);
	struct stat st;

	if (r < 0)
		return err_set(err, r, "make '%s'", path);
	if (!realpath(path, d->path))
		return err_set(err, -errno, "resolve '%s'", path);
	d->path_fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->path_fd < 0 || fstat(d->path_fd, &st) < 0)
		return err_set(err, -errno, "open '%s'", d->path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "'%s' must belong to root and be writable by nobody else",
				  d->path);
	return 0;
}

int draft_set(struct draft *d, const char *key, const char *value, struct lxmgr_err *err)
{
	char *text;
	int r = config_edit(d->text, key, value, &text, err);

	if (r < 0)
		return r;
	free(d->text);
	d->text = text;
	return 0;
}

/* What the container of an unfinished directory ".NAME.new-PID" had reserved, unless there is one
 * of that name. If that one's create reserves just now, its first start reserves again. */
static void release_stale(const struct draft *d, const char *entry)
{
	const char *end = strstr(entry, ".new-");
	char name[64], id[sizeof(d->id)];
	struct lxmgr_err why = { 0 };

	if (!end)
		end = strstr(entry, ".dead-");
	if ((size_t)(end - entry) > sizeof(name))
		return;
	snprintf(name, (size_t)(end - entry), "%s", entry + 1);
	if (!name_is_valid(name) || faccessat(d->path_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	snprintf(id, sizeof(id), "%s/%s", d->path, name);
	if (ipam_release(id, &why) < 0 || idalloc_release(id, &why) < 0 ||
	    mcs_release(id, &why) < 0)
		log_warn("%s, ignoring", why.text);
}

/* ".NAME.new-PID", ".NAME.dead-PID" whose maker is gone. A directory that was just made, and is not
 * locked yet, has a maker. */
static bool is_stale(const char *entry)
{
	const char *pid = strrchr(entry, '-');
	uint32_t n;

	return *entry == '.' && pid && (strstr(entry, ".new-") || strstr(entry, ".dead-")) &&
	       parse_u32(pid + 1, &n) == 0 && kill((pid_t)n, 0) < 0 && errno == ESRCH;
}

/* Left by a create or destroy that was killed: nobody holds its lock. */
void draft_clean(const struct draft *d)
{
	int fd = dup(d->path_fd);
	cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		cleanup_fd int sub = -EBADF, lock = -EBADF;

		if (!is_stale(e->d_name))
			continue;
		sub = openat(d->path_fd, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		lock = sub < 0 ? -EBADF : lock_at(sub, "lock", true, 0, NULL);
		if (lock < 0)
			continue;
		log_info("removing the unfinished '%s'", e->d_name);
		release_stale(d, e->d_name);
		if (remove_tree_at(d->path_fd, e->d_name) < 0)
			log_warn("cannot remove '%s', ignoring", e->d_name);
	}
}

static int check_free(const struct draft *d, const char *name, struct lxmgr_err *err)
{
	if (faccessat(d->path_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return err_status(err, STATUS_WRONG_STATE, -EEXIST, "container '%s' exists already in %s",
			  name, d->path);
}

int draft_make_dir(struct draft *d, struct lxmgr_err *err)
{
	int r = check_free(d, d->name, err);

	return r < 0 ? r : draft_make_beside(d, err);
}

int draft_rename(struct draft *d, const char *name, struct lxmgr_err *err)
{
	char tmp[sizeof(d->tmp)];
	int r = check_free(d, name, err);

	if (r < 0 || str_eq(name, d->name))
		return r;
	snprintf(tmp, sizeof(tmp), ".%s.new-%d", name, getpid());
	if (renameat2(d->path_fd, d->tmp, d->path_fd, tmp, RENAME_NOREPLACE) < 0)
		return err_set(err, -errno, "rename the unfinished '%s'", d->name);
	snprintf(d->tmp, sizeof(d->tmp), "%s", tmp);
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->id, sizeof(d->id), "%s/%s", d->path, d->name);
	return 0;
}

int draft_make_beside(struct draft *d, struct lxmgr_err *err)
{
	draft_clean(d);
	snprintf(d->tmp, sizeof(d->tmp), ".%s.new-%d", d->name, getpid());
	if (mkdirat(d->path_fd, d->tmp, 0700) < 0)
		return err_set(err, -errno, "make '%s/%s'", d->path, d->name);
	d->dir_fd = openat(d->path_fd, d->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->dir_fd < 0)
		return err_set(err, -errno, "open '%s/%s'", d->path, d->name);
	d->lock = lock_at(d->dir_fd, "lock", true, 0, NULL);
	if (d->lock < 0)
		return err_set(err, d->lock, "lock the new container");
	/* Known from now on to whoever looks for the users of an image. */
	return image_tree_add(d->path, err);
}

/* The categories, and for a root that keeps labels these too: here it is waited for anyway. */
int draft_label(struct draft *d, const struct label_progress *p, struct lxmgr_err *err)
{
	char level[MCS_LEVEL_SIZE];
	struct label l;
	int r;

	if (!label_is_ours(&d->config))
		return 0;
	d->has_level = true;
	r = mcs_acquire(d->id, level, err);
	if (r == 0)
		r = label_make(&d->config, level, &l, err);
	return r < 0 ? r : label_root(&d->config, d->dir_fd, l.file, p, err);
}

int draft_reserve(struct draft *d, struct lxmgr_err *err)
{
	struct bridge_conf bridge;
	struct ipam_lease lease;
	uint32_t count;
	int r = 0;

	if (d->config.idmap_policy == IDMAP_AUTO) {
		/* Before: it may fail with the entry written, at the fsync. */
		d->has_ids = true;
		r = features_acquire_ids(&d->config, d->id, &d->ids, &count, err);
	}
	for (size_t i = 0; r == 0 && i < d->config.n_nets; i++) {
		if (!d->config.nets[i].managed)
			continue;
		d->has_address = true;
		r = bridge_conf_get(&bridge, err);
		if (r == 0)
			r = ipam_acquire(&bridge, d->id, d->config.nets[i].index, &lease, err);
	}
	return r;
}

/* The ids on disk are mapped at start. Where the kernel does not do that, they are changed now. */
int draft_shift_root(struct draft *d, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &d->config.storage;
	struct storage st;
	int r;

	if (d->config.idmap_policy != IDMAP_AUTO || (spec->path && *spec->path) ||
	    storage_can_map(d->dir_fd, NULL) == 0)
		return 0;
	r = storage_open(&st, d->dir_fd, spec, err);
	if (r < 0)
		return r;
	r = storage_shift(&st, d->ids, err);
	storage_close(&st);
	return r;
}

/* All that is below reaches the disk before the name does. */
static int write_out(struct draft *d, struct lxmgr_err *err)
{
	int r = write_file_replace(d->dir_fd, "config", d->text, strlen(d->text), 0600);

	if (r < 0)
		return err_set(err, r, "write the config of '%s'", d->name);
	return syncfs(d->dir_fd) < 0 ? err_set(err, -errno, "write '%s' to disk", d->name) : 0;
}

int draft_exchange(struct draft *d, struct lxmgr_err *err)
{
	int r = write_out(d, err);

	if (r < 0)
		return r;
	if (renameat2(d->path_fd, d->tmp, d->path_fd, d->name, RENAME_EXCHANGE) < 0)
		return err_set(err, -errno, "put the new '%s' in place", d->name);
	return fsync(d->path_fd) < 0 ? err_set(err, -errno, "write '%s' to disk", d->path) : 0;
}

int draft_publish(struct draft *d, struct lxmgr_err *err)
{
	int r = write_out(d, err);

	if (r < 0)
		return r;
	if (renameat2(d->path_fd, d->tmp, d->path_fd, d->name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST
			       ? err_status(err, STATUS_WRONG_STATE, -EEXIST,
					    "container '%s' exists already in %s", d->name, d->path)
			       : err_set(err, -errno, "put '%s' in place", d->name);
	if (fsync(d->path_fd) < 0)
		return err_set(err, -errno, "write '%s' to disk", d->path);
	return 0;
}

void draft_give_up(struct draft *d)
{
	struct lxmgr_err why = { 0 };

	if (d->has_ids && idalloc_release(d->id, &why) < 0)
		log_warn("%s, ignoring", why.text);
	if (d->has_address && ipam_release(d->id, &why) < 0)
		log_warn("%s, ignoring", why.text);
	if (d->has_level && mcs_release(d->id, &why) < 0)
		log_warn("%s, ignoring", why.text);
	if (*d->tmp && remove_tree_at(d->path_fd, d->tmp) < 0)
		log_warn("cannot remove the unfinished container, ignoring");
	/* The only one of its directory, perhaps. */
	if (d->path_fd >= 0 && image_tree_forget(d->path, false, NULL) < 0)
		log_info("'%s' stays in the list of directories, ignoring", d->path);
}

int draft_open(struct draft *d, const char *path, const char *name, struct lxmgr_err *err)
{
	int r;

	memset(d, 0, sizeof(*d));
	d->path_fd = d->dir_fd = d->lock = -EBADF;
	if (!name || !name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is no container name: 1 to 63 of A-Z a-z 0-9 _ . -, "
				  "a letter or digit first",
				  name ? name : "");
	snprintf(d->name, sizeof(d->name), "%s", name);
	r = open_path(d, path ? path : STATEDIR, err);
	if (r == 0)
		snprintf(d->id, sizeof(d->id), "%s/%s", d->path, d->name);
	return r;
}

int draft_parse(struct draft *d, const char *display, struct lxmgr_err *err)
{
	int r;

	if (d->has_config)
		config_free(&d->config);
	config_init(&d->config);
	d->has_config = true;
	r = config_read_text(&d->config, d->text, strlen(d->text), display, err);
	return r < 0 ? r : config_check(&d->config, d->name, err);
}

const char *draft_path(const struct draft *d, char *buf)
{
	snprintf(buf, DRAFT_PATH_SIZE, "%s/%s", d->path, d->tmp);
	return buf;
}

void draft_close(struct draft *d)
{
	if (d->has_config)
		config_free(&d->config);
	free(d->text);
	fd_close(&d->lock);
	fd_close(&d->dir_fd);
	fd_close(&d->path_fd);
}
