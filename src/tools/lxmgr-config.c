/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

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
	.has_json = true,
};

static int print_value(const char *key, const char *value)
{
	if (common.json)
		tool_json(json_pack("{ss}", key, value));
	else
		printf("%s\n", tool_text(value));
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
	for (size_t i = 0; lxmgr_global_key(i); i++)
		printf("%s\n", lxmgr_global_key(i));
	return tool_exit(0);
}

static int list_keys(void)
{
	const struct lxmgr_key *k;

	for (size_t i = 0; (k = lxmgr_config_key(i)); i++)
		printf("lxmgr.%-36s %-22s %s\n", k->name, k->type, k->help);
	return tool_exit(0);
}

static int container_key(char *arg)
{
	struct lxmgr_container *c = tool_open();
	struct lxmgr_err err = { 0 };
	char *eq = strchr(arg, '='), *value = NULL;
	int r;

	if (eq)
		*eq = '\0';
	if (unset)
		r = lxmgr_container_clear_item(c, arg, &err);
	else if (eq)
		r = lxmgr_container_set_item(c, arg, eq + 1, &err);
	else
		r = running ? lxmgr_container_get_running_item(c, arg, &value, &err)
			    : lxmgr_container_get_item(c, arg, &value, &err);
	lxmgr_container_close(c);
	if (r < 0)
		return tool_exit(tool_error(&err));
	return value ? print_value(arg, value) : tool_exit(0);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);

	if (common.name && rest < argc)
		return container_key(argv[rest]);
	if (common.name && list)
		return list_keys();
	if (common.name && !unset && !running)
		return print_setting(common.name);
	if (list)
		return list_settings();
	tool_usage_error("expected -l, SETTING, or -n NAME KEY[=VALUE]");
}
