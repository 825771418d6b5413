/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "image/meta.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

static const struct {
	const char *key;
	size_t offset, size;
} texts[] = {
#define TEXT(name)                                                                               \
	{                                                                                        \
#name, offsetof(struct image_meta, name), sizeof(((struct image_meta *)0)->name) \
	}
	TEXT(origin), TEXT(arch), TEXT(os), TEXT(release), TEXT(variant), TEXT(version), TEXT(tree),
};

static void read_line(struct image_meta *m, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (str_eq(texts[i].key, key))
			snprintf((char *)m + texts[i].offset, texts[i].size, "%s", value);
	if (str_eq(key, "template")) {
		snprintf(m->origin, sizeof(m->origin), "template %s", value);
		/* The file's own, in the first ones. */
		*m->version = '\0';
	}
	if (str_eq(key, "created"))
		parse_i64(value, &m->created);
	else if (str_eq(key, "size"))
		parse_u64(value, &m->size);
}

int image_meta_read(int dir, struct image_meta *ret)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	int r = read_file_at(dir, "meta", 1 << 20, &text, NULL);

	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		r = strlist_split(&lines, text, "\n");
	for (size_t i = 0; r == 0 && i < lines.n; i++) {
		char *eq = strstr(lines.v[i], " = ");

		if (!eq)
			continue;
		*eq = '\0';
		read_line(ret, lines.v[i], eq + 3);
	}
	return r;
}

/* A reinstall finds here what the template `download` is asked for. */
static void add_args(struct strbuf *b, const struct image_meta *m)
{
	const char *words[] = { m->os, m->release, m->arch, m->variant };
	int n = (int)strcspn(m->origin, ":");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!*words[i] || strpbrk(words[i], "\n\r"))
			return;
	if (!m->origin[n] || !*m->version)
		return;
	strbuf_addf(b, "arg = --server=%.*s\narg = --dist=%s\narg = --release=%s\n", n, m->origin,
		    m->os, m->release);
	strbuf_addf(b, "arg = --arch=%s\narg = --variant=%s\n", m->arch, m->variant);
}

int image_meta_write(int dir, const struct image_meta *m, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	int r;

	strbuf_addf(&b, "meta = 1\n");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *value = (const char *)m + texts[i].offset;

		if (!*value)
			continue;
		strbuf_addf(&b, "%s = ", texts[i].key);
		for (; *value; value++)
			strbuf_addf(&b, "%c",
				    (unsigned char)*value < 0x20 || *value == 0x7f ? '?' : *value);
		strbuf_add(&b, "\n", 1);
	}
	add_args(&b, m);
	strbuf_addf(&b, "created = %lld\nsize = %llu\n", (long long)m->created,
		    (unsigned long long)m->size);
	r = b.failed ? -ENOMEM : write_file_atomic(dir, "meta", b.s, b.len, 0600);
	return r < 0 ? err_set(err, r, "write the image's metadata") : 0;
}
