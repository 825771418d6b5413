/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the root of a container as an archive (lxmgr-archive(5)). Not for users.
 *
 *	lxmgr-pack [--index] [--before] [--copied] [--fast] [--uid=INSIDE:OUTSIDE:COUNT]...
 *		[--gid=...]...
 *
 *	working directory	the root, which nobody changes; it becomes the helper's root
 *				directory
 *	standard input		the description (JSON), a NUL, the config
 *	3			the archive is written here; a file is brought to the disk
 *	standard output		lines: "at BYTES" now and then; at last
 *				"ok FILES BYTES SKIPPED NOBODY SIZE TAR FILE" (TAR, FILE: SHA-256 of
 *				the tar stream and, with --index, of the file, else "-"), before it
 *				"skipped NAME" (escaped), one of the SKIPPED; or "error TEXT"
 *	4			--index: where the index of what was packed is written
 *	5			--before: the index of an earlier point; only what differs is packed
 *
 *	status			0; 1: could not; 3: what 5 is does not hold an index
 *
 *	--copied	the root is a copy: what it says of changes and inodes means nothing
 *	--fast		hardly compress: for a pipe
 *	--uid, --gid	ids on disk (OUTSIDE) and what the container calls them
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/confine.h"
#include "helpers/pack.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define REQUEST_MAX (4 << 20)

static const char *const calls[] = {
	"openat",    "fstatat64",  "getdents64", "readlink",	    "readlinkat", "fchdir",
	"fgetxattr", "flistxattr", "lgetxattr",	 "llistxattr",	    "fsync",	  "dup",
	"statx",     "prlimit64",  "sysinfo",	 "sync_file_range", NULL,
};

static ssize_t on_write(struct archive *a, void *arg, const void *data, size_t len)
{
	struct pack *p = arg;

	if (zsum_out_write(&p->out, data, len) == 0)
		return (ssize_t)len;
	archive_set_error(a, -p->out.error, "%s", strerror(-p->out.error));
	return -1;
}

