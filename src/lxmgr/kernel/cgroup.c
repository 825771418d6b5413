/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What both cgroup drivers share: choice, dispatch, device rules, and work on the v2 tree. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/cgroup_tree.h"
#include "kernel/ns.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define REMOVE_TIMEOUT_MS 10000

static const struct cgroup_ops *const drivers[] = { &cgroup_v2, &cgroup_hybrid };

static const struct cgroup_ops *found;

static void choose(void)
{
	for (size_t i = 0; !found && i < ARRAY_SIZE(drivers); i++)
		if (drivers[i]->is_present())
			found = drivers[i];
}

const struct cgroup_ops *cgroup_driver(struct lxmgr_err *err)
{
	/* Callers may be threads (tools/each.h). */
	static pthread_once_t chosen = PTHREAD_ONCE_INIT;

	pthread_once(&chosen, choose);
	if (!found)
		err_msg(err, -ENODEV,
			"no usable cgroups: cgroup2 is mounted neither at /sys/fs/cgroup nor at "
			"/sys/fs/cgroup/unified");
	return found;
}

int cgroup_monitor_dir(struct lxmgr_err *err)
{
	const struct cgroup_ops *ops = cgroup_driver(err);

	if (!ops)
		return -ENODEV;
	return ops->monitor_dir ? ops->monitor_dir(err)
				: err_set(err, -EOPNOTSUPP, "a cgroup for monitors");
}

int cgroup_step_aside(char *ret_base, size_t size, struct lxmgr_err *err)
{
	const struct cgroup_ops *ops = cgroup_driver(err);

	if (!ops)
		return -ENODEV;
	return ops->step_aside ? ops->step_aside(ret_base, size, err)
			       : err_set(err, -EOPNOTSUPP, "a delegated cgroup");
}

void cgroup_init(struct cgroup *cg)
{
	memset(cg, 0, sizeof(*cg));
	cg->into_fd = -EBADF;
	for (int i = 0; i < CGROUP_MAX_FDS; i++)
		cg->fd[i] = cg->join_fd[i] = -EBADF;
}

/* Room is left in struct cgroup for what drivers append. */
#define CGROUP_PATH_LIMIT 200

