/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proxmox's config of a container. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "container/translate_text.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/parse.h"

/* Where the ids of an unprivileged container begin on disk. */
#define FIRST_ID 100000
#define IDS	 65536
#define MAX_DESC 4000

struct pct {
	struct translation t;
	struct strbuf description;
	struct idmap ids;
	uint64_t cores, limit; /* of CPUs, in thousandths */
	bool unprivileged, other_section;
};

/* "name=eth0,bridge=vmbr0": the value of a name in it, in buf; NULL where it is not there. */
static const char *option(const char *value, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	while (*value) {
		size_t n = strcspn(value, ",");

		if (n > len && !strncmp(value, name, len) && value[len] == '=' && n - len <= size) {
			snprintf(buf, size, "%.*s", (int)(n - len - 1), value + len + 1);
			return buf;
		}
		value += n + (value[n] == ',');
	}
	return NULL;
}

/* Names of options in value that are not in the list: said once. */
static void other_options(struct pct *p, const char *key, const char *value,
			  const char *const *known, const char *why)
{
	while (*value) {
		size_t n = strcspn(value, ","), name = strcspn(value, "=");
		bool found = name >= n;

		for (size_t i = 0; known[i] && !found; i++)
			found = strlen(known[i]) == name && !strncmp(known[i], value, name);
		if (!found)
			translate_note(&p->t, "%s: %.*s is left out: %s", key, (int)n, value, why);
		value += n + (value[n] == ',');
	}
}

static void set_addresses(struct pct *p, unsigned int i, int family, const char *value)
{
	const char *ip = family == AF_INET ? "ip" : "ip6", *gw = family == AF_INET ? "gw" : "gw6";
	char buf[80];
	const char *v = option(value, ip, buf, sizeof(buf));

	/* What the guest does by itself. */
	if (!v || str_eq(v, "dhcp") || str_eq(v, "auto") || str_eq(v, "manual"))
		return;
	if (!translate_net(&p->t, i, family == AF_INET ? "ipv4.address" : "ipv6.address", v))
		return;
	v = option(value, gw, buf, sizeof(buf));
	if (v)
		translate_gateway(&p->t, i, family, v);
}

/* "12.5": megabytes a second, both ways. */
static void set_rate(struct pct *p, unsigned int i, const char *value)
{
	uint64_t milli;
	char text[32];

	/* What is too large for lxmgr is no limit that anybody would notice. */
	if (parse_milli(value, 125000, &milli) < 0 || !milli) {
		translate_note(&p->t, "net%u: rate=%s is left out: it is no rate of lxmgr's", i,
			       value);
		return;
	}
	snprintf(text, sizeof(text), "%llukbit", (unsigned long long)milli * 8);
	translate_net(&p->t, i, "rate.in", text);
	translate_net(&p->t, i, "rate.out", text);
}

static void set_net(struct pct *p, unsigned int i, const char *value)
{
	static const char *const same[][2] = {
		{ "name", "name" }, { "bridge", "link" },      { "hwaddr", "hwaddr" },
		{ "mtu", "mtu" },   { "tag", "veth.vlan.id" },
	};
	static const char *const known[] = { "name",   "bridge", "hwaddr",    "mtu",	  "tag",
					     "trunks", "type",	 "link_down", "ip",	  "gw",
					     "ip6",    "gw6",	 "rate",      "firewall", NULL };
	char buf[128];
	const char *v;

	if (i >= CONFIG_MAX_NETS) {
		translate_note(&p->t, "net%u is left out: there are too many interfaces", i);
		return;
	}
	translate_net(&p->t, i, "type", "veth");
	v = option(value, "link_down", buf, sizeof(buf));
	if (!v || str_eq(v, "0"))
		translate_net(&p->t, i, "flags", "up");
	for (size_t k = 0; k < ARRAY_SIZE(same); k++)
		if ((v = option(value, same[k][0], buf, sizeof(buf))))
			translate_net(&p->t, i, same[k][1], v);
	if (option(value, "trunks", buf, sizeof(buf))) {
		char *save = NULL;

		for (char *id = strtok_r(buf, ";", &save); id; id = strtok_r(NULL, ";", &save))
			translate_net(&p->t, i, "veth.vlan.tagged.id", id);
	}
	set_addresses(p, i, AF_INET, value);
	set_addresses(p, i, AF_INET6, value);
	v = option(value, "firewall", buf, sizeof(buf));
	if (v && str_eq(v, "1"))
		translate_note(&p->t,
			       "net%u: the rules of Proxmox's firewall are left out; "
			       "addresses that are not its own cannot be sent from",
			       i);
	if (option(value, "rate", buf, sizeof(buf)))
		set_rate(p, i, buf);
	snprintf(buf, sizeof(buf), "net%u", i);
	other_options(p, buf, value, known, "lxmgr has no such thing");
}

