/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lxmgr-index reads of hostile JSON, as lines of fields between tabs. A text with a control
 * character, a number out of its range, a digest or path that is none: all of it is refused.
 */
#ifndef LXMGR_HELPERS_INDEX_H
#define LXMGR_HELPERS_INDEX_H

#include <jansson.h>
#include <stdio.h>

struct lxmgr_err;

/*
 * simplestreams, streams/v1/index.json:
 *	updated SECONDS			0: not said
 *	path PATH			of each file of products with images
 */
int index_streams(const json_t *root, FILE *out, struct lxmgr_err *err);
/*
 * simplestreams, a file of products: its newest version of each product that has a root we can
 * take.
 *	updated SECONDS
 *	image PRODUCT ARCH OS RELEASE VARIANT ALIASES VERSION KIND PATH SHA256 SIZE
 * KIND is "tar" (the root), "unified" (rootfs/ beside metadata.yaml) or "squashfs".
 */
int index_products(const json_t *root, FILE *out, struct lxmgr_err *err);

/* OCI, index.json or an image index: "manifest DIGEST SIZE" or "index DIGEST SIZE" of the one that
 * ref (NULL: the only one) and architecture name. */
int index_oci_index(const json_t *root, const char *ref, const char *arch, FILE *out,
		    struct lxmgr_err *err);
/* OCI, a manifest: "config DIGEST SIZE", then "layer DIGEST SIZE" from the lowest up. */
int index_oci_manifest(const json_t *root, FILE *out, struct lxmgr_err *err);
/* OCI, an image's config: "arch", "user", "cwd", "signal" where said; "env NAME=VALUE" and "arg
 * TEXT" as many as there are. */
int index_oci_config(const json_t *root, FILE *out, struct lxmgr_err *err);

/* A string of 1 to max bytes without control characters, or NULL. */
const char *index_text(const json_t *v, size_t max);

#endif
