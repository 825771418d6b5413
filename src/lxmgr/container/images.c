/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs on images. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/audit.h"
#include "image/cache.h"
#include "image/digest.h"
#include "image/interrupt.h"
#include "image/names.h"
#include "image/remote.h"
#include "image/store.h"
#include "image/users.h"
#include "lxmgr.h"
#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define IMPORT_LIMIT (64ULL << 30)

static void image_clear(struct lxmgr_image *i)
{
	struct strlist names = { i->names, i->n_names }, users = { i->users, i->n_users };

	strlist_free(&names);
	strlist_free(&users);
	free(i->origin);
	free(i->arch);
	free(i->os);
	free(i->release);
	free(i->variant);
	free(i->version);
	memset(i, 0, sizeof(*i));
}

void lxmgr_image_list_free(struct lxmgr_image *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		image_clear(&list[i]);
	free(list);
}

struct gather {
	struct lxmgr_image *list;
	size_t n;
	int cache;
	struct lxmgr_err *err;
};

static struct lxmgr_image *add(struct gather *g)
{
	struct lxmgr_image *p = realloc(g->list, (g->n + 1) * sizeof(*p));

	if (!p)
		return NULL;
	g->list = p;
	p += g->n++;
	memset(p, 0, sizeof(*p));
	return p;
}

static bool fill_texts(struct lxmgr_image *i, const struct image_meta *m)
{
	i->origin = strdup(m->origin);
	i->arch = strdup(m->arch);
	i->os = strdup(m->os);
	i->release = strdup(m->release);
	i->variant = strdup(m->variant);
	i->version = strdup(m->version);
	return i->origin && i->arch && i->os && i->release && i->variant && i->version;
}

static int see(const char *digest, int dir, void *arg)
{
	cleanup_strlist struct strlist names = { 0 }, users = { 0 };
	struct gather *g = arg;
	struct lxmgr_image *i = add(g);
	struct image_meta m;
	struct stat st;

	if (!i)
		return -ENOMEM;
	snprintf(i->digest, sizeof(i->digest), "%s", digest);
	if (image_meta_read(dir, &m) < 0)
		memset(&m, 0, sizeof(m));
	if (!fill_texts(i, &m) || names_of(g->cache, digest, &names) < 0)
		return -ENOMEM;
	i->created = (uint64_t)m.created;
	i->size = m.size;
	if (!i->size) {
		cleanup_fd int root =
			openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (root < 0 || tree_usage(root, &i->size, NULL) < 0)
			i->size = LXMGR_UNKNOWN;
	}
	if (fstatat(dir, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0)
		i->used = (uint64_t)st.st_mtime;
	i->users_known = image_users(digest, &users, g->err) == 0;
	i->names = take_ptr(names.v);
	i->n_names = names.n;
	i->users = take_ptr(users.v);
	i->n_users = users.n;
	names.n = users.n = 0;
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	const struct lxmgr_image *x = a, *y = b;

	return strcmp(x->digest, y->digest);
}

int lxmgr_image_list(struct lxmgr_image **ret, size_t *ret_n, struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err);
	struct gather g = { .cache = cache };
	int r = cache < 0 ? cache : image_list(see, &g);

	if (cache < 0)
		return r;
	if (r < 0) {
		lxmgr_image_list_free(g.list, g.n);
		return err_set(err, r, "list the images");
	}
	if (g.n)
		qsort(g.list, g.n, sizeof(*g.list), by_digest);
	*ret = g.list;
	*ret_n = g.n;
	return 0;
}

static int resolve(const char *name, char digest[IMAGE_DIGEST_LEN + 1], struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err);

	return cache < 0 ? cache : image_resolve(cache, name, digest, err);
}

