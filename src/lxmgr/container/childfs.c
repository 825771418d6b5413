/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's own mounts, made by its first process.
 * Namespaces here: all of the container's; the host's tree is still the root, as a locked copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/features.h"
#include "container/start.h"
#include "kernel/sys.h"
#include "kernel/tty.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"

#define DETACH 2 /* MNT_DETACH of sys/mount.h, which clashes with linux/mount.h */

/* The files come in the order of the mask's bits. */
static int take_lxcfs(struct start *s, unsigned int mask, const int *fds, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < LXCFS_FILES; i++)
		if (mask & 1U << i && used < n)
			s->lxcfs.fd[i] = fds[used++];
	return used == n ? 0 : -EPROTO;
}

int childfs_go(struct start *s, struct lxmgr_err *err)
{
	size_t n_mounts = s->c->config.n_mounts;

	s->entry_fd = calloc(n_mounts + 1, sizeof(*s->entry_fd));
	if (!s->entry_fd)
		return err_set(err, -ENOMEM, "mount entries");
	for (size_t i = 0; i < n_mounts; i++)
		s->entry_fd[i] = -EBADF;
	for (;;) {
		struct start_msg m;
		int fds[LXCFS_FILES], r;
		size_t n = LXCFS_FILES;

		r = start_receive(s->sock, &m, fds, &n, err);
		if (r < 0 || (m.kind == START_GO && n == 0))
			return r;
		if (m.kind == START_ENTRY && n == 1 && (size_t)m.value < n_mounts)
			s->entry_fd[m.value] = fds[0];
		else if (m.kind != START_LXCFS || take_lxcfs(s, (unsigned int)m.value, fds, n) < 0)
			return err_msg(err, -EPROTO, "unexpected start message %u", m.kind);
	}
}

/* A clone of the staged tree: its top is not locked, as pivot_root needs it, what lies below is. */
int childfs_root(struct start *s, struct lxmgr_err *err)
{
	const char *staged = str_after(s->plan.mountpoint, STAGEDIR "/");
	cleanup_fd int target = -EBADF;

	/* The monitor's descriptors belong to its namespace: everything is opened again here,
	 * from the working directory that leads to the stage. */
	fd_close(&s->root_fd);
	fd_close(&s->empty_dir);
	fd_close(&s->empty_file);
	s->empty_dir = open("e", O_PATH | O_DIRECTORY | O_CLOEXEC);
	s->empty_file = open("n", O_PATH | O_CLOEXEC);
	target = open(staged ? staged : s->plan.mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0 || s->empty_dir < 0 || s->empty_file < 0)
		return err_set(err, -errno, "open '%s' in the container", s->plan.mountpoint);
	s->root_fd = mount_clone(target, "", true, err);
	if (s->root_fd < 0)
		return s->root_fd;
	return mount_attach(s->root_fd, target, "the root", err);
}

