/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "helpers/index.h"
#include "util/err.h"
#include "util/parse.h"
#include "util/str.h"

#define MAX_PRODUCTS 20000
#define MAX_VERSIONS 1000
#define MAX_SIZE     (1LL << 40)

const char *index_text(const json_t *v, size_t max)
{
	const char *s = json_string_value(v);
	size_t n = s ? strlen(s) : 0;

	if (!n || n > max || n != json_string_length(v))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return NULL;
	return s;
}

/* A path below the remote's: no scheme, no way up, nothing that a URL would read as more. */
static const char *path_of(const json_t *v)
{
	const char *s = index_text(v, 400);

	if (!s || *s == '/' || *s == '.' || strstr(s, "..") || strstr(s, "//") ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+:~/-") !=
		    strlen(s) ||
	    strstr(s, ":/"))
		return NULL;
	return s;
}

static long long updated_of(const json_t *root)
{
	const char *s = json_string_value(json_object_get(root, "updated"));
	struct tm tm = { 0 };
	const char *rest = s ? strptime(s, "%a, %d %b %Y %H:%M:%S", &tm) : NULL;
	time_t t;

	if (!rest)
		return 0;
	rest += strspn(rest, " ");
	if (!str_eq(rest, "+0000") && !str_eq(rest, "GMT") && !str_eq(rest, "UTC"))
		return 0;
	t = timegm(&tm);
	return t > 0 ? (long long)t : 0;
}

int index_streams(const json_t *root, FILE *out, struct lxmgr_err *err)
{
	json_t *index = json_object_get(root, "index");
	const char *format = json_string_value(json_object_get(root, "format"));
	const char *key;
	json_t *v;
	int n = 0;

	if (!format || !str_eq(format, "index:1.0") || !json_is_object(index))
		return err_msg(err, -EBADMSG, "it is no index of format 'index:1.0'");
	fprintf(out, "updated\t%lld\n", updated_of(root));
	json_object_foreach(index, key, v)
	{
		const char *type = json_string_value(json_object_get(v, "datatype"));
		const char *path;

		if (!type || !str_eq(type, "image-downloads"))
			continue;
		path = path_of(json_object_get(v, "path"));
		if (!path || ++n > 16)
			return err_msg(err, -EBADMSG, "it has a path that may not be, or too many");
		fprintf(out, "path\t%s\n", path);
	}
	return n ? 0 : err_msg(err, -EBADMSG, "it names no images");
}

/* The kinds of root, the one to take first. */
static const struct {
	const char *ftype, *kind;
} kinds[] = {
	{ "root.tar.xz", "tar" },
	{ "root.tar.zst", "tar" },
	{ "root.tar.gz", "tar" },
	{ "lxd_combined.tar.gz", "unified" },
	{ "incus_combined.tar.gz", "unified" },
	{ "squashfs", "squashfs" },
	{ "rootfs.squashfs", "squashfs" },
};

struct item {
	const char *kind, *path, *sha256;
	long long size;
};

/* 1: found; 0: none that we can take. */
static int best_item(json_t *version, struct item *ret, struct lxmgr_err *err)
{
	json_t *items = json_object_get(version, "items"), *best = NULL, *v;
	size_t rank = sizeof(kinds) / sizeof(*kinds);
	const char *key;

	json_object_foreach(items, key, v)
	{
		const char *ftype = json_string_value(json_object_get(v, "ftype"));

		for (size_t k = 0; k < rank; k++)
			if (str_eq(ftype ? ftype : key, kinds[k].ftype)) {
				best = v;
				rank = k;
			}
	}
	if (!best)
		return 0;
	ret->kind = kinds[rank].kind;
	ret->path = path_of(json_object_get(best, "path"));
	ret->sha256 = index_text(json_object_get(best, "sha256"), 64);
	ret->size = json_integer_value(json_object_get(best, "size"));
	if (!ret->path)
		return err_msg(err, -EBADMSG, "an image has a path that may not be");
	if (!ret->sha256 || !name_is_digest(ret->sha256))
		return err_msg(err, -EBADMSG, "'%.100s' has no SHA-256 digest", ret->path);
	if (ret->size <= 0 || ret->size > MAX_SIZE)
		return err_msg(err, -EBADMSG, "'%.100s' has no size that can be", ret->path);
	return 1;
}

static int newest(json_t *versions, const char **ret_version, struct item *ret,
		  struct lxmgr_err *err)
{
	const char *key;
	int found = 0;
	json_t *v;

	if (json_object_size(versions) > MAX_VERSIONS)
		return err_msg(err, -EBADMSG, "an image has too many versions");
	json_object_foreach(versions, key, v)
	{
		struct item item;
		int r;

		if (found && strcmp(key, *ret_version) <= 0)
			continue;
		r = best_item(v, &item, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*ret = item;
		*ret_version = key;
		found = 1;
	}
	return found;
}

static const char *field(json_t *product, const char *name)
{
	const char *s = index_text(json_object_get(product, name), 300);

	return s ? s : "";
}

static int one_product(const char *name, json_t *p, FILE *out, struct lxmgr_err *err)
{
	const char *version = NULL, *arch = field(p, "arch");
	struct item item = { 0 };
	json_t *text;
	int r = newest(json_object_get(p, "versions"), &version, &item, err);

	if (r <= 0)
		return r;
	/* Keys are as hostile as values. */
	text = json_pack("[ss]", name, version);
	if (!index_text(json_array_get(text, 0), 200) || !index_text(json_array_get(text, 1), 60) ||
	    !*arch)
		r = err_msg(err, -EBADMSG, "an image has no name, version or architecture");
	json_decref(text);
	if (r < 0)
		return r;
	fprintf(out, "image\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%lld\n", name, arch,
		field(p, "os"), field(p, "release"), field(p, "variant"), field(p, "aliases"),
		version, item.kind, item.path, item.sha256, item.size);
	return 0;
}

int index_products(const json_t *root, FILE *out, struct lxmgr_err *err)
{
	json_t *products = json_object_get(root, "products"), *v;
	const char *format = json_string_value(json_object_get(root, "format")), *key;
	int r = 0;

	if (!format || !str_eq(format, "products:1.0") || !json_is_object(products))
		return err_msg(err, -EBADMSG, "it is no list of format 'products:1.0'");
	if (json_object_size(products) > MAX_PRODUCTS)
		return err_msg(err, -EBADMSG, "it has more than %d products", MAX_PRODUCTS);
	fprintf(out, "updated\t%lld\n", updated_of(root));
	json_object_foreach(products, key, v)
	{
		r = one_product(key, v, out, err);
		if (r < 0)
			return r;
	}
	return 0;
}
