/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policies through the compiler of the build tree, loaded into a child that then tries. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The library has a function of that name, too; here only its table of names is used. */
#define seccomp_load libseccomp_load
#include <seccomp.h>
#undef seccomp_load

#include "kernel/seccomp.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define X32_BIT 0x40000000L

static struct lxmgr_err err;

/* A system call by number and ABI: the result or -errno. */
static long native(long nr, long a, long b)
{
	long r = syscall(nr, a, b, 0, 0, 0, 0);

	return r < 0 ? -errno : r;
}

#ifdef __x86_64__
static long int80(long nr, long a, long b)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "0"(nr), "b"(a), "c"(b), "d"(0L), "S"(0L), "D"(0L)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)r;
}
#endif

static bool deny_mount_api;

static struct seccomp_program compile(const char *text)
{
	struct seccomp_program p;

	if (seccomp_compile(text, "test", false, deny_mount_api, -1, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

/* Run under the policy; the wait status. */
static int confined(const char *text, int (*run)(void))
{
	struct seccomp_program p = compile(text);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSYS, SIG_DFL);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_load(&p, NULL) < 0)
			_exit(254);
		/* Not _exit(): a sanitizer has work to do there, which the policy forbids. */
		syscall(SYS_exit_group, run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	seccomp_free(&p);
	return status;
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *say;
	} cases[] = {
		{ "", "line 1" },
		{ "3\ndenylist\n", "line 1" },
		{ "2\n", "line 2" },
		{ "2\ngraylist\n", "graylist" },
		{ "2\ndenylist errno 4096\n", "4095" },
		{ "2\ndenylist errno\n", "errno" },
		{ "2\ndenylist\ngetppid errno x\n", "line 3" },
		{ "2\ndenylist\ngetppid notify\n", "notify" },
		{ "2\ndenylist\n[vax]\n", "vax" },
		{ "2\ndenylist\n[arm x86]\n", "arm x86" },
		{ "2\ndenylist\n\nioctl errno 1 [6,1,SCMP_CMP_EQ]\n", "line 4" },
		{ "2\ndenylist\nioctl errno 1 [1,1]\n", "argument filter" },
		{ "2\ndenylist\nioctl errno 1 [1,1,SCMP_CMP_XX]\n", "SCMP_CMP_XX" },
		{ "2\ndenylist\nioctl errno 1 [1,-1,SCMP_CMP_EQ]\n", "-1" },
		{ "2\ndenylist\nioctl errno 1 [1,18446744073709551616,SCMP_CMP_EQ]\n", "number" },
		{ "2\ndenylist\nioctl errno 1 1,1,SCMP_CMP_EQ\n", "argument filter" },
		{ "2\ndenylist\nioctl errno 1 [1,1,SCMP_CMP_EQ,0,0]\n", "argument filter" },
		{ "1\ndenylist\n39\n", "allowlist" },
		{ "1\nallowlist\ngetpid\n", "getpid" },
		{ "1\nallowlist\n5000\n", "5000" },
	};
	struct seccomp_program p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = seccomp_compile(cases[i].text, "some/file", false, false, -1, &p, &err);

		if (r != -EINVAL)
			fail_msg("accepted: %s", cases[i].text);
		assert_non_null(strstr(err.text, "some/file"));
		if (!strstr(err.text, cases[i].say))
			fail_msg("'%s' does not say '%s'", err.text, cases[i].say);
		assert_null(strchr(err.text, '\n'));
	}
}

/* Each exits with 0 if all is as it should be, else with the number of the line that is not. */
#define EXPECT(x)                                  \
	do {                                       \
		if (!(x))                          \
			return __LINE__ % 251 + 1; \
	} while (0)

static int run_getppid(void)
{
	return (int)-native(SYS_getppid, 0, 0);
}

