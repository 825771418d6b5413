/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many containers at once: what is read of one has nothing to do with what is read of another. */
#ifndef LXMGR_TOOLS_EACH_H
#define LXMGR_TOOLS_EACH_H

#include <stddef.h>

/* Call fn for each i below n, in as many threads as there are CPUs for them, and return when all
 * have been. fn may call what reads in the library (lxmgr.h), and nothing of tool.h. */
void each(size_t n, void (*fn)(size_t i, void *arg), void *arg);

#endif
