/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What copies and snapshots have in common. */
#ifndef LXMGR_CONTAINER_COPY_H
#define LXMGR_CONTAINER_COPY_H

#include "container/container.h"
#include "container/pause.h"
#include "storage/storage.h"

/* A container or snapshot that is copied: locked, its config loaded, its storage open and in order,
 * and standing still if it runs. */
struct source {
	struct lxmgr_container *c;
	int lock;
	bool live;
	struct pause pause;
	struct storage storage;
};
#define SOURCE_INIT                                               \
	{                                                         \
		.lock = -EBADF, .pause = PAUSE_INIT, .storage = { \
			.ct_fd = -EBADF,                          \
			.layers_lock = -EBADF                     \
		}                                                 \
	}

int source_open(struct source *s, struct lxmgr_container *c, struct lxmgr_err *err);
/* If it runs, it stands still from here to source_resume() or source_close(). */
int source_pause(struct source *s, struct lxmgr_err *err);
void source_resume(struct source *s);
void source_close(struct source *s);
#define cleanup_source __attribute__((cleanup(source_close)))

/* storage_copy() of it; where it cannot be shared and `or_full`, in full. */
int source_copy(struct source *s, struct storage *to, int to_ct_fd, const struct storage_spec *spec,
		struct storage_copy *how, bool or_full, struct lxmgr_err *err);
/* The text of the config file, to be freed. */
int source_config(const struct source *s, char **ret, struct lxmgr_err *err);

#endif
