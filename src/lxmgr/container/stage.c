/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stage: a mount namespace of the monitor's own in which the root, the volumes and every
 * read-only mount are put together by the host's root. The child then makes its own mount
 * namespace, owned by its user namespace: that copy locks all that was staged, so that the
 * container's root can neither unmount it nor make it writable.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "container/features.h"
#include "container/lxcfs.h"
#include "container/start.h"
#include "kernel/fsids.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"

#define MS_SLAVE_FLAG (1UL << 19) /* MS_SLAVE of sys/mount.h, which clashes with linux/mount.h */

/* File systems whose mounts belong to the user namespace that makes them. */
static const char *const guest_fs[] = { "tmpfs",  "ramfs",  "proc",    "sysfs",	  "mqueue",
					"devpts", "cgroup", "cgroup2", "overlay", "fuse" };

static bool is_below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && (*rest == '\0' || *rest == '/');
}

static bool is_api_target(const char *target)
{
	return is_below(target, "proc") || is_below(target, "sys");
}

static bool is_guest_fs(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_SIZE(guest_fs); i++)
		if (str_eq(fstype, guest_fs[i]))
			return true;
	return false;
}

bool stage_is_for_child(const struct config *cfg, size_t entry)
{
	const struct mount_spec *m = &cfg->mounts[entry];

	if (m->relative || is_api_target(m->target))
		return true;
	if (m->bind || m->move || !is_guest_fs(m->fstype))
		return false;
	/* A tmpfs that holds the target of a later, staged entry must be there before it. */
	for (size_t i = entry + 1; i < cfg->n_mounts; i++)
		if (is_below(cfg->mounts[i].target, m->target) && !stage_is_for_child(cfg, i))
			return false;
	return true;
}

static int make_stage_dir(struct lxmgr_err *err)
{
	int r = mkdir_p(STAGEDIR, 0700);

	return r < 0 ? err_set(err, r, "make '%s'", STAGEDIR) : 0;
}

int stage_new_fs(const struct start *s, const char *fstype, const char *source, const char *options,
		 uint64_t attr, struct lxmgr_err *err)
{
	cleanup_free char *text = options ? strdup(options) : NULL;

	if ((options && !text) || label_mount(s->plan.label.file, fstype, &text) < 0)
		return err_set(err, -ENOMEM, "mount %s", fstype);
	return mount_new_fs(fstype, source, text, attr, err);
}

int stage_enter(struct start *s, struct lxmgr_err *err)
{
	cleanup_fd int root = -EBADF, tmp = -EBADF, dir = -EBADF;
	int r = make_stage_dir(err);

	if (r < 0)
		return r;
	s->host_mnt_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (s->host_mnt_fd < 0)
		return err_set(err, -errno, "open the host's mount namespace");
	r = sys_unshare(CLONE_NEWNS);
	if (r < 0)
		return err_set(err, r, "make the staging mount namespace");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(err, -errno, "open /");
	/* Slave, not private: what the host unmounts meanwhile must not stay busy here. */
	r = mount_set(root, 0, 0, MS_SLAVE_FLAG, true, -1, err);
	if (r < 0)
		return r;
	/* Labelled: the masks are of it. */
	tmp = stage_new_fs(s, "tmpfs", "lxmgr", "mode=0755,size=64k,nr_inodes=64",
			   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV, err);
	if (tmp < 0)
		return tmp;
	dir = open(STAGEDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, -errno, "open '%s'", STAGEDIR);
	r = mount_attach(tmp, dir, STAGEDIR, err);
	if (r < 0)
		return r;
	/* Our own mask sources: /dev/null as a mask has been swapped under other runtimes
	 * (CVE-2025-31133). */
	if (mkdirat(tmp, "r", 0755) < 0 || mkdirat(tmp, "s", 0700) < 0 ||
	    mkdirat(tmp, "e", 0555) < 0 || mknodat(tmp, "n", S_IFREG | 0444, 0) < 0)
		return err_set(err, -errno, "fill the stage");
	s->empty_dir = openat(tmp, "e", O_PATH | O_CLOEXEC);
	s->empty_file = openat(tmp, "n", O_PATH | O_CLOEXEC);
	s->stage_fd = openat(tmp, "s", O_PATH | O_CLOEXEC);
	if (s->empty_dir < 0 || s->empty_file < 0 || s->stage_fd < 0)
		return err_set(err, -errno, "open the stage");
	return 0;
}

