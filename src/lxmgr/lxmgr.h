/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liblxmgr: create, run and manage system containers. The only installed header.
 *
 * Conventions: functions return 0 or a positive result, or a negative errno with *err filled
 * (err may be NULL). Handles are opaque, used from one thread at a time and closed by their
 * owner. Strings given in are copied; strings handed out by ret_ parameters are malloc'ed.
 * `path` arguments name the directory of containers; NULL is the default (/var/lib/lxmgr).
 * The library prints nothing and does not change the process's working directory, umask or
 * signal dispositions.
 */
#ifndef LXMGR_H
#define LXMGR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything else in the library is built hidden. */
#pragma GCC visibility push(default)

#ifndef LXMGR_ERR_DEFINED
#define LXMGR_ERR_DEFINED
struct lxmgr_err {
	int code;	/* negative errno; 0: nothing happened */
	int status;	/* the exit status a tool ends with, enum lxmgr_status; 0 counts as 1 */
	char text[504]; /* one line without a newline, always terminated */
};
#endif

enum lxmgr_status {
	LXMGR_FAILED = 1,
	LXMGR_NOT_RUNNING = 2,
	LXMGR_NO_CONTAINER = 3,
	LXMGR_WRONG_STATE = 4,
	LXMGR_LOCKED = 5,
	LXMGR_REFUSED = 6,
	LXMGR_USAGE = 64,
};

/* LXC's states, and BROKEN: its config cannot be read. */
enum lxmgr_state {
	LXMGR_STOPPED,
	LXMGR_STARTING,
	LXMGR_RUNNING,
	LXMGR_STOPPING,
	LXMGR_ABORTING,
	LXMGR_FREEZING,
	LXMGR_FROZEN,
	LXMGR_THAWED,
	LXMGR_BROKEN,
	LXMGR_STATES
};
const char *lxmgr_state_name(enum lxmgr_state state); /* "STOPPED" ... static */
int lxmgr_state_parse(const char *name);	      /* any case; -EINVAL */

const char *lxmgr_version(void);
/* A host-wide setting of lxmgr.conf(5) or its default ("lxmgr.lxmgrpath"); NULL ends the list of
 * names from lxmgr_global_key(i). */
int lxmgr_global_get(const char *key, char **ret, struct lxmgr_err *err);
const char *lxmgr_global_key(size_t i);

struct lxmgr_container;

/* Open an existing container (LXMGR_NO_CONTAINER if there is none). rcfile (may be NULL) is read
 * in place of its config. A corrupt config does not fail open: see lxmgr_container_state(). */
int lxmgr_container_open(const char *path, const char *name, const char *rcfile,
			 struct lxmgr_container **ret, struct lxmgr_err *err);
void lxmgr_container_close(struct lxmgr_container *c);
const char *lxmgr_container_name(const struct lxmgr_container *c);
const char *lxmgr_container_path(const struct lxmgr_container *c); /* directory of containers */

struct lxmgr_create_opts {
	const char *template_name; /* -t: name, path, or "none" */
	const char *image;	   /* --image: a name or digest in the cache, in place of it */
	const char *const *template_args; /* after "--", NULL-terminated */
	const char *config;		  /* -f: replaces default.conf */
	const char *backend;		  /* -B; NULL: best */
	/* Backend dir: with a template or an image the root is made there, where nothing may be
	 * yet, and destroy deletes it; else that directory, which stays, is the root. */
	const char *dir;
	/* Of the backends loop and lvm, NULL: the default. fstype: ext4, xfs or btrfs; fssize:
	 * "20G", "512M", a number alone in MiB. lvm: the volume's name, its group (default:
	 * lxmgr.bdev.lvm.vg), and the thin pool (default: lxmgr.bdev.lvm.thin_pool, where there is
	 * one), "" for a thick volume. Refused with another backend. */
	const char *fstype, *fssize;
	const char *lvname, *vgname, *thinpool;
	bool privileged;
	bool quiet;
	bool flush_cache;
	const char *const *defines;	 /* KEY=VALUE, saved into the config; NULL-terminated */
	const char *hostname, *password; /* NULL: as the template leaves it */
	const char *ssh_key_file;
	const char *plan; /* its limits; NULL: those of default.conf */
	int timeout_ms;	  /* of the template; 0: an hour */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
	char **ret_notice; /* one line on what had to be other than asked, to be freed; or NULL */
};
/* What a template says of its own options, to be freed. */
int lxmgr_template_help(const char *template_name, char **ret, struct lxmgr_err *err);
/* What the template `download` can get (its options -l, -d, -r, -a, --variant, --server in
 * args), as a table, to be freed. -EINVAL: another template. */
int lxmgr_template_list(const char *template_name, const char *const *args, char **ret,
			struct lxmgr_err *err);
/* The cache of images that containers are made of. */
struct lxmgr_image {
	char digest[65];
	char **names; /* NULL-terminated */
	size_t n_names;
	/* "template NAME", "REMOTE:PRODUCT", "container NAME", "file NAME"; "" where it is not
	 * known. */
	char *origin, *arch, *os, *release, *variant, *version;
	uint64_t created, used; /* seconds since the epoch; 0: not known */
	uint64_t size;		/* bytes on disk, of a remote's to download; LXMGR_UNKNOWN */
	char **users;		/* directories of containers that stand on it */
	size_t n_users;
	bool users_known; /* false: a directory of containers could not be looked at */
};
/* All of the cache, sorted by digest. */
int lxmgr_image_list(struct lxmgr_image **ret, size_t *ret_n, struct lxmgr_err *err);
/* What a remote has, the newest version of each; offline: by the last index. */
int lxmgr_image_list_remote(const char *remote, bool offline, struct lxmgr_image **ret,
			    size_t *ret_n, struct lxmgr_err *err);
