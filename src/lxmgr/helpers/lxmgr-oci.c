/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root of an OCI image, for the template oci. Not for users.
 *
 *	lxmgr-oci LAYOUT REF ROOTFS CONFIG [--size=BYTES] [--entries=N]
 *
 * LAYOUT is an OCI layout's directory, REF a tag in it ("" if there is one image), ROOTFS an empty
 * directory, CONFIG a file that is made: what the image says of its command, as keys of a
 * container. The content is BYTES at most (default 64 GiB). Each part is copied to where nobody
 * else can write, its SHA-256 compared, and then read by a confined helper: JSON by lxmgr-index,
 * layers by lxmgr-unpack. umoci is not used: it unpacks with all rights and without limits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/remote.h"
#include "image/unpack.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/run.h"

#define JSON_LIMIT  (8 << 20)
#define LINES_LIMIT (4 << 20)
#define MAX_NESTING 3
#define MAX_SIZE    (64ULL << 30)
#define MAX_ENTRIES 2000000

struct oci {
	int layout, root;
	const char *ref;
	uint64_t bytes, entries, max_size, max_entries;
};

/* What OCI calls this machine. */
static const char *oci_arch(void)
{
	const char *arch = remote_arch(NULL);

	return str_eq(arch, "armhf") ? "arm" : str_eq(arch, "i386") ? "386" : arch;
}

/* Lines of the index helper about fd, from its beginning. */
static int read_json(int fd, const char *what, const char *a, const char *b, char **ret,
		     struct lxmgr_err *err)
{
	const char *argv[] = { LIBEXECDIR "/lxmgr-index", what, a, a ? b : NULL, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	const char *why;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "read the image's %s", what);
	o.stdin_fd = fd;
	o.capture = LINES_LIMIT;
	o.timeout_ms = 60000;
	r = run_program(argv, &o, ret);
	if (r < 0)
		return err_set(err, r, "run lxmgr-index");
	if (r == 0)
		return 0;
	why = str_after(*ret, "error ");
	return err_msg(err, -EBADMSG, "the image is refused: %.300s",
		       why ? str_strip((char *)why) : "its reader was killed");
}

/* A private copy of the blob, which is what its digest says. */
static int open_blob(struct oci *o, const char *digest, uint64_t size, struct lxmgr_err *err)
{
	cleanup_fd int from = -EBADF, fd = -EBADF;
	char path[100], got[65];
	struct stat st;

	snprintf(path, sizeof(path), "blobs/sha256/%.64s", digest);
	from = open_in(o->layout, path, OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK, 0);
	if (from < 0)
		return err_set(err, from, "open '%s' of the image", path);
	if (fstat(from, &st) < 0 || (uint64_t)st.st_size != size)
		return err_msg(err, -EBADMSG, "'%s' of the image has another size", path);
	fd = digest_copy(from, got, err);
	if (fd < 0)
		return fd;
	if (!str_eq(got, digest))
		return err_msg(err, -EBADMSG, "'%s' of the image has another content", path);
	return take_fd(&fd);
}

/* "WORD DIGEST SIZE" between tabs. */
static int parse_line(char *line, char **ret_word, char **ret_digest, uint64_t *ret_size)
{
	char *d = strchr(line, '\t'), *s = d ? strchr(d + 1, '\t') : NULL;

	if (!s)
		return -EINVAL;
	*d++ = *s++ = '\0';
	*ret_word = line;
	*ret_digest = d;
	return name_is_digest(d) ? parse_u64(s, ret_size) : -EINVAL;
}

/* From index.json, through indexes of several architectures, to the manifest's lines. */
static int find_manifest(struct oci *o, char **ret, struct lxmgr_err *err)
{
	cleanup_fd int fd =
		open_in(o->layout, "index.json", OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK, 0);
	const char *ref = *o->ref ? o->ref : NULL;
	char got[65];
	int r;

	if (fd < 0)
		return err_set(err, fd, "open 'index.json' of the OCI layout");
	r = digest_copy(fd, got, err);
	if (r < 0)
		return r;
	fd_close(&fd);
	fd = r;
	for (int i = 0; i < MAX_NESTING; i++) {
		cleanup_free char *out = NULL;
		char *word, *digest;
		uint64_t size;

		r = read_json(fd, "oci-index", oci_arch(), ref, &out, err);
		if (r < 0)
			return r;
		out[strcspn(out, "\n")] = '\0';
		if (parse_line(out, &word, &digest, &size) < 0 || size > JSON_LIMIT)
			return err_msg(err, -EBADMSG, "the image's manifest is too large");
		fd_close(&fd);
		fd = open_blob(o, digest, size, err);
		if (fd < 0)
			return fd;
		if (str_eq(word, "manifest"))
			return read_json(fd, "oci-manifest", NULL, NULL, ret, err);
		/* What is in there has no tags. */
		ref = NULL;
	}
	return err_msg(err, -EBADMSG, "the image's indexes are nested too deep");
}

