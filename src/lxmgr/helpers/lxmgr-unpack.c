/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacks a hostile tar archive. Not for users; image/unpack.h calls it.
 *
 *	lxmgr-unpack --list=N | --file=NAME --size=BYTES
 *	lxmgr-unpack [--subdir=DIR] [--strip=N] [--layer | --whiteouts]
 *		[--entries=N] [--size=BYTES] [--depth=N] [--ratio=N] [--ids=N] [--memory=BYTES]
 *
 *	standard input		the archive, from where it stands: tar (ustar, pax, GNU), plain or
 *				with gzip, bzip2, xz, lzma, zstd or lz4; a file or a pipe
 *	working directory	where to; it becomes the helper's root directory, so that no name in
 *				the archive can mean anything else
 *	standard output		one line: "ok ENTRIES BYTES SKIPPED", or "error TEXT" (escaped)
 *	status			0; 1: could not; 2: the archive is refused
 *
 * What is written before an error stays: the caller deletes the directory. No other fd is open,
 * and nothing of the host's but the working directory can be reached. Devices and sockets are
 * skipped and counted. A name with "..", an absolute one, one too long or too deep, and an owner
 * beyond --ids are refused; a symbolic link in the way of a name is replaced. Of extended
 * attributes there stay security.capability, ACLs and user.* but user.overlay.*. Names are bytes,
 * in no character set.
 *
 *	--list=N	unpack nothing: say "name NAME" (escaped) of the first N, and "ok N 0 0"
 *	--file=NAME	unpack nothing: write the content of this plain file, of at most --size
 *			bytes, to descriptor 3; "ok 1 BYTES 0"; "ok 0 0 0": it is not there
 *	--subdir=DIR	only what is below DIR of the archive, which becomes the top
 *	--strip=N	without the first N parts of each name; what has fewer is left out
 *	--layer		over what is there (a layer of an OCI image): what is of another type is
 *			replaced, directories' links are followed, whiteouts are left out
 *	--whiteouts	only delete what the layer's whiteouts name: the pass before --layer
 *	--entries	at most so many (default 2000000)
 *	--size		at most so many bytes of content, and so large a file (default 64 GiB)
 *	--depth		of directories (default 100)
 *	--ratio		bytes written for each byte read, beyond the first 64 MiB (default 400)
 *	--ids		owners are below this (default 65536)
 *	--shift=ID	owners from ID on, as many as --ids, are moved to begin at 0: the archive
 *			was made outside of the container's user namespace
 *	--without=DIR	what is called so after all that, and all below it, is left out
 *	--memory	address space (default 2 GiB)
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "helpers/confine.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define RATIO_FROM (64ULL << 20)
#define LIST_MAX   (256ULL << 20)
#define REFUSED	   2
#define DATA_FD	   3

struct job {
	const char *subdir, *without, *file;
	uint64_t list, shift;
	uint64_t strip, max_entries, max_size, max_depth, ratio, ids, memory;
	bool layer, whiteouts;
	struct archive *in, *out;
	uint64_t entries, bytes, skipped;
	int root;
	char made[PATH_MAX]; /* a directory that is there, with all above it; "": none is known */
	struct lxmgr_err err;
};

static const char *const calls[] = {
	"openat",
	"openat2",
	"mkdir",
	"mkdirat",
	"link",
	"linkat",
	"symlink",
	"symlinkat",
	"unlink",
	"unlinkat",
	"rmdir",
	"lstat",
	"stat",
	"statx",
	"chmod",
	"fchmod",
	"fchmodat",
	"chown",
	"lchown",
	"fchown",
	"fchownat",
	"utimensat",
	"utimes",
	"futimesat",
	"ftruncate",
	"fsetxattr",
	"lsetxattr",
	"setxattr",
	"fgetxattr",
	"lgetxattr",
	"getxattr",
	"chdir",
	"fchdir",
	"getdents64",
	"umask",
	"access",
	"faccessat",
	"geteuid",
	"getuid",
	"open",
	"rename",
	"renameat",
	"pwrite64",
	"lstat64",
	"stat64",
	"ftruncate64",
	"utimensat_time64",
	NULL,
};

