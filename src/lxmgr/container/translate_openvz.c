/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenVZ's config of a container: assignments of a shell, read as text. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "container/translate_text.h"
#include "kernel/caps.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/parse.h"

#define PAGE 4096
#define IDS  65536

struct openvz {
	struct translation t;
	char *addresses, *netif;
	uint64_t physpages, privvmpages, cpulimit, cpus; /* bytes; thousandths of a CPU */
	uint32_t local_uid, local_gid;
	struct strbuf beans; /* beancounters without a counterpart */
};

/* "barrier:limit" or one number, in units or with a suffix: the limit. 0: none. */
static uint64_t bean(const char *value, uint64_t unit)
{
	const char *colon = strchr(value, ':'), *s = colon ? colon + 1 : value;
	cleanup_free char *number = NULL;
	size_t n = strlen(s);
	uint64_t v;

	if (!n || !strcasecmp(s, "unlimited"))
		return 0;
	/* P: pages. */
	if (toupper((unsigned char)s[n - 1]) == 'P') {
		number = strndup(s, n - 1);
		unit = PAGE;
	} else {
		number = strdup(s);
		if (isalpha((unsigned char)s[n - 1]))
			unit = 1;
	}
	/* What was written as the largest number there is means no limit. */
	if (!number || parse_size(number, &v) < 0 || v >= INT64_MAX / unit || v == INT32_MAX)
		return 0;
	return v * unit;
}

/* The value of NAME="value" without its quotes, in place; NULL where a shell would have to say what
 * it is. Only the container's own number is put in for its variable, into buf. */
static char *unquote(struct openvz *o, char *s, char *buf, size_t size)
{
	const char *id = o->t.how->id ? o->t.how->id : "";
	char quote = *s == '"' || *s == '\'' ? *s++ : 0;
	size_t n = 0;

	for (; *s && *s != quote; s++) {
		const char *add = s;
		size_t len = 1;

		if (!quote && (*s == '#' || isspace((unsigned char)*s)))
			break;
		if (quote != '\'' && *s == '\\') {
			add = ++s;
			if (!*s)
				return NULL;
		} else if (quote != '\'' &&
			   (!strncmp(s, "${VEID}", 7) || !strncmp(s, "$VEID", 5))) {
			s += s[1] == '{' ? 6 : 4;
			add = id;
			len = strlen(id);
		} else if ((quote != '\'' && strchr("$`", *s)) ||
			   (!quote && strchr(";&|<>()'\"", *s))) {
			return NULL;
		}
		if (n + len + 1 > size)
			return NULL;
		memcpy(buf + n, add, len);
		n += len;
	}
	if (quote && *s != quote)
		return NULL;
	buf[n] = '\0';
	if (quote)
		s++;
	s = str_strip(s);
	return *s && *s != '#' ? NULL : str_strip(buf);
}

static void set_physpages(struct openvz *o, const char *key, const char *value)
{
	o->physpages = bean(value, PAGE);
}

static void set_privvmpages(struct openvz *o, const char *key, const char *value)
{
	o->privvmpages = bean(value, PAGE);
}

static void set_swap(struct openvz *o, const char *key, const char *value)
{
	const char *limit = strrchr(value, ':');

	limit = limit ? limit + 1 : value;
	if (bean(value, PAGE) || str_eq(limit, "0"))
		translate_setf(&o->t, "limit.swap", "%llu", (unsigned long long)bean(value, PAGE));
}

static void set_numproc(struct openvz *o, const char *key, const char *value)
{
	uint64_t n = bean(value, 1);

	if (n)
		translate_setf(&o->t, "limit.pids", "%llu",
			       (unsigned long long)(n > 4194304 ? 4194304 : n));
}

static void set_disk(struct openvz *o, const char *key, const char *value)
{
	bool space = str_eq(key, "DISKSPACE");

	translate_disk(&o->t, space ? "limit.disk" : "limit.inodes", bean(value, space ? 1024 : 1));
}

