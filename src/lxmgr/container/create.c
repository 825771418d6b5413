/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The create verb: everything is checked first, built under a temporary name, then renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/autostart.h"
#include "container/container.h"
#include "container/disk.h"
#include "container/draft.h"
#include "container/image_config.h"
#include "container/makeopts.h"
#include "container/personalize.h"
#include "container/plans.h"
#include "container/rootplace.h"
#include "container/schedule.h"
#include "container/units.h"
#include "image/image.h"
#include "image/users.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"

#define CONFIG_LIMIT (1 << 20)

struct create {
	struct draft d;
	const struct lxmgr_create_opts *o;
	struct image image;
	char dir[STORAGE_PATH_SIZE]; /* where the root is made; "": in the container */
};

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
	r = config_set(&c->d.config, key, value, err);
	if (r < 0)
		return err_prefix(err, "-s: key '%.80s'", key), r;
	return draft_set(&c->d, key, value, err);
}

/* What default.conf limits and nothing can limit here, as inside a container on a host with cgroup
 * v1: with such a line no start would succeed. */
static int drop_limits(struct create *c, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf dropped = { 0 };
	int r = 0;

	for (size_t i = 0; i < LIMIT_COUNT && r == 0; i++) {
		cleanup_free char *key = str_printf("lxmgr.%s", cgroup_limit_keys[i]);
		struct cgroup_spec one;

		cgroup_spec_init(&one);
		one.limit[i] = c->d.config.cgroup.limit[i];
		/* That it stands on another one (-EINVAL) is not looked at here. */
		if (one.limit[i] == LIMIT_UNSET || cgroup_check(&one, NULL) != -EOPNOTSUPP)
			continue;
		strbuf_addf(&dropped, "%s%s", dropped.len ? ", " : "", key ? key : "");
		r = key ? draft_set(&c->d, key, NULL, err) : err_set(err, -ENOMEM, "limits");
	}
	if (r == 0 && dropped.len && c->o->ret_notice)
		*c->o->ret_notice =
			str_printf("nothing can limit containers here: left away %s of %s",
				   dropped.s, SYSCONFDIR "/default.conf");
	return r;
}

/* An explicit map alone means, as LXC has it, that the ids on disk are shifted already: not those
 * of a root that is made here. */
static int map_root(struct create *c, struct lxmgr_err *err)
{
	const struct config *config = &c->d.config;
	const char *have = config->storage.options;
	cleanup_free char *options = NULL;
	int r;

	if (config->idmap_policy != IDMAP_EXPLICIT || config->storage.idmap_container ||
	    (config->storage.path && *config->storage.path && !*c->dir))
		return 0;
	r = storage_can_map(c->d.path_fd, err);
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	options = str_printf("%s%sidmap=container", have ? have : "", have && *have ? "," : "");
	if (!options)
		return err_set(err, -ENOMEM, "new config");
	r = draft_set(&c->d, "lxmgr.rootfs.options", NULL, err);
	if (r == 0)
		r = draft_set(&c->d, "lxmgr.rootfs.options", options, err);
	return r < 0 ? r : draft_parse(&c->d, "new config", err);
}

static int add_plan(struct create *c, struct lxmgr_err *err)
{
	cleanup_plan struct lxmgr_plan plan = { NULL };
	int r = lxmgr_plan_read(c->o->plan, &plan, err);

	for (size_t i = 0; r == 0 && i < plan.n; i++)
		r = draft_set(&c->d, plan.keys[i].key, plan.keys[i].value, err);
	return r < 0 ? r : draft_set(&c->d, "lxmgr.plan", c->o->plan, err);
}

/* The text of the config file: default.conf or -f, and what the options say. */
static int make_config(struct create *c, struct lxmgr_err *err)
{
	const char *base = c->o->config ? c->o->config : SYSCONFDIR "/default.conf";
	const char *display = base;
	int r = read_file_at(AT_FDCWD, base, CONFIG_LIMIT, &c->d.text, NULL);

	if (r == -ENOENT && !c->o->config && (c->d.text = strdup("")))
		r = 0;
	if (r < 0)
		return err_set(err, r, "read '%s'", base);
	/* The file as it is first, so that an error names its own line. */
	config_init(&c->d.config);
	c->d.has_config = true;
	r = config_read_text(&c->d.config, c->d.text, strlen(c->d.text), display, err);
	if (r == 0 && !c->o->config)
		r = drop_limits(c, err);
	if (r == 0 && c->o->template_name && !str_eq(c->o->template_name, "none"))
		r = draft_set(&c->d, "lxmgr.template", c->o->template_name, err);
	if (r == 0 && c->o->plan)
		r = add_plan(c, err);
	if (r == 0 && c->o->privileged) {
		r = draft_set(&c->d, "lxmgr.idmap", NULL, err);
		if (r == 0)
			r = draft_set(&c->d, "lxmgr.idmap", "none", err);
	}
	if (r == 0 && c->o->hostname)
		r = draft_set(&c->d, "lxmgr.uts.name", c->o->hostname, err);
	if (r == 0 && c->o->dir) {
		cleanup_free char *dir = str_printf("dir:%s", *c->dir ? c->dir : c->o->dir);

		r = dir ? draft_set(&c->d, "lxmgr.rootfs.path", dir, err) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && c->o->defines && c->o->defines[i]; i++)
		r = add_define(c, c->o->defines[i], err);
	if (r < 0)
		return r;
	r = draft_parse(&c->d, "new config", err);
	return r < 0 ? r : map_root(c, err);
}