int stage_leave(struct start *s, struct lxmgr_err *err)
{
	int r;

	if (s->host_mnt_fd < 0)
		return 0;
	r = sys_setns(s->host_mnt_fd, CLONE_NEWNS);
	if (r < 0)
		return err_set(err, r, "go back to the host's mount namespace");
	fd_close(&s->host_mnt_fd);
	return 0;
}

/* The user namespace of an entry's idmap= option; -1 for none. */
static int entry_userns(const struct start *s, const struct mount_spec *m, int *ret,
			struct lxmgr_err *err)
{
	*ret = -1;
	if (!m->idmap)
		return 0;
	if (str_eq(m->idmap, "container")) {
		if (s->plan.map.n_uid)
			*ret = fcntl(s->userns_fd, F_DUPFD_CLOEXEC, 3);
		return 0;
	}
	*ret = open(m->idmap, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? err_set(err, -errno, "open the user namespace '%s'", m->idmap) : 0;
}

/* The detached mount of one entry, attributes set. */
static int make_entry(struct start *s, const struct mount_spec *m, struct lxmgr_err *err)
{
	cleanup_fd int mnt = -EBADF, userns = -EBADF;
	char options[600];
	int r;

	if (m->delta) {
		mnt = stage_delta(s, m, err);
	} else if (m->bind || m->move) {
		mnt = m->move ? sys_open_tree(AT_FDCWD, m->source, 0)
			      : mount_clone(AT_FDCWD, m->source, m->rbind, err);
		if (mnt < 0 && m->move)
			return err_set(err, mnt, "open the mount '%s'", m->source);
	} else if (s->plan.map.n_uid && str_eq(m->fstype, "tmpfs")) {
		snprintf(options, sizeof(options), "uid=%u,gid=%u%s%s", s->plan.root_uid,
			 s->plan.root_gid, m->data ? "," : "", m->data ? m->data : "");
		mnt = stage_new_fs(s, m->fstype, m->source, options, 0, err);
	} else {
		mnt = stage_new_fs(s, m->fstype, m->source, m->data, 0, err);
	}
	if (mnt < 0)
		return mnt;
	r = entry_userns(s, m, &userns, err);
	if (r < 0)
		return r;
	if (userns >= 0) {
		r = mount_set(mnt, 0, 0, 0, m->rbind, userns, err);
		if (r < 0)
			return r;
	}
	if (m->set || m->clear || m->propagation) {
		r = mount_set(mnt, m->set, m->clear, m->propagation,
			      m->attr_recursive || m->propagation_recursive, -1, err);
		if (r < 0)
			return r;
	}
	return take_fd(&mnt);
}

static int fail_entry(const struct start *s, size_t i, int r, struct lxmgr_err *err)
{
	const struct mount_spec *m = &s->c->config.mounts[i];
	const char *where = config_where(&s->c->config, "mount.entry");

	if (m->optional && (r == -ENOENT || r == -ENOTDIR)) {
		log_info("optional mount of '%s' on '%s': %s, ignoring", m->source, m->target,
			 err->text);
		return 0;
	}
	err_prefix(err, "mount '%s' on '%s'", m->source, m->target);
	if (where)
		err_hint(err, "lxmgr.mount.entry, %s", where);
	return r;
}

/* Entries below proc/ and sys/ can only be attached by the child, which makes these; their
 * sources are opened here, with the host's rights, and sent. */
int stage_entries(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;

	for (size_t i = 0; i < cfg->n_mounts; i++) {
		const struct mount_spec *m = &cfg->mounts[i];
		cleanup_fd int mnt = -EBADF;
		struct lxmgr_err why = { 0 };
		int r;

		if (m->relative || !m->bind || !is_api_target(m->target))
			continue;
		mnt = make_entry(s, m, &why);
		r = mnt < 0 ? fail_entry(s, i, mnt, &why)
			    : start_send(s->sock, START_ENTRY, (int)i, NULL, &mnt, 1);
		if (r < 0 && mnt >= 0)
			err_set(&why, r, "send the container a mount");
		if (r < 0)
			return err ? *err = why, r : r;
	}
	return 0;
}

int stage_lxcfs(struct start *s, struct lxmgr_err *err)
{
	struct lxcfs l = LXCFS_INIT;
	unsigned int mask = 0;
	int fds[LXCFS_FILES];
	size_t n = 0;
	int r = lxcfs_get(&s->c->config, &l, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < LXCFS_FILES; i++)
		if (l.fd[i] >= 0) {
			mask |= 1U << i;
			fds[n++] = l.fd[i];
		}
	r = start_send(s->sock, START_LXCFS, (int)mask, NULL, fds, n);
	lxcfs_close(&l);
	return r < 0 ? err_set(err, r, "send the container lxcfs' files") : 0;
}

int stage_root(struct start *s, struct lxmgr_err *err)
{
	const struct plan *p = &s->plan;
	struct storage_stage stage = {
		.dir_fd = s->stage_fd,
		.dir_path = STAGEDIR "/s",
		.userns_fd = p->map_storage ? s->userns_fd : -1,
		.root_uid = p->root_uid,
		.root_gid = p->root_gid,
		.label = *p->label.file ? p->label.file : NULL,
	};
	cleanup_fd int target = -EBADF;
	char path[sizeof(s->c->path) + sizeof(s->c->name) + 2];
	int r;

	if (s->c->dir_fd >= 0) {
		snprintf(path, sizeof(path), "%s/%s", s->c->path, s->c->name);
		s->ct_fd = reopen_dir(s->c->dir_fd, path);
		if (s->ct_fd < 0)
			return err_set(err, s->ct_fd, "open '%s' in the stage", path);
	}
	r = storage_open(&s->storage, s->ct_fd, &s->c->config.storage, err);
	if (r < 0)
		return r;
	s->storage_open = true;
	if (s->storage.ids && p->map_storage) {
		if (s->storage.ids != p->root_uid)
			return err_msg(err, -EINVAL,
				       "the root has the ids from %u on, but the container those "
				       "from %u on",
				       s->storage.ids, p->root_uid);
		stage.userns_fd = -1;
	}
	s->root_fd = storage_mount(&s->storage, &stage, err);
	if (s->root_fd < 0)
		return s->root_fd;
	target = open(p->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_set(err, -errno, "open the mount point '%s' (lxmgr.rootfs.mount)",
			       p->mountpoint);
	return mount_attach(s->root_fd, target, p->mountpoint, err);
}

static const struct {
	const char *name;
	unsigned int major, minor;
} dev_nodes[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },	 { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *target;
} dev_links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "core", "/proc/kcore" },	 { "ptmx", "pts/ptmx" },
};

