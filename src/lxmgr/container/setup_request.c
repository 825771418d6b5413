/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From options to a request: all that can be refused is, before the guest is touched. */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/setup.h"
#include "image/luarun.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"

#define KEYS_LIMIT (1 << 20)
#define ZONE_LIMIT (1 << 20)
#define ALNUM	   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static int usage(struct lxmgr_err *err, const char *option, const char *value, const char *why)
{
	err_status(err, STATUS_USAGE, -EINVAL, "%s '%.200s' %s", option, value, why);
	return -EINVAL;
}

bool setup_zone_is_valid(const char *zone)
{
	const char *p = zone;

	if (!*zone || strlen(zone) > 63)
		return false;
	while (*p) {
		size_t n = strspn(p, ALNUM "_+-");

		if (!n || (p[n] && p[n] != '/') || (p[n] == '/' && !p[n + 1]))
			return false;
		p += n + (p[n] == '/');
	}
	return true;
}

bool setup_locale_is_valid(const char *locale)
{
	size_t n = strlen(locale);

	return n && n < 64 && strchr(ALNUM, *locale) && strspn(locale, ALNUM "_.@-") == n;
}

bool setup_user_is_valid(const char *user)
{
	size_t n = strlen(user);

	return n && n < 33 && *user != '-' && strspn(user, ALNUM "_.-") == n;
}

/* One address without a prefix. */
static int parse_host(const char *text, struct net_addr *ret)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	return strpbrk(text, "/ \t") ? -EINVAL : net_addr_parse(text, family, ret, NULL);
}

int setup_route_parse(const char *text, bool *ret_default, struct net_addr *ret_dest,
		      struct net_addr *ret_gateway, struct lxmgr_err *err)
{
	const char *eq = strchr(text, '=');
	char dest[80];
	int r;

	if (!eq || (size_t)(eq - text) >= sizeof(dest))
		return usage(err, "--route", text,
			     "is neither default=GATEWAY nor NETWORK=GATEWAY");
	snprintf(dest, sizeof(dest), "%.*s", (int)(eq - text), text);
	if (parse_host(eq + 1, ret_gateway) < 0)
		return usage(err, "--route", text, "has a gateway that is no address");
	*ret_default = str_eq(dest, "default");
	if (*ret_default)
		return 0;
	r = net_addr_parse(dest, ret_gateway->family, ret_dest, err);
	if (r < 0 && err)
		err->status = STATUS_USAGE;
	return r;
}

int setup_zone_rule(const char *data, size_t len, char *buf, size_t size)
{
	size_t end = len, begin;

	if (len < 6 || memcmp(data, "TZif", 4) != 0 || data[4] < '2' || data[end - 1] != '\n')
		return -EINVAL;
	begin = --end;
	while (begin && data[begin - 1] != '\n')
		begin--;
	if (!begin || begin == end || end - begin >= size)
		return -EINVAL;
	memcpy(buf, data + begin, end - begin);
	buf[end - begin] = '\0';
	return strspn(buf, ALNUM "<>+-,./:") == end - begin ? 0 : -EINVAL;
}

static bool is_set(const char *const *list)
{
	return list != NULL;
}

/* An option that is there once and empty says: none. */
static bool is_none(const char *const *list)
{
	return !list[0] || (!list[1] && !*list[0]);
}

static int add_family(struct strbuf *b, const char *key, int family, const char *text)
{
	cleanup_free char *value = str_printf("%d %s", family == AF_INET ? 4 : 6, text);

	return value ? lua_request_add(b, key, value) : -ENOMEM;
}

static const char *inside_name(const struct net_spec *n, char buf[IFNAMSIZ + 16])
{
	if (*n->name)
		snprintf(buf, IFNAMSIZ + 16, "%s", n->name);
	else
		snprintf(buf, IFNAMSIZ + 16, "eth%u", n->index);
	return buf;
}

/* The interface that addresses are for: refused where the host sets them, for the guest must not
 * say something else then, and where it is not the guest's. */
