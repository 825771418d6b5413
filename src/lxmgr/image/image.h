/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image cache below CACHEDIR/images (0700 root) and the template runner.
 * A golden image is a directory <digest>/ with rootfs/ and `meta` (template, arguments, created,
 * size, os). The digest covers the template's file content and its cache-relevant arguments.
 */
#ifndef LXMGR_IMAGE_IMAGE_H
#define LXMGR_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lxmgr_err;

#define IMAGE_DIGEST_LEN 64 /* hex SHA-256 */

struct image {
	char digest[IMAGE_DIGEST_LEN + 1];
	int root_fd; /* O_PATH of rootfs/ */
	int lock_fd; /* shared lock: not deleted while held; -1 after image_close() */
};

struct template_run {
	const char *name;	 /* template name or absolute path */
	const char *const *args; /* the user's arguments after "--", NULL-terminated */
	const char *container;	 /* the container's name, told to the template */
	bool flush_cache;	 /* build again even if it is cached */
	bool quiet;
	/* Progress: a line of text and permille (-1: unknown). */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
	int timeout_ms; /* kill a template that hangs; 0: one hour */
};

/* Find the golden image of this template and arguments, or run the template and make it. Two at
 * once: the second waits for the first. An interrupt (SIGINT) or a failure leaves nothing. */
int image_from_template(const struct template_run *t, struct image *ret, struct lxmgr_err *err);
/* What the template says of its options (its --help), to be freed. */
int image_template_help(const char *name, char **ret, struct lxmgr_err *err);
/* What a template that downloads images can get, as a table, to be freed. */
int image_template_list(const char *name, const char *const *args, char **ret,
			struct lxmgr_err *err);
/* Open by digest. */
int image_open(const char *digest, struct image *ret, struct lxmgr_err *err);
/* By what image_resolve() takes. */
int image_open_named(const char *name, struct image *ret, struct lxmgr_err *err);
void image_close(struct image *img);
/* Verify a tree that a template left: no device nodes but the usual ones, no nested mounts, a
 * real directory as root, not a link; setuid kept; sockets and over-long names refused. And how
 * much of the disk it takes. */
int image_verify_tree(int rootfd, uint64_t *ret_bytes, struct lxmgr_err *err);
/* Called for each cached image. */
int image_list(int (*fn)(const char *digest, int dirfd, void *arg), void *arg);
/* Refused while a container stands on it, or is made of it. Its names go with it. */
int image_delete(const char *digest, struct lxmgr_err *err);

#endif
