/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which containers there are, and which run. */
#include <dirent.h>
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
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

int lxmgr_list(const char *path, char ***ret_names, size_t *ret_n, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	cleanup_dir DIR *d = opendir(path ? path : STATEDIR);
	struct dirent *e;

	if (!d && errno != ENOENT)
		return err_set(err, -errno, "open '%s'", path ? path : STATEDIR);
	while (d && (e = readdir(d))) {
		char config[300];

		if (!name_is_valid(e->d_name))
			continue;
		snprintf(config, sizeof(config), "%s/config", e->d_name);
		if (faccessat(dirfd(d), config, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (strlist_add(&names, e->d_name) < 0)
			return err_set(err, -ENOMEM, "list");
	}
	strlist_sort(&names);
	*ret_n = names.n;
	*ret_names = take_ptr(names.v);
	names.n = 0;
	return 0;
}

void lxmgr_list_free(char **names, size_t n)
{
	struct strlist l = { .v = names, .n = n };

	strlist_free(&l);
}

/* By the name of its run directory: what that says of itself must lead back to it. */
static struct lxmgr_container *open_running(int base, const char *tag, struct state *ret)
{
	struct lxmgr_container *c = NULL;
	bool stale;

	if (state_peek(base, tag, ret) < 0 || !*ret->name)
		return NULL;
	/* "": it may have no directory, as one of lxmgr-execute's. */
	if (lxmgr_container_open(ret->path, ret->name, "", &c, NULL) < 0)
		return NULL;
	if (str_eq(c->tag, tag) && state_read(c, ret, &stale, NULL) == 0 && !stale)
		return c;
	lxmgr_container_close(c);
	return NULL;
}

int container_each_running(int (*fn)(struct lxmgr_container *c, const struct state *s, void *data),
			   void *data, struct lxmgr_err *err)
{
	cleanup_dir DIR *d = opendir(RUNDIR);
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_set(err, -errno, "open '%s'", RUNDIR);
	while (r >= 0 && (e = readdir(d))) {
		struct lxmgr_container *c;
		struct state s;

		if (*e->d_name == '.')
			continue;
		c = open_running(dirfd(d), e->d_name, &s);
		if (c)
			r = fn(c, &s, data);
		lxmgr_container_close(c);
	}
	return r < 0 ? r : 0;
}
