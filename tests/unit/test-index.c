/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hostile indexes: what is refused, what comes out of a good one. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "helpers/index.h"
#include "util/cleanup.h"
#include "util/err.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef int (*index_fn)(const json_t *root, FILE *out, struct lxmgr_err *err);

static int run(index_fn fn, const char *text, char **ret)
{
	struct lxmgr_err err = { 0 };
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	size_t len;
	FILE *out = open_memstream(ret, &len);
	int r;

	assert_non_null(root);
	r = fn(root, out, &err);
	fclose(out);
	json_decref(root);
	assert_true(r == 0 || *err.text);
	return r;
}

static void good(index_fn fn, const char *text, const char *want)
{
	cleanup_free char *out = NULL;

	assert_int_equal(run(fn, text, &out), 0);
	assert_string_equal(out, want);
}

static void bad(index_fn fn, const char *text)
{
	cleanup_free char *out = NULL;

	if (run(fn, text, &out) == 0)
		fail_msg("taken: %s", text);
}

#define INDEX(path, updated)                                                      \
	"{\"format\":\"index:1.0\",\"updated\":" updated                          \
	",\"index\":{\"images\":{\"datatype\":\"image-downloads\",\"path\":" path \
	"},\"other\":{\"datatype\":\"else\",\"path\":5}}}"

static void test_streams(void **state)
{
	good(index_streams,
	     INDEX("\"streams/v1/images.json\"", "\"Thu, 01 Jan 1970 00:01:40 +0000\""),
	     "updated\t100\npath\tstreams/v1/images.json\n");
	good(index_streams, INDEX("\"a\"", "7"), "updated\t0\npath\ta\n");
	good(index_streams, INDEX("\"a\"", "\"Thu, 01 Jan 1970 00:01:40 +0100\""),
	     "updated\t0\npath\ta\n");
	static const char *const paths[] = { "\"../x\"",      "\"/etc/passwd\"",
					     "\"a/../b\"",    "\"http://h/x\"",
					     "\"a\\nb\"",     "\"a\\tb\"",
					     "\"a?b\"",	      "\"a b\"",
					     "\"\"",	      "5",
					     "null",	      "[]",
					     "\"-x\\u007f\"", "\"a#b\"",
					     "\"a%2e%2e/b\"" };
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char text[400];

		snprintf(text, sizeof(text), INDEX("%s", "\"\""), paths[i]);
		bad(index_streams, text);
	}
	bad(index_streams, "[]");
	bad(index_streams, "{}");
	bad(index_streams, "{\"format\":\"index:2.0\",\"index\":{}}");
	bad(index_streams, "{\"format\":\"index:1.0\",\"index\":[]}");
	bad(index_streams, "{\"format\":\"index:1.0\",\"index\":{}}");
}

#define PRODUCT(arch, versions)                                                      \
	"{\"format\":\"products:1.0\",\"products\":{\"d:12\":{\"arch\":" arch        \
	",\"os\":\"Debian\",\"release\":\"12\",\"variant\":\"default\",\"aliases\":" \
	"\"debian/12,d\",\"versions\":" versions "}}}"
#define ITEM(ftype, path, sha, size)                                                   \
	"{\"items\":{\"i\":{\"ftype\":\"" ftype "\",\"path\":" path ",\"sha256\":" sha \
	",\"size\":" size "}}}"
#define GOOD_ITEM ITEM("root.tar.xz", "\"i/r.tar.xz\"", "\"" SHA "\"", "5")