static int run_filters(void)
{
	EXPECT(native(SYS_ioctl, -1, 0x10) == -71);
	EXPECT(native(SYS_ioctl, -1, 0x11) == -EBADF);
	EXPECT(native(SYS_ioctl, -1, 0x2001) == -72);
	EXPECT(native(SYS_ioctl, -1, 0x2000) == -EBADF);
	EXPECT(native(SYS_dup2, 200, 5) == -73);
	EXPECT(native(SYS_dup2, 100, 100) == -EBADF);
	EXPECT(native(SYS_getpriority, 0, 0) > 0);
	EXPECT(native(SYS_getpriority, 3, 0) == -74);
	return 0;
}

static void test_policies(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "2\ndenylist errno 55\ngetppid\n", 55 << 8 },
		{ "2\nblacklist errno 55\n# comment\n\n[all]\n getppid # more\n", 55 << 8 },
		{ "2\ndenylist errno 55\ngetppid errno 66\n", 66 << 8 },
		{ "2\ndenylist\ngetppid\n", SIGSYS },
		{ "2\ndenylist\ngetppid kill_process\n", SIGSYS },
		{ "2\ndenylist\ngetppid trap\n", SIGSYS },
		{ "2\r\ndenylist errno 55\r\ngetppid\r\n", 55 << 8 },
		{ "2\nallowlist errno 55\nexit_group\n", 55 << 8 },
		{ "2\nwhitelist\nexit_group\n", SIGSYS },
		{ "1\nallowlist\n231\n", SIGSYS },
		/* Newer than any library, and another machine's: no reason to refuse. */
		{ "2\ndenylist errno 55\nno_such_call\n[s390]\ngetppid errno 1\n[all]\ngetppid\n",
		  55 << 8 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = confined(cases[i].text, run_getppid) & ~0x80;

		if (status != cases[i].status)
			fail_msg("status %#x, not %#x: %s", status, cases[i].status, cases[i].text);
	}
	assert_int_equal(confined("2\ndenylist\n"
				  "ioctl errno 71 [1,0x10,SCMP_CMP_EQ]\n"
				  "ioctl errno 72 [1,0x2001,SCMP_CMP_MASKED_EQ,0xf0ff]\n"
				  "dup2 errno 73 [0,100,SCMP_CMP_GT] [1,100,SCMP_CMP_LT]\n"
				  "getpriority errno 74 [0,0,SCMP_CMP_NE]\n",
				  run_filters),
			 0);
}

#ifdef __x86_64__
static int run_sections(void)
{
	EXPECT(native(SYS_getppid, 0, 0) > 0);
	EXPECT(int80(64, 0, 0) == -66); /* getppid of x86 */
	EXPECT(native(SYS_getppid | X32_BIT, 0, 0) == -67);
	EXPECT(native(SYS_getpgrp, 0, 0) == -68);
	EXPECT(int80(65, 0, 0) == -68);
	EXPECT(native(SYS_getpgrp | X32_BIT, 0, 0) == -68);
	return 0;
}

static void test_sections(void **state)
{
	assert_int_equal(confined("2\ndenylist errno 68\n[i386]\ngetppid errno 66\n[x32]\n"
				  "getppid errno 67\n[arm64]\ngetpid\n[all]\ngetpgrp\n",
				  run_sections),
			 0);
}

static int run_ioctls(void)
{
	static const long denied[] = { 0x5412, 0x541c };

	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		EXPECT(native(SYS_ioctl, -1, denied[i]) == -EPERM);
		/* The kernel cuts the number to 32 bits: so must the filter. */
		EXPECT(native(SYS_ioctl, -1, denied[i] | 0x100000000L) == -EPERM);
		EXPECT(native(SYS_ioctl, -1, denied[i] | (long)0xdeadbeef00000000UL) == -EPERM);
		EXPECT(native(514 | X32_BIT, -1, denied[i]) == -EPERM);
		EXPECT(native(514 | X32_BIT, -1, denied[i] | 0x100000000L) == -EPERM);
		EXPECT(int80(54, -1, denied[i]) == -EPERM);
	}
	EXPECT(native(SYS_ioctl, -1, TIOCGWINSZ) == -EBADF);
	EXPECT(int80(54, -1, TIOCGWINSZ) == -EBADF);
	return 0;
}

