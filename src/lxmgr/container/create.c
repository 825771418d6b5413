/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The create verb: everything is checked first, built under a temporary name, then renamed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/autostart.h"
#include "container/container.h"
#include "container/features.h"
#include "container/idalloc.h"
#include "container/label.h"
#include "container/mcsalloc.h"
#include "container/personalize.h"
#include "container/units.h"
#include "image/cache.h"
#include "image/image.h"
#include "image/store.h"
#include "image/users.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"

#define CONFIG_LIMIT (1 << 20)

struct create {
	const char *name;
	char path[PATH_MAX]; /* the directory of containers */
	char id[PATH_MAX + 80];
	char tmp[96];
	int path_fd, dir_fd, lock;
	const struct lxmgr_create_opts *o;
	struct config config; /* of the new container, checked */
	bool has_config, has_ids, has_address, has_level;
	uint32_t ids; /* first of its block */
	char *text;   /* its config file */
	struct image image;
};

static int open_path(struct create *c, const char *path, struct lxmgr_err *err)
{
	int r = mkdir_p(path, 0711);
	struct stat st;

	if (r < 0)
		return err_set(err, r, "make '%s'", path);
	if (!realpath(path, c->path))
		return err_set(err, -errno, "resolve '%s'", path);
	c->path_fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->path_fd < 0 || fstat(c->path_fd, &st) < 0)
		return err_set(err, -errno, "open '%s'", c->path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "'%s' must belong to root and be writable by nobody else",
				  c->path);
	return 0;
}

static int set_line(struct create *c, const char *key, const char *value, struct lxmgr_err *err)
{
	char *text;
	int r = config_edit(c->text, key, value, &text, err);

	if (r < 0)
		return r;
	free(c->text);
	c->text = text;
	return 0;
}

static int add_define(struct create *c, const char *define, struct lxmgr_err *err)
{
	const char *eq = strchr(define, '=');
	cleanup_free char *copy = strdup(define);
	char *key, *value;
	int r;

	if (!copy || !eq)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is not KEY=VALUE", define);
	copy[eq - define] = '\0';
	key = str_strip(copy);
	value = str_strip(copy + (eq - define) + 1);
	r = config_set(&c->config, key, value, err);
	if (r < 0)
		return err_prefix(err, "-s: key '%.80s'", key), r;
	return set_line(c, key, value, err);
}

/* What default.conf limits and nothing can limit here, as inside a container on a host with cgroup
 * v1: with such a line no start would succeed. */
static int drop_limits(struct create *c, struct lxmgr_err *err)
{
	static const struct {
		const char *key;
		size_t offset;
	} limits[] = {
		{ "lxmgr.limit.memory", offsetof(struct cgroup_spec, memory) },
		{ "lxmgr.limit.swap", offsetof(struct cgroup_spec, swap) },
		{ "lxmgr.limit.cpus", offsetof(struct cgroup_spec, cpus_milli) },
		{ "lxmgr.limit.cpu.weight", offsetof(struct cgroup_spec, cpu_weight) },
		{ "lxmgr.limit.pids", offsetof(struct cgroup_spec, pids) },
	};
	cleanup_strbuf struct strbuf dropped = { 0 };
	struct config plain;
	int r = 0;

	config_init(&plain);
	for (size_t i = 0; i < ARRAY_SIZE(limits) && r == 0; i++) {
		struct cgroup_spec one = plain.cgroup;
		uint64_t *to = (uint64_t *)((char *)&one + limits[i].offset);

		*to = *(const uint64_t *)((const char *)&c->config.cgroup + limits[i].offset);
		if (*to == LIMIT_UNSET || cgroup_check(&one, NULL) == 0)
			continue;
		strbuf_addf(&dropped, "%s%s", dropped.len ? ", " : "", limits[i].key);
		r = set_line(c, limits[i].key, NULL, err);
	}
	config_free(&plain);
	if (r == 0 && dropped.len && c->o->ret_notice)
		*c->o->ret_notice =
			str_printf("nothing can limit containers here: left away %s of %s",
				   dropped.s, SYSCONFDIR "/default.conf");
	return r;
}

