/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk limits: the allocator of projects, what is said where there are no quotas, and a root that
 * is put into a project, with a kernel that is made up. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/projalloc.h"
#include "kernel/quota.h"
#include "kernel/sys.h"
#include "storage/project.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

/* What mkdtemp() made: a tree is removed by its name in a directory, never by a path. */
static void drop(const char *dir)
{
	cleanup_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(remove_tree_at(tmp, dir + strlen("/tmp/")), 0);
}

/* What the file system has, and was told. */
static struct {
	int error;	    /* of everything */
	unsigned int flags; /* of Q_XGETQSTATV */
	uint32_t busy;	    /* a project that something belongs to */
	uint64_t used;	    /* by every other one */
	uint32_t set;	    /* the project of the last Q_SETQUOTA */
	struct if_dqblk last;
	size_t tagged;
	uint32_t tag;
	mode_t refuse; /* a kind of file that cannot be put into a project */
} fs;

int __wrap_sys_quotactl_fd(int fd, unsigned int cmd, int id, void *addr);
int __wrap_sys_quotactl_fd(int fd, unsigned int cmd, int id, void *addr)
{
	struct if_dqblk *d = addr;

	if (fd < 0)
		return fs.error == -ENOSYS ? -ENOSYS : -EBADF;
	if (fs.error)
		return fs.error;
	switch (cmd >> SUBCMDSHIFT) {
	case Q_XGETQSTATV:
		((struct fs_quota_statv *)addr)->qs_flags = (uint16_t)fs.flags;
		return 0;
	case Q_GETQUOTA:
		*d = (struct if_dqblk){ .dqb_curspace = (uint32_t)id == fs.busy ? 4096 : fs.used };
		return 0;
	case Q_SETQUOTA:
		fs.set = (uint32_t)id;
		fs.last = *d;
		return 0;
	default:
		return -EINVAL;
	}
}

int __wrap_sys_file_getattr(const char *path, struct sys_file_attr *ret);
int __wrap_sys_file_getattr(const char *path, struct sys_file_attr *ret)
{
	memset(ret, 0, sizeof(*ret));
	return 0;
}

int __wrap_sys_file_setattr(const char *path, const struct sys_file_attr *attr);
int __wrap_sys_file_setattr(const char *path, const struct sys_file_attr *attr)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IFMT) == fs.refuse)
		return -EOPNOTSUPP;
	fs.tagged++;
	fs.tag = attr->projid;
	return 0;
}

bool __wrap_ns_is_nested(void);
bool __wrap_ns_is_nested(void)
{
	return false;
}

