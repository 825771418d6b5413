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

#include "container/audit.h"
#include "container/container.h"
#include "container/disk.h"
#include "container/draft.h"
#include "container/features.h"
#include "container/image_config.h"
#include "container/makeopts.h"
#include "container/mounts.h"
#include "container/personalize.h"
#include "container/rootrun.h"
#include "container/setup.h"
#include "container/setup_run.h"
#include "container/snapshot.h"
#include "container/teardown.h"
#include "container/units.h"
#include "image/image.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

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
	bool live, stopped;  /* stopped: by us */
	int kept;	     /* a file in memory: what the old root's owner keeps, as JSON */
	char *told;	     /* what could not be kept, as JSON */
	struct strlist lost; /* what is told of the config */
};

/* What a new directory does not take over; "guest" is what start wrote into that root. */
static bool is_root_part(const char *name)
{
	static const char *const parts[] = { "config", "storage", "lock", "guest" };

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
	if (S_ISREG(mode))
		return 0;
	return S_ISDIR(mode) && (str_eq(name, SNAPSHOTS_DIR) || is_empty(dir_fd, name)) ? 0
											: -EISDIR;
}

/* The same file: what is counted in it goes on. */
static int link_other(int dir_fd, const char *name, mode_t mode, int to)
{
	return S_ISREG(mode) && linkat(dir_fd, name, to, name, 0) < 0 ? -errno : 0;
}

/* Not stopped yet: what follows may refuse or fail, and take minutes. */
static int check_state(struct reinstall *r, struct lxmgr_err *err)
{
	struct state state;
	int ret = teardown_stale(r->c, -1, &state, err);

	if (ret < 0)
		return ret;
	r->live = ret > 0;
	if (r->live && !r->o->force)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "container '%s' is running; stop it first, or use -f",
				  r->c->name);
	/* The root that is mounted would be deleted under the mount. */
	return r->live ? 0 : mounts_check(r->c, true, err);
}

/* From here on the old root is read, and nobody else changes it. */
static int come_to_rest(struct reinstall *r, struct lxmgr_err *err)
{
	struct lxmgr_stop_opts stop = { .nolock = true, .timeout_ms = -1, .if_running = true };
	int ret = r->live ? lxmgr_container_stop(r->c, &stop, err) : 0;

	r->stopped = r->live && ret == 0;
	return ret < 0 ? ret : storage_recover(&r->old, err);
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

/* What would be taken and not looked at. */
static int check_unused(const struct lxmgr_reinstall_opts *o, struct lxmgr_err *err)
{
	const char *what = NULL;

	if (!o->image)
		return 0;
	if (o->template_name)
		what = "-t";
	else if (o->flush_cache)
		what = "-F";
	else if (o->timeout_ms)
		what = "--timeout";
	else if (o->template_args && o->template_args[0])
		what = o->template_args[0];
	return !what ? 0
		     : err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is for a template, and with --image none is run", what);
}

/* Refused before anything is made. */
static int check(struct reinstall *r, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &r->c->config.storage;
	char name[256];
	int ret;

	ret = check_unused(r->o, err);
	if (ret == 0)
		ret = container_may_end(r->c, err);
	if (ret < 0)
		return ret;
	if (spec->path && *spec->path)
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "the root of '%s' is not of lxmgr's making (lxmgr.rootfs.path)",
				  r->c->name);
	ret = storage_open(&r->old, r->c->dir_fd, spec, err);
	if (ret == 0)
		ret = check_limit(r, err);
	if (ret < 0)
		return ret;
	r->template_name = r->o->template_name ? r->o->template_name : r->c->config.template_name;
	if (r->o->image)
		r->template_name = NULL;
	else if (!r->template_name || !*r->template_name || str_eq(r->template_name, "none"))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "no template is recorded for '%s'; give one with -t, or an image "
				  "with --image",
				  r->c->name);
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

	return was && r->template_name && str_eq(was, r->template_name);
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
	if (r->o->image)
		return image_open_named(r->o->image, &r->image, err);
	ret = collect_args(r, err);
	if (ret < 0)
		return ret;
	t.args = (const char *const *)r->args.v;
	/* What is made anew is the cache's: this container's lock on the old one would keep it. */
	if (r->o->flush_cache)
		image_close(&r->old_image);
	return image_from_template(&t, &r->image, err);
}

/* What somebody set and the new image sets otherwise. What the old one set went with it. */
static int add_image_config(struct reinstall *r, struct lxmgr_err *err)
{
	struct draft *d = &r->d;
	struct config mine;
	int ret;

	config_init(&mine);
	ret = config_read_text(&mine, d->text, strlen(d->text), "new config", err);
	if (ret == 0)
		ret = image_config_add(d, r->image.root_fd, err);
	if (ret == 0)
		ret = draft_parse(d, "new config", err);
	if (ret == 0)
		ret = image_config_lost(&mine, &d->config, &r->lost, err);
	config_free(&mine);
	return ret;
}