/* The names of the remotes that are configured, for lxmgr_list_free(). */
int lxmgr_image_remotes(char ***ret, size_t *ret_n, struct lxmgr_err *err);
/* One, by name, digest, or 12 or more of its first digits; a list of one. */
int lxmgr_image_get(const char *name, struct lxmgr_image **ret, struct lxmgr_err *err);
void lxmgr_image_list_free(struct lxmgr_image *list, size_t n);

struct lxmgr_image_opts {
	const char *name; /* it gets this name; NULL: fetch takes the remote's */
	const char *arch; /* NULL: this host's */
	bool offline;	  /* by the last index and what is downloaded */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
};
/* source is REMOTE:IMAGE. LXMGR_REFUSED: a signature, digest, or content that may not be.
 * ret_digest may be NULL. */
int lxmgr_image_fetch(const char *source, const struct lxmgr_image_opts *o, char **ret_digest,
		      struct lxmgr_err *err);
/* Give the name to the newest version of the product that it came from. */
int lxmgr_image_refresh(const char *name, const struct lxmgr_image_opts *o, bool *ret_changed,
			struct lxmgr_err *err);
/* The root of a stopped container, without what makes it that one. */
int lxmgr_image_publish(struct lxmgr_container *c, const struct lxmgr_image_opts *o,
			char **ret_digest, struct lxmgr_err *err);
/* A root in a tar archive; sha256: its digest, or NULL. */
int lxmgr_image_import(const char *file, const char *sha256, const struct lxmgr_image_opts *o,
		       char **ret_digest, struct lxmgr_err *err);
/* One of several names only loses the name. LXMGR_WRONG_STATE while a container stands on it. */
int lxmgr_image_delete(const char *name, struct lxmgr_err *err);
struct lxmgr_prune_opts {
	bool all;		   /* those with names too */
	bool dry_run;		   /* delete nothing */
	const char *const *trees;  /* more directories of containers to look in; NULL-terminated */
	const char *const *forget; /* directories of containers that are gone for ever */
	void (*removed)(const struct lxmgr_image *image, void *arg); /* called for each */
	void *arg;
};
/* Delete images that no container stands on, in any directory of containers that is known. */
int lxmgr_image_prune(const struct lxmgr_prune_opts *o, struct lxmgr_err *err);
/* Is its content what it was when it came into the cache? */
int lxmgr_image_verify(const char *name, struct lxmgr_err *err);

int lxmgr_container_create(const char *path, const char *name, const struct lxmgr_create_opts *opts,
			   struct lxmgr_err *err);

struct lxmgr_copy_opts {
	const char *path; /* directory of containers for the copy; NULL: that of the source */
	bool share;	  /* copy on write; -EOPNOTSUPP where the backend cannot */
	bool try_share;	  /* the same, or a full copy where it cannot */
	bool ephemeral;	  /* destroyed when it stops; implies try_share */
	bool keep_name;	  /* the host name stays that of the source */
	/* Fixed ones of the config, which are taken out else; what the address manager gave becomes
	 * fixed. */
	bool keep_mac, keep_addresses;
	bool keep_identity; /* machine-id and ssh host keys stay */
	/* Ephemeral, backend overlay: what it writes stays in memory, this many bytes; 0: on disk.
	 */
	uint64_t memory;
	/* NULL: that of the source. Another one is a full copy, file by file; so is another
	 * type or size of a root's own file system, which are as in lxmgr_create_opts. But
	 * "overlay" of a stopped "dir" can be shared: the source becomes one as well. */
	const char *backend, *fstype, *fssize;
	const char *const *hook_args; /* more arguments for lxmgr.hook.clone; NULL-terminated, or
				       * NULL */
	const char *const *defines;   /* KEY=VALUE, saved into its config; NULL-terminated */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
	bool *ret_no_keys; /* set if it has no ssh host keys now, for want of ssh-keygen; or NULL */
};
/* Copy a container, which may run: then it stands still while its own part is copied. name NULL: an
 * ephemeral copy gets a name that is made up. *ret_name (may be NULL) is the copy's name. */
int lxmgr_container_copy(struct lxmgr_container *c, const char *name,
			 const struct lxmgr_copy_opts *opts, char **ret_name,
			 struct lxmgr_err *err);
/* Give a stopped container another name: root, ids, addresses and units come along. */
int lxmgr_container_rename(struct lxmgr_container *c, const char *name, struct lxmgr_err *err);

#define LXMGR_POINT_SIZE 40

struct lxmgr_export_opts {
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
	void (*warn)(const char *text, void *arg); /* something was left out; may be NULL */
	void *warn_arg;
	bool full;	  /* backup: all of it, although an increment would do */
	const char *keep; /* backup: what points are kept, "7d,4w,6m"; NULL: all */
};
/* Write the container, its config and its root, to one file (lxmgr-archive(5)), in place of what
 * has that name; "-": to descriptor 1. It may run: then it stands still while its own part is
 * copied. A failure leaves what was there. */
