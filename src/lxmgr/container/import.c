/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The import verb: a draft whose root and config something else wrote. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/autostart.h"
#include "container/disk.h"
#include "container/draft.h"
#include "container/features.h"
#include "container/import.h"
#include "container/import_config.h"
#include "container/import_foreign.h"
#include "container/import_root.h"
#include "container/makeopts.h"
#include "container/personalize.h"
#include "container/setup_run.h"
#include "container/units.h"
#include "image/interrupt.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"

#define CONFIG_LIMIT (1 << 20)
/* A draft's name until the archive says its own. */
#define NAMELESS "import"

/* A format is a line here. */
const struct import_format *const import_formats[] = {
	&import_lxmgr, &import_vzdump, &import_lxc, &import_openvz, &import_oci, &import_tar, NULL
};

const char *lxmgr_import_format(size_t i, const char **ret_help)
{
	for (size_t k = 0; import_formats[k]; k++)
		if (k == i) {
			*ret_help = import_formats[k]->help;
			return import_formats[k]->name;
		}
	return NULL;
}

struct import {
	struct draft d;
	struct import_source from;
	const struct import_format *format;
	struct import_parts parts;
	struct import_merge merge; /* what was not taken of its config */
	struct strlist notices;	   /* of its limits */
	bool no_disk;		   /* a limit of the disk that it brings cannot be held here */
	const struct lxmgr_import_opts *o;
	char *plain; /* of "DIR@POINT": DIR */
};

void import_parts_free(struct import_parts *p)
{
	free(p->config);
	free(p->name);
	free(p->subdir);
	strlist_free(&p->notices);
	fd_close(&p->root_fd);
	fd_close(&p->archive_fd);
}

bool import_has_member(const struct import_source *s, const char *name)
{
	for (size_t i = 0; i < s->members.n; i++) {
		const char *m = s->members.v[i];

		while (str_has_prefix(m, "./"))
			m += 2;
		if (str_eq(m, name))
			return true;
	}
	return false;
}

/* The source. */

/* A file whose name has an '@' is that file; else what stands behind the last one is a point. */
static int open_path(struct import *im, const char *path, struct lxmgr_err *err)
{
	const char *at = strrchr(path, '@');
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, fd = open(path, flags);

	if (fd < 0 && errno == ENOENT && at && at[1]) {
		im->plain = strdup(path);
		if (!im->plain)
			return err_set(err, -ENOMEM, "import");
		im->plain[at - path] = '\0';
		fd = open(im->plain, flags | O_DIRECTORY);
		im->from.point = at + 1;
		errno = fd < 0 ? ENOENT : 0;
	}
	return fd < 0 ? err_set(err, -errno, "open '%s'", path) : fd;
}

/* A named pipe that was opened without waiting looks as at its end until somebody writes to it. */
static int wait_writer(const struct import_source *s, struct lxmgr_err *err)
{
	struct pollfd p[] = { { .fd = s->fd, .events = POLLIN },
			      { .fd = s->cancel_fd, .events = POLLIN } };
	int n;

	do
		n = poll(p, ARRAY_SIZE(p), -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, -errno, "wait for '%s'", s->path);
	return p[1].revents ? err_msg(err, -ECANCELED, "interrupted") : 0;
}

static int open_source(struct import *im, const char *path, struct lxmgr_err *err)
{
	struct import_source *s = &im->from;
	bool is_stdin = str_eq(path, "-");
	int r;

	s->path = path;
	s->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open_path(im, path, err);
	if (s->fd < 0)
		return is_stdin ? err_set(err, -errno, "open the standard input") : s->fd;
	if (fstat(s->fd, &s->st) < 0)
		return err_set(err, -errno, "look at '%s'", path);
	if (S_ISBLK(s->st.st_mode) || S_ISSOCK(s->st.st_mode))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is no file, pipe or directory",
				  path);
	r = !is_stdin && S_ISFIFO(s->st.st_mode) ? wait_writer(s, err) : 0;
	if (r < 0)
		return r;
	r = is_stdin ? 0 : fd_nonblock(s->fd, false);
	if (r < 0)
		return err_set(err, r, "open '%s'", path);
	/* One whose format is known is not looked into. */
	if (S_ISREG(s->st.st_mode) && !(im->o->format && str_eq(im->o->format, import_lxmgr.name)))
		r = import_list_members(s, err);
	return r;
}

