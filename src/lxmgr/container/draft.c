/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/claim.h"
#include "container/container.h"
#include "container/draft.h"
#include "container/features.h"
#include "container/idalloc.h"
#include "container/mcsalloc.h"
#include "container/projalloc.h"
#include "container/snapshot.h"
#include "image/users.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/table.h"

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

/* ".NAME.new-N", ".NAME.dead-N": N keeps them apart, and is no more than a hint at who made it. */
#define MAX_NAMES 1000

static void temp_name(char buf[DRAFT_TMP_SIZE], const char *name, const char *kind, int i)
{
	snprintf(buf, DRAFT_TMP_SIZE, ".%s.%s-%d", name, kind, getpid() + i);
}

/* A name may have such a part itself: it is the last one that counts. */
bool draft_is_temp_name(const char *entry, const char *of_kind, char *ret_name)
{
	const char *number = strrchr(entry, '-');
	char text[DRAFT_TMP_SIZE], *kind;
	uint32_t n;

	if (*entry != '.' || !number || parse_u32(number + 1, &n) < 0)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(number - entry), entry);
	kind = strrchr(text, '.');
	if (of_kind ? !kind || !str_eq(kind + 1, of_kind)
		    : !str_eq(kind, ".new") && !str_eq(kind, ".dead"))
		return false;
	*kind = '\0';
	if (kind == text || !name_is_valid(text + 1))
		return false;
	if (ret_name)
		memcpy(ret_name, text + 1, strlen(text));
	return true;
}

int draft_empty(int path, const char *name)
{
	int fd = openat(path, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && r == 0 && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    !str_eq(e->d_name, "lock") && !str_eq(e->d_name, "storage"))
			r = remove_tree_at(fd, e->d_name);
	return d ? r : -EIO;
}

/* What the container of an unfinished directory had reserved, unless it is somebody's, and then the
 * directory: as long as that is there it is known that there is something to give back. On a full
 * disk the tables can be written when it has made room. */
static int end_entry(const struct draft *d, const char *name, char entry[DRAFT_TMP_SIZE],
		     struct lxmgr_err *err)
{
	char id[sizeof(d->id)];
	int r;

	snprintf(id, sizeof(id), "%s/%s", d->path, name);
	r = claim_give_up(d->path_fd, id, name, entry, err);
	if (r < 0 && draft_empty(d->path_fd, entry) == 0)
		r = claim_give_up(d->path_fd, id, name, entry, err);
	return r < 0 ? r : storage_remove_dir(d->path_fd, entry, err);
}

/* What a killed reinstall left may be the old directory, with the snapshots of the container. */
static bool owner_has_snapshots(const struct draft *d, const char *entry, const char *name)
{
	cleanup_fd int dir = -EBADF;
	struct lxmgr_err why = { 0 };

	if (!str_has_prefix(strrchr(entry, '.'), ".new-"))
		return true;
	dir = openat(d->path_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || snapshots_settle(dir, &why) == 0)
		return true;
	log_warn("%s, ignoring", why.text);
	return false;
}

/* Left by a create or destroy that was killed: nobody holds its lock. Nor does who has just made
 * his, and makes another one then. */