int lxmgr_container_export(struct lxmgr_container *c, const char *file,
			   const struct lxmgr_export_opts *opts, struct lxmgr_err *err);
struct lxmgr_backup_done {
	char point[LXMGR_POINT_SIZE];
	bool full;
	uint64_t size;	/* bytes of its own part */
	size_t removed; /* points that were not kept */
};
/* Add a point to a directory of backups, which is made if it is not there: what has changed since
 * the last one, or all of it. A failure leaves the points that there were. */
int lxmgr_container_backup(struct lxmgr_container *c, const char *dir,
			   const struct lxmgr_export_opts *opts, struct lxmgr_backup_done *ret,
			   struct lxmgr_err *err);
struct lxmgr_backup {
	char name[64]; /* of the container */
	char point[LXMGR_POINT_SIZE];
	char parent[LXMGR_POINT_SIZE];	/* what it stands on; "": it is full */
	char missing[LXMGR_POINT_SIZE]; /* a part that it needs and that is not there, or "" */
	uint64_t created;		/* seconds since the epoch */
	uint64_t size;			/* bytes of its own part */
};
/* The points of a directory of backups, the oldest first; to be freed with lxmgr_backup_free(). */
int lxmgr_backup_list(const char *dir, struct lxmgr_backup **ret, size_t *ret_n,
		      struct lxmgr_err *err);
void lxmgr_backup_free(struct lxmgr_backup *list);

struct lxmgr_import_opts {
	const char *name;	     /* NULL: that of what is imported */
	const char *format;	     /* NULL: what it looks like; a stream is an lxmgr archive */
	const char *backend;	     /* -B; NULL: dir */
	const char *fstype, *fssize; /* as those of struct lxmgr_create_opts */
	bool trust;	/* its config may name what is the host's: hooks, mounts, devices */
	bool keep_name; /* the host name stays */
	bool keep_mac, keep_addresses; /* fixed ones of its config */
	bool keep_identity;	       /* machine-id and ssh host keys stay */
	const char *const *defines;    /* KEY=VALUE, saved into its config; NULL-terminated */
	const char *max_size;	       /* of its content, "64G"; NULL: 1 TiB */
	const char
		*max_entries; /* files, "20M"; NULL: 10 million, of a foreign archive 2 million */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
	void (*warn)(const char *text, void *arg); /* something is other than there; may be NULL */
	void *warn_arg;
	bool *ret_no_keys; /* set if it has no ssh host keys now, for want of ssh-keygen; or NULL */
};
/* Make a container of a file, of "DIR[@POINT]" of a directory of backups, or of what
 * lxmgr_import_format() names besides; "-": of descriptor 0. LXMGR_REFUSED: what it is made of is
 * damaged or may not be. */
int lxmgr_container_import(const char *path, const char *source,
			   const struct lxmgr_import_opts *opts, char **ret_name,
			   struct lxmgr_err *err);
/* The i-th format and one line on it, NULL behind the last. */
const char *lxmgr_import_format(size_t i, const char **ret_help);

#define LXMGR_SNAPSHOT_ID_SIZE 17

struct lxmgr_snapshot {
	char name[64], parent[64]; /* parent: the nearest ancestor that there still is, or "" */
	char id[LXMGR_SNAPSHOT_ID_SIZE]; /* unlike the name never used again */
	char *ancestors;		 /* their ids, the nearest first, separated by blanks */
	char *comment;			 /* one line, "" if none */
	uint64_t created;		 /* seconds since the epoch */
	uint64_t size;			 /* bytes of its own layer or root, LXMGR_UNKNOWN */
	bool scheduled;			 /* made by lxmgr.snapshot.schedule */
};
struct lxmgr_snapshot_opts {
	const char *name;    /* NULL: snap0, snap1, ... */
	const char *comment; /* one line or NULL */
	bool scheduled;
	void (*progress)(const char *text, int permille, void *arg); /* or NULL */
	void *progress_arg;
};
/* Keep what the container's root and config are now, copied on write where the backend can. It may
 * run: then it stands still meanwhile. */
int lxmgr_snapshot_create(struct lxmgr_container *c, const struct lxmgr_snapshot_opts *opts,
			  char ret_name[64], struct lxmgr_err *err);
/* All of them, the oldest first; to be freed with lxmgr_snapshot_free(). */
int lxmgr_snapshot_list(struct lxmgr_container *c, struct lxmgr_snapshot **ret, size_t *ret_n,
			struct lxmgr_err *err);
void lxmgr_snapshot_free(struct lxmgr_snapshot *list, size_t n);
/* The stopped container's root becomes that of the snapshot, at one instant; its config stays.
 * progress may be NULL. */
int lxmgr_snapshot_restore(struct lxmgr_container *c, const char *name,
			   void (*progress)(const char *text, int permille, void *arg), void *arg,
			   struct lxmgr_err *err);
int lxmgr_snapshot_destroy(struct lxmgr_container *c, const char *name, struct lxmgr_err *err);
/* One by lxmgr.snapshot.schedule: its name tells the time. */
int lxmgr_snapshot_scheduled(struct lxmgr_container *c, char ret_name[64], struct lxmgr_err *err);
/* Destroy those made by schedule that lxmgr.snapshot.keep does not keep, and no others; fn (may be
 * NULL) is told of each. LXMGR_WRONG_STATE: the key is not set. */