/* --password and --ssh-key belong to the container, not to the image: they are taken out of the
 * template's arguments, where LXC's users put them. */
static int split_args(const struct lxmgr_create_opts *o, struct strlist *ret, const char **password,
		      const char **ssh_key, struct lxmgr_err *err)
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
			return err_set(err, -ENOMEM, "template arguments");
		if (to && !o->template_args[i + 1])
			return err_status(err, STATUS_USAGE, -EINVAL, "%s: its value is missing",
					  a);
		if (to)
			*to = o->template_args[++i];
	}
	return 0;
}

/* What would be taken and not looked at. */
static int check_unused(const struct lxmgr_create_opts *o, const struct strlist *args,
			const struct personalize *p, struct lxmgr_err *err)
{
	bool none = o->template_name && str_eq(o->template_name, "none");
	const char *what = NULL;

	if (none && (p->password || p->ssh_key_file))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "%s: -t none takes a root as it is; see lxmgr-setup(1)",
				  p->password ? "a password" : "--ssh-key");
	if (!none && !o->image)
		return 0;
	if (o->flush_cache)
		what = "-F";
	else if (o->timeout_ms)
		what = "--timeout";
	else if (args->n)
		what = args->v[0];
	return !what ? 0
		     : err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is for a template, and with %s none is run", what,
				  none ? "-t none" : "--image");
}

/* The host's own mirror for templates that take one: an argument like others, so that the image is
 * known by it. */
static int add_mirror(const struct lxmgr_create_opts *o, struct strlist *args,
		      struct lxmgr_err *err)
{
	cleanup_free char *url = NULL;
	char key[96];
	int r = 0;

	snprintf(key, sizeof(key), "lxmgr.mirror.%s", o->template_name ? o->template_name : "");
	for (size_t i = 0; lxmgr_global_key(i) && !url; i++)
		if (str_eq(lxmgr_global_key(i), key))
			r = lxmgr_global_get(key, &url, err);
	if (r < 0 || !url || !*url)
		return r;
	for (size_t i = 0; i < args->n; i++)
		if (str_eq(args->v[i], "--mirror") || str_has_prefix(args->v[i], "--mirror="))
			return 0;
	return strlist_addf(args, "--mirror=%s", url) < 0 ? err_set(err, -ENOMEM, "mirror") : 0;
}

static int get_image(struct create *c, const struct strlist *args, struct lxmgr_err *err)
{
	struct template_run t = {
		.name = c->o->template_name,
		.args = (const char *const *)args->v,
		.container = c->d.name,
		.flush_cache = c->o->flush_cache,
		.quiet = c->o->quiet,
		.timeout_ms = c->o->timeout_ms,
		.progress = c->o->progress,
		.progress_arg = c->o->progress_arg,
	};

	if (c->o->image)
		return image_open_named(c->o->image, &c->image, err);
	if (!t.name || str_eq(t.name, "none"))
		return 0;
	return image_from_template(&t, &c->image, err);
}

static bool wants_map(const struct create *c)
{
	return c->d.config.idmap_policy == IDMAP_AUTO || c->d.config.storage.idmap_container;
}

static bool wants_image(const struct create *c)
{
	const char *t = c->o->template_name;

	return c->o->image || (t && !str_eq(t, "none"));
}

/* A template may run for minutes, so this is said before. */
static int check_root(const struct create *c, struct lxmgr_err *err)
{
	const char *path = c->d.config.storage.path;

	if (!path || !*path || !wants_image(c))
		return 0;
	if (c->o->dir && c->o->backend && !str_eq(c->o->backend, "dir"))
		return err_status(err, STATUS_USAGE, -EINVAL, "--dir goes with -B dir");
	if (*c->dir && str_eq(path, c->dir))
		return rootplace_check(c->dir, c->d.path, wants_map(c), err);
	return err_status(err, STATUS_USAGE, -EINVAL,
			  "what a template makes is not put where lxmgr.rootfs.path says: use that "
			  "root as it is with -t none, or have a new one made (--dir)");
}

/* Without an image there is nothing to share. */
static const char *backend_of(const struct create *c)
{
	const char *b = *c->dir ? "dir" : c->o->backend;

	return !wants_image(c) && (!b || str_eq(b, "best")) ? "dir" : b;
}

/* The directory of containers decides it: there is no other yet. */
static int check_limit(struct create *c, struct lxmgr_err *err)
{
	const struct storage_limit want = disk_wanted(&c->d.config);
	const struct storage_ops *ops;

	if (!disk_is_limited(&want))
		return 0;
	ops = storage_choose(backend_of(c), c->d.path_fd, wants_map(c), err);
	return ops ? disk_check(&c->d.config, ops, c->d.path_fd, err) : err ? err->code : -EINVAL;
}