int lxmgr_image_get(const char *name, struct lxmgr_image **ret, struct lxmgr_err *err)
{
	char digest[IMAGE_DIGEST_LEN + 1];
	cleanup_fd int cache = image_cache_open(err), dir = -EBADF;
	struct gather g = { .cache = cache };
	int r = cache < 0 ? cache : image_resolve(cache, name, digest, err);

	if (r < 0)
		return r;
	dir = openat(cache, digest, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? -errno : see(digest, dir, &g);
	if (r < 0) {
		lxmgr_image_list_free(g.list, g.n);
		return err_set(err, r, "read the image %.12s", digest);
	}
	*ret = g.list;
	return 0;
}

int lxmgr_image_remotes(char ***ret, size_t *ret_n, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	int r = remote_names(&names, err);

	if (r < 0)
		return r;
	*ret_n = names.n;
	*ret = take_ptr(names.v);
	names.n = 0;
	return 0;
}

int lxmgr_image_list_remote(const char *remote, bool offline, struct lxmgr_image **ret,
			    size_t *ret_n, struct lxmgr_err *err)
{
	cleanup_remote struct remote conf = { 0 };
	cleanup_free char *index = NULL;
	struct gather g = { 0 };
	struct remote_image i;
	struct interrupt in;
	int r = remote_read(remote, &conf, err);

	if (r < 0)
		return r;
	interrupt_begin(&in);
	r = offline ? 0 : remote_update(&conf, in.fd, err);
	interrupt_end(&in);
	if (r == 0)
		r = remote_index(&conf, &index, err);
	for (char *rest = index; r == 0 && remote_next(&rest, &i);) {
		struct lxmgr_image *v = add(&g);
		cleanup_strlist struct strlist names = { 0 };
		struct image_meta m = { 0 };

		snprintf(m.origin, sizeof(m.origin), "%s:%s", remote, i.product);
		snprintf(m.arch, sizeof(m.arch), "%s", i.arch);
		snprintf(m.os, sizeof(m.os), "%s", i.os);
		snprintf(m.release, sizeof(m.release), "%s", i.release);
		snprintf(m.variant, sizeof(m.variant), "%s", i.variant);
		snprintf(m.version, sizeof(m.version), "%s", i.version);
		if (!v || !fill_texts(v, &m) || strlist_split(&names, i.aliases, ",") < 0) {
			r = err_set(err, -ENOMEM, "list images");
			break;
		}
		snprintf(v->digest, sizeof(v->digest), "%s", i.sha256);
		v->size = i.size;
		v->names = take_ptr(names.v);
		v->n_names = names.n;
		names.n = 0;
	}
	if (r < 0) {
		lxmgr_image_list_free(g.list, g.n);
		return r;
	}
	*ret = g.list;
	*ret_n = g.n;
	return 0;
}

static int give(const char *digest, char **ret, struct lxmgr_err *err)
{
	if (ret && !(*ret = strdup(digest)))
		return err_set(err, -ENOMEM, "image");
	return 0;
}

static int check_name(const char *name, struct lxmgr_err *err)
{
	return !name || image_name_is_valid(name)
		       ? 0
		       : err_status(err, STATUS_USAGE, -EINVAL,
				    "'%.120s' is no image name: 1 to 100 of A-Z a-z 0-9 _ . + / -, "
				    "a letter or digit first",
				    name);
}

static int fetch_image(const char *source, const struct lxmgr_image_opts *o, char **ret_digest,
		       struct lxmgr_err *err)
{
	const char *colon = strchr(source, ':');
	cleanup_free char *remote = colon ? strndup(source, (size_t)(colon - source)) : NULL;
	struct fetch f = { .remote = remote,
			   .image = colon ? colon + 1 : "",
			   .arch = o->arch,
			   .name = o->name ? o->name : f.image,
			   .offline = o->offline,
			   .progress = o->progress,
			   .progress_arg = o->progress_arg };
	char digest[IMAGE_DIGEST_LEN + 1];
	int r;

	if (!remote || !*f.image)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.100s' is not REMOTE:IMAGE",
				  source);
	/* A product's name has colons, which no name here has. */
	if (!o->name)
		f.name = image_name_is_valid(f.image) ? f.image : NULL;
	r = check_name(o->name, err);
	if (r == 0)
		r = image_fetch(&f, digest, err);
	return r < 0 ? r : give(digest, ret_digest, err);
}

