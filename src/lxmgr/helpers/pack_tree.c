/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tree, which nobody changes meanwhile, as entries below rootfs/ of the archive. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helpers/archivebounds.h"
#include "helpers/attrs.h"
#include "helpers/pack.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define CHUNK	 (1U << 18)
#define TELL	 (8U << 20)
#define ZEROS	 (256U << 20)
#define ROOT	 "rootfs"
#define DELETED	 "deleted"
#define IS_EMPTY "-"

int pack_error(struct pack *p, const char *path)
{
	const char *why = archive_error_string(p->a);

	if (p->out.error < 0)
		return err_set(&p->err, p->out.error, "write the archive");
	return err_msg(&p->err, -EIO, "'%.200s' cannot be put into the archive: %.200s", path,
		       why ? why : "unknown");
}

static int begin_entry(struct pack *p, const char *name)
{
	archive_entry_clear(p->e);
	archive_entry_set_pathname(p->e, name);
	return 0;
}

static int write_header(struct pack *p, const char *path)
{
	/* A warning is about a name that is no UTF-8: it is written as bytes. */
	return archive_write_header(p->a, p->e) < ARCHIVE_WARN ? pack_error(p, path) : 0;
}

static int end_entry(struct pack *p, const char *path)
{
	return archive_write_finish_entry(p->a) < ARCHIVE_WARN ? pack_error(p, path) : 0;
}

int pack_member(struct pack *p, const char *name, const char *data, size_t len)
{
	int r;

	begin_entry(p, name);
	archive_entry_set_filetype(p->e, AE_IFREG);
	archive_entry_set_perm(p->e, 0600);
	archive_entry_set_size(p->e, (la_int64_t)len);
	r = write_header(p, name);
	if (r == 0 && len && archive_write_data(p->a, data, len) != (la_ssize_t)len)
		r = pack_error(p, name);
	return r < 0 ? r : end_entry(p, name);
}

int pack_deleted(struct pack *p, const char *path)
{
	cleanup_free char *name = str_printf(DELETED "/%s", path);

	p->deleted++;
	return name ? pack_member(p, name, NULL, 0) : err_set(&p->err, -ENOMEM, "pack");
}

static void tell(struct pack *p)
{
	if (p->bytes - p->told < TELL)
		return;
	p->told = p->bytes;
	dprintf(STDOUT_FILENO, "at %llu\n", (unsigned long long)p->bytes);
}

static void add_sum(const void *data, size_t len, void *arg)
{
	sha256_update(arg, len, data);
}

static int read_chunk(int fd, char *buf, size_t want, const char *path, struct pack *p)
{
	ssize_t n;

	do
		n = read(fd, buf, want);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? err_set(&p->err, -errno, "read '%.200s'", path)
			     : err_msg(&p->err, -EIO, "'%.200s' became shorter", path);
	return (int)n;
}

static void fill_record(struct pack *p, struct record *r, const struct stat *st, char *path)
{
	*r = (struct record){
		.mode = st->st_mode,
		.uid = attrs_uid_in(&p->map, st->st_uid, &p->nobody),
		.gid = attrs_gid_in(&p->map, st->st_gid, &p->nobody),
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.ino = st->st_ino,
		.nlink = S_ISDIR(st->st_mode) ? 1 : st->st_nlink,
		.mtime = st->st_mtim.tv_sec,
		.mtime_ns = st->st_mtim.tv_nsec,
		.ctime = p->copied ? 0 : st->st_ctim.tv_sec,
		.ctime_ns = p->copied ? 0 : st->st_ctim.tv_nsec,
		.digest = IS_EMPTY,
		.path = path,
	};
}

/* One of the tree: opened where it is a file or directory. */
struct item {
	int fd; /* or -1: `name` in the working directory */
	const char *name;
	char *path; /* in the tree; "" its top */
	struct stat st;
	struct record r;
	char target[PATH_MAX];
};

/* What is between `from` and `to`, to the archive and to sum, either of which may be left out. */
static int copy_part(struct pack *p, const struct item *i, off_t from, off_t to, bool write,
		     struct sha256_ctx *sum)
{
	static char buf[CHUNK];

