/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files through descriptors: openat2 policies for trees that somebody hostile shapes, whole-file
 * reads with a limit, atomic replacement, locks, deletion. All return 0, an fd or a negative
 * errno; every fd is close-on-exec.
 */
#ifndef LXMGR_UTIL_FILE_H
#define LXMGR_UTIL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * How a path below a directory fd is resolved. Whatever a container or an image can shape is
 * opened with one of these and nothing else.
 */
enum open_policy {
	/* Links are followed as if dirfd were "/"; no magic links. For guest files. */
	OPEN_IN_ROOT,
	/* As OPEN_IN_ROOT but no symbolic link at all. For mount targets, /dev, /proc, /sys. */
	OPEN_NO_LINKS,
	/* No links and no crossing of a mount. For deletion and for host-owned trees. */
	OPEN_NO_XDEV,
};

/* Open name below dirfd under the policy. flags as open(2), O_CLOEXEC is added. An absolute or
 * empty name means the same as below dirfd. */
int open_in(int dirfd, const char *name, enum open_policy policy, int flags, mode_t mode);
/* Make the directory name (all components, OPEN_NO_LINKS) below dirfd and open it O_PATH.
 * New directories get mode and, when uid is not (uid_t)-1, that owner. */
int mkdir_in(int dirfd, const char *name, mode_t mode, uid_t uid, gid_t gid);
/* Open the directory that holds name below dirfd (O_PATH, links followed inside the root) and
 * set *ret_base to the last component, which points into name. -EINVAL for "", ".", "..". */
int open_parent_in(int dirfd, const char *name, enum open_policy policy, const char **ret_base);
/* The path of an fd for the few calls that take only paths; buf holds it. */
#define FD_PATH_SIZE 32
const char *fd_path(int fd, char buf[FD_PATH_SIZE]);

/* Open the directory path again, O_PATH, and make sure that it is what fd is: after a change of the
 * mount namespace an old descriptor still belongs to the old one. -ESTALE if it is another. */
int reopen_dir(int fd, const char *path);

/* Read the whole of fd or of a file, at most limit bytes, terminated with NUL, to malloc'ed
 * *ret; *ret_len may be NULL. -EFBIG if there is more. */
int read_all(int fd, size_t limit, char **ret, size_t *ret_len);
int read_file_at(int dirfd, const char *name, size_t limit, char **ret, size_t *ret_len);
/* Read a small kernel file into buf, terminated, a trailing newline cut off. Bytes or -errno. */
ssize_t read_small(int dirfd, const char *name, char *buf, size_t size);
/* Write all of buf; restarts short writes and EINTR. */
int write_all(int fd, const void *buf, size_t len);
/* Write text to a kernel file that exists, in one write(). */
int write_small(int dirfd, const char *name, const char *text);
/* Replace name in dirfd with data: a temporary file beside it, fsync, rename, fsync of dirfd. A
 * failure leaves the old file, or, where only the last fsync fails, the new one. Whoever writes
 * the same name holds a lock: the temporary file is ".name.tmp" for all. */
int write_file_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode);
/* As above, without the last fsync: after a crash it is the old file or the new one. */
int write_file_whole(int dirfd, const char *name, const void *data, size_t len, mode_t mode);
/* As above, without the fsyncs: for state on tmpfs. */
int write_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/* mkdir -p of an absolute host path; new directories get mode. */
int mkdir_p(const char *path, mode_t mode);
/* Delete the tree `name` below dirfd, by fd, never crossing a mount or following a link.
 * 0 also when it was not there. */
int remove_tree_at(int dirfd, const char *name);

/*
 * Take an flock on name in dirfd (created 0600, O_NOFOLLOW). Waits up to timeout_ms (0: do not
 * wait, -1: for ever). Returns the fd that holds it, -EWOULDBLOCK when the time is over, in which
 * case *ret_holder (may be NULL) is the pid that wrote itself into the file, or 0.
 */
int lock_at(int dirfd, const char *name, bool exclusive, int timeout_ms, pid_t *ret_holder);

/* In a child that shares the lock fd of its parent: from now on it is who holds it. */
void lock_hand_over(int fd);

/* Set or clear FD_CLOEXEC / O_NONBLOCK. */
int fd_cloexec(int fd, bool on);
int fd_nonblock(int fd, bool on);

/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);
int64_t now_us(void);

#endif
