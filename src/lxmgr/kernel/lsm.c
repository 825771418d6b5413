/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/lsm.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

/* Write the label for the next exec through a procfs that the guest has not shaped. */
static int write_exec_label(int proc_fd, const char *file, const char *label, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_in(proc_fd, "thread-self", OPEN_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	cleanup_fd int attr = fd < 0 ? -EBADF : openat(fd, file, O_WRONLY | O_CLOEXEC);
	int r;

	if (attr < 0)
		return err_set(err, -errno, "open '%s' for the security label", file);
	r = write_all(attr, label, strlen(label));
	return r < 0 ? err_set(err, r, "set the security label '%s'", label) : 0;
}

/* What the host has, found out once, before anything is entered: inside, /sys is the guest's, who
 * could cover it to get rid of the label. */
enum known { UNKNOWN, OFF, ON };
static enum known apparmor_known, selinux_known;

static bool apparmor_is_enabled(void)
{
	char buf[8];

	if (apparmor_known == UNKNOWN)
		apparmor_known = read_small(AT_FDCWD, "/sys/module/apparmor/parameters/enabled",
					    buf, sizeof(buf)) > 0 &&
						 buf[0] == 'Y'
					 ? ON
					 : OFF;
	return apparmor_known == ON;
}

/* For apply: a label that was asked for is never left out because nobody looked. */
static int check_known(enum known k, const char *what, struct lxmgr_err *err)
{
	return k == UNKNOWN ? err_msg(err, -EINVAL, "whether this host has %s is not known", what)
			    : 0;
}

static bool apparmor_is_wanted(const struct lsm_spec *s)
{
	return s->apparmor && !str_eq(s->apparmor, "unchanged");
}

static int apparmor_check(const struct lsm_spec *s, const char **ret_notice, struct lxmgr_err *err)
{
	if (!apparmor_is_wanted(s) || str_eq(s->apparmor, "unconfined"))
		return 0;
	/* A Debian host has AppArmor on: what default.conf asks for must start there too. */
	if (str_eq(s->apparmor, "generated")) {
		*ret_notice =
			apparmor_is_enabled()
				? "lxmgr.apparmor.profile = generated: this version generates "
				  "none, the container starts without a profile"
				: "lxmgr.apparmor.profile = generated: this kernel runs without "
				  "AppArmor, the container starts without a profile";
		return 0;
	}
	if (!apparmor_is_enabled())
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "lxmgr.apparmor.profile = %s: this kernel runs without AppArmor",
				  s->apparmor);
	return 0;
}

static int apparmor_apply(const struct lsm_spec *s, const char *name, int proc_fd,
			  struct lxmgr_err *err)
{
	char label[300];
	int r;

	if (!apparmor_is_wanted(s) || str_eq(s->apparmor, "generated"))
		return 0;
	r = check_known(apparmor_known, "AppArmor", err);
	if (r < 0 || apparmor_known == OFF)
		return r;
	snprintf(label, sizeof(label), "exec %s", s->apparmor);
	return write_exec_label(proc_fd, "attr/apparmor/exec", label, err);
}

static const struct lsm_ops apparmor = {
	.name = "apparmor",
	.is_enabled = apparmor_is_enabled,
	.check = apparmor_check,
	.apply = apparmor_apply,
};

static bool selinux_is_enabled(void)
{
	if (selinux_known == UNKNOWN)
		selinux_known = access("/sys/fs/selinux/enforce", F_OK) == 0 ? ON : OFF;
	return selinux_known == ON;
}

static int selinux_check(const struct lsm_spec *s, const char **ret_notice, struct lxmgr_err *err)
{
	const char *value = s->selinux ? s->selinux : s->selinux_keyring;

	if (!value || selinux_is_enabled())
		return 0;
	return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
			  "lxmgr.selinux.context = %s: this kernel runs without SELinux", value);
}

static int selinux_apply(const struct lsm_spec *s, const char *name, int proc_fd,
			 struct lxmgr_err *err)
{
	int r = s->selinux || s->selinux_keyring ? check_known(selinux_known, "SELinux", err) : 0;

	if (r < 0 || selinux_known != ON)
		return r;
	if (s->selinux_keyring)
		r = write_exec_label(proc_fd, "attr/keycreate", s->selinux_keyring, err);
	if (r < 0 || !s->selinux)
		return r;
	return write_exec_label(proc_fd, "attr/exec", s->selinux, err);
}

static const struct lsm_ops selinux = {
	.name = "selinux",
	.is_enabled = selinux_is_enabled,
	.check = selinux_check,
	.apply = selinux_apply,
};

const struct lsm_ops *const lsm_backends[] = { &apparmor, &selinux, NULL };

int lsm_check(const struct lsm_spec *s, const char **ret_notice, struct lxmgr_err *err)
{
	*ret_notice = NULL;
	for (size_t i = 0; lsm_backends[i]; i++)
		lsm_backends[i]->is_enabled();
	for (size_t i = 0; lsm_backends[i]; i++) {
		int r = lsm_backends[i]->check(s, ret_notice, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int lsm_prepare(const struct lsm_spec *s, const char *name, struct lxmgr_err *err)
{
	for (size_t i = 0; lsm_backends[i]; i++) {
		int r = lsm_backends[i]->prepare ? lsm_backends[i]->prepare(s, name, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int lsm_apply(const struct lsm_spec *s, const char *name, int proc_fd, struct lxmgr_err *err)
{
	for (size_t i = 0; lsm_backends[i]; i++) {
		int r = lsm_backends[i]->apply(s, name, proc_fd, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void lsm_release(const struct lsm_spec *s, const char *name)
{
	for (size_t i = 0; lsm_backends[i]; i++)
		if (lsm_backends[i]->release)
			lsm_backends[i]->release(s, name);
}