int cgroup_check_path(const char *path, struct lxmgr_err *err)
{
	bool bad = !*path || *path == '/' || strlen(path) > CGROUP_PATH_LIMIT;

	/* "a..b" is a name like any other. */
	for (const char *p = path; p && !bad; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		bad = !strncmp(p, "..", 2) && (!p[2] || p[2] == '/');
	return bad ? err_msg(err, -EINVAL,
			     "'%s' is no path of a cgroup, or longer than %d characters", path,
			     CGROUP_PATH_LIMIT)
		   : 0;
}

int cgroup_create(struct cgroup *cg, const struct cgroup_spec *spec, const char *base,
		  const char *name, struct lxmgr_err *err)
{
	const char *inner = spec->dir_inner ? spec->dir_inner : "ns";
	int r;

	cgroup_init(cg);
	cg->ops = cgroup_driver(err);
	if (!cg->ops)
		return -ENODEV;
	if (spec->dir_container || spec->dir)
		snprintf(cg->path, sizeof(cg->path), "%s",
			 spec->dir_container ? spec->dir_container : spec->dir);
	else if (base)
		snprintf(cg->path, sizeof(cg->path), "%s/payload", base);
	else
		snprintf(cg->path, sizeof(cg->path), "lxmgr/%s", name);
	r = cgroup_check_path(cg->path, err);
	if (r < 0)
		return r;
	if (!name_is_valid(inner))
		return err_msg(err, -EINVAL, "'%s' is no name of a cgroup", inner);
	snprintf(cg->inner, sizeof(cg->inner), "%s", inner);
	r = cg->ops->create(cg, spec, err);
	if (r < 0)
		cgroup_close(cg);
	return r;
}

int cgroup_open_default(struct cgroup *cg, const char *name, struct lxmgr_err *err)
{
	char path[sizeof(cg->path)];

	snprintf(path, sizeof(path), "lxmgr/%s", name);
	return cgroup_open(cg, path, "ns", err);
}

static int open_groups(struct cgroup *cg, const char *path, const char *inner, bool only_counts,
		       struct lxmgr_err *err)
{
	int r;

	cgroup_init(cg);
	cg->only_counts = only_counts;
	cg->ops = cgroup_driver(err);
	if (!cg->ops)
		return -ENODEV;
	r = cgroup_check_path(path, err);
	if (r < 0)
		return r;
	snprintf(cg->path, sizeof(cg->path), "%s", path);
	snprintf(cg->inner, sizeof(cg->inner), "%s", inner);
	r = cg->ops->open(cg, err);
	if (r < 0)
		cgroup_close(cg);
	return r;
}

int cgroup_open(struct cgroup *cg, const char *path, const char *inner, struct lxmgr_err *err)
{
	return open_groups(cg, path, inner, false, err);
}

int cgroup_open_counters(struct cgroup *cg, const char *path, const char *inner,
			 struct lxmgr_err *err)
{
	return open_groups(cg, path, inner, true, err);
}

void cgroup_close(struct cgroup *cg)
{
	for (int i = 0; i < CGROUP_MAX_FDS; i++) {
		fd_close(&cg->fd[i]);
		fd_close(&cg->join_fd[i]);
	}
	fd_close(&cg->into_fd);
}

/* Whatever the config denies: lxmgr itself gives a container its terminals. */
static const struct cgroup_device_rule essentials[] = {
	{ true, 'c', 5, 0, true, true, true },
	{ true, 'c', 5, 1, true, true, true },
	{ true, 'c', 5, 2, true, true, true },
	{ true, 'c', 136, -1, true, true, true },
};

/*
 * The spec with the device rules as they act. The config's rules come on top of the defaults,
 * unless one of them is "a", which begins anew: without the defaults below it, a single
 * devices.allow would leave a v1 group with what it inherits, that is, every device of the host.
 */
static int resolve_devices(const struct cgroup_spec *spec, struct cgroup_spec *ret,
			   struct cgroup_device_rule **ret_rules, struct lxmgr_err *err)
{
	size_t n_defaults, n = 0;
	const struct cgroup_device_rule *defaults = cgroup_device_defaults(&n_defaults);
	struct cgroup_device_rule *all;

	all = calloc(n_defaults + spec->n_devices + ARRAY_SIZE(essentials), sizeof(*all));
	if (!all)
		return err_set(err, -ENOMEM, "device rules");
	memcpy(all, defaults, n_defaults * sizeof(*all));
	n = n_defaults;
	for (size_t i = 0; i < spec->n_devices; i++) {
		if (spec->devices[i].type == 'a')
			n = 0;
		all[n++] = spec->devices[i];
	}
	if (spec->n_devices) {
		memcpy(all + n, essentials, sizeof(essentials));
		n += ARRAY_SIZE(essentials);
	}
	*ret = *spec;
	ret->devices = *ret_rules = all;
	ret->n_devices = n;
	return 0;
}

int cgroup_check(const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	const struct cgroup_ops *ops = cgroup_driver(err);
	cleanup_free struct cgroup_device_rule *rules = NULL;
	struct cgroup_spec full;
	int r = ops ? resolve_devices(spec, &full, &rules, err) : -ENODEV;

	if (r < 0)
		return r;
	if (spec->n_devices && ns_is_nested())
		return err_msg(err, -EOPNOTSUPP,
			       "lxmgr.cgroup2.devices.* cannot act in a container: the kernel lets "
			       "only the host's root filter devices");
	r = ops->check(&full, err);
	return r < 0 ? r : cgroup_check_limits(spec, err);
}

int cgroup_apply(struct cgroup *cg, const struct cgroup_spec *spec, struct lxmgr_err *err)
{
	cleanup_free struct cgroup_device_rule *rules = NULL;
	struct cgroup_spec full;
	int r = resolve_devices(spec, &full, &rules, err);

	return r < 0 ? r : cg->ops->apply(cg, &full, err);
}

int cgroup_delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct lxmgr_err *err)
{
	return cg->ops->delegate(cg, uid, gid, err);
}

