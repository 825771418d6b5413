/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/makeopts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lxmgr.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/parse.h"
#include "util/str.h"

/* LXC's unit is the MiB. */
static int parse_fssize(const char *text, uint64_t *ret)
{
	cleanup_free char *mib = str_printf("%sM", text);
	int r = mib ? -EINVAL : -ENOMEM;

	if (mib && text[strspn(text, "0123456789")] == '\0')
		r = parse_size(mib, ret);
	else if (mib)
		r = parse_size(text, ret);
	return r == 0 && !*ret ? -EINVAL : r;
}

int makeopts_resolve(struct makeopts *m, struct lxmgr_err *err)
{
	const char *excess;
	uint64_t size = 0;
	int r = m->fssize ? parse_fssize(m->fssize, &size) : 0;

	if (r < 0)
		return err_status(err, STATUS_USAGE, r, "--fssize: '%.40s' is no size (20G, 512M)",
				  m->fssize);
	m->make = (struct storage_make){ .fstype = m->fstype,
					 .size = size,
					 .group = m->vgname,
					 .pool = m->thinpool,
					 .volume = m->lvname,
					 .name = m->name };
	excess = storage_make_excess(&m->make, m->backend);
	if (excess)
		return err_status(err, STATUS_USAGE, -EINVAL, "%s goes with -B lvm%s", excess,
				  str_has_prefix(excess, "--fs") ? " or -B loop" : "");
	if (!m->backend || !str_eq(m->backend, "lvm"))
		return 0;
	if (!m->vgname)
		r = lxmgr_global_get("lxmgr.bdev.lvm.vg", &m->group, err);
	if (r == 0 && !m->thinpool) {
		r = lxmgr_global_get("lxmgr.bdev.lvm.thin_pool", &m->pool, err);
		m->make.try_pool = true;
	}
	if (!m->vgname)
		m->make.group = m->group;
	if (!m->thinpool)
		m->make.pool = m->pool;
	return r;
}

void makeopts_free(struct makeopts *m)
{
	free(m->group);
	free(m->pool);
}
