/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Remote indexes of images (simplestreams) and what is fetched from them. A remote is
 * SYSCONFDIR/remotes/NAME.conf:
 *	url = http(s)://...	below it lie streams/v1/index.json and all it names
 *	keyring = FILE		keys whose signatures count; more lines for more; without one all of
 *				SYSCONFDIR/keys that end in .gpg
 *	signature = SUFFIX	of the detached signatures' names (default .asc)
 *	signed = no		no signatures: https only, and whoever holds the server is trusted
 * Its last index is kept as CACHEDIR/remotes/NAME/images; downloads go on where they ended, in
 * CACHEDIR/downloads.
 */
#ifndef LXMGR_IMAGE_REMOTE_H
#define LXMGR_IMAGE_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/image.h"
#include "util/str.h"

struct remote {
	char name[64], url[1024], suffix[16];
	struct strlist keys;
	bool is_unsigned;
};

int remote_read(const char *name, struct remote *ret, struct lxmgr_err *err);
void remote_free(struct remote *r);
#define cleanup_remote __attribute__((cleanup(remote_free)))
/* The names of those that are configured, sorted. */
int remote_names(struct strlist *ret, struct lxmgr_err *err);

/* What an index says of an image; the strings point into the index. */
struct remote_image {
	const char *product, *arch, *os, *release, *variant, *aliases, *version, *kind, *path,
		*sha256;
	uint64_t size;
};
/* Get the index again and check it; an older one than the last is refused. */
int remote_update(const struct remote *r, int cancel_fd, struct lxmgr_err *err);
/* Are these lines older than the last ones, in any of the files that they come from? */
bool remote_is_older(const char *now, const char *last);
/* The last index, malloc'ed. */
int remote_index(const struct remote *r, char **ret, struct lxmgr_err *err);
/* The next image of *text, which is cut up. */
bool remote_next(char **text, struct remote_image *ret);
/* The architecture's name as Debian and the indexes have it; "" or NULL: this host's. */
const char *remote_arch(const char *arch);

/* Add what of our environment says how to reach the world (proxies, certificates), that alone. */
int download_env(struct strlist *env);

struct download {
	const char *url;
	int dir;
	const char *file;  /* its name in dir */
	uint64_t max;	   /* bytes at most */
	bool go_on;	   /* what is there of it already is kept */
	bool is_encrypted; /* https also after redirections */
	int cancel_fd;
};
/* -ENOENT: the server has no such file. What arrived stays in the file. */
int download(const struct download *d, struct lxmgr_err *err);

struct fetch {
	const char *remote, *image, *arch; /* image: an alias or a product's name */
	/* With a release: image is the distribution. */
	const char *release, *variant;
	const char *name;	/* for the image here; NULL: none */
	const char *not_before; /* refuse a version older than this one; or NULL */
	bool offline;
	int timeout_ms;	    /* 0: none */
	struct image *keep; /* gets the image, open; or NULL */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
};
/* Which image of an index that is. The index is cut up. */
int fetch_find(const struct fetch *f, char *index, struct remote_image *ret, struct lxmgr_err *err);
/* *ret_digest: of the image, which is in the cache then. */
int image_fetch(const struct fetch *f, char ret_digest[IMAGE_DIGEST_LEN + 1],
		struct lxmgr_err *err);

/* Remove what was begun to be downloaded and nobody goes on with; told of each. */
int downloads_prune(bool dry_run, void (*told)(const char *digest, uint64_t size, void *arg),
		    void *arg, struct lxmgr_err *err);

#endif
