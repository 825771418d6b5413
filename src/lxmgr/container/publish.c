/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stopped container's root as an image: copied, and what makes it that container taken out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/container.h"
#include "container/identity.h"
#include "container/image_config.h"
#include "container/mounts.h"
#include "container/rootfs.h"
#include "container/setup_run.h"
#include "container/teardown.h"
#include "image/digest.h"
#include "image/interrupt.h"
#include "image/names.h"
#include "image/remote.h"
#include "image/store.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"

#define MAX_DEPTH IDENTITY_MAX_DEPTH

/* An empty file, if it is there: what it is for says that it is to be made. */
static int make_empty(int root, const char *path, mode_t mode, struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_NO_LINKS, &base);
	int r;

	if (dir < 0 || faccessat(dir, base, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	r = write_file_replace(dir, base, "", 0, mode);
	return r < 0 ? err_set(err, r, "empty '/%s' of the image", path) : 0;
}

static int forget_history(int root, const char *home, struct lxmgr_err *err)
{
	static const char *const names[] = { ".bash_history", ".ash_history",	".zsh_history",
					     ".lesshst",      ".viminfo",	".python_history",
					     ".wget-hsts",    ".mysql_history", ".psql_history" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		char path[600];

		snprintf(path, sizeof(path), "%s/%s", home, names[i]);
		r = identity_remove(root, path, err);
	}
	return r;
}

static int forget_homes(int root, struct lxmgr_err *err)
{
	int fd = open_in(root, "home", OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY, 0), r;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	r = forget_history(root, "root", err);
	while (d && r == 0 && (e = readdir(d))) {
		char home[300];

		snprintf(home, sizeof(home), "home/%s", e->d_name);
		if (*e->d_name != '.')
			r = forget_history(root, home, err);
	}
	return r;
}

/* What no two containers may share, or nobody else is to see. */
static int forget(int root, struct lxmgr_err *err)
{
	static const char *const gone[] = { "var/lib/dbus/machine-id", "var/lib/cloud/instances" };
	static const struct {
		const char *path, *prefix;
		int deep;
	} emptied[] = {
		{ "etc/ssh", "ssh_host_", 0 },	    { "var/log", "", MAX_DEPTH },
		{ "tmp", "", MAX_DEPTH },	    { "var/tmp", "", MAX_DEPTH },
		{ "run", "", MAX_DEPTH },	    { "var/lib/systemd/timers", "", 0 },
		{ "var/spool/cron/atjobs", "", 0 },
	};
	int r = make_empty(root, "etc/machine-id", 0444, err);

	if (r == 0)
		r = make_empty(root, "etc/hostname", 0644, err);
	if (r == 0)
		r = identity_forget(root, err);
	for (size_t i = 0; i < ARRAY_SIZE(gone) && r == 0; i++)
		r = identity_remove(root, gone[i], err);
	for (size_t i = 0; i < ARRAY_SIZE(emptied) && r == 0; i++)
		r = identity_empty(root, emptied[i].path, emptied[i].prefix, emptied[i].deep, err);
	return r == 0 ? forget_homes(root, err) : r;
}

/* Namespaces here: a mount namespace of its own, all else the host's. */
static void child(int sock, struct lxmgr_container *c, const char *path, int target)
{
	struct lxmgr_err err = { 0 };
	cleanup_fd int host = -EBADF;
	struct storage st;
	int r, root, ct = -EBADF;

	/* In a group of its own: it is ended with what it runs, when the verb is interrupted. */
	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(2);
	r = sys_unshare(CLONE_NEWNS);
	host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		err_set(&err, r, "make a mount namespace");
	else
		r = mount_set(host, 0, 0, 1UL << 18 /* MS_PRIVATE */, true, -1, &err);
	if (r == 0) {
		ct = reopen_dir(c->dir_fd, path);
		if (ct < 0)
			r = err_set(&err, ct, "open '%s'", path);
	}
	if (r == 0)
		r = storage_open(&st, ct, &c->config.storage, &err);
	if (r == 0 && (st.ids || c->config.storage.ids_shifted))
		r = err_status(&err, STATUS_REFUSED, -EOPNOTSUPP,
			       "the files of '%s' have the ids of its block, which no other "
			       "container has",
			       c->name);
	if (r == 0) {
		root = storage_open_root(&st, &err);
		r = root < 0 ? root : tree_copy(root, target, &err);
	}
	if (r == 0)
		r = forget(target, &err);
	/* Two containers with one address would be no good to each other. */
	if (r == 0)
		r = setup_run_forget(target, &c->config, &err);
	if (r < 0 && msg_send(sock, &err, sizeof(err), NULL, 0) < 0)
		_exit(2);
	_exit(r < 0);
}

/* Until it ends, or a signal ends it. */
static int wait_for(pid_t pid, int sock, int cancel_fd, struct lxmgr_err *err)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN },
			       { .fd = cancel_fd, .events = POLLIN } };
	struct lxmgr_err why;
	int status = 0, r;

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[1].revents)
		kill(pid, SIGKILL);
	r = (int)msg_recv(sock, &why, sizeof(why), NULL, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (p[1].revents)
		return err_msg(err, -ECANCELED, "interrupted");
	if (r == sizeof(why)) {
		why.text[sizeof(why.text) - 1] = '\0';
		if (err)
			*err = why;
		return why.code < 0 ? why.code : -EIO;
	}
	return status ? err_msg(err, -EIO, "reading the container's root failed") : 0;
}

