/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SELinux by its files and attributes: no library, so that a start pays nothing for it elsewhere.
 */
#ifndef LXMGR_KERNEL_SELINUX_H
#define LXMGR_KERNEL_SELINUX_H

#include <stdbool.h>
#include <stddef.h>

struct lxmgr_err;

#define SELINUX_CONTEXT_SIZE 256

/* Looked up once, outside: inside, /sys is the guest's. */
bool selinux_is_enabled(void);
/* False where denials are only logged. */
bool selinux_is_enforcing(void);
/* Is this a context of the loaded policy? 0, -EINVAL if it is not, or -errno. */
int selinux_check_context(const char *context);

/* What this thread makes from now on gets the context; NULL: as the policy has it. */
enum selinux_made { SELINUX_FILES, SELINUX_SOCKETS };
int selinux_label_new(enum selinux_made what, const char *context, struct lxmgr_err *err);
/* Label the file behind fd, which may be O_PATH. */
int selinux_label_fd(int fd, const char *context, const char *what, struct lxmgr_err *err);

/*
 * Label a directory and all below it, by descriptors, following no link and crossing no mount. The
 * directory itself comes last, so that its label tells that all is done; *ret_done (may be NULL)
 * says that it had been. A run that was interrupted goes on where it is called again. progress (may
 * be NULL) is called now and then with the number of files seen.
 */
int selinux_label_tree(int dir_fd, const char *context, void (*progress)(size_t n, void *arg),
		       void *arg, bool *ret_done, struct lxmgr_err *err);

#endif