static int make_config(struct reinstall *r, struct lxmgr_err *err)
{
	struct draft *d = &r->d;
	int ret = draft_parse(d, "config", err);

	if (ret == 0)
		ret = image_config_drop(d, r->old_image.root_fd, err);
	if (ret == 0 && !same_template(r)) {
		ret = draft_set(d, "lxmgr.template", NULL, err);
		if (ret == 0 && r->template_name)
			ret = draft_set(d, "lxmgr.template", r->template_name, err);
	}
	if (ret == 0)
		ret = draft_parse(d, "new config", err);
	return ret < 0 ? ret : add_image_config(r, err);
}

static int make_root(struct reinstall *r, struct lxmgr_err *err)
{
	const struct storage_ops *ops = new_ops(r, r->d.dir_fd, err);
	cleanup_makeopts struct makeopts other = { .name = r->c->name };
	struct storage_limit limit;
	struct storage_make make = { 0 };
	struct storage st;
	int ret = 0;

	if (!ops)
		return err ? err->code : -EINVAL;
	other.backend = ops->name;
	if (ops == r->old.ops)
		storage_make_like(&r->old, &make);
	else
		ret = makeopts_resolve(&other, err);
	if (ret < 0)
		return ret;
	if (ops != r->old.ops)
		make = other.make;
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

/* What the new root gets of the old one, and what is told of the config. */
static int ask_keep(struct reinstall *r, struct strbuf *ret, struct lxmgr_err *err)
{
	cleanup_free char *kept = NULL;
	int code = setup_answer(r->kept, &kept, err);

	if (code == 0 && lua_request_add(ret, "kept", kept) < 0)
		code = err_set(err, -ENOMEM, "keep what is the owner's");
	for (size_t i = 0; i < r->lost.n && code == 0; i++)
		if (lua_request_add(ret, "config", r->lost.v[i]) < 0)
			code = err_set(err, -ENOMEM, "keep what is the owner's");
	return code;
}

static int personalize(struct reinstall *r, struct lxmgr_err *err)
{
	const struct config *cfg = &r->d.config;
	const struct personalize p = { .hostname = cfg->uts_name ? cfg->uts_name : r->c->name };
	cleanup_strbuf struct strbuf ask = { 0 }, tell = { 0 };
	cleanup_fd int done = sys_memfd_create("done", 0);
	char old_path[PATH_MAX + 80], new_path[DRAFT_PATH_SIZE];
	int ret;

	snprintf(old_path, sizeof(old_path), "%s/%s", r->c->path, r->c->name);
	draft_path(&r->d, new_path);
	if (done < 0 || lua_request_add(&ask, "collect", "1") < 0)
		return err_set(err, -ENOMEM, "keep what is the owner's");
	ret = setup_run_stopped(r->c->dir_fd, old_path, &r->c->config, SETUP_KEEP, &ask, r->kept,
				err);
	if (ret == 0)
		ret = ask_keep(r, &tell, err);
	if (ret == 0)
		ret = personalize_root(r->d.dir_fd, new_path, &cfg->storage, &p, err);
	if (ret == 0)
		ret = setup_run_stopped(r->d.dir_fd, new_path, cfg, SETUP_KEEP, &tell, done, err);
	return ret < 0 ? ret : setup_answer(done, &r->told, err);
}

/* The new root's descriptor and the old one's, in one mount namespace. */
struct both {
	struct reinstall *r;
	char old_path[PATH_MAX + 80];
};

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
	ret = tree_copy(old_root, to, err);
	if (ret < 0)
		return err_prefix(err, "keep the old root");
	/* That of the time before would be one deeper each time. */
	if (remove_tree_at(to, OLD_DIR) < 0)
		log_warn("cannot remove '/" OLD_DIR "/" OLD_DIR "' of the new root, ignoring");
	return 0;
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
		ret = come_to_rest(r, err);
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
	ret = snapshots_note(r->c->dir_fd, r->d.tmp, r->d.dir_fd, err);
	if (ret == 0)
		ret = draft_exchange(&r->d, err);
	if (ret < 0)
		return ret;
	ret = snapshots_settle(r->d.dir_fd, err);
	/* They are in what is the old one now, which must stay. */
	if (ret < 0)
		*r->d.tmp = '\0';
	return ret;
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
	if (built < 0 && r->stopped)
		err_hint(err, "its root is as it was, but it is stopped now: lxmgr-start %s",
			 r->c->name);
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

static int reinstall(struct lxmgr_container *c, const struct lxmgr_reinstall_opts *opts,
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
	ret = r.kept < 0 ? err_set(err, r.kept, "make a file in memory") : check_state(&r, err);
	if (ret == 0)
		ret = check(&r, err);
	if (ret == 0)
		ret = run(&r, err);
	if (ret == 0 && opts->ret_json)
		*opts->ret_json = take_ptr(r.told);
	free(r.told);
	strlist_free(&r.lost);
	storage_close(&r.old);
	image_close(&r.image);
	image_close(&r.old_image);
	draft_close(&r.d);
	strlist_free(&r.args);
	fd_close(&r.kept);
	return ret;
}

int lxmgr_container_reinstall(struct lxmgr_container *c, const struct lxmgr_reinstall_opts *opts,
			      struct lxmgr_err *err)
{
	return audit(c, "reinstall", NULL, reinstall(c, opts, err), err);
}
