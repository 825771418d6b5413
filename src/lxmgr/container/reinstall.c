/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reinstall verb: a new directory with a fresh root and the same config is built beside the
 * container's and exchanged with it in one rename. Before it the new one is what a killed maker
 * leaves, behind it the old one: both go the way of every unfinished draft.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "container/disk.h"
#include "container/draft.h"
#include "container/features.h"
#include "container/image_config.h"
#include "container/personalize.h"
#include "container/rootrun.h"
#include "container/setup.h"
#include "container/setup_run.h"
#include "container/teardown.h"
#include "container/units.h"
#include "image/image.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/run.h"

#define CONFIG_LIMIT (1 << 20)
#define META_LIMIT   65536
#define OLD_DIR	     "old"

struct reinstall {
	struct lxmgr_container *c;
	const struct lxmgr_reinstall_opts *o;
	struct draft d;
	struct storage old;
	struct image image, old_image;
	struct strlist args;
	const char *template_name;
	int kept; /* a file in memory: what the old root's owner keeps, as JSON */
};

/* What a new directory does not take over. */
static bool is_root_part(const char *name)
{
	static const char *const parts[] = { "config", "storage", "lock" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (str_eq(parts[i], name))
			return true;
	/* The backends' trees: "rootfs", "overlay.2". */
	return *name == '.' || str_has_prefix(name, "rootfs") || str_has_prefix(name, "overlay") ||
	       str_eq(name, "volume.new");
}

/* fn with each name of the container's directory that is no part of the root. */
static int each_other(int dir_fd, int (*fn)(int dir_fd, const char *name, mode_t mode, int to),
		      int to, char ret_name[256])
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d))) {
		if (is_root_part(e->d_name))
			continue;
		snprintf(ret_name, 256, "%s", e->d_name);
		r = fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0
			    ? -errno
			    : fn(dir_fd, e->d_name, st.st_mode, to);
	}
	return r;
}

/* Also one with nothing but names that begin with a dot, as `snapshots` behind the last one. */
static bool is_empty(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			return false;
	return d != NULL;
}

static int judge_other(int dir_fd, const char *name, mode_t mode, int to)
{
	return S_ISREG(mode) || (S_ISDIR(mode) && is_empty(dir_fd, name)) ? 0 : -EISDIR;
}

/* The same file: what is counted in it goes on. */
static int link_other(int dir_fd, const char *name, mode_t mode, int to)
{
	return S_ISREG(mode) && linkat(dir_fd, name, to, name, 0) < 0 ? -errno : 0;
}

static int check_stopped(struct reinstall *r, struct lxmgr_err *err)
{
	struct lxmgr_stop_opts stop = { .nolock = true, .timeout_ms = -1 };
	struct state state;
	int ret = teardown_stale(r->c, -1, &state, err);

	if (ret <= 0)
		return ret;
	if (!r->o->force)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is running; stop it first, or use -f",
				  r->c->name);
	return lxmgr_container_stop(r->c, &stop, err);
}

static bool wants_map(const struct config *cfg)
{
	return cfg->idmap_policy == IDMAP_AUTO || cfg->storage.idmap_container;
}

static const struct storage_ops *new_ops(const struct reinstall *r, int dir_fd,
					 struct lxmgr_err *err)
{
	return storage_choose(r->o->backend ? r->o->backend : r->old.ops->name, dir_fd,
			      wants_map(&r->c->config), err);
}

