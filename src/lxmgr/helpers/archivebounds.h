/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an archive of lxmgr has at most: export writes no other, so that import takes each. */
#ifndef LXMGR_HELPERS_ARCHIVEBOUNDS_H
#define LXMGR_HELPERS_ARCHIVEBOUNDS_H

#include <limits.h>

#define ARCHIVE_DEPTH 200	     /* parts of a name below the root */
#define ARCHIVE_NAME  (PATH_MAX - 2) /* bytes of it; a directory's may have a slash behind it */

#endif