static int open_archive(struct pack *p)
{
	int r = zsum_out_open(&p->out, 3, &p->err);

	if (r < 0)
		return r;
	p->a = archive_write_new();
	p->e = archive_entry_new();
	if (!p->a || !p->e || archive_write_set_format_pax(p->a) != ARCHIVE_OK ||
	    archive_write_set_format_option(p->a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK)
		return err_set(&p->err, -ENOMEM, "pack");
	/* What was written is known to the byte: the digest is of all before the last member. */
	archive_write_set_bytes_per_block(p->a, 0);
	if (archive_write_open(p->a, p, NULL, on_write, NULL) != ARCHIVE_OK)
		return pack_error(p, "the archive");
	return 0;
}

static int write_end(struct pack *p)
{
	cleanup_free char *text = NULL;
	char hex[ZSUM_HEX];
	int r;

	zsum_hex(&p->out.tar, hex);
	text = str_printf("{\"bytes\": %llu, \"sha256\": \"%s\", \"entries\": %llu}\n",
			  (unsigned long long)p->out.in, hex,
			  (unsigned long long)(p->files + p->deleted));
	if (!text)
		return err_set(&p->err, -ENOMEM, "pack");
	r = pack_member(p, "lxmgr-end.json", text, strlen(text));
	if (r == 0 && archive_write_close(p->a) < ARCHIVE_WARN)
		r = pack_error(p, "the archive");
	return r < 0 ? r : zsum_out_close(&p->out, &p->err);
}

static int pack(struct pack *p, const char *head, const char *config)
{
	int r = open_archive(p);

	if (r == 0 && p->keep_index)
		index_create(&p->after, 4);
	if (r == 0 && p->keep_index && !p->after.f)
		r = err_set(&p->err, -errno, "open the index");
	if (r == 0 && p->incremental)
		r = index_open(&p->before, 5, &p->err);
	if (r == 0)
		r = pack_member(p, "lxmgr-archive.json", head, strlen(head));
	if (r == 0)
		r = pack_member(p, "config", config, strlen(config));
	if (r == 0)
		r = pack_tree(p);
	if (r == 0)
		r = write_end(p);
	if (r == 0 && p->keep_index)
		r = index_end(&p->after, &p->err);
	return r;
}

/* INSIDE:OUTSIDE:COUNT */
static int add_extent(struct idmap_extent *ext, size_t *n, const char *text)
{
	cleanup_strlist struct strlist parts = { 0 };
	struct idmap_extent *x = &ext[*n];

	if (*n == IDMAP_MAX || strlist_split(&parts, text, ":") < 0 || parts.n != 3 ||
	    parse_u32(parts.v[0], &x->inside) < 0 || parse_u32(parts.v[1], &x->outside) < 0 ||
	    parse_u32(parts.v[2], &x->count) < 0)
		return -EINVAL;
	(*n)++;
	return 0;
}

static int parse_args(struct pack *p, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *v;
		int r = 0;

		if (str_eq(argv[i], "--index"))
			p->keep_index = true;
		else if (str_eq(argv[i], "--before"))
			p->incremental = true;
		else if (str_eq(argv[i], "--fast"))
			p->out.fast = true;
		else if (str_eq(argv[i], "--copied"))
			p->copied = true;
		else if ((v = str_after(argv[i], "--uid=")))
			r = add_extent(p->map.uid, &p->map.n_uid, v);
		else if ((v = str_after(argv[i], "--gid=")))
			r = add_extent(p->map.gid, &p->map.n_gid, v);
		else
			r = -EINVAL;
		if (r < 0)
			return r;
	}
	p->out.has_file = p->keep_index;
	return p->incremental && !p->keep_index ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	static struct pack p;
	cleanup_free char *request = NULL;
	struct confine c = {
		.keep_directory = true,
		.caps = 1ULL << 2, /* DAC_READ_SEARCH */
		.memory = 4ULL << 30,
		.file_size = UINT64_MAX,
		.open_files = 512,
		.threads = true,
		.syscalls = calls,
	};
	char tar[ZSUM_HEX], file[ZSUM_HEX] = "-", shown[480];
	size_t len, head;
	int r;

	if (parse_args(&p, argc, argv) < 0)
		return 64;
	c.keep_fds = 1U + p.keep_index + p.incremental;
	signal(SIGPIPE, SIG_IGN);
	/* Names are taken as UTF-8 where they are that. */
	setlocale(LC_CTYPE, "C.UTF-8");
	r = confine(&c, &p.err);
	if (r == 0 && read_all(STDIN_FILENO, REQUEST_MAX, &request, &len) < 0)
		r = err_msg(&p.err, -EINVAL, "no request");
	head = r == 0 ? strlen(request) : 0;
	if (r == 0 && head + 1 >= len + 1)
		r = err_msg(&p.err, -EINVAL, "the request has no config");
	if (r == 0) {
		p.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = p.root < 0 ? err_set(&p.err, -errno, "open the root")
			       : pack(&p, request, request + head + 1);
	}
	if (r < 0) {
		dprintf(STDOUT_FILENO, "error %s\n", str_escape(shown, sizeof(shown), p.err.text));
		return r == -EBADMSG ? 3 : 1;
	}
	zsum_hex(&p.out.tar, tar);
	if (p.keep_index)
		zsum_hex(&p.out.file, file);
	if (p.skipped)
		dprintf(STDOUT_FILENO, "skipped %s\n", p.skipped_name);
	dprintf(STDOUT_FILENO, "ok %llu %llu %llu %llu %llu %s %s\n", (unsigned long long)p.files,
		(unsigned long long)p.bytes, (unsigned long long)p.skipped,
		(unsigned long long)p.nobody, (unsigned long long)p.out.out, tar, file);
	return 0;
}
