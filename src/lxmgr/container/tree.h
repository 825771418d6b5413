/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files and trees as a stream of messages, from a process that reads them (tree_send.c) to one that
 * makes them (tree_receive.c): one of the two is in the container, the other outside. Neither gets
 * a descriptor that leads into the other's tree: what goes over the socket are names, attributes,
 * and the bytes of plain files.
 */
#ifndef LXMGR_CONTAINER_TREE_H
#define LXMGR_CONTAINER_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/idmap.h"
#include "util/err.h"

#define TREE_DEPTH 200
#define TREE_DATA  65536
/* What is not finished has a name that begins so, and is locked by who makes it. */
#define TREE_TMP ".lxmgr-tmp-"

enum tree_kind {
	TREE_FILE = 1, /* with a descriptor to read it from, up to `size` bytes */
	TREE_DIR,      /* what follows is in it, up to its END */
	TREE_LINK,     /* data: its target */
	TREE_XATTR,    /* of the file or directory that is open; name, data: its value */
	TREE_END,      /* the file or directory is complete */
	TREE_READ,     /* back to the sender: the bytes that it asked about were read */
	TREE_WARN,     /* data: what was left out */
	TREE_FAIL,     /* data: struct lxmgr_err */
	TREE_DONE
};

struct tree_msg {
	uint32_t kind;
	uint32_t mode, uid, gid;
	int64_t atime[2], mtime[2]; /* seconds, nanoseconds */
	uint64_t size;		    /* UINT64_MAX: up to the end */
	uint32_t sparse;
	uint32_t ask;	/* of a FILE: END comes after a READ */
	uint32_t len;	/* of data */
	char name[256]; /* "": what the destination itself is */
	char data[TREE_DATA];
};

/* One end: what both sides know. */
struct tree {
	int sock;      /* O_NONBLOCK where there is a cancel_fd */
	int root;      /* paths are resolved in here, links too; -1: they are the host's */
	int fds;       /* /proc/self/fd of a procfs that nobody shaped */
	int cancel_fd; /* readable: give up; -1: none */
	bool recursive, archive, parents;
	bool pull; /* the sender is in the container */
	uid_t uid; /* of what is made, (uid_t)-1: unset */
	gid_t gid;
	mode_t mode;	  /* of files, (mode_t)-1: unset */
	mode_t umask;	  /* of the caller; for pull */
	struct idmap map; /* the container's ids as they are on disk; none: the same */
	uint32_t ids;	  /* there are this many of them; 0: any */
	void (*warn)(const char *text, void *arg);
	void (*progress)(const char *text, int permille, void *arg);
	void *arg;
	struct tree_msg m;
};

/* Send a file or a tree. path "-": what can be read from descriptor 0. */
int tree_send(struct tree *t, const char *path, struct lxmgr_err *err);
int tree_send_done(struct tree *t, const struct lxmgr_err *why, struct lxmgr_err *err);
/* Make what comes at dest, up to its end. many: there is more than one source, so that dest must be
 * a directory. dest "-": the bytes of one file go to descriptor 1. A failure leaves no file that is
 * not complete. */
int tree_receive(struct tree *t, const char *dest, bool many, struct lxmgr_err *err);
/* Wait for the other end to say that all was made. */
int tree_await(struct tree *t, struct lxmgr_err *err);

/* Below, for the two files and their tests. */

/* One component of a path, and not "." or "..". */
bool tree_name_is_valid(const char *name);
/* A name of what is not finished. */
bool tree_name_is_tmp(const char *name);
/* True if an extended attribute goes along. */
bool tree_takes_xattr(const struct tree *t, const char *name);
/* The mode that a file or directory gets. */
mode_t tree_mode(const struct tree *t, mode_t mode, bool is_dir);
int tree_put(struct tree *t, enum tree_kind kind, int fd);
/* 1: a message is in t->m, *ret_fd is its descriptor or -1; 0: the other end is gone. */
int tree_get(struct tree *t, int *ret_fd);
/* What the other end says in a FAIL. */
int tree_failure(const struct tree *t, struct lxmgr_err *err);
/* Open what an O_PATH descriptor is. No race: a name could be another file by now. */
int tree_reopen(const struct tree *t, int fd, int flags);
/* Open by path: inside t->root, or as the host does. */
int tree_open(const struct tree *t, const char *path, int flags);
/* 1: fd can be read, 0: no longer wanted. */
int tree_wait_readable(const struct tree *t, int fd);

#endif