static int make_root(struct create *c, struct lxmgr_err *err)
{
	const struct storage_spec *spec = &c->d.config.storage;
	cleanup_makeopts struct makeopts m = { .backend = c->o->backend,
					       .fstype = c->o->fstype,
					       .fssize = c->o->fssize,
					       .lvname = c->o->lvname,
					       .vgname = c->o->vgname,
					       .thinpool = c->o->thinpool,
					       .name = c->d.name };
	const struct storage_ops *ops;
	struct storage_limit limit;
	bool map = wants_map(c);
	struct storage st;
	int r;

	/* The config brings its own root. */
	if (spec->path && *spec->path && !*c->dir)
		return 0;
	r = makeopts_resolve(&m, err);
	if (r < 0)
		return r;
	ops = storage_choose(backend_of(c), c->d.dir_fd, map, err);
	if (!ops)
		return err ? err->code : -EINVAL;
	m.make.limit = &limit;
	m.make.dir = *c->dir ? c->dir : NULL;
	r = disk_reserve(&c->d.config, ops, c->d.id, c->d.dir_fd, &limit, err);
	if (r == 0)
		r = storage_create_as(&st, &m.make, ops->name, c->d.dir_fd,
				      c->image.root_fd < 0 ? NULL : c->image.digest,
				      c->image.root_fd, map, err);
	if (r == 0)
		storage_close(&st);
	return r;
}

/* It may be on another file system than the container. */
static int sync_root(const struct create *c, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;

	if (!*c->dir)
		return 0;
	fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || syncfs(fd) < 0 ? err_set(err, -errno, "write '%s' to disk", c->dir) : 0;
}

static int build(struct create *c, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist args = { 0 };
	struct personalize p = { .password = c->o->password, .ssh_key_file = c->o->ssh_key_file };
	struct label_progress progress = { c->o->progress, c->o->progress_arg };
	char path[DRAFT_PATH_SIZE];
	int r;

	r = split_args(c->o, &args, &p.password, &p.ssh_key_file, err);
	if (r == 0)
		r = check_unused(c->o, &args, &p, err);
	if (r == 0)
		r = add_mirror(c->o, &args, err);
	if (r == 0)
		r = personalize_check(&p, err);
	if (r == 0 && c->o->dir && wants_image(c)) {
		/* What was killed may have left a root there. */
		draft_clean(&c->d);
		r = rootplace_resolve(c->o->dir, c->dir, err);
	}
	if (r == 0)
		r = make_config(c, err);
	if (r == 0)
		r = auto_check_after(c->d.path, c->d.name, &c->d.config, err);
	if (r == 0)
		r = check_root(c, err);
	if (r == 0)
		r = check_limit(c, err);
	if (r == 0)
		r = schedule_check(&c->d.config, err);
	if (r == 0)
		r = draft_make_dir(&c->d, err);
	if (r == 0)
		r = get_image(c, &args, err);
	if (r == 0)
		r = image_config_add(&c->d, c->image.root_fd, err);
	if (r == 0)
		r = make_root(c, err);
	if (r == 0)
		r = draft_reserve(&c->d, err);
	p.hostname = c->d.config.uts_name ? c->d.config.uts_name : c->d.name;
	if (r == 0 && c->image.root_fd >= 0)
		r = personalize_root(c->d.dir_fd, draft_path(&c->d, path), &c->d.config.storage, &p,
				     err);
	if (r == 0)
		r = draft_shift_root(&c->d, err);
	if (r == 0)
		r = draft_label(&c->d, &progress, err);
	if (r == 0)
		r = sync_root(c, err);
	return r < 0 ? r : draft_publish(&c->d, err);
}

int lxmgr_template_help(const char *template_name, char **ret, struct lxmgr_err *err)
{
	return image_template_help(template_name, ret, err);
}

int lxmgr_template_list(const char *template_name, const char *const *args, char **ret,
			struct lxmgr_err *err)
{
	return image_template_list(template_name, args, ret, err);
}

static int create(const char *path, const char *name, const struct lxmgr_create_opts *opts,
		  struct lxmgr_err *err)
{
	struct create c = { .o = opts, .image = { .root_fd = -EBADF, .lock_fd = -EBADF } };
	int r = draft_open(&c.d, path, name, err);

	if (r == 0) {
		r = build(&c, err);
		if (r < 0)
			draft_give_up(&c.d);
		else
			r = units_sync(c.d.path, name, &c.d.config, err);
		/* How many units changed is nothing to tell. */
		r = r < 0 ? r : 0;
	}
	image_close(&c.image);
	draft_close(&c.d);
	return r;
}

int lxmgr_container_create(const char *path, const char *name, const struct lxmgr_create_opts *opts,
			   struct lxmgr_err *err)
{
	return audit_name(path, name, "create", opts->template_name, create(path, name, opts, err),
			  err);
}