static int open_node(const char *name, dev_t want, struct lxmgr_err *err)
{
	cleanup_fd int host = -EBADF;
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", name);
	host = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (host < 0 || fstat(host, &st) < 0)
		return err_set(err, -errno, "open '%s'", path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != want)
		return err_msg(err, -ENODEV, "'%s' of the host is not the device it should be",
			       path);
	return take_fd(&host);
}

/* A bind mount of the host's node: mknod is not for user namespaces, and CRIU restores binds. */
static int bind_node(int dev, const char *name, dev_t want, struct lxmgr_err *err)
{
	cleanup_fd int host = open_node(name, want, err), target = -EBADF, mnt = -EBADF;

	if (host < 0)
		return host;
	target = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	if (target < 0)
		return err_set(err, -errno, "make /dev/%s", name);
	mnt = mount_clone(host, "", false, err);
	return mnt < 0 ? mnt : mount_attach(mnt, target, name, err);
}

/* One that the host may keep for its own root: a node of the container's, where a node can be made.
 */
static int add_node(int dev, const char *name, dev_t want, struct lxmgr_err *err)
{
	cleanup_fd int host = open_node(name, want, err);
	int r = host;

	if (r < 0)
		return r;
	if (mknodat(dev, name, S_IFCHR | 0666, want) == 0 && fchmodat(dev, name, 0666, 0) == 0)
		return 0;
	return errno == EPERM ? bind_node(dev, name, want, err)
			      : err_set(err, -errno, "make /dev/%s", name);
}

