/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The copy verb: a second container from a container or a snapshot, as a draft of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/autostart.h"
#include "container/copy.h"
#include "container/copy_net.h"
#include "container/disk.h"
#include "container/draft.h"
#include "container/hooks.h"
#include "container/makeopts.h"
#include "container/personalize.h"
#include "container/schedule.h"
#include "container/setup_run.h"
#include "container/units.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

struct copy {
	struct draft d;
	struct source from;
	struct lxmgr_container *snapshot_of; /* the container whose snapshot `from` is, or NULL */
	struct storage to;
	const struct storage_ops *to_ops;
	struct makeopts make;
	const struct lxmgr_copy_opts *o;
};

static int unset(struct draft *d, const char *key, struct lxmgr_err *err)
{
	return draft_set(d, key, NULL, err);
}

/* A block of ids of its own. A root whose ids are shifted on disk keeps the map that they are for.
 */
static int edit_ids(struct copy *c, struct lxmgr_err *err)
{
	const struct config *have = &c->from.c->config;
	int r;

	if (have->idmap_policy != IDMAP_EXPLICIT || !have->storage.idmap_container)
		return 0;
	r = unset(&c->d, "lxmgr.idmap", err);
	return r < 0 ? r : unset(&c->d, "lxmgr.rootfs.options", err);
}

static int add_define(struct copy *c, const char *define, struct lxmgr_err *err)
{
	const char *eq = strchr(define, '=');
	cleanup_free char *copy = strdup(define);
	int r;

	if (!copy || !eq)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is not KEY=VALUE", define);
	copy[eq - define] = '\0';
	r = draft_set(&c->d, str_strip(copy), str_strip(copy + (eq - define) + 1), err);
	return r < 0 ? err_prefix(err, "--define: key '%.80s'", copy) : 0;
}

/* Whose root it is. */
static const struct lxmgr_container *owner_of(const struct copy *c)
{
	return c->snapshot_of ? c->snapshot_of : c->from.c;
}

/* Start writes what the config has, or the container's name. */
static int edit_hostname(struct copy *c, struct lxmgr_err *err)
{
	bool has = c->from.c->config.uts_name;
	const char *old = owner_of(c)->name;
	char buf[HOSTNAME_SIZE];

	if (!c->o->keep_name)
		return has ? draft_set(&c->d, "lxmgr.uts.name", hostname_from_name(c->d.name, buf),
				       err)
			   : 0;
	if (has)
		return 0;
	if (!hostname_is_valid(old))
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "the host name '%s' cannot be kept: a config cannot have it "
				  "(lxmgr.uts.name)",
				  old);
	return draft_set(&c->d, "lxmgr.uts.name", old, err);
}

static int make_config(struct copy *c, struct lxmgr_err *err)
{
	const struct config *have = &c->from.c->config;
	int r = source_config(&c->from, &c->d.text, err);

	if (r == 0)
		r = copy_edit_nets(&c->d, have, owner_of(c), c->o, err);
	if (r == 0)
		r = edit_ids(c, err);
	if (r == 0 && have->storage.path && *have->storage.path)
		r = unset(&c->d, "lxmgr.rootfs.path", err);
	if (r == 0)
		r = edit_hostname(c, err);
	if (r == 0 && have->ephemeral)
		r = unset(&c->d, "lxmgr.ephemeral", err);
	/* What was decided about the other one. */
	if (r == 0 && have->protect)
		r = unset(&c->d, "lxmgr.protect", err);
	if (r == 0 && have->suspended)
		r = unset(&c->d, "lxmgr.suspended", err);
	if (r == 0 && c->o->ephemeral) {
		r = draft_set(&c->d, "lxmgr.ephemeral", "1", err);
		/* Nothing of it is to stay. */
		if (r == 0 && have->snapshot_schedule)
			r = unset(&c->d, "lxmgr.snapshot.schedule", err);
	}
	for (size_t i = 0; r == 0 && c->o->defines && c->o->defines[i]; i++)
		r = add_define(c, c->o->defines[i], err);
	if (r == 0)
		r = draft_parse(&c->d, "the copy's config", err);
	if (r == 0)
		r = schedule_check(&c->d.config, err);
	return r < 0 ? r : auto_check_after(c->d.path, c->d.name, &c->d.config, err);
}

