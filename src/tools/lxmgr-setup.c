/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lxmgr_setup_opts o;
static struct strings addresses, routes, nameservers, search, hosts, keys;
static char *password;
static bool password_stdin, crypted, show;

static const struct opt opts[] = {
	{ 0, "hostname", OPT_STRING, &o.hostname, "NAME", "host name, also in the config" },
	{ 0, "address", OPT_STRINGS, &addresses, "A/P",
	  "address of the interface, or dhcp; '' for none" },
	{ 0, "route", OPT_STRINGS, &routes, "NET=GATEWAY", "route, default=GATEWAY for all" },
	{ 0, "interface", OPT_STRING, &o.interface, "IF",
	  "interface of --address and --route (default: the first)" },
	{ 0, "nameserver", OPT_STRINGS, &nameservers, "ADDRESS", "resolver; '' for none" },
	{ 0, "search", OPT_STRINGS, &search, "DOMAIN", "domain that names are looked up in" },
	{ 0, "hosts", OPT_STRINGS, &hosts, "'ADDRESS NAME...'", "line of /etc/hosts; '' for none" },
	{ 0, "timezone", OPT_STRING, &o.timezone, "ZONE", "time zone, as Europe/Vienna" },
	{ 0, "locale", OPT_STRING, &o.locale, "LOCALE", "language, as de_DE.UTF-8" },
	{ 0, "user", OPT_STRING, &o.user, "NAME", "whose password and keys (default: root)" },
	{ 0, "password", OPT_STRING, &password, "PASS",
	  "the user's password (visible in ps; see --password-stdin)" },
	{ 0, "password-stdin", OPT_FLAG, &password_stdin, NULL,
	  "read the password from standard input" },
	{ 0, "crypted", OPT_FLAG, &crypted, NULL, "the password is given as a hash of crypt(3)" },
	{ 0, "ssh-key", OPT_STRINGS, &keys, "FILE", "file with public keys for the user" },
	{ 0, "show", OPT_FLAG, &show, NULL, "print what the guest's files say" },
};

static const struct tool tool = {
	.name = "lxmgr-setup",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Set names, addresses, time zone, passwords and keys of a guest from outside.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.has_json = true,
};

static void item(const char *label, const char *value)
{
	if (value && *value)
		printf("%-16s%s\n", label, tool_text(value));
}

static void list(const char *label, const json_t *values)
{
	const json_t *v;
	size_t i;

	json_array_foreach(values, i, v) item(i ? "" : label, json_string_value(v));
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void print_shown(const json_t *j)
{
	const json_t *net;
	size_t i;

	item("Family:", text_of(j, "family"));
	item("System:", text_of(j, "os"));
	item("Version:", text_of(j, "version"));
	item("Network:", text_of(j, "network"));
	item("Hostname:", text_of(j, "hostname"));
	item("Time zone:", text_of(j, "timezone"));
	item("Locale:", text_of(j, "locale"));
	list("Nameservers:", json_object_get(j, "nameservers"));
	list("Search:", json_object_get(j, "search"));
	json_array_foreach(json_object_get(j, "interfaces"), i, net)
	{
		item("Interface:", text_of(net, "name"));
		if (json_is_true(json_object_get(net, "dhcp")))
			item(" Address:", "dhcp");
		list(" Address:", json_object_get(net, "addresses"));
		list(" Route:", json_object_get(net, "routes"));
	}
}

static void print_done(const json_t *j)
{
	const json_t *v;
	size_t i;

	guest_notices(&tool, j);
	if (common.quiet)
		return;
	json_array_foreach(json_object_get(j, "changed"), i, v)
		printf("Changed %s\n", tool_text(json_string_value(v)));
	if (!json_array_size(json_object_get(j, "changed")))
		printf("Nothing had to be changed.\n");
}

static void check(int argc, int rest)
{
	bool any;

	if (rest < argc)
		tool_usage_error("too many arguments");
	if (password && password_stdin)
		tool_usage_error("--password and --password-stdin exclude each other");
	if (crypted && !password && !password_stdin)
		tool_usage_error("--crypted goes with a password");
	o.addresses = addresses.v;
	o.routes = routes.v;
	o.nameservers = nameservers.v;
	o.search = search.v;
	o.hosts = hosts.v;
	o.ssh_key_files = keys.v;
	any = o.hostname || o.interface || o.addresses || o.routes || o.nameservers || o.search ||
	      o.hosts || o.timezone || o.locale || o.user || password || password_stdin ||
	      o.ssh_key_files;
	if (show && any)
		tool_usage_error("--show goes with no other option");
	if (!show && !any)
		tool_usage_error("nothing to set (see --help), or --show");
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	char *text = NULL;
	json_t *j;

	check(argc, rest);
	if (password_stdin)
		password = tool_read_line("-");
	else if (password)
		password = tool_take_secret(password);
	o.password = crypted ? NULL : password;
	o.password_hash = crypted ? password : NULL;
	c = tool_open();
	r = lxmgr_container_setup(c, show ? NULL : &o, &text, &err);
	if (r < 0)
		return tool_exit(tool_error(&err));
	j = json_loads(text, 0, NULL);
	free(text);
	if (!j)
		tool_no_memory();
	if (!show)
		guest_apply(c, json_object_get(j, "apply"));
	lxmgr_container_close(c);
	if (common.json)
		report_json(json_incref(j));
	else if (show)
		print_shown(j);
	else
		print_done(j);
	json_decref(j);
	return tool_exit(0);
}