static void test_products(void **state)
{
	static const char *const paths[] = { "\"../r\"", "\"/r\"", "7", "\"a\\nb\"" };
	static const char *const shas[] = { "\"\"",
					    "\"0123\"",
					    "7",
					    "null",
					    "\"" SHA "0\"",
					    "\"0123456789ABCDEF0123456789abcdef0123456789abcdef"
					    "0123456789abcdef\"" };
	static const char *const sizes[] = { "0",     "-1",   "1.5",
					     "\"5\"", "null", "9223372036854775807" };
	char text[1000];

	good(index_products, PRODUCT("\"amd64\"", "{\"1\":" GOOD_ITEM "}"),
	     "updated\t0\nimage\td:12\tamd64\tDebian\t12\tdefault\tdebian/12,d\t1\ttar\ti/"
	     "r.tar.xz\t" SHA "\t5\n");
	/* The newest that has a root; one with none of a kind that is known is not there. */
	good(index_products,
	     PRODUCT("\"amd64\"",
		     "{\"1\":" GOOD_ITEM
		     ",\"2\":" ITEM("squashfs", "\"s\"", "\"" SHA "\"",
				    "6") ",\"3\":" ITEM("disk.img", "\"../../q\"", "7", "8") "}"),
	     "updated\t0\nimage\td:12\tamd64\tDebian\t12\tdefault\tdebian/"
	     "12,d\t2\tsquashfs\ts\t" SHA "\t6\n");
	good(index_products, PRODUCT("\"amd64\"", "{}"), "updated\t0\n");
	good(index_products, PRODUCT("\"amd64\"", "[]"), "updated\t0\n");
	bad(index_products, PRODUCT("\"\"", "{\"1\":" GOOD_ITEM "}"));
	bad(index_products, PRODUCT("\"a\\tb\"", "{\"1\":" GOOD_ITEM "}"));
	bad(index_products, PRODUCT("\"amd64\"", "{\"1\\n\":" GOOD_ITEM "}"));
	bad(index_products, PRODUCT("\"amd64\"", "{\"\":" GOOD_ITEM "}"));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		snprintf(text, sizeof(text),
			 PRODUCT("\"x\"",
				 "{\"1\":" ITEM("root.tar.xz", "%s", "\"" SHA "\"", "5") "}"),
			 paths[i]);
		bad(index_products, text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(shas); i++) {
		snprintf(text, sizeof(text),
			 PRODUCT("\"x\"", "{\"1\":" ITEM("root.tar.xz", "\"p\"", "%s", "5") "}"),
			 shas[i]);
		bad(index_products, text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(text, sizeof(text),
			 PRODUCT("\"x\"",
				 "{\"1\":" ITEM("root.tar.xz", "\"p\"", "\"" SHA "\"", "%s") "}"),
			 sizes[i]);
		bad(index_products, text);
	}
	bad(index_products, "{\"format\":\"products:1.0\",\"products\":[]}");
}

#define DESC(type, extra) \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" SHA "\",\"size\":5" extra "}"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define LAYER	 "application/vnd.oci.image.layer.v1.tar+gzip"
#define NAMED	 ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}"
#define ARM	 ",\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}"

static int oci_index(const json_t *root, FILE *out, struct lxmgr_err *err)
{
	return index_oci_index(root, NULL, "amd64", out, err);
}

static int oci_tag(const json_t *root, FILE *out, struct lxmgr_err *err)
{
	return index_oci_index(root, "v1", "amd64", out, err);
}

static void test_oci(void **state)
{
	good(oci_index, "{\"manifests\":[" DESC(MANIFEST, "") "," DESC(MANIFEST, ARM) "]}",
	     "manifest\t" SHA "\t5\n");
	good(oci_tag, "{\"manifests\":[" DESC(MANIFEST, "") "," DESC(MANIFEST, NAMED) "]}",
	     "manifest\t" SHA "\t5\n");
	bad(oci_index, "{\"manifests\":[" DESC(MANIFEST, "") "," DESC(MANIFEST, "") "]}");
	bad(oci_tag, "{\"manifests\":[" DESC(MANIFEST, "") "]}");
	bad(oci_index, "{\"manifests\":[" DESC("text/html", "") "]}");
	bad(oci_index, "{\"manifests\":[{\"mediaType\":\"" MANIFEST
		       "\",\"digest\":\"sha256:../../../etc/shadow\",\"size\":5}]}");
	bad(oci_index, "{\"manifests\":[{\"mediaType\":\"" MANIFEST "\",\"digest\":\"md5:" SHA
		       "\",\"size\":5}]}");
	bad(oci_index, "{\"manifests\":[5,null,\"x\",[]]}");
	bad(oci_index, "{\"manifests\":{}}");
	good(index_oci_manifest,
	     "{\"schemaVersion\":2,\"config\":" DESC("c", "") ",\"layers\":[" DESC(LAYER, "") "]}",
	     "config\t" SHA "\t5\nlayer\t" SHA "\t5\n");
	bad(index_oci_manifest,
	    "{\"schemaVersion\":2,\"config\":" DESC("c", "") ",\"layers\":[" DESC("x", "") "]}");
	bad(index_oci_manifest, "{\"schemaVersion\":2,\"config\":" DESC("c", "") ",\"layers\":[]}");
	bad(index_oci_manifest, "{\"schemaVersion\":2,\"layers\":[" DESC(LAYER, "") "]}");
}

#define CONFIG(c) "{\"architecture\":\"amd64\",\"config\":" c "}"

static void test_oci_config(void **state)
{
	good(index_oci_config,
	     CONFIG("{\"User\":\"1:2\",\"WorkingDir\":\"/w\",\"Env\":[\"A=b c\",\"E=\"],"
		    "\"Entrypoint\":[\"/a\",\"\"],\"Cmd\":[\"x y\"]}"),
	     "arch\tamd64\nuser\t1:2\ncwd\t/w\nenv\tA=b c\nenv\tE=\narg\t/a\narg\t\narg\tx y\n");
	good(index_oci_config, CONFIG("{\"User\":\"\",\"Env\":null}"), "arch\tamd64\n");
	good(index_oci_config, CONFIG("null"), "arch\tamd64\n");
	/* Data that would become a line, and so a key, of its own. */
	bad(index_oci_config, CONFIG("{\"Env\":[\"A=b\\nlxmgr.hook.pre-start = /x\"]}"));
	bad(index_oci_config, CONFIG("{\"Env\":[\"A=b\\rx\"]}"));
	bad(index_oci_config, CONFIG("{\"Env\":[\"A\"]}"));
	bad(index_oci_config, CONFIG("{\"Env\":[\"=x\"]}"));
	bad(index_oci_config, CONFIG("{\"Env\":[7]}"));
	bad(index_oci_config, CONFIG("{\"Env\":\"A=b\"}"));
	bad(index_oci_config, CONFIG("{\"WorkingDir\":\"/a\\nb\"}"));
	bad(index_oci_config, CONFIG("{\"User\":5}"));
	bad(index_oci_config, CONFIG("{\"Cmd\":[\"a\\tb\"]}"));
	bad(index_oci_config, "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_oci),
		cmocka_unit_test(test_oci_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