static int pick_interface(const struct lxmgr_setup_opts *o, const struct config *cfg,
			  char ret[IFNAMSIZ + 16], struct lxmgr_err *err)
{
	const struct net_spec *found = NULL;

	for (size_t i = 0; i < cfg->n_nets && !found; i++) {
		const struct net_spec *n = &cfg->nets[i];

		inside_name(n, ret);
		if (n->type == NET_NONE)
			return err_status(err, STATUS_REFUSED, -EPERM,
					  "the container has the host's network (lxmgr.net.%u.type "
					  "= none), which is not set from inside",
					  n->index);
		if (n->type != NET_EMPTY && (!o->interface || str_eq(o->interface, ret)))
			found = n;
	}
	if (!found)
		return err_status(err, STATUS_USAGE, -ENODEV,
				  "the container has no interface '%s' in its config",
				  o->interface ? o->interface : "eth0");
	if (found->managed || found->n_addr)
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "the host sets the addresses of '%s'; change them with "
				  "lxmgr-config and lxmgr.net.%u.ipv4.address or ipv6.address",
				  ret, found->index);
	return 0;
}

/* A gateway that no address of the interface has in its network is reached over the link itself. */
static int add_route(const struct lxmgr_setup_opts *o, const char *text, struct strbuf *b,
		     struct lxmgr_err *err)
{
	char dest_text[INET6_ADDRSTRLEN + 4] = "default", gateway_text[INET6_ADDRSTRLEN + 4];
	struct net_addr dest, gateway, a;
	bool is_default, reachable = false;
	cleanup_free char *value = NULL;
	int r = setup_route_parse(text, &is_default, &dest, &gateway, err);

	if (r < 0)
		return r;
	for (size_t i = 0; o->addresses[i]; i++)
		reachable |= net_addr_parse(o->addresses[i], 0, &a, NULL) == 0 &&
			     net_addr_contains(&a, &gateway);
	if (!is_default)
		net_addr_print(&dest, false, dest_text);
	value = str_printf("%s %s%s", dest_text, net_addr_print(&gateway, true, gateway_text),
			   reachable ? "" : " onlink");
	return value ? add_family(b, "route", gateway.family, value) : -ENOMEM;
}

static int add_network(const struct lxmgr_setup_opts *o, const struct config *cfg, struct strbuf *b,
		       struct lxmgr_err *err)
{
	char name[IFNAMSIZ + 16];
	int r;

	if (!is_set(o->addresses)) {
		if (is_set(o->routes) || o->interface)
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "--route and --interface go with --address, as both are "
					  "set together");
		return 0;
	}
	r = pick_interface(o, cfg, name, err);
	if (r < 0)
		return r;
	r = lua_request_add(b, "interface", name) | lua_request_add(b, "network", "1");
	for (size_t i = 0; r == 0 && !is_none(o->addresses) && o->addresses[i]; i++) {
		char text[INET6_ADDRSTRLEN + 4];
		struct net_addr a;

		if (str_eq(o->addresses[i], "dhcp")) {
			r = lua_request_add(b, "dhcp", "1");
			continue;
		}
		if (!strchr(o->addresses[i], '/') || strpbrk(o->addresses[i], " \t"))
			return usage(err, "--address", o->addresses[i],
				     "has no prefix (as in 10.0.0.2/24)");
		r = net_addr_parse(o->addresses[i], 0, &a, err);
		if (r < 0)
			return err ? (err->status = STATUS_USAGE, r) : r;
		r = add_family(b, "address", a.family, net_addr_print(&a, false, text));
	}
	for (size_t i = 0; r == 0 && is_set(o->routes) && !is_none(o->routes) && o->routes[i];
	     i++) {
		r = add_route(o, o->routes[i], b, err);
		if (r < 0 && r != -ENOMEM)
			return r;
	}
	return r < 0 ? err_set(err, r, "request") : 0;
}

