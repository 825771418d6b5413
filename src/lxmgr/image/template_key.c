/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What besides its text and its arguments decides what a template makes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <config.h>

#include "image/template_key.h"
#include "util/cleanup.h"
#include "util/file.h"

#define MAX_DEPTH 100

static void add_stat(struct strbuf *b, const struct stat *st)
{
	strbuf_addf(b, "%llu %llu %lld %lld.%09ld %lld.%09ld\n", (unsigned long long)st->st_dev,
		    (unsigned long long)st->st_ino, (long long)st->st_size,
		    (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		    (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

/* Of a directory all that is in it: what changes two levels down does not show above. */
static int add_tree(struct strbuf *b, int parent, const char *name, const struct stat *above,
		    int depth)
{
	int fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	if (depth > MAX_DEPTH)
		return -ELOOP;
	while (r == 0 && (e = readdir(d))) {
		struct stat st;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		add_stat(b, &st);
		/* As what reads it: no further than its file system. */
		if (S_ISDIR(st.st_mode) && st.st_dev == above->st_dev)
			r = add_tree(b, fd, e->d_name, above, depth + 1);
	}
	return r ? r : b->failed ? -ENOMEM : 0;
}

static int add_value(struct strbuf *b, const char *value)
{
	struct stat st;

	if (!*value || stat(value, &st) < 0)
		return -ENOENT;
	add_stat(b, &st);
	return S_ISDIR(st.st_mode) ? add_tree(b, AT_FDCWD, value, &st, 0) : 0;
}

/* "oci:DIR" and "oci:DIR:TAG". */
static int add_layout(struct strbuf *b, const char *dir)
{
	cleanup_free char *copy = strdup(dir);
	char *colon = copy ? strrchr(copy, ':') : NULL;
	int r = add_value(b, dir);

	if (r != -ENOENT || !colon)
		return r;
	*colon = '\0';
	return add_value(b, copy);
}

int template_key_add(struct strbuf *b, const char *const *args)
{
	strbuf_addf(b, "lxmgr %s\n", PACKAGE_VERSION);
	for (size_t i = 0; args && args[i]; i++) {
		const char *eq = *args[i] == '-' ? strchr(args[i], '=') : NULL;
		const char *value = eq ? eq + 1 : args[i], *dir = str_after(value, "oci:");
		int r = dir ? add_layout(b, dir) : add_value(b, value);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return b->failed ? -ENOMEM : 0;
}