static void set_units(struct openvz *o, const char *key, const char *value)
{
	uint64_t n = bean(value, 1);

	if (n)
		translate_setf(&o->t, "limit.cpu.weight", "%llu",
			       (unsigned long long)(n < 10	 ? 1
						    : n > 100000 ? 10000
								 : n / 10));
}

/* Per cent of one CPU. */
static void set_cpulimit(struct openvz *o, const char *key, const char *value)
{
	uint64_t n;
	size_t len = strspn(value, "0123456789");
	cleanup_free char *digits = strndup(value, len);

	if (!digits || parse_range(digits, 0, 819200, &n) < 0 ||
	    (value[len] && !str_eq(value + len, "%")))
		translate_note(&o->t, "%s is left out: '%s' is no percentage", key, value);
	else
		o->cpulimit = n * 10;
}

static void set_cpus(struct openvz *o, const char *key, const char *value)
{
	uint64_t n;

	if (!strcasecmp(value, "unlimited"))
		return;
	if (parse_range(value, 0, 8192, &n) < 0)
		translate_note(&o->t, "%s is left out: '%s' is no number of CPUs", key, value);
	else
		o->cpus = n * 1000;
}

static void set_keep(struct openvz *o, const char *key, const char *value)
{
	char **to = str_eq(key, "NETIF") ? &o->netif : &o->addresses;

	free(*to);
	*to = strdup(value);
	o->t.failed |= !*to;
}

static void set_hostname(struct openvz *o, const char *key, const char *value)
{
	translate_set(&o->t, "uts.name", value);
}

static void set_nameserver(struct openvz *o, const char *key, const char *value)
{
	if (*value && !str_eq(value, "inherit"))
		translate_set(&o->t, "nameserver", value);
}

static void set_onboot(struct openvz *o, const char *key, const char *value)
{
	translate_set(&o->t, "start.auto", str_eq(value, "yes") ? "1" : "0");
}

static void set_order(struct openvz *o, const char *key, const char *value)
{
	translate_set(&o->t, "start.order", value);
}

static void set_timeout(struct openvz *o, const char *key, const char *value)
{
	translate_set(&o->t, "stop.timeout", value);
}

static void set_description(struct openvz *o, const char *key, const char *value)
{
	if (*value)
		translate_set(&o->t, "description", value);
}

static void set_name(struct openvz *o, const char *key, const char *value)
{
	if (*value)
		translate_name(&o->t, value);
}

static void set_private(struct openvz *o, const char *key, const char *value)
{
	free(o->t.to->root);
	o->t.to->root = strdup(value);
	o->t.failed |= !o->t.to->root;
}

static void set_local_id(struct openvz *o, const char *key, const char *value)
{
	parse_u32(value, str_eq(key, "LOCAL_UID") ? &o->local_uid : &o->local_gid);
}

static void set_disabled(struct openvz *o, const char *key, const char *value)
{
	if (str_eq(value, "yes"))
		translate_set(&o->t, "suspended", "1");
}

/* Words "NAME:on", "NAME:off". */
static void each_switch(struct openvz *o, const char *key, const char *value,
			void (*fn)(struct openvz *o, const char *key, char *name, bool on))
{
	cleanup_free char *copy = strdup(value);
	char *save = NULL;

	o->t.failed |= !copy;
	for (char *w = copy ? strtok_r(copy, " \t,", &save) : NULL; w;
	     w = strtok_r(NULL, " \t,", &save)) {
		char *colon = strrchr(w, ':');

		if (colon)
			*colon = '\0';
		fn(o, key, w, !colon || !str_eq(colon + 1, "off"));
	}
}