static int unknown_format(const char *name, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };

	for (size_t i = 0; import_formats[i]; i++)
		strbuf_addf(&b, "%s%s", i ? ", " : "", import_formats[i]->name);
	return err_status(err, STATUS_USAGE, -EINVAL, "there is no format '%.80s'; there are %s",
			  name, b.failed ? "" : b.s);
}

static int find_format(struct import *im, struct lxmgr_err *err)
{
	const struct import_source *s = &im->from;
	const char *want = im->o->format;

	/* A stream can be read once: nobody looks at it before. */
	if (!want && !S_ISREG(s->st.st_mode) && !S_ISDIR(s->st.st_mode))
		want = import_lxmgr.name;
	for (size_t i = 0; import_formats[i]; i++) {
		int r = want ? str_eq(import_formats[i]->name, want)
			     : import_formats[i]->probe(s, err);

		if (r < 0)
			return r;
		if (S_ISREG(s->st.st_mode) && lseek(s->fd, 0, SEEK_SET) < 0)
			return err_set(err, -errno, "read '%s'", s->path);
		im->format = import_formats[i];
		if (r > 0)
			return 0;
	}
	if (want)
		return unknown_format(want, err);
	return err_status(err, STATUS_REFUSED, -EBADMSG,
			  "'%s' is nothing that can be imported%s%s (--format says what it is)",
			  s->path, *s->why ? ": " : "", s->why);
}

/* The root. */

/* Nothing is shared with anything. */
static const char *backend_of(const struct import *im)
{
	const char *b = im->o->backend;

	return !b || str_eq(b, "best") ? "dir" : b;
}

/* cfg: what is known of the config by now. */
static int make_storage(struct import *im, const struct config *cfg, struct lxmgr_err *err)
{
	cleanup_makeopts struct makeopts m = { .backend = backend_of(im),
					       .fstype = im->o->fstype,
					       .fssize = im->o->fssize,
					       .name = im->d.name };
	struct storage_limit limit = disk_wanted(cfg);
	const struct storage_ops *ops;
	struct storage st;
	int r = makeopts_resolve(&m, err);

	if (r < 0)
		return r;
	ops = storage_choose(m.backend, im->d.dir_fd, true, err);
	if (!ops)
		return err ? err->code : -EINVAL;
	m.make.limit = &limit;
	/* A project is one container's, by its name: what has none yet gets it later. */
	if (cfg == &im->d.config)
		r = disk_reserve(cfg, ops, im->d.id, im->d.dir_fd, &limit, err);
	else if (ops->project)
		limit = (struct storage_limit){ 0 };
	if (r == 0)
		r = storage_create_as(&st, &m.make, ops->name, im->d.dir_fd, NULL, -1, true, err);
	if (r == 0)
		storage_close(&st);
	return r;
}

static int fill_root(struct import *im, struct lxmgr_err *err)
{
	struct import_fill f = {
		.from = &im->from,
		.format = im->format,
		.parts = &im->parts,
		.progress = im->o->progress,
		.progress_arg = im->o->progress_arg,
	};
	char path[DRAFT_PATH_SIZE];

	f.ct_fd = im->d.dir_fd;
	f.path = draft_path(&im->d, path);
	return import_fill_root(&f, err);
}

/* The config. */

/* To the draft's text, or to early. */
static int add_define(struct import *im, const char *define, struct config *early,
		      struct lxmgr_err *err)
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
	r = early ? config_set(early, key, value, err) : draft_set(&im->d, key, value, err);
	return r < 0 ? err_prefix(err, "--define: key '%.80s'", key) : 0;
}

static int read_base(char **ret, struct lxmgr_err *err)
{
	const char *base = SYSCONFDIR "/default.conf";
	int r = read_file_at(AT_FDCWD, base, CONFIG_LIMIT, ret, NULL);

	if (r == -ENOENT)
		r = (*ret = strdup("")) ? 0 : -ENOMEM;
	return r < 0 ? err_set(err, r, "read '%s'", base) : 0;
}

/* What is known before an archive is unpacked that holds its config. A key that is none is found
 * now; what keys say of one another is, when all are there. */
static int early_config(struct import *im, struct config *c, struct lxmgr_err *err)
{
	cleanup_free char *base = NULL;
	int r = im->o->trust ? 0 : read_base(&base, err);

	if (r == 0 && base)
		r = config_read_text(c, base, strlen(base), SYSCONFDIR "/default.conf", err);
	for (size_t i = 0; r == 0 && im->o->defines && im->o->defines[i]; i++)
		r = add_define(im, im->o->defines[i], c, err);
	return r;
}

