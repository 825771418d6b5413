/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What copies and snapshots have in common. */
#ifndef LXMGR_CONTAINER_COPY_H
#define LXMGR_CONTAINER_COPY_H

#include "container/container.h"
#include "container/label.h"
#include "container/pause.h"
#include "image/interrupt.h"
#include "storage/storage.h"

/* A container or snapshot that is copied: locked, its config loaded, its storage open and in order,
 * not mounted for the host. */
struct source {
	struct lxmgr_container *c;
	int lock;
	bool live;
	struct pause pause;
	struct storage storage;
	char label[SELINUX_CONTEXT_SIZE];
};
#define SOURCE_INIT                                               \
	{                                                         \
		.lock = -EBADF, .pause = PAUSE_INIT, .storage = { \
			.ct_fd = -EBADF,                          \
			.layers_lock = -EBADF                     \
		}                                                 \
	}

int source_open(struct source *s, struct lxmgr_container *c, struct lxmgr_err *err);
/* NAME/snapshots/SNAP, opened as a container. */
bool source_is_snapshot(const struct lxmgr_container *c);
void source_close(struct source *s);
#define cleanup_source __attribute__((cleanup(source_close)))

/* storage_copy() of it; where it cannot be shared and `or_full`, in full. If it runs, it stands
 * still for as long as the backend needs that. */
int source_copy(struct source *s, struct storage *to, int to_ct_fd, const char *backend,
		const struct storage_spec *spec, struct storage_copy *how, bool or_full,
		struct lxmgr_err *err);
/* Ctrl-C ends the copying from here on, and the verb takes back what it has made. What takes long
 * is told to progress (may be NULL). */
void copy_interrupt_begin(struct interrupt *i,
			  void (*progress)(const char *text, int permille, void *arg), void *arg);
void copy_interrupt_end(struct interrupt *i);
/* -ECANCELED: it came. */
int copy_interrupted(const struct interrupt *i, struct lxmgr_err *err);
/* The text of the config file, to be freed. */
int source_config(const struct source *s, char **ret, struct lxmgr_err *err);

#endif
