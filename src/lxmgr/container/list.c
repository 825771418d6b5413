/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lxmgr.h"
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
