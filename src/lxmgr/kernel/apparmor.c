/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppArmor: loading and unloading the generated profile, labelling. The parser compiles a profile
 * once for all containers of a kind: what it makes is cached under a placeholder for the name, and
 * a start is one read and one write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel/apparmor.h"
#include "kernel/lsm.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/run.h"

#define POLICY	    "/sys/kernel/security/apparmor"
#define CACHE	    CACHEDIR "/apparmor"
#define ABI	    DATADIR "/config/apparmor.abi"
#define MAX_POLICY  (8 << 20)
#define PLACEHOLDER "lxmgr-PLACEHOLDER"
#define INIT_USERNS 0xEFFFFFFDU /* inode of the first user namespace */

/* What the host has, found out once, before anything is entered: inside, /sys is the guest's, who
 * could cover it to get rid of the label. */
static enum { UNKNOWN, OFF, ON } known;

static bool apparmor_is_enabled(void)
{
	char buf[8];

	if (known == UNKNOWN)
		known = read_small(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", buf,
				   sizeof(buf)) > 0 &&
					buf[0] == 'Y'
				? ON
				: OFF;
	return known == ON;
}

static bool is_generated(const struct lsm_spec *s)
{
	return !s->apparmor || str_eq(s->apparmor, "generated");
}

const char *lsm_apparmor_label(const struct lsm_spec *s, const char *name)
{
	if (is_generated(s))
		return apparmor_is_enabled() && access(POLICY "/.replace", W_OK) == 0 ? name : NULL;
	return str_eq(s->apparmor, "unchanged") || !apparmor_is_enabled() ? NULL : s->apparmor;
}

/* In a container the kernel says that it is on, but the policy is the host's. */
static bool is_confined(void)
{
	char label[64];
	struct stat st;

	return (stat("/proc/self/ns/user", &st) == 0 && st.st_ino != INIT_USERNS) ||
	       (read_small(AT_FDCWD, "/proc/self/attr/apparmor/current", label, sizeof(label)) >
			0 &&
		!str_eq(label, "unconfined"));
}

static int check_generated(const struct lsm_spec *s, const char **ret_notice, struct lxmgr_err *err)
{
	/* What default.conf asks for must start on every host. */
	if (!apparmor_is_enabled()) {
		*ret_notice =
			"lxmgr.apparmor.profile = generated: this kernel runs without AppArmor, "
			"the container starts without a profile";
		return 0;
	}
	if (access(POLICY "/.replace", W_OK) < 0) {
		if (!is_confined())
			return err_status(err, STATUS_REFUSED, -errno,
					  "AppArmor is on, but its policy is not at " POLICY
					  ": mount securityfs at /sys/kernel/security");
		*ret_notice =
			"lxmgr.apparmor.profile = generated: in this container no policy can be "
			"loaded, the container starts without a profile of its own";
		return 0;
	}
	if (!s->apparmor_incomplete && access(POLICY "/features/mount", F_OK) < 0)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "this kernel's AppArmor does not mediate mounts; "
				  "lxmgr.apparmor.allow_incomplete = 1 starts without that");
	return 0;
}

/* The list has "NAME (MODE)". A name in another namespace, or a stack, is the kernel's to judge. */
static int check_loaded(const char *name, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	size_t n = strlen(name);

	if (*name == ':' || strstr(name, "//") ||
	    read_file_at(AT_FDCWD, POLICY "/profiles", MAX_POLICY, &text, NULL) < 0)
		return 0;
	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, n) && !strncmp(p + n, " (", 2))
			return 0;
	}
	return err_status(
		err, STATUS_REFUSED, -ENOENT,
		"lxmgr.apparmor.profile = %s: no such profile is loaded (apparmor_parser -r "
		"loads one, aa-status lists them)",
		name);
}

static int apparmor_check(const struct lsm_spec *s, const char **ret_notice, struct lxmgr_err *err)
{
	if (is_generated(s))
		return check_generated(s, ret_notice, err);
	if (str_eq(s->apparmor, "unchanged") || str_eq(s->apparmor, "unconfined"))
		return 0;
	if (!apparmor_is_enabled())
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "lxmgr.apparmor.profile = %s: this kernel runs without AppArmor",
				  s->apparmor);
	return 0;
}