int lxmgr_image_fetch(const char *source, const struct lxmgr_image_opts *o, char **ret_digest,
		      struct lxmgr_err *err)
{
	return audit_image(o->name ? o->name : source, "fetch", source,
			   fetch_image(source, o, ret_digest, err), err);
}

static int refresh_image(const char *name, const struct lxmgr_image_opts *o, bool *ret_changed,
			 struct lxmgr_err *err)
{
	char old[IMAGE_DIGEST_LEN + 1], digest[IMAGE_DIGEST_LEN + 1];
	cleanup_fd int cache = image_cache_open(err), dir = -EBADF;
	struct fetch f = { .name = name,
			   .offline = o->offline,
			   .progress = o->progress,
			   .progress_arg = o->progress_arg };
	struct image_meta m = { 0 };
	char *colon;
	int r = cache < 0 ? cache : check_name(name, err);

	if (r == 0)
		r = image_resolve(cache, name, old, err);
	if (r < 0)
		return r;
	dir = openat(cache, old, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? -errno : image_meta_read(dir, &m);
	if (r < 0)
		return err_set(err, r, "read what is known of '%s'", name);
	colon = strchr(m.origin, ':');
	if (!colon || !*m.version)
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "'%s' comes from no remote ('%s'): it cannot be refreshed", name,
				  m.origin);
	*colon = '\0';
	f.remote = m.origin;
	f.image = colon + 1;
	f.arch = m.arch;
	f.not_before = m.version;
	r = image_fetch(&f, digest, err);
	if (r == 0)
		*ret_changed = !str_eq(old, digest);
	return r;
}

int lxmgr_image_refresh(const char *name, const struct lxmgr_image_opts *o, bool *ret_changed,
			struct lxmgr_err *err)
{
	return audit_image(name, "refresh", NULL, refresh_image(name, o, ret_changed, err), err);
}

static int import_image(const char *file, const char *sha256, const struct lxmgr_image_opts *o,
			char **ret_digest, struct lxmgr_err *err)
{
	const char *base = strrchr(file, '/');
	char digest[65];
	struct image_archive a = { .digest = digest, .name = o->name, .max_size = IMPORT_LIMIT };
	cleanup_fd int cache = image_cache_open(err), from = -EBADF, fd = -EBADF;
	struct interrupt i;
	int r = cache < 0 ? cache : check_name(o->name, err);

	if (r < 0)
		return r;
	from = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (from < 0)
		return err_set(err, -errno, "open '%s'", file);
	fd = digest_copy(from, digest, err);
	if (fd < 0)
		return err_prefix(err, "%s", file), fd;
	if (sha256 && !str_eq(sha256, digest))
		return err_status(err, STATUS_REFUSED, -EBADMSG, "'%s' has the digest %s", file,
				  digest);
	a.fd = fd;
	snprintf(a.meta.origin, sizeof(a.meta.origin), "file %.200s", base ? base + 1 : file);
	snprintf(a.meta.arch, sizeof(a.meta.arch), "%s", remote_arch(o->arch));
	interrupt_begin(&i);
	a.cancel_fd = i.fd;
	r = image_from_archive(&a, err);
	interrupt_end(&i);
	return r < 0 ? r : give(digest, ret_digest, err);
}

int lxmgr_image_import(const char *file, const char *sha256, const struct lxmgr_image_opts *o,
		       char **ret_digest, struct lxmgr_err *err)
{
	return audit_image(o->name, "import", file, import_image(file, sha256, o, ret_digest, err),
			   err);
}

static int delete_image(const char *name, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	cleanup_fd int cache = image_cache_open(err);
	char digest[IMAGE_DIGEST_LEN + 1];
	int r = cache < 0 ? cache : image_resolve(cache, name, digest, err);

	if (r == 0)
		r = names_of(cache, digest, &names);
	if (r < 0)
		return r;
	/* One of several names: only that goes. */
	if (names.n > 1 && strlist_has(&names, name))
		return names_set(cache, name, NULL, err);
	return image_delete(digest, err);
}