static int add_resolver(const struct lxmgr_setup_opts *o, struct strbuf *b, struct lxmgr_err *err)
{
	int r = 0;

	if (!is_set(o->nameservers)) {
		if (is_set(o->search))
			return err_status(
				err, STATUS_USAGE, -EINVAL,
				"--search goes with --nameserver, as both are set together");
		return 0;
	}
	r = lua_request_add(b, "resolver", "1");
	for (size_t i = 0; r == 0 && !is_none(o->nameservers) && o->nameservers[i]; i++) {
		char text[INET6_ADDRSTRLEN + 4];
		struct net_addr a;

		if (parse_host(o->nameservers[i], &a) < 0)
			return usage(err, "--nameserver", o->nameservers[i], "is no address");
		r = lua_request_add(b, "nameserver", net_addr_print(&a, true, text));
	}
	for (size_t i = 0; r == 0 && is_set(o->search) && !is_none(o->search) && o->search[i];
	     i++) {
		if (!hostname_is_valid(o->search[i]))
			return usage(err, "--search", o->search[i], "is no domain");
		r = lua_request_add(b, "search", o->search[i]);
	}
	return r < 0 ? err_set(err, r, "request") : 0;
}

/* "ADDRESS NAME...": with one tab behind the address. */
static int add_host(const char *entry, struct strbuf *b, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist words = { 0 };
	cleanup_strbuf struct strbuf line = { 0 };
	struct net_addr a;

	if (strlist_split(&words, entry, " \t") < 0)
		return err_set(err, -ENOMEM, "request");
	if (strpbrk(entry, "\n\r#") || words.n < 2 || parse_host(words.v[0], &a) < 0)
		return usage(err, "--hosts", entry, "is not 'ADDRESS NAME...'");
	strbuf_addf(&line, "%s\t", words.v[0]);
	for (size_t i = 1; i < words.n; i++) {
		if (!hostname_is_valid(words.v[i]))
			return usage(err, "--hosts", entry, "has a name that is no host name");
		strbuf_addf(&line, "%s%s", i > 1 ? " " : "", words.v[i]);
	}
	return line.failed || lua_request_add(b, "hosts", line.s) < 0
		       ? err_set(err, -ENOMEM, "request")
		       : 0;
}

static int add_hosts(const struct lxmgr_setup_opts *o, struct strbuf *b, struct lxmgr_err *err)
{
	int r = 0;

	if (!is_set(o->hosts))
		return 0;
	if (lua_request_add(b, "set_hosts", "1") < 0)
		return err_set(err, -ENOMEM, "request");
	for (size_t i = 0; r == 0 && !is_none(o->hosts) && o->hosts[i]; i++)
		r = add_host(o->hosts[i], b, err);
	return r;
}

/* OpenWrt has no zones, but their rules. */
static int add_zone(const char *zone, struct strbuf *b, struct lxmgr_err *err)
{
	cleanup_free char *path = str_printf("/usr/share/zoneinfo/%s", zone), *data = NULL;
	char rule[128];
	size_t len;
	int r;

	if (!setup_zone_is_valid(zone))
		return usage(err, "--timezone", zone, "is no name of a time zone");
	r = lua_request_add(b, "timezone", zone);
	if (r == 0 && path && read_file_at(AT_FDCWD, path, ZONE_LIMIT, &data, &len) == 0 &&
	    setup_zone_rule(data, len, rule, sizeof(rule)) == 0)
		r = lua_request_add(b, "tz", rule);
	return r < 0 || !path ? err_set(err, -ENOMEM, "request") : 0;
}