/* Where the copy goes, if not to what its source has. */
static int choose_backend(struct copy *c, struct lxmgr_err *err)
{
	const struct storage_ops *from = c->from.storage.ops;
	struct makeopts *m = &c->make;
	int r;

	c->to_ops = c->o->backend ? storage_choose(c->o->backend, c->d.path_fd, false, err) : from;
	if (!c->to_ops)
		return err ? err->code : -EINVAL;
	*m = (struct makeopts){ .backend = c->to_ops->name,
				.fstype = c->o->fstype,
				.fssize = c->o->fssize,
				.name = c->d.name };
	r = makeopts_resolve(m, err);
	if (r == 0 && (c->to_ops != from || m->fstype || m->fssize))
		c->to.make = &m->make;
	return r;
}

static int copy_root(struct copy *c, struct lxmgr_err *err)
{
	bool may = c->o->try_share || c->o->ephemeral;
	struct storage_copy how = { .share = c->o->share || may, .memory = c->o->memory };
	int r;

	r = disk_reserve(&c->d.config, c->to_ops, c->d.id, c->d.dir_fd, &c->to.limit, err);
	if (r == 0)
		r = source_copy(&c->from, &c->to, c->d.dir_fd, c->to_ops->name,
				&c->d.config.storage, &how, may && !c->o->share, err);
	return r < 0 ? r : storage_write(&c->to, false, err);
}

static const char *hostname_of(const struct config *config, const char *name)
{
	return config->uts_name ? config->uts_name : name;
}

/* PATH/NAME/snapshots/SNAP: PATH/NAME. */
static int open_owner(struct copy *c, struct lxmgr_err *err)
{
	cleanup_free char *path = strdup(c->from.c->path);
	char *end = path ? strrchr(path, '/') : NULL, *name;

	if (!end || !source_is_snapshot(c->from.c))
		return 0;
	*end = '\0';
	name = strrchr(path, '/');
	if (!name || name == path || !name_is_valid(name + 1))
		return 0;
	*name++ = '\0';
	return lxmgr_container_open(path, name, NULL, &c->snapshot_of, err);
}

static int make_its_own(struct copy *c, struct lxmgr_err *err)
{
	const char *old = hostname_of(&c->from.c->config, owner_of(c)->name);
	struct personalize p = {
		.hostname = hostname_of(&c->d.config, c->d.name),
		.old_hostname = c->o->keep_name ? NULL : old,
		.new_host_keys = !c->o->keep_identity,
		.keep_machine_id = c->o->keep_identity,
		.ret_no_keys = c->o->ret_no_keys,
	};
	bool network = setup_has_network(owner_of(c)->dir_fd);
	char path[DRAFT_PATH_SIZE];
	int r = personalize_root(c->d.dir_fd, draft_path(&c->d, path), &c->d.config.storage, &p,
				 err);

	if (r < 0 || !network)
		return r;
	if (c->o->keep_addresses)
		return setup_note_network(c->d.dir_fd, err);
	/* Two with one address would be no good to each other. */
	r = setup_run_forget_stopped(c->d.dir_fd, path, &c->d.config, err);
	return r < 0 ? err_hint(err, "with --keepaddress its network stays as it is") : 0;
}

static int run_hook(struct copy *c, struct lxmgr_err *err)
{
	struct lxmgr_container as = { .dir_fd = c->d.dir_fd };
	struct hook_env h = HOOK_ENV_INIT(&as, &c->d.config);

	snprintf(as.name, sizeof(as.name), "%s", c->d.name);
	snprintf(as.path, sizeof(as.path), "%s", c->d.path);
	h.src_name = c->from.c->name;
	h.args = c->o->hook_args;
	return hooks_run(HOOK_CLONE, &h, err);
}

