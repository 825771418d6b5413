/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacks a hostile lxmgr archive (lxmgr-archive(5)). Not for users; container/import_lxmgr.c
 * calls it.
 *
 *	lxmgr-unarchive [--increment] [--sum=SHA256] [--ids=N] [--entries=N] [--size=BYTES]
 *		[--ratio=N]
 *
 *	working directory	the root to fill, which becomes the helper's root directory: empty,
 *				or, with --increment, what the point before it left
 *	standard input		the archive; a file or a pipe
 *	standard output		lines: "at BYTES" (of the archive) now and then; "name NAME",
 *				"point POINT", "parent POINT" (escaped); at last "ok ENTRIES BYTES",
 *				or "error TEXT" (escaped)
 *	3			the config is written here
 *	status			0; 1: could not; 2: the archive is refused
 *
 * What is written before an error stays: the caller deletes it. Refused, by the name of the entry:
 * a name with "..", an absolute one, one that does not stand behind its directory, so that no link
 * can be in the way; a device that is not given to every container; an owner beyond --ids; what
 * stands elsewhere than below rootfs/; and an archive whose end is missing or has another digest.
 *
 *	--sum		the SHA-256 of all of the file
 *	--ids		owners are below this (default 65536)
 *	--entries	at most so many (default 10000000)
 *	--size		at most so many bytes of content (default 1 TiB)
 *	--ratio		bytes written for each byte read, beyond the first 64 MiB; 0: any
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/attrs.h"
#include "helpers/confine.h"
#include "helpers/unarchive.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define RATIO_FROM (64ULL << 20)
#define HEAD_MAX   65536
#define CONFIG_MAX (1 << 20)
#define TELL	   (4ULL << 20)
#define CONFIG_FD  3

static const char *const calls[] = {
	"openat",     "openat2",      "mkdirat",	  "linkat",	"symlinkat",
	"unlinkat",   "fchmod",	      "fchmodat",	  "fchown",	"fchownat",
	"utimensat",  "ftruncate",    "fsetxattr",	  "lsetxattr",	"fgetxattr",
	"flistxattr", "fremovexattr", "fchdir",		  "getdents64", "pwrite64",
	"statx",      "ftruncate64",  "utimensat_time64", "umask",	NULL,
};

int refuse(struct unarchive *u, const char *fmt, ...)
{
	char raw[800], shown[480];
	va_list ap;

	if (u->err.code)
		return u->err.code;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	return err_status(&u->err, REFUSED, -EBADMSG, "%s", str_escape(shown, sizeof(shown), raw));
}

int read_error(struct unarchive *u, const char *what)
{
	const char *why = archive_error_string(u->a);

	return refuse(u, "%s: %.200s", what, why ? why : "damaged");
}

int count_bytes(struct unarchive *u, size_t n)
{
	u->bytes += n;
	if (u->bytes > u->max_size)
		return refuse(u,
			      "the content is more than the limit of %llu bytes "
			      "(--max-size=SIZE)",
			      (unsigned long long)u->max_size);
	if (u->ratio && u->bytes > RATIO_FROM && u->bytes / u->ratio > u->in.in)
		return refuse(u,
			      "it grows by more than %llu times: a bomb, or all zeros "
			      "(--max-size=SIZE takes so much of it)",
			      (unsigned long long)u->ratio);
	if (u->in.in - u->told >= TELL) {
		u->told = u->in.in;
		dprintf(STDOUT_FILENO, "at %llu\n", (unsigned long long)u->in.in);
	}
	return 0;
}

static ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct unarchive *u = arg;
	ssize_t n = zsum_in_read(&u->in, ret);

	if (n < 0)
		archive_set_error(a, (int)-n, "%s", u->err.text);
	return n < 0 ? -1 : n;
}

/* 1: there is one; its name is below the root, "" for the root itself. 0: the end. */
static int next(struct unarchive *u, struct archive_entry **ret)
{
	int r = archive_read_next_header(u->a, ret);

	if (r == ARCHIVE_EOF)
		return 0;
	/* A warning is about a name's character set: it is taken as it is. */
	if (r < ARCHIVE_WARN)
		return read_error(u, "the archive is damaged");
	zsum_in_taken(&u->in, (uint64_t)archive_read_header_position(u->a));
	if (++u->entries > u->max_entries)
		return refuse(u, "it has more than %llu entries (--max-entries=N)",
			      (unsigned long long)u->max_entries);
	return archive_entry_pathname(*ret) ? 1 : refuse(u, "an entry has no name");
}

