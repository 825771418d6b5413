/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lxmgr-push and lxmgr-pull have in common. */
#ifndef LXMGR_TOOLS_COPY_H
#define LXMGR_TOOLS_COPY_H

#include "tool.h"

extern const struct opt copy_opts[];
extern const size_t copy_n_opts;

/* Parse, copy SRC... DEST by the verb, end. */
int copy_main(const struct tool *t, int argc, char **argv,
	      int (*verb)(struct lxmgr_container *c, const char *const *sources, const char *dest,
			  const struct lxmgr_files_opts *opts, struct lxmgr_err *err),
	      unsigned int mode_max);

#endif
