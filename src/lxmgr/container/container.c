/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"

const char *lxmgr_container_name(const struct lxmgr_container *c)
{
	return c->name;
}

const char *lxmgr_container_path(const struct lxmgr_container *c)
{
	return c->path;
}

/* Whoever may write here decides what root runs (hooks, the root file system). */
static int check_owner(int fd, const char *what, struct lxmgr_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "stat '%s'", what);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "'%s' must belong to root and be writable by nobody else "
				  "(owner %u, mode %04o)",
				  what, st.st_uid, st.st_mode & 07777);
	return 0;
}

static void make_tag(struct lxmgr_container *c)
{
	if (str_eq(c->path, STATEDIR))
		snprintf(c->tag, sizeof(c->tag), "%s", c->name);
	else
		snprintf(c->tag, sizeof(c->tag), "%s-%08x", c->name,
			 (unsigned int)str_hash(c->path, strlen(c->path)));
}

static int open_dir(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int parent = open(c->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (parent < 0) {
		if (errno == ENOENT)
			return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
					  "container '%s' does not exist in %s", c->name, c->path);
		return err_set(err, -errno, "open '%s'", c->path);
	}
	r = check_owner(parent, c->path, err);
	if (r < 0)
		return r;
	c->dir_fd = openat(parent, c->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0) {
		r = -errno;
		if (r == -ENOENT || r == -ENOTDIR)
			return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
					  "container '%s' does not exist in %s", c->name, c->path);
		return err_set(err, r, "open '%s/%s'", c->path, c->name);
	}
	return check_owner(c->dir_fd, c->name, err);
}

int lxmgr_container_open(const char *path, const char *name, const char *rcfile,
			 struct lxmgr_container **ret, struct lxmgr_err *err)
{
	struct lxmgr_container *c;
	int r;

	if (!name || !name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is no container name: 1 to 63 of A-Z a-z 0-9 _ . -, "
				  "a letter or digit first",
				  name ? name : "");
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "open '%s'", name);
	c->dir_fd = -EBADF;
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (!realpath(path ? path : STATEDIR, c->path)) {
		r = -errno;
		if (r != -ENOENT || !rcfile) {
			free(c);
			return r == -ENOENT ? err_status(err, STATUS_NO_CONTAINER, r,
							 "container '%s' does not exist in %s",
							 name, path ? path : STATEDIR)
					    : err_set(err, r, "resolve '%s'", path);
		}
		snprintf(c->path, sizeof(c->path), "%s", path ? path : STATEDIR);
	}
	make_tag(c);
	r = open_dir(c, err);
	if (r == -ENOENT && rcfile)
		r = 0;
	if (r == 0 && rcfile && !(c->rcfile = strdup(rcfile)))
		r = err_set(err, -ENOMEM, "open '%s'", name);
	if (r < 0) {
		lxmgr_container_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

void lxmgr_container_close(struct lxmgr_container *c)
{
	if (!c)
		return;
	if (c->config_loaded)
		config_free(&c->config);
	fd_close(&c->dir_fd);
	free(c->rcfile);
	free(c);
}

static int load_from(struct lxmgr_container *c, int dirfd, const char *name, const char *display,
		     struct lxmgr_err *err)
{
	int r;

	config_init(&c->config);
	r = *name ? config_read(&c->config, dirfd, name, display, err) : 0;
	if (r == 0)
		r = config_check(&c->config, c->name, err);
	if (r < 0) {
		config_free(&c->config);
		return r;
	}
	c->config_loaded = true;
	return 0;
}

int container_load_config(struct lxmgr_container *c, struct lxmgr_err *err)
{
	char display[128];

	if (c->config_loaded)
		return 0;
	if (c->rcfile)
		return load_from(c, AT_FDCWD, c->rcfile, c->rcfile, err);
	snprintf(display, sizeof(display), "%s/config", c->name);
	return load_from(c, c->dir_fd, "config", display, err);
}

int container_load_running_config(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, false, NULL);
	char display[160];

	if (c->config_loaded)
		return 0;
	if (run < 0 || faccessat(run, "config", F_OK, 0) < 0)
		return container_load_config(c, err);
	snprintf(display, sizeof(display), "%s (running)", c->name);
	return load_from(c, run, "config", display, err);
}