int lxmgr_snapshot_expire(struct lxmgr_container *c, void (*fn)(const char *name, void *arg),
			  void *arg, struct lxmgr_err *err);

enum {
	LXMGR_DIFF_TYPE = 1, /* a directory became a file, or the like */
	LXMGR_DIFF_DATA = 2, /* bytes, the target of a link, a device's numbers */
	LXMGR_DIFF_MODE = 4,
	LXMGR_DIFF_OWNER = 8,
	LXMGR_DIFF_XATTR = 16, /* access control lists and capabilities, too */
};
struct lxmgr_diff {
	char change;	   /* '+', '-' or 'M' */
	unsigned int what; /* LXMGR_DIFF_* of an 'M' */
	const char *path;  /* inside, any bytes but NUL */
};
/* What is different in the snapshot `to` (NULL: the container as it is now, which may run) from
 * what was in the snapshot `from`: fn is told of each path, a directory before what is in it, and
 * ends it with anything but 0. */
int lxmgr_snapshot_diff(struct lxmgr_container *c, const char *from, const char *to,
			int (*fn)(const struct lxmgr_diff *d, void *arg), void *arg,
			struct lxmgr_err *err);
/* The snapshot as a container that never runs: for lxmgr_container_copy(). */
int lxmgr_snapshot_open(struct lxmgr_container *c, const char *name, struct lxmgr_container **ret,
			struct lxmgr_err *err);

struct lxmgr_start_opts {
	bool foreground; /* the caller stays the parent; returns when it stopped */
	bool queue;	 /* one of many: wait for one of the host's slots (lxmgr.start.parallel) */
	bool service;	 /* the caller is the main process of the container's unit and becomes its
			  * monitor: returns only when the start failed */
	bool dry_run;	 /* only plan; *ret_plan is the text */
	bool force;	 /* also beyond what lxmgr.overcommit.* of lxmgr.conf(5) allow */
	char **ret_plan;
	const char *const *argv;    /* instead of init; NULL-terminated or NULL */
	const char *const *defines; /* KEY=VALUE for this start */
	const char *console;	    /* -c FILE */
	const char *console_log;    /* -L FILE */
	const char *pidfile;	    /* -p FILE: pid of the monitor */
	const char *share[4];	    /* net, ipc, uts, pid: NAME, PID or path; NULL */
	bool execute;		    /* argv runs under lxmgr-init (lxmgr-execute) */
	int script_fd;		    /* stays open in argv's program; 0: none */
	uid_t uid;		    /* execute -u, -g; (uid_t)-1: unset */
	gid_t gid;
	int *ret_status; /* foreground: wait status of init */
	void (*progress)(const char *text, int permille, void *arg); /* long work before it */
	void (*warn)(const char *text, void *arg);		     /* it starts, but less safe */
	void *progress_arg;
};
int lxmgr_container_start(struct lxmgr_container *c, const struct lxmgr_start_opts *opts,
			  struct lxmgr_err *err);

struct lxmgr_stop_opts {
	bool kill;   /* at once, no clean halt */
	bool reboot; /* ask init to reboot */
	bool nokill; /* fail (LXMGR_FAILED) when the time is over instead of killing */
	bool nowait; /* return once the signal is sent */
	bool nolock;
	bool if_running; /* a container that does not run is fine */
	bool cleanup;	 /* only take back what a run that is over left behind: stops nothing */
	int timeout_ms;	 /* of the clean halt; -1: lxmgr.stop.timeout (60 s) */
};
int lxmgr_container_stop(struct lxmgr_container *c, const struct lxmgr_stop_opts *opts,
			 struct lxmgr_err *err);
int lxmgr_container_destroy(struct lxmgr_container *c, bool force, bool snapshots,
			    struct lxmgr_err *err);
int lxmgr_container_freeze(struct lxmgr_container *c, struct lxmgr_err *err);
int lxmgr_container_unfreeze(struct lxmgr_container *c, struct lxmgr_err *err);

/* The state now; never blocks on a lock. */
int lxmgr_container_state(struct lxmgr_container *c, enum lxmgr_state *ret, struct lxmgr_err *err);
/* Wait until the state is in mask (1 << enum lxmgr_state); -1: for ever. -ETIMEDOUT. */
int lxmgr_container_wait(struct lxmgr_container *c, unsigned int mask, int timeout_ms,
			 enum lxmgr_state *ret, struct lxmgr_err *err);

struct lxmgr_info_addr {
	char ifname[16];
	int family; /* AF_INET, AF_INET6 */
	char text[46];
	uint8_t prefix;
};

struct lxmgr_info_link {
	char ifname[16], host_ifname[16];
	uint64_t rx_bytes, tx_bytes; /* as the container sees them */
	char antispoof[24];	     /* "on", "off", "not enforceable" */
};

/* LXMGR_UNKNOWN stands where a number cannot be had. */
#define LXMGR_UNKNOWN UINT64_MAX

/* What the root takes on disk, and may take. */
struct lxmgr_disk {
	char backend[16];
	uint64_t bytes, inodes;		/* LXMGR_UNKNOWN: cannot be had */
	uint64_t max_bytes, max_inodes; /* LXMGR_UNKNOWN: no limit */
};

