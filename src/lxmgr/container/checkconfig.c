/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration of a kernel has of what containers need. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "container/doctor.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/run.h"
#include "util/str.h"

static const struct {
	const char *option, *what;
	enum doctor_result bad;
} options[] = {
	{ "CONFIG_NAMESPACES", "namespaces", DOCTOR_MISSING },
	{ "CONFIG_USER_NS", "user namespaces", DOCTOR_MISSING },
	{ "CONFIG_PID_NS", "pid namespaces", DOCTOR_MISSING },
	{ "CONFIG_NET_NS", "network namespaces", DOCTOR_MISSING },
	{ "CONFIG_UTS_NS", "host names", DOCTOR_MISSING },
	{ "CONFIG_IPC_NS", "IPC namespaces", DOCTOR_MISSING },
	{ "CONFIG_TIME_NS", "clock offsets", DOCTOR_NOTICE },
	{ "CONFIG_CGROUPS", "cgroups", DOCTOR_MISSING },
	{ "CONFIG_CGROUP_PIDS", "process limit", DOCTOR_MISSING },
	{ "CONFIG_MEMCG", "memory limit", DOCTOR_MISSING },
	{ "CONFIG_CFS_BANDWIDTH", "CPU limit", DOCTOR_NOTICE },
	{ "CONFIG_CGROUP_BPF", "device rules on cgroup v2", DOCTOR_NOTICE },
	{ "CONFIG_SECCOMP_FILTER", "seccomp", DOCTOR_MISSING },
	{ "CONFIG_OVERLAY_FS", "backend overlay", DOCTOR_NOTICE },
	{ "CONFIG_VETH", "veth", DOCTOR_MISSING },
	{ "CONFIG_BRIDGE", "bridges", DOCTOR_MISSING },
	{ "CONFIG_NF_TABLES", "NAT", DOCTOR_NOTICE },
	{ "CONFIG_NFT_MASQ", "NAT", DOCTOR_NOTICE },
	{ "CONFIG_NET_CLS_BPF", "anti-spoofing", DOCTOR_MISSING },
	{ "CONFIG_NET_SCH_INGRESS", "anti-spoofing", DOCTOR_MISSING },
	{ "CONFIG_MACVLAN", "macvlan", DOCTOR_NOTICE },
	{ "CONFIG_IPVLAN", "ipvlan", DOCTOR_NOTICE },
	{ "CONFIG_VLAN_8021Q", "vlan", DOCTOR_NOTICE },
	{ "CONFIG_FUSE_FS", "FUSE in containers", DOCTOR_NOTICE },
	{ "CONFIG_SECURITY_APPARMOR", "AppArmor", DOCTOR_NOTICE },
	{ "CONFIG_CHECKPOINT_RESTORE", "checkpoints", DOCTOR_NOTICE },
};

static int read_config(const char *file, char **ret, struct lxmgr_err *err)
{
	struct run_opts o = RUN_OPTS_INIT;
	const char *argv[] = { "zcat", "-f", "--", file, NULL };
	char guess[300];
	struct utsname u;
	int r;

	if (!file && access("/proc/config.gz", R_OK) == 0)
		file = "/proc/config.gz";
	if (!file && uname(&u) == 0) {
		snprintf(guess, sizeof(guess), "/boot/config-%s", u.release);
		file = guess;
	}
	argv[3] = file;
	o.capture = 4 << 20;
	o.timeout_ms = 30000;
	r = file && access(file, R_OK) == 0 ? run_program(argv, &o, ret) : -ENOENT;
	if (r != 0)
		return err_msg(err, -ENOENT,
			       "the kernel's configuration cannot be read (%s); name a file with "
			       "CONFIG=FILE",
			       file ? file : "?");
	return 0;
}

int lxmgr_checkconfig(const char *file, int (*fn)(const struct lxmgr_check *check, void *arg),
		      void *arg, struct lxmgr_err *err)
{
	struct doctor d = { .group = "kernel configuration", .fn = fn, .arg = arg };
	cleanup_free char *text = NULL;
	int r = read_config(file, &text, err);

	for (size_t i = 0; i < ARRAY_SIZE(options) && r == 0; i++) {
		char line[80];
		const char *p;

		snprintf(line, sizeof(line), "\n%s=", options[i].option);
		p = text ? strstr(text, line) : NULL;
		d.name = options[i].option;
		if (p && (p[strlen(line)] == 'y' || p[strlen(line)] == 'm'))
			doctor_say(&d, DOCTOR_OK, "%s: %s", options[i].what,
				   p[strlen(line)] == 'y' ? "built in" : "as a module");
		else
			doctor_say(&d, options[i].bad, "%s: not set\ta kernel with %s",
				   options[i].what, options[i].option);
		r = d.ended;
	}
	return r;
}
