/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container's configuration: the structure that embeds the specs of the lower modules, the key
 * table's functions, reading and writing files. Nothing below container/ sees it.
 */
#ifndef LXMGR_CONTAINER_CONFIG_H
#define LXMGR_CONTAINER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/apimount.h"
#include "kernel/cgroup.h"
#include "kernel/idmap.h"
#include "kernel/limits.h"
#include "kernel/lsm.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "net/net.h"
#include "storage/storage.h"
#include "util/str.h"

struct lxmgr_err;

#define CONFIG_MAX_NETS 64

enum hook_type {
	HOOK_PRE_START,
	HOOK_PRE_MOUNT,
	HOOK_MOUNT,
	HOOK_AUTODEV,
	HOOK_START_HOST,
	HOOK_START,
	HOOK_STOP,
	HOOK_POST_STOP,
	HOOK_CLONE,
	HOOK_DESTROY,
	HOOK_TYPES
};

/* When a start counts as done. */
enum start_ready {
	START_READY_EXEC, /* init runs */
	START_READY_INIT, /* init said so, by sd_notify(3) */
};

enum lxcfs_policy {
	LXCFS_AUTO, /* where it runs */
	LXCFS_NEVER,
	LXCFS_ALWAYS, /* or no start */
};

/* What follows when init ends without having been asked to. */
enum start_restart {
	RESTART_NO,
	RESTART_ON_FAILURE, /* a status that is not 0, or a signal */
	RESTART_ALWAYS,
};

/* What follows when the health command failed too often. */
enum health_action {
	HEALTH_NONE, /* it is only told */
	HEALTH_RESTART,
	HEALTH_STOP,
	HEALTH_KILL, /* stop without a clean halt */
};

enum idmap_policy {
	IDMAP_AUTO,	/* no idmap key: a block from the allocator */
	IDMAP_EXPLICIT, /* idmap = u ... lines */
	IDMAP_NONE,	/* idmap = none: no user namespace */
};

struct config_pair {
	char *name, *value;
};

struct config_pairs {
	struct config_pair *v;
	size_t n;
};

struct config {
	/* identity and init */
	char *arch;				     /* as given; personality derived */
	char *uts_name;				     /* NULL: the container's name */
	int signal_halt, signal_reboot, signal_stop; /* 0: default */
	char *init_cmd, *init_cwd, *execute_cmd;
	uint32_t init_uid, init_gid;
	uint32_t *init_groups;
	size_t n_init_groups;
	bool ephemeral, protect, suspended;
	bool sched_core;
	struct config_pairs proc; /* proc.FILE */
	struct rlimit_spec *prlimits;
	size_t n_prlimits;
	struct config_pairs sysctls;
	bool has_time_boot, has_time_monotonic;
	int64_t time_boot_ns, time_monotonic_ns;

	/* terminals */
	uint32_t pty_max, tty_max;
	char *tty_dir, *console_path, *console_logfile;
	uint64_t console_size, console_buffer_size; /* bytes, 0: none */
	bool console_rotate;
	bool autodev;
	uint64_t autodev_tmpfs_size;

	/* mounts and root */
	char *mount_fstab;
	struct mount_spec *mounts;
	size_t n_mounts;
	struct api_spec api;
	int lxcfs; /* enum lxcfs_policy */
	struct storage_spec storage;

	/* cgroup, devices, limits */
	struct cgroup_spec cgroup;
	uint64_t limit_disk, limit_inodes; /* LIMIT_UNSET, LIMIT_MAX, or bytes and a number */

	/* privileges */
	struct strlist cap_drop, cap_keep; /* names as given; cap_keep "none" keeps nothing */
	int ns_clone, ns_keep;		   /* CLONE_NEW* masks; 0: unset */
	char *ns_share[NS_COUNT];	   /* name, PID or path */
	enum idmap_policy idmap_policy;
	struct idmap idmap;
	struct lsm_spec lsm;
	bool keyring_session;  /* default true */
	char *seccomp_profile; /* path, "default" (or NULL), "none" */
	bool seccomp_allow_nesting;
	char *seccomp_notify_proxy, *seccomp_notify_cookie;
	bool no_new_privs;
	struct strlist features; /* names, each in features.c's table */

