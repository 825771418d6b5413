/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool list, unset, running;

static const struct opt opts[] = {
	{ 'l', "list", OPT_FLAG, &list, NULL,
	  "list the settings, or with a container the keys there are" },
	{ 0, "unset", OPT_FLAG, &unset, NULL, "remove the key from the container's config" },
	{ 0, "running", OPT_FLAG, &running, NULL, "the value that the running container has" },
};

static const struct tool tool = {
	.name = "lxmgr-config",
	.usage = "-l | SETTING | -n NAME [OPTIONS] KEY[=VALUE]",
	.summary = "Print a host-wide setting, or read and change a container's config.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.any_user = true,
	.has_json = true,
};

static int print_value(const char *key, const char *value)
{
	if (common.json)
		report_json(json_pack("{so}", key, report_text(value)));
	else
		tool_value(NULL, value);
	return tool_exit(0);
}

static int print_setting(const char *key)
{
	struct lxmgr_err err = { 0 };
	char *value = NULL;

	if (lxmgr_global_get(key, &value, &err) < 0)
		return tool_exit(tool_error(&err));
	return print_value(key, value);
}

static int list_settings(void)
{
	json_t *all = common.json ? json_object() : NULL;

	for (size_t i = 0; lxmgr_global_key(i); i++) {
		const char *key = lxmgr_global_key(i);
		struct lxmgr_err err = { 0 };
		char *value = NULL;

		if (!all) {
			printf("%s\n", key);
			continue;
		}
		if (lxmgr_global_get(key, &value, &err) < 0)
			return tool_exit(tool_error(&err));
		json_object_set_new(all, key, report_text(value));
		free(value);
	}
	if (all)
		report_json(all);
	return tool_exit(0);
}

static int list_keys(void)
{
	json_t *all = common.json ? json_array() : NULL;
	const struct lxmgr_key *k;

	for (size_t i = 0; (k = lxmgr_config_key(i)); i++) {
		char name[64];

		snprintf(name, sizeof(name), "lxmgr.%s", k->name);
		if (all)
			json_array_append_new(all, json_pack("{ss ss sb ss}", "name", name, "type",
							     k->type, "list", k->is_list, "help",
							     k->help));
		else
			printf("%-42s %-22s %s\n", name, k->type, k->help);
	}
	if (all)
		report_json(all);
	return tool_exit(0);
}

static int container_key(char *arg)
{
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	char *eq = strchr(arg, '='), *value = NULL;
	enum lxmgr_state state;
	int r;

	if (eq && (unset || running))
		tool_usage_error("--unset and --running take a KEY, not KEY=VALUE");
	tool_need_root();
	c = tool_open();
	if (eq)
		*eq = '\0';
	if (unset)
		r = lxmgr_container_clear_item(c, arg, &err);
	else if (eq)
		r = lxmgr_container_set_item(c, arg, eq + 1, &err);
	else
		r = running ? lxmgr_container_get_running_item(c, arg, &value, &err)
			    : lxmgr_container_get_item(c, arg, &value, &err);
	if (r == 0 && (eq || unset) && !common.quiet &&
	    lxmgr_container_state(c, &state, NULL) == 0 && state != LXMGR_STOPPED &&
	    state != LXMGR_BROKEN)
		fprintf(stderr, "%s: '%s' is running: the change acts at its next start\n",
			tool.name, tool_text(common.name));
	lxmgr_container_close(c);
	if (r < 0)
		return tool_exit(tool_error(&err));
	return value ? print_value(arg, value) : tool_exit(0);
}

int main(int argc, char **argv)
{
	int left = argc - tool_parse(&tool, argc, argv);

	if (unset && running)
		tool_usage_error("--unset and --running exclude each other");
	if (left > 1 || (left && list))
		tool_usage_error("unexpected argument '%s'", tool_text(argv[argc - 1]));
	if (left && common.name)
		return container_key(argv[argc - 1]);
	if (list && !unset && !running)
		return common.name ? list_keys() : list_settings();
	if (common.name_is_first && !unset && !running)
		return print_setting(common.name);
	tool_usage_error("expected -l, SETTING, or -n NAME KEY[=VALUE]");
}