__attribute__((format(printf, 2, 3))) static int refuse(struct job *j, const char *fmt, ...)
{
	char raw[400], shown[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	return err_status(&j->err, REFUSED, -EBADMSG, "%s", str_escape(shown, sizeof(shown), raw));
}

/* The name without what it may not have; NULL, with nothing in err, for one that is left out. */
static char *clean_name(struct job *j, const char *name, char *buf, size_t size)
{
	size_t len = 0, parts = 0, skip = j->strip;
	const char *sub = j->subdir;

	if (!name || !*name || *name == '/' || strlen(name) >= PATH_MAX)
		return refuse(j, "the name '%.200s' is empty, absolute or too long",
			      name ? name : ""),
		       NULL;
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return refuse(j, "the name '%.200s' leads out of the archive", name), NULL;
		if (n > NAME_MAX)
			return refuse(j, "the name '%.200s' is too long", name), NULL;
		if (n == 0 || (n == 1 && *p == '.')) {
			;
		} else if (sub && *sub) {
			size_t want = strcspn(sub, "/");

			if (n != want || strncmp(p, sub, n) != 0)
				return NULL;
			sub += want + (sub[want] == '/');
		} else if (skip) {
			skip--;
		} else {
			if (++parts > j->max_depth)
				return refuse(j, "directories are nested deeper than %llu",
					      (unsigned long long)j->max_depth),
				       NULL;
			len += (size_t)snprintf(buf + len, size - len, "%s%.*s", len ? "/" : "",
						(int)n, p);
		}
		p += n + (p[n] == '/');
	}
	if ((sub && *sub) || skip)
		return NULL;
	if (!len)
		snprintf(buf, size, ".");
	return buf;
}

static bool may_have(const char *xattr)
{
	return str_eq(xattr, "security.capability") || str_eq(xattr, "system.posix_acl_access") ||
	       str_eq(xattr, "system.posix_acl_default") ||
	       (str_has_prefix(xattr, "user.") && !str_has_prefix(xattr, "user.overlay."));
}

/* Where a file system has no attributes of users, or no ACLs, these are left away. */
static bool can_have(const struct job *j, const char *xattr)
{
	return fgetxattr(j->root, xattr, NULL, 0) >= 0 || errno != EOPNOTSUPP;
}

/* Capabilities of the root of some user namespace are those of this root. */
static size_t plain_caps(unsigned char *value, size_t size)
{
	/* A word with the revision in its highest byte, the sets, and in revision 3 the root's id.
	 */
	if (size != 24 || value[3] != 3)
		return size;
	value[3] = 2;
	return 20;
}

static int filter_xattrs(struct job *j, struct archive_entry *e)
{
	cleanup_free struct kept {
		char *name;
		void *value;
		size_t size;
	} *kept = NULL;
	int n = archive_entry_xattr_reset(e), k = 0, r = 0;
	const char *name;
	const void *value;
	size_t size;

	if (n <= 0)
		return 0;
	if (n > 1000)
		return refuse(j, "'%.200s' has too many attributes", archive_entry_pathname(e));
	kept = calloc((size_t)n, sizeof(*kept));
	while (kept && k < n && archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
		if (!name || !may_have(name) || size > 65536 || !can_have(j, name))
			continue;
		kept[k] = (struct kept){ strdup(name), malloc(size + 1), size };
		if (!kept[k].name || !kept[k].value)
			r = -ENOMEM;
		else
			memcpy(kept[k].value, value, size);
		if (r == 0 && str_eq(name, "security.capability"))
			kept[k].size = plain_caps(kept[k].value, size);
		k++;
	}
	archive_entry_xattr_clear(e);
	for (int i = 0; i < k; i++) {
		if (r == 0)
			archive_entry_xattr_add_entry(e, kept[i].name, kept[i].value, kept[i].size);
		free(kept[i].name);
		free(kept[i].value);
	}
	return kept && r == 0 ? 0 : err_set(&j->err, -ENOMEM, "unpack");
}

static int64_t id_inside(const struct job *j, int64_t id)
{
	return j->shift && id >= (int64_t)j->shift && (uint64_t)id - j->shift < j->ids
		       ? id - (int64_t)j->shift
		       : id;
}

