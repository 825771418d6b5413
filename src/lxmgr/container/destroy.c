/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The destroy verb: one rename takes the container away, then its parts are deleted. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/claim.h"
#include "container/control.h"
#include "container/draft.h"
#include "container/hooks.h"
#include "container/finish.h"
#include "container/mounts.h"
#include "container/ownpath.h"
#include "container/service.h"
#include "container/snapshot.h"
#include "container/snapshot_hold.h"
#include "container/teardown.h"
#include "container/units.h"
#include "image/users.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

/* A monitor that has ended is gone in milliseconds. */
#define SWEEP_MS 2000

static int remove_container(struct lxmgr_container *c, int sweep_ms, struct lxmgr_err *err)
{
	cleanup_fd int path = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char id[sizeof(c->path) + sizeof(c->name) + 2], dead[DRAFT_TMP_SIZE];
	char log[sizeof(LOGDIR) + sizeof(c->tag) + 8];
	struct lxmgr_err why = { 0 };
	int r;

	snprintf(id, sizeof(id), "%s/%s", c->path, c->name);
	r = path < 0 ? -errno : draft_bury(path, c->name, dead);
	if (r < 0)
		return err_set(err, r, "take '%s' away", id);
	/* From here on it does not exist; what fails now is cleaned by the next create. */
	service_sweep_scopes(c, sweep_ms);
	if (units_sync(c->path, c->name, NULL, err) < 0)
		log_warn("%s: %s, ignoring", c->name, err ? err->text : "its units stay");
	r = claim_release(path, id, c->name, err);
	/* On a full disk the tables can be written when the container has made room. As long as its
	 * directory is there it is known that they must be. */
	if (r < 0 && draft_empty(path, dead) == 0)
		r = claim_release(path, id, c->name, err);
	if (r == 0) {
		r = storage_remove_dir(path, dead, err);
		if (r < 0)
			err_prefix(err, "what is left of '%s'", id);
	}
	if (r == 0 && storage_collect(path, &why) < 0)
		log_warn("%s: %s, ignoring", c->name, why.text);
	if (r == 0 && image_tree_forget(c->path, false, NULL) < 0)
		log_info("'%s' stays in the list of directories, ignoring", c->path);
	snprintf(log, sizeof(log), "%s/%s.log", LOGDIR, c->tag);
	unlink(log);
	return r;
}

/* What one that was killed left. */
static void clean(const struct lxmgr_container *c)
{
	struct draft d;

	if (access(c->path, F_OK) < 0)
		return;
	if (draft_open(&d, c->path, c->name, NULL) == 0)
		draft_clean(&d);
	draft_close(&d);
}

/* Also those that cannot be read. */
static int refuse_snapshots(struct lxmgr_container *c, struct lxmgr_err *err)
{
	int fd = openat(c->dir_fd, SNAPSHOTS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	size_t n = 0;
	int r;

	if (!d)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "open the snapshots of '%s'", c->name);
	r = snapshots_settle(c->dir_fd, err);
	if (r < 0)
		return r;
	while ((e = readdir(d)))
		n += name_is_valid(e->d_name);
	if (n == 0)
		return 0;
	return err_status(err, STATUS_WRONG_STATE, -EBUSY,
			  "container '%s' has %zu snapshot%s; -s destroys them with it", c->name, n,
			  n == 1 ? "" : "s");
}

/* One of LXC's copies on write: an overlay over the root of this one, by its path. */
static int refuse_dependents(struct lxmgr_container *c, struct lxmgr_err *err)
{
	int r = ownpath_check_dependents(c, err);

	if (r == -EBUSY)
		err_hint(err, "destroy that first, or use -f");
	return r;
}

static int run_destroy_hook(struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(c, &c->config);

	return c->config_loaded ? hooks_run(HOOK_DESTROY, &h, err) : 0;
}

int container_destroy_stopped(struct lxmgr_container *c, struct lxmgr_err *err)
{
	/* Who stops it has the lock. Without it, who cleans could do so at the same time. */
	cleanup_fd int lock = lock_at(c->dir_fd, "lock", true, 0, NULL);
	cleanup_held struct held h = { 0 };
	int r = snapshots_hold(&h, c, 0, err);

	(void)lock;
	if (r == 0)
		r = run_destroy_hook(c, err);
	/* The caller is the monitor itself, in the scope that would be waited for. */
	if (r >= 0)
		r = remove_container(c, 0, err);
	return r;
}

static int stop_first(struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct lxmgr_stop_opts kill = { .kill = true, .nolock = true, .timeout_ms = -1 };

	return lxmgr_container_stop(c, &kill, err);
}

/* Under the locks. */
static int stop_and_remove(struct lxmgr_container *c, bool force, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	struct state state;
	int r = force ? 0 : refuse_dependents(c, err);

	if (r == 0)
		r = teardown_stale(c, -1, &state, err);
	if (r > 0) {
		if (!force)
			return err_status(err, STATUS_WRONG_STATE, -EBUSY,
					  "container '%s' is running; stop it first, or use -f",
					  c->name);
		r = stop_first(c, err);
		/* An ephemeral container destroys itself when it stops. */
		if (r == 0 && c->config_loaded && c->config.ephemeral) {
			char config[PATH_MAX + 80];

			snprintf(config, sizeof(config), "%s/%s", c->path, c->name);
			if (access(config, F_OK) < 0)
				return 0;
		}
	}
	if (r >= 0)
		r = force ? mounts_drop(c, err) : mounts_check(c, true, err);
	if (r < 0)
		return r;
	r = run_destroy_hook(c, err);
	if (r < 0 && !force)
		return r;
	if (teardown_unrecorded(c, &why) < 0)
		log_warn("%s: %s, ignoring", c->name, why.text);
	r = remove_container(c, SWEEP_MS, err);
	clean(c);
	return r;
}

/* Before the lock, so that no start of it is ended; it is read anew under that. */
static int refuse_protected(struct lxmgr_container *c, struct lxmgr_err *err)
{
	int r = container_load_config(c, NULL) < 0 ? 0 : container_may_end(c, err);

	config_free(&c->config);
	c->config_loaded = false;
	return r;
}

static int destroy(struct lxmgr_container *c, bool force, bool snapshots, struct lxmgr_err *err)
{
	cleanup_fd int lock = -EBADF;
	cleanup_held struct held h = { 0 };
	int r;

	if (c->dir_fd < 0) {
		clean(c);
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	}
	r = snapshots ? 0 : refuse_snapshots(c, err);
	if (r < 0)
		return r;
	if (force) {
		r = refuse_protected(c, err);
		if (r < 0)
			return r;
		container_end_start(c);
	}
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	/* A config that cannot be read must not keep it from being destroyed. */
	if (container_load_config(c, NULL) < 0)
		log_info("%s: its config cannot be read: no hook is run, ignoring", c->name);
	r = container_may_end(c, err);
	if (r < 0)
		return r;
	/* One may have been made meanwhile. */
	r = snapshots ? snapshots_hold(&h, c, CONTAINER_LOCK_TIMEOUT_MS, err)
		      : refuse_snapshots(c, err);
	if (r == 0)
		r = stop_and_remove(c, force, err);
	return r;
}

int lxmgr_container_destroy(struct lxmgr_container *c, bool force, bool snapshots,
			    struct lxmgr_err *err)
{
	return audit(c, "destroy", snapshots ? "with its snapshots" : NULL,
		     destroy(c, force, snapshots, err), err);
}
