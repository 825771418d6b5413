/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/caps.h"
#include "kernel/sys.h"
#include "storage/blockrun.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/run.h"
#include "util/str.h"

#define MS_PRIVATE_FLAG	  (1UL << 18)
#define AT_RECURSIVE_FLAG 0x8000
#define FAIL_WITH(e)	  (SECCOMP_RET_ERRNO | (e))
#define NR		  ((unsigned int)offsetof(struct seccomp_data, nr))
#define ARCH		  ((unsigned int)offsetof(struct seccomp_data, arch))
#define FLAGS		  ((unsigned int)offsetof(struct seccomp_data, args[0]))

#define RETURN_IF(op, value, what) \
	BPF_JUMP(BPF_JMP | (op) | BPF_K, (value), 0, 1), BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE(call) RETURN_IF(BPF_JEQ, __NR_##call, FAIL_WITH(EPERM))

/* Sockets of the host's daemons, its processes and its keys know no mount namespace, and uid 0 is
 * root's to them. */
static struct sock_filter filter[] = {
#if defined(__x86_64__) || defined(__aarch64__)
	/* The numbers are those of one architecture. */
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH),
#ifdef __x86_64__
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
#else
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0),
#endif
	BPF_STMT(BPF_RET | BPF_K, FAIL_WITH(EPERM)),
#endif
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
#ifdef __x86_64__
	RETURN_IF(BPF_JGE, 0x40000000 /* x32 */, FAIL_WITH(EPERM)),
#endif
	REFUSE(socket),
#ifdef __NR_socketcall
	REFUSE(socketcall),
#endif
	REFUSE(io_uring_setup),
	REFUSE(kill),
	REFUSE(tkill),
	REFUSE(tgkill),
	REFUSE(rt_sigqueueinfo),
	REFUSE(rt_tgsigqueueinfo),
	REFUSE(pidfd_send_signal),
	REFUSE(pidfd_open),
	REFUSE(ptrace),
	REFUSE(process_vm_readv),
	REFUSE(process_vm_writev),
	REFUSE(keyctl),
	REFUSE(add_key),
	REFUSE(request_key),
	REFUSE(bpf),
	REFUSE(perf_event_open),
	REFUSE(userfaultfd),
	REFUSE(unshare),
	REFUSE(setns),
	/* Its flags cannot be looked at: without it the C library takes clone. */
	RETURN_IF(BPF_JEQ, __NR_clone3, FAIL_WITH(ENOSYS)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	/* The low half comes first on both. */
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FLAGS),
	RETURN_IF(BPF_JSET, CLONE_NEWUSER, FAIL_WITH(EPERM)),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* All that the program can write to is the descriptor it gets, which is open already: no file, no
 * device node. */
static int confine(void *parent)
{
	struct mount_attr all = { .attr_set =
					  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				  .propagation = MS_PRIVATE_FLAG };
	struct sock_fprog prog = { ARRAY_SIZE(filter), filter };

	if (tree_die_with_parent(parent) != 0)
		return -1;
	if (sys_unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
	    sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE_FLAG, &all) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || caps_apply(0, NULL) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

int blockrun(const char *const *argv, int fd, char **ret_out, struct lxmgr_err *err)
{
	/* What they say is looked at. */
	static const char *const env[] = {
		"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		NULL
	};
	struct run_opts o = RUN_OPTS_INIT;
	pid_t self = getpid();
	int r;

	o.capture = 4096;
	o.env = env;
	o.pass_fds = &fd;
	o.n_pass = 1;
	o.prepare = confine;
	o.data = &self;
	tree_watch_program(argv[0], &o);
	r = run_program(argv, &o, ret_out);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	return r < 0 ? err_set(err, r, "run %s", argv[0]) : r;
}

int blockrun_ended_badly(const char *program, int status, char *out, struct lxmgr_err *err)
{
	char text[64];

	for (char *c = out; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return err_msg(err, -EIO, "%s ended with %s: %.300s", program,
		       run_status_text(status, text, sizeof(text)), str_strip(out));
}

int blockrun_checked(const char *const *argv, int fd, struct lxmgr_err *err)
{
	cleanup_free char *out = NULL;
	int r = blockrun(argv, fd, &out, err);

	return r > 0 ? blockrun_ended_badly(argv[0], r, out, err) : r;
}
