/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits of the host that many containers run into. */
#include <fcntl.h>
#include <stdint.h>

#include "container/doctor.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

/* Values that many containers run into. */
static const struct {
	const char *file, *name;
	uint64_t least;
} sysctls[] = {
	{ "/proc/sys/fs/inotify/max_user_instances", "fs.inotify.max_user_instances", 1024 },
	{ "/proc/sys/kernel/keys/maxkeys", "kernel.keys.maxkeys", 2000 },
	{ "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", 1024 },
	{ "/proc/sys/net/ipv4/neigh/default/gc_thresh3", "net.ipv4.neigh.default.gc_thresh3",
	  4096 },
};

void doctor_sysctls(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		char buf[32];
		uint64_t v;

		if (read_small(AT_FDCWD, sysctls[i].file, buf, sizeof(buf)) < 0 ||
		    parse_u64(buf, &v) < 0)
			continue;
		d->name = sysctls[i].name;
		if (v >= sysctls[i].least)
			doctor_say(d, DOCTOR_OK, "%s", buf);
		else
			doctor_say(d, DOCTOR_NOTICE,
				   "%s is little for tens of containers\tsysctl -w %s=%llu", buf,
				   sysctls[i].name, (unsigned long long)sysctls[i].least);
	}
}