static int load_again(struct lxmgr_container *c, struct lxmgr_err *err)
{
	if (!c->config_loaded || c->rcfile)
		return 0;
	config_free(&c->config);
	c->config_loaded = false;
	c->reloaded = true;
	return container_load_config(c, err);
}

/* While the lock was waited for, another directory may have got the name, by lxmgr-reinstall or
 * renames: 1, it is open now. Or none has it any more: what is locked is somebody else's then. */
static int follow(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int old = c->dir_fd;
	struct stat a, b;
	int r = open_dir(c, err);

	if (r < 0) {
		fd_close(&c->dir_fd);
		c->dir_fd = take_fd(&old);
		return r == -ENOENT
			       ? err_status(err, STATUS_NO_CONTAINER, r,
					    "container '%s' was renamed or destroyed meanwhile",
					    c->name)
			       : r;
	}
	if (fstat(c->dir_fd, &a) < 0 || fstat(old, &b) < 0)
		return err_set(err, -errno, "stat '%s'", c->name);
	return a.st_dev != b.st_dev || a.st_ino != b.st_ino;
}

static int refuse_lock(const struct lxmgr_container *c, int r, pid_t holder, int timeout_ms,
		       struct lxmgr_err *err)
{
	if (r == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, r,
				  "container '%s' is locked by process %d; gave up after %d s",
				  c->name, holder, timeout_ms / 1000);
	return err_set(err, r, "lock container '%s'", c->name);
}

/* A container without a directory: its run directory is all it has. */
static int lock_run_dir(struct lxmgr_container *c, int timeout_ms, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, true, err);
	pid_t holder = 0;
	int r;

	if (run < 0)
		return run;
	r = lock_at(run, "lock", true, timeout_ms, &holder);
	return r < 0 ? refuse_lock(c, r, holder, timeout_ms, err) : r;
}

int container_lock(struct lxmgr_container *c, int timeout_ms, struct lxmgr_err *err)
{
	bool moved = false;

	c->reloaded = false;
	if (c->dir_fd < 0)
		return lock_run_dir(c, timeout_ms, err);
	for (;;) {
		pid_t holder = 0;
		cleanup_fd int lock = lock_at(c->dir_fd, "lock", true, timeout_ms, &holder);
		int r;

		/* -ENOENT: it was removed. */
		if (lock < 0 && lock != -ENOENT)
			return refuse_lock(c, lock, holder, timeout_ms, err);
		r = follow(c, err);
		moved |= r > 0;
		if (r == 0 && lock < 0)
			return refuse_lock(c, lock, 0, 0, err);
		if (r == 0 && moved)
			r = load_again(c, err);
		if (r <= 0)
			return r < 0 ? r : take_fd(&lock);
	}
}

int container_run_dir(const struct lxmgr_container *c, bool make, struct lxmgr_err *err)
{
	cleanup_fd int base = open(RUNDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, r;

	if (base < 0 && errno == ENOENT && make) {
		r = mkdir_p(RUNDIR, 0700);
		if (r < 0)
			return err_set(err, r, "make '%s'", RUNDIR);
		base = open(RUNDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (base < 0)
		return errno == ENOENT ? -ENOENT : err_set(err, -errno, "open '%s'", RUNDIR);
	if (make) {
		r = check_owner(base, RUNDIR, err);
		if (r < 0)
			return r;
		if (mkdirat(base, c->tag, 0700) < 0 && errno != EEXIST)
			return err_set(err, -errno, "make '%s/%s'", RUNDIR, c->tag);
	}
	fd = openat(base, c->tag, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT
				       : err_set(err, -errno, "open '%s/%s'", RUNDIR, c->tag);
	return fd;
}

int container_may_start(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	return c->config.suspended
		       ? err_status(
				 err, STATUS_REFUSED, -EPERM,
				 "container '%s' is suspended; 'lxmgr-set %s --suspend-service no' "
				 "lifts that",
				 c->name, c->name)
		       : 0;
}

int container_may_end(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	return c->config_loaded && c->config.protect
		       ? err_status(
				 err, STATUS_REFUSED, -EPERM,
				 "container '%s' is protected; 'lxmgr-set %s --protect no' lifts "
				 "that",
				 c->name, c->name)
		       : 0;
}