int lxmgr_image_delete(const char *name, struct lxmgr_err *err)
{
	return audit_image(name, "delete", NULL, delete_image(name, err), err);
}

static void tell_download(const char *digest, uint64_t size, void *arg)
{
	const struct lxmgr_prune_opts *o = arg;
	static char origin[] = "a download that was not ended", nothing[] = "";
	struct lxmgr_image i = { .origin = origin,
				 .arch = nothing,
				 .os = nothing,
				 .release = nothing,
				 .variant = nothing,
				 .version = nothing,
				 .size = size,
				 .users_known = true };

	snprintf(i.digest, sizeof(i.digest), "%s", digest);
	o->removed(&i, o->arg);
}

static int prune_images(const struct lxmgr_prune_opts *o, struct lxmgr_err *err)
{
	struct lxmgr_image *list = NULL;
	cleanup_strlist struct strlist none = { 0 };
	struct lxmgr_err why = { 0 };
	size_t n = 0;
	int r = 0;

	/* What was forgotten is not found again until a container is made there: nothing to try. */
	if (o->dry_run && o->forget && *o->forget)
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "--forget does not go with --dry-run: what is forgotten is not "
				  "protected any more");
	for (size_t i = 0; r == 0 && o->forget && o->forget[i]; i++)
		r = image_tree_forget(o->forget[i], true, err);
	for (size_t i = 0; r == 0 && o->trees && o->trees[i]; i++) {
		char path[PATH_MAX];

		if (!realpath(o->trees[i], path)) {
			r = errno == ENOENT ? 0 : err_set(err, -errno, "resolve '%s'", o->trees[i]);
			continue;
		}
		/* In a dry run too: what its containers stand on would else be told as unused. */
		r = image_tree_add(path, err);
		/* One without containers is not kept in mind. */
		if (r == 0)
			r = image_tree_forget(path, false, err);
	}
	/* What a tree that is not there stands on is not known: nothing is deleted. */
	if (r == 0)
		r = image_users("-", &none, err);
	if (r == 0)
		r = lxmgr_image_list(&list, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (list[i].n_users || !list[i].users_known || (list[i].n_names && !o->all))
			continue;
		/* It looks again, under the image's lock. */
		if (!o->dry_run && image_delete(list[i].digest, &why) < 0) {
			if (why.status != STATUS_WRONG_STATE)
				r = err_msg(err, why.code, "%s", why.text);
			continue;
		}
		o->removed(&list[i], o->arg);
	}
	if (r == 0) {
		struct lxmgr_prune_opts told = *o;

		r = downloads_prune(o->dry_run, tell_download, &told, err);
	}
	lxmgr_image_list_free(list, n);
	return r;
}

int lxmgr_image_prune(const struct lxmgr_prune_opts *o, struct lxmgr_err *err)
{
	int r = prune_images(o, err);

	return o->dry_run
		       ? r
		       : audit_image(o->all ? "all" : "those without names", "prune", NULL, r, err);
}

int lxmgr_image_verify(const char *name, struct lxmgr_err *err)
{
	struct image img = { .root_fd = -EBADF, .lock_fd = -EBADF };
	char digest[IMAGE_DIGEST_LEN + 1], tree[65];
	cleanup_fd int dir = -EBADF;
	struct image_meta m;
	int r = resolve(name, digest, err);

	if (r == 0)
		r = image_open(digest, &img, err);
	if (r < 0)
		return r;
	dir = openat(img.root_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = image_meta_read(dir, &m);
	if (r < 0)
		err_set(err, r, "read what is known of '%s'", name);
	else if (!*m.tree)
		r = err_status(err, STATUS_REFUSED, -ENODATA,
			       "the image %.12s was made before digests of content were kept: it "
			       "cannot be verified",
			       digest);
	else
		r = digest_tree(img.root_fd, tree, err);
	image_close(&img);
	if (r == 0 && !str_eq(tree, m.tree))
		return err_msg(err, -EBADMSG,
			       "the image '%s' is not what it was: its content was changed", name);
	return r;
}
