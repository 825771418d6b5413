/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A start in progress, shared by the files that make it: start.c (the verb), acquire.c (what the
 * monitor does), stage.c (its private mount namespace), child.c and childfs.c (what the
 * container's first process does).
 */
#ifndef LXMGR_CONTAINER_START_H
#define LXMGR_CONTAINER_START_H

#include <sched.h>
#include <sys/ioctl.h>

#include "container/container.h"
#include "container/plan.h"
#include "kernel/lxcfs.h"
#include "kernel/seccomp.h"

#define START_MAX_TTYS 64
/* What the first process makes itself, as the container's root, when it is one. */
#define START_NS_LATE (CLONE_NEWIPC | CLONE_NEWCGROUP)

struct start {
	struct lxmgr_container *c;
	const struct lxmgr_start_opts *opts; /* NULL at a reboot */
	struct plan plan;
	bool forced;  /* whatever the host has promised */
	int restarts; /* by lxmgr.start.restart, in a row; -1: the monitor does not restart it */
	int run_fd, state_fd;
	int report_fd; /* to the tool that waits, -1: nobody does */
	/* the container's first process */
	int sock, child_sock; /* monitor's and child's end */
	pid_t pid;
	int pidfd;
	int host_mnt_fd;  /* the host's mount namespace, to go back to */
	int host_proc_fd; /* in the child: the host's /proc */
	int share_fd[NS_COUNT];
	int userns_fd, netns_fd;
	int init_fd; /* execute: a sealed copy of lxmgr-init, -1: none */
	/* The container's lock, in the tool and in the monitor: a tool that is killed leaves a
	 * monitor that goes on, or takes back what it has made. Let go when the container runs. */
	int lock_fd;
	int turn_fd; /* of host_admit(), until the config is recorded; -EBADF: none */
	struct cgroup cg;
	bool has_cgroup;
	struct seccomp_program seccomp;
	/* the stage */
	struct storage storage;
	bool storage_open;
	int ct_fd; /* the container's directory, in the stage's namespace */
	int stage_fd, root_fd, empty_file, empty_dir;
	struct lxcfs lxcfs; /* in the child */
	int *entry_fd; /* in the child, per mount entry: what stage_entries() sent, or -EBADF */
	/* terminals: [0] is the console; masters, -1: none */
	int tty_fd[START_MAX_TTYS + 1];
	size_t n_ttys;
	struct winsize size; /* of the terminal in the foreground; ws_row 0: there is none */
	bool to_file;	     /* what the console says goes to no terminal: no carriage returns */
	int control_fd, log_fd;
	/* network: specs with what the address manager gave */
	struct net_spec *nets;
	struct net_live *live;
	size_t n_nets;
	struct netlink *nl;
	/* on a host with systemd: what it delegated ("" if nothing), and whether this process is a
	 * unit's, with the journal as its output */
	char base[256];
	bool service;
	int ready_fd;  /* where the guest's init says that it is up, -EBADF: it is not asked */
	int ready_out; /* and who is told */
	int usage_fd, usage_ask_fd; /* stage_usage(); -EBADF: none */
	int preload_sock;	    /* from the process that loads programs for them, or -EBADF */
	pid_t preload_pid;
};

/* A step: named for LXMGR_FAIL_AT and the trace. */
struct start_step {
	const char *name;
	int (*run)(struct start *s, struct lxmgr_err *err);
};

/* Run the steps of a table in order; LXMGR_FAIL_AT=name makes that one fail. */
int start_run_steps(struct start *s, const struct start_step *steps, size_t n,
		    struct lxmgr_err *err);

/* start_msg.c: between the monitor and the child, and from the monitor to the tool. */
enum start_msg_kind {
	START_GO = 1,
	START_ENTRY,   /* value: index of a mount entry; with its detached mount */
	START_LXCFS,   /* value: mask of lxcfs' files; with their detached mounts */
	START_NETWORK, /* the interfaces are there */
	START_READY,
	START_EXEC,
	START_RUNNING,
	START_FAILED,
	START_ENDED
};
struct start_msg {
	uint32_t kind;
	int32_t value; /* RUNNING: init's pid; ENDED: wait status */
	struct lxmgr_err err;
};
int start_send(int sock, enum start_msg_kind kind, int value, const struct lxmgr_err *err,
	       const int *fds, size_t n);
/* Receive any message: FAILED becomes its error. */
int start_receive(int sock, struct start_msg *m, int *fds, size_t *n, struct lxmgr_err *err);
/* Receive and expect `kind`. */
int start_expect(int sock, enum start_msg_kind kind, int *fds, size_t *n, struct lxmgr_err *err);

/* acquire.c: the steps from state to running. On error the child is gone and reaped; what was
 * acquired stands in the state file. */
int start_acquire(struct start *s, struct lxmgr_err *err);
extern const struct start_step start_steps[];
extern const size_t start_n_steps;
void start_init(struct start *s, struct lxmgr_container *c);
void start_release(struct start *s);

/* stage.c */
int stage_enter(struct start *s, struct lxmgr_err *err); /* private namespace, tmpfs, masks */
int stage_root(struct start *s, struct lxmgr_err *err);
int stage_dev(struct start *s, struct lxmgr_err *err);
int stage_mounts(struct start *s, struct lxmgr_err *err);
/* stage_usage.c: in the new /dev, a file that tells the container its usage; none where the kernel
 * cannot ask for it. */
int stage_usage(struct start *s, int dev, struct lxmgr_err *err);
int stage_entries(struct start *s, struct lxmgr_err *err); /* send the child its sources */
int stage_lxcfs(struct start *s, struct lxmgr_err *err);   /* and lxcfs' files, where it runs */
int stage_guest(struct start *s, struct lxmgr_err *err);
int stage_leave(struct start *s, struct lxmgr_err *err); /* back to the host's namespace */
/* mount_new_fs() with the container's SELinux label, where the file system takes one. */
int stage_new_fs(const struct start *s, const char *fstype, const char *source, const char *options,
		 uint64_t attr, struct lxmgr_err *err);
/* A detached mount of an entry with the option delta. */
int stage_delta(struct start *s, const struct mount_spec *m, struct lxmgr_err *err);
/* Attach an entry's mount at its target below root. */
int stage_attach(int root, int mnt, const struct mount_spec *m, struct lxmgr_err *err);
/* True if the entry is made by the child: its file system belongs to the container. */
bool stage_is_for_child(const struct config *cfg, size_t entry);

/* child.c: never returns. */
void child_main(struct start *s) __attribute__((noreturn));
extern const struct start_step child_steps[];
extern const size_t child_n_steps;
/* childfs.c: the container's own mounts. */
int childfs_go(struct start *s, struct lxmgr_err *err); /* take entries until told to go */
int childfs_root(struct start *s, struct lxmgr_err *err);
int childfs_api(struct start *s, struct lxmgr_err *err);
int childfs_lxcfs(struct start *s, struct lxmgr_err *err);
int childfs_pts(struct start *s, struct lxmgr_err *err);
int childfs_entries(struct start *s, struct lxmgr_err *err);
int childfs_pivot(struct start *s, struct lxmgr_err *err);

/* network.c: fill s->nets from the config and the address manager; have their programs loaded by
 * another process; make the host's side of them. */
int start_resolve_nets(struct start *s, struct lxmgr_err *err);
int start_preload_nets(struct start *s, struct lxmgr_err *err);
int start_create_nets(struct start *s, struct lxmgr_err *err);

/* handover.c: become the small monitor; returns only on error. */
int start_handover(struct start *s, struct lxmgr_err *err);

/* start.c: start in this process, which is the monitor (also at a reboot). Returns only on
 * error; at a reboot the state file is still there then. */
int start_in_monitor(struct start *s, struct lxmgr_err *err);

#endif
