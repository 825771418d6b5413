/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/deepcopy.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"
#include "util/treewalk.h"

#define NAMES_SIZE 65536
#define VALUE_SIZE 65536

static struct tree_watch watch = { .cancel_fd = -1 };

void tree_copy_watch(const struct tree_watch *w)
{
	watch = w ? *w : (struct tree_watch){ .cancel_fd = -1 };
}

int tree_copy_cancel_fd(void)
{
	return watch.cancel_fd;
}

/* Namespaces here: as those of the caller. One that was killed cannot wait for it. */
int tree_die_with_parent(void *parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != *(pid_t *)parent;
}

int tree_copy_tell(const char *text, int permille)
{
	struct pollfd p = { .fd = watch.cancel_fd, .events = POLLIN };

	if (watch.progress)
		watch.progress(text, permille, watch.arg);
	return poll(&p, 1, 0) > 0 ? -ECANCELED : 0;
}

static unsigned long long counted(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* What it has written up to now, and read where that is all that it may do, as the kernel counts
 * it: no walk over what is there could keep up. */
static void tell(pid_t pid, void *arg)
{
	const char *program = arg;
	cleanup_free char *text = NULL;
	char path[40], line[80];
	unsigned long long bytes;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	if (read_file_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return;
	bytes = counted(text, "wchar: ") + (program ? counted(text, "rchar: ") : 0);
	snprintf(line, sizeof(line), "%.40s: %llu MiB", program ? program : "copying", bytes >> 20);
	watch.progress(line, -1, watch.arg);
}

void tree_watch_program(const char *program, struct run_opts *o)
{
	o->cancel_fd = watch.cancel_fd;
	o->tick = watch.progress ? tell : NULL;
	o->tick_arg = (void *)(uintptr_t)program;
}

int tree_run_cp(const char *const *argv, struct lxmgr_err *err)
{
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	pid_t self = getpid();
	char text[64];
	int r;

	o.capture = 4096;
	o.prepare = tree_die_with_parent;
	o.data = &self;
	tree_watch_program(NULL, &o);
	r = run_program(argv, &o, &out);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	if (r < 0)
		return err_set(err, r, "run cp");
	if (r > 0)
		return err_msg(err, -EIO, "cp ended with %s%s%.300s",
			       run_status_text(r, text, sizeof(text)), out && *out ? ": " : "",
			       out ? str_strip(out) : "");
	return 0;
}

static int empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -errno;
	while (r == 0 && (errno = 0, e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			r = remove_tree_at(fd, e->d_name);
	return r < 0 ? r : -errno;
}

/* cp knows reflinks, holes, extended attributes and hard links, but goes by paths. */
int tree_copy(int from_fd, int to_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE + 4], to[FD_PATH_SIZE + 4];
	const char *argv[] = { "cp", "-a", "--reflink=auto", "-T", "--", from, to, NULL };
	int r;

	snprintf(from, sizeof(from), "/proc/%d/fd/%d/.", getpid(), from_fd);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), to_fd);
	r = tree_run_cp(argv, err);
	if (r != -EIO || !deepcopy_is_needed(from_fd))
		return r;
	r = empty(to_fd);
	return r < 0 ? err_set(err, r, "remove what was copied") : deepcopy(from_fd, to_fd, err);
}

bool tree_can_reflink(int dir_fd)
{
	char path[FD_PATH_SIZE];
	cleanup_fd int a = -EBADF, b = -EBADF;

	fd_path(dir_fd, path);
	a = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	b = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return a >= 0 && b >= 0 && write_all(a, "lxmgr", 5) == 0 && ioctl(b, FICLONE, a) == 0;
}

static int forget(int fd)
{
	static const char *const names[] = { "trusted.overlay.origin", "trusted.overlay.impure",
					     "trusted.overlay.nlink", "trusted.overlay.uuid" };
	char path[FD_PATH_SIZE];

	fd_path(fd, path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (removexattr(path, names[i]) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
			return -errno;
	return 0;
}

static int forget_dir(void *arg, int fd, const char *name)
{
	(void)arg;
	(void)name;
	return forget(fd);
}

/* Others have no such attributes, or none that matter: they are copied up whole. */
static int forget_file(void *arg, int dir, const char *name, unsigned char type)
{
	cleanup_fd int fd = -EBADF;

	(void)arg;
	if (type != DT_REG)
		return 0;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : forget(fd);
}

int tree_forget_origin(int dir_fd, struct lxmgr_err *err)
{
	static const struct treewalk how = { .file = forget_file, .enter = forget_dir };
	int r = forget(dir_fd);

	if (r == 0)
		r = tree_walk(dir_fd, &how, NULL);
	return r < 0 ? err_set(err, r, "clean the attributes of the copied layer") : 0;
}

/* What overlay says of a directory is not the new one's. */
static int copy_xattrs(const char *from, const char *to, bool all)
{
	static char names[NAMES_SIZE], value[VALUE_SIZE];
	ssize_t len = listxattr(from, names, sizeof(names));

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		ssize_t size;

		if (!all && (str_has_prefix(n, "trusted.overlay.") ||
			     str_has_prefix(n, "security.selinux")))
			continue;
		size = getxattr(from, n, value, sizeof(value));
		if (size < 0)
			return -errno;
		/* A file system in memory has no user's attributes before Linux 6.6. */
		if (setxattr(to, n, value, (size_t)size, 0) < 0 &&
		    !(errno == EOPNOTSUPP && str_has_prefix(n, "user.")))
			return -errno;
	}
	return 0;
}

static int copy_attributes(int from_fd, int to_fd, bool all)
{
	char from[FD_PATH_SIZE], to[FD_PATH_SIZE];
	struct timespec times[2];
	struct stat st;
	int r = fstat(from_fd, &st) < 0 ? -errno : 0;

	fd_path(from_fd, from);
	fd_path(to_fd, to);
	if (r == 0 && chown(to, st.st_uid, st.st_gid) < 0)
		r = -errno;
	if (r == 0 && !S_ISLNK(st.st_mode) && chmod(to, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0)
		r = copy_xattrs(from, to, all);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return r == 0 && utimensat(AT_FDCWD, to, times, 0) < 0 ? -errno : r;
}

int tree_copy_attributes(int from_fd, int to_fd, struct lxmgr_err *err)
{
	int r = copy_attributes(from_fd, to_fd, false);

	return r < 0 ? err_set(err, r, "copy the attributes of a directory") : 0;
}

int tree_copy_all_attributes(int from_fd, int to_fd)
{
	return copy_attributes(from_fd, to_fd, true);
}