struct lxmgr_info {
	enum lxmgr_state state;
	pid_t init_pid, monitor_pid; /* 0: none */
	bool unprivileged, autostart, monitor_alive;
	uint32_t id_base, id_count; /* first host id of the block */
	char *groups;		    /* comma separated, "" if none */
	char *selinux;		    /* context of init, "" if it has none of its own */
	char *backend, *image;	    /* storage backend, base image digest or "" */
	char *apparmor;		    /* the profile that its init was started in, "" if none */
	struct lxmgr_info_addr *addrs;
	size_t n_addrs;
	struct lxmgr_info_link *links;
	size_t n_links;
	uint64_t cpu_ns, memory, memory_limit, kmem, swap, pids, pids_limit, io_read, io_write;
	uint64_t started; /* seconds since the epoch, 0: not running */
	bool waiting;	  /* it ended, and is started again after a pause (lxmgr.start.restart) */
	/* The last health check of this run: "healthy", "unhealthy" (static) or NULL: none yet. */
	const char *health;
	unsigned int health_failures; /* in a row */
	uint64_t health_checked;      /* seconds since the epoch */
	char health_result[64], health_output[256];
	struct lxmgr_disk disk; /* with LXMGR_INFO_STORAGE, what is known at once */
};
enum {
	LXMGR_INFO_ADDRS = 1,
	LXMGR_INFO_STATS = 2,
	LXMGR_INFO_CONFIG = 4,
	LXMGR_INFO_LINKS = 8, /* the host's side of the interfaces */
	LXMGR_INFO_STORAGE = 16,
	LXMGR_INFO_ALL = 31,
	/* Without ADDRS and LINKS: of the interfaces of its config what they count, and nothing
	 * else of them. */
	LXMGR_INFO_TRAFFIC = 32,
};
int lxmgr_container_info(struct lxmgr_container *c, unsigned int what, struct lxmgr_info **ret,
			 struct lxmgr_err *err);
void lxmgr_info_free(struct lxmgr_info *info);

/*
 * What a container has of a resource, had at most since its start, may have, and how often it was
 * refused more: memory, swap, memory.kernel, memory.sockets, memory.oom, pids, cpus, cpu.time,
 * cpu.throttled, cpu.stalled, memory.stalled, io.read, io.write, io.stalled, disk, inodes; see
 * lxmgr-usage(1) for what the kernel counts as each.
 */
struct lxmgr_usage {
	const char *resource, *unit;	      /* static */
	uint64_t current, peak, limit, fails; /* LXMGR_UNKNOWN: not counted here, or no limit */
};
/* Those that can be had, in that order; of a stopped container disk and inodes. free(*ret). */
int lxmgr_container_usage(struct lxmgr_container *c, struct lxmgr_usage **ret, size_t *ret_n,
			  struct lxmgr_err *err);

/* Whose a process of the host is, of the running containers of all directories. */
struct lxmgr_process {
	pid_t pid, inside;	   /* inside: what the container calls it, 0: it is in none */
	bool is_monitor;	   /* it waits for the container, and is not in it */
	char name[64], path[4096]; /* the container and its directory, "" if it is none's */
	char command[64];	   /* as the process calls itself: print it with care */
};
/* -ESRCH: there is no such process, or it ended meanwhile. */
int lxmgr_process(pid_t pid, struct lxmgr_process *ret, struct lxmgr_err *err);

/* All containers below path, sorted by name: defined ones (a directory with a config) and, with
 * active, those that run without one. The strings belong to the list. */
int lxmgr_list(const char *path, char ***ret_names, size_t *ret_n, struct lxmgr_err *err);
void lxmgr_list_free(char **names, size_t n);

/* Config items of the container's (saved) config, as lxc_container has them. */
int lxmgr_container_get_item(struct lxmgr_container *c, const char *key, char **ret,
			     struct lxmgr_err *err);
int lxmgr_container_get_running_item(struct lxmgr_container *c, const char *key, char **ret,
				     struct lxmgr_err *err);
int lxmgr_container_set_item(struct lxmgr_container *c, const char *key, const char *value,
			     struct lxmgr_err *err); /* saves */
int lxmgr_container_clear_item(struct lxmgr_container *c, const char *key, struct lxmgr_err *err);
/* The i-th key of the table, NULL behind the last. */
struct lxmgr_key {
	const char *name, *type, *help;
	bool is_list, ours;
};
const struct lxmgr_key *lxmgr_config_key(size_t i);

struct lxmgr_attach_opts {
	const char *const *argv; /* NULL: the user's shell inside */
	int namespaces;		 /* CLONE_NEW* mask, 0: all of the container's */
	bool elevated_caps, elevated_cgroup, elevated_lsm; /* -e */
	bool remount_sys_proc;				   /* -R */
	bool clear_env;
	const char *const *keep_vars, *const *set_vars; /* NAME ..., NAME=VALUE ... */
	uid_t uid;					/* (uid_t)-1: root, or init's */
	gid_t gid;
	const char *arch; /* -a */
	const char *selinux_context;
	const char *pty_log;
	bool no_pty;   /* keep 0, 1, 2 as they are even on a terminal */
	int script_fd; /* stays open in the command; 0: none */
};
/* Returns when the command ended; *ret_status is the tool's exit status (125, 126, 127 as
 * lxmgr(7) says, 128 + signal). */
int lxmgr_container_attach(struct lxmgr_container *c, const struct lxmgr_attach_opts *opts,
			   int *ret_status, struct lxmgr_err *err);
