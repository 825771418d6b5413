/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenVZ's private area of a container, with the config that belongs to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/import_foreign.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"

#define CONF_DIR "/etc/vz/conf"

/* ve.conf in it (OpenVZ 7), CTID.conf beside it, or where OpenVZ keeps it. */
static int find_config(int dir, const char *id, char **ret, size_t *ret_len, struct lxmgr_err *err)
{
	cleanup_fd int beside = -EBADF, kept = -EBADF;
	char name[280];
	int r = import_read_file(dir, "ve.conf", ret, ret_len, err);

	if (r != -ENOENT || !name_is_valid(id))
		return r;
	snprintf(name, sizeof(name), "%s.conf", id);
	beside = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = beside < 0 ? -ENOENT : import_read_file(beside, name, ret, ret_len, err);
	if (r != -ENOENT)
		return r;
	kept = open(CONF_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return kept < 0 ? -ENOENT : import_read_file(kept, name, ret, ret_len, err);
}

static bool has(int dir, const char *name, mode_t type)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

static int openvz_probe(const struct import_source *s, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	struct lxmgr_err why = { 0 };
	char id[256];

	if (!S_ISDIR(s->st.st_mode) || import_dir_name(s->fd, id, sizeof(id)) < 0)
		return 0;
	if (!has(s->fd, "etc", S_IFDIR) && !has(s->fd, "fs", S_IFDIR) &&
	    !has(s->fd, "root.hdd", S_IFDIR))
		return 0;
	return find_config(s->fd, id, &text, NULL, &why) == 0;
}

/* At the top (simfs), or in fs/ or fs/root/ (vzfs). */
static int open_root(int dir, struct lxmgr_err *err)
{
	if (has(dir, "root.hdd", S_IFDIR))
		return err_status(
			err, STATUS_REFUSED, -EOPNOTSUPP,
			"its root is a ploop image (mount it on the old host, and copy what "
			"vzctl mount shows below /vz/root to a directory of its own, with "
			"CTID.conf beside it)");
	if (has(dir, "etc", S_IFDIR))
		return import_open_root(dir, ".", err);
	if (has(dir, "fs/root/etc", S_IFDIR) && !has(dir, "fs/etc", S_IFDIR))
		return import_open_root(dir, "fs/root", err);
	return import_open_root(dir, "fs", err);
}

static int openvz_begin(const struct import_source *s, struct import_parts *ret,
			struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	struct translated t = { 0 };
	char id[256], conf[280];
	struct translate_how how = { .name = conf, .id = id, .trust = s->trust };
	size_t len;
	int r = import_dir_name(s->fd, id, sizeof(id));

	if (r < 0)
		return err_set(err, r, "'%s'", s->path);
	snprintf(conf, sizeof(conf), "%s.conf", id);
	r = find_config(s->fd, id, &text, &len, err);
	if (r == -ENOENT)
		return err_msg(err, r,
			       "'%s' has no config: neither ve.conf in it, nor %s beside it or "
			       "in " CONF_DIR,
			       s->path, conf);
	if (r < 0)
		return r;
	ret->root_fd = open_root(s->fd, err);
	if (ret->root_fd < 0)
		return ret->root_fd;
	r = translate_openvz(text, len, &how, &t, err);
	if (r == 0)
		r = import_take(&t, ret, err);
	if (r == 0 && (!ret->name || !name_is_valid(ret->name))) {
		free(ret->name);
		ret->name = strdup(id);
	}
	return r;
}

const struct import_format import_openvz = {
	.name = "openvz",
	.help = "the private area of a container of OpenVZ, with CTID.conf",
	.probe = openvz_probe,
	.begin = openvz_begin,
};
