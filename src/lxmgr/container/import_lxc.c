/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LXC's directory of a container: config and rootfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/import_foreign.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

static bool is_lxc(const char *text)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (!strncmp(p + strspn(p, " \t"), "lxc.", 4))
			return true;
	return false;
}

static int lxc_probe(const struct import_source *s, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	struct lxmgr_err why = { 0 };

	if (!S_ISDIR(s->st.st_mode))
		return 0;
	return import_read_file(s->fd, "config", &text, NULL, &why) == 0 && is_lxc(text);
}

/* Layers are no root, and a root elsewhere is not looked for: the config could name any directory
 * of the host's. */
static int refuse_layers(const char *root, struct lxmgr_err *err)
{
	static const char *const layers[] = { "overlay:", "overlayfs:", "aufs:" };

	for (size_t i = 0; root && i < ARRAY_SIZE(layers); i++)
		if (str_has_prefix(root, layers[i]))
			return err_status(
				err, STATUS_REFUSED, -EOPNOTSUPP,
				"its root is made of layers, '%.200s' (lxc-copy -n NAME -N "
				"NEW -B dir makes one that is whole: import that)",
				root);
	return 0;
}

static int open_root(const struct import_source *s, const char *root, struct lxmgr_err *err)
{
	int fd = import_open_root(s->fd, "rootfs", err);

	if (fd < 0 && root)
		err_hint(err, "its config says '%.200s': mount or move that there", root);
	return fd;
}

static int lxc_begin(const struct import_source *s, struct import_parts *ret, struct lxmgr_err *err)
{
	const struct translate_how how = { .name = "config", .trust = s->trust };
	cleanup_free char *text = NULL;
	struct translated t = { 0 };
	char name[256];
	size_t len;
	int r = import_read_file(s->fd, "config", &text, &len, err);

	if (r < 0)
		return r == -ENOENT ? err_set(err, r, "open '%s/config'", s->path) : r;
	r = translate_lxc(text, len, &how, &t, err);
	if (r == 0)
		r = refuse_layers(t.root, err);
	if (r == 0)
		r = ret->root_fd = open_root(s, t.root, err);
	if (r < 0) {
		translated_free(&t);
		return r;
	}
	r = import_take(&t, ret, err);
	if (r == 0 && import_dir_name(s->fd, name, sizeof(name)) == 0)
		ret->name = strdup(name);
	return r;
}

const struct import_format import_lxc = {
	.name = "lxc",
	.help = "the directory of a container of LXC",
	.probe = lxc_probe,
	.begin = lxc_begin,
};