int cgroup_join(struct cgroup *cg, struct lxmgr_err *err)
{
	return cg->ops->join(cg, err);
}

int cgroup_open_attach(struct cgroup *cg, struct lxmgr_err *err)
{
	return cg->ops->open_attach(cg, err);
}

int cgroup_freeze(struct cgroup *cg, bool freeze, int timeout_ms, struct lxmgr_err *err)
{
	return cg->ops->freeze(cg, freeze, timeout_ms, err);
}

int cgroup_is_frozen(struct cgroup *cg)
{
	return cg->ops->is_frozen(cg);
}

int cgroup_kill(struct cgroup *cg, struct lxmgr_err *err)
{
	return cg->ops->kill(cg, err);
}

int cgroup_remove(struct cgroup *cg, struct lxmgr_err *err)
{
	return cg->ops->remove(cg, err);
}

int cgroup_stats(struct cgroup *cg, struct cgroup_stats *ret, struct lxmgr_err *err)
{
	memset(ret, 0xff, sizeof(*ret)); /* LIMIT_UNSET everywhere */
	return cg->ops->stats(cg, ret, err);
}

void cgroup_counters(struct cgroup *cg, struct cgroup_counter ret[CGROUP_RESOURCES])
{
	uint64_t limits[LIMIT_COUNT];

	memset(ret, 0xff, CGROUP_RESOURCES * sizeof(*ret)); /* LIMIT_UNSET everywhere */
	cg->ops->counters(cg, ret);
	cgroup_get_limits(cg, limits);
	ret[CGROUP_MEMORY].limit = limits[LIMIT_MEMORY];
	ret[CGROUP_SWAP].limit = limits[LIMIT_SWAP];
	ret[CGROUP_CPUS].limit = limits[LIMIT_CPUS];
	ret[CGROUP_PIDS].limit = limits[LIMIT_PIDS];
}

/* A control file's name: no path. */
static int check_file(const char *file, struct lxmgr_err *err)
{
	if (!*file || strchr(file, '/') || *file == '.')
		return err_msg(err, -EINVAL, "'%s' is no cgroup control file", file);
	return 0;
}

int cgroup_get(struct cgroup *cg, const char *file, char **ret, struct lxmgr_err *err)
{
	int r = check_file(file, err);

	return r < 0 ? r : cg->ops->get(cg, file, ret, err);
}

int cgroup_set(struct cgroup *cg, const char *file, const char *value, struct lxmgr_err *err)
{
	bool allow = str_eq(file, "devices.allow");
	struct cgroup_device_rule rule;
	int r = check_file(file, err);

	if (r < 0)
		return r;
	if (!allow && !str_eq(file, "devices.deny"))
		return cg->ops->set(cg, file, value, err);
	/* v2 has no such files, but scripts written for LXC know only them. */
	r = cgroup_device_parse(value, allow, &rule, err);
	return r < 0 ? r : cg->ops->device(cg, &rule, err);
}

int cgroup_device(struct cgroup *cg, const struct cgroup_device_rule *rule, struct lxmgr_err *err)
{
	return cg->ops->device(cg, rule, err);
}

/* The kernel has 12 bits for a major and 20 for a minor number. */
static int parse_number(const char *s, uint64_t max, int64_t *ret)
{
	uint64_t n;

	if (str_eq(s, "*")) {
		*ret = -1;
		return 0;
	}
	if (parse_range(s, 0, max, &n) < 0)
		return -EINVAL;
	*ret = (int64_t)n;
	return 0;
}