static int run_umount(void)
{
	EXPECT(native(SYS_umount2, 0, MNT_FORCE) == -EACCES);
	EXPECT(native(SYS_umount2, 0, MNT_FORCE | MNT_DETACH) == -EACCES);
	EXPECT(native(SYS_umount2, 0, MNT_DETACH) != -EACCES);
	EXPECT(int80(52, 0, MNT_FORCE) == -EACCES);
	return 0;
}

/* The default policy with an error for the denied calls that the kernel would not give. */
static char *default_policy(void)
{
	static const char head[] = "2\ndenylist errno 1\n";
	char *text = NULL;

	assert_int_equal(read_file_at(AT_FDCWD, POLICY, 65536, &text, NULL), 0);
	assert_true(str_has_prefix(text, head));
	return text;
}

static struct strlist names;

/* Every call that the policy names, in every ABI that has it, but for those with filters. */
static int run_all_denied(void)
{
	static const uint32_t abi[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_X86 };
	int tried = 0;

	for (size_t i = 0; i < names.n; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(abi); j++) {
			int nr = seccomp_syscall_resolve_name_arch(abi[j], names.v[i]);
			long r;

			if (nr < 0)
				continue;
			tried++;
			r = j == 2 ? int80(nr, 0, 0) : native(nr, 0, 0);
			if (r != -122 && r != -ENOSYS)
				return (int)(1 + i);
			/* ENOSYS only where the policy says so. */
			if (r == -ENOSYS && !str_has_prefix(names.v[i], "io_uring_") &&
			    !str_eq(names.v[i], "userfaultfd") &&
			    !str_eq(names.v[i], "lookup_dcookie"))
				return (int)(100 + i);
		}
	}
	return tried < 30 ? 200 : 0;
}

