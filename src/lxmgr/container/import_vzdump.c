/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backups by Proxmox' vzdump: of its own containers, and of those of OpenVZ before. */
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

#define PCT "etc/vzdump/pct.conf"
#define VPS "etc/vzdump/vps.conf"

static bool begins(const struct import_source *s, const void *magic, size_t n)
{
	char head[16];

	return S_ISREG(s->st.st_mode) && n <= sizeof(head) &&
	       pread(s->fd, head, n, 0) == (ssize_t)n && memcmp(head, magic, n) == 0;
}

static bool is_lzo(const struct import_source *s)
{
	return begins(s, "\x89LZO\0\r\n\x1a\n", 9);
}

/* Of virtual machines; no archive that anything else reads. */
static bool is_vma(const struct import_source *s)
{
	return begins(s, "VMA\0", 4);
}

static int vzdump_probe(const struct import_source *s, struct lxmgr_err *err)
{
	if (!S_ISREG(s->st.st_mode))
		return 0;
	return is_lzo(s) || is_vma(s) || import_has_member(s, PCT) || import_has_member(s, VPS);
}

static int read_config(const struct import_source *s, struct translated *t, struct lxmgr_err *err)
{
	bool pct = import_has_member(s, PCT);
	const struct translate_how how = { .name = pct ? "pct.conf" : "vps.conf",
					   .id = "VEID",
					   .trust = s->trust };
	cleanup_free char *text = NULL;
	size_t len;
	int r = import_read_member(s, pct ? PCT : VPS, TRANSLATE_LIMIT, &text, &len, err);

	if (r == -ENOENT)
		return err_status(err, STATUS_REFUSED, r,
				  "'%s' has no " PCT ": it is no backup of a container by vzdump",
				  s->path);
	if (r < 0)
		return r;
	return pct ? translate_pct(text, len, &how, t, err)
		   : translate_openvz(text, len, &how, t, err);
}

static int vzdump_begin(const struct import_source *s, struct import_parts *ret,
			struct lxmgr_err *err)
{
	struct translated t = { 0 };
	int r;

	if (!S_ISREG(s->st.st_mode))
		return err_status(
			err, STATUS_REFUSED, -ESPIPE,
			"a backup by vzdump is read from a file, because its config is read "
			"first");
	if (is_lzo(s))
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "'%s' is compressed with LZO, which nothing here reads "
				  "(lzop -d unpacks it to a .tar: import that)",
				  s->path);
	if (is_vma(s))
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "'%s' is the backup of a virtual machine, not of a container",
				  s->path);
	r = read_config(s, &t, err);
	if (r == 0)
		r = import_take(&t, ret, err);
	if (r < 0)
		return r;
	/* Ids in it are those inside; one made by hand has them as they lie on disk. */
	if (ret->owners.n_uid == 1 && ret->owners.n_gid == 1)
		ret->shift = ret->owners.uid[0].outside;
	memset(&ret->owners, 0, sizeof(ret->owners));
	ret->without = "etc/vzdump";
	ret->archive_fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
	return ret->archive_fd < 0 ? err_set(err, -errno, "open '%s'", s->path) : 0;
}

const struct import_format import_vzdump = {
	.name = "vzdump",
	.help = "a backup of a container of Proxmox VE (vzdump)",
	.probe = vzdump_probe,
	.begin = vzdump_begin,
};
