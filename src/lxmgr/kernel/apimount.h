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
	bool shmounts;	   /* "shmounts:/host/path[:/path]" */
	char shm_host[256], shm_inside[256];
};

/* Add the words of one mount.auto line to spec. */
int api_spec_parse(const char *text, struct api_spec *spec, struct lxmgr_err *err);
/* The line again, into buf. */
void api_spec_print(const struct api_spec *spec, char *buf, unsigned long size);

#endif
