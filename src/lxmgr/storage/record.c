/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storage/place.h"
#include "storage/record.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

#define FILE_LIMIT 8192
#define DIGITS	   "0123456789"

bool storage_name_is_valid(const char *name)
{
	if (!isalnum((unsigned char)*name) || strlen(name) >= STORAGE_NAME_SIZE)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-+", *name))
			return false;
	return true;
}

bool storage_is_tree(const char *name, const char *base)
{
	const char *rest = str_after(name, base);

	return rest && (!*rest || (*rest == '.' && rest[1] && !rest[1 + strspn(rest + 1, DIGITS)]));
}

static int take_name(char *to, const char *name)
{
	if (!storage_name_is_valid(name))
		return -EINVAL;
	snprintf(to, STORAGE_NAME_SIZE, "%s", name);
	return 0;
}

/* Of LVM's names. */
static int take_lvm(char *to, size_t size, const char *name)
{
	if (!isalnum((unsigned char)*name) || strlen(name) >= size)
		return -EINVAL;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-+", *c))
			return -EINVAL;
	snprintf(to, size, "%s", name);
	return 0;
}

static int take_dir(struct storage *st, const char *path)
{
	if (!storage_place_is_valid(path))
		return -EINVAL;
	snprintf(st->dir, sizeof(st->dir), "%s", path);
	return 0;
}

static int take_layer(struct storage *st, const char *name)
{
	if (st->n_layers == STORAGE_MAX_LAYERS)
		return -E2BIG;
	return take_name(st->layer[st->n_layers++], name);
}

static int parse_line(struct storage *st, const char *line)
{
	const char *v;

	if ((v = str_after(line, "base = ")))
		snprintf(st->base, sizeof(st->base), "%s", v);
	else if ((v = str_after(line, "tree = ")))
		return take_name(st->tree, v);
	else if ((v = str_after(line, "group = ")))
		return take_lvm(st->group, sizeof(st->group), v);
	else if ((v = str_after(line, "pool = ")))
		return take_lvm(st->pool, sizeof(st->pool), v);
	else if ((v = str_after(line, "tag = ")))
		return take_lvm(st->tag, sizeof(st->tag), v);
	else if ((v = str_after(line, "dir = ")))
		return take_dir(st, v);
	else if ((v = str_after(line, "layer = ")))
		return take_layer(st, v);
	else if ((v = str_after(line, "ids = ")))
		return parse_u32(v, &st->ids);
	else if ((v = str_after(line, "bytes = ")))
		return parse_u64(v, &st->limit.bytes);
	else if ((v = str_after(line, "inodes = ")))
		return parse_u64(v, &st->limit.inodes);
	else if ((v = str_after(line, "memory = ")))
		return parse_u64(v, &st->memory);
	return 0;
}

int storage_parse(struct storage *st, const char *text, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	uint32_t version;
	const char *v;

	if (strlist_split(&lines, text, "\n") < 0)
		return err_set(err, -ENOMEM, "storage");
	for (size_t i = 0; i < lines.n; i++) {
		if ((v = str_after(lines.v[i], "version = "))) {
			if (parse_u32(v, &version) < 0 || version > STORAGE_LAYERED_VERSION)
				return err_msg(err, -EPROTO,
					       "the container's storage has version %.20s, which "
					       "this lxmgr does not know",
					       v);
		} else if ((v = str_after(lines.v[i], "backend = "))) {
			st->ops = storage_find(v);
			if (!st->ops)
				return storage_unknown(v, err);
		} else if (parse_line(st, lines.v[i]) < 0) {
			return err_msg(err, -EINVAL, "the container's 'storage' file says '%.80s'",
				       lines.v[i]);
		}
	}
	return st->ops ? 0
		       : err_msg(err, -EINVAL, "the container's 'storage' file names no backend");
}

int storage_read_text(int ct_fd, char **ret)
{
	return read_file_at(ct_fd, "storage", FILE_LIMIT, ret, NULL);
}

int storage_read(struct storage *st, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	int r = storage_read_text(st->ct_fd, &text);

	if (r < 0)
		return r == -ENOENT ? r : err_set(err, r, "read the container's 'storage' file");
	return storage_parse(st, text, err);
}

char *storage_print(const struct storage *st)
{
	bool layered = st->n_layers || *st->tree || *st->dir || st->limit.bytes ||
		       st->limit.inodes || st->memory;
	struct strbuf b = { 0 };

	strbuf_addf(&b, "version = %d\nbackend = %s\n",
		    layered ? STORAGE_LAYERED_VERSION : STORAGE_PLAIN_VERSION, st->ops->name);
	if (*st->base)
		strbuf_addf(&b, "base = %s\n", st->base);
	if (*st->tree)
		strbuf_addf(&b, "tree = %s\n", st->tree);
	if (*st->dir)
		strbuf_addf(&b, "dir = %s\n", st->dir);
	if (*st->group)
		strbuf_addf(&b, "group = %s\n", st->group);
	if (*st->pool)
		strbuf_addf(&b, "pool = %s\n", st->pool);
	if (*st->tag)
		strbuf_addf(&b, "tag = %s\n", st->tag);
	for (size_t i = 0; i < st->n_layers; i++)
		strbuf_addf(&b, "layer = %s\n", st->layer[i]);
	if (st->ids)
		strbuf_addf(&b, "ids = %u\n", st->ids);
	if (st->limit.bytes)
		strbuf_addf(&b, "bytes = %" PRIu64 "\n", st->limit.bytes);
	if (st->limit.inodes)
		strbuf_addf(&b, "inodes = %" PRIu64 "\n", st->limit.inodes);
	if (st->memory)
		strbuf_addf(&b, "memory = %" PRIu64 "\n", st->memory);
	return strbuf_take(&b);
}

int storage_write(const struct storage *st, bool sync, struct lxmgr_err *err)
{
	cleanup_free char *text = storage_print(st);
	int r = -ENOMEM;

	if (text)
		r = (sync ? write_file_atomic : write_file_replace)(st->ct_fd, "storage", text,
								    strlen(text), 0600);
	return r < 0 ? err_set(err, r, "write the container's 'storage' file") : 0;
}

int storage_write_over(struct storage *st, const struct storage *new, struct lxmgr_err *err)
{
	int r = storage_write(new, true, err);

	/* The name may be the new file's already, but not on the disk. */
	if (r < 0 && storage_write(st, true, NULL) == 0 && st->ops->recover(st, NULL) < 0)
		log_warn("what is left of the new root stays, ignoring");
	return r;
}