static const char *find_parser(struct stat *ret)
{
	static const char *const places[] = { "/usr/sbin/apparmor_parser",
					      "/sbin/apparmor_parser" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (stat(places[i], ret) == 0)
			return places[i];
	memset(ret, 0, sizeof(*ret));
	return NULL;
}

/* What the parser says is "AppArmor parser error ... at line N: why": a line of the raw ones is
 * named by what stands in it. */
static int refused(const struct lsm_spec *s, unsigned int raw, char *say, struct lxmgr_err *err)
{
	const char *why = strstr(say, "AppArmor parser error"), *at;
	unsigned long line;

	why = why ? why : say;
	at = strstr(why, "line ");
	line = at ? strtoul(at + 5, NULL, 10) : 0;
	if (at && strchr(at, ':'))
		why = strchr(at, ':') + 1;
	say[(size_t)(why - say) + strcspn(why, "\n")] = '\0';
	why += strspn(why, " ");
	if (line >= raw && line < raw + s->apparmor_raw.n)
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "apparmor_parser refuses lxmgr.apparmor.raw = %s: %s",
				  s->apparmor_raw.v[line - raw], why);
	return err_status(err, STATUS_REFUSED, -EINVAL,
			  "apparmor_parser refuses the generated profile: %s", why);
}

static int compile(const struct lsm_spec *s, const char *parser, const char *text, unsigned int raw,
		   char **ret, size_t *ret_len, struct lxmgr_err *err)
{
	/* The host's parser.conf may ask for other features, which would change what the rules
	 * mean. */
	const char *argv[] = { parser,
			       "--config-file=/dev/null",
			       "--policy-features=" ABI,
			       "--quiet",
			       "--skip-cache",
			       "--skip-kernel-load",
			       "--stdout",
			       NULL };
	cleanup_fd int in = sys_memfd_create("profile", 0), out = sys_memfd_create("policy", 0);
	cleanup_fd int say = sys_memfd_create("errors", 0);
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *why = NULL;
	char status[64];
	int r;

	if (in < 0 || out < 0 || say < 0)
		return err_set(err, -ENOMEM, "compile the AppArmor profile");
	r = write_all(in, text, strlen(text));
	if (r < 0)
		return err_set(err, r, "compile the AppArmor profile");
	lseek(in, 0, SEEK_SET);
	o.stdin_fd = in;
	o.stdout_fd = out;
	o.stderr_fd = say;
	o.timeout_ms = 120000;
	r = run_program(argv, &o, NULL);
	if (r < 0)
		return err_set(err, r, "run '%s'", parser);
	lseek(say, 0, SEEK_SET);
	if (r > 0 && read_all(say, 65536, &why, NULL) == 0 && *why)
		return refused(s, raw, why, err);
	if (r > 0)
		return err_msg(err, -EINVAL, "apparmor_parser ended with %s",
			       run_status_text(r, status, sizeof(status)));
	lseek(out, 0, SEEK_SET);
	r = read_all(out, MAX_POLICY, ret, ret_len);
	return r < 0 ? err_set(err, r, "read the compiled AppArmor profile") : 0;
}

