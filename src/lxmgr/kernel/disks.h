/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks that a file system is on, as the kernel limits them: whole ones, by number. */
#ifndef LXMGR_KERNEL_DISKS_H
#define LXMGR_KERNEL_DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DISKS_MAX 32

struct disks {
	dev_t dev[DISKS_MAX];
	size_t n;
};

/* Add those that the file system of an open file is on; a block device is one itself. Partitions
 * count as the disk they are of, devices that are made of others (dm, md) as themselves. -ENODEV:
 * it is on none (memory, network) or does not tell; -E2BIG: too many. */
int disks_add(struct disks *d, int fd);
/* The same of a block device by its path. */
int disks_add_path(struct disks *d, const char *path);
/* "vda", as in /sys/block; "254:0" where that is not known. */
#define DISKS_NAME_SIZE 64
const char *disks_name(dev_t dev, char buf[DISKS_NAME_SIZE]);
/* Is requests' weight looked at: has it the scheduler bfq? Of what is made of others: have all of
 * them it? */
bool disks_has_bfq(dev_t dev);

#endif
