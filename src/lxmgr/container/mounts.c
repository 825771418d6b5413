/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mounted root stands in RUNDIR/.mounts/TAG, written before it is attached: "boot", "ns" (inode
 * of the mount namespace), "id" of the mount, "dev" and "ino" of its root, "name", "path", "dir",
 * "read-only". What of that is still true the kernel says.
 */
#include "container/audit.h"
#include "container/mounts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/rootfs.h"
#include "container/teardown.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/msg.h"
#include "util/parse.h"
#include "util/paths.h"

#define RECORDS		RUNDIR "/.mounts"
#define PLACES		RUNDIR "/.mnt"
#define LIMIT		(3 * PATH_MAX)
#define INFO_MAX	(64 << 20)
#define NO_FOLLOW	8 /* UMOUNT_NOFOLLOW of sys/mount.h, which clashes with linux/mount.h */
#define MS_PRIVATE_FLAG (1UL << 18)
#define DETACH		2 /* MNT_DETACH */

struct record {
	char boot[37], name[64], path[PATH_MAX], dir[PATH_MAX], dev[32];
	uint64_t ns, id, ino;
	bool read_only;
};

static uint64_t own_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/mnt", &st) < 0 ? 0 : st.st_ino;
}

static void parse(char *text, struct record *ret)
{
	char *line, *rest = text;
	const char *v;

	memset(ret, 0, sizeof(*ret));
	while ((line = strsep(&rest, "\n"))) {
		if ((v = str_after(line, "boot ")))
			snprintf(ret->boot, sizeof(ret->boot), "%s", v);
		else if ((v = str_after(line, "name ")) && name_is_valid(v))
			snprintf(ret->name, sizeof(ret->name), "%s", v);
		else if ((v = str_after(line, "path ")))
			snprintf(ret->path, sizeof(ret->path), "%s", v);
		else if ((v = str_after(line, "dir ")))
			snprintf(ret->dir, sizeof(ret->dir), "%s", v);
		else if ((v = str_after(line, "dev ")))
			snprintf(ret->dev, sizeof(ret->dev), "%s", v);
		else if ((v = str_after(line, "ns ")))
			parse_u64(v, &ret->ns);
		else if ((v = str_after(line, "id ")))
			parse_u64(v, &ret->id);
		else if ((v = str_after(line, "ino ")))
			parse_u64(v, &ret->ino);
		else if ((v = str_after(line, "read-only ")))
			ret->read_only = str_eq(v, "1");
	}
}

static int read_record(const char *tag, struct record *ret)
{
	cleanup_fd int dir = open(RECORDS, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free char *text = NULL;
	int r = dir < 0 ? -errno : read_file_at(dir, tag, LIMIT, &text, NULL);

	if (r < 0)
		return r;
	parse(text, ret);
	return 0;
}

static int write_record(const char *tag, const struct record *rec)
{
	cleanup_fd int dir = -EBADF;
	cleanup_free char *text = str_printf("boot %s\nns %" PRIu64 "\nid %" PRIu64
					     "\ndev %s\nino %" PRIu64 "\nname %s\npath %s\ndir %s"
					     "\nread-only %d\n",
					     rec->boot, rec->ns, rec->id, rec->dev, rec->ino,
					     rec->name, rec->path, rec->dir, rec->read_only);
	int r = text ? mkdir_p(RECORDS, 0700) : -ENOMEM;

	if (r < 0)
		return r;
	dir = open(RECORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? -errno : write_file_replace(dir, tag, text, strlen(text), 0600);
}

/* The record, and the place if it is ours. */
static void forget(const char *tag)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PLACES "/%s", tag);
	rmdir(path);
	snprintf(path, sizeof(path), RECORDS "/%s", tag);
	unlink(path);
}

