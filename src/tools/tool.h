/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every tool is made of: a typed option table that gives parsing, --help and completion; the
 * common options; output as text or JSON; one place that prints errors.
 */
#ifndef LXMGR_TOOLS_TOOL_H
#define LXMGR_TOOLS_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lxmgr.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum opt_type {
	OPT_FLAG,     /* bool: set to true */
	OPT_STRING,   /* const char *: the value */
	OPT_STRINGS,  /* struct strings: one more value */
	OPT_NUMBER,   /* int: 0 or more */
	OPT_OPTIONAL, /* const char *: "" without a value, else what stands behind '=' */
};

/* A growing, NULL-terminated list of option values (they belong to argv). */
struct strings {
	const char **v;
	size_t n;
};

struct opt {
	char shorthand;	  /* 0: none */
	const char *name; /* long name, NULL: none */
	enum opt_type type;
	void *value;
	const char *arg;  /* name of the value in the help */
	const char *help; /* NULL: a synonym that the help does not list */
};

struct tool {
	const char *name;    /* "lxmgr-start" */
	const char *usage;   /* behind the name: "[-n] NAME [OPTIONS]" */
	const char *summary; /* one line */
	const struct opt *opts;
	size_t n_opts;
	bool no_name; /* takes no container name */
	bool name_optional;
	bool any_user; /* needs no root */
	bool has_json;
};

/* What the common options said. */
extern struct common {
	const char *name, *path, *rcfile;
	bool quiet, json;
} common;

/*
 * Parse. Prints help or version and exits where these were asked for; a mistake is one line and
 * exit status 64. The name may be -n NAME or the first argument. Returns the index of the first
 * argument that is left (behind "--" too).
 */
int tool_parse(const struct tool *t, int argc, char **argv);
/* Print "tool: [NAME: ]text" to stderr; the exit status that belongs to err. */
int tool_error(const struct lxmgr_err *err);
__attribute__((format(printf, 1, 2), noreturn)) void tool_usage_error(const char *fmt, ...);
/* Flush what was printed; a full disk or closed pipe turns 0 into 1. Call it last. */
int tool_exit(int status);
/* Open common.name, or print why not and exit. */
struct lxmgr_container *tool_open(void);
/* Print a JSON value (freed) with a newline. */
void tool_json(json_t *v);
/* Text with control characters escaped; a ring of static buffers. */
const char *tool_text(const char *s);
/* "1.5 GiB"; LXMGR_UNKNOWN is "-". A ring of static buffers. */
const char *tool_size(uint64_t bytes);
/* Progress on a terminal: for lxmgr_create_opts.progress. */
void tool_progress(const char *text, int permille, void *arg);
void tool_progress_end(void);
void strings_add(struct strings *s, const char *v);

#endif