/* The content of a plain member of this name that must come now; to be freed. */
static char *member(struct unarchive *u, struct archive_entry *e, const char *name, size_t limit)
{
	la_int64_t size = archive_entry_size(e);
	char *text;

	if (!str_eq(archive_entry_pathname(e), name) || archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) || size < 0 || (uint64_t)size > limit)
		return refuse(u, "it is no archive of lxmgr's: '%.200s' stands where '%s' belongs",
			      archive_entry_pathname(e), name),
		       NULL;
	text = calloc(1, (size_t)size + 1);
	if (!text)
		err_set(&u->err, -ENOMEM, "read the archive");
	else if (archive_read_data(u->a, text, (size_t)size) != size)
		read_error(u, name);
	else if (memchr(text, '\0', (size_t)size))
		refuse(u, "'%s' is no text", name);
	else
		return text;
	free(text);
	return NULL;
}

static char *next_member(struct unarchive *u, const char *name, size_t limit)
{
	struct archive_entry *e;
	int r = next(u, &e);

	if (r == 0)
		refuse(u, "it ends before '%s'", name);
	return r > 0 ? member(u, e, name, limit) : NULL;
}

static void say(const char *key, json_t *head)
{
	const char *v = json_string_value(json_object_get(head, key));
	char shown[300];

	if (v)
		printf("%s %s\n", key, str_escape(shown, sizeof(shown), v));
}

/* An increment goes over the point before it, and nothing else does. */
static int check_kind(struct unarchive *u, json_t *head)
{
	const char *kind = json_string_value(json_object_get(head, "kind"));
	const char *point = json_string_value(json_object_get(head, "point"));
	bool increment = kind && str_eq(kind, "increment");

	if (increment && !u->increment)
		return refuse(u,
			      "it is an increment, the part of a directory of backups: import "
			      "DIR@%.40s",
			      point ? point : "POINT");
	return increment != u->increment ? refuse(u, "it is no increment") : 0;
}

static int read_head(struct unarchive *u)
{
	static const char *const keys[] = { "name", "point", "parent" };
	cleanup_free char *text = next_member(u, "lxmgr-archive.json", HEAD_MAX);
	json_t *head = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *format = json_string_value(json_object_get(head, "format"));
	json_int_t version = json_integer_value(json_object_get(head, "version"));
	int r = 0;

	if (!text)
		return u->err.code;
	if (!format || !str_eq(format, "lxmgr-archive") || version < 1)
		r = refuse(u, "'lxmgr-archive.json' does not describe an archive of lxmgr's");
	else if (version > 1)
		r = refuse(u, "it is of format %lld, which a newer lxmgr made; this one reads 1",
			   (long long)version);
	else
		r = check_kind(u, head);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++)
		say(keys[i], head);
	json_decref(head);
	return r;
}

static int read_config(struct unarchive *u)
{
	cleanup_free char *text = next_member(u, "config", CONFIG_MAX);
	int r;

	if (!text)
		return u->err.code;
	r = write_all(CONFIG_FD, text, strlen(text));
	return r < 0 ? err_set(&u->err, r, "hand over the config") : 0;
}

/* It says how long all before it is, and its digest. */
static int check_end(struct unarchive *u, struct archive_entry *e)
{
	uint64_t at = (uint64_t)archive_read_header_position(u->a);
	cleanup_free char *text = NULL;
	const char *want;
	char have[ZSUM_HEX];
	json_t *end;
	int r = 0;

	zsum_hex(&u->in.tar, have);
	text = member(u, e, "lxmgr-end.json", HEAD_MAX);
	end = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	want = json_string_value(json_object_get(end, "sha256"));
	if (!text)
		r = u->err.code;
	else if (u->in.hashed != at || !want || !str_eq(want, have))
		r = refuse(u, "its digest is not what 'lxmgr-end.json' says: it is damaged");
	json_decref(end);
	return r;
}

