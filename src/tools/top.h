/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lxmgr-top shows: one look at all containers after the other, and what happened between. */
#ifndef LXMGR_TOOLS_TOP_H
#define LXMGR_TOOLS_TOP_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "lxmgr.h"

enum top_column {
	TOP_NAME,
	TOP_STATE,
	TOP_CPU,       /* percent of one CPU */
	TOP_MEMORY,    /* bytes */
	TOP_SHARE,     /* percent of its limit of memory */
	TOP_SWAP,      /* bytes */
	TOP_TASKS,     /* processes and threads */
	TOP_READ,      /* bytes per second, from disks */
	TOP_WRITE,     /* to disks */
	TOP_IN,	       /* bytes per second that came to it */
	TOP_OUT,       /* that it sent */
	TOP_STALL_CPU, /* percent of the time that a process waited */
	TOP_STALL_MEMORY,
	TOP_STALL_IO,
	TOP_TIME, /* seconds since its start */
	TOP_COLUMNS
};
extern const struct top_title {
	const char *title; /* "CPU%" */
	int width;	   /* 0: as wide as the longest */
} top_titles[TOP_COLUMNS];
/* By title, any case; TOP_COLUMNS: there is none. */
enum top_column top_column_parse(const char *title);

struct top_row {
	char name[64];
	enum lxmgr_state state;
	double value[TOP_COLUMNS]; /* below 0: not known, or not yet */
};

struct top_sample; /* what was counted of one, in top.c */

struct top {
	const char *path;      /* directory of containers */
	const regex_t *filter; /* only names that it matches, NULL: all */
	bool all;	       /* also those that do not run */
	/* What the last look found, sorted by name. */
	struct top_row *rows;
	size_t n;
	size_t n_running, n_frozen, n_stopped; /* of all, whatever the filter */
	double cost;			       /* CPU seconds that it took */
	struct top_sample *last;
	size_t n_last;
};

/* Look at all. Rates are those since the look before; the first has none. */
int top_look(struct top *t, struct lxmgr_err *err);
/* Pick rows anew from the last look, when filter or all is another. */
void top_pick(struct top *t);
/* By a column: names and states from a, numbers from the largest; reverse: the other way. */
void top_sort(struct top *t, enum top_column by, bool reverse);
/* A cell's text: "12.5", "1.2G", "-". Returns buf. */
const char *top_cell(const struct top_row *row, enum top_column column, char buf[64]);
void top_free(struct top *t);

#endif
