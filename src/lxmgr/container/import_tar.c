/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A root in a tar archive, at its top or in one directory; there is no config. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "container/import_foreign.h"
#include "util/cleanup.h"
#include "util/err.h"

/* What every root has one of. */
static bool is_of_root(const char *name, size_t n)
{
	static const char *const dirs[] = { "bin", "etc", "lib", "sbin", "usr", "var" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (strlen(dirs[i]) == n && !strncmp(dirs[i], name, n))
			return true;
	return false;
}

/* Past "./" and "/". */
static const char *skip_dots(const char *name)
{
	while (*name == '/' || (name[0] == '.' && (name[1] == '/' || !name[1])))
		name++;
	return name;
}

/* Where the root begins: at the top (*ret ""), or in a directory that all names are in, or in
 * rootfs/ beside which there is metadata, as images of LXC have it. False: it is none. */
static bool find_root(const struct strlist *members, char ret[256])
{
	const char *one = NULL;
	size_t len = 0;
	bool several = false, rootfs = false;

	*ret = '\0';
	for (size_t i = 0; i < members->n; i++) {
		const char *name = skip_dots(members->v[i]);
		size_t n = strcspn(name, "/");

		if (!n)
			continue;
		if (is_of_root(name, n))
			return true;
		rootfs |= n == 6 && !strncmp(name, "rootfs", 6);
		several |= one && (n != len || strncmp(one, name, n) != 0);
		one = name;
		len = n;
	}
	if (!rootfs && (!one || several || len >= 256 || (len == 2 && !strncmp(one, "..", 2))))
		return false;
	for (size_t i = 0; i < members->n; i++) {
		const char *name = skip_dots(members->v[i]);

		name += strcspn(name, "/");
		name = skip_dots(name);
		if (is_of_root(name, strcspn(name, "/"))) {
			memcpy(ret, rootfs ? "rootfs" : one, rootfs ? 6 : len);
			ret[rootfs ? 6 : len] = '\0';
			return true;
		}
	}
	return false;
}

static int tar_probe(const struct import_source *s, struct lxmgr_err *err)
{
	char dir[256];

	return S_ISREG(s->st.st_mode) && !import_has_member(s, "oci-layout") &&
	       find_root(&s->members, dir);
}

static int tar_begin(const struct import_source *s, struct import_parts *ret, struct lxmgr_err *err)
{
	char dir[256] = "";

	if (S_ISDIR(s->st.st_mode))
		return err_status(err, STATUS_REFUSED, -EISDIR, "'%s' is a directory, no archive",
				  s->path);
	/* Asked for by name it is taken as it is, when it does not show what it is. */
	if (s->members.n && find_root(&s->members, dir) && *dir) {
		ret->subdir = strdup(dir);
		if (!ret->subdir)
			return err_set(err, -ENOMEM, "import");
	}
	ret->archive_fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
	return ret->archive_fd < 0 ? err_set(err, -errno, "open '%s'", s->path) : 0;
}

const struct import_format import_tar = {
	.name = "tar",
	.help = "a root file system in a tar archive",
	.probe = tar_probe,
	.begin = tar_begin,
};