static int open_cache(void)
{
	return mkdir_p(CACHE, 0700) < 0 ? -EBADF : open(CACHE, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* By what the outcome depends on: the text, the parser, the kernel's features. The directory is
 * root's own, so that the hash need not withstand somebody who looks for collisions. */
static void cache_name(const char *text, const struct stat *parser, char name[64])
{
	unsigned long long h = str_hash(text, strlen(text));
	struct utsname u;
	struct stat abi;

	if (uname(&u) == 0)
		h ^= str_hash(u.release, strlen(u.release)) * 3 ^
		     str_hash(u.version, strlen(u.version)) * 5;
	h ^= str_hash(&parser->st_mtim, sizeof(parser->st_mtim)) * 7 ^
	     (unsigned long long)parser->st_size * 11;
	if (stat(ABI, &abi) == 0)
		h ^= str_hash(&abi.st_mtim, sizeof(abi.st_mtim)) * 13;
	snprintf(name, 64, "%016llx.bin", h);
}

static int from_cache(int cache, const char *name, char **ret, size_t *ret_len)
{
	cleanup_fd int fd = openat(cache, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	if (st.st_uid != geteuid() || !S_ISREG(st.st_mode) || (st.st_mode & 077)) {
		log_warn("the cached AppArmor profile '%s' is not root's alone, ignoring", name);
		return -ENOENT;
	}
	return read_all(fd, MAX_POLICY, ret, ret_len);
}

static void to_cache(int cache, const char *name, const char *data, size_t len)
{
	cleanup_fd int lock = cache < 0 ? -EBADF : lock_at(cache, ".lock", true, 0, NULL);

	/* Somebody else who writes, writes the same. */
	if (lock < 0 || write_file_atomic(cache, name, data, len, 0600) < 0)
		log_info("the AppArmor profile cannot be cached, ignoring");
}

/* The compiled profile, from the cache or the parser. p's name is the placeholder. */
static int get_policy(const struct lsm_spec *s, const struct apparmor_profile *p, char **ret,
		      size_t *ret_len, struct lxmgr_err *err)
{
	cleanup_fd int cache = open_cache();
	cleanup_free char *text = NULL;
	const char *parser;
	unsigned int raw;
	struct stat st;
	char file[64];
	int r;

	text = apparmor_profile_text(p, &raw);
	if (!text)
		return err_set(err, -ENOMEM, "AppArmor profile");
	parser = find_parser(&st);
	cache_name(text, &st, file);
	if (from_cache(cache, file, ret, ret_len) == 0)
		return 0;
	if (!parser)
		return err_status(err, STATUS_REFUSED, -ENOENT,
				  "AppArmor is on, but apparmor_parser is missing: install the "
				  "package apparmor, or set lxmgr.apparmor.profile = unconfined");
	r = compile(s, parser, text, raw, ret, ret_len, err);
	if (r == 0)
		to_cache(cache, file, *ret, *ret_len);
	return r;
}

static int apparmor_prepare(const struct lsm_spec *s, const char *name, bool privileged,
			    struct lxmgr_err *err)
{
	/* As long as the name, modulo 8: see apparmor_rename(). */
	char placeholder[] = PLACEHOLDER "-------";
	cleanup_free char *general = NULL, *policy = NULL;
	cleanup_fd int fd = -EBADF;
	struct apparmor_profile p = { placeholder, privileged, s->apparmor_nesting,
				      &s->apparmor_raw };
	size_t len = 0;
	int r;

	if (!lsm_apparmor_label(s, name) || str_eq(s->apparmor ? s->apparmor : "", "unconfined"))
		return 0;
	if (!is_generated(s))
		return check_loaded(s->apparmor, err);
	placeholder[strlen(PLACEHOLDER) + (strlen(name) - strlen(PLACEHOLDER)) % 8] = '\0';
	r = get_policy(s, &p, &general, &len, err);
	if (r < 0)
		return r;
	r = apparmor_rename(general, len, placeholder, name, &policy, &len);
	if (r < 0)
		return err_set(err, r, "name the compiled AppArmor profile");
	fd = open(POLICY "/.replace", O_WRONLY | O_CLOEXEC);
	/* In one write: the kernel takes no policy in pieces. */
	if (fd < 0 || write(fd, policy, len) < 0)
		return err_set(err, -errno, "load the AppArmor profile '%s'", name);
	return 0;
}

int lsm_apparmor_try(struct lxmgr_err *err)
{
	struct lsm_spec s = { .apparmor = NULL };
	struct apparmor_profile p = { .name = PLACEHOLDER, .raw = &s.apparmor_raw };
	cleanup_free char *policy = NULL;
	size_t len = 0;

	return lsm_apparmor_label(&s, p.name) ? get_policy(&s, &p, &policy, &len, err) : 0;
}

void lsm_apparmor_unload(const char *name)
{
	cleanup_fd int fd = open(POLICY "/.remove", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, name, strlen(name)) < 0)
		log_info("the AppArmor profile '%s' is not unloaded: %m, ignoring", name);
}

static int apparmor_apply(const struct lsm_spec *s, const char *name, int proc_fd,
			  struct lxmgr_err *err)
{
	char text[300];
	int r;

	if (str_eq(s->apparmor, "unchanged"))
		return 0;
	/* A label that was asked for is never left out because nobody looked. */
	if (known == UNKNOWN)
		return err_msg(err, -EINVAL, "whether this host has AppArmor is not known");
	if (known == OFF)
		return 0;
	if ((size_t)snprintf(text, sizeof(text), "exec %s", s->apparmor) >= sizeof(text))
		return err_msg(err, -ENAMETOOLONG, "the profile's name is too long");
	r = lsm_write_attr(proc_fd, "attr/apparmor/exec", text, err);
	if (r == -ENOENT)
		err_hint(err, "the profile is not loaded any more");
	return r;
}

static bool apparmor_changes(const struct lsm_spec *s)
{
	return known == ON && !str_eq(s->apparmor, "unchanged");
}

const struct lsm_ops lsm_apparmor = {
	.name = "apparmor",
	.is_enabled = apparmor_is_enabled,
	.check = apparmor_check,
	.prepare = apparmor_prepare,
	.apply = apparmor_apply,
	.changes = apparmor_changes,
};
