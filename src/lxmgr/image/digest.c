/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/digest.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

static int run_it(const char *const *argv, struct run_opts *o, char ret[65], struct lxmgr_err *err)
{
	cleanup_free char *out = NULL;
	char text[64];
	int r;

	o->capture = 400;
	r = run_program(argv, o, &out);
	if (r < 0)
		return err_set(err, r, "run %s", argv[0]);
	if (r > 0)
		return err_msg(err, -EIO, "%s ended with %s: %.200s", argv[0],
			       run_status_text(r, text, sizeof(text)), out);
	out[strcspn(out, " ")] = '\0';
	if (!name_is_digest(out))
		return err_msg(err, -EIO, "%s printed no digest", argv[0]);
	memcpy(ret, out, 65);
	return 0;
}

/* It is always there, and 1 ms is nothing beside what it decides. */
int digest_fd(int fd, char ret[65], struct lxmgr_err *err)
{
	static const char *const argv[] = { "sha256sum", NULL };
	struct run_opts o = RUN_OPTS_INIT;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "read a file for its digest");
	o.stdin_fd = fd;
	return run_it(argv, &o, ret, err);
}

int digest_data(const void *data, size_t len, char ret[65], struct lxmgr_err *err)
{
	cleanup_fd int fd = memfd_create("digest", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, len) < 0)
		return err_set(err, -errno, "make a digest");
	return digest_fd(fd, ret, err);
}

int private_copy(int from, struct lxmgr_err *err)
{
	cleanup_fd int to = open(CACHEDIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct stat st;
	ssize_t n;

	if (fstat(from, &st) < 0)
		return err_set(err, -errno, "stat");
	if (!S_ISREG(st.st_mode))
		return err_msg(err, -EINVAL, "it is no plain file");
	if (to < 0)
		return err_set(err, -errno, "open a file in '%s'", CACHEDIR);
	do
		n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
	while (n > 0);
	if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
		do
			n = sendfile(to, from, NULL, 1 << 24);
		while (n > 0);
	}
	if (n < 0 || lseek(to, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "copy");
	return take_fd(&to);
}

int digest_copy(int from, char ret[65], struct lxmgr_err *err)
{
	cleanup_fd int to = private_copy(from, err);
	int r = to < 0 ? to : digest_fd(to, ret, err);

	return r < 0 ? r : take_fd(&to);
}

int digest_tree(int dirfd, char ret[65], struct lxmgr_err *err)
{
	static const char *const argv[] = {
		"tar",
		"--create",
		"--file=-",
		"--use-compress-program=sha256sum",
		"--sort=name",
		"--format=posix",
		"--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
		"--numeric-owner",
		"--acls",
		"--no-selinux",
		"--xattrs",
		"--xattrs-exclude=security.selinux",
		"--one-file-system",
		"--warning=none",
		"--",
		".",
		NULL,
	};
	static const char *const env[] = { "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct run_opts o = RUN_OPTS_INIT;

	o.dirfd = dirfd;
	o.env = env;
	return run_it(argv, &o, ret, err);
}
