/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates in Lua. Private to image/. */
#ifndef LXMGR_IMAGE_LUATEMPLATE_H
#define LXMGR_IMAGE_LUATEMPLATE_H

#include "image/image.h"
#include "util/str.h"

struct lua_template_io {
	int timeout_ms, cancel_fd;
	void (*on_output)(const char *data, size_t len, void *arg);
	void *arg;
};

/* By its name: *.lua. */
bool lua_template_is(const char *path);
/* The text of its --help, to be freed. */
int lua_template_help(const char *path, char **ret, struct lxmgr_err *err);
/* Build in the empty directory root_fd; the file "config" is made beside it. */
int lua_template_run(const char *path, const struct template_run *t, int root_fd,
		     const struct lua_template_io *io, struct lxmgr_err *err);

#endif
