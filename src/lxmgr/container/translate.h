/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Other managers' configs as ours: text in, lines and notes out, nothing of the host touched. The
 * text is hostile: what reaches beyond the container (paths and devices of the host, hooks, more
 * rights, other namespaces) is left out and said, unless root vouches for it.
 */
#ifndef LXMGR_CONTAINER_TRANSLATE_H
#define LXMGR_CONTAINER_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "container/config.h"
#include "kernel/idmap.h"
#include "util/str.h"

struct lxmgr_err;

#define TRANSLATE_LIMIT (1 << 20)

/* What a config says of a container. To be freed with translated_free(). */
struct translated {
	char *lines;	      /* "lxmgr.KEY = VALUE" lines, each key valid */
	struct strlist notes; /* what was left out, or is another way here, and why; escaped */
	struct idmap ids;     /* how ids of its root lie on disk; empty: as they are inside */
	char *root;	      /* where its root is, as the config says; or NULL */
	char *name;	      /* what it is called there; or NULL */
};

/* What the translators are told. */
struct translate_how {
	const char *name; /* of the config in notes and errors: "pct.conf" */
	const char *id;	  /* openvz: what $VEID is */
	bool trust;	  /* root vouches for the text: hooks, host paths and rights stay */
};

/* LXC: the keys of 2.0 and before, and those of today. */
int translate_lxc(const char *text, size_t len, const struct translate_how *how,
		  struct translated *ret, struct lxmgr_err *err);
/* Proxmox: /etc/pve/lxc/ID.conf, and pct.conf of an archive. */
int translate_pct(const char *text, size_t len, const struct translate_how *how,
		  struct translated *ret, struct lxmgr_err *err);
/* OpenVZ 6 and 7: CTID.conf. It has the syntax of a shell, and is never run by one. */
int translate_openvz(const char *text, size_t len, const struct translate_how *how,
		     struct translated *ret, struct lxmgr_err *err);

void translated_free(struct translated *c);

#endif