static int write_sysctls(const struct start *s, int proc, struct lxmgr_err *err)
{
	const struct config_pairs *p = &s->c->config.sysctls;

	for (size_t i = 0; i < p->n; i++) {
		int r = sysctl_write(proc, p->v[i].name, p->v[i].value, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int childfs_api(struct start *s, struct lxmgr_err *err)
{
	/* Detached: nothing the guest put into its root is in the way of what is written here. */
	cleanup_fd int proc =
		mount_new_fs("proc", "proc", NULL,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	struct api_targets t = {
		.rootfd = s->root_fd,
		.proc_fd = proc,
		.empty_file = s->empty_file,
		.empty_dir = s->empty_dir,
		.own_net = s->plan.ns_new & CLONE_NEWNET,
	};
	int r;

	if (proc < 0)
		return err_hint(err, "a /proc of the container's own is refused where something "
				     "is mounted over the host's /proc; in a container, it needs "
				     "lxmgr.features = nesting"),
		       proc;
	r = write_sysctls(s, proc, err);
	if (r == 0)
		r = api_mount(&s->c->config.api, &t, err);
	/* Without a user namespace they would be the host's. */
	if (r == 0 && s->plan.map.n_uid && features_nesting(&s->c->config))
		r = api_mount_bare(&t, err);
	return r;
}

/* Made here and not staged, as the masks: see api_mount(). */
int childfs_lxcfs(struct start *s, struct lxmgr_err *err)
{
	return lxcfs_attach(s->root_fd, &s->lxcfs, err);
}

/* A device file of /dev for a terminal to be bound on. */
static int bind_tty(int root, int pts, int index, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int mnt = -EBADF, target = -EBADF;
	char path[32], peer[16];

	snprintf(peer, sizeof(peer), "%d", index);
	snprintf(path, sizeof(path), "dev/%s", name);
	mnt = mount_clone(pts, peer, false, err);
	if (mnt < 0)
		return mnt;
	target = mount_open_target(root, path, MOUNT_CREATE_FILE, false, err);
	return target < 0 ? target : mount_attach(mnt, target, path, err);
}

static int new_tty(struct start *s, int pts, size_t slot, const char *name, struct lxmgr_err *err)
{
	const char *dir = s->c->config.tty_dir;
	cleanup_fd int peer = -EBADF;
	char sub[300];
	int index, r;

	r = tty_open_pair(pts, &s->tty_fd[slot], &peer, &index, err);
	if (r == -ENOSPC)
		err_hint(err, "the host is out of terminals: raise its sysctl kernel.pty.max, or "
			      "lower lxmgr.tty.max");
	if (r < 0)
		return r;
	if (dir) {
		cleanup_fd int d = -EBADF;

		snprintf(sub, sizeof(sub), "dev/%s", dir);
		d = mkdir_in(s->root_fd, sub, 0755, (uid_t)-1, (gid_t)-1);
		if (d < 0)
			return err_set(err, d, "make '/%s' (lxmgr.tty.dir)", sub);
		snprintf(sub, sizeof(sub), "%s/%s", dir, name);
		r = bind_tty(s->root_fd, pts, index, sub, err);
		if (r < 0)
			return r;
	}
	return bind_tty(s->root_fd, pts, index, name, err);
}

static int mount_at(int root, const char *where, int mnt, struct lxmgr_err *err)
{
	cleanup_fd int target = mount_open_target(root, where, MOUNT_CREATE_DIR, true, err);

	return target < 0 ? target : mount_attach(mnt, target, where, err);
}

/* /dev/pts, /dev/shm, /dev/mqueue and the terminals. */
int childfs_pts(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	bool has_tty_gid = !s->plan.map.n_gid || idmap_gid_out(&s->plan.map, 5) != (uint32_t)-1;
	cleanup_fd int pts = -EBADF, shm = -EBADF, mq = -EBADF;
	bool console = !cfg->console_path || !str_eq(cfg->console_path, "none");
	char options[96], name[16];
	int r;

	snprintf(options, sizeof(options), "newinstance,ptmxmode=0666,mode=0620%s,max=%u",
		 has_tty_gid ? ",gid=5" : "", cfg->pty_max ? cfg->pty_max : 1024);
	pts = stage_new_fs(s, "devpts", "devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
			   err);
	if (pts < 0)
		return pts;
	r = mount_at(s->root_fd, "dev/pts", pts, err);
	if (r < 0)
		return r;
	s->n_ttys = cfg->tty_max < START_MAX_TTYS ? cfg->tty_max : START_MAX_TTYS;
	if (console)
		r = new_tty(s, pts, 0, "console", err);
	for (size_t i = 1; r == 0 && i <= s->n_ttys; i++) {
		snprintf(name, sizeof(name), "tty%zu", i);
		r = new_tty(s, pts, i, name, err);
	}
	if (r < 0 || !cfg->autodev)
		return r;
	shm = stage_new_fs(s, "tmpfs", "none", "mode=1777", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			   err);
	r = shm < 0 ? shm : mount_at(s->root_fd, "dev/shm", shm, err);
	if (r < 0 || !(s->plan.ns_new & CLONE_NEWIPC))
		return r;
	mq = mount_new_fs("mqueue", "mqueue", NULL,
			  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	/* A kernel without POSIX queues still runs containers. */
	if (mq == -ENODEV)
		return 0;
	return mq < 0 ? mq : mount_at(s->root_fd, "dev/mqueue", mq, err);
}

static int child_source(const struct start *s, size_t i, struct lxmgr_err *err)
{
	const struct mount_spec *m = &s->c->config.mounts[i];
	cleanup_fd int src = -EBADF, mnt = -EBADF;
	int r = 0;

	if (s->entry_fd[i] >= 0)
		return fcntl(s->entry_fd[i], F_DUPFD_CLOEXEC, 3);
	if (m->bind) {
		src = open_in(s->root_fd, m->source, OPEN_IN_ROOT, O_PATH, 0);
		if (src < 0)
			return err_set(err, src, "open '%s' in the container", m->source);
		mnt = mount_clone(src, "", m->rbind, err);
	} else {
		mnt = stage_new_fs(s, m->fstype, m->source, m->data, 0, err);
	}
	if (mnt < 0)
		return mnt;
	if (m->set || m->clear || m->propagation)
		r = mount_set(mnt, m->set, m->clear, m->propagation,
			      m->attr_recursive || m->propagation_recursive, -1, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int child_entry(const struct start *s, size_t i, struct lxmgr_err *err)
{
	cleanup_fd int mnt = child_source(s, i, err);

	return mnt < 0 ? mnt : stage_attach(s->root_fd, mnt, &s->c->config.mounts[i], err);
}

int childfs_entries(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;

	for (size_t i = 0; i < cfg->n_mounts; i++) {
		const struct mount_spec *m = &cfg->mounts[i];
		int r;

		if (!stage_is_for_child(cfg, i))
			continue;
		/* A source that was optional and missing when the stage looked. */
		if (m->bind && !m->relative && s->entry_fd[i] < 0)
			continue;
		r = child_entry(s, i, err);
		if (r < 0 && m->optional && (r == -ENOENT || r == -ENOTDIR)) {
			log_info("optional mount on '%s': %s, ignoring", m->target, err->text);
			continue;
		}
		if (r < 0)
			return err_prefix(err, "mount '%s' on '%s'", m->source, m->target), r;
	}
	return 0;
}

int childfs_pivot(struct start *s, struct lxmgr_err *err)
{
	int r;

	/* This process is the container's own from here on; the library's rule against changing
	 * the working directory is about its callers. */
	if (fchdir(s->root_fd) < 0)
		return err_set(err, -errno, "change to the new root");
	r = sys_pivot_root(".", ".");
	if (r < 0)
		return err_set(err, r, "pivot to the new root");
	/* The old root lies on top of the new one now. */
	r = sys_umount2(".", DETACH);
	if (r < 0)
		return err_set(err, r, "detach the host's root");
	if (fchdir(s->root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_set(err, -errno, "enter the new root");
	return 0;
}
