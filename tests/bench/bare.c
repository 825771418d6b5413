/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel alone costs: clone3 with the namespaces of a container, id maps, a private mount
 * tree, pivot_root, three mounts and exec of /bin/true in the root that is given. Prints the median
 * of N rounds in microseconds.
 *
 *	bare ROOT N
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

static void child(const char *root, int go)
{
	char c;

	if (read(go, &c, 1) != 1 || setresgid(0, 0, 0) || setresuid(0, 0, 0) ||
	    unshare(CLONE_NEWNS | CLONE_NEWCGROUP) ||
	    mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount(root, root, NULL, MS_BIND, NULL) || chdir(root) ||
	    mount("proc", "proc", "proc", 0, NULL) || mount("sysfs", "sys", "sysfs", 0, NULL) ||
	    mount("tmpfs", "dev", "tmpfs", 0, NULL) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH))
		_exit(1);
	execl("/bin/busybox", "true", NULL);
	_exit(2);
}

static int64_t one_round(const char *root)
{
	struct clone_args a = { .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC |
					 CLONE_NEWUTS | CLONE_NEWNET,
				.exit_signal = SIGCHLD };
	struct timespec t0, t1;
	char path[64];
	int p[2], status;
	long pid;

	if (pipe2(p, O_CLOEXEC))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		child(root, p[0]);
	snprintf(path, sizeof(path), "/proc/%ld/gid_map", pid);
	if (pid < 0 || write_file(path, "0 524288 65536\n"))
		return -1;
	snprintf(path, sizeof(path), "/proc/%ld/uid_map", pid);
	if (write_file(path, "0 524288 65536\n") || write(p[1], "g", 1) != 1)
		return -1;
	waitpid((pid_t)pid, &status, 0);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	close(p[0]);
	close(p[1]);
	return status ? -1 : (t1.tv_sec - t0.tv_sec) * 1000000LL + (t1.tv_nsec - t0.tv_nsec) / 1000;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
	int64_t *us = n > 0 ? calloc((size_t)n, sizeof(*us)) : NULL;

	if (!us) {
		fprintf(stderr, "usage: bare ROOT N\n");
		return 64;
	}
	for (int i = 0; i < n; i++) {
		us[i] = one_round(argv[1]);
		if (us[i] < 0) {
			fprintf(stderr, "bare: round %d failed\n", i);
			return 1;
		}
	}
	qsort(us, (size_t)n, sizeof(*us), compare);
	printf("%lld\n", (long long)us[n / 2]);
	free(us);
	return 0;
}
