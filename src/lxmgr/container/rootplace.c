/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/rootplace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/container.h"
#include "image/users.h"
#include "storage/place.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"

#define CONFIG_LIMIT (1 << 20)

int rootplace_resolve(const char *dir, char ret[STORAGE_PATH_SIZE], struct lxmgr_err *err)
{
	cleanup_free char *copy = strdup(dir);
	char parent[PATH_MAX], *name;
	int n;

	if (!copy)
		return err_set(err, -ENOMEM, "--dir");
	for (size_t end = strlen(copy); end > 1 && copy[end - 1] == '/'; end--)
		copy[end - 1] = '\0';
	name = strrchr(copy, '/');
	if (*copy != '/' || !name[1])
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "--dir: '%s' is no absolute path of a new directory", dir);
	*name++ = '\0';
	if (!realpath(*copy ? copy : "/", parent))
		return err_set(err, -errno, "--dir: '%s'", *copy ? copy : "/");
	n = snprintf(ret, STORAGE_PATH_SIZE, "%s/%s", str_eq(parent, "/") ? "" : parent, name);
	if (n >= STORAGE_PATH_SIZE || !storage_place_is_valid(ret))
		return err_status(err, STATUS_USAGE, -EINVAL, "--dir: no root can be made at '%s'",
				  dir);
	if (faccessat(AT_FDCWD, ret, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_status(err, STATUS_WRONG_STATE, -EEXIST,
				  "--dir: '%s' is there already; it is made, and deleted with the "
				  "container (use one that there is with -t none)",
				  ret);
	return 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n > 1 && !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/* Roots that configs name: also those of an overlay's layers. */
static bool is_in_root(const char *dir, const char *roots)
{
	cleanup_strlist struct strlist parts = { 0 };
	char real[PATH_MAX];

	if (strlist_split(&parts, roots, ":") < 0)
		return true;
	for (size_t i = 0; i < parts.n; i++)
		if (is_below(dir, parts.v[i]) ||
		    (realpath(parts.v[i], real) && is_below(dir, real)))
			return true;
	return false;
}

static int check_containers(const char *dir, const char *tree, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	int r = 0;

	/* A directory that is not there now has no containers that run. */
	if (access(tree, F_OK) < 0)
		return 0;
	r = lxmgr_list(tree, &names.v, &names.n, err);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		cleanup_free char *file = str_printf("%s/%s/config", tree, names.v[i]);
		cleanup_free char *text = NULL;
		struct config cfg;

		if (!file)
			return err_set(err, -ENOMEM, "--dir");
		if (read_file_at(AT_FDCWD, file, CONFIG_LIMIT, &text, NULL) < 0)
			continue;
		config_init(&cfg);
		if (config_read_text(&cfg, text, strlen(text), names.v[i], NULL) == 0 &&
		    cfg.storage.path && is_in_root(dir, cfg.storage.path))
			r = err_status(err, STATUS_REFUSED, -EPERM,
				       "--dir: '%s' is inside the root of container '%s'", dir,
				       names.v[i]);
		config_free(&cfg);
	}
	return r;
}

int rootplace_check(const char *dir, const char *tree, bool map, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist trees = { 0 };
	int r = image_trees(&trees, err);

	if (r == 0 && (strlist_add(&trees, tree) < 0 || strlist_add(&trees, CACHEDIR) < 0))
		r = err_set(err, -ENOMEM, "--dir");
	for (size_t i = 0; r == 0 && i < trees.n; i++)
		if (is_below(dir, trees.v[i]))
			r = err_status(err, STATUS_REFUSED, -EPERM,
				       "--dir: '%s' lies in '%s', where containers have their own "
				       "directories",
				       dir, trees.v[i]);
	if (r == 0)
		r = storage_place_check(dir, map, err);
	for (size_t i = 0; r == 0 && i < trees.n; i++)
		r = check_containers(dir, trees.v[i], err);
	return r;
}
