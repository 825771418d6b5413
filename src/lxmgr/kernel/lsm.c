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

int lsm_write_attr(int proc_fd, const char *file, const char *label, struct lxmgr_err *err)
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
static enum known apparmor_known;

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
	return lsm_write_attr(proc_fd, "attr/apparmor/exec", label, err);
}

static const struct lsm_ops apparmor = {
	.name = "apparmor",
	.is_enabled = apparmor_is_enabled,
	.check = apparmor_check,
	.apply = apparmor_apply,
};

const struct lsm_ops *const lsm_backends[] = { &apparmor, &lsm_selinux, NULL };

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

int lsm_apply_keyring(const struct lsm_spec *s, int proc_fd, struct lxmgr_err *err)
{
	for (size_t i = 0; lsm_backends[i]; i++) {
		int r = lsm_backends[i]->apply_keyring
				? lsm_backends[i]->apply_keyring(s, proc_fd, err)
				: 0;

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
