/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "container/autostart.h"
#include "container/edit.h"
#include "container/schedule.h"
#include "container/units.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define FILE_LIMIT (1 << 20)

void edit_free(struct edit *e)
{
	if (e->config)
		config_free(e->config);
	free(e->config);
	free(e->text);
	free(e->before);
	*e = (struct edit){ NULL };
}

/* What is read from dir, with the changes. */
static int prepare_in(int dir, const char *name, const struct lxmgr_change *changes, size_t n,
		      struct edit *e, struct lxmgr_err *err)
{
	int r = dir < 0 ? dir : read_file_at(dir, "config", FILE_LIMIT, &e->before, NULL);

	if (r < 0)
		return err_set(err, r, "read the config of '%s'", name);
	e->text = strdup(e->before);
	e->config = malloc(sizeof(*e->config));
	if (!e->text || !e->config)
		return err_set(err, -ENOMEM, "config");
	config_init(e->config);
	for (size_t i = 0; i < n; i++) {
		char *new = NULL;

		r = config_edit(e->text, changes[i].key, changes[i].value, &new, err);
		if (r < 0)
			return r;
		free(e->text);
		e->text = new;
	}
	r = config_read_text(e->config, e->text, strlen(e->text), "config", err);
	return r < 0 ? r : config_check(e->config, name, err);
}

static int open_dir(int fd)
{
	int dir = fd < 0 ? fd : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && dir < 0 ? -errno : dir;
}

int edit_prepare(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
		 struct edit *ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(c->dir_fd);
	int r = prepare_in(dir, c->name, changes, n, ret, err);

	if (r == 0)
		r = auto_check_after(c->path, c->name, ret->config, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (str_has_suffix(changes[i].key, "snapshot.schedule"))
			r = schedule_check(ret->config, err);
	return r;
}

/* Of a write that failed the new text can be there all the same. */
static void restore(int dir, const struct lxmgr_container *c, const struct edit *e,
		    struct lxmgr_err *err)
{
	cleanup_free char *now = NULL;

	if (read_file_at(dir, "config", FILE_LIMIT, &now, NULL) == 0 && str_eq(now, e->before))
		return;
	if (write_file_atomic(dir, "config", e->before, strlen(e->before), 0600) < 0)
		err_hint(err, "the config of '%s' has the change nevertheless", c->name);
}

int edit_write(struct lxmgr_container *c, const struct edit *e, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(c->dir_fd);
	int r = dir < 0 ? dir : write_file_atomic(dir, "config", e->text, strlen(e->text), 0600);

	if (r < 0)
		err_set(err, r, "write the config of '%s'", c->name);
	else
		r = units_sync(c->path, c->name, e->config, err);
	if (r < 0 && dir >= 0)
		restore(dir, c, e, err);
	return r < 0 ? r : 0;
}

int edit_prepare_running(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
			 struct edit *ret, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, false, err), dir = open_dir(run);

	return run < 0 ? run : prepare_in(dir, c->name, changes, n, ret, err);
}

int edit_write_running(struct lxmgr_container *c, const char *text, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, false, err), dir = open_dir(run);
	int r;

	if (run < 0)
		return run;
	r = dir < 0 ? dir : write_file_replace(dir, "config", text, strlen(text), 0600);
	return r < 0 ? err_set(err, r, "write the running config of '%s'", c->name) : 0;
}

int container_edit_config(struct lxmgr_container *c, const char *key, const char *value,
			  struct lxmgr_err *err)
{
	const struct lxmgr_change one = { key, value };
	cleanup_edit struct edit e = { NULL };
	int r = edit_prepare(c, &one, 1, &e, err);

	return r < 0 ? r : edit_write(c, &e, err);
}