static void one_capability(struct openvz *o, const char *key, char *name, bool on)
{
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (caps_parse(name) < 0)
		translate_note(&o->t, "%s: '%s' is left out: it is no capability", key, name);
	else if (!on)
		translate_set(&o->t, "cap.drop", name);
	else if (!str_eq(name, "net_admin"))
		translate_note(&o->t,
			       "%s: %s:on is left out: the container has what its user "
			       "namespace gives",
			       key, name);
}

static void one_feature(struct openvz *o, const char *key, char *name, bool on)
{
	if (!on || str_eq(name, "sysfs") || str_eq(name, "bridge"))
		return;
	if (str_eq(name, "fuse"))
		translate_set(&o->t, "features", "fuse");
	else
		translate_note(&o->t, "%s: %s:on is left out: lxmgr does not offer it", key, name);
}

/* DEVNODES="net/tun:rw", DEVICES="c:10:200:rw". */
static void one_device(struct openvz *o, const char *key, char *name, bool on)
{
	if (str_eq(name, "net/tun") || str_eq(name, "c:10:200"))
		translate_set(&o->t, "features", "tun");
	else if (str_eq(name, "fuse") || str_eq(name, "c:10:229"))
		translate_set(&o->t, "features", "fuse");
	else
		translate_note(&o->t,
			       "%s: '%s' is left out: it gives a device of the host to the "
			       "container; lxmgr-device does it",
			       key, name);
}

static void set_capability(struct openvz *o, const char *key, const char *value)
{
	each_switch(o, key, value, one_capability);
}

static void set_features(struct openvz *o, const char *key, const char *value)
{
	each_switch(o, key, value, one_feature);
}

static void set_devices(struct openvz *o, const char *key, const char *value)
{
	each_switch(o, key, value, one_device);
}

static void set_other_bean(struct openvz *o, const char *key, const char *value)
{
	strbuf_addf(&o->beans, "%s%s", o->beans.len ? ", " : "", key);
}

static void set_nothing(struct openvz *o, const char *key, const char *value)
{
}

static void set_refused(struct openvz *o, const char *key, const char *value)
{
	if (*value && !str_eq(value, "0"))
		translate_note(&o->t, "%s=%s is left out: lxmgr has no such thing", key, value);
}

static void set_domain(struct openvz *o, const char *key, const char *value)
{
	if (*value && !str_eq(value, "inherit"))
		translate_note(&o->t,
			       "%s=%s is left out: lxmgr sets no search domain: use "
			       "lxmgr-setup",
			       key, value);
}

