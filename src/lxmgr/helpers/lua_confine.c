/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <stdlib.h>
#include <unistd.h>

#include "helpers/lua_int.h"
#include "kernel/caps.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/file.h"

/* Files, memory, the socket of the broker. No exec, no fork, no mount, no socket of its own. */
static const int allowed[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(fcntl),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fstat),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(futex),
	SCMP_SYS(getdents64),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(newfstatat),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(read),
	SCMP_SYS(readlinkat),
	SCMP_SYS(recvmsg),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sendmsg),
	SCMP_SYS(statx),
	SCMP_SYS(symlinkat),
	SCMP_SYS(umask),
	SCMP_SYS(unlinkat),
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

#define FILTER_MAX 32768
#define CAP(c)	   (1ULL << (c))
#define CAPS_FILES                                                                             \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_FOWNER) | \
	 CAP(CAP_FSETID))

/* libseccomp writes the program, the kernel's own call loads it: its seccomp_load() has the name of
 * one of ours. */
static int load_program(int fd)
{
	cleanup_free char *text = NULL;
	struct sock_fprog prog;
	size_t len;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : read_all(fd, FILTER_MAX, &text, &len);

	if (r < 0)
		return r;
	prog = (struct sock_fprog){ .len = (unsigned short)(len / sizeof(struct sock_filter)),
				    .filter = (struct sock_filter *)(void *)text };
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static int load_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	cleanup_fd int fd = sys_memfd_create("filter", 0);
	int r = !ctx ? -ENOMEM : fd < 0 ? fd : 0;

	for (size_t i = 0; i < ARRAY_SIZE(allowed) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	return r < 0 ? r : load_program(fd);
}

static int set_limits(const struct lua_ctx *c)
{
	const struct rlimit cpu = { c->seconds, c->seconds + 1 }, core = { 0, 0 },
			    files = { 128, 128 };

	if (setrlimit(RLIMIT_CPU, &cpu) < 0 || setrlimit(RLIMIT_CORE, &core) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	return 0;
}

static int join_userns(const struct lua_ctx *c)
{
	int r;

	if (c->userns < 0)
		return 0;
	/* Where the namespace has no setgroups it must be done before; the host's groups would
	 * keep their power over its files. */
	if (setgroups(0, NULL) < 0)
		return -errno;
	r = sys_setns(c->userns, CLONE_NEWUSER);
	if (r < 0)
		return r;
	return setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -errno : 0;
}

int lua_confine(struct lua_ctx *c, const char **step)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (c->net ? 0 : CLONE_NEWNET), r;

	/* A process of the container's must not look into this one (CVE-2016-9962). */
	prctl(PR_SET_DUMPABLE, 0);
	*step = "limits";
	r = set_limits(c);
	if (r < 0)
		return r;
	*step = "join the user namespace";
	r = join_userns(c);
	if (r < 0)
		return r;
	prctl(PR_SET_DUMPABLE, 0);
	*step = "make namespaces";
	r = sys_unshare(flags);
	if (r < 0)
		return r;
	*step = "make the root the root directory";
	if (chroot(".") < 0 || chdir("/") < 0)
		return -errno;
	c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root < 0)
		return -errno;
	fd_close(&c->userns);
	*step = "drop capabilities";
	r = caps_apply(CAPS_FILES, NULL);
	if (r < 0)
		return r;
	*step = "load the seccomp filter";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return load_filter();
}
