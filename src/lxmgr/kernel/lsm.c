/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
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

const struct lsm_ops *const lsm_backends[] = { &lsm_apparmor, &lsm_selinux, NULL };

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

int lsm_prepare(const struct lsm_spec *s, const char *name, bool privileged, struct lxmgr_err *err)
{
	for (size_t i = 0; lsm_backends[i]; i++) {
		int r = lsm_backends[i]->prepare
				? lsm_backends[i]->prepare(s, name, privileged, err)
				: 0;

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

bool lsm_changes_label(const struct lsm_spec *s)
{
	for (size_t i = 0; lsm_backends[i]; i++)
		if (lsm_backends[i]->changes(s))
			return true;
	return false;
}

void lsm_release(const struct lsm_spec *s, const char *name)
{
	for (size_t i = 0; lsm_backends[i]; i++)
		if (lsm_backends[i]->release)
			lsm_backends[i]->release(s, name);
}