/* Names that end in '*' stand for all that begin so. */
static const struct {
	const char *key;
	void (*set)(struct openvz *o, const char *key, const char *value);
} keys[] = {
	{ "PHYSPAGES", set_physpages },
	{ "PRIVVMPAGES", set_privvmpages },
	{ "SWAPPAGES", set_swap },
	{ "NUMPROC", set_numproc },
	{ "DISKSPACE", set_disk },
	{ "DISKINODES", set_disk },
	{ "CPUUNITS", set_units },
	{ "CPULIMIT", set_cpulimit },
	{ "CPUS", set_cpus },
	{ "IP_ADDRESS", set_keep },
	{ "NETIF", set_keep },
	{ "HOSTNAME", set_hostname },
	{ "NAMESERVER", set_nameserver },
	{ "SEARCHDOMAIN", set_domain },
	{ "ONBOOT", set_onboot },
	{ "BOOTORDER", set_order },
	{ "STOP_TIMEOUT", set_timeout },
	{ "DESCRIPTION", set_description },
	{ "VE_PRIVATE", set_private },
	{ "LOCAL_UID", set_local_id },
	{ "LOCAL_GID", set_local_id },
	{ "DISABLED", set_disabled },
	{ "CAPABILITY", set_capability },
	{ "FEATURES", set_features },
	{ "DEVICES", set_devices },
	{ "DEVNODES", set_devices },
	{ "KMEMSIZE", set_other_bean },
	{ "LOCKEDPAGES", set_other_bean },
	{ "SHMPAGES", set_other_bean },
	{ "VMGUARPAGES", set_other_bean },
	{ "OOMGUARPAGES", set_other_bean },
	{ "NUMTCPSOCK", set_other_bean },
	{ "NUMFLOCK", set_other_bean },
	{ "NUMPTY", set_other_bean },
	{ "NUMSIGINFO", set_other_bean },
	{ "TCPSNDBUF", set_other_bean },
	{ "TCPRCVBUF", set_other_bean },
	{ "OTHERSOCKBUF", set_other_bean },
	{ "DGRAMRCVBUF", set_other_bean },
	{ "NUMOTHERSOCK", set_other_bean },
	{ "DCACHESIZE", set_other_bean },
	{ "NUMFILE", set_other_bean },
	{ "AVNUMPROC", set_other_bean },
	{ "NUMIPTENT", set_other_bean },
	{ "VEID", set_nothing },
	{ "CTID", set_nothing },
	{ "UUID", set_nothing },
	{ "NAME", set_name },
	{ "VERSION", set_nothing },
	{ "VE_ROOT", set_nothing },
	{ "VE_LAYOUT", set_nothing },
	{ "VEFORMAT", set_nothing },
	{ "VETYPE", set_nothing },
	{ "VE_TYPE", set_nothing },
	{ "OSTEMPLATE", set_nothing },
	{ "TEMPLATE*", set_nothing },
	{ "DISTRIBUTION", set_nothing },
	{ "TECHNOLOGIES", set_nothing },
	{ "ORIGIN_SAMPLE", set_nothing },
	{ "CONFIG_CUSTOMIZED", set_nothing },
	{ "APPLY_CONFIG*", set_nothing },
	{ "QUOTATIME", set_nothing },
	{ "DISK_QUOTA", set_nothing },
	{ "NOATIME", set_nothing },
	{ "DISK", set_nothing },
	{ "MEMGUARANTEE*", set_nothing },
	{ "VM_OVERCOMMIT", set_nothing },
	{ "VE_STOP_MODE", set_nothing },
	{ "IOPRIO", set_nothing },
	{ "HARDLINK*", set_nothing },
	{ "CUSTOMIZED", set_nothing },
	{ "AUTOSTOP", set_nothing },
};

static void openvz_line(struct translation *t, char *line)
{
	struct openvz *o = (struct openvz *)t;
	char value[8192], *eq = strchr(line, '='), *v;

	if (!*line || *line == '#')
		return;
	if (!eq || (size_t)(eq - line) !=
			   strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789abcdefghijklmnopqrst"
					"uvwxyz")) {
		translate_note(t, "'%.60s' is left out: it is not KEY=\"value\"", line);
		return;
	}
	*eq = '\0';
	v = unquote(o, eq + 1, value, sizeof(value));
	if (!v) {
		translate_note(t, "%s is left out: it would need a shell to say what it is", line);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i].key);

		if (str_eq(line, keys[i].key) ||
		    (keys[i].key[n - 1] == '*' && !strncmp(line, keys[i].key, n - 1))) {
			keys[i].set(o, line, v);
			return;
		}
	}
	set_refused(o, line, v);
}

/* venet: addresses that the host routes to the container, which has no network around it. */
static void add_routed(struct openvz *o, unsigned int index)
{
	struct translation *t = &o->t;
	bool first = true, v4 = false, v6 = false;
	char *save = NULL, full[64];

	for (char *a = strtok_r(o->addresses, " \t", &save); a; a = strtok_r(NULL, " \t", &save)) {
		bool six = strchr(a, ':');

		a[strcspn(a, "/")] = '\0';
		if (first) {
			translate_net(t, index, "type", "veth");
			translate_net(t, index, "flags", "up");
			translate_net(t, index, "veth.mode", "router");
			if (index)
				translate_net(t, index, "name", "venet0");
			first = false;
		}
		snprintf(full, sizeof(full), "%.50s/%d", a, six ? 128 : 32);
		if (translate_net(t, index, six ? "ipv6.address" : "ipv4.address", full))
			*(six ? &v6 : &v4) = true;
	}
	if (v4)
		translate_net(t, index, "ipv4.gateway", "dev");
	if (v6)
		translate_net(t, index, "ipv6.gateway", "dev");
}