static void set_features(struct pct *p, const char *value)
{
	static const char *const known[] = { "nesting", "fuse", "keyctl", NULL };
	char buf[64];
	const char *v;

	for (size_t i = 0; i < 2; i++) {
		v = option(value, known[i], buf, sizeof(buf));
		if (v && str_eq(v, "1"))
			translate_set(&p->t, "features", known[i]);
	}
	/* keyctl is allowed here anyway. */
	other_options(p, "features", value, known, "lxmgr does not offer it");
}

static void set_startup(struct pct *p, const char *value)
{
	char order[24], buf[24];
	const char *v = option(value, "order", order, sizeof(order));
	uint64_t n;

	/* The lower starts earlier there, and who has none is last. */
	if (!v && isdigit((unsigned char)*value)) {
		snprintf(order, sizeof(order), "%.*s", (int)strcspn(value, ","), value);
		v = order;
	}
	if (v && parse_range(v, 0, 1000000, &n) == 0)
		translate_setf(&p->t, "start.order", "%llu", 1000001ULL - n);
	else if (v)
		translate_note(&p->t, "startup: order=%s is left out: it is no number", v);
	if ((v = option(value, "up", buf, sizeof(buf))))
		translate_set(&p->t, "start.delay", v);
	if ((v = option(value, "down", buf, sizeof(buf))))
		translate_set(&p->t, "stop.timeout", v);
}

/* "local:subvol-1-disk-0,size=8G": what of it is a limit. */
static void set_rootfs(struct pct *p, const char *value)
{
	static const char *const known[] = { "size",  "volume", "shared", "replicate",
					     "quota", "backup", "acl",	  NULL };
	char buf[64];
	const char *v = option(value, "size", buf, sizeof(buf));
	uint64_t n;

	if (v && parse_size(v, &n) == 0)
		translate_disk(&p->t, "limit.disk", n);
	if ((v = option(value, "quota", buf, sizeof(buf))) && str_eq(v, "1"))
		translate_note(&p->t, "rootfs: quota=1 is left out: there are no quotas of users "
				      "in a container");
	other_options(p, "rootfs", value, known, "the root's mount options are lxmgr's");
}

static void set_mp(struct pct *p, const char *key, const char *value)
{
	char source[400], mp[400], buf[16];
	const char *v = option(value, "mp", mp, sizeof(mp));
	bool ro;

	snprintf(source, sizeof(source), "%.*s", (int)strcspn(value, ","), value);
	if (str_has_prefix(source, "volume="))
		memmove(source, source + 7, strlen(source + 7) + 1);
	if (!v || *v != '/') {
		translate_note(&p->t, "%s is left out: it has no place in the container", key);
		return;
	}
	v = option(value, "ro", buf, sizeof(buf));
	ro = v && str_eq(v, "1");
	if (*source != '/') {
		v = option(value, "backup", buf, sizeof(buf));
		if (v && str_eq(v, "1"))
			translate_note(&p->t, "%s: the volume '%s' is a directory of the root now",
				       key, source);
		else
			translate_note(&p->t,
				       "%s is left out: the volume '%s' is no part of the backup "
				       "(it was at '%s')",
				       key, source, mp);
	} else if (p->t.how->trust && !strpbrk(source, " \t\\") && !strpbrk(mp, " \t\\")) {
		translate_setf(&p->t, "mount.entry", "%s %s none bind,create=dir%s", source, mp + 1,
			       ro ? ",ro" : "");
	} else {
		translate_note(&p->t,
			       "%s is left out: it gives '%s' of the host to the container; if it "
			       "shall have it: lxmgr.mount.entry = %s %s none bind,create=dir%s",
			       key, source, source, mp + 1, ro ? ",ro" : "");
	}
}

/* The notes of the web interface: comments, with %XX for what is no plain text. */
static void add_description(struct pct *p, const char *s)
{
	struct strbuf *b = &p->description;

	if (b->len > MAX_DESC)
		return;
	if (b->len)
		strbuf_add(b, " ", 1);
	for (; *s; s++) {
		unsigned int c;
		char ch = *s;

		if (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]) &&
		    sscanf(s + 1, "%2x", &c) == 1) {
			ch = (char)c;
			s += 2;
		}
		if ((unsigned char)ch < ' ' || ch == 127)
			ch = ' ';
		strbuf_add(b, &ch, 1);
	}
}

