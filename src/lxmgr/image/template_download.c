/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "image/interrupt.h"
#include "image/meta.h"
#include "image/remote.h"
#include "image/template_download.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/str.h"

static const char help[] =
	"Usage: lxmgr-create -t download -n NAME -- -d DIST -r RELEASE [OPTIONS]\n"
	"\n"
	"An image of a remote (lxmgr-image(1)), whose signature is checked.\n"
	"\n"
	"Options of the template:\n"
	"  -d, --dist DIST        distribution\n"
	"  -r, --release RELEASE  its release\n"
	"  -a, --arch ARCH        architecture (default: the host's)\n"
	"      --variant VARIANT  variant (default: default)\n"
	"      --server REMOTE    the remote, or the host in its url (default: the only one)\n"
	"  -l, --list             show what there is, and make nothing\n"
	"      --flush-cache      get it again, even if it is there\n"
	"      --force-cache      take what is there, even if there is a newer one\n"
	"      --password PASS    root's password (taken by lxmgr-create)\n"
	"      --ssh-key FILE     a public key for root (taken by lxmgr-create)\n";

struct wanted {
	const char *dist, *release, *arch, *variant, *server;
	bool list, flush, force;
};

bool download_template_is(const char *name)
{
	return str_eq(name, "download");
}

int download_template_help(char **ret, struct lxmgr_err *err)
{
	*ret = strdup(help);
	return *ret ? 0 : err_set(err, -ENOMEM, "help");
}

static int refuse(const char *arg, struct lxmgr_err *err)
{
	if (str_eq(arg, "--no-validate"))
		return err_status(err, STATUS_USAGE, -EPERM,
				  "download: --no-validate is refused: signatures are checked, or "
				  "the remote's file says 'signed = no'");
	if (str_has_prefix(arg, "--keyid") || str_has_prefix(arg, "--keyserver"))
		return err_status(
			err, STATUS_USAGE, -EPERM,
			"download: %.40s is refused: the keys that count are those of the "
			"remote's file",
			arg);
	return err_status(err, STATUS_USAGE, -EINVAL,
			  "download: unknown option '%.100s' (see --help)", arg);
}

/* One argument, and its value behind it. How many were taken, or -errno. */
static int parse_one(const char *const *args, struct wanted *w, struct lxmgr_err *err)
{
	const struct {
		const char *name, *letter;
		const char **value;
		bool *flag;
	} options[] = {
		{ "--dist", "-d", &w->dist, NULL },
		{ "--release", "-r", &w->release, NULL },
		{ "--arch", "-a", &w->arch, NULL },
		{ "--variant", NULL, &w->variant, NULL },
		{ "--server", NULL, &w->server, NULL },
		{ "--list", "-l", NULL, &w->list },
		{ "--flush-cache", NULL, NULL, &w->flush },
		{ "--force-cache", NULL, NULL, &w->force },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *rest = str_after(args[0], options[i].name);
		bool whole = str_eq(args[0], options[i].name) ||
			     (options[i].letter && str_eq(args[0], options[i].letter));

		if (whole && options[i].flag) {
			*options[i].flag = true;
			return 1;
		}
		if (options[i].flag || !(whole || (rest && *rest == '=')))
			continue;
		*options[i].value = whole ? args[1] : rest + 1;
		if (!*options[i].value || !**options[i].value)
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "download: '%s' needs a value", options[i].name);
		return whole ? 2 : 1;
	}
	return refuse(args[0], err);
}

static int parse(const char *const *args, struct wanted *ret, struct lxmgr_err *err)
{
	memset(ret, 0, sizeof(*ret));
	while (args && *args) {
		int r = parse_one(args, ret, err);

		if (r < 0)
			return r;
		args += r;
	}
	if (ret->flush && ret->force)
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "download: --flush-cache and --force-cache exclude each other");
	return 0;
}

/* "images.example.org" of "https://images.example.org:8443/x". */
static bool url_has_host(const char *url, const char *host)
{
	const char *p = strstr(url, "://");
	size_t n = strlen(host);

	p = p ? p + 3 : url;
	return !strncasecmp(p, host, n) && (!p[n] || strchr(":/", p[n]));
}

static int by_host(const struct strlist *names, const char *host, struct remote *ret,
		   struct lxmgr_err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		int r = remote_read(names->v[i], ret, NULL);

		if (r == 0 && url_has_host(ret->url, host))
			return 0;
		remote_free(ret);
	}
	return err_msg(err, -ENOENT, "there is no remote '%.100s' (see lxmgr-image remotes)", host);
}

static int pick_remote(const struct wanted *w, struct remote *ret, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	int r = remote_names(&names, err);

	if (r < 0)
		return r;
	if (w->server && !strlist_has(&names, w->server))
		return by_host(&names, w->server, ret, err);
	if (w->server)
		return remote_read(w->server, ret, err);
	if (names.n == 1)
		return remote_read(names.v[0], ret, err);
	return names.n ? err_status(err, STATUS_USAGE, -EINVAL,
				    "download: there are several remotes; say which: --server=%s",
				    names.v[0])
		       : err_msg(err, -ENOENT,
				 "download: no remote is known; lxmgr-image(1) says how to name "
				 "one");
}

