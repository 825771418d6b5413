/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container handle behind struct lxmgr_container, its lock and its recorded state.
 */
#ifndef LXMGR_CONTAINER_CONTAINER_H
#define LXMGR_CONTAINER_CONTAINER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "container/config.h"
#include "lxmgr.h"
#include "net/net.h"

struct lxmgr_container {
	char name[64];
	char path[PATH_MAX]; /* directory of containers */
	char tag[96];	     /* the name in shared places: NAME, or NAME-<hash of path> */
	char *rcfile;
	int dir_fd; /* path/NAME, O_PATH */
	bool config_loaded;
	bool reloaded;	      /* by the last container_lock(), from another directory */
	struct config config; /* valid if config_loaded */
};

/* LXMGR_REFUSED where its loaded config says that it may not be started, or neither destroyed nor
 * reinstalled. */
int container_may_start(const struct lxmgr_container *c, struct lxmgr_err *err);
int container_may_end(const struct lxmgr_container *c, struct lxmgr_err *err);
/* As lxmgr_container_open(). rcfile "" means no config file at all: every key at its default
 * (lxmgr-execute without a container); a container that is opened with an rcfile need not have
 * a directory, dir_fd is -1 then. */

/* Read and check the config once; later calls return at once. */
int container_load_config(struct lxmgr_container *c, struct lxmgr_err *err);
/* Take the container's lock (path/NAME/lock is 0600; see util/file.h:lock_at); an fd. If another
 * directory has the name by then that one is c's, and its config is read where the old one's was;
 * STATUS_NO_CONTAINER if none has. */
#define CONTAINER_LOCK_TIMEOUT_MS 30000
int container_lock(struct lxmgr_container *c, int timeout_ms, struct lxmgr_err *err);
/* Under the lock: set a key of the config file, or take it away (NULL). The whole is checked as it
 * would be read, then the file replaced. */
int container_edit_config(struct lxmgr_container *c, const char *key, const char *value,
			  struct lxmgr_err *err);
/* RUNDIR/TAG, made 0700 if `make`; an O_PATH fd. */
int container_run_dir(const struct lxmgr_container *c, bool make, struct lxmgr_err *err);

/*
 * The recorded state, RUNDIR/TAG/state: one "key value" per line, appended as things are acquired,
 * so that teardown after a crash at any instant knows what exists. The last line of a key wins;
 * `net` lines add up.
 */
#define STATE_NEW ".state.new" /* for a moment, while one takes the place of another */
struct state {
	enum lxmgr_state state;
	pid_t monitor_pid, init_pid;
	uint64_t monitor_start, init_start; /* clock ticks since boot, /proc/PID/stat field 22 */
	bool monitor_alive;		    /* state_read() looked */
	char boot_id[37];
	int64_t started;		    /* CLOCK_REALTIME seconds */
	char cgroup[256], cgroup_inner[64]; /* "" if not made */
	struct idmap idmap;
	struct net_live net[CONFIG_MAX_NETS];
	enum net_type net_type[CONFIG_MAX_NETS];
	unsigned int net_index[CONFIG_MAX_NETS];
	size_t n_net;
	char lsm_name[128];
	char selinux[256];  /* context of init, "" if it has the monitor's */
	char apparmor[280]; /* the profile that init was started in, "": none */
	bool privileged;
	bool hooks_started;	       /* pre-start ran: post-stop must */
	bool machine;		       /* machined was told of it */
	bool unit;		       /* its monitor is the main process of a unit */
	bool waiting;		       /* its monitor waits before it starts it again */
	char name[64], path[PATH_MAX]; /* of the container: for who has only the run directory */
};

/* Read it. -ENOENT: not started (or torn down). A state of an earlier boot, or whose monitor and
 * init are both gone, is returned with *ret_stale set: what it names may be left over and goes to
 * teardown. */
int state_read(const struct lxmgr_container *c, struct state *ret, bool *ret_stale,
	       struct lxmgr_err *err);
/* Only parse the state file of the run directory base/tag: nothing is checked. -ENOENT. */
int state_peek(int base, const char *tag, struct state *ret);
/* Begin the state file of c in run_fd (RUNDIR/TAG), STARTING, with this process as its monitor, in
 * place of the one that is there: at no instant there is none, or one that seems to be stale. An
 * O_APPEND fd. */
int state_create(const struct lxmgr_container *c, int run_fd, struct lxmgr_err *err);
/* Append one line (without its newline) with a single write(). */
int state_add(int state_fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int state_add_idmap(int state_fd, const struct idmap *map);
int state_add_net(int state_fd, enum net_type type, unsigned int index,
		  const struct net_live *live);
/* Record a state for those who watch (freeze, stop): appends to an existing file. -ENOENT. */
int state_set(const struct lxmgr_container *c, enum lxmgr_state state);
/* Parse the text of a state file (also for fuzzing): unknown keys are skipped, a malformed value
 * leaves the default. */
void state_parse(const char *text, struct state *ret);
/* The config as it was at start (with -s), RUNDIR/TAG/config; c's own where there is none. */
int container_load_running_config(struct lxmgr_container *c, struct lxmgr_err *err);
/* fn with every container that runs or starts, by what stands in the run directory: those of all
 * trees, and of none. It must load the config itself. The first error of fn ends it. */
int container_each_running(int (*fn)(struct lxmgr_container *c, const struct state *s, void *data),
			   void *data, struct lxmgr_err *err);
/* A pidfd of init, verified by start time and boot id. -ESRCH: gone. */
int state_init_pidfd(const struct state *s);
int state_monitor_pidfd(const struct state *s);
/* Start time of a process in clock ticks since boot; 0 if it is gone. */
uint64_t proc_start_time(pid_t pid);
/* This boot's id in buf. */
int boot_id(char buf[37]);

#endif