static void set_bool(struct pct *p, const char *key, const char *value)
{
	translate_set(&p->t, key, str_eq(value, "1") ? "1" : "0");
}

/* Megabytes. */
static void set_memory(struct pct *p, const char *key, const char *value)
{
	uint64_t n;

	if (parse_range(value, 0, UINT64_MAX >> 21, &n) < 0)
		translate_note(&p->t, "%s is left out: '%s' is no number of megabytes", key, value);
	else
		translate_setf(&p->t, key, "%llu", (unsigned long long)n << 20);
}

/* "1", "0.5": thousandths of a CPU. */
static uint64_t cpus(const char *value)
{
	const char *dot = strchr(value, '.');
	cleanup_free char *whole = strndup(value, dot ? (size_t)(dot - value) : strlen(value));
	uint64_t n = 0, frac = 0, unit = 100;

	if (!whole || parse_range(*whole ? whole : "0", 0, 8192, &n) < 0)
		return 0;
	for (const char *c = dot ? dot + 1 : ""; isdigit((unsigned char)*c); c++, unit /= 10)
		frac += (uint64_t)(*c - '0') * unit;
	return n * 1000 + frac;
}

static void set_units(struct pct *p, const char *value)
{
	uint64_t n;

	if (parse_range(value, 0, 500000, &n) < 0)
		translate_note(&p->t, "cpuunits is left out: '%s' is no weight", value);
	else if (n)
		translate_setf(&p->t, "limit.cpu.weight", "%llu",
			       (unsigned long long)(n > 10000 ? 10000 : n));
}

static void set_arch(struct pct *p, const char *value)
{
	translate_set(&p->t, "arch", str_eq(value, "i386") ? "i686" : value);
}

/* Lines of LXC's own, "lxc.KEY: VALUE" and "lxc.KEY = VALUE". */
static void raw_line(struct pct *p, const char *key, const char *value)
{
	const char *name = str_after(key, "lxc.");
	struct lxmgr_err why = { 0 };

	if (str_eq(name, "idmap")) {
		if (idmap_parse_line(value, &p->ids, &why) < 0)
			translate_note(&p->t, "%s is left out: %s", key, why.text);
	} else if (str_has_prefix(name, "rootfs.")) {
		translate_note(&p->t, "%s is left out: its storage is another one here", key);
	} else if (p->t.how->trust && translate_knows(name)) {
		translate_set(&p->t, name, value);
	} else {
		translate_note(&p->t, "%s = %s is left out: %s", key, value,
			       translate_knows(name) ? "it acts on the host"
						     : "lxmgr has no such key");
	}
}

/* Of numbered keys: the number, or -1. */
static int numbered(const char *key, const char *prefix)
{
	const char *n = str_after(key, prefix);
	uint32_t i;

	return n && parse_u32(n, &i) == 0 && i < 1000 ? (int)i : -1;
}

static const struct {
	const char *key;
	void (*set)(struct pct *p, const char *key, const char *value);
	const char *ours;
} keys[] = {
	{ "memory", set_memory, "limit.memory" },
	{ "swap", set_memory, "limit.swap" },
	{ "onboot", set_bool, "start.auto" },
	{ "protection", set_bool, "protect" },
};

static const struct {
	const char *key;
	void (*set)(struct pct *p, const char *value);
} special[] = {
	{ "arch", set_arch },	    { "cpuunits", set_units }, { "features", set_features },
	{ "startup", set_startup }, { "rootfs", set_rootfs },
};

/* What says nothing here, or what a guest's own files say. */
static const char *const silent[] = { "ostype", "console",  "cmode",	"debug",    "lock",
				      "parent", "snaptime", "timezone", "template", NULL };

static const struct {
	const char *key, *why;
} refused[] = {
	{ "hookscript", "a hook is a program of the host" },
	{ "searchdomain", "lxmgr sets no search domain: use lxmgr-setup" },
	{ "entrypoint", "the container's init is started" },
	{ "env", "lxmgr.environment.runtime is the key for it" },
};

