/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Value types of the key table: each parses a text into a field and prints the field again.
 * Private to config_*.c.
 */
#ifndef LXMGR_CONTAINER_CONFIG_VALUE_H
#define LXMGR_CONTAINER_CONFIG_VALUE_H

#include "container/config.h"

struct lxmgr_err;
struct config_key;

/* What a value type works on. */
struct value_ctx {
	struct config *c;
	const struct config_key *key;
	const char *suffix; /* the variable part of the name ("nofile" of prlimit.nofile), or "" */
	void *field;	    /* the field's address, in struct config or in a struct net_spec */
};

struct value_type {
	const char *name; /* for help and man page checks */
	/* Parse value (not empty) into the field; list types append. */
	int (*set)(const struct value_ctx *v, const char *value, struct lxmgr_err *err);
	/* Back to unset; NULL: the field is copied from a fresh config. */
	void (*clear)(const struct value_ctx *v);
	/* Append the value, or one value per line for lists; nothing where it is unset. For a
	 * family ("prlimit.*") with an empty suffix, "suffix value" lines. */
	void (*print)(const struct value_ctx *v, struct strbuf *out);
	bool is_list;
};

struct config_key {
	const char *name; /* "uts.name"; ends in '.': a family; "net.*": "net.[i].link" */
	const struct value_type *type;
	size_t offset; /* in struct config, or in struct net_spec for net keys */
	const char *help;
	const char *const *names; /* enum types: words, NULL-terminated, in order of value */
	unsigned int flags;
};

enum { KEY_OURS = 1, KEY_NET = 2, KEY_FAMILY = 4, KEY_NOT_SAVED = 8 };

extern const struct value_type value_string, value_bool, value_u32, value_size, value_limit_size,
	value_limit_disk, value_limit_count, value_limit_pids, value_cpus, value_burst,
	value_cpuset, value_weight, value_signal, value_list, value_words, value_names,
	value_apparmor_raw, value_env, value_enum, value_duration, value_path, value_hostname,
	value_ifname, value_seconds, value_loglevel, value_arch, value_schedule, value_keep;
extern const struct value_type value_idmap, value_mount, value_api, value_ns_mask, value_ns_share,
	value_groups, value_pairs_proc, value_pairs_sysctl, value_rlimit, value_cgroup2,
	value_cgroup1, value_time_boot, value_time_monotonic, value_rootfs, value_rootfs_options,
	value_refused, value_true_only, value_features;
extern const struct value_type value_net_type, value_net_flags, value_mac, value_addr4, value_addr6,
	value_gw4, value_gw6, value_route4, value_route6, value_vlan_none, value_vlan_tagged,
	value_vlan_id, value_mtu, value_rate;

/* The table, and a search: sets *ret_suffix to the variable part, *ret_net to i of net.i (-1). */
extern const struct config_key config_keys[];
extern const size_t config_n_keys;
const struct config_key *config_find(const char *name, const char **ret_suffix, long *ret_net);
/* The interface with this index, made if it is new and `make`. */
struct net_spec *config_net(struct config *c, unsigned long index, bool make);
void config_net_init(struct net_spec *n, unsigned int index);
/* Append a value and the end of its line so that it is read again as the same. */
void config_add_value(struct strbuf *out, const char *value, size_t n);
/* Where keys were set. */
int config_note(struct config *c, const char *key, const char *where);
const char *config_noted(const struct config *c, const char *key);
void config_lines_free(struct config_lines *l);

#endif
