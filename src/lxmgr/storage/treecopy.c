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
#include <unistd.h>

#include "storage/deepcopy.h"
#include "storage/treeattrs.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"

static struct tree_watch watch = { .cancel_fd = -1 };

void tree_copy_watch(const struct tree_watch *w)
{
	watch = w ? *w : (struct tree_watch){ .cancel_fd = -1 };
}

int tree_copy_cancel_fd(void)
{
	return watch.cancel_fd;
}

bool tree_copy_is_cancelled(void)
{
	struct pollfd p = { .fd = watch.cancel_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Namespaces here: as those of the caller. One that was killed cannot wait for it. */
int tree_die_with_parent(void *parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != *(pid_t *)parent;
}

int tree_copy_tell(const char *text, int permille)
{
	if (watch.progress)
		watch.progress(text, permille, watch.arg);
	return tree_copy_is_cancelled() ? -ECANCELED : 0;
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

/* cp knows reflinks, holes, extended attributes and hard links, but goes by paths, and it is silent
 * about an attribute that it could not write. */
int tree_copy(int from_fd, int to_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE + 4], to[FD_PATH_SIZE + 4];
	const char *argv[] = { "cp", "-a", "--reflink=auto", "-T", "--", from, to, NULL };
	int r;

	snprintf(from, sizeof(from), "/proc/%d/fd/%d/.", getpid(), from_fd);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), to_fd);
	r = tree_run_cp(argv, err);
	if (r == 0)
		return tree_complete_xattrs(from_fd, to_fd, err);
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
