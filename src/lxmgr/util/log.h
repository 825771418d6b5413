/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trace. Messages at or above the level go to the trace file (kept for the last start of
 * every container) and, where the tool asked for it, to stderr and syslog. The library prints
 * nothing else. Levels have LXC's names.
 */
#ifndef LXMGR_UTIL_LOG_H
#define LXMGR_UTIL_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_L_TRACE,
	LOG_L_DEBUG,
	LOG_L_INFO,
	LOG_L_NOTICE,
	LOG_L_WARN,
	LOG_L_ERROR,
	LOG_L_CRIT,
	LOG_L_ALERT,
	LOG_L_FATAL,
};

/* Parse a level: a name of LXC's (TRACE ... FATAL, any case) or its number 0..8.
 * Returns the level or -EINVAL. */
int log_level_parse(const char *text);
const char *log_level_name(enum log_level level);

/* Send messages of `level` and above to fd (not closed by log; -1: no file). `who` stands in
 * every line and is copied, cut at 95 bytes. */
void log_to_fd(int fd, enum log_level level, const char *who);
/* Also write messages of `level` and above to stderr; LOG_L_FATAL + 1 switches it off. */
void log_to_stderr(enum log_level level);
/* Also send messages to syslog, facility by name ("daemon", "local0"...); -EINVAL if unknown. */
int log_to_syslog(const char *facility);
int log_fd(void);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_trace(...)	log_msg(LOG_L_TRACE, __VA_ARGS__)
#define log_debug(...)	log_msg(LOG_L_DEBUG, __VA_ARGS__)
#define log_info(...)	log_msg(LOG_L_INFO, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_L_NOTICE, __VA_ARGS__)
#define log_warn(...)	log_msg(LOG_L_WARN, __VA_ARGS__)
#define log_error(...)	log_msg(LOG_L_ERROR, __VA_ARGS__)

#endif