static int check_limit(const struct reinstall *r, struct lxmgr_err *err)
{
	cleanup_fd int path = openat(r->c->dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct storage_ops *ops;

	if (path < 0)
		return err_set(err, -errno, "open '%s'", r->c->path);
	ops = new_ops(r, path, err);
	return ops ? disk_check(&r->c->config, ops, path, err) : err ? err->code : -EINVAL;
}

/* Refused before anything is made. */
static int check(struct reinstall *r, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &r->c->config.storage;
	char name[256];
	int ret;

	if (spec->path && *spec->path)
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "the root of '%s' is not of lxmgr's making (lxmgr.rootfs.path)",
				  r->c->name);
	ret = storage_open(&r->old, r->c->dir_fd, spec, err);
	if (ret == 0)
		ret = storage_recover(&r->old, err);
	if (ret == 0)
		ret = check_limit(r, err);
	if (ret < 0)
		return ret;
	r->template_name = r->o->template_name ? r->o->template_name : r->c->config.template_name;
	if (!r->template_name || !*r->template_name || str_eq(r->template_name, "none"))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "no template is recorded for '%s'; give one with -t", r->c->name);
	ret = each_other(r->c->dir_fd, judge_other, -1, name);
	if (ret == -EISDIR)
		return err_status(err, STATUS_REFUSED, -EBUSY,
				  "'%s' has '%s', which a new root would leave behind; remove that "
				  "first",
				  r->c->name, name);
	return ret < 0 ? err_set(err, ret, "look into '%s/%s'", r->c->path, r->c->name) : 0;
}

static bool same_template(const struct reinstall *r)
{
	const char *was = r->c->config.template_name;

	return was && str_eq(was, r->template_name);
}

/* The arguments that were given, or of the same template those that its image was made with. */
static int collect_args(struct reinstall *r, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int dir = -EBADF;
	const char *v;

	for (size_t i = 0; r->o->template_args && r->o->template_args[i]; i++)
		if (strlist_add(&r->args, r->o->template_args[i]) < 0)
			return err_set(err, -ENOMEM, "template arguments");
	if (r->args.n || !same_template(r) || r->old_image.root_fd < 0)
		return 0;
	dir = openat(r->old_image.root_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || read_file_at(dir, "meta", META_LIMIT, &text, NULL) < 0)
		return 0;
	if (strlist_split(&lines, text, "\n") < 0)
		return err_set(err, -ENOMEM, "template arguments");
	for (size_t i = 0; i < lines.n; i++)
		if ((v = str_after(lines.v[i], "arg = ")) && strlist_add(&r->args, v) < 0)
			return err_set(err, -ENOMEM, "template arguments");
	return 0;
}

static int get_image(struct reinstall *r, struct lxmgr_err *err)
{
	struct template_run t = {
		.name = r->template_name,
		.container = r->c->name,
		.flush_cache = r->o->flush_cache,
		.quiet = r->o->quiet,
		.timeout_ms = r->o->timeout_ms,
		.progress = r->o->progress,
		.progress_arg = r->o->progress_arg,
	};
	int ret;

	/* The image may be gone: then only what it said of itself is not known any more. */
	if (*r->old.base && image_open(r->old.base, &r->old_image, NULL) < 0)
		log_info("the image of '%s' is gone, ignoring", r->c->name);
	ret = collect_args(r, err);
	if (ret < 0)
		return ret;
	t.args = (const char *const *)r->args.v;
	/* What is made anew is the cache's: this container's lock on the old one would keep it. */
	if (r->o->flush_cache)
		image_close(&r->old_image);
	return image_from_template(&t, &r->image, err);
}

static int make_config(struct reinstall *r, struct lxmgr_err *err)
{
	struct draft *d = &r->d;
	int ret = draft_parse(d, "config", err);

	if (ret == 0)
		ret = image_config_drop(d, r->old_image.root_fd, err);
	if (ret == 0 && !same_template(r)) {
		ret = draft_set(d, "lxmgr.template", NULL, err);
		if (ret == 0)
			ret = draft_set(d, "lxmgr.template", r->template_name, err);
	}
	if (ret == 0)
		ret = draft_parse(d, "new config", err);
	if (ret == 0)
		ret = image_config_add(d, r->image.root_fd, err);
	return ret < 0 ? ret : draft_parse(d, "new config", err);
}

static int make_root(struct reinstall *r, struct lxmgr_err *err)
{
	const struct storage_ops *ops = new_ops(r, r->d.dir_fd, err);
	struct storage_limit limit;
	struct storage_make make = { 0 };
	struct storage st;
	int ret;

	if (!ops)
		return err ? err->code : -EINVAL;
	if (ops == r->old.ops)
		storage_make_like(&r->old, &make);
	make.name = r->c->name;
	make.limit = &limit;
	ret = disk_lift(r->c, &r->old, ops, &limit, err);
	/* What the config asks for by now counts, not the size that there was. */
	if (limit.bytes)
		make.size = 0;
	if (ret == 0)
		ret = storage_create_as(&st, &make, ops->name, r->d.dir_fd, r->image.digest,
					r->image.root_fd, wants_map(&r->d.config), err);
	if (ret == 0)
		storage_close(&st);
	return ret;
}