static int tell_left_out(struct import *im, struct lxmgr_err *err)
{
	const struct strlist *left_out = &im->merge.left_out;
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *shown = NULL;

	for (size_t i = 0; i < left_out->n && b.len < 300; i++)
		strbuf_addf(&b, "%slxmgr.%s", i ? ", " : "", left_out->v[i]);
	shown = b.len ? malloc(b.len * 4 + 1) : NULL;
	if (!left_out->n)
		return 0;
	if (b.failed || !shown ||
	    strlist_addf(&im->merge.notices,
			 "of its config is left out what names things of the host: %s (--trust "
			 "takes it)",
			 str_escape(shown, b.len * 4 + 1, b.s)) < 0)
		return err_set(err, -ENOMEM, "config");
	return 0;
}

/* What this host's new containers start from, and of its config what is harmless. */
static int merge_config(struct import *im, struct lxmgr_err *err)
{
	int r = read_base(&im->d.text, err);

	import_merge_free(&im->merge);
	im->merge.mac = im->o->keep_mac;
	im->merge.addresses = im->o->keep_addresses;
	im->merge.no_disk = im->no_disk;
	if (r == 0 && im->parts.config)
		r = import_config_merge(&im->d.text, im->parts.config, &im->merge, err);
	return r < 0 ? r : tell_left_out(im, err);
}

static int unset_net(struct import *im, const struct net_spec *net, struct lxmgr_err *err)
{
	static const struct {
		const char *key;
		bool is_address;
	} keys[] = { { "hwaddr", false },      { "ipv4.address", true }, { "ipv4.gateway", true },
		     { "ipv6.address", true }, { "ipv6.gateway", true }, { "veth.pair", false } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		char key[64];

		if (keys[i].is_address ? im->o->keep_addresses || net->managed || !net->n_addr
				       : im->o->keep_mac && str_eq(keys[i].key, "hwaddr"))
			continue;
		snprintf(key, sizeof(key), "lxmgr.net.%u.%s", net->index, keys[i].key);
		r = draft_set(&im->d, key, NULL, err);
	}
	return r;
}

/* All of it, but what two containers cannot both have, and what says where the root was. */
static int whole_config(struct import *im, struct lxmgr_err *err)
{
	static const char *const gone[] = { "lxmgr.rootfs.path", "lxmgr.rootfs.options",
					    "lxmgr.ephemeral" };
	static const char *const disk[] = { "lxmgr.limit.disk", "lxmgr.limit.inodes" };
	bool privileged;
	int r;

	im->d.text = strdup(im->parts.config ? im->parts.config : "");
	if (!im->d.text)
		return err_set(err, -ENOMEM, "config");
	r = draft_parse(&im->d, "the imported config", err);
	privileged = im->d.config.idmap_policy == IDMAP_NONE;
	for (size_t i = 0; r == 0 && i < im->d.config.n_nets; i++)
		r = unset_net(im, &im->d.config.nets[i], err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(gone); i++)
		r = draft_set(&im->d, gone[i], NULL, err);
	for (size_t i = 0; r == 0 && im->no_disk && i < ARRAY_SIZE(disk); i++)
		r = draft_set(&im->d, disk[i], NULL, err);
	/* A block of ids of its own. */
	if (r == 0 && !privileged)
		r = draft_set(&im->d, "lxmgr.idmap", NULL, err);
	return r;
}

static int make_config(struct import *im, char old_name[64], struct lxmgr_err *err)
{
	char buf[HOSTNAME_SIZE];
	int r;

	free(take_ptr(im->d.text));
	r = im->o->trust ? whole_config(im, err) : merge_config(im, err);
	if (r == 0)
		r = draft_parse(&im->d, "the imported config", err);
	if (r < 0)
		return r;
	snprintf(old_name, 64, "%.63s",
		 im->d.config.uts_name				   ? im->d.config.uts_name
		 : im->parts.name && name_is_valid(im->parts.name) ? im->parts.name
								   : im->d.name);
	if (im->d.config.uts_name && !im->o->keep_name)
		r = draft_set(&im->d, "lxmgr.uts.name", hostname_from_name(im->d.name, buf), err);
	/* Else start would write the container's name. */
	if (!im->d.config.uts_name && im->o->keep_name && !str_eq(old_name, im->d.name))
		r = hostname_is_valid(old_name)
			    ? draft_set(&im->d, "lxmgr.uts.name", old_name, err)
			    : err_status(err, STATUS_REFUSED, -EINVAL,
					 "the host name '%s' cannot be kept: a config cannot have "
					 "it (lxmgr.uts.name)",
					 old_name);
	for (size_t i = 0; r == 0 && im->o->defines && im->o->defines[i]; i++)
		r = add_define(im, im->o->defines[i], NULL, err);
	if (r == 0)
		r = draft_parse(&im->d, "the imported config", err);
	return r < 0 ? r : auto_check_after(im->d.path, im->d.name, &im->d.config, err);
}