static int one(struct unarchive *u, struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e), *rest;

	if (str_eq(name, "rootfs"))
		return make_entry(u, e, "");
	rest = str_after(name, "rootfs/");
	if (rest)
		return entry_name(u, rest) ? make_entry(u, e, rest) : u->err.code;
	rest = u->increment ? str_after(name, "deleted/") : NULL;
	if (rest && *rest)
		return entry_name(u, rest) ? make_gone(u, rest) : u->err.code;
	return refuse(u, "'%.200s' stands outside of the root", name);
}

/* 0: the end was there. */
static int read_tree(struct unarchive *u)
{
	struct archive_entry *e;
	int r;

	while ((r = next(u, &e)) > 0) {
		if (str_eq(archive_entry_pathname(e), "lxmgr-end.json"))
			break;
		r = one(u, e);
		if (r < 0)
			return r;
	}
	if (r <= 0)
		return r < 0 ? r : refuse(u, "it is cut off: 'lxmgr-end.json' is missing");
	r = check_end(u, e);
	if (r < 0)
		return r;
	if (!u->n_levels && u->entries <= 3)
		return refuse(u, "it has no root");
	r = next(u, &e);
	if (r > 0)
		return refuse(u, "'%.200s' stands behind the end", archive_entry_pathname(e));
	return r < 0 ? r : make_end(u);
}

static int unarchive(struct unarchive *u, const char *sum)
{
	char have[ZSUM_HEX];
	int r = zsum_in_open(&u->in, STDIN_FILENO, &u->err);

	if (r < 0)
		return r;
	u->a = archive_read_new();
	if (!u->a)
		return err_set(&u->err, -ENOMEM, "unpack");
	archive_read_support_format_tar(u->a);
	if (archive_read_open(u->a, u, NULL, on_read, NULL) != ARCHIVE_OK)
		return read_error(u, "it is no archive of lxmgr's");
	r = read_head(u);
	if (r == 0)
		r = read_config(u);
	if (r == 0)
		r = read_tree(u);
	if (r == 0)
		r = zsum_in_drain(&u->in);
	if (r < 0)
		return r;
	zsum_hex(&u->in.file, have);
	return sum && !str_eq(sum, have) ? refuse(u, "it is not the file that was written") : 0;
}

static int parse_args(struct unarchive *u, int argc, char **argv, const char **ret_sum)
{
	const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{ "--ids=", &u->ids },
		{ "--entries=", &u->max_entries },
		{ "--size=", &u->max_size },
		{ "--ratio=", &u->ratio },
	};

	for (int i = 1; i < argc; i++) {
		const char *v = NULL;

		if (str_eq(argv[i], "--increment")) {
			u->increment = true;
			continue;
		}
		if ((v = str_after(argv[i], "--sum="))) {
			*ret_sum = v;
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
	return 0;
}

int main(int argc, char **argv)
{
	static struct unarchive u = {
		.max_entries = 10000000,
		.max_size = 1ULL << 40,
		.ratio = 400,
		.ids = 65536,
	};
	struct confine c = {
		.keep_directory = true,
		/* CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP */
		.caps = 1ULL << 0 | 1ULL << 1 | 1ULL << 3 | 1ULL << 4 | 1ULL << 27 | 1ULL << 31,
		.memory = 2ULL << 30,
		.file_size = UINT64_MAX,
		.keep_fds = 1,
		.open_files = 512,
		.devices = attrs_devices,
		.syscalls = calls,
	};
	const char *sum = NULL;
	char shown[480];
	int r;

	if (parse_args(&u, argc, argv, &sum) < 0)
		return 64;
	setlocale(LC_CTYPE, "C.UTF-8");
	umask(0);
	r = confine(&c, &u.err);
	if (r == 0) {
		u.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = u.root < 0 ? err_set(&u.err, -errno, "open the root") : unarchive(&u, sum);
	}
	if (r < 0) {
		printf("error %s\n", str_escape(shown, sizeof(shown), u.err.text));
		return fflush(stdout) == 0 && u.err.status == REFUSED ? REFUSED : 1;
	}
	printf("ok %llu %llu\n", (unsigned long long)u.entries, (unsigned long long)u.bytes);
	return fflush(stdout) == 0 ? 0 : 1;
}