static int personalize(struct reinstall *r, struct lxmgr_err *err)
{
	const struct config *cfg = &r->d.config;
	const struct personalize p = { .hostname = cfg->uts_name ? cfg->uts_name : r->c->name };
	cleanup_strbuf struct strbuf ask = { 0 }, tell = { 0 };
	cleanup_fd int done = sys_memfd_create("done", 0);
	char old_path[PATH_MAX + 80], new_path[DRAFT_PATH_SIZE];
	cleanup_free char *kept = NULL;
	int ret;

	snprintf(old_path, sizeof(old_path), "%s/%s", r->c->path, r->c->name);
	draft_path(&r->d, new_path);
	if (done < 0 || lua_request_add(&ask, "collect", "1") < 0)
		return err_set(err, -ENOMEM, "keep what is the owner's");
	ret = setup_run_stopped(r->c->dir_fd, old_path, &r->c->config, SETUP_KEEP, &ask, r->kept,
				err);
	if (ret == 0)
		ret = setup_answer(r->kept, &kept, err);
	if (ret == 0 && lua_request_add(&tell, "kept", kept) < 0)
		ret = err_set(err, -ENOMEM, "keep what is the owner's");
	if (ret == 0)
		ret = personalize_root(r->d.dir_fd, new_path, &cfg->storage, &p, err);
	return ret < 0 ? ret
		       : setup_run_stopped(r->d.dir_fd, new_path, cfg, SETUP_KEEP, &tell, done,
					   err);
}

/* The new root's descriptor and the old one's, in one mount namespace. */
struct both {
	struct reinstall *r;
	char old_path[PATH_MAX + 80];
};

/* What it copies is the guest's work: cp follows no link, and writes where nobody else can. */
static int copy_tree(int from_fd, int to_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE + 4], to[FD_PATH_SIZE + 4], text[64];
	const char *argv[] = { "cp", "-a", "--reflink=auto", "-x", "-T", "--", from, to, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int ret;

	snprintf(from, sizeof(from), "/proc/%d/fd/%d/.", getpid(), from_fd);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), to_fd);
	o.capture = 4096;
	ret = run_program(argv, &o, &out);
	if (ret < 0)
		return err_set(err, ret, "run cp");
	return ret == 0 ? 0
			: err_msg(err, -EIO, "keep the old root: cp ended with %s%s%s",
				  run_status_text(ret, text, sizeof(text)), out && *out ? ": " : "",
				  out ? str_strip(out) : "");
}