static void write_text(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void test_projects(void **state)
{
	char dir[] = "/tmp/lxmgr-test-XXXXXX", projid[64], projects[64];
	struct projalloc_files f = { projid, projects, dir };
	uint32_t a, b;

	(void)state;
	memset(&fs, 0, sizeof(fs));
	assert_non_null(mkdtemp(dir));
	snprintf(projid, sizeof(projid), "%s/projid", dir);
	snprintf(projects, sizeof(projects), "%s/etc-projects", dir);
	assert_int_equal(projalloc_acquire_in(&f, "/x/a", -1, &a, NULL), 0);
	assert_int_equal(a, PROJECT_FIRST);
	assert_int_equal(projalloc_acquire_in(&f, "/x/a", -1, &b, NULL), 0);
	assert_int_equal(a, b);
	/* Named by somebody, in either file, or in use on the file system. */
	write_text(projid, "# comment\nweb:1048577\nbad\nx: y\n");
	write_text(projects, "1048578:/srv/data\n1048580 : /srv\n");
	fs.busy = PROJECT_FIRST + 3;
	assert_int_equal(projalloc_acquire_in(&f, "/x/b", AT_FDCWD, &b, NULL), 0);
	/* A negative descriptor asks no file system. */
	assert_int_equal(b, PROJECT_FIRST + 3);
	assert_int_equal(projalloc_release_in(&f, "/x/b", -1, NULL), 0);
	assert_int_equal(projalloc_acquire_in(&f, "/x/b", 0, &b, NULL), 0);
	assert_int_equal(b, PROJECT_FIRST + 5);
	/* A new name, and what is free again is taken again. */
	assert_int_equal(projalloc_rename_in(&f, "/x/a", "/x/c", NULL), 0);
	assert_int_equal(projalloc_acquire_in(&f, "/x/c", -1, &b, NULL), 0);
	assert_int_equal(b, PROJECT_FIRST);
	assert_int_equal(projalloc_release_in(&f, "/x/c", -1, NULL), 0);
	assert_int_equal(projalloc_release_in(&f, "/x/c", -1, NULL), 0);
	assert_int_equal(projalloc_acquire_in(&f, "/x/d", -1, &b, NULL), 0);
	assert_int_equal(b, PROJECT_FIRST);
	assert_int_equal(projalloc_acquire_in(&f, "/x/\n1 /x/d", -1, &b, NULL), -EINVAL);
	drop(dir);
}

static void test_check(void **state)
{
	struct lxmgr_err err = { 0 };
	cleanup_fd int fd = open("/tmp", O_PATH | O_CLOEXEC);

	(void)state;
	memset(&fs, 0, sizeof(fs));
	fs.flags = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD;
	assert_int_equal(quota_check(fd, &err), 0);
	/* Users' quotas alone, or projects that are counted and not held to anything. */
	fs.flags = FS_QUOTA_UDQ_ACCT | FS_QUOTA_UDQ_ENFD;
	assert_int_equal(quota_check(fd, &err), -EOPNOTSUPP);
	assert_int_equal(err.status, STATUS_REFUSED);
	assert_non_null(strstr(err.text, "-B loop"));
	fs.flags = FS_QUOTA_PDQ_ACCT;
	assert_int_equal(quota_check(fd, &err), -EOPNOTSUPP);
	fs.error = -ENOSYS;
	assert_int_equal(quota_check(fd, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "CONFIG_QUOTA"));
	fs.error = -ESRCH;
	assert_int_equal(quota_check(fd, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "-B loop"));
	/* Project 0 is everybody's. */
	assert_int_equal(quota_set(fd, 0, 1, 1), -EINVAL);
}

/* Deeper than there are descriptors; links are not followed. */
static void test_tree(void **state)
{
	char dir[] = "/tmp/lxmgr-test-XXXXXX";
	struct storage_limit limit = { .bytes = 10000, .inodes = 500, .project = 4711 };
	struct storage st = { .ct_fd = -1 };
	struct lxmgr_err err = { 0 };
	cleanup_fd int top = -EBADF, at = -EBADF;
	size_t deep = 2000;

	(void)state;
	/* Handles of directories are opened by root only. */
	if (geteuid() != 0)
		skip();
	memset(&fs, 0, sizeof(fs));
	fs.flags = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD;
	assert_non_null(mkdtemp(dir));
	top = open(dir, O_PATH | O_CLOEXEC);
	at = open(dir, O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < deep; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_PATH | O_CLOEXEC);
		close(at);
		at = next;
	}
	assert_int_equal(symlinkat("/etc", at, "etc"), 0);
	assert_int_equal(mkfifoat(at, "fifo", 0600), 0);
	assert_int_equal(project_resize(&st, top, NULL, &limit, &err), 0);
	assert_int_equal(fs.tagged, deep + 3);
	assert_int_equal(fs.tag, 4711);
	assert_int_equal(fs.set, 4711);
	assert_int_equal(fs.last.dqb_bhardlimit, 10);
	assert_int_equal(fs.last.dqb_ihardlimit, 500);
	/* What cannot be put into it is left out. */
	fs.refuse = S_IFIFO;
	fs.tagged = 0;
	assert_int_equal(project_resize(&st, top, NULL, &limit, &err), 0);
	assert_int_equal(fs.tagged, deep + 2);
	/* A limit below what there is, unless it was in force before. */
	fs.used = 20000;
	fs.set = 0;
	assert_int_equal(project_resize(&st, top, NULL, &limit, &err), -EDQUOT);
	assert_int_equal(err.status, STATUS_REFUSED);
	assert_int_equal(fs.set, 0);
	st.limit = limit;
	assert_int_equal(project_resize(&st, top, NULL, &limit, &err), 0);
	assert_int_equal(fs.set, 4711);
	/* Nothing is done where nothing is asked for. */
	fs.error = -EIO;
	limit = (struct storage_limit){ .bytes = 0 };
	assert_int_equal(project_resize(&st, top, NULL, &limit, &err), 0);
	drop(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_projects),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
