/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/caps.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

/* capabilities(7); the index is the number. libcap's table costs its load time at every start. */
static const char *const names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

int caps_parse(const char *name)
{
	uint64_t n;

	if (isdigit((unsigned char)*name))
		return parse_range(name, 0, 63, &n) < 0 ? -EINVAL : (int)n;
	if (!strncasecmp(name, "cap_", 4))
		name += 4;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i]))
			return (int)i;
	return -EINVAL;
}

const char *caps_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

int caps_last(void)
{
	static int last = -1;
	char buf[16];
	uint64_t n;

	if (last >= 0)
		return last;
	if (read_small(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", buf, sizeof(buf)) > 0 &&
	    parse_range(buf, 0, 63, &n) == 0)
		last = (int)n;
	else
		last = (int)ARRAY_SIZE(names) - 1;
	return last;
}

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int get_caps(uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*ret_effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	*ret_permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	*ret_inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	return 0;
}

int caps_drop_bounding(uint64_t keep, struct lxmgr_err *err)
{
	uint64_t effective = 0, permitted = 0, inheritable = 0;
	int r;

	/* No library call in between: this runs after clone, and the kernel ends the loop. */
	for (int cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break;
			return err_set(err, -errno, "drop capability %d from the bounding set",
				       cap);
		}
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* The caller's inheritable set survives a change of uid and exec, and gives a file with
	 * inheritable capabilities more than the bounding set allows (CVE-2022-24769). */
	r = get_caps(&effective, &permitted, &inheritable);
	if (r == 0)
		r = set_caps(effective, permitted, 0);
	return r < 0 ? err_set(err, r, "clear the inheritable capabilities") : 0;
}

int caps_apply(uint64_t keep, struct lxmgr_err *err)
{
	uint64_t effective = 0, permitted = 0, inheritable = 0;
	int r = caps_drop_bounding(keep, err);

	if (r < 0)
		return r;
	r = get_caps(&effective, &permitted, &inheritable);
	if (r == 0)
		r = set_caps(permitted & keep, permitted & keep, 0);
	return r < 0 ? err_set(err, r, "set the capabilities") : 0;
}

int caps_raise_effective(void)
{
	uint64_t effective = 0, permitted = 0, inheritable = 0;
	int r = get_caps(&effective, &permitted, &inheritable);

	return r < 0 ? r : set_caps(permitted, permitted, inheritable);
}