struct lxmgr_script_opts {
	int fd;			     /* the script is read from here */
	const char *const *args;     /* NULL-terminated or NULL */
	const char *const *set_vars; /* NAME=VALUE ... or NULL */
	uid_t uid;		     /* (uid_t)-1: root */
	gid_t gid;
	void (*progress)(const char *text, int permille, void *arg);
	void (*warn)(const char *text, void *arg);
	void *arg;
};
/* Run a script of the host's: in the container that runs, or in one that is started for it alone.
 * Its interpreter is the container's; the container can read it and not change it. *ret_status as
 * for lxmgr_container_attach(). */
int lxmgr_container_runscript(struct lxmgr_container *c, const struct lxmgr_script_opts *opts,
			      int *ret_status, struct lxmgr_err *err);
/* Connect fd 0/1 to tty `tty` (0: console, -1: the first free one) until escape + q. */
int lxmgr_container_console(struct lxmgr_container *c, int tty, int escape, struct lxmgr_err *err);

struct lxmgr_files_opts {
	bool recursive; /* directories too, with what is in them */
	bool archive;	/* keep times, modes, owners and extended attributes */
	bool parents;	/* make the directories that dest lacks */
	uid_t uid;	/* of what is made, (uid_t)-1: root, or the source's with archive */
	gid_t gid;
	mode_t mode;   /* of files, (mode_t)-1: as the source's, without set-id bits */
	int cancel_fd; /* readable: give up (-ECANCELED); 0 or less: none */
	void (*warn)(const char *text, void *arg); /* something was left out */
	void (*progress)(const char *text, int permille, void *arg);
	void *arg;
};
/*
 * Copy files and trees into the container or out of it, while it runs or is stopped. sources is
 * NULL-terminated; dest is a directory that is there, or the new name of the one source. "-": push
 * reads one file from descriptor 0, pull writes one to descriptor 1. Ids are the container's. Links
 * are copied as links, but for a source that is one itself; devices, fifos and sockets are refused,
 * in trees left out. A file is put in place when it is whole.
 */
int lxmgr_container_push(struct lxmgr_container *c, const char *const *sources, const char *dest,
			 const struct lxmgr_files_opts *opts, struct lxmgr_err *err);
int lxmgr_container_pull(struct lxmgr_container *c, const char *const *sources, const char *dest,
			 const struct lxmgr_files_opts *opts, struct lxmgr_err *err);

/* Mount the root of a stopped container for the host, nosuid and nodev, ids as on disk; it cannot
 * be started until lxmgr_container_umount(). dir NULL: a directory below /run/lxmgr is made. *ret
 * (may be NULL) is where it is. */
int lxmgr_container_mount(struct lxmgr_container *c, const char *dir, bool read_only, char **ret,
			  struct lxmgr_err *err);
int lxmgr_container_umount(struct lxmgr_container *c, struct lxmgr_err *err);
struct lxmgr_mount {
	const char *name, *path, *dir;
	bool read_only;
	pid_t elsewhere; /* it is in the mount namespace of this process; 0: in ours */
};
/* fn with each that is mounted, of the containers in path (NULL: of all); non-zero ends it. */
int lxmgr_mounts(const char *path, int (*fn)(const struct lxmgr_mount *m, void *arg), void *arg,
		 struct lxmgr_err *err);

int lxmgr_container_disk(struct lxmgr_container *c, struct lxmgr_disk *ret, struct lxmgr_err *err);
/* Change the limit, also while it runs, and its config (lxmgr.limit.disk and .inodes): "20G",
 * "+5G", "max"; NULL: as it is. Refused with LXMGR_REFUSED where the root takes more, and where
 * nothing could limit it. progress may be NULL. */
int lxmgr_container_disk_change(struct lxmgr_container *c, const char *bytes, const char *inodes,
				void (*progress)(const char *text, int permille, void *arg),
				void *arg, struct lxmgr_err *err);
/* Give back to the host what the stopped container's root has freed; *ret_freed in bytes. */
int lxmgr_container_disk_compact(struct lxmgr_container *c,
				 void (*progress)(const char *text, int permille, void *arg),
				 void *arg, uint64_t *ret_freed, struct lxmgr_err *err);

/* A key of the config ("lxmgr.limit.memory") and its value; NULL: its default. */
struct lxmgr_change {
	const char *key, *value;
};
/* Told of each key that gets another value; both as the config has them, "" for the default. */
typedef void lxmgr_set_fn(const char *key, const char *old, const char *value, void *arg);
#define LXMGR_SET_DRY_RUN 1U /* all is checked and told, nothing changed */
#define LXMGR_SET_FORCE	  2U /* also beyond what lxmgr.overcommit.* of lxmgr.conf(5) allow */
/*
 * Change a container, at once where it runs, and its config. All is checked first; limits are read
 * back from the kernel; if a part fails all is as before. LXMGR_WRONG_STATE: a key that cannot
 * change while it runs. LXMGR_REFUSED: a limit that what is in use does not fit. fn may be NULL.
 * lxmgr.limit.disk and .inodes change at once for a stopped one, too; SIGINT ends what takes long.
 */
int lxmgr_container_set(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
			unsigned int flags, lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err);

