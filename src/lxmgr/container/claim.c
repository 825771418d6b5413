/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container/claim.h"
#include "container/draft.h"
#include "container/idalloc.h"
#include "container/mcsalloc.h"
#include "container/projalloc.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"

#define LOCK	   ".names.lock"
#define TIMEOUT_MS 30000

int claim_lock(struct lxmgr_err *err)
{
	int r = mkdir_p(STATEDIR, 0711);
	cleanup_fd int dir = r < 0 ? -EBADF : open(STATEDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_set(err, r < 0 ? r : -errno, "open '%s'", STATEDIR);
	r = lock_at(dir, LOCK, true, TIMEOUT_MS, NULL);
	return r < 0 ? err_set(err, r, "lock '%s/%s'", STATEDIR, LOCK) : r;
}

/* Its maker has it locked; what a killed one left is not. */
static bool is_held(int path, const char *entry)
{
	cleanup_fd int dir = openat(path, entry, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int lock = dir < 0 ? dir : lock_at(dir, "lock", true, 0, NULL);

	return dir >= 0 && lock < 0;
}

bool claim_is_draft(int path, const char *name)
{
	int fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	char of[64];

	/* What cannot be looked at may be somebody's. */
	if (!d)
		return true;
	while ((e = readdir(d)))
		if (draft_is_temp_name(e->d_name, "new", of) && str_eq(of, name) &&
		    is_held(path, e->d_name))
			return true;
	return false;
}

/* The draft first: one that is published meanwhile is the container then. */
static bool is_somebodys(int path, const char *name)
{
	return claim_is_draft(path, name) || faccessat(path, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int release(int path, const char *id, const char *name, struct lxmgr_err *err)
{
	int r;

	if (is_somebodys(path, name))
		return 0;
	r = ipam_release(id, err);
	if (r == 0)
		r = idalloc_release(id, err);
	if (r == 0)
		r = mcs_release(id, err);
	return r < 0 ? r : projalloc_release(id, path, err);
}

int claim_release(int path, const char *id, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int lock = claim_lock(err);

	return lock < 0 ? lock : release(path, id, name, err);
}

int claim_give_up(int path, const char *id, const char *name, char *entry, struct lxmgr_err *err)
{
	cleanup_fd int lock = claim_lock(err);
	char dead[DRAFT_TMP_SIZE];
	int r = lock;

	if (lock < 0 || faccessat(path, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return lock < 0 ? lock : 0;
	/* Of several that give up the last one has to find no other. */
	if (!draft_is_temp_name(entry, "dead", NULL)) {
		r = draft_bury_entry(path, entry, name, dead);
		if (r < 0)
			return err_set(err, r, "rename the unfinished '%s'", entry);
		snprintf(entry, DRAFT_TMP_SIZE, "%s", dead);
	}
	return release(path, id, name, err);
}
