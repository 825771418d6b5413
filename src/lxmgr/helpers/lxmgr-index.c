/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads hostile JSON and prints what is asked for as lines (index.h). Not for users; it sees
 * nothing but standard input.
 *
 *	lxmgr-index streams | products
 *	lxmgr-index oci-index ARCH [REF] | oci-manifest | oci-config
 *
 * Status 0; 1 and one line "error TEXT" otherwise.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "helpers/confine.h"
#include "helpers/index.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define INPUT_LIMIT (64 << 20)

static int parse(int argc, char **argv, const json_t *root, FILE *out, struct lxmgr_err *err)
{
	if (str_eq(argv[1], "streams"))
		return index_streams(root, out, err);
	if (str_eq(argv[1], "products"))
		return index_products(root, out, err);
	if (str_eq(argv[1], "oci-manifest"))
		return index_oci_manifest(root, out, err);
	if (str_eq(argv[1], "oci-config"))
		return index_oci_config(root, out, err);
	if (str_eq(argv[1], "oci-index") && argc >= 3)
		return index_oci_index(root, argc > 3 ? argv[3] : NULL, argv[2], out, err);
	return err_msg(err, -EINVAL, "wrong usage");
}

static int run(int argc, char **argv, FILE *out, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	json_error_t why;
	json_t *root;
	size_t len;
	int r = read_all(0, INPUT_LIMIT, &text, &len);

	if (r < 0)
		return err_set(err, r, "read the index");
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		return err_msg(err, -EBADMSG, "it is no JSON: line %d: %.100s", why.line, why.text);
	r = parse(argc, argv, root, out, err);
	json_decref(root);
	return r;
}

int main(int argc, char **argv)
{
	/* The tree of values takes many times the text. */
	static const struct confine c = { .memory = 2ULL << 30 };
	struct lxmgr_err err = { 0 };
	char *lines = NULL, shown[400];
	size_t len = 0;
	FILE *out;

	if (argc < 2)
		return 64;
	if (confine(&c, &err) < 0) {
		printf("error %s\n", err.text);
		return 1;
	}
	/* All or nothing: no line of an index that is refused is seen. */
	out = open_memstream(&lines, &len);
	if (!out || run(argc, argv, out, &err) < 0 || fclose(out) != 0) {
		printf("error %s\n", str_escape(shown, sizeof(shown), err.text));
		return 1;
	}
	return write_all(1, lines, len) < 0;
}
