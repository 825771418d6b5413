/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "helpers/index.h"
#include "util/err.h"
#include "util/parse.h"
#include "util/str.h"

#define MAX_LAYERS   128
#define MAX_BLOB     (1LL << 40)
#define MAX_WORDS    1000
#define REF_NAME     "org.opencontainers.image.ref.name"
#define MANIFEST     "application/vnd.oci.image.manifest.v1+json"
#define IMAGE_INDEX  "application/vnd.oci.image.index.v1+json"
#define LAYER_PREFIX "application/vnd.oci.image.layer.v1.tar"

/* {mediaType, digest, size}: the digest without its algorithm, which is SHA-256. */
static int descriptor(const json_t *v, const char **ret_digest, long long *ret_size,
		      struct lxmgr_err *err)
{
	const char *d = index_text(json_object_get(v, "digest"), 80);

	d = d ? str_after(d, "sha256:") : NULL;
	if (!d || !name_is_digest(d))
		return err_msg(err, -EBADMSG, "a part of the image has no SHA-256 digest");
	*ret_digest = d;
	*ret_size = json_integer_value(json_object_get(v, "size"));
	if (*ret_size <= 0 || *ret_size > MAX_BLOB)
		return err_msg(err, -EBADMSG, "a part of the image has no size that can be");
	return 0;
}

static bool is_asked_for(const json_t *m, const char *ref, const char *arch)
{
	const char *name =
		json_string_value(json_object_get(json_object_get(m, "annotations"), REF_NAME));
	json_t *platform = json_object_get(m, "platform");
	const char *its = json_string_value(json_object_get(platform, "architecture"));
	const char *os = json_string_value(json_object_get(platform, "os"));

	if (ref && (!name || !str_eq(name, ref)))
		return false;
	return (!its || str_eq(its, arch)) && (!os || str_eq(os, "linux"));
}

int index_oci_index(const json_t *root, const char *ref, const char *arch, FILE *out,
		    struct lxmgr_err *err)
{
	json_t *list = json_object_get(root, "manifests"), *m, *found = NULL;
	const char *digest, *type;
	long long size;
	size_t i;
	int r;

	if (!json_is_array(list) || json_array_size(list) > 10000)
		return err_msg(err, -EBADMSG, "it is no OCI image index");
	json_array_foreach(list, i, m)
	{
		if (!is_asked_for(m, ref, arch))
			continue;
		if (found)
			return err_msg(err, -EBADMSG,
				       "it has several images of this name; say which tag");
		found = m;
	}
	if (!found)
		return err_msg(err, -ENOENT, "it has no image '%.100s' for %s", ref ? ref : "",
			       arch);
	type = json_string_value(json_object_get(found, "mediaType"));
	if (!type || (!str_eq(type, MANIFEST) && !str_eq(type, IMAGE_INDEX)))
		return err_msg(err, -EBADMSG, "the image's manifest is of an unknown type");
	r = descriptor(found, &digest, &size, err);
	if (r < 0)
		return r;
	fprintf(out, "%s\t%s\t%lld\n", str_eq(type, MANIFEST) ? "manifest" : "index", digest, size);
	return 0;
}

int index_oci_manifest(const json_t *root, FILE *out, struct lxmgr_err *err)
{
	json_t *layers = json_object_get(root, "layers"), *l;
	const char *digest;
	long long size;
	size_t i;
	int r;

	if (json_integer_value(json_object_get(root, "schemaVersion")) != 2 ||
	    !json_is_array(layers) || !json_array_size(layers) ||
	    json_array_size(layers) > MAX_LAYERS)
		return err_msg(err, -EBADMSG, "it is no OCI manifest with 1 to %d layers",
			       MAX_LAYERS);
	r = descriptor(json_object_get(root, "config"), &digest, &size, err);
	if (r < 0)
		return r;
	fprintf(out, "config\t%s\t%lld\n", digest, size);
	json_array_foreach(layers, i, l)
	{
		const char *type = json_string_value(json_object_get(l, "mediaType"));

		/* Neither encrypted nor to be had elsewhere. */
		if (!type || !str_has_prefix(type, LAYER_PREFIX))
			return err_msg(err, -EBADMSG, "a layer is of an unknown type");
		r = descriptor(l, &digest, &size, err);
		if (r < 0)
			return r;
		fprintf(out, "layer\t%s\t%lld\n", digest, size);
	}
	return 0;
}

static int words(const json_t *list, const char *what, FILE *out, struct lxmgr_err *err)
{
	json_t *v;
	size_t i;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > MAX_WORDS)
		return err_msg(err, -EBADMSG, "'%s' of the image is no list, or too long", what);
	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);

		/* Data may not become a line of its own. */
		if (!s || (*s && !index_text(v, 8192)))
			return err_msg(err, -EBADMSG, "'%s' of the image has a control character",
				       what);
		if (str_eq(what, "env") && (!strchr(s, '=') || *s == '='))
			return err_msg(err, -EBADMSG, "'%.80s' is no NAME=VALUE", s);
		fprintf(out, "%s\t%s\n", what, s);
	}
	return 0;
}

int index_oci_config(const json_t *root, FILE *out, struct lxmgr_err *err)
{
	static const struct {
		const char *key, *name;
	} texts[] = { { "User", "user" }, { "WorkingDir", "cwd" }, { "StopSignal", "signal" } };
	json_t *config = json_object_get(root, "config");
	const char *arch = index_text(json_object_get(root, "architecture"), 30);
	int r;

	if (!arch)
		return err_msg(err, -EBADMSG, "the image's config has no architecture");
	fprintf(out, "arch\t%s\n", arch);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *v = json_object_get(config, texts[i].key);
		const char *s = json_string_value(v);

		if (!v || json_is_null(v) || (s && !*s))
			continue;
		if (!index_text(v, 1000))
			return err_msg(err, -EBADMSG, "'%s' of the image is no plain text",
				       texts[i].key);
		fprintf(out, "%s\t%s\n", texts[i].name, s);
	}
	r = words(json_object_get(config, "Env"), "env", out, err);
	if (r == 0)
		r = words(json_object_get(config, "Entrypoint"), "arg", out, err);
	if (r == 0)
		r = words(json_object_get(config, "Cmd"), "arg", out, err);
	return r;
}