/* Namespaces here: a mount namespace of its own. */
static int copy_old(int new_root, const struct storage *new, void *data, struct lxmgr_err *err)
{
	struct both *b = data;
	cleanup_fd int ct = open(b->old_path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int old_root = -EBADF, to = -EBADF;
	struct storage st;
	int ret;

	ret = ct < 0 ? err_set(err, -errno, "open '%s'", b->old_path)
		     : storage_open(&st, ct, &b->r->c->config.storage, err);
	if (ret < 0)
		return ret;
	old_root = storage_open_root(&st, err);
	if (old_root < 0)
		return old_root;
	/* An image may have something there. */
	ret = remove_tree_at(new_root, OLD_DIR);
	if (ret == 0 && mkdirat(new_root, OLD_DIR, 0755) < 0)
		ret = -errno;
	if (ret == 0)
		ret = to = open_in(new_root, OLD_DIR, OPEN_NO_LINKS, O_PATH | O_DIRECTORY, 0);
	if (ret < 0)
		return err_set(err, ret, "make '/" OLD_DIR "' in the new root");
	ret = copy_tree(old_root, to, err);
	/* That of the time before would be one deeper each time. */
	if (ret == 0 && remove_tree_at(to, OLD_DIR) < 0)
		log_warn("cannot remove '/" OLD_DIR "/" OLD_DIR "' of the new root, ignoring");
	return ret;
}

static int keep_old(struct reinstall *r, struct lxmgr_err *err)
{
	struct both b = { .r = r };
	char path[DRAFT_PATH_SIZE];

	if (!r->o->keep_old)
		return 0;
	snprintf(b.old_path, sizeof(b.old_path), "%s/%s", r->c->path, r->c->name);
	return rootrun_stopped(r->d.dir_fd, draft_path(&r->d, path), &r->d.config.storage, copy_old,
			       &b, err);
}

/* Ids, addresses and categories are the container's already, and stay its own if this fails. */
static int label_and_shift(struct reinstall *r, struct lxmgr_err *err)
{
	struct label_progress p = { r->o->progress, r->o->progress_arg };
	uint32_t count;
	int ret = 0;

	if (r->d.config.idmap_policy == IDMAP_AUTO)
		ret = features_acquire_ids(&r->d.config, r->d.id, &r->d.ids, &count, err);
	if (ret == 0)
		ret = draft_shift_root(&r->d, err);
	if (ret == 0)
		ret = keep_old(r, err);
	if (ret == 0)
		ret = draft_label(&r->d, &p, err);
	r->d.has_level = false;
	return ret;
}

static int build(struct reinstall *r, struct lxmgr_err *err)
{
	char name[256];
	int ret = draft_make_beside(&r->d, err);

	if (ret == 0)
		ret = get_image(r, err);
	if (ret == 0)
		ret = make_config(r, err);
	if (ret == 0)
		ret = make_root(r, err);
	if (ret == 0)
		ret = personalize(r, err);
	if (ret == 0)
		ret = label_and_shift(r, err);
	if (ret < 0)
		return ret;
	ret = each_other(r->c->dir_fd, link_other, r->d.dir_fd, name);
	if (ret < 0)
		return err_set(err, ret, "take '%s' over", name);
	return draft_exchange(&r->d, err);
}

static int run(struct reinstall *r, struct lxmgr_err *err)
{
	int ret = draft_open(&r->d, r->c->path, r->c->name, err), built;
	struct lxmgr_err why = { 0 };

	if (ret < 0)
		return ret;
	ret = read_file_at(r->c->dir_fd, "config", CONFIG_LIMIT, &r->d.text, NULL);
	if (ret < 0)
		return err_set(err, ret, "read the config of '%s'", r->c->name);
	built = build(r, err);
	/* The new one if it failed, the old one if not, and layers that were its alone. */
	draft_give_up(&r->d);
	disk_enforce(r->c, built < 0 ? r->c->dir_fd : r->d.dir_fd);
	if (storage_collect(r->d.path_fd, &why) < 0)
		log_warn("%s, ignoring", why.text);
	return built < 0 ? built
	       : units_sync(r->c->path, r->c->name, &r->d.config, err) < 0
		       ? (err ? err->code : -EIO)
		       : 0;
}

int lxmgr_container_reinstall(struct lxmgr_container *c, const struct lxmgr_reinstall_opts *opts,
			      struct lxmgr_err *err)
{
	struct reinstall r = { .c = c,
			       .o = opts,
			       .old = { .layers_lock = -EBADF },
			       .d = { .path_fd = -EBADF, .dir_fd = -EBADF, .lock = -EBADF },
			       .image = { .root_fd = -EBADF, .lock_fd = -EBADF },
			       .old_image = { .root_fd = -EBADF, .lock_fd = -EBADF } };
	cleanup_fd int lock = -EBADF;
	int ret;

	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist in %s", c->name, c->path);
	ret = container_load_config(c, err);
	if (ret < 0)
		return ret;
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return lock;
	r.kept = sys_memfd_create("kept", 0);
	ret = r.kept < 0 ? err_set(err, r.kept, "make a file in memory") : check(&r, err);
	if (ret == 0)
		ret = check_stopped(&r, err);
	if (ret == 0)
		ret = run(&r, err);
	storage_close(&r.old);
	image_close(&r.image);
	image_close(&r.old_image);
	draft_close(&r.d);
	strlist_free(&r.args);
	fd_close(&r.kept);
	return ret;
}