static int unpack_layer(struct oci *o, int fd, bool first, struct lxmgr_err *err)
{
	/* Deleted first: a whiteout is about the layers below, wherever it stands. */
	for (int pass = first ? 1 : 0; pass < 2; pass++) {
		struct unpack u = UNPACK_INIT;
		int r;

		if (lseek(fd, 0, SEEK_SET) < 0)
			return err_set(err, -errno, "read a layer");
		u.archive_fd = fd;
		u.target_fd = o->root;
		u.whiteouts = pass == 0;
		u.layer = pass == 1;
		u.max_size = o->max_size - o->bytes;
		u.max_entries = o->max_entries - o->entries;
		r = unpack_run(&u, err);
		if (r < 0)
			return r;
		if (pass == 0)
			continue;
		o->bytes += u.bytes;
		o->entries += u.entries;
		if (o->bytes >= o->max_size || o->entries >= o->max_entries)
			return err_msg(err, -EFBIG, "the image is too large");
	}
	return 0;
}

static int unpack_layers(struct oci *o, const struct strlist *lines, struct lxmgr_err *err)
{
	bool first = true;

	for (size_t i = 1; i < lines->n; i++) {
		cleanup_fd int fd = -EBADF;
		char *word, *digest;
		uint64_t size;
		int r;

		printf("progress: %zu layer %zu of %zu\n", 100 + 800 * i / lines->n, i,
		       lines->n - 1);
		fflush(stdout);
		if (parse_line(lines->v[i], &word, &digest, &size) < 0 || !str_eq(word, "layer"))
			return err_msg(err, -EBADMSG, "the image's manifest is odd");
		fd = open_blob(o, digest, size, err);
		r = fd < 0 ? fd : unpack_layer(o, fd, first, err);
		if (r < 0)
			return r;
		first = false;
	}
	return 0;
}

/* The fields of the line of `file` (passwd, group) whose first, or with an id third, field is this.
 */
static bool look_up(int root, const char *file, const char *who, char *ret[4], char **ret_text)
{
	cleanup_fd int fd = open_in(root, file, OPEN_IN_ROOT, O_RDONLY | O_NONBLOCK, 0);
	char *save = NULL;

	if (fd < 0 || read_all(fd, 1 << 20, ret_text, NULL) < 0)
		return false;
	for (char *l = strtok_r(*ret_text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		size_t n = 0;

		while (n < 4 && l)
			ret[n++] = strsep(&l, ":");
		if (n == 4 && (str_eq(ret[0], who) || str_eq(ret[2], who)))
			return true;
	}
	return false;
}

static int find_ids(int root, char *user, uint32_t *ret_uid, uint32_t *ret_gid,
		    struct lxmgr_err *err)
{
	cleanup_free char *users = NULL, *groups = NULL;
	char *group = strchr(user, ':'), *f[4];
	bool known;

	*ret_gid = 0;
	if (group)
		*group++ = '\0';
	known = look_up(root, "etc/passwd", user, f, &users);
	if (known && (parse_u32(f[2], ret_uid) < 0 || parse_u32(f[3], ret_gid) < 0))
		return err_msg(err, -EBADMSG, "the image's /etc/passwd has a bad line");
	if (!known && parse_u32(user, ret_uid) < 0)
		return err_msg(err, -EBADMSG, "the image has no user '%.60s'", user);
	if (!group || !*group)
		return 0;
	if (look_up(root, "etc/group", group, f, &groups) && parse_u32(f[2], ret_gid) == 0)
		return 0;
	return parse_u32(group, ret_gid) == 0
		       ? 0
		       : err_msg(err, -EBADMSG, "the image has no group '%.60s'", group);
}

/* As lxmgr.execute.cmd reads it: quotes keep blanks together. */
static void add_word(struct strbuf *b, const char *w)
{
	if (b->len)
		strbuf_addf(b, " ");
	if (*w && !strpbrk(w, " \t'\"")) {
		strbuf_addf(b, "%s", w);
		return;
	}
	strbuf_addf(b, "'");
	for (; *w; w++)
		strbuf_addf(b, *w == '\'' ? "'\"%c\"'" : "%c", *w);
	strbuf_addf(b, "'");
}

static bool is_init(const char *cmd)
{
	const char *base = strrchr(cmd, '/');

	base = base ? base + 1 : cmd;
	return str_eq(base, "init") || str_eq(base, "systemd");
}

struct said {
	struct strbuf cmd, env;
	const char *first, *cwd, *signal, *arch;
	char *user;
};

static void read_said(char *text, struct said *s)
{
	char *save = NULL, *value;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		value = strchr(l, '\t');
		if (!value)
			continue;
		*value++ = '\0';
		if (str_eq(l, "arg")) {
			if (!s->first)
				s->first = value;
			add_word(&s->cmd, value);
		} else if (str_eq(l, "env")) {
			strbuf_addf(&s->env, "lxmgr.environment.runtime = %s\n", value);
		} else if (str_eq(l, "user")) {
			s->user = value;
		} else if (str_eq(l, "cwd")) {
			s->cwd = value;
		} else if (str_eq(l, "arch")) {
			s->arch = value;
		} else if (str_eq(l, "signal")) {
			s->signal = value;
		}
	}
}

