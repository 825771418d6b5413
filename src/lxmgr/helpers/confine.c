/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/confine.h"
#include "kernel/caps.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define NOBODY 65534U

#define MS_PRIVATE_FLAG (1UL << 18)
#define MNT_DETACH_FLAG 2

static int own_root(const struct confine *c, struct lxmgr_err *err)
{
	cleanup_fd int place = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), mnt = -EBADF;
	cleanup_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	int r;

	if (place < 0 || host < 0)
		return err_set(err, -errno, "open the working directory");
	r = mount_set(host, 0, 0, MS_PRIVATE_FLAG, true, -1, err);
	if (r < 0)
		return r;
	if (c->keep_directory) {
		mnt = mount_clone(place, "", false, err);
		r = mnt < 0 ? mnt : mount_set(mnt, attrs, 0, 0, false, -1, err);
	} else {
		mnt = mount_new_fs("tmpfs", "lxmgr", "mode=0555,size=4k,nr_inodes=2",
				   attrs | MOUNT_ATTR_RDONLY, err);
		r = mnt < 0 ? mnt : 0;
		fd_close(&place);
		place = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (r == 0)
		r = mount_attach(mnt, place, "the root directory", err);
	if (r < 0)
		return r;
	/* The old root is put below the new one and at once let go of. */
	if (fchdir(mnt) < 0)
		return err_set(err, -errno, "enter the root directory");
	r = sys_pivot_root(".", ".");
	if (r == 0)
		r = sys_umount2(".", MNT_DETACH_FLAG);
	if (r == 0 && chdir("/") < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "change the root directory") : 0;
}

static int set_limit(__rlimit_resource_t what, uint64_t value)
{
	struct rlimit l = { value, value };

	return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int set_limits(const struct confine *c, struct lxmgr_err *err)
{
	int r = set_limit(RLIMIT_CORE, 0);

	if (r == 0)
		r = set_limit(RLIMIT_NOFILE, c->open_files ? c->open_files : 64);
	if (r == 0)
		/* The filter is written once, too. */
		r = set_limit(RLIMIT_FSIZE, c->file_size > 65536 ? c->file_size : 65536);
	if (r == 0 && c->memory)
		r = set_limit(RLIMIT_AS, c->memory);
	return r < 0 ? err_set(err, r, "set limits") : 0;
}

static int own_id(const struct confine *c, struct lxmgr_err *err)
{
	/* Where it is not mapped, as in a container, nobody's. */
	uint32_t id = IDMAP_CONFINED;
	int r = caps_drop_bounding(c->caps | 1ULL << 8 /* CAP_SETPCAP */, err);

	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "leave the groups");
	if (setresgid(id, id, id) < 0) {
		id = NOBODY;
		if (setresgid(id, id, id) < 0)
			return err_set(err, -errno, "change the group");
	}
	if (setresuid(id, id, id) < 0)
		return err_set(err, -errno, "change the user");
	r = caps_raise_effective();
	if (r < 0)
		return err_set(err, r, "keep the capabilities");
	return caps_apply(c->caps, err);
}

/* What the C library needs of itself. */
static const char *const common_calls[] = {
	"read",
	"readv",
	"write",
	"writev",
	"close",
	"fstat",
	"newfstatat",
	"lseek",
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"futex",
	"exit",
	"exit_group",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"getrandom",
	"fcntl",
	"clock_gettime",
	"gettimeofday",
	"getpid",
	"gettid",
	"restart_syscall",
	"set_robust_list",
	"sched_yield",
	"fcntl64",
	"_llseek",
	"fstat64",
	"fstatat64",
	"mmap2",
	"sched_getaffinity",
	NULL,
};

static int allow(scmp_filter_ctx ctx, const char *const *names)
{
	for (; *names; names++) {
		int nr = seccomp_syscall_resolve_name(*names);

		if (nr != __NR_SCMP_ERROR &&
		    seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

/* kernel/seccomp.h has a function of the library's name for it. */
static int load(scmp_filter_ctx ctx)
{
	cleanup_fd int fd = sys_memfd_create("filter", MFD_CLOEXEC);
	cleanup_free char *text = NULL;
	struct sock_fprog prog;
	size_t len = 0;
	int r = fd < 0 ? fd : seccomp_export_bpf(ctx, fd);

	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		r = read_all(fd, 1 << 20, &text, &len);
	if (r < 0)
		return r;
	prog.len = (unsigned short)(len / sizeof(struct sock_filter));
	prog.filter = (struct sock_filter *)text;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0 ? -errno : 0;
}

/* The flags of clone3 cannot be looked at: without it the C library takes clone. */
static int allow_threads(scmp_filter_ctx ctx)
{
	static const char *const names[] = { "set_tid_address", "rseq", NULL };
	int r = allow(ctx, names);

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return r;
}

static int allow_devices(scmp_filter_ctx ctx, const unsigned int *devices)
{
	int r = 0;

	for (; r == 0 && *devices; devices++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 2,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFCHR),
				     SCMP_A3(SCMP_CMP_EQ, *devices));
	return r;
}

static int own_calls(const struct confine *c, struct lxmgr_err *err)
{
	static const char *const none[] = { NULL };
	/* A C library that is newer than the lists takes the older call, then. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = ctx ? allow(ctx, common_calls) : -ENOMEM;

	if (r == 0)
		r = allow(ctx, c->syscalls ? c->syscalls : none);
	/* All helpers have one user: none may end another. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	/* No named pipe is anything but a pipe. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));
	if (r == 0 && c->threads)
		r = allow_threads(ctx);
	if (r == 0 && c->devices)
		r = allow_devices(ctx, c->devices);
	if (r == 0)
		r = load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_set(err, r, "load the system call filter") : 0;
}

int confine(const struct confine *c, struct lxmgr_err *err)
{
	int r = sys_close_range(3 + c->keep_fds, ~0U, 0);

	if (r == 0)
		r = sys_unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
	if (r < 0)
		return err_set(err, r, "make namespaces");
	r = own_root(c, err);
	if (r == 0)
		r = own_id(c, err);
	if (r == 0)
		r = set_limits(c, err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "give up privileges");
	/* A change of the user cleared it. */
	if (prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) < 0)
		return err_set(err, -errno, "die with the parent");
	return own_calls(c, err);
}
