/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/ns.h"
#include "kernel/quota.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

/* QCMD() shifts into the sign. */
#define COMMAND(cmd) (int)QCMD((unsigned int)(cmd), PRJQUOTA)
#define BLOCK	     1024

static const char loop_cure[] = "or use -B loop";

/* The message for a file system that does not know quotas at all: -ENOSYS is also what a kernel
 * without them says. */
static int refuse(int fd, bool counts, struct lxmgr_err *err)
{
	struct statfs st;
	long type = fstatfs(fd, &st) < 0 ? 0 : (long)st.f_type;

	if (sys_quotactl_fd(-1, COMMAND(Q_XGETQSTATV), 0, NULL) == -ENOSYS)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "this kernel has no disk quotas (CONFIG_QUOTA); %s",
				  loop_cure + strlen("or "));
	if (type == EXT4_SUPER_MAGIC && counts)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "the file system counts for projects, but does not limit them; "
				  "mount it with the option prjquota ('quotaon -P MOUNTPOINT' does "
				  "it at once), %s",
				  loop_cure);
	if (type == EXT4_SUPER_MAGIC)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "the file system (ext4) has no project quotas; unmount it, "
				  "'tune2fs -O quota,project DEVICE' (with CONFIG_QFMT_V2 in the "
				  "kernel), and mount it with the option "
				  "prjquota, %s",
				  loop_cure);
	if (type == XFS_SUPER_MAGIC)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "the file system (xfs) has its project quotas switched off; "
				  "unmount it and mount it with the option prjquota (the host's "
				  "root: boot with rootflags=prjquota), %s",
				  loop_cure);
	return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
			  "the file system has no project quotas, as ext4 and xfs do; %s",
			  loop_cure + strlen("or "));
}

int quota_check(int fd, struct lxmgr_err *err)
{
	struct fs_quota_statv st = { .qs_version = FS_QSTATV_VERSION1 };
	int r = sys_quotactl_fd(fd, COMMAND(Q_XGETQSTATV), 0, &st);
	const unsigned int both = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD;

	if (r < 0 || (st.qs_flags & both) != both)
		return refuse(fd, r == 0 && (st.qs_flags & FS_QUOTA_PDQ_ACCT), err);
	if (ns_is_nested())
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "quotas cannot be set from inside a container; limit that one "
				  "from its host, %s",
				  loop_cure);
	return 0;
}

int quota_get(int fd, uint32_t project, struct quota *ret)
{
	struct if_dqblk d = { .dqb_valid = 0 };
	int r = sys_quotactl_fd(fd, COMMAND(Q_GETQUOTA), (int)project, &d);

	*ret = (struct quota){ .bytes = 0 };
	/* xfs has no record of a project that nothing belongs to. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*ret = (struct quota){ d.dqb_curspace, d.dqb_curinodes, d.dqb_bhardlimit * BLOCK,
			       d.dqb_ihardlimit };
	return 0;
}

int quota_set(int fd, uint32_t project, uint64_t max_bytes, uint64_t max_inodes)
{
	struct if_dqblk d = { .dqb_bhardlimit = max_bytes / BLOCK + !!(max_bytes % BLOCK),
			      .dqb_ihardlimit = max_inodes,
			      .dqb_valid = QIF_BLIMITS | QIF_ILIMITS };

	/* 0 is everybody's who has none. */
	if (!project)
		return -EINVAL;
	return sys_quotactl_fd(fd, COMMAND(Q_SETQUOTA), (int)project, &d);
}

int quota_project(int dir_fd, uint32_t *ret)
{
	cleanup_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsxattr a;

	*ret = 0;
	if (fd < 0)
		return -errno;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &a) < 0)
		return errno == ENOTTY || errno == EOPNOTSUPP ? -EOPNOTSUPP : -errno;
	if (a.fsx_xflags & FS_XFLAG_PROJINHERIT)
		*ret = a.fsx_projid;
	return 0;
}

/* Only of a file whose opening has no effects: it was looked at first. */
static int set_by_ioctl(const char *path, bool is_dir, uint32_t project)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct fsxattr a;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &a) < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	a.fsx_projid = project;
	if (is_dir)
		a.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	if (ioctl(fd, FS_IOC_FSSETXATTR, &a) < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return 0;
}

int quota_project_set(int fd, uint32_t project)
{
	char path[FD_PATH_SIZE];
	struct sys_file_attr a;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	fd_path(fd, path);
	r = sys_file_getattr(path, &a);
	if (r == 0) {
		a.projid = project;
		if (S_ISDIR(st.st_mode))
			a.xflags |= FS_XFLAG_PROJINHERIT;
		r = sys_file_setattr(path, &a);
	}
	if (r != -ENOSYS)
		return r;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EOPNOTSUPP;
	return set_by_ioctl(path, S_ISDIR(st.st_mode), project);
}