	if (lseek(i->fd, from, SEEK_SET) < 0)
		return err_set(&p->err, -errno, "read '%.200s'", i->path);
	while (from < to) {
		int n = read_chunk(i->fd, buf, to - from < CHUNK ? (size_t)(to - from) : CHUNK,
				   i->path, p);

		if (n < 0)
			return n;
		if (sum)
			sha256_update(sum, (size_t)n, (const uint8_t *)buf);
		if (write && archive_write_data(p->a, buf, (size_t)n) != n)
			return pack_error(p, i->path);
		if (write) {
			p->bytes += (uint64_t)n;
			tell(p);
		}
		from += n;
	}
	return 0;
}

/* The archive is told how long a hole is by zeros, which it does not read. */
static int skip_hole(struct pack *p, const struct item *i, off_t from, off_t to)
{
	if (!p->zeros && from < to) {
		void *z = mmap(NULL, ZEROS, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);

		if (z == MAP_FAILED)
			return err_set(&p->err, -errno, "pack");
		p->zeros = z;
	}
	while (from < to) {
		size_t n = (uint64_t)(to - from) < ZEROS ? (size_t)(to - from) : ZEROS;

		if (archive_write_data(p->a, p->zeros, n) != (la_ssize_t)n)
			return pack_error(p, i->path);
		from += (off_t)n;
	}
	return 0;
}

static bool has_holes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size;
}

/* The next part at or behind *at that is no hole. 0: there is none. */
static int next_part(struct pack *p, const struct item *i, off_t *at, off_t *end)
{
	if (*at >= i->st.st_size)
		return 0;
	*at = lseek(i->fd, *at, SEEK_DATA);
	if (*at < 0)
		return errno == ENXIO ? 0 : err_set(&p->err, -errno, "find holes");
	*end = lseek(i->fd, *at, SEEK_HOLE);
	return *end < 0 ? err_set(&p->err, -errno, "find holes") : 1;
}

/* Holes are not read: a guest makes files of exabytes of them for nothing. */
static int copy_content(struct pack *p, const struct item *i, bool write, struct sha256_ctx *sum)
{
	off_t at = 0, end = 0, done = 0;
	int r;

	if (!has_holes(&i->st))
		return copy_part(p, i, 0, i->st.st_size, write, sum);
	while ((r = next_part(p, i, &at, &end)) > 0) {
		if (sum) {
			add_sum(&at, sizeof(at), sum);
			add_sum(&end, sizeof(end), sum);
		}
		r = write ? skip_hole(p, i, done, at) : 0;
		if (r == 0)
			r = copy_part(p, i, at, end, write, sum);
		if (r < 0)
			return r;
		at = done = end;
	}
	return r == 0 && write ? skip_hole(p, i, done, i->st.st_size) : r;
}

/* Where a file has holes, its parts. */
static int add_parts(struct pack *p, const struct item *i)
{
	off_t at = 0, end = 0;
	int r = 0;

	while (has_holes(&i->st) && (r = next_part(p, i, &at, &end)) > 0) {
		if (at == 0 && end >= i->st.st_size)
			return 0;
		archive_entry_sparse_add_entry(p->e, at, end - at);
		at = end;
	}
	/* Nothing but a hole. */
	if (r == 0 && has_holes(&i->st) && archive_entry_sparse_count(p->e) == 0)
		archive_entry_sparse_add_entry(p->e, i->st.st_size, 0);
	return r;
}

static int set_attributes(struct pack *p, struct item *i, struct sha256_ctx *sum)
{
	cleanup_free char *name = str_printf(ROOT "%s%s", *i->path ? "/" : "", i->path);
	int r;

	if (!name)
		return err_set(&p->err, -ENOMEM, "pack");
	begin_entry(p, name);
	archive_entry_set_mode(p->e, i->st.st_mode);
	archive_entry_set_uid(p->e, i->r.uid);
	archive_entry_set_gid(p->e, i->r.gid);
	archive_entry_set_mtime(p->e, i->r.mtime, (long)i->r.mtime_ns);
	archive_entry_set_size(p->e, S_ISREG(i->st.st_mode) ? i->st.st_size : 0);
	if (S_ISCHR(i->st.st_mode)) {
		archive_entry_set_rdev(p->e, i->st.st_rdev);
		if (sum)
			add_sum(&i->st.st_rdev, sizeof(i->st.st_rdev), sum);
	}
	if (S_ISLNK(i->st.st_mode)) {
		ssize_t n = readlink(i->name, i->target, sizeof(i->target) - 1);

		if (n < 0)
			return err_set(&p->err, -errno, "read the link '%.200s'", i->path);
		i->target[n] = '\0';
		archive_entry_set_symlink(p->e, i->target);
		if (sum)
			add_sum(i->target, (size_t)n, sum);
	}
	if (S_ISLNK(i->st.st_mode))
		return 0;
	r = attrs_read(i->fd, i->name, p->e, &p->map, &p->nobody, sum ? add_sum : NULL, sum);
	return r < 0 ? err_set(&p->err, r, "read attributes of '%.200s'", i->path) : 0;
}