/* The text of the config file: default.conf or -f, and what the options say. */
static int make_config(struct create *c, struct lxmgr_err *err)
{
	const char *base = c->o->config ? c->o->config : SYSCONFDIR "/default.conf";
	const char *display = base;
	int r = read_file_at(AT_FDCWD, base, CONFIG_LIMIT, &c->text, NULL);

	if (r == -ENOENT && !c->o->config && (c->text = strdup("")))
		r = 0;
	if (r < 0)
		return err_set(err, r, "read '%s'", base);
	/* The file as it is first, so that an error names its own line. */
	config_init(&c->config);
	c->has_config = true;
	r = config_read_text(&c->config, c->text, strlen(c->text), display, err);
	if (r == 0 && !c->o->config)
		r = drop_limits(c, err);
	if (r == 0 && c->o->template_name && !str_eq(c->o->template_name, "none"))
		r = set_line(c, "lxmgr.template", c->o->template_name, err);
	if (r == 0 && c->o->privileged) {
		r = set_line(c, "lxmgr.idmap", NULL, err);
		if (r == 0)
			r = set_line(c, "lxmgr.idmap", "none", err);
	}
	if (r == 0 && c->o->hostname)
		r = set_line(c, "lxmgr.uts.name", c->o->hostname, err);
	if (r == 0 && c->o->dir) {
		cleanup_free char *dir = str_printf("dir:%s", c->o->dir);

		r = dir ? set_line(c, "lxmgr.rootfs.path", dir, err) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && c->o->defines && c->o->defines[i]; i++)
		r = add_define(c, c->o->defines[i], err);
	if (r < 0)
		return r;
	config_free(&c->config);
	config_init(&c->config);
	r = config_read_text(&c->config, c->text, strlen(c->text), "new config", err);
	return r < 0 ? r : config_check(&c->config, c->name, err);
}

/* What the container of an unfinished directory ".NAME.new-PID" had reserved, unless there is one
 * of that name. If that one's create reserves just now, its first start reserves again. */
