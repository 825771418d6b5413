/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading compiled policies. The compiler is a program of its own (helpers/lxmgr-seccomp.c): it
 * takes 8 ms for a policy, and libseccomp's load time would be paid by every start; the compiled
 * program is cached, so that a start is one read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel/seccomp.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

#define MAX_PROGRAM (BPF_MAXINSNS * sizeof(struct sock_filter))
#define COMPILER    LIBEXECDIR "/lxmgr-seccomp"

/* The cache is root's own directory and the policy root's own file: the hash need not withstand
 * somebody who looks for collisions. */
static void cache_name(const char *text, bool allow_nesting, bool deny_mount_api, char name[64])
{
	unsigned long long h = str_hash(text, strlen(text));
	struct utsname u;
	struct stat st;

	if (uname(&u) == 0)
		h ^= str_hash(u.release, strlen(u.release)) * 3;
	/* A rebuilt compiler or a newer library may know more system calls. */
	if (stat(COMPILER, &st) == 0)
		h ^= str_hash(&st.st_mtim, sizeof(st.st_mtim)) * 5;
	snprintf(name, 64, "%016llx%s%s.bpf", h, allow_nesting ? "-n" : "",
		 deny_mount_api ? "-m" : "");
}

static int adopt(char *data, size_t len, struct seccomp_program *ret)
{
	if (!len || len % sizeof(struct sock_filter) || len > MAX_PROGRAM) {
		free(data);
		return -EINVAL;
	}
	ret->insns = (struct sock_filter *)(void *)data;
	ret->n = len / sizeof(struct sock_filter);
	return 0;
}

static int from_cache(int dirfd, const char *name, struct seccomp_program *ret)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	size_t len;
	char *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	if (st.st_uid != geteuid() || !S_ISREG(st.st_mode) || (st.st_mode & 077)) {
		log_warn("the cached seccomp program '%s' is not root's alone, ignoring", name);
		return -ENOENT;
	}
	if (read_all(fd, MAX_PROGRAM, &data, &len) < 0)
		return -ENOENT;
	return adopt(data, len, ret);
}

/* What the compiler had to say about a policy that it took. */
static void log_lines(int fd)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	char line[512];

	lseek(fd, 0, SEEK_SET);
	if (read_all(fd, 65536, &text, NULL) < 0 || strlist_split(&lines, text, "\n") < 0)
		return;
	for (size_t i = 0; i < lines.n; i++)
		log_warn("%s", str_escape(line, sizeof(line), lines.v[i]));
}

/* Run the compiler: the policy on its stdin, the program on its stdout, errors on its stderr. */
static int compile(const char *text, const char *file, bool deny_mount_api, char **ret,
		   size_t *ret_len, struct lxmgr_err *err)
{
	const char *argv[] = { COMPILER, file, deny_mount_api ? "--deny-mount-api" : NULL, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_fd int in = sys_memfd_create("policy", 0), out = sys_memfd_create("program", 0);
	cleanup_fd int say = sys_memfd_create("errors", 0);
	cleanup_free char *why = NULL;
	char status[64];
	int r;

	if (in < 0 || out < 0 || say < 0)
		return err_set(err, -ENOMEM, "compile the seccomp policy");
	r = write_all(in, text, strlen(text));
	if (r < 0)
		return err_set(err, r, "compile the seccomp policy");
	lseek(in, 0, SEEK_SET);
	o.stdin_fd = in;
	o.stdout_fd = out;
	o.stderr_fd = say;
	o.timeout_ms = 30000;
	r = run_program(argv, &o, NULL);
	if (r < 0)
		return err_set(err, r, "run '%s'", COMPILER);
	if (r > 0) {
		lseek(say, 0, SEEK_SET);
		if (read_all(say, 4096, &why, NULL) == 0 && *why)
			return err_msg(err, -EINVAL, "%s", str_strip(why));
		return err_msg(err, -EINVAL, "seccomp policy '%s': the compiler ended with %s",
			       file, run_status_text(r, status, sizeof(status)));
	}
	log_lines(say);
	lseek(out, 0, SEEK_SET);
	r = read_all(out, MAX_PROGRAM, ret, ret_len);
	return r < 0 ? err_set(err, r, "read the compiled seccomp policy") : 0;
}

static void to_cache(int dirfd, const char *name, const char *data, size_t len)
{
	cleanup_fd int lock = -EBADF;

	if (dirfd < 0)
		return;
	/* Somebody else who writes, writes the same. */
	lock = lock_at(dirfd, ".lock", true, 0, NULL);
	/* On disk before it has its name: a part of a program may be a program. */
	if (lock < 0 || write_file_atomic(dirfd, name, data, len, 0600) < 0)
		log_info("the seccomp program cannot be cached, ignoring");
}

int seccomp_compile(const char *text, const char *file, bool allow_nesting, bool deny_mount_api,
		    int cache_dirfd, struct seccomp_program *ret, struct lxmgr_err *err)
{
	char name[64], *data = NULL;
	size_t len = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	cache_name(text, allow_nesting, deny_mount_api, name);
	if (cache_dirfd >= 0 && from_cache(cache_dirfd, name, ret) == 0)
		return 0;
	r = compile(text, file, deny_mount_api, &data, &len, err);
	if (r < 0)
		return r;
	to_cache(cache_dirfd, name, data, len);
	r = adopt(data, len, ret);
	return r < 0 ? err_msg(err, r, "seccomp policy '%s': the program is too large", file) : 0;
}

int seccomp_load(const struct seccomp_program *p, struct lxmgr_err *err)
{
	struct sock_fprog prog = { .len = (unsigned short)p->n, .filter = p->insns };
	int r;

	r = sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &prog);
	return r < 0 ? err_set(err, r, "load the seccomp filter") : 0;
}

void seccomp_free(struct seccomp_program *p)
{
	free(p->insns);
	memset(p, 0, sizeof(*p));
}