static int bind_features(const struct config *cfg, int dev, struct lxmgr_err *err)
{
	const struct feature *f;

	for (size_t i = 0; (f = features_get(cfg, i)); i++) {
		int r = f->device ? add_node(dev, f->device, makedev(f->major, f->minor), err) : 0;

		if (r < 0)
			return err_hint(err, "lxmgr.features = %s: %s", f->name,
					r == -ENOENT ? "load the kernel's module" : f->help),
			       r;
	}
	return 0;
}

/* Owned by the container's root, who alone may write to it. */
static int make_ready_socket(struct start *s, int dev, struct lxmgr_err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *context = s->plan.label.process;

	/* The container's own, or it might not send to it. */
	if (*context && selinux_label_new(SELINUX_SOCKETS, context, err) < 0)
		return -EPERM;
	s->ready_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" START_READY_NAME, dev);
	if (s->ready_fd < 0 || bind(s->ready_fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(err, -errno, "make the socket '%s'", START_READY_SOCKET);
	return *context ? selinux_label_new(SELINUX_SOCKETS, NULL, err) : 0;
}

int stage_dev(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	cleanup_fd int target = -EBADF, dev = -EBADF;
	char options[128];
	int r;

	if (!cfg->autodev)
		return 0;
	snprintf(options, sizeof(options), "mode=0755,size=%llu,uid=%u,gid=%u",
		 (unsigned long long)(cfg->autodev_tmpfs_size ? cfg->autodev_tmpfs_size : 500000),
		 s->plan.root_uid, s->plan.root_gid);
	r = fsids_set(s->plan.root_uid, s->plan.root_gid, err);
	if (r < 0)
		return r;
	target = mount_open_target(s->root_fd, "dev", MOUNT_CREATE_DIR, true, err);
	if (target < 0)
		return target;
	dev = stage_new_fs(s, "tmpfs", "none", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
	if (dev < 0)
		return dev;
	r = mount_attach(dev, target, "/dev", err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dev_nodes); i++)
		r = bind_node(dev, dev_nodes[i].name,
			      makedev(dev_nodes[i].major, dev_nodes[i].minor), err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dev_links); i++)
		if (symlinkat(dev_links[i].target, dev, dev_links[i].name) < 0)
			r = err_set(err, -errno, "make the link /dev/%s", dev_links[i].name);
	if (r == 0 && (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 0755) < 0 ||
		       mkdirat(dev, "mqueue", 0755) < 0 || mkdirat(dev, "net", 0755) < 0))
		r = err_set(err, -errno, "fill /dev");
	if (r == 0)
		r = bind_features(cfg, dev, err);
	if (r == 0 && cfg->start_ready == START_READY_INIT)
		r = make_ready_socket(s, dev, err);
	return r == 0 ? stage_usage(s, dev, err) : r;
}

int stage_attach(int root, int mnt, const struct mount_spec *m, struct lxmgr_err *err)
{
	cleanup_fd int target = -EBADF;
	struct stat st;

	if (fstat(mnt, &st) < 0)
		return err_set(err, -errno, "stat '%s'", m->source);
	target = mount_open_target(root, m->target, m->create, S_ISDIR(st.st_mode), err);
	return target < 0 ? target : mount_attach(mnt, target, m->target, err);
}