static int add_keys(const char *file, struct strbuf *b, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	size_t n = 0, len;
	int r = read_file_at(AT_FDCWD, file, KEYS_LIMIT, &text, &len);

	if (r < 0)
		return err_set(err, r, "read the ssh key '%s'", file);
	if (strstr(text, "PRIVATE KEY"))
		return usage(err, "--ssh-key", file, "is a private key; give the public one");
	if (strlen(text) != len || strlist_split(&lines, text, "\r\n") < 0)
		return usage(err, "--ssh-key", file, "is no text");
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		const char *line = str_strip(lines.v[i]);

		if (!*line || *line == '#')
			continue;
		if (!strstr(line, "ssh-") && !strstr(line, "ecdsa-") && !strstr(line, "sk-"))
			return usage(err, "--ssh-key", file, "has a line that is no public key");
		r = lua_request_add(b, "ssh_key", line);
		n++;
	}
	if (r == 0 && !n)
		return usage(err, "--ssh-key", file, "holds no public key");
	return r < 0 ? err_set(err, r, "request") : 0;
}

/* A line of /etc/shadow has it between two colons. */
static bool hash_is_valid(const char *hash)
{
	size_t n = strlen(hash);
	int salt;

	if (*hash != '$' || n >= CRYPT_OUTPUT_SIZE || strspn(hash, ALNUM "$./=,+-") != n)
		return false;
	salt = crypt_checksalt(hash);
	return salt != CRYPT_SALT_INVALID && salt != CRYPT_SALT_METHOD_DISABLED;
}

static int add_user(const struct lxmgr_setup_opts *o, struct strbuf *b, struct lxmgr_err *err)
{
	int r = 0;

	if (o->user) {
		if (!setup_user_is_valid(o->user))
			return usage(err, "--user", o->user, "is no name of a user");
		if (!o->password && !o->password_hash && !is_set(o->ssh_key_files))
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "--user goes with a password or --ssh-key");
		r = lua_request_add(b, "user", o->user);
	}
	if (r == 0 && o->password) {
		if (!*o->password || strpbrk(o->password, "\n\r") ||
		    strlen(o->password) >= CRYPT_MAX_PASSPHRASE_SIZE)
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "the password is empty, too long or has a line break");
		r = lua_request_add(b, "password", o->password);
	}
	if (r == 0 && o->password_hash) {
		if (o->password || !hash_is_valid(o->password_hash))
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "that is no hash of a password that this host knows");
		r = lua_request_add(b, "password_hash", o->password_hash);
	}
	if (r < 0)
		return err_set(err, r, "request");
	for (size_t i = 0; r == 0 && is_set(o->ssh_key_files) && o->ssh_key_files[i]; i++)
		r = add_keys(o->ssh_key_files[i], b, err);
	return r;
}

int setup_request(const struct lxmgr_setup_opts *o, const struct config *cfg, struct strbuf *ret,
		  struct lxmgr_err *err)
{
	char name[IFNAMSIZ + 16];
	int r = 0;

	for (size_t i = 0; i < cfg->n_nets && r == 0; i++)
		if (cfg->nets[i].type != NET_NONE && cfg->nets[i].type != NET_EMPTY)
			r = lua_request_add(ret, "interfaces", inside_name(&cfg->nets[i], name));
	if (r == 0 && !o)
		r = lua_request_add(ret, "show", "1");
	if (r < 0)
		return err_set(err, r, "request");
	if (!o)
		return 0;
	if (o->hostname && !hostname_is_valid(o->hostname))
		return usage(err, "--hostname", o->hostname, "is no host name");
	if (o->locale && !setup_locale_is_valid(o->locale))
		return usage(err, "--locale", o->locale, "is no name of a locale");
	if ((o->hostname && lua_request_add(ret, "hostname", o->hostname) < 0) ||
	    (o->locale && lua_request_add(ret, "locale", o->locale) < 0))
		return err_set(err, -ENOMEM, "request");
	r = add_network(o, cfg, ret, err);
	if (r == 0)
		r = add_resolver(o, ret, err);
	if (r == 0)
		r = add_hosts(o, ret, err);
	if (r == 0 && o->timezone)
		r = add_zone(o->timezone, ret, err);
	return r < 0 ? r : add_user(o, ret, err);
}