/* An index need not say it. The smaller word size runs, too. */
static int check_arch(const char *arch, struct lxmgr_err *err)
{
	const char *own = oci_arch();

	if (!arch || str_eq(arch, own) || (str_eq(own, "amd64") && str_eq(arch, "386")) ||
	    (str_eq(own, "arm64") && str_eq(arch, "arm")))
		return 0;
	return err_msg(err, -ENOEXEC, "the image is for %.30s, and this host is %s", arch, own);
}

/* A system is booted, an application is executed. */
static int make_config(struct oci *o, char *text, struct strbuf *b, struct lxmgr_err *err)
{
	struct said s = { 0 };
	uint32_t uid = 0, gid = 0;
	bool is_system;
	int r = 0;

	read_said(text, &s);
	r = check_arch(s.arch, err);
	is_system = s.first && is_init(s.first);
	if (s.env.len)
		strbuf_add(b, s.env.s, s.env.len);
	if (s.cmd.len)
		strbuf_addf(b, "lxmgr.%s = %s\n", is_system ? "init.cmd" : "execute.cmd", s.cmd.s);
	if (s.signal && is_system)
		strbuf_addf(b, "lxmgr.signal.halt = %s\n", s.signal);
	if (s.cwd && *s.cwd == '/' && !is_system)
		strbuf_addf(b, "lxmgr.init.cwd = %s\n", s.cwd);
	if (r == 0 && s.user && !is_system) {
		r = find_ids(o->root, s.user, &uid, &gid, err);
		if (uid || gid)
			strbuf_addf(b, "lxmgr.init.uid = %u\nlxmgr.init.gid = %u\n", uid, gid);
	}
	if (r == 0 && (b->failed || s.cmd.failed || s.env.failed))
		r = err_set(err, -ENOMEM, "config");
	strbuf_free(&s.cmd);
	strbuf_free(&s.env);
	return r;
}

static int write_config(struct oci *o, const struct strlist *lines, const char *file,
			struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -EBADF, out = -EBADF;
	char *word, *digest;
	uint64_t size;
	int r;

	if (!lines->n || parse_line(lines->v[0], &word, &digest, &size) < 0 || size > JSON_LIMIT ||
	    !str_eq(word, "config"))
		return err_msg(err, -EBADMSG, "the image's config is odd");
	fd = open_blob(o, digest, size, err);
	r = fd < 0 ? fd : read_json(fd, "oci-config", NULL, NULL, &text, err);
	if (r == 0)
		r = make_config(o, text, &b, err);
	if (r < 0)
		return r;
	out = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = out < 0 ? -errno : write_all(out, b.s ? b.s : "", b.len);
	return r < 0 ? err_set(err, r, "write the image's config") : 0;
}

static int read_bounds(struct oci *o, char **args)
{
	for (; *args; args++) {
		const char *size = str_after(*args, "--size=");
		const char *entries = str_after(*args, "--entries=");

		if (size ? parse_u64(size, &o->max_size) < 0 || !o->max_size
			 : !entries || parse_u64(entries, &o->max_entries) < 0 || !o->max_entries)
			return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *manifest = NULL;
	struct lxmgr_err err = { 0 };
	struct oci o = { .max_size = MAX_SIZE, .max_entries = MAX_ENTRIES };
	char shown[600];
	int r;

	if (argc < 5 || read_bounds(&o, argv + 5) < 0)
		return 64;
	o.ref = argv[2];
	o.layout = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o.root = open(argv[3], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (o.layout < 0 || o.root < 0)
		r = err_set(&err, -errno, "open '%s'", o.layout < 0 ? argv[1] : argv[3]);
	else
		r = find_manifest(&o, &manifest, &err);
	if (r == 0 && strlist_split(&lines, manifest, "\n") < 0)
		r = err_set(&err, -ENOMEM, "manifest");
	if (r == 0)
		r = unpack_layers(&o, &lines, &err);
	if (r == 0)
		r = write_config(&o, &lines, argv[4], &err);
	if (r < 0)
		fprintf(stderr, "oci: %s\n", str_escape(shown, sizeof(shown), err.text));
	return r < 0;
}