static struct fetch as_fetch(const struct wanted *w, const struct remote *r)
{
	return (struct fetch){ .remote = r->name,
			       .image = w->dist,
			       .release = w->release,
			       .variant = w->variant ? w->variant : "default",
			       .arch = w->arch };
}

static bool is_shown(const struct wanted *w, const struct remote_image *i)
{
	return (!w->dist || !strcasecmp(w->dist, i->os)) &&
	       (!w->release || str_eq(w->release, i->release)) &&
	       (!w->arch || str_eq(remote_arch(w->arch), remote_arch(i->arch))) &&
	       (!w->variant || str_eq(w->variant, i->variant));
}

int download_template_list(const char *const *args, char **ret, struct lxmgr_err *err)
{
	cleanup_remote struct remote remote = { 0 };
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *index = NULL;
	struct remote_image i;
	struct interrupt in;
	struct wanted w;
	int r = parse(args, &w, err);

	if (r == 0)
		r = pick_remote(&w, &remote, err);
	if (r < 0)
		return r;
	interrupt_begin(&in);
	r = w.force ? 0 : remote_update(&remote, in.fd, err);
	interrupt_end(&in);
	if (r == 0)
		r = remote_index(&remote, &index, err);
	if (r < 0)
		return r;
	strbuf_addf(&b, "%-16s %-16s %-10s %-14s %s\n", "DIST", "RELEASE", "ARCH", "VARIANT",
		    "BUILD");
	for (char *rest = index; remote_next(&rest, &i);)
		if (is_shown(&w, &i))
			strbuf_addf(&b, "%-16s %-16s %-10s %-14s %s\n", i.os, i.release, i.arch,
				    i.variant, i.version);
	*ret = strbuf_take(&b);
	return *ret ? 0 : err_set(err, -ENOMEM, "list");
}

/* The images here that come from one product of a remote. */
struct local {
	char origin[300];
	char newest[IMAGE_DIGEST_LEN + 1], version[64];
	struct strlist all;
};

static int see(const char *digest, int dir, void *arg)
{
	struct local *l = arg;
	struct image_meta m;

	if (image_meta_read(dir, &m) < 0 || !str_eq(m.origin, l->origin))
		return 0;
	if (!*l->newest || strcmp(m.version, l->version) > 0) {
		snprintf(l->newest, sizeof(l->newest), "%s", digest);
		snprintf(l->version, sizeof(l->version), "%s", m.version);
	}
	return strlist_add(&l->all, digest);
}

/* By the last index. Without one there is nothing here. */
static int look_here(const struct fetch *f, const struct remote *r, struct local *ret,
		     struct lxmgr_err *err)
{
	cleanup_free char *index = NULL;
	struct remote_image i;
	int e;

	memset(ret, 0, sizeof(*ret));
	if (remote_index(r, &index, NULL) < 0 || fetch_find(f, index, &i, NULL) < 0)
		return 0;
	snprintf(ret->origin, sizeof(ret->origin), "%s:%s", r->name, i.product);
	e = image_list(see, ret);
	return e < 0 ? err_set(err, e, "list the images") : 0;
}

static int get(const struct wanted *w, const struct remote *r, struct fetch *f, struct image *ret,
	       struct lxmgr_err *err)
{
	char digest[IMAGE_DIGEST_LEN + 1];
	struct local here;
	int e = look_here(f, r, &here, err);

	if (e == 0 && w->force && *here.newest && image_open(here.newest, ret, NULL) == 0) {
		strlist_free(&here.all);
		return 0;
	}
	for (size_t i = 0; e == 0 && w->flush && i < here.all.n; i++) {
		struct lxmgr_err why = { 0 };

		/* Containers may stand on it. */
		if (image_delete(here.all.v[i], &why) < 0)
			log_info("%s, it stays", why.text);
	}
	strlist_free(&here.all);
	f->keep = ret;
	return e < 0 ? e : image_fetch(f, digest, err);
}

int download_template_get(const struct template_run *t, struct image *ret, struct lxmgr_err *err)
{
	cleanup_remote struct remote remote = { 0 };
	struct fetch f;
	struct wanted w;
	int r = parse(t->args, &w, err);

	if (r < 0)
		return r;
	if (w.list)
		return err_status(err, STATUS_USAGE, -EINVAL, "download: -l makes nothing");
	if (!w.dist || !w.release)
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "download: a distribution and its release are needed: -d DIST -r "
				  "RELEASE (-l shows what there is)");
	if (t->flush_cache && w.force)
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "download: -F and --force-cache exclude each other");
	r = pick_remote(&w, &remote, err);
	if (r < 0)
		return r;
	w.flush |= t->flush_cache;
	f = as_fetch(&w, &remote);
	f.timeout_ms = t->timeout_ms;
	f.progress = t->progress;
	f.progress_arg = t->progress_arg;
	return get(&w, &remote, &f, ret, err);
}