/* The users and groups of access control lists. */
static int shift_acl(struct job *j, struct archive_entry *e)
{
	int both = ARCHIVE_ENTRY_ACL_TYPE_ACCESS | ARCHIVE_ENTRY_ACL_TYPE_DEFAULT;
	int n = archive_entry_acl_reset(e, both), k = 0, type, perms, tag, id;
	cleanup_free struct acl {
		int type, perms, tag, id;
	} *all = n > 0 ? calloc((size_t)n, sizeof(*all)) : NULL;
	const char *name;

	if (n <= 0)
		return 0;
	while (all && k < n &&
	       archive_entry_acl_next(e, both, &type, &perms, &tag, &id, &name) == ARCHIVE_OK)
		all[k++] = (struct acl){ type, perms, tag, (int)id_inside(j, id) };
	archive_entry_acl_clear(e);
	for (int i = 0; i < k; i++)
		archive_entry_acl_add_entry(e, all[i].type, all[i].perms, all[i].tag, all[i].id,
					    NULL);
	return all ? 0 : err_set(&j->err, -ENOMEM, "unpack");
}

static int check_owner(struct job *j, struct archive_entry *e)
{
	int64_t uid = id_inside(j, archive_entry_uid(e)), gid = id_inside(j, archive_entry_gid(e));
	int64_t size;

	if (uid < 0 || gid < 0 || (uint64_t)uid >= j->ids || (uint64_t)gid >= j->ids)
		return refuse(j, "'%.200s' belongs to %lld:%lld, which no container has",
			      archive_entry_pathname(e), (long long)uid, (long long)gid);
	archive_entry_set_uid(e, uid);
	archive_entry_set_gid(e, gid);
	if (j->shift && shift_acl(j, e) < 0)
		return j->err.code;
	size = archive_entry_size(e);
	if (size < 0 || (uint64_t)size > j->max_size)
		return refuse(j, "'%.200s' is larger than the limit of %llu bytes",
			      archive_entry_pathname(e), (unsigned long long)j->max_size);
	return 0;
}

static int count(struct job *j, size_t n)
{
	uint64_t in = (uint64_t)archive_filter_bytes(j->in, -1);

	j->bytes += n;
	if (j->bytes > j->max_size)
		return refuse(j, "the content is more than the limit of %llu bytes",
			      (unsigned long long)j->max_size);
	if (j->bytes > RATIO_FROM && j->bytes / j->ratio > in)
		return refuse(j, "it grows by more than %llu times: a bomb",
			      (unsigned long long)j->ratio);
	return 0;
}

static int read_error(struct job *j, const char *what)
{
	const char *why = archive_error_string(j->in);
	bool cut = why && strstr(why, "runcated");

	return refuse(j, "%s: %s%.200s", what, cut ? "it is cut off: " : "", why ? why : "damaged");
}

/* What is no fault of the archive's. */
static bool is_of_host(int e)
{
	return e == ENOSPC || e == EDQUOT || e == EIO || e == EFBIG || e == ENOMEM;
}

/* The library's text has not always the cause, and of attributes not even its number is one. */
static int write_error(struct job *j, const char *name)
{
	int last = errno, e = archive_errno(j->out);
	const char *why = archive_error_string(j->out);

	if (!is_of_host(e))
		e = last;
	if (is_of_host(e))
		return err_set(&j->err, -e, "write '%.200s'", name);
	return refuse(j, "'%.200s': %.200s", name, why ? why : "cannot be written");
}

static int copy_data(struct job *j, const char *name)
{
	const void *data;
	la_int64_t at;
	size_t n;
	int r;

	while ((r = archive_read_data_block(j->in, &data, &n, &at)) != ARCHIVE_EOF) {
		if (r < ARCHIVE_WARN)
			return read_error(j, name);
		r = count(j, n);
		if (r < 0)
			return r;
		if (archive_write_data_block(j->out, data, n, at) < ARCHIVE_OK)
			return write_error(j, name);
	}
	return 0;
}

/* A layer is put over what is there: a name of another type is replaced, not written through. */
static int make_way(struct job *j, const char *path, bool is_dir)
{
	const char *base;
	struct stat st;
	int r;

	if (str_eq(path, "."))
		return 0;
	cleanup_fd int dir = open_parent_in(j->root, path, OPEN_IN_ROOT, &base);

	if (dir < 0 || fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode) == is_dir)
		return 0;
	r = remove_tree_at(dir, base);
	return r < 0 ? err_set(&j->err, r, "replace '%.200s'", path) : 0;
}