static bool same_facts(const struct record *a, const struct record *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
	       a->mtime == b->mtime && a->mtime_ns == b->mtime_ns;
}

/* A name of a file that has several. Where another one was written, as its directory was moved,
 * this one has to be a link to that; else it is where names that are new are linked to. */
static int stays(struct pack *p, const struct item *i)
{
	const struct link *x = links_add(&p->links, i->st.st_dev, i->st.st_ino, i->path);

	return x ? !x->written : err_set(&p->err, -ENOMEM, "pack");
}

/* 1: it is as it was. A change of anything changes ctime; where that says nothing (one of the two
 * was a copy) the content does. Names of one file go together, so those that have several are then
 * written. */
static int is_unchanged(struct pack *p, struct item *i)
{
	const struct record *was = &p->before.next;
	struct sha256_ctx sum;
	int r;

	if (!p->incremental || !p->before.has_next || !str_eq(was->path, i->path) ||
	    S_ISDIR(i->st.st_mode) || !same_facts(was, &i->r))
		return 0;
	if (i->r.ctime && was->ctime == i->r.ctime && was->ctime_ns == i->r.ctime_ns &&
	    was->ino == i->r.ino && was->nlink == i->r.nlink) {
		memcpy(i->r.digest, was->digest, sizeof(was->digest));
		return i->r.nlink > 1 ? stays(p, i) : 1;
	}
	if (was->nlink != 1 || i->r.nlink != 1)
		return 0;
	sha256_init(&sum);
	r = set_attributes(p, i, &sum);
	if (r == 0 && S_ISREG(i->st.st_mode))
		r = copy_content(p, i, false, &sum);
	if (r < 0)
		return r;
	zsum_hex(&sum, i->r.digest);
	return str_eq(i->r.digest, was->digest);
}

static int write_item(struct pack *p, struct item *i)
{
	struct link *x = NULL;
	bool is_file = S_ISREG(i->st.st_mode);
	struct sha256_ctx sum;
	int r = 0;

	sha256_init(&sum);
	r = set_attributes(p, i, p->keep_index ? &sum : NULL);
	if (r == 0 && i->r.nlink > 1) {
		x = links_add(&p->links, i->st.st_dev, i->st.st_ino, i->path);
		if (!x)
			r = err_set(&p->err, -ENOMEM, "pack");
	}
	if (r < 0)
		return r;
	if (x && str_eq(x->path, i->path)) {
		x->written = true;
	} else if (x) {
		cleanup_free char *to = str_printf(ROOT "/%s", x->path);

		if (!to)
			return err_set(&p->err, -ENOMEM, "pack");
		archive_entry_set_hardlink(p->e, to);
		archive_entry_unset_size(p->e);
		is_file = false;
	}
	if (is_file)
		r = add_parts(p, i);
	if (r == 0)
		r = write_header(p, i->path);
	if (r == 0 && is_file)
		r = copy_content(p, i, true, p->keep_index ? &sum : NULL);
	if (r == 0)
		r = end_entry(p, i->path);
	p->files++;
	if (p->keep_index && !S_ISDIR(i->st.st_mode))
		zsum_hex(&sum, i->r.digest);
	return r;
}

/* Records that stand before this path are of what is gone, with all below it. NULL: all the rest.
 */
