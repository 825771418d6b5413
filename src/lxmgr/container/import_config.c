/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A config is code: hooks run on the host, mounts and interfaces are its own. Of one that somebody
 * else wrote there stays what acts inside alone. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "container/config.h"
#include "container/import_config.h"
#include "util/cleanup.h"
#include "util/err.h"

#define KEY_MAX	  128
#define TEXT_MAX  65536
#define LINES_MAX 1000
#define LEFT_MAX  100

static const char *const harmless[] = {
	"arch",
	"uts.name",
	"signal.halt",
	"signal.reboot",
	"signal.stop",
	"init.cmd",
	"init.cwd",
	"init.uid",
	"init.gid",
	"init.groups",
	"execute.cmd",
	"pty.max",
	"tty.max",
	"lxcfs",
	"limit.memory",
	"limit.swap",
	"limit.cpus",
	"limit.cpu.weight",
	"limit.pids",
	"limit.disk",
	"limit.inodes",
	"cap.drop",
	"no_new_privs",
	"environment.runtime",
	"start.auto",
	"start.delay",
	"start.ready",
	"start.order",
	"start.restart",
	"group",
	"health.cmd",
	"health.interval",
	"health.timeout",
	"health.failures",
	"health.action",
	"stop.timeout",
	"description",
	"protect",
	"suspended",
	"owner",
	"tag",
	"template",
	"nameserver",
	"time.offset.boot",
	"time.offset.monotonic",
};

/* Of the file itself, or read where it is: nobody is told that they do not come along. */
static const char *const silent[] = { "version", "include", "net" };

static const char *const mac_keys[] = { "hwaddr" };
static const char *const address_keys[] = { "ipv4.address", "ipv4.gateway", "ipv6.address",
					    "ipv6.gateway" };

/* Come along with MACs and addresses, which fit no other interface; none names what is the host's.
 */
static const char *const shape_keys[] = { "name", "flags", "mtu", "veth.mode" };

static bool is_in(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], name))
			return true;
	return false;
}

bool import_key_is_harmless(const char *name)
{
	return is_in(name, harmless, ARRAY_SIZE(harmless));
}

/* "net.0.hwaddr": "hwaddr", of an interface that any container has. */
static const char *net_part(const char *name)
{
	const char *p = str_after(name, "net.");

	while (p && isdigit((unsigned char)*p))
		p++;
	return p && *p == '.' ? p + 1 : NULL;
}

static bool is_shape(const char *net, const char *value)
{
	if (str_eq(net, "type"))
		return str_eq(value, "veth") || str_eq(value, "empty");
	return is_in(net, shape_keys, ARRAY_SIZE(shape_keys));
}

struct merge {
	char **text;
	struct import_merge *m;
	struct config host;  /* what *text said before */
	struct strlist seen; /* lists that were emptied */
	struct lxmgr_err *err;
};

static int leave_out(struct merge *m, const char *name)
{
	struct strlist *to = &m->m->left_out;

	if (is_in(name, silent, ARRAY_SIZE(silent)) || strlist_has(to, name) || to->n >= LEFT_MAX)
		return 0;
	return strlist_add(to, name) < 0 ? err_set(m->err, -ENOMEM, "config") : 0;
}

static int edit(struct merge *m, const char *name, const char *value)
{
	cleanup_free char *key = str_printf("lxmgr.%s", name);
	char *text = NULL;
	int r = key ? config_edit(*m->text, key, value, &text, m->err)
		    : err_set(m->err, -ENOMEM, "config");

	if (r < 0)
		return r;
	free(*m->text);
	*m->text = text;
	return 0;
}

/* What is said there takes the place of what this host says. */
static int take(struct merge *m, const char *name, const char *value)
{
	int r = 0;

	if (!strlist_has(&m->seen, name)) {
		r = edit(m, name, NULL);
		if (r == 0 && strlist_add(&m->seen, name) < 0)
			r = err_set(m->err, -ENOMEM, "config");
	}
	return r < 0 ? r : edit(m, name, value);
}

/* What protects the host from the container, or the container from itself. */
static const struct limit {
	const char *name;
	size_t at; /* in struct config */
} limits[] = {
	{ "limit.memory", offsetof(struct config, cgroup.limit[LIMIT_MEMORY]) },
	{ "limit.swap", offsetof(struct config, cgroup.limit[LIMIT_SWAP]) },
	{ "limit.cpus", offsetof(struct config, cgroup.limit[LIMIT_CPUS]) },
	{ "limit.cpu.weight", offsetof(struct config, cgroup.limit[LIMIT_CPU_WEIGHT]) },
	{ "limit.pids", offsetof(struct config, cgroup.limit[LIMIT_PIDS]) },
	{ "limit.disk", offsetof(struct config, limit_disk) },
	{ "limit.inodes", offsetof(struct config, limit_inodes) },
};

