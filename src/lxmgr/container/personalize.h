/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes a root the container's own: machine-id, host name, root's password and key. */
#ifndef LXMGR_CONTAINER_PERSONALIZE_H
#define LXMGR_CONTAINER_PERSONALIZE_H

#include <stdbool.h>
#include <sys/types.h>

struct stat;
struct lxmgr_err;
struct storage_spec;

struct personalize {
	const char *hostname;
	const char *password;	  /* plain text, or NULL */
	const char *ssh_key_file; /* file with public keys, or NULL */
	/* A copy of what has run: */
	const char *old_hostname; /* in /etc/hosts it becomes the new one; or NULL */
	bool new_host_keys;	  /* its ssh host keys are made anew */
	bool keep_machine_id;
	/* Set to true if host keys had to be taken away because this host cannot make any; or NULL.
	 */
	bool *ret_no_keys;
};

/* Before anything is made: the key file can be read and holds keys, the password can be hashed. */
int personalize_check(const struct personalize *p, struct lxmgr_err *err);
/* Write it into the root of the container in ct_fd, which path names, in a child with a mount
 * namespace of its own. */
int personalize_root(int ct_fd, const char *path, const struct storage_spec *spec,
		     const struct personalize *p, struct lxmgr_err *err);

/* Open a file below the root to read it, through no link: a regular one alone, since a device that
 * an image brings has effects when it is opened. */
int personalize_open(int root, const char *path);
/* Replace a file below the root, whatever stands there now: by name in an opened directory, so that
 * a link of the image's is replaced and not followed. 0 also where the directory is missing. */
int personalize_put(int root, const char *path, const char *text, size_t len, mode_t mode,
		    struct lxmgr_err *err);
/* The same for a file that is there, whose owner and mode it gets. */
int personalize_put_like(int root, const char *path, const char *text, size_t len,
			 const struct stat *like, struct lxmgr_err *err);
/* root's line in the text of /etc/shadow, NULL for none, gets the hash: the whole new text, or NULL
 * without memory. */
char *personalize_shadow(const char *text, const char *hash);
/* For each ssh host key that root has a new one of its type. 1: they were only taken away, because
 * there is no ssh-keygen here. */
int personalize_host_keys(int root, struct lxmgr_err *err);
/* The name `from` becomes `to` in /etc/hosts. */
int personalize_hosts(int root, const char *from, const char *to, struct lxmgr_err *err);

#endif
