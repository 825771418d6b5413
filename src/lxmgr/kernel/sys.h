/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that glibc 2.36 has no function for, or only a wrapper that hides something. Each
 * is a real function, so that a unit test can replace it with the linker's --wrap. All return the
 * result or a negative errno, never set errno, and make every descriptor close-on-exec.
 */
#ifndef LXMGR_KERNEL_SYS_H
#define LXMGR_KERNEL_SYS_H

#include <linux/mount.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

union bpf_attr;

/* MOUNT_ATTR_* and MOVE_MOUNT_* come from linux/mount.h; do not include sys/mount.h beside it. */
int sys_open_tree(int dirfd, const char *path, unsigned int flags);
int sys_move_mount(int from_dirfd, const char *from, int to_dirfd, const char *to,
		   unsigned int flags);
int sys_fsopen(const char *fs);
int sys_fsconfig(int fs, unsigned int cmd, const char *key, const void *value, int aux);
int sys_fsmount(int fs, unsigned int attr_flags);
int sys_mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr);
int sys_umount2(const char *path, int flags);
int sys_pivot_root(const char *new_root, const char *put_old);

int sys_clone3(struct clone_args *args); /* pid, 0 in the child */
int sys_pidfd_open(pid_t pid, unsigned int flags);
int sys_pidfd_send_signal(int pidfd, int sig);
int sys_pidfd_getfd(int pidfd, int fd);
int sys_close_range(unsigned int first, unsigned int last, unsigned int flags);
int sys_setns(int fd, int flags);
int sys_unshare(int flags);
int sys_sethostname(const char *name);
long sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int sys_bpf(int cmd, union bpf_attr *attr, size_t size);
int sys_seccomp(unsigned int op, unsigned int flags, void *args);
int sys_memfd_create(const char *name, unsigned int flags);

/* cmd as QCMD() makes it. */
int sys_quotactl_fd(int fd, unsigned int cmd, int id, void *addr);
/* struct file_attr of linux/fs.h from 6.17 on. -ENOSYS before. The path's last link is followed. */
struct sys_file_attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};
int sys_file_getattr(const char *path, struct sys_file_attr *ret);
int sys_file_setattr(const char *path, const struct sys_file_attr *attr);

/* Also of 32 and 33, which glibc keeps for itself: whoever called us may have them ignored. */
int sys_signal_default(int sig);

#endif
