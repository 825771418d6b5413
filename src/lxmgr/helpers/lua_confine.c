/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
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
	size_t len = 0;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : read_all(fd, FILTER_MAX, &text, &len);

	if (r < 0)
		return r;
	prog = (struct sock_fprog){ .len = (unsigned short)(len / sizeof(struct sock_filter)),
				    .filter = (struct sock_filter *)(void *)text };
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static int load_and_release(scmp_filter_ctx ctx, int r)
{
	cleanup_fd int fd = sys_memfd_create("filter", 0);

	if (r == 0)
		r = fd < 0 ? fd : seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	return r < 0 ? r : load_program(fd);
}

static int load_filter(void)
{
	/* A C library that is newer than the list takes the older call, then. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(allowed) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	return load_and_release(ctx, r);
}

/* A script of a package is root's, where the root has no ids of its own: the kernel's keys of root,
 * and what a user namespace of its own would open of the kernel, are not for it. */
static const char *const denied[] = {
	"acct",
	"add_key",
	"bpf",
	"delete_module",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"mount",
	"mount_setattr",
	"move_mount",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"pivot_root",
	"process_madvise",
	"process_vm_readv",
	"process_vm_writev",
	"ptrace",
	"quotactl",
	"quotactl_fd",
	"reboot",
	"request_key",
	"setns",
	"swapoff",
	"swapon",
	"syslog",
	"umount",
	"umount2",
	"unshare",
	"userfaultfd",
};

static const unsigned int new_namespaces[] = { CLONE_NEWNS,    CLONE_NEWUTS, CLONE_NEWIPC,
					       CLONE_NEWPID,   CLONE_NEWNET, CLONE_NEWUSER,
					       CLONE_NEWCGROUP };

int lua_confine_program(void)
{
	const struct rlimit none = { 0, 0 }, file = { 64ULL << 30, 64ULL << 30 };
	scmp_filter_ctx ctx = NULL;
	int r = 0;

	/* Where that is refused, as in a container, the filter is what keeps keys away. */
	sys_keyctl(1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0, 0, 0, 0);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_FSIZE, &file) < 0)
		return -errno;
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx)
		return -ENOMEM;
	/* A root may be of the other word size. */
	if (seccomp_arch_native() == SCMP_ARCH_X86_64)
		r = seccomp_arch_add(ctx, SCMP_ARCH_X86);
	else if (seccomp_arch_native() == SCMP_ARCH_AARCH64)
		r = seccomp_arch_add(ctx, SCMP_ARCH_ARM);
	for (size_t i = 0; i < ARRAY_SIZE(denied) && r == 0; i++) {
		int nr = seccomp_syscall_resolve_name(denied[i]);

		if (nr != __NR_SCMP_ERROR)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(new_namespaces) && r == 0; i++)
		r = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces[i], new_namespaces[i]));
	/* The flags of clone3 cannot be looked at: without it the C library takes clone. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return load_and_release(ctx, r);
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
	/* The change of ids cleared it. */
	*step = "die with the parent";
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != c->parent)
		return -ESRCH;
	*step = "load the seccomp filter";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return load_filter();
}
