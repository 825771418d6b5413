/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The error record. Functions above util/ that can fail for more than one reason take a
 * `struct lxmgr_err *err` last and return a negative errno; whoever knows the object's name
 * fills the record, callers may add context in front. It has a fixed size, owns nothing and is
 * sent over a socket as it is. `err` may be NULL wherever it is taken.
 */
#ifndef LXMGR_UTIL_ERR_H
#define LXMGR_UTIL_ERR_H

/* The same block stands in lxmgr.h; tests/unit/test-err.c compares the two. */
#ifndef LXMGR_ERR_DEFINED
#define LXMGR_ERR_DEFINED
struct lxmgr_err {
	int code;	/* negative errno; 0: nothing happened */
	int status;	/* the exit status a tool ends with, enum lxmgr_status; 0 counts as 1 */
	char text[504]; /* one line without a newline, always terminated */
};
#endif

/* Exit statuses of the tools; lxmgr(7) has the table. The same names stand in lxmgr.h. */
enum {
	STATUS_FAILED = 1,
	STATUS_NOT_RUNNING = 2,
	STATUS_NO_CONTAINER = 3,
	STATUS_WRONG_STATE = 4,
	STATUS_LOCKED = 5,
	STATUS_REFUSED = 6,
	STATUS_USAGE = 64,
};

/* Fill err with "text: strerror(-code)" and return code (a negative errno). */
int err_set(struct lxmgr_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_set(), without the strerror text: the message says it all. */
int err_msg(struct lxmgr_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_msg(), with the exit status that the tool is to end with. */
int err_status(struct lxmgr_err *err, int status, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "context: " in front of the text of a filled record and return its code. */
int err_prefix(struct lxmgr_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Append " (text)" to a filled record, for the remedy or the place; return its code. */
int err_hint(struct lxmgr_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* clang's analyzer looks at one file at a time: what these return is negative, as errno was set. */
#if defined(__clang_analyzer__) && !defined(ERR_DEFINED_HERE)
#define ERR_NEGATIVE(call)                       \
	({                                       \
		int err_code_ = (call);          \
		if (err_code_ >= 0)              \
			__builtin_unreachable(); \
		err_code_;                       \
	})
#define err_set(err, ...)    ERR_NEGATIVE((err_set)(err, __VA_ARGS__))
#define err_msg(err, ...)    ERR_NEGATIVE((err_msg)(err, __VA_ARGS__))
#define err_status(err, ...) ERR_NEGATIVE((err_status)(err, __VA_ARGS__))
#endif

#endif