void draft_clean(const struct draft *d)
{
	int fd = dup(d->path_fd);
	cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct lxmgr_err why = { 0 };
	struct dirent *e;
	bool any = false;

	while (dir && (e = readdir(dir))) {
		cleanup_fd int sub = -EBADF, lock = -EBADF;
		char name[64], entry[DRAFT_TMP_SIZE];

		if (!draft_is_temp_name(e->d_name, NULL, name))
			continue;
		sub = openat(d->path_fd, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		lock = sub < 0 ? -EBADF : lock_at(sub, "lock", true, 0, NULL);
		if (lock < 0)
			continue;
		if (!owner_has_snapshots(d, e->d_name, name))
			continue;
		log_info("removing the unfinished '%s'", e->d_name);
		snprintf(entry, sizeof(entry), "%.90s", e->d_name);
		if (end_entry(d, name, entry, &why) < 0)
			log_warn("cannot remove '%s': %s, ignoring", entry, why.text);
		any = true;
	}
	if (any && storage_collect(d->path_fd, &why) < 0)
		log_warn("%s, ignoring", why.text);
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

static int rename_temp(int path_fd, const char *from, const char *name, const char *kind,
		       char ret[DRAFT_TMP_SIZE])
{
	for (int i = 0; i < MAX_NAMES; i++) {
		temp_name(ret, name, kind, i);
		if (renameat2(path_fd, from, path_fd, ret, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int draft_bury(int path_fd, const char *name, char ret[DRAFT_TMP_SIZE])
{
	return rename_temp(path_fd, name, name, "dead", ret);
}

int draft_bury_entry(int path_fd, const char *entry, const char *name, char ret[DRAFT_TMP_SIZE])
{
	return rename_temp(path_fd, entry, name, "dead", ret);
}

int draft_rename(struct draft *d, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int lock = -EBADF;
	char tmp[sizeof(d->tmp)];
	int r = check_free(d, name, err);

	if (r < 0 || str_eq(name, d->name))
		return r;
	lock = claim_lock(err);
	if (lock < 0)
		return lock;
	r = rename_temp(d->path_fd, d->tmp, name, "new", tmp);
	if (r < 0)
		return err_set(err, r, "rename the unfinished '%s'", d->name);
	snprintf(d->tmp, sizeof(d->tmp), "%s", tmp);
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->id, sizeof(d->id), "%s/%s", d->path, d->name);
	return 0;
}

static int make_locked(struct draft *d)
{
	int r = mkdirat(d->path_fd, d->tmp, 0700) < 0 ? -errno : 0;

	if (r < 0) {
		*d->tmp = '\0';
		return r;
	}
	d->dir_fd = openat(d->path_fd, d->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = d->dir_fd < 0 ? -errno : lock_at(d->dir_fd, "lock", true, 0, NULL);
	if (r < 0) {
		fd_close(&d->dir_fd);
		return r;
	}
	d->lock = r;
	return 0;
}

/* By another one, or by somebody who cleans, and was faster than its lock. */
static bool is_taken(int r)
{
	return r == -EEXIST || r == -EWOULDBLOCK || r == -ENOENT;
}

int draft_make_beside(struct draft *d, struct lxmgr_err *err)
{
	cleanup_fd int lock = -EBADF;
	int r = -EEXIST;

	draft_clean(d);
	/* A snapshot has nothing reserved. */
	lock = d->in_known_tree ? -EBADF : claim_lock(err);
	if (lock < 0 && !d->in_known_tree)
		return lock;
	for (int i = 0; i < MAX_NAMES && is_taken(r); i++) {
		temp_name(d->tmp, d->name, "new", i);
		r = make_locked(d);
	}
	if (r < 0)
		return err_set(err, r, "make '%s/%s'", d->path, d->name);
	fd_close(&lock);
	/* Known from now on to whoever looks for the users of an image. */
	return d->in_known_tree ? 0 : image_tree_add(d->path, err);
}

/* The categories, and for a root that keeps labels these too: here it is waited for anyway. */
int draft_label(struct draft *d, const struct label_progress *p, struct lxmgr_err *err)
{
	char level[MCS_LEVEL_SIZE];
	struct label l;
	int r;

	if (!label_is_ours(&d->config))
		return 0;
	r = mcs_acquire(d->id, level, err);
	if (r == 0)
		r = label_make(&d->config, level, &l, err);
	return r < 0 ? r : label_root(&d->config, d->dir_fd, l.file, p, err);
}

static int reserve(struct draft *d, struct lxmgr_err *err)
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
		r = bridge_conf_get(&bridge, err);
		if (r == 0)
			r = ipam_acquire(&bridge, d->id, d->config.nets[i].index, &lease, err);
	}
	return r;
}

/* What is on the draft's file system reaches the disk when it is published. */
int draft_reserve(struct draft *d, struct lxmgr_err *err)
{
	int r, s;

	table_sync_begin();
	r = reserve(d, err);
	s = table_sync_end(r < 0 ? -1 : d->dir_fd);
	return r == 0 && s < 0 ? err_set(err, s, "write what is reserved to disk") : r;
}

/* The ids on disk are mapped at start. Where the kernel does not do that, they are changed now. */
int draft_shift_root(struct draft *d, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &d->config.storage;
	struct storage st;
	int r;

	if (d->config.idmap_policy != IDMAP_AUTO || (spec->path && *spec->path))
		return 0;
	r = storage_can_map(d->dir_fd, err);
	if (r != -EOPNOTSUPP)
		return r;
	r = storage_open(&st, d->dir_fd, spec, err);
	if (r < 0)
		return r;
	r = st.ops->own_fs ? 0 : storage_shift(&st, d->ids, err);
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
	if (fsync(d->path_fd) == 0)
		return 0;
	r = err_set(err, -errno, "write '%s' to disk", d->path);
	/* Whoever gives up deletes what is there: it must be the new one, or nothing. */
	if (renameat2(d->path_fd, d->tmp, d->path_fd, d->name, RENAME_EXCHANGE) < 0)
		*d->tmp = '\0';
	return r;
}

int draft_publish(struct draft *d, struct lxmgr_err *err)
{
	cleanup_fd int layers = -EBADF;
	int r = write_out(d, err);

	if (r < 0)
		return r;
	layers = storage_hold_layers(d->dir_fd, err);
	if (layers < 0 && layers != -ENOENT)
		return layers;
	if (renameat2(d->path_fd, d->tmp, d->path_fd, d->name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST
			       ? err_status(err, STATUS_WRONG_STATE, -EEXIST,
					    "container '%s' exists already in %s", d->name, d->path)
			       : err_set(err, -errno, "put '%s' in place", d->name);
	r = fsync(d->path_fd) < 0 ? -errno : 0;
	if (r == 0)
		return 0;
	/* Its lock is held, nobody has come to use it: what failed has made nothing. */
	if (renameat2(d->path_fd, d->name, d->path_fd, d->tmp, RENAME_NOREPLACE) < 0)
		log_warn("'%s' is there nevertheless, ignoring", d->name);
	return err_set(err, r, "write '%s' to disk", d->path);
}

void draft_give_up(struct draft *d)
{
	struct lxmgr_err why = { 0 };

	if (*d->tmp && (d->in_known_tree ? storage_remove_dir(d->path_fd, d->tmp, &why)
					 : end_entry(d, d->name, d->tmp, &why)) < 0)
		log_warn("cannot remove the unfinished container: %s, ignoring", why.text);
	/* The only one of its directory, perhaps. */
	if (d->path_fd >= 0 && !d->in_known_tree && image_tree_forget(d->path, false, NULL) < 0)
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