/* What lxmgr-setup set of the network of the container that it was, which may be there still. */
static int forget_network(struct import *im, const char *path, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int r = 0;

	if (im->o->keep_addresses)
		return setup_note_network(im->d.dir_fd, err);
	if (setup_run_forget_stopped(im->d.dir_fd, path, &im->d.config, &why) < 0)
		r = strlist_addf(&im->notices, "its network stays as lxmgr-setup set it: %s",
				 why.text);
	return r < 0 ? err_set(err, r, "import") : 0;
}

static int make_its_own(struct import *im, const char *old_name, struct lxmgr_err *err)
{
	const char *name = im->d.config.uts_name ? im->d.config.uts_name : im->d.name;
	struct personalize p = {
		.hostname = name,
		.old_hostname = im->o->keep_name ? NULL : old_name,
		.new_host_keys = !im->o->keep_identity,
		.keep_machine_id = im->o->keep_identity,
		.ret_no_keys = im->o->ret_no_keys,
	};
	char path[DRAFT_PATH_SIZE];
	int r = personalize_root(im->d.dir_fd, draft_path(&im->d, path), &im->d.config.storage, &p,
				 err);

	/* Of others' archives the files are theirs. */
	return r < 0 || im->format != &import_lxmgr ? r : forget_network(im, path, err);
}

/* The name that it is to have, now that all of it was read. */
static int settle_name(struct import *im, struct lxmgr_err *err)
{
	const char *name = im->o->name ? im->o->name : im->parts.name;

	if (!name || !name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "what is imported has no name; give it one (-n NAME)");
	return draft_rename(&im->d, name, err);
}

/* Where the root is not made yet it can be limited; else it is, however much it holds. */
static int limit_disk(struct import *im, bool filled, struct lxmgr_err *err)
{
	const struct storage_ops *ops = storage_choose(backend_of(im), im->d.path_fd, true, err);
	struct storage st;
	int r;

	if (!ops)
		return err ? err->code : -EINVAL;
	if (!filled)
		return disk_check(&im->d.config, ops, im->d.path_fd, err);
	r = storage_open(&st, im->d.dir_fd, &im->d.config.storage, err);
	if (r < 0)
		return r;
	r = disk_apply(&im->d.config, &st, im->d.id, im->d.path_fd, false, err);
	storage_close(&st);
	return r;
}

/* Its name and config, which has no limit of the disk but such as can be held: no start would
 * succeed with another. One that it brings is left out; one that was asked for is refused. */
static int settle(struct import *im, bool filled, char old_name[64], struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int r = settle_name(im, err);

	if (r == 0)
		r = make_config(im, old_name, err);
	if (r < 0)
		return r;
	r = limit_disk(im, filled, &why);
	if (r < 0 && why.status == STATUS_REFUSED) {
		im->no_disk = true;
		r = make_config(im, old_name, err);
		if (r == 0)
			r = limit_disk(im, filled, err);
		if (r == 0 && strlist_addf(&im->notices,
					   "the limit of the disk in its config is left out: %s",
					   why.text) < 0)
			r = err_set(err, -ENOMEM, "import");
	} else if (r < 0 && err) {
		*err = why;
	}
	return r;
}

/* The root and the config: formats with begin() know the config before, others behind. */
static int make_root(struct import *im, char old_name[64], struct lxmgr_err *err)
{
	struct config early;
	int r = 0;

	config_init(&early);
	if (im->format->begin) {
		r = im->format->begin(&im->from, &im->parts, err);
		if (r == 0)
			r = settle(im, false, old_name, err);
	} else {
		r = early_config(im, &early, err);
	}
	if (r == 0)
		r = make_storage(im, im->format->begin ? &im->d.config : &early, err);
	if (r == 0)
		r = fill_root(im, err);
	if (r == 0 && !im->format->begin)
		r = settle(im, true, old_name, err);
	config_free(&early);
	return r;
}