int cgroup_device_parse(const char *text, bool allow, struct cgroup_device_rule *ret,
			struct lxmgr_err *err)
{
	struct cgroup_device_rule d = { .allow = allow, .major = -1, .minor = -1 };
	cleanup_strlist struct strlist w = { 0 };
	char *colon;

	if (strlist_split(&w, text, " \t") < 0)
		return err_set(err, -ENOMEM, "device rule");
	/* "a" is everything, also written out as the kernel prints it. */
	if (w.n && str_eq(w.v[0], "a")) {
		if (w.n != 1 && (w.n != 3 || !str_eq(w.v[1], "*:*") || !str_eq(w.v[2], "rwm")))
			goto bad;
		d.type = 'a';
		d.read = d.write = d.mknod = true;
		*ret = d;
		return 0;
	}
	if (w.n != 3 || !strchr("bc", w.v[0][0]) || w.v[0][1] || !(colon = strchr(w.v[1], ':')))
		goto bad;
	d.type = w.v[0][0];
	*colon = '\0';
	if (parse_number(w.v[1], 0xfff, &d.major) < 0 ||
	    parse_number(colon + 1, 0xfffff, &d.minor) < 0)
		goto bad;
	for (const char *p = w.v[2]; *p; p++) {
		if (*p == 'r')
			d.read = true;
		else if (*p == 'w')
			d.write = true;
		else if (*p == 'm')
			d.mknod = true;
		else
			goto bad;
	}
	*ret = d;
	return 0;
bad:
	return err_msg(err, -EINVAL,
		       "'%s' is no device rule: 'a', or 'b|c MAJOR:MINOR rwm' with * for any",
		       text);
}

const struct cgroup_device_rule *cgroup_device_defaults(size_t *ret_n)
{
#define ALLOW(t, maj, min, r, w)                                                             \
	{                                                                                    \
		.allow = true, .type = t, .major = maj, .minor = min, .read = r, .write = w, \
		.mknod = true                                                                \
	}
	static const struct cgroup_device_rule rules[] = {
		{ .allow = false,
		  .type = 'a',
		  .major = -1,
		  .minor = -1,
		  .read = true,
		  .write = true,
		  .mknod = true },
		ALLOW('c', -1, -1, false, false), /* mknod of anything: what counts is open */
		ALLOW('b', -1, -1, false, false),
		ALLOW('c', 1, 3, true, true),	 /* null */
		ALLOW('c', 1, 5, true, true),	 /* zero */
		ALLOW('c', 1, 7, true, true),	 /* full */
		ALLOW('c', 1, 8, true, true),	 /* random */
		ALLOW('c', 1, 9, true, true),	 /* urandom */
		ALLOW('c', 5, 0, true, true),	 /* tty */
		ALLOW('c', 5, 1, true, true),	 /* console */
		ALLOW('c', 5, 2, true, true),	 /* ptmx */
		ALLOW('c', 136, -1, true, true), /* pts */
		ALLOW('c', 10, 229, true, true), /* fuse */
		ALLOW('c', 10, 200, true, true), /* net/tun */
	};
#undef ALLOW
	*ret_n = ARRAY_SIZE(rules);
	return rules;
}

/*
 * What must be emptied first: the first group below dirfd that rmdir refuses, opened; all before
 * it are gone. -ENOENT: dirfd has none left. stuck is the inode of one that was emptied already:
 * if that is refused again (-EBUSY), a process is in it.
 */
