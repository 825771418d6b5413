/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LXMGR_CONTAINER_COPY_NET_H
#define LXMGR_CONTAINER_COPY_NET_H

#include "container/container.h"
#include "container/draft.h"

/* What two interfaces cannot both have is taken out of the draft's config, or with keep_mac and
 * keep_addresses written into it: also what the address manager has given to the container `of`,
 * whose config is `have`. */
int copy_edit_nets(struct draft *d, const struct config *have, const struct lxmgr_container *of,
		   const struct lxmgr_copy_opts *o, struct lxmgr_err *err);

#endif
