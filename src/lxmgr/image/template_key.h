/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a template's image is known by. Private to image/. */
#ifndef LXMGR_IMAGE_TEMPLATE_KEY_H
#define LXMGR_IMAGE_TEMPLATE_KEY_H

#include "util/str.h"

/* Add what besides a template's text and arguments decides what comes out: our version, for the
 * parts that it uses, and the state of files and directories that an argument names. 0 or
 * -errno. */
int template_key_add(struct strbuf *b, const char *const *args);

#endif
