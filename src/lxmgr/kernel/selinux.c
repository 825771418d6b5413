/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel/lsm.h"
#include "kernel/selinux.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"
#include "util/treewalk.h"

#define XATTR "security.selinux"

/* What the host has, found out once, before anything is entered: inside, /sys is the guest's, who
 * could cover it to get rid of the label. */
static enum { UNKNOWN, OFF, ON } known;

bool selinux_is_enabled(void)
{
	if (known == UNKNOWN)
		known = access("/sys/fs/selinux/enforce", F_OK) == 0 ? ON : OFF;
	return known == ON;
}

bool selinux_is_enforcing(void)
{
	char buf[8];

	return read_small(AT_FDCWD, "/sys/fs/selinux/enforce", buf, sizeof(buf)) > 0 &&
	       buf[0] == '1';
}

int selinux_check_context(const char *context)
{
	/* The kernel counts the terminating byte. */
	cleanup_fd int fd = open("/sys/fs/selinux/context", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, context, strlen(context) + 1) < 0 ? -errno : 0;
}

int selinux_label_new(enum selinux_made what, const char *context, struct lxmgr_err *err)
{
	static const char *const file[] = { "/proc/thread-self/attr/fscreate",
					    "/proc/thread-self/attr/sockcreate" };
	cleanup_fd int fd = open(file[what], O_WRONLY | O_CLOEXEC);
	const char *text = context ? context : "\n";

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_set(err, -errno, "have new files labelled '%s'",
			       context ? context : "as usual");
	return 0;
}

int selinux_label_fd(int fd, const char *context, const char *what, struct lxmgr_err *err)
{
	char path[FD_PATH_SIZE];

	if (setxattr(fd_path(fd, path), XATTR, context, strlen(context) + 1, 0) < 0)
		return err_set(err, -errno, "label '%s' with '%s'", what, context);
	return 0;
}

static bool has_label(int fd, const char *context)
{
	char path[FD_PATH_SIZE], have[SELINUX_CONTEXT_SIZE] = "";
	ssize_t n = getxattr(fd_path(fd, path), XATTR, have, sizeof(have) - 1);

	return n > 0 && str_eq(have, context);
}

struct walk {
	const char *context;
	void (*progress)(size_t n, void *arg);
	void *arg;
	size_t n;
	struct lxmgr_err *err;
	int failed; /* what err has; the walk ends with 1 */
};

static int label_one(struct walk *w, int fd, const char *name)
{
	if (w->progress && ++w->n % 1000 == 0)
		w->progress(w->n, w->arg);
	if (!has_label(fd, w->context))
		w->failed = selinux_label_fd(fd, w->context, name, w->err);
	return w->failed < 0;
}

/* Pinned by a descriptor: what is labelled is what was found, a link itself included. */
static int label_file(void *arg, int dir, const char *name, unsigned char type)
{
	struct walk *w = arg;
	cleanup_fd int fd = open_in(dir, name, OPEN_NO_XDEV, O_PATH | O_NOFOLLOW, 0);

	(void)type;
	/* -EXDEV: something of the host's is mounted there, and has the host's label. */
	if (fd == -EXDEV || fd == -ENOENT)
		return 0;
	if (fd >= 0)
		return label_one(w, fd, name);
	w->failed = err_set(w->err, fd, "open '%s'", name);
	return 1;
}

static int label_dir(void *arg, int fd, const char *name)
{
	return label_one(arg, fd, name);
}

int selinux_label_tree(int dir_fd, const char *context, void (*progress)(size_t n, void *arg),
		       void *arg, bool *ret_done, struct lxmgr_err *err)
{
	/* What is below it first: the top's own label says that it was done. */
	static const struct treewalk how = { .file = label_file,
					     .leave = label_dir,
					     .skip_mounts = true };
	struct walk w = { .context = context, .progress = progress, .arg = arg, .err = err };
	bool done = has_label(dir_fd, context);
	int r;

	if (ret_done)
		*ret_done = done;
	if (done)
		return 0;
	r = tree_walk(dir_fd, &how, &w);
	if (r)
		return r < 0 ? err_set(err, r, "walk through the tree") : w.failed;
	return selinux_label_fd(dir_fd, context, "/", err);
}

static int check(const struct lsm_spec *s, const char **ret_notice, struct lxmgr_err *err)
{
	const char *value = s->selinux ? s->selinux : s->selinux_keyring;

	(void)ret_notice;
	if (!value)
		return 0;
	if (!selinux_is_enabled())
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "lxmgr.selinux.context = %s: this kernel runs without SELinux",
				  value);
	if (selinux_check_context(value) < 0)
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "'%s' is no context of this host's SELinux policy "
				  "(lxmgr.selinux.context)",
				  value);
	return 0;
}

/* A label that was asked for is never left out because nobody looked. */
static int check_known(const char *label, struct lxmgr_err *err)
{
	if (!label || known == ON)
		return 0;
	return err_msg(err, -EINVAL, "whether this host has SELinux is not known");
}

static int apply_keyring(const struct lsm_spec *s, int proc_fd, struct lxmgr_err *err)
{
	/* Without one the keys would be the caller's, and not for the container. */
	const char *label = s->selinux_keyring ? s->selinux_keyring : s->selinux;
	int r = check_known(label, err);

	return r < 0 || !label ? r : lsm_write_attr(proc_fd, "attr/keycreate", label, err);
}

static int apply(const struct lsm_spec *s, const char *name, int proc_fd, struct lxmgr_err *err)
{
	int r = check_known(s->selinux, err);

	(void)name;
	return r < 0 || !s->selinux ? r : lsm_write_attr(proc_fd, "attr/exec", s->selinux, err);
}

static bool changes(const struct lsm_spec *s)
{
	return s->selinux && selinux_is_enabled();
}

const struct lsm_ops lsm_selinux = {
	.name = "selinux",
	.is_enabled = selinux_is_enabled,
	.check = check,
	.apply_keyring = apply_keyring,
	.apply = apply,
	.changes = changes,
};