	/* hooks, environment, log */
	uint32_t hook_version;
	struct strlist hooks[HOOK_TYPES];
	struct strlist environment, environment_runtime, environment_hooks;
	char *log_level, *log_file, *log_syslog;

	/* start */
	bool start_auto;
	int start_ready;		   /* enum start_ready */
	uint32_t start_delay, start_order; /* delay in seconds */
	struct strlist groups;
	struct strlist start_after; /* names of containers */
	int start_restart;	    /* enum start_restart */
	bool monitor_unshare;
	int monitor_signal_pdeath;

	/* health: NULL, no checks */
	char *health_cmd;
	uint64_t health_interval_ms, health_timeout_ms;
	uint32_t health_failures;
	int health_action; /* enum health_action */

	/* network */
	struct net_spec nets[CONFIG_MAX_NETS];
	size_t n_nets;

	/* lxmgr's own keys */
	uint32_t config_version;  /* lxmgr.version of the file, 1 */
	uint64_t stop_timeout_ms; /* 60 s */
	char *description;
	char *template_name; /* lxmgr.template, informational */
	char *plan;
	char *owner;
	struct strlist tags;
	struct strlist nameservers;
	bool checkpoint;
	char *snapshot_schedule, *snapshot_keep; /* NULL: none by the clock; all are kept */
	/* What `include` brought in is not saved again: see config_lines below. */
	struct config_lines *lines;
};

/* Set every default (of a config file that says nothing). */
void config_init(struct config *c);
void config_free(struct config *c);

/*
 * Read a file into c (after config_init). dirfd/name is the file; display is how errors name it
 * ("web/config"). Includes are followed, at most 16 deep. Errors carry "display:LINE: key 'x':
 * why".
 */
int config_read(struct config *c, int dirfd, const char *name, const char *display,
		struct lxmgr_err *err);
/* The same from memory (fuzzing, -s KEY=VAL with display "-s"). */
int config_read_text(struct config *c, const char *text, size_t len, const char *display,
		     struct lxmgr_err *err);
/* Set, append (list keys; an empty value clears) or clear one key given on the command line. */
int config_set(struct config *c, const char *key, const char *value, struct lxmgr_err *err);
/* Clear a key back to its default ("lxmgr.net" clears all interfaces). */
int config_clear(struct config *c, const char *key, struct lxmgr_err *err);
/* The value(s) of a key, one per line, malloc'ed ("" when unset). -ENOENT: no such key. */
int config_get(const struct config *c, const char *key, char **ret, struct lxmgr_err *err);
/* All that differs from the defaults as a file: lxmgr. prefix, one key per line. */
int config_print(const struct config *c, char **ret, struct lxmgr_err *err);
/* Checks across keys (a gateway inside its subnet, keep and drop together, ...) and of keys
 * that this build refuses; sets what follows (managed networks, fstab entries). name is the
 * container's. */
int config_check(struct config *c, const char *name, struct lxmgr_err *err);
/* Where a key was set last ("web/config:14") or NULL: for errors found later. */
const char *config_where(const struct config *c, const char *key);
/* The same for the element of a list that stands `back` before its last. */
const char *config_where_item(const struct config *c, const char *key, size_t back);

/*
 * Change the file itself, as `lxmgr-config NAME --set` and create do, keeping its other lines,
 * comments and includes: set or remove a key in text. *ret is the new text.
 */
int config_edit(const char *text, const char *key, const char *value, char **ret,
		struct lxmgr_err *err);

/* The key table for help, completion and man page checks: i-th key, NULL behind the last. */
struct config_key_info {
	const char *name; /* without the prefix, with [i] or NAME for variable parts */
	const char *type; /* "bool", "size", ... */
	const char *help;
	bool is_list;
	bool ours; /* not one of LXC's */
};
const struct config_key_info *config_key(size_t i);

#endif