/* LIMIT_MAX and LIMIT_UNSET are more than any number. */
static uint64_t limit_of(const struct config *c, const struct limit *l)
{
	return *(const uint64_t *)((const char *)c + l->at);
}

static bool is_more(const struct merge *m, const struct limit *l, const char *value)
{
	cleanup_free char *key = str_printf("lxmgr.%s", l->name);
	struct config one;
	bool more;

	config_init(&one);
	/* One that is none is found when all of it is read. */
	more = !key || (config_set(&one, key, value, NULL) == 0 &&
			limit_of(&one, l) > limit_of(&m->host, l));
	config_free(&one);
	return more;
}

static int not_taken(struct merge *m, const char *name, const char *value)
{
	return strlist_addf(&m->m->notices,
			    "of its config 'lxmgr.%s = %.80s' is left out: this host gives less "
			    "to new containers (--define lxmgr.%s=%.80s takes it)",
			    name, value, name, value) < 0
		       ? err_set(m->err, -ENOMEM, "config")
		       : 0;
}

/* What is said there of a harmless key; the host's limits, and what it denies, stay. */
static int take_harmless(struct merge *m, const char *name, const char *value)
{
	if (str_eq(name, "no_new_privs"))
		return str_eq(value, "1") ? take(m, name, value) : not_taken(m, name, value);
	if (str_eq(name, "cap.drop"))
		return *value ? edit(m, name, value) : not_taken(m, name, value);
	if (m->m->no_disk && (str_eq(name, "limit.disk") || str_eq(name, "limit.inodes")))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (str_eq(name, limits[i].name) && is_more(m, &limits[i], value))
			return not_taken(m, name, value);
	return take(m, name, value);
}

static int one_line(struct merge *m, char *line)
{
	char *eq = strchr(line, '='), *key = str_strip(line);
	const char *name, *net, *value;
	bool is_mac, is_address;

	if (!*key || *key == '#')
		return 0;
	if (!eq)
		return err_msg(m->err, -EINVAL, "the imported config has the line '%.80s'", key);
	*eq = '\0';
	key = str_strip(line);
	name = str_after(key, "lxmgr.");
	if (!name)
		name = str_after(key, "lxc.");
	if (!name || !*name || strlen(name) > KEY_MAX)
		return err_msg(m->err, -EINVAL, "the imported config has the key '%.80s'", key);
	net = net_part(name);
	value = str_strip(eq + 1);
	is_mac = net && is_in(net, mac_keys, ARRAY_SIZE(mac_keys));
	is_address = net && is_in(net, address_keys, ARRAY_SIZE(address_keys));
	if (import_key_is_harmless(name))
		return take_harmless(m, name, value);
	if ((m->m->mac && is_mac) || (m->m->addresses && is_address) ||
	    ((m->m->mac || m->m->addresses) && net && is_shape(net, value)))
		return take(m, name, value);
	/* Interfaces are this host's; addresses are left away unless they are asked for. */
	if (is_mac || is_address || (net && (str_eq(net, "type") || is_shape(net, value))))
		return 0;
	return leave_out(m, name);
}

void import_merge_free(struct import_merge *m)
{
	strlist_free(&m->left_out);
	strlist_free(&m->notices);
}

int import_config_merge(char **text, const char *from, struct import_merge *to,
			struct lxmgr_err *err)
{
	struct merge m = { .text = text, .m = to, .err = err };
	cleanup_strlist struct strlist lines = { 0 };
	int r = strlist_split(&lines, from, "\n");

	if (r < 0)
		return err_set(err, r, "config");
	/* Each line costs a pass over all of them. */
	if (strlen(from) > TEXT_MAX || lines.n > LINES_MAX)
		return err_status(err, STATUS_REFUSED, -E2BIG,
				  "the imported config has more than %d lines or %d bytes",
				  LINES_MAX, TEXT_MAX);
	config_init(&m.host);
	r = config_read_text(&m.host, *text, strlen(*text), "default.conf", err);
	for (size_t i = 0; r == 0 && i < lines.n; i++)
		r = one_line(&m, lines.v[i]);
	strlist_free(&m.seen);
	config_free(&m.host);
	return r;
}
