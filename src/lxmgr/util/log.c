/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define SYSLOG_NAMES
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/str.h"

static const char *const level_names[] = {
	[LOG_L_TRACE] = "TRACE",   [LOG_L_DEBUG] = "DEBUG", [LOG_L_INFO] = "INFO",
	[LOG_L_NOTICE] = "NOTICE", [LOG_L_WARN] = "WARN",   [LOG_L_ERROR] = "ERROR",
	[LOG_L_CRIT] = "CRIT",	   [LOG_L_ALERT] = "ALERT", [LOG_L_FATAL] = "FATAL",
};

static struct {
	int fd;
	enum log_level level;
	unsigned int stderr_level;
	int syslog; /* facility, or -1 */
	char who[96];
} sink = { .fd = -1, .level = LOG_L_DEBUG, .stderr_level = LOG_L_FATAL + 1, .syslog = -1 };

int log_level_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (!strcasecmp(text, level_names[i]) || (text[0] == (char)('0' + i) && !text[1]))
			return (int)i;
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

void log_to_fd(int fd, enum log_level level, const char *who)
{
	sink.fd = fd;
	sink.level = level;
	snprintf(sink.who, sizeof(sink.who), "%s", who ? who : "");
}

void log_to_stderr(enum log_level level)
{
	sink.stderr_level = level;
}

int log_to_syslog(const char *facility)
{
	for (const CODE *c = facilitynames; c->c_name; c++) {
		if (strcmp(c->c_name, facility) != 0)
			continue;
		sink.syslog = c->c_val;
		openlog("lxmgr", LOG_PID, c->c_val);
		return 0;
	}
	return -EINVAL;
}

int log_fd(void)
{
	return sink.fd;
}

static void emit(int fd, const char *line, size_t len)
{
	/* The trace is best effort: a full disk must not fail a start. */
	if (write(fd, line, len) < 0)
		return;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	static const int to_syslog[] = { 7, 7, 6, 5, 4, 3, 2, 1, 0 };
	char text[1024], line[4400];
	struct timespec ts;
	int saved = errno;
	va_list ap;
	int n;

	if ((sink.fd < 0 || level < sink.level) && level < sink.stderr_level && sink.syslog < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A container can choose parts of what is logged: no escape sequences for the reader. */
	str_escape(line, sizeof(line), text);
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, line);
	if (sink.fd >= 0 && level >= sink.level) {
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		n = snprintf(line, sizeof(line), "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %s %s: %s\n",
			     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			     tm.tm_sec, ts.tv_nsec / 1000, level_names[level], sink.who, text);
		emit(sink.fd, line, (size_t)n);
	}
	if (level >= sink.stderr_level) {
		n = snprintf(line, sizeof(line), "lxmgr: %s: %s\n", level_names[level], text);
		emit(STDERR_FILENO, line, (size_t)n);
	}
	if (sink.syslog >= 0)
		syslog(sink.syslog | to_syslog[level], "%s: %s", sink.who, text);
	errno = saved;
}