static int stage_mount(struct start *s, size_t i, struct lxmgr_err *err)
{
	const struct mount_spec *m = &s->c->config.mounts[i];
	cleanup_fd int mnt = make_entry(s, m, err);

	return mnt < 0 ? mnt : stage_attach(s->root_fd, mnt, m, err);
}

int stage_mounts(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	int r = fsids_set(s->plan.root_uid, s->plan.root_gid, err);

	for (size_t i = 0; r == 0 && i < cfg->n_mounts; i++) {
		struct lxmgr_err why = { 0 };

		if (stage_is_for_child(cfg, i))
			continue;
		r = stage_mount(s, i, &why);
		if (r < 0)
			r = fail_entry(s, i, r, &why);
		if (r < 0 && err)
			*err = why;
	}
	return r;
}

/* What the guest's files were last written for: they are not written at each start. */
static unsigned long long guest_digest(const struct start *s)
{
	unsigned long long h = str_hash(s->plan.hostname, strlen(s->plan.hostname));
	const struct strlist *dns = &s->c->config.nameservers;
	cleanup_strlist struct strlist host = { 0 };

	for (size_t i = 0; i < s->n_nets; i++)
		h = h * 31 + str_hash(s->nets[i].addr, sizeof(s->nets[i].addr)) +
		    str_hash(s->nets[i].mac, 6) +
		    str_hash(&s->nets[i].gw4, sizeof(struct net_addr)) +
		    str_hash(&s->nets[i].gw6, sizeof(struct net_addr));
	/* A host that moved to another network has other resolvers. */
	if (!dns->n && s->n_nets && host_nameservers_here(&host) == 0)
		dns = &host;
	for (size_t i = 0; i < dns->n; i++)
		h = h * 31 + str_hash(dns->v[i], strlen(dns->v[i]));
	return h;
}

static int write_guest(struct start *s, const char *want, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	struct guest_net g = {
		.hostname = s->plan.hostname,
		.nets = s->nets,
		.n_nets = s->n_nets,
		.nameservers = cfg->nameservers.v,
	};
	const char *label = s->plan.label.file;
	struct bridge_conf bridge;
	int r;

	for (size_t i = 0; i < s->n_nets; i++)
		if (s->nets[i].managed && !g.bridge && bridge_conf_get(&bridge, err) == 0)
			g.bridge = &bridge;
	/* Files that lie in the container's own tree are not for others either. */
	if (*label && selinux_label_new(SELINUX_FILES, label, err) < 0)
		return -EPERM;
	r = fsids_set(s->plan.root_uid, s->plan.root_gid, err);
	if (r == 0)
		r = guest_write_network(s->root_fd, &g, err);
	if (*label && selinux_label_new(SELINUX_FILES, NULL, r < 0 ? NULL : err) < 0 && r == 0)
		r = -EPERM;
	if (fsids_set(0, 0, r < 0 ? NULL : err) < 0)
		return r < 0 ? r : -EPERM;
	if (r == 0) {
		r = write_file_replace(s->c->dir_fd, "guest", want, strlen(want), 0600);
		if (r < 0)
			err_set(err, r, "write '%s/guest'", s->c->name);
	}
	return r;
}

int stage_guest(struct start *s, struct lxmgr_err *err)
{
	const struct storage_spec *st = &s->c->config.storage;
	char want[32], have[32] = "";
	int r = fsids_set(0, 0, err);

	/* A root that is not ours to change: LXC's rootfs.managed = 0, a read-only one, or none. */
	if (r < 0 || s->c->dir_fd < 0 || !st->managed || st->read_only)
		return r;
	snprintf(want, sizeof(want), "%016llx", guest_digest(s));
	read_small(s->c->dir_fd, "guest", have, sizeof(have));
	return str_eq(want, have) ? 0 : write_guest(s, want, err);
}
