/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/sys.h"

#define RET(call)                                 \
	do {                                      \
		long r_ = (call);                 \
		return r_ < 0 ? -errno : (int)r_; \
	} while (0)

int sys_open_tree(int dirfd, const char *path, unsigned int flags)
{
	RET(syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC));
}

int sys_move_mount(int from_dirfd, const char *from, int to_dirfd, const char *to,
		   unsigned int flags)
{
	RET(syscall(SYS_move_mount, from_dirfd, from, to_dirfd, to, flags));
}

int sys_fsopen(const char *fs)
{
	RET(syscall(SYS_fsopen, fs, FSOPEN_CLOEXEC));
}

int sys_fsconfig(int fs, unsigned int cmd, const char *key, const void *value, int aux)
{
	RET(syscall(SYS_fsconfig, fs, cmd, key, value, aux));
}

int sys_fsmount(int fs, unsigned int attr_flags)
{
	RET(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr_flags));
}

int sys_mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	RET(syscall(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr)));
}

int sys_umount2(const char *path, int flags)
{
	RET(syscall(SYS_umount2, path, flags));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	RET(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_clone3(struct clone_args *args)
{
	RET(syscall(SYS_clone3, args, sizeof(*args)));
}

int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	RET(syscall(SYS_pidfd_open, pid, flags));
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	RET(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	RET(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	RET(syscall(SYS_close_range, first, last, flags));
}

int sys_setns(int fd, int flags)
{
	RET(syscall(SYS_setns, fd, flags));
}

int sys_unshare(int flags)
{
	RET(syscall(SYS_unshare, flags));
}

int sys_sethostname(const char *name)
{
	RET(syscall(SYS_sethostname, name, strlen(name)));
}

long sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	long r = syscall(SYS_keyctl, op, a, b, c, d);

	return r < 0 ? -errno : r;
}

int sys_bpf(int cmd, union bpf_attr *attr, size_t size)
{
	RET(syscall(SYS_bpf, cmd, attr, size));
}

int sys_seccomp(unsigned int op, unsigned int flags, void *args)
{
	RET(syscall(SYS_seccomp, op, flags, args));
}

int sys_memfd_create(const char *name, unsigned int flags)
{
	RET(syscall(SYS_memfd_create, name, flags | 1U /* MFD_CLOEXEC */));
}

int sys_quotactl_fd(int fd, unsigned int cmd, int id, void *addr)
{
	RET(syscall(SYS_quotactl_fd, fd, cmd, id, addr));
}

/* Their numbers, wherever an architecture's begin. */
#ifndef SYS_file_getattr
#define SYS_file_getattr (SYS_quotactl_fd + 25)
#define SYS_file_setattr (SYS_quotactl_fd + 26)
#endif

int sys_file_getattr(const char *path, struct sys_file_attr *ret)
{
	RET(syscall(SYS_file_getattr, AT_FDCWD, path, ret, sizeof(*ret), 0));
}

int sys_file_setattr(const char *path, const struct sys_file_attr *attr)
{
	RET(syscall(SYS_file_setattr, AT_FDCWD, path, attr, sizeof(*attr), 0));
}

int sys_signal_default(int sig)
{
	/* All of it is 0 for SIG_DFL, so that its layout does not matter. */
	unsigned long act[8] = { 0 };

	RET(syscall(SYS_rt_sigaction, sig, act, NULL, 8));
}
