/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "container/config.h"
#include "container/features.h"
#include "container/idalloc.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

/* clang-format off */
static const struct feature features[] = {
	/* Sixteen blocks: fifteen containers inside, or seven that again have some. */
	{ "nesting", "containers in the container", .ids = 16 * FEATURES_IDS, .nesting = true },
	{ "fuse", "file systems in user space", .device = "fuse", .major = 10, .minor = 229 },
	{ "tun", "tunnel interfaces", .device = "net/tun", .major = 10, .minor = 200 },
};
/* clang-format on */

static const struct feature *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (str_eq(features[i].name, name))
			return &features[i];
	return NULL;
}

int features_parse(const char *text, struct strlist *list, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist words = { 0 };
	char all[200] = "";
	size_t len = 0;

	if (strlist_split(&words, text, ", \t") < 0)
		return err_set(err, -ENOMEM, "features");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, " %s", features[i].name);
	for (size_t i = 0; i < words.n; i++) {
		if (!find(words.v[i]))
			return err_msg(err, -EINVAL, "'%s' is no feature; there are:%s", words.v[i],
				       all);
		if (!strlist_has(list, words.v[i]) && strlist_add(list, words.v[i]) < 0)
			return err_set(err, -ENOMEM, "features");
	}
	return 0;
}

const struct feature *features_get(const struct config *c, size_t i)
{
	return i < c->features.n ? find(c->features.v[i]) : NULL;
}

uint32_t features_ids(const struct config *c)
{
	uint32_t ids = FEATURES_IDS;
	const struct feature *f;

	for (size_t i = 0; (f = features_get(c, i)); i++)
		if (f->ids > ids)
			ids = f->ids;
	return ids;
}

bool features_nesting(const struct config *c)
{
	const struct feature *f;

	for (size_t i = 0; (f = features_get(c, i)); i++)
		if (f->nesting)
			return true;
	return false;
}

int features_acquire_ids(const struct config *c, const char *id, uint32_t *ret_base,
			 uint32_t *ret_count, struct lxmgr_err *err)
{
	uint32_t least = features_ids(c) > FEATURES_IDS ? 2 * FEATURES_IDS : FEATURES_IDS;
	int r;

	*ret_count = features_ids(c);
	while ((r = idalloc_acquire(id, *ret_count, ret_base, err)) == -ENOSPC &&
	       *ret_count > least)
		*ret_count /= 2;
	return r;
}