static bool plain_key(struct pct *p, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(key, keys[i].key))
			return keys[i].set(p, keys[i].ours, value), true;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (str_eq(key, special[i].key))
			return special[i].set(p, value), true;
	for (size_t i = 0; silent[i]; i++)
		if (str_eq(key, silent[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (str_eq(key, refused[i].key)) {
			if (!str_eq(value, "0"))
				translate_note(&p->t, "%s: %s is left out: %s", key, value,
					       refused[i].why);
			return true;
		}
	return false;
}

static void set_key(struct pct *p, const char *key, char *value)
{
	struct translation *t = &p->t;
	int i;

	if (plain_key(p, key, value))
		return;
	if (str_eq(key, "hostname")) {
		translate_set(t, "uts.name", value);
		value[strcspn(value, ".")] = '\0';
		translate_name(t, value);
	} else if (str_eq(key, "cores")) {
		p->cores = cpus(value);
	} else if (str_eq(key, "cpulimit")) {
		p->limit = cpus(value);
	} else if (str_eq(key, "tty")) {
		translate_set(t, "tty.max", value);
	} else if (str_eq(key, "unprivileged")) {
		p->unprivileged = str_eq(value, "1");
	} else if (str_eq(key, "nameserver")) {
		for (char *c = value; *c; c++)
			*c = *c == ',' ? ' ' : *c;
		translate_set(t, "nameserver", value);
	} else if (str_eq(key, "tags")) {
		for (char *c = value; *c; c++)
			*c = *c == ';' || *c == ',' ? ' ' : *c;
		translate_set(t, "tag", value);
	} else if (str_eq(key, "description")) {
		add_description(p, value);
	} else if ((i = numbered(key, "net")) >= 0) {
		set_net(p, (unsigned int)i, value);
	} else if (numbered(key, "mp") >= 0) {
		set_mp(p, key, value);
	} else if (numbered(key, "dev") >= 0) {
		translate_note(t,
			       "%s: %s is left out: it gives a device of the host to the "
			       "container; lxmgr-device does it",
			       key, value);
	} else if (numbered(key, "unused") >= 0) {
		translate_note(t, "%s: the volume %s is no part of the container", key, value);
	} else if (str_has_prefix(key, "lxc.")) {
		raw_line(p, key, value);
	} else {
		translate_note(t, "%s: %s is left out: lxmgr does not know it", key, value);
	}
}

static void pct_line(struct translation *t, char *line)
{
	struct pct *p = (struct pct *)t;
	size_t n;

	if (*line == '[')
		p->other_section = true; /* a snapshot's, or pending changes */
	if (!*line || p->other_section)
		return;
	if (*line == '#') {
		add_description(p, line + 1);
		return;
	}
	n = strcspn(line, ":= \t");
	if (!n || !line[n]) {
		translate_note(t, "'%.60s' is left out: it is not 'key: value'", line);
		return;
	}
	if (line[n] == ' ' || line[n] == '\t') {
		char *rest = str_strip(line + n);

		line[n] = '\0';
		if (*rest != '=' && *rest != ':') {
			translate_note(t, "'%.60s' is left out: it is not 'key: value'", line);
			return;
		}
		set_key(p, line, str_strip(rest + 1));
		return;
	}
	line[n] = '\0';
	set_key(p, line, str_strip(line + n + 1));
}

static void pct_end(struct translation *t)
{
	struct pct *p = (struct pct *)t;
	struct lxmgr_err why = { 0 };
	uint64_t milli = p->limit && (!p->cores || p->limit < p->cores) ? p->limit : p->cores;

	translate_cpus(t, milli);
	if (p->description.len)
		translate_set(t, "description", str_strip(p->description.s));
	if (!p->unprivileged) {
		translate_note(t, "it had no user namespace and gets one: lxmgr.idmap = none is "
				  "as it was");
		return;
	}
	if (idmap_is_none(&p->ids))
		idmap_add_both(&p->ids, 0, FIRST_ID, IDS);
	if (idmap_check(&p->ids, &why) < 0)
		translate_note(t, "its id map is no map, so ids stay as they lie on disk: %s",
			       why.text);
	else
		t->to->ids = p->ids;
}

int translate_pct(const char *text, size_t len, const struct translate_how *how,
		  struct translated *ret, struct lxmgr_err *err)
{
	struct pct *p = calloc(1, sizeof(*p));
	int r = p ? translate_run(text, len, how, ret, pct_line, pct_end, &p->t, err)
		  : err_set(err, -ENOMEM, "%s", how->name);

	if (p)
		strbuf_free(&p->description);
	free(p);
	return r;
}
