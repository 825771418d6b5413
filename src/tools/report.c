/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void report_json(json_t *v)
{
	const struct lxmgr_err err = { .text = "cannot make the JSON" };

	if (!v)
		exit(tool_exit(tool_error(&err)));
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(v);
}

json_t *report_text(const char *s)
{
	json_t *v = json_string(s);

	return v ? v : json_string(tool_text(s));
}

json_t *report_number(uint64_t v)
{
	return v == LXMGR_UNKNOWN ? json_null() : json_integer((json_int_t)v);
}

json_t *report_pid(pid_t pid)
{
	return pid ? json_integer(pid) : json_null();
}

json_t *report_addrs(const struct lxmgr_info *info)
{
	json_t *list = json_array();

	for (size_t i = 0; i < info->n_addrs; i++) {
		const struct lxmgr_info_addr *a = &info->addrs[i];

		json_array_append_new(
			list, json_pack("{so ss ss si}", "interface", report_text(a->ifname),
					"family", a->family == AF_INET ? "ipv4" : "ipv6", "address",
					a->text, "prefix", (int)a->prefix));
	}
	return list;
}

static json_t *checks;
static char group[32];
static int missing;

static const char *mark(int result)
{
	static const char *const plain[] = { "ok     ", "notice ", "MISSING" };
	static const char *const colour[] = { "\033[32mok\033[0m     ", "\033[33mnotice\033[0m ",
					      "\033[31mMISSING\033[0m" };
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (!no_color || !*no_color) ? colour[result] : plain[result];
}

int report_check(const struct lxmgr_check *c, void *arg)
{
	static const char *const words[] = { "ok", "notice", "missing" };

	(void)arg;
	missing += c->result == 2;
	if (common.json) {
		if (!checks)
			checks = json_array();
		json_array_append_new(checks, json_pack("{ss ss ss so so}", "group", c->group,
							"name", c->name, "result", words[c->result],
							"text", report_text(c->text), "cure",
							report_text(c->cure)));
		return 0;
	}
	if (strcmp(group, c->group) != 0) {
		snprintf(group, sizeof(group), "%s", c->group);
		printf("%s:\n", group);
	}
	printf("  %s %-28s %s\n", mark(c->result), c->name, tool_text(c->text));
	if (*c->cure && c->result)
		printf("          -> %s\n", tool_text(c->cure));
	return 0;
}

int report_check_end(void)
{
	if (common.json)
		report_json(checks ? checks : json_array());
	return missing ? LXMGR_FAILED : 0;
}