static int write_deleted(struct pack *p, const char *path)
{
	cleanup_free char *gone = NULL;
	int r = 0;

	while (r == 0 && p->incremental && p->before.has_next &&
	       (!path || index_compare(p->before.next.path, path) < 0)) {
		const char *below = gone ? str_after(p->before.next.path, gone) : NULL;

		if (!below || *below != '/') {
			r = pack_deleted(p, p->before.next.path);
			free(gone);
			gone = strdup(p->before.next.path);
			if (!gone)
				r = err_set(&p->err, -ENOMEM, "pack");
		}
		if (r == 0)
			r = index_next(&p->before, &p->err);
	}
	return r;
}

static int visit(struct pack *p, struct item *i)
{
	int r, same;

	fill_record(p, &i->r, &i->st, i->path);
	r = write_deleted(p, i->path);
	if (r < 0)
		return r;
	same = is_unchanged(p, i);
	if (same < 0)
		return same;
	r = same ? 0 : write_item(p, i);
	if (r == 0 && p->keep_index) {
		r = index_add(&p->after, &i->r);
		if (r < 0)
			err_set(&p->err, r, "write the index");
	}
	if (r == 0 && p->incremental && p->before.has_next && str_eq(p->before.next.path, i->path))
		r = index_next(&p->before, &p->err);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(struct pack *p, int fd, const char *path, struct strlist *names)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	int r = 0;

	if (!d)
		return err_set(&p->err, -errno, "read the directory '%.200s'", path);
	errno = 0;
	while (r == 0 && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			r = strlist_add(names, e->d_name);
	if (r < 0 || errno)
		return err_set(&p->err, r < 0 ? r : -errno, "read the directory '%.200s'", path);
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), by_name);
	return 0;
}

static int walk(struct pack *p, int fd, const char *path, int depth);

/* What no archive takes: sockets belong to who made them, and of devices there stay those that
 * every container has. */
static bool leave_out(struct pack *p, const struct item *i)
{
	mode_t m = i->st.st_mode;

	if (!S_ISSOCK(m) && !S_ISBLK(m) && !(S_ISCHR(m) && !attrs_device_is_plain(i->st.st_rdev)))
		return false;
	/* Sockets are made anew by who listens. */
	if (!S_ISSOCK(m) && !p->skipped++)
		str_escape(p->skipped_name, sizeof(p->skipped_name), i->path);
	return true;
}

static int one(struct pack *p, int dir, const char *name, const char *parent, int depth)
{
	cleanup_free char *path = str_printf("%s%s%s", parent, *parent ? "/" : "", name);
	cleanup_fd int fd = -EBADF;
	static struct item i;
	bool is_dir;
	int r;

	if (!path)
		return err_set(&p->err, -ENOMEM, "pack");
	i = (struct item){ .fd = -1, .name = name, .path = path };
	if (fstatat(dir, name, &i.st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(&p->err, -errno, "look at '%.200s'", path);
	if (leave_out(p, &i))
		return 0;
	/* A backup that cannot be restored is none. */
	if (depth >= ARCHIVE_DEPTH || strlen(path) > ARCHIVE_NAME)
		return err_msg(
			&p->err, -ENAMETOOLONG,
			"an archive has no names of more than %d parts or %d bytes: '%.200s'",
			ARCHIVE_DEPTH, ARCHIVE_NAME, path);
	is_dir = S_ISDIR(i.st.st_mode);
	if (is_dir || S_ISREG(i.st.st_mode)) {
		fd = openat(dir, name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
				    (is_dir ? O_DIRECTORY : 0));
		if (fd < 0)
			return err_set(&p->err, -errno, "open '%.200s'", path);
		i.fd = fd;
	} else if (fchdir(dir) < 0) {
		return err_set(&p->err, -errno, "enter '%.200s'", parent);
	}
	r = visit(p, &i);
	return r == 0 && is_dir ? walk(p, fd, path, depth + 1) : r;
}

static int walk(struct pack *p, int fd, const char *path, int depth)
{
	cleanup_strlist struct strlist names = { 0 };
	int r;

	r = read_names(p, fd, path, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = one(p, fd, names.v[i], path, depth);
	return r;
}

int pack_tree(struct pack *p)
{
	char top[] = "";
	struct item i = { .fd = p->root, .name = ".", .path = top };
	int r;

	if (fstat(p->root, &i.st) < 0)
		return err_set(&p->err, -errno, "look at the root");
	r = visit(p, &i);
	if (r == 0)
		r = walk(p, p->root, "", 0);
	return r == 0 ? write_deleted(p, NULL) : r;
}
