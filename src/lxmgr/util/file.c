/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

int open_in(int dirfd, const char *name, enum open_policy policy, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (policy == OPEN_NO_LINKS || policy == OPEN_NO_XDEV)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	if (policy == OPEN_NO_XDEV)
		how.resolve |= RESOLVE_NO_XDEV;
	/* RESOLVE_IN_ROOT answers EAGAIN when a rename raced with "..": the tree is being
	 * changed under us, so try a few times and then give up. */
	for (int tries = 0; tries < 32; tries++) {
		fd = syscall(SYS_openat2, dirfd, *name ? name : ".", &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int mkdir_in(int dirfd, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	cleanup_fd int cur = open_in(dirfd, ".", OPEN_NO_LINKS, O_PATH | O_DIRECTORY, 0);
	char part[256];

	if (cur < 0)
		return cur;
	while (*(name += strspn(name, "/"))) {
		size_t n = strcspn(name, "/");
		int next;

		if (n >= sizeof(part))
			return -ENAMETOOLONG;
		memcpy(part, name, n);
		part[n] = '\0';
		name += n;
		if (str_eq(part, ".."))
			return -EINVAL;
		if (mkdirat(cur, part, mode) == 0) {
			if (uid != (uid_t)-1 &&
			    fchownat(cur, part, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
				return -errno;
		} else if (errno != EEXIST) {
			return -errno;
		}
		next = open_in(cur, part, OPEN_NO_LINKS, O_PATH | O_DIRECTORY, 0);
		if (next < 0)
			return next;
		fd_close(&cur);
		cur = next;
	}
	return take_fd(&cur);
}

int open_parent_in(int dirfd, const char *name, enum open_policy policy, const char **ret_base)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	char dir[4096];

	if (!*base || str_eq(base, ".") || str_eq(base, ".."))
		return -EINVAL;
	if ((size_t)(base - name) >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, name, (size_t)(base - name));
	dir[base - name] = '\0';
	*ret_base = base;
	return open_in(dirfd, *dir ? dir : ".", policy, O_PATH | O_DIRECTORY, 0);
}

const char *fd_path(int fd, char buf[FD_PATH_SIZE])
{
	snprintf(buf, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
	return buf;
}

int reopen_dir(int fd, const char *path)
{
	cleanup_fd int again = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;

	if (again < 0 || fstat(fd, &a) < 0 || fstat(again, &b) < 0)
		return -errno;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return -ESTALE;
	return take_fd(&again);
}

int read_all(int fd, size_t limit, char **ret, size_t *ret_len)
{
	cleanup_free char *buf = NULL;
	size_t len = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= size) {
			char *p;

			size = size ? 2 * size : 4096;
			p = realloc(buf, size);
			if (!p)
				return -ENOMEM;
			buf = p;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > limit)
			return -EFBIG;
	}
	buf[len] = '\0';
	*ret = take_ptr(buf);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int read_file_at(int dirfd, const char *name, size_t limit, char **ret, size_t *ret_len)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	return read_all(fd, limit, ret, ret_len);
}

ssize_t read_small(int dirfd, const char *name, char *buf, size_t size)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int write_small(int dirfd, const char *name, const char *text)
{
	cleanup_fd int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* dirfd may be O_PATH, which fsync() does not take. */
static int sync_dir(int dirfd)
{
	cleanup_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		   bool sync, bool sync_name)
{
	cleanup_fd int fd = -EBADF;
	char tmp[300];
	int r;

	/* One name for all, not one a process: what a kill leaves is the next one's to replace. */
	snprintf(tmp, sizeof(tmp), ".%.250s.tmp", name);
	unlinkat(dirfd, tmp, 0);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return r;
	}
	return sync_name ? sync_dir(dirfd) : 0;
}

int write_file_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	return replace(dirfd, name, data, len, mode, true, true);
}

int write_file_whole(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	return replace(dirfd, name, data, len, mode, true, false);
}

int write_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	return replace(dirfd, name, data, len, mode, false, false);
}

int mkdir_p(const char *path, mode_t mode)
{
	char buf[4096];

	if (*path != '/' || strlen(path) >= sizeof(buf))
		return -EINVAL;
	snprintf(buf, sizeof(buf), "%s", path);
	for (char *p = buf + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, mode) < 0 && errno != EEXIST)
			return -errno;
		if (!c)
			return 0;
		*p = c;
	}
}