/* "ifname=eth0,mac=..,bridge=..". What the host end is called is made anew at each start. */
static void add_interface(struct openvz *o, unsigned int index, char *text)
{
	static const char *const same[][2] = {
		{ "ifname", "name" },
		{ "mac", "hwaddr" },
		{ "bridge", "link" },
	};
	struct translation *t = &o->t;
	const char *gw[2] = { NULL, NULL };
	char *save = NULL;

	translate_net(t, index, "type", "veth");
	translate_net(t, index, "flags", "up");
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *v = strchr(w, '=');

		if (!v || !v[1])
			continue;
		*v++ = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(same); i++)
			if (str_eq(w, same[i][0]))
				translate_net(t, index, same[i][1], v);
		if (str_eq(w, "gw"))
			gw[0] = v;
		else if (str_eq(w, "gw6"))
			gw[1] = v;
		else if (str_eq(w, "ip"))
			translate_net(t, index, strchr(v, ':') ? "ipv6.address" : "ipv4.address",
				      v);
		else if (str_eq(w, "mac_filter") && str_eq(v, "off"))
			translate_note(t, "NETIF: mac_filter=off is left out: addresses that are "
					  "not its own cannot be sent from");
	}
	for (int six = 0; six < 2; six++)
		if (gw[six])
			translate_gateway(t, index, six ? AF_INET6 : AF_INET, gw[six]);
}

static void openvz_end(struct translation *t)
{
	struct openvz *o = (struct openvz *)t;
	uint64_t memory = o->physpages ? o->physpages : o->privvmpages;
	unsigned int index = 0;
	char *save = NULL;

	for (char *i = o->netif ? strtok_r(o->netif, ";", &save) : NULL;
	     i && index < CONFIG_MAX_NETS - 1; i = strtok_r(NULL, ";", &save))
		add_interface(o, index++, str_strip(i));
	if (o->addresses)
		add_routed(o, index);
	if (memory)
		translate_setf(t, "limit.memory", "%llu", (unsigned long long)memory);
	if (memory && !o->physpages)
		translate_note(t, "PRIVVMPAGES, a limit of what is allocated, is one of what is "
				  "used now (lxmgr.limit.memory)");
	if (o->beans.len)
		translate_note(t, "%s are left out: lxmgr.limit.memory counts memory of all kinds",
			       o->beans.s);
	translate_cpus(t,
		       o->cpulimit && (!o->cpus || o->cpulimit < o->cpus) ? o->cpulimit : o->cpus);
	if (o->local_uid >= IDS && o->local_gid >= IDS && o->local_uid < UINT32_MAX - IDS &&
	    o->local_gid < UINT32_MAX - IDS) {
		t->to->ids.uid[0] = (struct idmap_extent){ 0, o->local_uid, IDS };
		t->to->ids.gid[0] = (struct idmap_extent){ 0, o->local_gid, IDS };
		t->to->ids.n_uid = t->to->ids.n_gid = 1;
	}
}

int translate_openvz(const char *text, size_t len, const struct translate_how *how,
		     struct translated *ret, struct lxmgr_err *err)
{
	struct openvz *o = calloc(1, sizeof(*o));
	int r = o ? translate_run(text, len, how, ret, openvz_line, openvz_end, &o->t, err)
		  : err_set(err, -ENOMEM, "%s", how->name);

	if (o) {
		free(o->addresses);
		free(o->netif);
		strbuf_free(&o->beans);
	}
	free(o);
	return r;
}
