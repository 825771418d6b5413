/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/fsuid.h>

#include "kernel/caps.h"
#include "kernel/fsids.h"
#include "util/err.h"

int fsids_set(uid_t uid, gid_t gid, struct lxmgr_err *err)
{
	int r;

	setfsgid(gid);
	setfsuid(uid);
	/* setfsuid() reports no failure: asking with an impossible id tells what is set. */
	if ((uid_t)setfsuid((uid_t)-1) != uid || (gid_t)setfsgid((gid_t)-1) != gid)
		return err_msg(err, -EPERM, "cannot take the file system ids %u:%u", uid, gid);
	/* A change from 0 to another id takes CAP_DAC_OVERRIDE and others out of the effective
	 * set. */
	r = caps_raise_effective();
	if (r < 0) {
		/* As somebody else a teardown could not even remove our own files. */
		setfsuid(0);
		setfsgid(0);
	}
	return r < 0 ? err_set(err, r, "keep capabilities as %u:%u", uid, gid) : 0;
}