/* \040 and the like, as mountinfo has them. */
static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (*s == '\\' && s[1] >= '0' && s[1] <= '3' && isdigit((unsigned char)s[2]) &&
		    isdigit((unsigned char)s[3])) {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static bool is_root_of(const struct record *rec, const char *place)
{
	struct statx st;
	char dev[32];

	if (statx(AT_FDCWD, place, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_INO, &st) < 0)
		return false;
	snprintf(dev, sizeof(dev), "%u:%u", st.stx_dev_major, st.stx_dev_minor);
	return str_eq(dev, rec->dev) && st.stx_ino == rec->ino;
}

/* Where the mount is now, in our mount namespace. below (may be NULL): a mount inside it, if there
 * is one. False: it is gone. Its number may be another's by now, so the place must be right too, or
 * what is mounted. */
static bool find_mount(const struct record *rec, char place[PATH_MAX], char below[PATH_MAX])
{
	cleanup_free char *text = NULL;
	char *line, *rest;
	bool found = false;
	size_t n;

	if (read_file_at(AT_FDCWD, "/proc/self/mountinfo", INFO_MAX, &text, NULL) < 0)
		return true;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		char *f[5] = { NULL };

		for (int i = 0; i < 5; i++)
			f[i] = strsep(&line, " ");
		if (!f[4])
			continue;
		unescape(f[4]);
		n = strlen(place);
		if (found && below && !strncmp(f[4], place, n) && f[4][n] == '/')
			snprintf(below, PATH_MAX, "%s", f[4]);
		if (found || strtoull(f[0], NULL, 10) != rec->id)
			continue;
		if (!str_eq(f[4], rec->dir) && !(str_eq(f[2], rec->dev) && str_eq(f[3], "/")) &&
		    !is_root_of(rec, f[4]))
			continue;
		snprintf(place, PATH_MAX, "%s", f[4]);
		found = true;
	}
	return found;
}

/* A process in the mount namespace, or 0. */
static pid_t find_process(uint64_t ns)
{
	cleanup_dir DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[300];
		struct stat st;

		if (!isdigit((unsigned char)*e->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/mnt", e->d_name);
		if (stat(path, &st) == 0 && st.st_ino == ns)
			return (pid_t)strtol(e->d_name, NULL, 10);
	}
	return 0;
}

/* 1: it is mounted, in place or in the namespace of *ret_pid; 0: it is not. */
static int look(const char *tag, struct record *rec, char place[PATH_MAX], char below[PATH_MAX],
		pid_t *ret_pid)
{
	char boot[37];

	*ret_pid = 0;
	*place = '\0';
	if (read_record(tag, rec) < 0 || boot_id(boot) < 0 || !str_eq(boot, rec->boot))
		return 0;
	if (rec->ns == own_ns())
		return find_mount(rec, place, below);
	*ret_pid = find_process(rec->ns);
	snprintf(place, PATH_MAX, "%s", rec->dir);
	return *ret_pid != 0;
}

int mounts_check(struct lxmgr_container *c, bool locked, struct lxmgr_err *err)
{
	char place[PATH_MAX];
	struct record rec;
	pid_t pid;

	if (look(c->tag, &rec, place, NULL, &pid) == 0) {
		if (locked)
			forget(c->tag);
		return 0;
	}
	if (pid)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is mounted on '%.300s', in the mount namespace "
				  "of process %d (lxmgr-umount there)",
				  c->name, place, pid);
	return err_status(err, STATUS_WRONG_STATE, -EBUSY,
			  "container '%s' is mounted on '%.300s' (lxmgr-umount %s)", c->name, place,
			  c->name);
}

/* Lock it, stopped. */
static int begin(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int lock = -EBADF;
	struct state state;
	int r;

	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	r = teardown_stale(c, -1, &state, err);
	if (r > 0)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is running; stop it first, or reach its files by "
				  "lxmgr-push and lxmgr-pull",
				  c->name);
	return r < 0 ? r : take_fd(&lock);
}

struct clone_work {
	int sock;
	bool read_only;
};

static void tell(const struct lxmgr_err *err, void *data)
{
	const struct clone_work *w = data;

	msg_send(w->sock, err, sizeof(*err), NULL, 0);
}