static int build(struct import *im, struct lxmgr_err *err)
{
	struct label_progress progress = { im->o->progress, im->o->progress_arg };
	char old_name[64];
	int r = im->o->name ? draft_make_dir(&im->d, err) : draft_make_beside(&im->d, err);

	if (r == 0)
		r = make_root(im, old_name, err);
	if (r == 0)
		r = draft_reserve(&im->d, err);
	if (r == 0)
		r = make_its_own(im, old_name, err);
	if (r == 0)
		r = draft_shift_root(&im->d, err);
	if (r == 0)
		r = draft_label(&im->d, &progress, err);
	return r < 0 ? r : draft_publish(&im->d, err);
}

static void tell_notices(const struct import *im)
{
	const struct strlist *const all[] = { &im->parts.notices, &im->merge.notices,
					      &im->notices };
	char shown[1024];

	for (size_t k = 0; im->o->warn && k < ARRAY_SIZE(all); k++)
		for (size_t i = 0; i < all[k]->n; i++)
			im->o->warn(str_escape(shown, sizeof(shown), all[k]->v[i]),
				    im->o->warn_arg);
}

/* A block of ids as large as what it is to be allowed wants. A bad define is told later. */
static uint32_t ids_of(const char *const *defines)
{
	struct config as;
	uint32_t ids;

	config_init(&as);
	for (; defines && *defines; defines++) {
		cleanup_free char *copy = strdup(*defines);
		char *eq = copy ? strchr(copy, '=') : NULL;

		if (!eq)
			continue;
		*eq = '\0';
		if (str_eq(str_strip(copy), "lxmgr.features"))
			config_set(&as, "lxmgr.features", str_strip(eq + 1), NULL);
	}
	ids = features_ids(&as);
	config_free(&as);
	return ids;
}

static int bounds(struct import *im, struct lxmgr_err *err)
{
	const struct lxmgr_import_opts *o = im->o;
	struct import_source *s = &im->from;

	if (o->max_size && (parse_size(o->max_size, &s->max_size) < 0 || !s->max_size))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.80s' is no size", o->max_size);
	if (o->max_entries && (parse_size(o->max_entries, &s->max_entries) < 0 || !s->max_entries))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.80s' is no number of files",
				  o->max_entries);
	s->ids = ids_of(o->defines);
	return 0;
}

static int import(const char *path, const char *source, const struct lxmgr_import_opts *opts,
		  char **ret_name, struct lxmgr_err *err)
{
	struct import im = { .o = opts,
			     .parts = { .root_fd = -EBADF, .archive_fd = -EBADF },
			     .from = { .fd = -EBADF, .trust = opts->trust } };
	struct interrupt i;
	int r = draft_open(&im.d, path, opts->name ? opts->name : NAMELESS, err);

	if (r == 0)
		r = bounds(&im, err);
	interrupt_begin(&i);
	im.from.cancel_fd = i.fd;
	if (r == 0)
		r = open_source(&im, source, err);
	if (r == 0)
		r = find_format(&im, err);
	if (r == 0) {
		r = build(&im, err);
		if (r < 0)
			draft_give_up(&im.d);
	}
	interrupt_end(&i);
	if (r == 0)
		r = units_sync(im.d.path, im.d.name, &im.d.config, err) < 0 ? err->code : 0;
	if (r == 0 && !(*ret_name = strdup(im.d.name)))
		r = err_set(err, -ENOMEM, "import");
	if (r == 0)
		tell_notices(&im);
	import_parts_free(&im.parts);
	import_merge_free(&im.merge);
	strlist_free(&im.notices);
	strlist_free(&im.from.members);
	fd_close(&im.from.fd);
	free(im.plain);
	draft_close(&im.d);
	return r;
}

int lxmgr_container_import(const char *path, const char *source,
			   const struct lxmgr_import_opts *opts, char **ret_name,
			   struct lxmgr_err *err)
{
	char *name = NULL;
	int r = import(path, source, opts, &name, err);

	audit_name(path, name ? name : opts->name, "import", source, r, err);
	if (ret_name)
		*ret_name = name;
	else
		free(name);
	return r;
}