/* What there is of a resource, and what of it is promised to containers by their limits. */
enum {
	LXMGR_HOST_MEMORY,
	LXMGR_HOST_SWAP,
	LXMGR_HOST_CPUS,
	LXMGR_HOST_PIDS,
	LXMGR_HOST_DISK,
	LXMGR_HOST_ADDRESSES, /* IPv4, of the managed bridge: what they have, not a limit */
	LXMGR_HOST_RESOURCES
};
struct lxmgr_host_resource {
	const char *name, *unit;	     /* static: "memory", "bytes"; cpus: "thousandths" */
	uint64_t capacity, used;	     /* used: by whomever; LXMGR_UNKNOWN: not counted */
	uint64_t running, all;		     /* limits of those that run, and of all, added up */
	size_t unlimited_running, unlimited; /* how many have none, and may take all there is */
	/* Thousandths of capacity that may be promised to those that run, of the disk to all;
	 * LXMGR_UNKNOWN: no bound (lxmgr.overcommit.* of lxmgr.conf(5)). */
	uint64_t overcommit;
};
struct lxmgr_host_container {
	char *name, *path;
	enum lxmgr_state state;
	uint64_t limit[LXMGR_HOST_RESOURCES]; /* LXMGR_UNKNOWN: none */
};
/* The host, whose disk is that of path (NULL: the default one), and the containers in path and
 * those that run, of every directory, by name; for lxmgr_host_free(). */
int lxmgr_host(const char *path, struct lxmgr_host_resource ret[LXMGR_HOST_RESOURCES],
	       struct lxmgr_host_container **ret_list, size_t *ret_n, struct lxmgr_err *err);
void lxmgr_host_free(struct lxmgr_host_container *list, size_t n);

/* A plan: what a slice is sold as. /etc/lxmgr/plans/NAME.conf has keys lxmgr.limit.* and
 * lxmgr.snapshot.*, one each line. To be freed with lxmgr_plan_free(). */
struct lxmgr_plan {
	struct lxmgr_change *keys; /* in the file's order */
	size_t n;
	char *text; /* what they point into */
};
int lxmgr_plan_read(const char *name, struct lxmgr_plan *ret, struct lxmgr_err *err);
void lxmgr_plan_free(struct lxmgr_plan *plan);
/* Their names, sorted, for lxmgr_list_free(). */
int lxmgr_plan_list(char ***ret_names, size_t *ret_n, struct lxmgr_err *err);
/* The text of a plan of which n containers fill this host, whose disk is that of path (NULL: the
 * default one), to be freed. */
int lxmgr_plan_split(const char *path, unsigned int n, char **ret, struct lxmgr_err *err);
/* Give a container the keys of a plan, as lxmgr_container_set() does; its config says whose they
 * are (lxmgr.plan). Keys that the plan does not name stay. */
int lxmgr_container_plan(struct lxmgr_container *c, const char *name, unsigned int flags,
			 lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err);
/* How many keys of the plan have another value in the container's config; fn is told each, with
 * that of the container and that of the plan. name NULL: its own plan; -ENOENT: it has none, or
 * that is gone. */
int lxmgr_container_plan_diff(struct lxmgr_container *c, const char *name, lxmgr_set_fn *fn,
			      void *arg, struct lxmgr_err *err);

/* Read (value NULL: *ret) or write a control file of the running container's cgroup. */
int lxmgr_container_cgroup(struct lxmgr_container *c, const char *file, const char *value,
			   char **ret, struct lxmgr_err *err);
/* Add or remove a device node, or move a network interface in or out. */
int lxmgr_container_device(struct lxmgr_container *c, bool add, const char *dev, const char *dest,
			   struct lxmgr_err *err);

/* Give running containers the files of lxcfs anew, as needed when it was restarted: of name, or of
 * all in every directory of containers (NULL) whose lxmgr.lxcfs is not 0. Without `attach` they are
 * only taken away. wait_ms: time for lxcfs to come up. fn is told of each; why is NULL where it
 * went well. Returns the number of containers that failed. */
int lxmgr_lxcfs(const char *path, const char *name, bool attach, int wait_ms,
		void (*fn)(const char *name, const struct lxmgr_err *why, void *arg), void *arg,
		struct lxmgr_err *err);

/* Follow state changes of one container (name) or all (NULL) below path; fn returns non-zero to
 * end. Uses inotify on the run directory: no daemon. */
int lxmgr_monitor(const char *path, const char *name,
		  int (*fn)(const char *name, enum lxmgr_state state, void *arg), void *arg,
		  struct lxmgr_err *err);

/* Containers to start or stop together (lxmgr-autostart(1)). */
struct lxmgr_auto_opts {
	const char *const
		*groups;  /* NULL-terminated, "" is no group; NULL: those without a group */
	bool all;	  /* whatever their groups */
	bool ignore_auto; /* also those without lxmgr.start.auto */
	bool up;	  /* those that run, to stop them; else those that do not */
	bool all_trees;	  /* with up: all that run, of every tree, whatever else is set */
	bool no_units;	  /* with all_trees: not those that are units of systemd's */
};
struct lxmgr_auto {
	char *name, *path, *groups;
	char **after; /* names, NULL-terminated */
	unsigned int rank;
	uint32_t order, delay; /* delay in seconds */
	bool autostart;
	enum lxmgr_state state;
};
/* In the order of their start. What those to be started are after comes with them. */
int lxmgr_auto_list(const char *path, const struct lxmgr_auto_opts *opts, struct lxmgr_auto **ret,
		    size_t *ret_n, struct lxmgr_err *err);