/* Namespaces here: a mount namespace of its own. */
static void clone_root(struct rootfs *f, int root, int fds, void *data)
{
	struct clone_work *w = data;
	struct lxmgr_err err = { 0 };
	cleanup_fd int mnt = mount_clone(root, "", false, &err);
	uint64_t set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	int r = mnt;

	(void)f;
	(void)fds;
	/* Private: what is mounted inside it is for nobody else. */
	if (r >= 0)
		r = mount_set(mnt, set | (w->read_only ? MOUNT_ATTR_RDONLY : 0), 0, MS_PRIVATE_FLAG,
			      false, -1, &err);
	msg_send(w->sock, &err, sizeof(err), &mnt, r >= 0);
}

/* The root as a detached mount. */
static int get_root(struct lxmgr_container *c, bool read_only, struct lxmgr_err *err)
{
	struct rootfs f = ROOTFS_INIT;
	cleanup_fd int mine = -EBADF, its = -EBADF;
	struct clone_work w;
	struct rootfs_work work = { .run = clone_root, .fail = tell, .data = &w };
	int pair[2], fds[1] = { -1 }, r = msg_pair(pair), pid;
	struct lxmgr_err why = { 0 };
	size_t n = 1;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = work.close_fd = pair[0];
	its = pair[1];
	f.c = c;
	w = (struct clone_work){ .sock = its, .read_only = read_only };
	pid = rootfs_spawn(&f, &work, err);
	if (pid < 0)
		return pid;
	fd_close(&its);
	r = (int)msg_recv(mine, &why, sizeof(why), fds, &n);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r == sizeof(why) && n == 1)
		return fds[0];
	why.text[sizeof(why.text) - 1] = '\0';
	if (r != sizeof(why) || why.code >= 0)
		return err_msg(err, -EIO, "mounting the root failed");
	if (err)
		*err = why;
	return why.code;
}

/* Open the place, made below RUNDIR if dir is NULL. */
static int open_place(const struct lxmgr_container *c, const char *dir, char ret[PATH_MAX],
		      struct lxmgr_err *err)
{
	char own[PATH_MAX];
	int fd, r;

	if (!dir) {
		snprintf(own, sizeof(own), PLACES "/%s", c->tag);
		r = mkdir_p(own, 0700);
		if (r < 0)
			return err_set(err, r, "make '%s'", own);
		dir = own;
	}
	if (!realpath(dir, ret))
		return err_set(err, -errno, "open '%s'", dir);
	if (strchr(ret, '\n') || str_eq(ret, "/"))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' cannot be mounted on", dir);
	fd = open(ret, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open '%s'", dir) : fd;
}

static int fill_record(const struct lxmgr_container *c, int mnt, struct record *rec,
		       struct lxmgr_err *err)
{
	struct statx st;

	if (statx(mnt, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_INO, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID) || boot_id(rec->boot) < 0)
		return err_set(err, -errno, "look at the mount");
	snprintf(rec->name, sizeof(rec->name), "%s", c->name);
	snprintf(rec->path, sizeof(rec->path), "%s", c->path);
	snprintf(rec->dev, sizeof(rec->dev), "%u:%u", st.stx_dev_major, st.stx_dev_minor);
	rec->ns = own_ns();
	rec->id = st.stx_mnt_id;
	rec->ino = st.stx_ino;
	return 0;
}

static int mount_root(struct lxmgr_container *c, const char *dir, bool read_only, char **ret,
		      struct lxmgr_err *err)
{
	cleanup_fd int lock = begin(c, err), target = -EBADF, mnt = -EBADF;
	struct record rec = { .read_only = read_only };
	int r = lock;

