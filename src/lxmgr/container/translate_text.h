/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the translators of foreign configs share. Private to translate_*.c. */
#ifndef LXMGR_CONTAINER_TRANSLATE_TEXT_H
#define LXMGR_CONTAINER_TRANSLATE_TEXT_H

#include <stdint.h>

#include "container/translate.h"

/* A translation under way. */
struct translation {
	const struct translate_how *how;
	struct translated *to;
	struct config *have; /* what was said so far, by the one validator of each key */
	struct config *scratch;
	unsigned int line; /* 0: no line to name */
	size_t more;	   /* notes beyond the most that are kept */
	bool failed;	   /* no memory */
};

/* Calls line() for each line without the blanks at its ends, then end(). */
int translate_run(const char *text, size_t len, const struct translate_how *how,
		  struct translated *ret, void (*line)(struct translation *t, char *line),
		  void (*end)(struct translation *t), void *data, struct lxmgr_err *err);

/* Does this lxmgr have the key ("limit.disk")? */
bool translate_knows(const char *key);
/* Set it. What is refused is left out, with the reason in the notes. */
bool translate_set(struct translation *t, const char *key, const char *value);
bool translate_setf(struct translation *t, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a key of net.INDEX. */
bool translate_net(struct translation *t, unsigned int index, const char *key, const char *value);
/* What the container is called there. */
void translate_name(struct translation *t, const char *name);
/* A gateway, which may lie outside of the interface's networks: then it is reached by the device.
 */
void translate_gateway(struct translation *t, unsigned int index, int family, const char *value);
/* A limit in bytes where this lxmgr has the key; else nothing is said: the disk is its host's. */
void translate_disk(struct translation *t, const char *key, uint64_t value);
/* CPUs in thousandths; nothing for 0. */
void translate_cpus(struct translation *t, uint64_t milli);
void translate_note(struct translation *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
