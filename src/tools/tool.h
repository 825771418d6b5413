/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every tool is made of: a typed option table that gives parsing, --help and completion; the
 * common options; output as text; one place that prints errors. JSON is in report.h, so that the
 * tools without it do not load its library.
 */
#ifndef LXMGR_TOOLS_TOOL_H
#define LXMGR_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lxmgr.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum opt_type {
	OPT_FLAG,     /* bool: set to true */
	OPT_OFF,      /* bool: set to false, for the opposite of a flag */
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
	const char **second; /* takes the argument behind the name, if no option has set it; options
			      * may follow that, too */
	bool name_is_second; /* that one comes first */
	bool no_rcfile;	     /* opens no container that a config could be given for */
	bool any_user;	     /* needs no root, or calls tool_need_root() where it does */
	bool has_json;
	bool subcommands;	 /* the first argument is one, not a name; options stand anywhere */
	void (*more_help)(void); /* prints what follows the options; may be NULL */
};

/* What the common options said. */
extern struct common {
	const char *name, *path, *rcfile;
	bool quiet, json;
	bool name_is_first; /* the name came as the first argument, not by -n */
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
/* Refuse, with LXMGR_REFUSED, what an ordinary user asks for. */
void tool_need_root(void);
__attribute__((noreturn)) void tool_no_memory(void);
/* A user or group id, 0 to 2^32-2 in digits; anything else is wrong usage of the option. */
unsigned int tool_id(const char *option, const char *text);
/* Flush what was printed; a full disk or closed stdout turns 0 into 1. Call it last. */
int tool_exit(int status);
/* Open common.name, or print why not and exit. */
struct lxmgr_container *tool_open(void);
/* Text with control characters and what is no UTF-8 escaped, of any length; the next seven calls
 * leave it. */
const char *tool_text(const char *s);
/* Print a config value, a line for each of a list; "KEY = " before each unless key is NULL. */
void tool_value(const char *key, const char *value);
/* "1.5 GiB"; LXMGR_UNKNOWN is "-". A ring of static buffers. */
const char *tool_size(uint64_t bytes);
/* Progress on a terminal: for lxmgr_create_opts.progress. */
void tool_progress(const char *text, int permille, void *arg);
void tool_progress_end(void);
/* A line to standard error that is no failure: for lxmgr_start_opts.warn. */
void tool_warn(const char *text, void *arg);
/* That a copy has none for now, and what to do. */
void tool_no_host_keys(const char *container);
void strings_add(struct strings *s, const char *v);

/* The first line of a file ("-": standard input), for ever; ends the tool where there is none. */
char *tool_read_line(const char *file);
/* A copy of an argument, for ever; what ps shows of it is gone from here on. */
char *tool_take_secret(char *arg);

#endif