	if (r >= 0)
		r = mounts_check(c, true, err);
	if (r >= 0)
		r = container_load_config(c, err);
	if (r >= 0)
		r = rootfs_recover(c, err);
	if (r >= 0)
		r = mnt = get_root(c, read_only, err);
	if (r >= 0)
		r = target = open_place(c, dir, rec.dir, err);
	if (r >= 0)
		r = fill_record(c, mnt, &rec, err);
	if (r >= 0) {
		r = write_record(c->tag, &rec);
		if (r < 0)
			err_set(err, r, "record the mount");
	}
	if (r >= 0)
		r = mount_attach(mnt, target, rec.dir, err);
	if (r >= 0) {
		/* Where the place is shared, as on hosts with systemd, it has become so as well. */
		r = mount_set(mnt, 0, 0, MS_PRIVATE_FLAG, false, -1, err);
		if (r < 0)
			sys_umount2(rec.dir, NO_FOLLOW | DETACH);
	}
	if (r >= 0 && ret && !(*ret = strdup(rec.dir)))
		r = err_set(err, -ENOMEM, "mount '%s'", c->name);
	if (r < 0 && lock >= 0 && target >= 0)
		forget(c->tag);
	return r < 0 ? r : 0;
}

int lxmgr_container_mount(struct lxmgr_container *c, const char *dir, bool read_only, char **ret,
			  struct lxmgr_err *err)
{
	return audit(c, "mount", dir, mount_root(c, dir, read_only, ret, err), err);
}

/* umount() takes what lies on top, which may be somebody else's. */
static int unmount(const struct record *rec, const char *place, int flags, struct lxmgr_err *err)
{
	cleanup_fd int fd = open(place, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;
	int r;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_set(err, -errno, "open '%.200s'", place);
	if (st.stx_mnt_id != rec->id)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "something else is mounted on '%.300s' now; unmount that first",
				  place);
	fd_close(&fd);
	r = sys_umount2(place, NO_FOLLOW | flags);
	return r < 0 ? err_set(err, r, "unmount '%.200s'", place) : 0;
}

static int umount_root(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_fd int lock = begin(c, err);
	char place[PATH_MAX], below[PATH_MAX] = "";
	struct record rec;
	pid_t pid;
	int r;

	if (lock < 0)
		return lock;
	if (look(c->tag, &rec, place, below, &pid) == 0) {
		forget(c->tag);
		return err_status(err, STATUS_WRONG_STATE, -EINVAL, "container '%s' is not mounted",
				  c->name);
	}
	if (pid)
		return mounts_check(c, true, err);
	r = unmount(&rec, place, 0, err);
	if (r == -EBUSY && *below)
		err_hint(err, "'%.100s' is mounted in it", below);
	else if (r == -EBUSY && err && err->status != STATUS_WRONG_STATE)
		err_hint(err, "fuser -vm tells who uses it");
	if (r < 0)
		return r;
	forget(c->tag);
	return 0;
}

int lxmgr_container_umount(struct lxmgr_container *c, struct lxmgr_err *err)
{
	return audit(c, "umount", NULL, umount_root(c, err), err);
}

int mounts_drop(struct lxmgr_container *c, struct lxmgr_err *err)
{
	char place[PATH_MAX];
	struct record rec;
	pid_t pid;
	int r = 0;

	if (look(c->tag, &rec, place, NULL, &pid) == 1) {
		log_notice("%s: letting go of its mount on %s", c->name, place);
		/* Another namespace's lasts as long as that: on files without names. */
		r = pid ? 0 : unmount(&rec, place, DETACH, err);
		if (r < 0)
			return r;
	}
	forget(c->tag);
	return 0;
}

int lxmgr_mounts(const char *path, int (*fn)(const struct lxmgr_mount *m, void *arg), void *arg,
		 struct lxmgr_err *err)
{
	cleanup_dir DIR *d = opendir(RECORDS);
	char real[PATH_MAX], place[PATH_MAX];
	struct dirent *e;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_set(err, -errno, "open '%s'", RECORDS);
	if (path && !realpath(path, real))
		return errno == ENOENT ? 0 : err_set(err, -errno, "open '%s'", path);
	while (r == 0 && (e = readdir(d))) {
		struct lxmgr_mount m;
		struct record rec;
		pid_t pid;

		if (*e->d_name == '.' || look(e->d_name, &rec, place, NULL, &pid) == 0 ||
		    (path && !str_eq(rec.path, real)))
			continue;
		m = (struct lxmgr_mount){ rec.name, rec.path, place, rec.read_only, pid };
		r = fn(&m, arg);
	}
	return r < 0 ? r : 0;
}
