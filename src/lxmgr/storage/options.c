/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/mount.h>

#include "storage/options.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

int storage_attrs(const struct storage_spec *spec, uint64_t *ret, struct lxmgr_err *err)
{
	static const struct {
		const char *word;
		uint64_t attr;
	} words[] = {
		{ "ro", MOUNT_ATTR_RDONLY },
		{ "rw", 0 },
		{ "nosuid", MOUNT_ATTR_NOSUID },
		{ "nodev", MOUNT_ATTR_NODEV },
		{ "noexec", MOUNT_ATTR_NOEXEC },
		{ "noatime", MOUNT_ATTR_NOATIME },
		{ "relatime", 0 },
		{ "idmap=container", 0 },
		{ "bind", 0 },
		{ "defaults", 0 },
	};
	cleanup_strlist struct strlist list = { 0 };

	*ret = 0;
	if (!spec->options)
		return 0;
	if (strlist_split(&list, spec->options, ",") < 0)
		return err_set(err, -ENOMEM, "mount options");
	for (size_t i = 0; i < list.n; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(words) && !str_eq(words[k].word, list.v[i]))
			k++;
		if (k == ARRAY_SIZE(words))
			return err_msg(err, -EINVAL,
				       "'%s' is not supported (lxmgr.rootfs.options): ro rw nosuid "
				       "nodev noexec noatime relatime idmap=container",
				       list.v[i]);
		*ret |= words[k].attr;
	}
	return 0;
}
