/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERR_DEFINED_HERE
#include "util/err.h"

__attribute__((format(printf, 5, 0))) static void fill(struct lxmgr_err *err, int status, int code,
						       const char *why, const char *fmt, va_list ap)
{
	size_t len;

	if (!err)
		return;
	err->code = code;
	err->status = status;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	len = strlen(err->text);
	if (why)
		snprintf(err->text + len, sizeof(err->text) - len, ": %s", why);
}

int err_set(struct lxmgr_err *err, int code, const char *fmt, ...)
{
	char buf[128];
	va_list ap;

	va_start(ap, fmt);
	fill(err, STATUS_FAILED, code, strerror_r(-code, buf, sizeof(buf)), fmt, ap);
	va_end(ap);
	return code;
}

int err_msg(struct lxmgr_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, STATUS_FAILED, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int err_status(struct lxmgr_err *err, int status, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, status, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct lxmgr_err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	size_t len;
	va_list ap;

	if (!err)
		return -1;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
	return err->code;
}

int err_hint(struct lxmgr_err *err, const char *fmt, ...)
{
	char hint[sizeof(err->text)];
	size_t len;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, " (%s)", hint);
	return err->code;
}
