/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tools that read share: JSON, and the rows of doctor and checkconfig. */
#ifndef LXMGR_TOOLS_REPORT_H
#define LXMGR_TOOLS_REPORT_H

#include <jansson.h>

#include "tool.h"

/* Print a JSON value (freed) with a newline; NULL, a value that could not be made, is an error
 * and ends the tool. */
void report_json(json_t *v);
/* A string; what is no UTF-8 is escaped as tool_text() does. */
json_t *report_text(const char *s);
/* A number, or null for LXMGR_UNKNOWN. */
json_t *report_number(uint64_t v);
/* A pid, or null for 0. */
json_t *report_pid(pid_t pid);
json_t *report_addrs(const struct lxmgr_info *info);

/* For lxmgr_doctor() and lxmgr_checkconfig(): one row, printed or collected for JSON. */
int report_check(const struct lxmgr_check *check, void *arg);
/* Behind the last row: print the JSON. The exit status: LXMGR_FAILED if something is missing. */
int report_check_end(void);

#endif
