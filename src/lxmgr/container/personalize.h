/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes a root the container's own: machine-id, host name, root's password and key. */
#ifndef LXMGR_CONTAINER_PERSONALIZE_H
#define LXMGR_CONTAINER_PERSONALIZE_H

struct lxmgr_err;
struct storage_spec;

struct personalize {
	const char *hostname;
	const char *password;	  /* plain text, or NULL */
	const char *ssh_key_file; /* file with public keys, or NULL */
};

/* Before anything is made: the key file can be read and holds keys, the password can be hashed. */
int personalize_check(const struct personalize *p, struct lxmgr_err *err);
/* Write it into the root of the container in ct_fd, which path names, in a child with a mount
 * namespace of its own. */
int personalize_root(int ct_fd, const char *path, const struct storage_spec *spec,
		     const struct personalize *p, struct lxmgr_err *err);

#endif