static int copy_root(struct lxmgr_container *c, int target, int cancel_fd, struct lxmgr_err *err)
{
	char path[sizeof(c->path) + sizeof(c->name) + 2];
	cleanup_fd int mine = -EBADF, its = -EBADF;
	int pair[2], r = msg_pair(pair);
	pid_t pid;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	its = pair[1];
	snprintf(path, sizeof(path), "%s/%s", c->path, c->name);
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0)
		child(its, c, path, target);
	fd_close(&its);
	return wait_for(pid, mine, cancel_fd, err);
}

/* What its containers are to start with, as a template says it; and the digest of the tree with it:
 * two configs on one tree are two images. */
static int write_config(struct lxmgr_container *c, int dir, const char *tree,
			char ret[IMAGE_DIGEST_LEN + 1], struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	size_t skip;
	int r;

	strbuf_addf(&b, "%s\n", tree);
	skip = b.len;
	r = image_config_text(&c->config, &b, err);
	if (r < 0)
		return r;
	if (b.len == skip) {
		snprintf(ret, IMAGE_DIGEST_LEN + 1, "%s", tree);
		return 0;
	}
	r = write_file_replace(dir, "config", b.s + skip, b.len - skip, 0600);
	if (r < 0)
		return err_set(err, r, "write the image's config");
	return digest_data(b.s, b.len, ret, err);
}

static int build(struct lxmgr_container *c, const struct lxmgr_image_opts *o, int cancel_fd,
		 char digest[IMAGE_DIGEST_LEN + 1], struct lxmgr_err *err)
{
	struct image_build b __attribute__((cleanup(image_build_end))) = IMAGE_BUILD_INIT;
	struct image img = { .root_fd = -EBADF, .lock_fd = -EBADF };
	struct image_meta m = { 0 };
	unsigned char rnd[32];
	char id[65];
	int r;

	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		return err_set(err, -EIO, "random name");
	for (size_t i = 0; i < sizeof(rnd); i++)
		snprintf(id + 2 * i, 3, "%02x", rnd[i]);
	r = image_build_begin(&b, id, err);
	if (r == 0)
		r = copy_root(c, b.root, cancel_fd, err);
	if (r == 0)
		r = digest_tree(b.root, m.tree, err);
	if (r == 0)
		r = write_config(c, b.dir, m.tree, digest, err);
	if (r < 0)
		return r;
	snprintf(m.origin, sizeof(m.origin), "container %s", c->name);
	snprintf(m.arch, sizeof(m.arch), "%s", remote_arch(c->config.arch));
	r = image_build_commit(&b, digest, &m, err);
	if (r == 0)
		r = image_open(digest, &img, err);
	if (r == 0 && o->name)
		r = names_set(b.cache, o->name, digest, err);
	image_close(&img);
	return r;
}

static int publish_image(struct lxmgr_container *c, const struct lxmgr_image_opts *o,
			 char **ret_digest, struct lxmgr_err *err)
{
	cleanup_fd int lock = -EBADF;
	char digest[IMAGE_DIGEST_LEN + 1];
	struct interrupt i;
	struct state state;
	int r;

	if (o->name && !image_name_is_valid(o->name))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.120s' is no image name", o->name);
	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	r = container_load_config(c, err);
	if (r < 0)
		return r;
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	r = teardown_stale(c, -1, &state, err);
	if (r < 0)
		return r;
	if (r > 0)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is running; stop it first", c->name);
	r = mounts_check(c, true, err);
	if (r == 0)
		r = rootfs_recover(c, err);
	if (r < 0)
		return r;
	interrupt_begin(&i);
	r = build(c, o, i.fd, digest, err);
	interrupt_end(&i);
	if (r == 0 && ret_digest && !(*ret_digest = strdup(digest)))
		return err_set(err, -ENOMEM, "publish");
	return r;
}

int lxmgr_image_publish(struct lxmgr_container *c, const struct lxmgr_image_opts *o,
			char **ret_digest, struct lxmgr_err *err)
{
	return audit_image(o->name, "publish", c->name, publish_image(c, o, ret_digest, err), err);
}