static int build(struct copy *c, const struct interrupt *stop, struct lxmgr_err *err)
{
	struct label_progress progress = { c->o->progress, c->o->progress_arg };
	int r = make_config(c, err);

	if (r == 0)
		r = choose_backend(c, err);
	if (r == 0)
		r = disk_check(&c->d.config, c->to_ops, c->d.path_fd, err);
	if (r == 0)
		r = draft_make_dir(&c->d, err);
	if (r == 0)
		r = draft_reserve(&c->d, err);
	if (r == 0)
		r = copy_root(c, err);
	if (r == 0)
		r = copy_interrupted(stop, err);
	if (r == 0)
		r = make_its_own(c, err);
	if (r == 0 && c->to.ids && c->d.has_ids)
		r = storage_shift(&c->to, c->d.ids, err);
	if (r == 0)
		r = draft_label(&c->d, &progress, err);
	if (r == 0)
		r = run_hook(c, err);
	if (r == 0)
		r = copy_interrupted(stop, err);
	return r < 0 ? r : draft_publish(&c->d, err);
}

/* NAME- and eight letters, for an ephemeral copy that was given no name. */
static int random_name(const char *from, char name[64], struct lxmgr_err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char rnd[8];

	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		return err_set(err, -EIO, "make a name");
	snprintf(name, 64, "%.54s-", from);
	for (size_t i = 0, n = strlen(name); i < sizeof(rnd); i++, n++) {
		name[n] = letters[rnd[i] % 32];
		name[n + 1] = '\0';
	}
	return 0;
}

static int copy_to(struct lxmgr_container *c, const char *name, const struct lxmgr_copy_opts *opts,
		   char **ret_name, struct lxmgr_err *err)
{
	struct copy copy = { .from = SOURCE_INIT, .o = opts, .to = { .layers_lock = -EBADF } };
	struct interrupt stop;
	char made_up[64];
	int r = 0;

	if (opts->memory && !opts->ephemeral)
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "only an ephemeral copy can be in memory");
	copy.d.path_fd = copy.d.dir_fd = copy.d.lock = -EBADF;
	if (!name && opts->ephemeral) {
		r = random_name(c->name, made_up, err);
		name = made_up;
	}
	if (r == 0)
		r = draft_open(&copy.d, opts->path ? opts->path : c->path, name, err);
	if (r == 0)
		r = source_open(&copy.from, c, err);
	if (r == 0)
		r = open_owner(&copy, err);
	if (r == 0) {
		copy_interrupt_begin(&stop, opts->progress, opts->progress_arg);
		r = build(&copy, &stop, err);
		if (r < 0)
			draft_give_up(&copy.d);
		copy_interrupt_end(&stop);
	}
	storage_close(&copy.to);
	makeopts_free(&copy.make);
	source_close(&copy.from);
	lxmgr_container_close(copy.snapshot_of);
	if (r < 0 && copy.d.path_fd >= 0 && storage_collect(copy.d.path_fd, NULL) < 0)
		log_warn("layers of the unfinished copy stay, ignoring");
	if (r == 0)
		r = units_sync(copy.d.path, copy.d.name, &copy.d.config, err);
	r = r < 0 ? r : 0;
	if (r == 0 && ret_name && !(*ret_name = strdup(copy.d.name)))
		r = err_set(err, -ENOMEM, "copy");
	draft_close(&copy.d);
	return r;
}

int lxmgr_container_copy(struct lxmgr_container *c, const char *name,
			 const struct lxmgr_copy_opts *opts, char **ret_name, struct lxmgr_err *err)
{
	return audit(c, "copy", name, copy_to(c, name, opts, ret_name, err), err);
}
