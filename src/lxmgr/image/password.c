/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "image/password.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define CONF_MAX      65536
#define SHA512_ROUNDS 50000

/* It says so in a line that is no comment. */
static bool names_yescrypt(int root, const char *path)
{
	cleanup_fd int fd = open_in(root, path, OPEN_IN_ROOT, O_RDONLY | O_NONBLOCK, 0);
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    read_all(fd, CONF_MAX, &text, NULL) < 0 || strlist_split(&lines, text, "\n") < 0)
		return false;
	for (size_t i = 0; i < lines.n; i++) {
		lines.v[i][strcspn(lines.v[i], "#")] = '\0';
		if (strcasestr(lines.v[i], "yescrypt"))
			return true;
	}
	return false;
}

const char *password_kind(int root)
{
	static const char *const files[] = { "etc/pam.d/common-password", "etc/pam.d/system-auth",
					     "etc/pam.d/password-auth", "etc/login.defs",
					     "usr/etc/login.defs" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (names_yescrypt(root, files[i]))
			return "$y$";
	return "$6$";
}

unsigned long password_cost(const char *kind)
{
	return str_eq(kind, "$6$") ? SHA512_ROUNDS : 0;
}
