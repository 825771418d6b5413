/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc, /sys, /sys/fs/cgroup and the masks over them: LXC's mount.auto as one table. */
#ifndef LXMGR_KERNEL_APIMOUNT_H
#define LXMGR_KERNEL_APIMOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct lxmgr_err;

enum api_proc { API_PROC_NONE, API_PROC_MIXED, API_PROC_RW };
enum api_sys { API_SYS_NONE, API_SYS_MIXED, API_SYS_RO, API_SYS_RW };
enum api_cgroup { API_CG_NONE, API_CG_MIXED, API_CG_RO, API_CG_RW };

/* lxmgr.mount.auto, decoded. */
struct api_spec {
	enum api_proc proc;
	enum api_sys sys;
	enum api_cgroup cgroup;
	bool cgroup_full;  /* cgroup-full: */
	bool cgroup_force; /* ":force" */
};

/* Add the words of one mount.auto line to spec. */
int api_spec_parse(const char *text, struct api_spec *spec, struct lxmgr_err *err);
/* The line again, into buf. */
void api_spec_print(const struct api_spec *spec, char *buf, unsigned long size);

/*
 * Mount what spec says below rootfd (the container's root, attached in this mount namespace).
 * proc_fd is a detached procfs (it is attached here), empty_file and empty_dir are our own mask
 * sources. own_net: the network namespace is the container's, so that sysfs can be its own;
 * without it the host's /sys is bound read-only.
 * Namespaces here: all of the container's; the host's tree is still there.
 */
struct api_targets {
	int rootfd, proc_fd, empty_file, empty_dir;
	bool own_net;
};
int api_mount(const struct api_spec *spec, const struct api_targets *t, struct lxmgr_err *err);

/*
 * For containers in the container: a /proc and a /sys with nothing laid over them, in
 * /dev/.lxmgr, for its root alone. A namespace inside may mount its own only where it sees such
 * ones. In a user namespace they give nothing: what is masked elsewhere is the host root's there.
 * Namespaces here: all of the container's; the host's tree is still there.
 */
int api_mount_bare(const struct api_targets *t, struct lxmgr_err *err);

#endif