static void release_stale(const struct create *c, const char *entry)
{
	const char *end = strstr(entry, ".new-");
	char name[64], id[sizeof(c->id)];
	struct lxmgr_err why = { 0 };

	if (!end)
		end = strstr(entry, ".dead-");
	if ((size_t)(end - entry) > sizeof(name))
		return;
	snprintf(name, (size_t)(end - entry), "%s", entry + 1);
	if (!name_is_valid(name) || faccessat(c->path_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	snprintf(id, sizeof(id), "%s/%s", c->path, name);
	if (ipam_release(id, &why) < 0 || idalloc_release(id, &why) < 0 ||
	    mcs_release(id, &why) < 0)
		log_warn("%s, ignoring", why.text);
}

/* ".NAME.new-PID", ".NAME.dead-PID" whose maker is gone. A directory that was just made, and is not
 * locked yet, has a maker. */
static bool is_stale(const char *entry)
{
	const char *pid = strrchr(entry, '-');
	uint32_t n;

	return *entry == '.' && pid && (strstr(entry, ".new-") || strstr(entry, ".dead-")) &&
	       parse_u32(pid + 1, &n) == 0 && kill((pid_t)n, 0) < 0 && errno == ESRCH;
}

/* Left by a create or destroy that was killed: nobody holds its lock. */
static void clean_stale(const struct create *c)
{
	int fd = dup(c->path_fd);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		cleanup_fd int dir = -EBADF, lock = -EBADF;

		if (!is_stale(e->d_name))
			continue;
		dir = openat(c->path_fd, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		lock = dir < 0 ? -EBADF : lock_at(dir, "lock", true, 0, NULL);
		if (lock < 0)
			continue;
		log_info("removing the unfinished '%s'", e->d_name);
		release_stale(c, e->d_name);
		if (remove_tree_at(c->path_fd, e->d_name) < 0)
			log_warn("cannot remove '%s', ignoring", e->d_name);
	}
}

static int make_dir(struct create *c, struct lxmgr_err *err)
{
	struct stat st;

	if (fstatat(c->path_fd, c->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_status(err, STATUS_WRONG_STATE, -EEXIST,
				  "container '%s' exists already in %s", c->name, c->path);
	clean_stale(c);
	snprintf(c->tmp, sizeof(c->tmp), ".%s.new-%d", c->name, getpid());
	if (mkdirat(c->path_fd, c->tmp, 0700) < 0)
		return err_set(err, -errno, "make '%s/%s'", c->path, c->name);
	c->dir_fd = openat(c->path_fd, c->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0)
		return err_set(err, -errno, "open '%s/%s'", c->path, c->name);
	c->lock = lock_at(c->dir_fd, "lock", true, 0, NULL);
	if (c->lock < 0)
		return err_set(err, c->lock, "lock the new container");
	/* Known from now on to whoever looks for the users of an image. */
	return image_tree_add(c->path, err);
}

/* --password and --ssh-key belong to the container, not to the image: they are taken out of the
 * template's arguments, where LXC's users put them. */
static int split_args(const struct lxmgr_create_opts *o, struct strlist *ret, const char **password,
		      const char **ssh_key)
{
	const char *v;

	for (size_t i = 0; o->template_args && o->template_args[i]; i++) {
		const char *a = o->template_args[i];
		const char **to = NULL;

		if ((v = str_after(a, "--password=")))
			*password = v;
		else if ((v = str_after(a, "--ssh-key=")) || (v = str_after(a, "--auth-key=")))
			*ssh_key = v;
		else if (str_eq(a, "--password"))
			to = password;
		else if (str_eq(a, "--ssh-key") || str_eq(a, "--auth-key") || str_eq(a, "-S"))
			to = ssh_key;
		else if (strlist_add(ret, a) < 0)
			return -ENOMEM;
		if (to && o->template_args[i + 1])
			*to = o->template_args[++i];
	}
	return 0;
}

static int open_image(struct create *c, struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err);
	char digest[IMAGE_DIGEST_LEN + 1];
	int r = cache < 0 ? cache : image_resolve(cache, c->o->image, digest, err);

	return r < 0 ? r : image_open(digest, &c->image, err);
}

static int get_image(struct create *c, const struct strlist *args, struct lxmgr_err *err)
{
	struct template_run t = {
		.name = c->o->template_name,
		.args = (const char *const *)args->v,
		.container = c->name,
		.flush_cache = c->o->flush_cache,
		.quiet = c->o->quiet,
		.timeout_ms = c->o->timeout_ms,
		.progress = c->o->progress,
		.progress_arg = c->o->progress_arg,
	};

	if (c->o->image)
		return open_image(c, err);
	if (!t.name || str_eq(t.name, "none"))
		return 0;
	return image_from_template(&t, &c->image, err);
}

/* What a template may say about its containers: it is as hostile as its root. */
static int add_image_config(struct create *c, struct lxmgr_err *err)
{
	/* The environment is of what runs inside alone: hooks run on the host. */
	static const char *const allowed[] = { "lxmgr.signal.halt",
					       "lxmgr.signal.reboot",
					       "lxmgr.init.cmd",
					       "lxmgr.arch",
					       "lxmgr.execute.cmd",
					       "lxmgr.init.cwd",
					       "lxmgr.environment.runtime",
					       "lxmgr.init.uid",
					       "lxmgr.init.gid" };
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int dir = -EBADF, fd = -EBADF;
	int r = 0;

	if (c->image.root_fd < 0)
		return 0;
	dir = openat(c->image.root_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open_in(dir, "config", OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || read_all(fd, 65536, &text, NULL) < 0 || strlist_split(&lines, text, "\n") < 0)
		return err_msg(err, -EINVAL, "the template's 'config' is no plain, small file");
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		char *line = str_strip(lines.v[i]), *eq = strchr(line, '=');
		size_t k = 0;

		if (!*line || *line == '#')
			continue;
		if (!eq)
			return err_msg(err, -EINVAL, "the template's 'config' has the line '%.80s'",
				       line);
		*eq = '\0';
		while (k < ARRAY_SIZE(allowed) && !str_eq(allowed[k], str_strip(line)))
			k++;
		if (k == ARRAY_SIZE(allowed))
			return err_status(err, STATUS_REFUSED, -EPERM,
					  "a template may not set '%.80s'", str_strip(line));
		r = config_set(&c->config, allowed[k], str_strip(eq + 1), err);
		if (r == 0)
			r = set_line(c, allowed[k], str_strip(eq + 1), err);
	}
	return r;
}

static int make_root(struct create *c, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &c->config.storage;
	bool map = c->config.idmap_policy == IDMAP_AUTO || spec->idmap_container;
	struct storage st;
	int r;

	/* The config brings its own root. */
	if (spec->path && *spec->path) {
		if (c->image.root_fd >= 0)
			return err_msg(err, -EINVAL,
				       "a template (-t) and a root of the config's "
				       "own (lxmgr.rootfs.path) exclude each other");
		return 0;
	}
	if (c->image.root_fd < 0 && (!c->o->backend || str_eq(c->o->backend, "best")))
		r = storage_create(&st, "dir", c->dir_fd, NULL, -1, map, err);
	else
		r = storage_create(&st, c->o->backend, c->dir_fd, c->image.digest, c->image.root_fd,
				   map, err);
	if (r == 0)
		storage_close(&st);
	return r;
}

/* The categories, and for a root that keeps labels these too: here it is waited for anyway. */
static int label(struct create *c, struct lxmgr_err *err)
{
	struct label_progress p = { c->o->progress, c->o->progress_arg };
	char level[MCS_LEVEL_SIZE];
	struct label l;
	int r;

	if (!label_is_ours(&c->config))
		return 0;
	c->has_level = true;
	r = mcs_acquire(c->id, level, err);
	if (r == 0)
		r = label_make(&c->config, level, &l, err);
	return r < 0 ? r : label_root(&c->config, c->dir_fd, l.file, &p, err);
}

static int reserve(struct create *c, struct lxmgr_err *err)
{
	struct bridge_conf bridge;
	struct ipam_lease lease;
	uint32_t count;
	int r = 0;

	if (c->config.idmap_policy == IDMAP_AUTO) {
		/* Before: it may fail with the entry written, at the fsync. */
		c->has_ids = true;
		r = features_acquire_ids(&c->config, c->id, &c->ids, &count, err);
	}
	for (size_t i = 0; r == 0 && i < c->config.n_nets; i++) {
		if (!c->config.nets[i].managed)
			continue;
		c->has_address = true;
		r = bridge_conf_get(&bridge, err);
		if (r == 0)
			r = ipam_acquire(&bridge, c->id, c->config.nets[i].index, &lease, err);
	}
	return r;
}

/* The ids on disk are mapped at start. Where the kernel does not do that, they are changed now. */
static int shift_root(struct create *c, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &c->config.storage;
	struct storage st;
	int r;

	if (c->config.idmap_policy != IDMAP_AUTO || (spec->path && *spec->path) ||
	    storage_can_map(c->dir_fd, NULL) == 0)
		return 0;
	r = storage_open(&st, c->dir_fd, spec, err);
	if (r < 0)
		return r;
	r = storage_shift(&st, c->ids, err);
	storage_close(&st);
	return r;
}

static int publish(struct create *c, struct lxmgr_err *err)
{
	int r = write_file_replace(c->dir_fd, "config", c->text, strlen(c->text), 0600);

	if (r < 0)
		return err_set(err, r, "write the config of '%s'", c->name);
	/* All that is below reaches the disk before the name does. */
	if (syncfs(c->dir_fd) < 0)
		return err_set(err, -errno, "write '%s' to disk", c->name);
	if (renameat2(c->path_fd, c->tmp, c->path_fd, c->name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST
			       ? err_status(err, STATUS_WRONG_STATE, -EEXIST,
					    "container '%s' exists already in %s", c->name, c->path)
			       : err_set(err, -errno, "put '%s' in place", c->name);
	if (fsync(c->path_fd) < 0)
		return err_set(err, -errno, "write '%s' to disk", c->path);
	return 0;
}

static int build(struct create *c, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist args = { 0 };
	struct personalize p = { .password = c->o->password, .ssh_key_file = c->o->ssh_key_file };
	char tmp[sizeof(c->path) + sizeof(c->tmp) + 2];
	int r;

	if (split_args(c->o, &args, &p.password, &p.ssh_key_file) < 0)
		return err_set(err, -ENOMEM, "template arguments");
	r = personalize_check(&p, err);
	if (r == 0)
		r = make_config(c, err);
	if (r == 0)
		r = auto_check_after(c->path, c->name, &c->config, err);
	if (r == 0)
		r = make_dir(c, err);
	if (r == 0)
		r = get_image(c, &args, err);
	if (r == 0)
		r = add_image_config(c, err);
	if (r == 0)
		r = make_root(c, err);
	if (r == 0)
		r = reserve(c, err);
	snprintf(tmp, sizeof(tmp), "%s/%s", c->path, c->tmp);
	p.hostname = c->config.uts_name ? c->config.uts_name : c->name;
	if (r == 0 && c->image.root_fd >= 0)
		r = personalize_root(c->dir_fd, tmp, &c->config.storage, &p, err);
	if (r == 0)
		r = shift_root(c, err);
	if (r == 0)
		r = label(c, err);
	return r < 0 ? r : publish(c, err);
}

static void give_up(struct create *c)
{
	struct lxmgr_err why = { 0 };

	if (c->has_ids && idalloc_release(c->id, &why) < 0)
		log_warn("%s, ignoring", why.text);
	if (c->has_address && ipam_release(c->id, &why) < 0)
		log_warn("%s, ignoring", why.text);
	if (c->has_level && mcs_release(c->id, &why) < 0)
		log_warn("%s, ignoring", why.text);
	if (*c->tmp && remove_tree_at(c->path_fd, c->tmp) < 0)
		log_warn("cannot remove the unfinished container, ignoring");
	/* The only one of its directory, perhaps. */
	if (c->path_fd >= 0 && image_tree_forget(c->path, false, NULL) < 0)
		log_info("'%s' stays in the list of directories, ignoring", c->path);
}

int lxmgr_template_help(const char *template_name, char **ret, struct lxmgr_err *err)
{
	return image_template_help(template_name, ret, err);
}

int lxmgr_container_create(const char *path, const char *name, const struct lxmgr_create_opts *opts,
			   struct lxmgr_err *err)
{
	struct create c = { .name = name,
			    .path_fd = -EBADF,
			    .dir_fd = -EBADF,
			    .lock = -EBADF,
			    .o = opts,
			    .image = { .root_fd = -EBADF, .lock_fd = -EBADF } };
	int r;

	if (!name || !name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is no container name: 1 to 63 of A-Z a-z 0-9 _ . -, "
				  "a letter or digit first",
				  name ? name : "");
	r = open_path(&c, path ? path : STATEDIR, err);
	if (r == 0) {
		snprintf(c.id, sizeof(c.id), "%s/%s", c.path, name);
		r = build(&c, err);
		if (r < 0)
			give_up(&c);
		else
			r = units_sync(c.path, name, &c.config, err) < 0 ? err->code : 0;
	}
	image_close(&c.image);
	if (c.has_config)
		config_free(&c.config);
	free(c.text);
	fd_close(&c.lock);
	fd_close(&c.dir_fd);
	fd_close(&c.path_fd);
	return r;
}