static int next_group(int dirfd, ino_t stuck)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		int r = -errno;

		fd_close(&fd);
		return r;
	}
	while ((e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
		    unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -errno;
		if (e->d_ino == stuck)
			return -EBUSY;
		fd = openat(fd, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	return -ENOENT;
}

/* Remove all groups below dirfd, the deepest first. The guest decides how deep they are nested:
 * neither recursion nor a descriptor per level. Nobody renames a group. */
static int remove_children(int dirfd)
{
	cleanup_fd int cur = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	unsigned long depth = 0;
	ino_t emptied = 0;
	struct stat st;

	for (;;) {
		int next = next_group(cur, emptied);

		if (next == -ENOENT && !depth)
			return 0;
		if (next == -ENOENT) {
			if (fstat(cur, &st) < 0)
				return -errno;
			emptied = st.st_ino;
			depth--;
			next = openat(cur, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (next < 0)
				return -errno;
		} else if (next < 0) {
			return next;
		} else {
			emptied = 0;
			depth++;
		}
		fd_close(&cur);
		cur = next;
	}
}

int cgroup_tree_rmdir(int rootfd, const char *path)
{
	cleanup_fd int dir = -EBADF;
	int r;

	if (unlinkat(rootfd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	dir = openat(rootfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	r = remove_children(dir);
	if (r < 0)
		return r;
	return unlinkat(rootfd, path, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_tree_remove(int rootfd, const char *path, struct lxmgr_err *err)
{
	int64_t end = now_ms() + REMOVE_TIMEOUT_MS;
	int r;

	/* A process that is dead stays in its group for a moment. */
	while ((r = cgroup_tree_rmdir(rootfd, path)) == -EBUSY && now_ms() < end)
		poll(NULL, 0, 1);
	return r < 0 ? err_set(err, r, "remove the cgroup '%s'", path) : 0;
}

static bool is_populated(int dirfd, const char *name)
{
	cleanup_fd int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t n;

	/* v1 has no such file: there rmdir tells. */
	return fd >= 0 && cgroup_tree_keyed(fd, "cgroup.events", "populated", &n) == 0 && n;
}

/* Make or enter one component. The last one is the container's own: one that is left over is made
 * again, so that no limit and no device program of another start stays in force. */
static int make_group(int dirfd, const char *name, bool last, struct lxmgr_err *err)
{
	int r = mkdirat(dirfd, name, 0755) < 0 ? -errno : 0;

	if (r == -EEXIST && last) {
		/* Groups below one that is in use are in use as well, also the empty ones. */
		r = is_populated(dirfd, name) ? -EBUSY : cgroup_tree_rmdir(dirfd, name);
		if (r == -EBUSY)
			return err_msg(err, r, "the cgroup '%s' holds processes already", name);
		if (r == 0 && mkdirat(dirfd, name, 0755) < 0)
			r = -errno;
	}
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "make the cgroup '%s'", name);
	r = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return r < 0 ? err_set(err, -errno, "open the cgroup '%s'", name) : r;
}

int cgroup_tree_make(int rootfd, const char *path, int (*prepare)(int dirfd), struct lxmgr_err *err)
{
	cleanup_fd int cur = fcntl(rootfd, F_DUPFD_CLOEXEC, 3);
	char part[256];

	if (cur < 0)
		return err_set(err, -errno, "open a cgroup");
	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");
		int next, r;

		if (n >= sizeof(part))
			return err_set(err, -ENAMETOOLONG, "cgroup '%s'", path);
		memcpy(part, path, n);
		part[n] = '\0';
		path += n;
		next = make_group(cur, part, !path[strspn(path, "/")], err);
		if (next < 0)
			return next;
		/* Also what is there already: another start may have made it just now. */
		r = prepare ? prepare(next) : 0;
		if (r < 0) {
			fd_close(&next);
			/* The container's own; those above it are others', too. */
			if (!path[strspn(path, "/")])
				unlinkat(cur, part, AT_REMOVEDIR);
			return err_set(err, r, "prepare cgroup '%s'", part);
		}
		fd_close(&cur);
		cur = next;
	}
	return take_fd(&cur);
}

/* Wait until key of cgroup.events has the value. */
static int wait_event(int dirfd, const char *key, uint64_t want, int timeout_ms)
{
	cleanup_fd int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end = now_ms() + timeout_ms;
	char buf[256], *p;

	if (fd < 0)
		return -errno;
	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLPRI };
		int64_t left = end - now_ms();
		uint64_t have = 0;
		ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

		if (n < 0)
			return -errno;
		buf[n] = '\0';
		p = strstr(buf, key);
		if (!p)
			return -ENOENT;
		if (sscanf(p + strlen(key), "%" SCNu64, &have) == 1 && have == want)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		poll(&pfd, 1, (int)left);
	}
}

int cgroup_tree_freeze(int dirfd, bool freeze, int timeout_ms, struct lxmgr_err *err)
{
	int r = write_small(dirfd, "cgroup.freeze", freeze ? "1" : "0");

	if (r < 0)
		return err_set(err, r, "write cgroup.freeze");
	r = wait_event(dirfd, "frozen", freeze, timeout_ms);
	if (r == -ETIMEDOUT)
		return err_msg(err, r, "not %s after %d ms: a process cannot be stopped now",
			       freeze ? "frozen" : "thawed", timeout_ms);
	return r < 0 ? err_set(err, r, "wait for the freezer") : 0;
}

int cgroup_tree_is_frozen(int dirfd)
{
	uint64_t v;
	int r = cgroup_tree_keyed(dirfd, "cgroup.events", "frozen", &v);

	return r < 0 ? r : v != 0;
}

/* A group that was removed meanwhile: -ENODEV where its file was open already. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

int cgroup_tree_kill(int dirfd, struct lxmgr_err *err)
{
	int r = write_small(dirfd, "cgroup.kill", "1");

	return r < 0 && !is_gone(r) ? err_set(err, r, "write cgroup.kill") : 0;
}

int cgroup_tree_wait_empty(int dirfd, struct lxmgr_err *err)
{
	int r = wait_event(dirfd, "populated", 0, REMOVE_TIMEOUT_MS);

	if (r == -ETIMEDOUT)
		return err_msg(err, r, "processes in the cgroup do not die");
	return r < 0 && !is_gone(r) ? err_set(err, r, "wait for the cgroup") : 0;
}

/* A group costs memory of the host that nothing else limits: mkdir in a loop is a memory hog. */
#define MAX_GROUPS "10000"

int cgroup_tree_make_inner(int dirfd, const char *inner, struct lxmgr_err *err)
{
	int r = write_small(dirfd, "cgroup.max.descendants", MAX_GROUPS);

	if (r < 0)
		return err_set(err, r, "limit the groups below the cgroup");
	if (mkdirat(dirfd, inner, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make the cgroup '%s'", inner);
	r = openat(dirfd, inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r < 0 ? err_set(err, -errno, "open the cgroup '%s'", inner) : r;
}

int cgroup_tree_delegate(int inner, uid_t uid, gid_t gid, struct lxmgr_err *err)
{
	/* What /sys/kernel/cgroup/delegate names, as far as the kernel has it. */
	static const char *const files[] = { "cgroup.procs", "cgroup.threads",
					     "cgroup.subtree_control", "memory.oom.group",
					     "memory.reclaim" };

	if (fchownat(inner, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_set(err, -errno, "hand the cgroup over");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (fchownat(inner, files[i], uid, gid, 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "hand over %s", files[i]);
	return 0;
}

int cgroup_tree_get(int dirfd, const char *file, char **ret, struct lxmgr_err *err)
{
	size_t len;
	int r = read_file_at(dirfd, file, 1 << 20, ret, &len);

	if (r < 0)
		return err_set(err, r, "read the control file '%s'", file);
	if (len && (*ret)[len - 1] == '\n')
		(*ret)[len - 1] = '\0';
	return 0;
}

int cgroup_tree_set(int dirfd, const char *file, const char *value, struct lxmgr_err *err)
{
	int r = write_small(dirfd, file, value);

	return r < 0 ? err_set(err, r, "write '%s' to the control file '%s'", value, file) : 0;
}