void lxmgr_auto_free(struct lxmgr_auto *list, size_t n);
enum lxmgr_auto_action { LXMGR_AUTO_START, LXMGR_AUTO_STOP, LXMGR_AUTO_KILL, LXMGR_AUTO_REBOOT };
/*
 * Do it, each container in a process of its own: side by side what may be, stops in the reverse
 * order. timeout_ms: of a clean halt or reboot; -1: each container's own. done (may be NULL) hears
 * of each container; its err is that of what failed, or has no code. Returns how many failed, or a
 * negative errno before anything was done.
 */
int lxmgr_auto_run(const struct lxmgr_auto *list, size_t n, enum lxmgr_auto_action action,
		   int timeout_ms,
		   void (*done)(const struct lxmgr_auto *e, const struct lxmgr_err *err, void *arg),
		   void *arg, struct lxmgr_err *err);
/* Bring systemd's units of all containers of the default tree in line with their configs. Returns
 * how many were changed (0 also on a host without systemd). */
int lxmgr_auto_sync(struct lxmgr_err *err);

/* A fresh root in place of a stopped container's. Kept are its config (limits, addresses),
 * snapshots, machine-id, the host keys of sshd, root's and the users' passwords and authorized
 * keys. At one instant: what fails before leaves all as it was. */
struct lxmgr_reinstall_opts {
	const char *template_name;	  /* NULL: the recorded one */
	const char *image;		  /* a name or digest in the cache, in place of it */
	const char *const *template_args; /* NULL or empty: those of the old image, if it is the
					   * same template */
	const char *backend;		  /* NULL: that of the old root */
	bool keep_old;			  /* a copy of the old root under /old */
	bool force;			  /* stop it first if it runs */
	bool quiet, flush_cache;
	int timeout_ms; /* of the template; 0: an hour */
	void (*progress)(const char *text, int permille, void *arg);
	void *progress_arg;
	char **ret_json; /* {"changed": [path], "notices": [text]}, to be freed: the files of the
			  * new root that were set, and what could not be kept; or NULL */
};
int lxmgr_container_reinstall(struct lxmgr_container *c, const struct lxmgr_reinstall_opts *opts,
			      struct lxmgr_err *err);

/* What a guest module writes into the guest's own files (lxmgr-setup(1)). NULL leaves a thing as it
 * is. A list replaces what setup set before; one with nothing but "" takes it away. */
struct lxmgr_setup_opts {
	const char *hostname;
	const char *interface;	      /* NULL: the first of the config */
	const char *const *addresses; /* "A/P" or "dhcp"; NULL-terminated, as the others */
	const char *const *routes;    /* "default=GATEWAY", "NETWORK/P=GATEWAY"; with addresses */
	const char *const *nameservers;
	const char *const *search; /* with nameservers */
	const char *const *hosts;  /* "ADDRESS NAME..." */
	const char *timezone, *locale;
	const char *user; /* of password and keys; NULL: root */
	const char *password;
	const char *password_hash;	  /* of crypt(3), in place of it */
	const char *const *ssh_key_files; /* public keys, added to those that are there */
	bool check; /* only refuse what can be refused before the guest is touched; no *ret_json */
};
/* Set it, in a stopped or running container, or with opts NULL look. *ret_json: when set,
 * {"family", "changed": [path], "apply": [[program, argument...]], "notices": [text]}, where apply
 * is what a running guest is to be told; else what lxmgr-setup(1) says of --show. */
int lxmgr_container_setup(struct lxmgr_container *c, const struct lxmgr_setup_opts *opts,
			  char **ret_json, struct lxmgr_err *err);

/* What this kernel and host can do. */
struct lxmgr_check {
	const char *group; /* "kernel", "cgroup", "network", "storage", "security", "programs" */
	const char *name;  /* "user namespaces" */
	int result;	   /* 0 good, 1 notice, 2 missing */
	char text[160];	   /* what was found */
	char cure[240];	   /* how to mend it, "" if nothing is to be done */
};
int lxmgr_doctor(int (*fn)(const struct lxmgr_check *check, void *arg), void *arg,
		 struct lxmgr_err *err);

/* The same rows for the kernel's configuration; file NULL: /proc/config.gz or /boot/config-*. */
int lxmgr_checkconfig(const char *file, int (*fn)(const struct lxmgr_check *check, void *arg),
		      void *arg, struct lxmgr_err *err);

/* Run argv in new namespaces (lxmgr-unshare, lxmgr-usernsexec). map lines as lxmgr.idmap. */
struct lxmgr_unshare_opts {
	int namespaces;		  /* CLONE_NEW* */
	const char *const *idmap; /* NULL-terminated lines or NULL */
	bool map_self;
	uid_t uid; /* (uid_t)-1: keep */
	gid_t gid;
	const char *hostname;
	const char *const *ifnames; /* moved into the new network namespace */
	bool daemonize, remount;
	const char *const *argv;
};
int lxmgr_unshare(const struct lxmgr_unshare_opts *opts, int *ret_status, struct lxmgr_err *err);
/* "MOUNT|PID", "net,ipc": a mask of CLONE_NEW*. */
int lxmgr_namespaces_parse(const char *text, int *ret, struct lxmgr_err *err);

/* The trace of library calls: level by LXC's name, to stderr and/or a file descriptor. */
int lxmgr_log_setup(const char *level, const char *file, bool quiet, struct lxmgr_err *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