/* The directory `path`, whose parents are there. 1: it is; 0: something else has the name, which is
 * the library's to find. */
static int make_parent(struct job *j, const char *path)
{
	const char *base;
	cleanup_fd int fd = -EBADF, dir = -EBADF;
	struct stat st;

	fd = open_in(j->root, path, j->layer ? OPEN_IN_ROOT : OPEN_NO_LINKS, O_PATH | O_DIRECTORY,
		     0);
	if (fd >= 0)
		return 1;
	dir = open_parent_in(j->root, path, j->layer ? OPEN_IN_ROOT : OPEN_NO_LINKS, &base);
	if (dir < 0)
		return 0;
	/* A link in the way of a name is replaced; in a layer one that leads nowhere is left. */
	if (!j->layer && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	    unlinkat(dir, base, 0) < 0)
		return err_set(&j->err, -errno, "replace '%.200s'", path);
	if (mkdirat(dir, base, 0755) < 0)
		return errno == EEXIST ? 0 : err_set(&j->err, -errno, "make '%.200s'", path);
	if (fchownat(dir, base, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(&j->err, -errno, "make '%.200s'", path);
	return 1;
}

/* The directories that the archive has no entry for, or has it later: the library would give them
 * to the user that this program has, for all to write to. */
static int make_parents(struct job *j, const char *path)
{
	static char part[PATH_MAX];
	const char *end = strrchr(path, '/');
	int r = 1;

	if (!end ||
	    (strncmp(j->made, path, (size_t)(end - path)) == 0 && j->made[end - path] == '\0'))
		return 0;
	for (const char *p = strchr(path, '/'); r > 0 && p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		r = make_parent(j, part);
	}
	snprintf(j->made, sizeof(j->made), "%s", r > 0 ? part : "");
	return r < 0 ? r : 0;
}

static int write_entry(struct job *j, struct archive_entry *e, const char *path)
{
	int type = archive_entry_filetype(e), r;
	bool link = archive_entry_hardlink(e) != NULL;

	r = j->layer ? make_way(j, path, type == AE_IFDIR && !link) : 0;
	if (r == 0)
		r = make_parents(j, path);
	if (r < 0)
		return r;
	/* It may take the place of one that was there. */
	if (type != AE_IFDIR && str_has_prefix(j->made, path))
		*j->made = '\0';
	errno = 0;
	r = archive_write_header(j->out, e);
	if (r == ARCHIVE_OK && type == AE_IFREG && !link) {
		r = copy_data(j, path);
		if (r < 0)
			return r;
	}
	if (r == ARCHIVE_OK)
		r = archive_write_finish_entry(j->out);
	return r == ARCHIVE_OK ? 0 : write_error(j, path);
}

/* .wh.NAME: NAME of the layers below is gone; .wh..wh..opq: all in this directory is. */
static int apply_whiteout(struct job *j, char *path)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(j->root, path, OPEN_IN_ROOT, &base);
	cleanup_dir DIR *d = NULL;
	struct dirent *e;
	int r = 0;

	if (dir < 0)
		return 0;
	if (!str_eq(base, ".wh..wh..opq")) {
		base += 4;
		if (!*base || str_eq(base, ".") || str_eq(base, ".."))
			return refuse(j, "'%.200s' removes nothing", path);
		r = remove_tree_at(dir, base);
		return r < 0 ? err_set(&j->err, r, "remove '%.200s'", path) : 0;
	}
	fd_close(&dir);
	path[base - path > 0 ? base - path - 1 : 0] = '\0';
	dir = open_in(j->root, *path ? path : ".", OPEN_IN_ROOT, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -ENOENT || dir == -ENOTDIR)
		return 0;
	d = dir < 0 ? NULL : fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
	if (!d)
		return err_set(&j->err, dir < 0 ? dir : -errno, "open '%.200s'", path);
	while (r == 0 && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			r = remove_tree_at(dir, e->d_name);
	return r < 0 ? err_set(&j->err, r, "empty '%.200s'", path) : 0;
}

static bool is_without(const struct job *j, const char *path)
{
	const char *rest = j->without ? str_after(path, j->without) : NULL;

	return rest && (!*rest || *rest == '/');
}

static int one_entry(struct job *j, struct archive_entry *e)
{
	static char path[PATH_MAX], target[PATH_MAX];
	const char *base;
	int r;

	if (!clean_name(j, archive_entry_pathname(e), path, sizeof(path)))
		return j->err.code;
	if (is_without(j, path))
		return 0;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	if (j->whiteouts)
		return str_has_prefix(base, ".wh.") ? apply_whiteout(j, path) : 0;
	if (j->layer && str_has_prefix(base, ".wh."))
		return 0;
	archive_entry_copy_pathname(e, path);
	if (archive_entry_hardlink(e)) {
		if (!clean_name(j, archive_entry_hardlink(e), target, sizeof(target)))
			return j->err.code
				       ? j->err.code
				       : refuse(j, "'%.200s' is a link to what is left out", path);
		archive_entry_copy_hardlink(e, target);
	} else {
		switch (archive_entry_filetype(e)) {
		case AE_IFREG:
		case AE_IFDIR:
		case AE_IFLNK:
		case AE_IFIFO:
			break;
		case AE_IFCHR:
		case AE_IFBLK:
		case AE_IFSOCK:
			j->skipped++;
			return 0;
		default:
			return refuse(j, "'%.200s' is of an unknown type", path);
		}
	}
	r = check_owner(j, e);
	if (r == 0)
		r = filter_xattrs(j, e);
	return r < 0 ? r : write_entry(j, e, path);
}

static int open_archive(struct job *j)
{
	int r;

	j->in = archive_read_new();
	if (!j->in)
		return err_set(&j->err, -ENOMEM, "unpack");
	archive_read_support_format_tar(j->in);
	archive_read_support_filter_gzip(j->in);
	archive_read_support_filter_bzip2(j->in);
	archive_read_support_filter_xz(j->in);
	archive_read_support_filter_lzma(j->in);
	archive_read_support_filter_zstd(j->in);
	archive_read_support_filter_lz4(j->in);
	r = archive_read_open_fd(j->in, 0, 1 << 17);
	return r == ARCHIVE_OK ? 0 : read_error(j, "it cannot be read as an archive");
}

static int unpack(struct job *j)
{
	int flags = ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
		    ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK |
		    ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS |
		    ARCHIVE_EXTRACT_SPARSE;
	struct archive_entry *e;
	int r = open_archive(j);

	if (r < 0)
		return r;
	j->out = archive_write_disk_new();
	if (!j->out)
		return err_set(&j->err, -ENOMEM, "unpack");
	/* Over other layers a link of a lower one is a directory's name; it leads nowhere else. */
	if (!j->layer)
		flags |= ARCHIVE_EXTRACT_SECURE_SYMLINKS;
	archive_write_disk_set_options(j->out, flags);
	while ((r = archive_read_next_header(j->in, &e)) != ARCHIVE_EOF) {
		/* A warning is about a name's character set: it is taken as it is. */
		if (r < ARCHIVE_WARN)
			return read_error(j, "the archive is damaged");
		if (++j->entries > j->max_entries)
			return refuse(j, "it has more than %llu entries",
				      (unsigned long long)j->max_entries);
		r = one_entry(j, e);
		if (r < 0)
			return r;
	}
	if (archive_write_close(j->out) < ARCHIVE_WARN)
		return write_error(j, ".");
	return 0;
}

/* To look into it. */

static int list_names(struct job *j)
{
	struct archive_entry *e;
	int r = open_archive(j);

	while (r == 0 && j->entries < j->list) {
		char shown[PATH_MAX];
		const char *name;

		r = archive_read_next_header(j->in, &e);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return read_error(j, "the archive is damaged");
		r = 0;
		name = archive_entry_pathname(e);
		j->entries++;
		printf("name %s\n", str_escape(shown, sizeof(shown), name ? name : ""));
		/* What stands behind much else is not looked for: it would be read all. */
		if (archive_entry_size(e) > (la_int64_t)LIST_MAX ||
		    (uint64_t)archive_filter_bytes(j->in, 0) > LIST_MAX)
			return 0;
	}
	return r;
}

/* "./a" and "a" are the same. */
static bool is_named(const char *name, const char *want)
{
	while (name && str_has_prefix(name, "./"))
		name += 2;
	return name && str_eq(name, want);
}

static int show_file(struct job *j, struct archive_entry *e)
{
	char buf[16384];
	la_ssize_t n;
	int r;

	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
		return refuse(j, "'%.200s' is no plain file", j->file);
	j->entries = 1;
	while ((n = archive_read_data(j->in, buf, sizeof(buf))) > 0) {
		r = count(j, (size_t)n);
		if (r == 0)
			r = write_all(DATA_FD, buf, (size_t)n);
		if (r < 0)
			return j->err.code ? r : err_set(&j->err, r, "hand over '%s'", j->file);
	}
	return n < 0 ? read_error(j, j->file) : 0;
}

static int find_file(struct job *j)
{
	struct archive_entry *e;
	uint64_t seen = 0;
	int r = open_archive(j);

	while (r == 0 && (r = archive_read_next_header(j->in, &e)) != ARCHIVE_EOF) {
		if (r < ARCHIVE_WARN)
			return read_error(j, "the archive is damaged");
		if (++seen > j->max_entries)
			return refuse(j, "it has more than %llu entries",
				      (unsigned long long)j->max_entries);
		if (is_named(archive_entry_pathname(e), j->file))
			return show_file(j, e);
		r = 0;
	}
	return r == ARCHIVE_EOF ? 0 : r;
}

static int parse_args(struct job *j, int argc, char **argv)
{
	struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{ "--strip=", &j->strip },   { "--entries=", &j->max_entries },
		{ "--size=", &j->max_size }, { "--depth=", &j->max_depth },
		{ "--ratio=", &j->ratio },   { "--ids=", &j->ids },
		{ "--memory=", &j->memory }, { "--list=", &j->list },
		{ "--shift=", &j->shift },
	};

	for (int i = 1; i < argc; i++) {
		const char *v = NULL;

		if ((v = str_after(argv[i], "--subdir="))) {
			j->subdir = v;
			continue;
		}
		if ((v = str_after(argv[i], "--without="))) {
			j->without = v;
			continue;
		}
		if ((v = str_after(argv[i], "--file="))) {
			j->file = v;
			continue;
		}
		if (str_eq(argv[i], "--layer") || str_eq(argv[i], "--whiteouts")) {
			*(argv[i][2] == 'l' ? &j->layer : &j->whiteouts) = true;
			continue;
		}
		for (size_t k = 0; k < ARRAY_SIZE(numbers) && !v; k++) {
			v = str_after(argv[i], numbers[k].name);
			if (v && parse_u64(v, numbers[k].value) < 0)
				return -EINVAL;
		}
		if (!v)
			return -EINVAL;
	}
	return j->ratio && j->ids ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	static struct job j = {
		.max_entries = 2000000,
		.max_size = 64ULL << 30,
		.max_depth = 100,
		.ratio = 400,
		.ids = 65536,
		.memory = 2ULL << 30,
	};
	struct confine c = {
		.keep_directory = true,
		/* CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP */
		.caps = 1ULL << 0 | 1ULL << 1 | 1ULL << 3 | 1ULL << 4 | 1ULL << 31,
		.syscalls = calls,
	};
	int r;

	if (parse_args(&j, argc, argv) < 0)
		return 64;
	umask(0);
	c.memory = j.memory;
	c.file_size = j.max_size;
	if (j.list || j.file) {
		c.keep_directory = false;
		c.caps = 0;
		c.keep_fds = j.file != NULL;
	}
	r = confine(&c, &j.err);
	if (r == 0) {
		j.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = j.root < 0 ? err_set(&j.err, -errno, "open the directory")
		    : j.list   ? list_names(&j)
		    : j.file   ? find_file(&j)
			       : unpack(&j);
	}
	if (r < 0) {
		printf("error %s\n", j.err.text);
		return fflush(stdout) == 0 && j.err.status == REFUSED ? REFUSED : 1;
	}
	printf("ok %llu %llu %llu\n", (unsigned long long)j.entries, (unsigned long long)j.bytes,
	       (unsigned long long)j.skipped);
	return fflush(stdout) ? 1 : 0;
}
