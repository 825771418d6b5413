/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files in a tree that the guest shapes: every path is resolved inside the root, files are replaced
 * and never written through.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/guest.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

bool guest_exists(int root, const char *path)
{
	cleanup_fd int fd = open_in(root, path, OPEN_IN_ROOT, O_PATH, 0);

	return fd >= 0;
}

bool guest_has_entry(int root, const char *path)
{
	cleanup_fd int fd = open_in(root, path, OPEN_IN_ROOT, O_PATH | O_NOFOLLOW, 0);

	return fd >= 0;
}

/* A regular file's text, as far as it is worth looking at; else NULL. */
static char *read_regular(int dir, const char *base)
{
	/* Should it be a fifo by now, the open does not wait for a writer. */
	cleanup_fd int fd =
		open_in(dir, base, OPEN_NO_LINKS, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    read_all(fd, 65536, &text, NULL) < 0)
		return NULL;
	return text;
}

/* False where somebody else's file stands, or what is no file. */
static bool may_write(int dir, const char *base, enum guest_put how)
{
	cleanup_free char *text = NULL;
	struct stat st;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (S_ISLNK(st.st_mode))
		return how == GUEST_PUT_LINK;
	if (!S_ISREG(st.st_mode))
		return false;
	if (how == GUEST_PUT_ALWAYS)
		return true;
	text = read_regular(dir, base);
	return text && (strstr(text, GUEST_MARKER) || !*str_strip(text));
}

char *guest_read(int root, const char *path)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);

	return dir < 0 ? NULL : read_regular(dir, base);
}

bool guest_is_marked(int root, const char *path)
{
	cleanup_free char *text = guest_read(root, path);

	return text && strstr(text, GUEST_MARKER);
}

int guest_drop(int root, const char *path, struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);

	if (dir < 0 || !guest_is_marked(dir, base) || unlinkat(dir, base, 0) == 0 ||
	    errno == ENOENT)
		return 0;
	return err_set(err, -errno, "remove '%s' in the container", path);
}

int guest_put(int root, const char *path, const char *text, enum guest_put how,
	      struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);
	int r;

	/* No directory, or what the guest put in its place: nothing of its services is there. */
	if (dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP)
		return 0;
	if (dir < 0)
		return err_set(err, dir, "open the directory of '%s' in the container", path);
	if (!may_write(dir, base, how)) {
		log_debug("'%s' in the container is its own, it stays", path);
		return 0;
	}
	r = write_file_replace(dir, base, text, strlen(text), 0644);
	return r < 0 ? err_set(err, r, "write '%s' in the container", path) : 0;
}