#define REMOVE_DEPTH 200

/*
 * Delete what is in the directory `name`, then the directory; one open fd per level. A guest can
 * nest as deep as it likes: what is too deep is moved up to the top of the tree (the first
 * directory, top < 0 for itself), and -ENOTEMPTY has the caller begin again.
 */
static int remove_dir(int dirfd, const char *name, int top, int depth)
{
	cleanup_dir DIR *d = NULL;
	struct dirent *e;
	int fd, r = 0;

	fd = open_in(dirfd, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r >= 0 && (errno = 0, e = readdir(d))) {
		char up[64];

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
		    unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
		if (depth < REMOVE_DEPTH) {
			r = remove_dir(fd, e->d_name, top < 0 ? fd : top, depth + 1);
			/* Something of it was moved up: it is tried again from the top. */
			if (r == -ENOTEMPTY)
				r = 0;
			continue;
		}
		snprintf(up, sizeof(up), ".lxmgr-deep-%lld", (long long)now_us());
		if (renameat(fd, e->d_name, top, up) < 0)
			return -errno;
	}
	if (r < 0)
		return r;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

int remove_tree_at(int dirfd, const char *name)
{
	int r = -ENOTEMPTY;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	/* A directory to which a child was moved up, or that was written to meanwhile, is gone
	 * through again. */
	for (int tries = 0; tries < 1000 && r == -ENOTEMPTY; tries++)
		r = remove_dir(dirfd, name, -1, 0);
	return r;
}

int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t now_ms(void)
{
	return now_us() / 1000;
}

static pid_t lock_holder(int fd)
{
	char buf[32];
	uint64_t pid = 0;
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return 0;
	buf[n] = '\0';
	return parse_range(str_strip(buf), 1, INT32_MAX, &pid) < 0 ? 0 : (pid_t)pid;
}

/* Only for the message that names the holder. Always as long: to truncate the file would cost a
 * transaction of the file system's. */
static int write_holder(int fd)
{
	char buf[32];
	int n = snprintf(buf, sizeof(buf), "%-10d\n", getpid());

	return pwrite(fd, buf, (size_t)n, 0) < 0 ? -errno : 0;
}

void lock_hand_over(int fd)
{
	if (fd >= 0 && write_holder(fd) < 0)
		log_debug("cannot note who holds a lock, ignoring");
}

int lock_at(int dirfd, const char *name, bool exclusive, int timeout_ms, pid_t *ret_holder)
{
	int64_t end = now_ms() + timeout_ms;
	int op = exclusive ? LOCK_EX : LOCK_SH;

	for (;;) {
		cleanup_fd int fd =
			openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat held, named;

		if (fd < 0)
			return -errno;
		while (flock(fd, timeout_ms < 0 ? op : op | LOCK_NB) < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EWOULDBLOCK)
				return -errno;
			if (now_ms() >= end) {
				if (ret_holder)
					*ret_holder = lock_holder(fd);
				return -EWOULDBLOCK;
			}
			usleep(2000);
		}
		/* The holder may have removed the file together with its container. */
		if (fstat(fd, &held) < 0)
			return -errno;
		if (fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
		    held.st_ino != named.st_ino || held.st_dev != named.st_dev)
			continue;
		/* On a full disk, too, there are locks: to destroy something makes room. */
		if (exclusive)
			lock_hand_over(fd);
		return take_fd(&fd);
	}
}

int fd_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int fd_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}
