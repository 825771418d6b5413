/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lxmgr-setup and lxmgr-set have in common: a guest that is told what was set in its files. */
#ifndef LXMGR_TOOLS_GUEST_H
#define LXMGR_TOOLS_GUEST_H

#include "report.h"

/* Run the commands ("apply" of lxmgr_container_setup()) in the guest, if it runs: a failure is
 * warned of and leaves the files, which count at the next start. */
void guest_apply(struct lxmgr_container *c, const json_t *commands);
/* Its "notices", on standard error. */
void guest_notices(const struct tool *tool, const json_t *answer);

#endif