static void test_default_policy(void **state)
{
	static const char *const must_name[] = {
		"kexec_load",  "kexec_file_load", "open_by_handle_at",
		"init_module", "finit_module",	  "delete_module",
		"syslog",      "perf_event_open", "io_uring_setup",
		"userfaultfd",
	};
	cleanup_free char *text = default_policy(), *marked = NULL;
	cleanup_strlist struct strlist lines = { 0 };

	assert_int_equal(confined(text, run_ioctls), 0);
	assert_int_equal(confined(text, run_umount), 0);
	marked = str_printf("2\ndenylist errno 122\n%s", text + strlen("2\ndenylist errno 1\n"));
	assert_non_null(marked);
	assert_int_equal(strlist_split(&lines, marked, "\n"), 0);
	for (size_t i = 2; i < lines.n; i++) {
		char *name = lines.v[i];

		if (strchr("#[", *name) || strchr(name, '[') || str_eq(name, "reject_force_umount"))
			continue;
		name[strcspn(name, " ")] = '\0';
		assert_int_equal(strlist_add(&names, name), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(must_name); i++)
		assert_true(strlist_has(&names, must_name[i]));
	assert_int_equal(confined(marked, run_all_denied), 0);
	strlist_free(&names);
}

/* What a distribution in the container needs is not in the way. */
static int run_allowed(void)
{
	static const int calls[] = { SYS_mount,		SYS_fsopen,	SYS_fsconfig,
				     SYS_fsmount,	SYS_open_tree,	SYS_move_mount,
				     SYS_mount_setattr, SYS_pivot_root, SYS_keyctl,
				     SYS_add_key,	SYS_bpf,	SYS_ptrace,
				     SYS_seccomp,	SYS_clone3 };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		EXPECT(native(calls[i], -1, -1) != -122);
	return 0;
}

static void test_allowed(void **state)
{
	cleanup_free char *text = default_policy(), *marked = NULL;

	marked = str_printf("2\ndenylist errno 122\n%s", text + strlen("2\ndenylist errno 1\n"));
	assert_int_equal(confined(marked, run_allowed), 0);
}
#endif

static void test_cache(void **state)
{
	static const char policy[] = "2\ndenylist errno 55\ngetppid\n";
	static const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, 0x7fff0000);
	char dir[] = "/tmp/lxmgr-unit.XXXXXX", *name;
	cleanup_fd int fd = -EBADF, tmp = -EBADF;
	cleanup_dir DIR *d = NULL;
	struct seccomp_program p;
	struct dirent *e;
	struct stat st;
	size_t n;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(seccomp_compile(policy, "test", false, false, fd, &p, &err), 0);
	n = p.n;
	seccomp_free(&p);
	d = opendir(dir);
	while ((e = readdir(d)) && *e->d_name == '.')
		;
	assert_non_null(e);
	name = e->d_name;
	assert_int_equal(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, n * sizeof(struct sock_filter));
	/* It is used ... */
	assert_int_equal(write_file_replace(fd, name, &allow, sizeof(allow), 0600), 0);
	assert_int_equal(seccomp_compile(policy, "test", false, false, fd, &p, &err), 0);
	assert_int_equal(p.n, 1);
	seccomp_free(&p);
	/* ... unless others could have written it, or it is no program. */
	assert_int_equal(write_file_replace(fd, name, &allow, sizeof(allow), 0620), 0);
	assert_int_equal(seccomp_compile(policy, "test", false, false, fd, &p, &err), 0);
	assert_int_equal(p.n, n);
	seccomp_free(&p);
	assert_int_equal(write_file_replace(fd, name, &allow, 7, 0600), 0);
	assert_int_equal(seccomp_compile(policy, "test", false, false, fd, &p, &err), 0);
	assert_int_equal(p.n, n);
	seccomp_free(&p);
	assert_int_equal(write_file_replace(fd, "x", &allow, sizeof(allow), 0600), 0);
	assert_int_equal(unlinkat(fd, name, 0), 0);
	assert_int_equal(symlinkat("x", fd, name), 0);
	assert_int_equal(seccomp_compile(policy, "test", false, false, fd, &p, &err), 0);
	assert_int_equal(p.n, n);
	seccomp_free(&p);
	/* Another policy is another file. */
	assert_int_equal(write_file_replace(fd, name, &allow, sizeof(allow), 0600), 0);
	assert_int_equal(seccomp_compile("2\ndenylist errno 56\ngetppid\n", "test", false, false,
					 fd, &p, &err),
			 0);
	assert_true(p.n > 1);
	seccomp_free(&p);
	tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(remove_tree_at(tmp, dir + 5), 0);
}

static int without_mount_api(void)
{
	for (long nr = SYS_open_tree; nr <= SYS_fspick; nr++)
		EXPECT(native(nr, -1, -1) == -ENOSYS);
	EXPECT(native(SYS_mount_setattr, -1, -1) == -ENOSYS);
#ifdef __x86_64__
	EXPECT(int80(SYS_fsopen, -1, -1) == -ENOSYS);
	EXPECT(native(X32_BIT | SYS_fsopen, -1, -1) == -ENOSYS);
#endif
	return 0;
}

static int with_mount_api(void)
{
	EXPECT(native(SYS_fsopen, -1, -1) != -ENOSYS);
	EXPECT(native(SYS_fsconfig, -1, -1) != -ENOSYS);
	return 0;
}

/* Also where the policy allows them. */
static void test_mount_api(void **state)
{
	assert_int_equal(confined("2\ndenylist errno 1\ngetppid\n", with_mount_api), 0);
	deny_mount_api = true;
	assert_int_equal(confined("2\ndenylist errno 1\ngetppid\n", without_mount_api), 0);
	assert_int_equal(confined("2\ndenylist errno 1\nfsopen errno 5\n", without_mount_api), 0);
	assert_int_equal(confined("2\nallowlist errno 1\nfsopen\nmount_setattr\nexit_group\n",
				  without_mount_api),
			 0);
	deny_mount_api = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_mount_api),
		cmocka_unit_test(test_policies), cmocka_unit_test(test_cache),
#ifdef __x86_64__
		cmocka_unit_test(test_sections), cmocka_unit_test(test_default_policy),
		cmocka_unit_test(test_allowed),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
