/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image from a remote: found in its index, downloaded, checked, unpacked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/digest.h"
#include "image/interrupt.h"
#include "image/remote.h"
#include "image/store.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"

#define DOWNLOADS  CACHEDIR "/downloads"
#define UNPACK_MAX (64ULL << 30)

static bool has_alias(const char *aliases, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = aliases; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && !strncmp(p, name, n))
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* A distribution's release is asked for by its name in the index, or as its aliases have it. */
static bool is_release(const struct fetch *f, const struct remote_image *i)
{
	char alias[256], full[300];

	if (!str_eq(i->variant, f->variant) && !(str_eq(f->variant, "default") && !*i->variant))
		return false;
	snprintf(alias, sizeof(alias), "%.100s/%.100s", f->image, f->release);
	snprintf(full, sizeof(full), "%s/%.40s", alias, f->variant);
	return (!strcasecmp(i->os, f->image) && str_eq(i->release, f->release)) ||
	       has_alias(i->aliases, full) ||
	       (str_eq(f->variant, "default") && has_alias(i->aliases, alias));
}

static int find_product(const struct fetch *f, char *index, struct remote_image *ret,
			struct lxmgr_err *err)
{
	const char *arch = remote_arch(f->arch);
	int found = 0;

	for (struct remote_image i; remote_next(&index, &i);) {
		if (!f->release && str_eq(i.product, f->image)) {
			if (f->arch && *f->arch && !str_eq(remote_arch(i.arch), arch))
				return err_status(err, STATUS_USAGE, -EINVAL,
						  "'%s' is for %s, not for %s", i.product, i.arch,
						  arch);
			*ret = i;
			return 1;
		}
		if (!str_eq(remote_arch(i.arch), arch) ||
		    !(f->release ? is_release(f, &i) : has_alias(i.aliases, f->image)))
			continue;
		*ret = i;
		found++;
	}
	return found;
}

int fetch_find(const struct fetch *f, char *index, struct remote_image *ret, struct lxmgr_err *err)
{
	const char *arch = remote_arch(f->arch);
	char what[400];
	int found = find_product(f, index, ret, err);

	if (f->release)
		snprintf(what, sizeof(what), "%.100s %.100s (%.40s)", f->image, f->release,
			 f->variant);
	else
		snprintf(what, sizeof(what), "%.300s", f->image);
	if (found > 1)
		return err_msg(err, -EINVAL,
			       "'%s' has several images '%s' for %s; give the product's name",
			       f->remote, what, arch);
	return found < 0 ? found
	       : found	 ? 0
			 : err_msg(err, -ENOENT,
				   "'%s' has no image '%s' for %s (see lxmgr-image list %s:)",
				   f->remote, what, arch, f->remote);
}

static void say(const struct fetch *f, const char *what, const struct remote_image *i)
{
	char text[300];

	snprintf(text, sizeof(text), "%s %.100s %.40s (%llu MiB)", what, i->product, i->version,
		 (unsigned long long)(i->size >> 20));
	if (f->progress)
		f->progress(text, -1, f->progress_arg);
}

/* Download what is not there yet, and check all of it. */
static int get_file(const struct remote *r, const struct remote_image *i, int dir, const char *part,
		    bool offline, int cancel_fd, struct lxmgr_err *err)
{
	char url[2048], digest[65];
	struct download d = { .url = url,
			      .dir = dir,
			      .file = part,
			      .max = i->size,
			      .go_on = true,
			      .is_encrypted = str_has_prefix(r->url, "https://"),
			      .cancel_fd = cancel_fd };

	snprintf(url, sizeof(url), "%s/%s", r->url, i->path);
	for (int tries = 0; tries < 2; tries++) {
		struct stat st = { 0 };
		cleanup_fd int fd = openat(dir, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		cleanup_fd int copy = -EBADF;
		bool had = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0;
		int e = 0;

		if ((uint64_t)st.st_size != i->size) {
			if (offline)
				return err_msg(err, -ENOENT, "'%s' is not downloaded yet",
					       i->product);
			fd_close(&fd);
			e = download(&d, err);
			/* Longer than the index says: it is another file. */
			if (e == -EFBIG)
				unlinkat(dir, part, 0);
			fd = e < 0 ? e : openat(dir, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
			if (e == 0 && (fd < 0 || fstat(fd, &st) < 0))
				e = err_set(err, -errno, "open the download");
		}
		if (e < 0)
			return e;
		/* Somebody may still hold open what it was downloaded into. */
		copy = digest_copy(fd, digest, err);
		if (copy < 0)
			return copy;
		if ((uint64_t)st.st_size == i->size && str_eq(digest, i->sha256))
			return take_fd(&copy);
		unlinkat(dir, part, 0);
		/* What was there before may have been the wrong part. */
		if (!had || offline)
			break;
	}
	return err_status(err, STATUS_REFUSED, -EBADMSG,
			  "'%.200s' is not what the index says: its digest is another", url);
}

static int download_image(const struct fetch *f, const struct remote *r,
			  const struct remote_image *i, int cancel_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF, lock = -EBADF, fd = -EBADF;
	char part[IMAGE_DIGEST_LEN + 8], lock_name[IMAGE_DIGEST_LEN + 8];
	struct image_archive a = { .digest = i->sha256,
				   .name = f->name,
				   .keep = f->keep,
				   .max_size = UNPACK_MAX,
				   .cancel_fd = cancel_fd };
	int e = mkdir_p(DOWNLOADS, 0700);

	dir = e < 0 ? e : open(DOWNLOADS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, e < 0 ? e : -errno, "open '%s'", DOWNLOADS);
	snprintf(part, sizeof(part), "%s.part", i->sha256);
	snprintf(lock_name, sizeof(lock_name), "%s.lock", i->sha256);
	lock = lock_at(dir, lock_name, true, 3600000, NULL);
	if (lock == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, lock,
				  "another process still downloads this image");
	if (lock < 0)
		return err_set(err, lock, "lock the download");
	say(f, "downloading", i);
	fd = get_file(r, i, dir, part, f->offline, cancel_fd, err);
	if (fd < 0) {
		if (faccessat(dir, part, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			unlinkat(dir, lock_name, 0);
		return fd;
	}
	say(f, "unpacking", i);
	a.fd = fd;
	snprintf(a.meta.origin, sizeof(a.meta.origin), "%s:%s", f->remote, i->product);
	snprintf(a.meta.arch, sizeof(a.meta.arch), "%s", i->arch);
	snprintf(a.meta.os, sizeof(a.meta.os), "%s", i->os);
	snprintf(a.meta.release, sizeof(a.meta.release), "%s", i->release);
	snprintf(a.meta.variant, sizeof(a.meta.variant), "%s", i->variant);
	snprintf(a.meta.version, sizeof(a.meta.version), "%s", i->version);
	e = image_from_archive(&a, err);
	/* Nothing of it is wanted again, good or refused; where we were interrupted or had no room
	 * it goes on from here. */
	if (e != -ECANCELED && e != -ENOSPC && e != -EDQUOT && e != -ENOMEM && e != -EROFS) {
		unlinkat(dir, part, 0);
		unlinkat(dir, lock_name, 0);
	}
	return e;
}

/* 1: the cache has it. */
static int have_it(const struct fetch *f, const struct remote_image *i, struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err);
	struct image_archive a = {
		.fd = -EBADF, .cancel_fd = -1, .digest = i->sha256, .name = f->name, .keep = f->keep
	};
	int e;

	if (cache < 0)
		return cache;
	if (faccessat(cache, i->sha256, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	e = image_from_archive(&a, err);
	/* Deleted meanwhile. */
	return e == -ENOENT ? 0 : e < 0 ? e : 1;
}

static int fetch(const struct fetch *f, const struct remote *r, int cancel_fd,
		 char ret_digest[IMAGE_DIGEST_LEN + 1], struct lxmgr_err *err)
{
	cleanup_free char *index = NULL;
	struct remote_image i = { 0 };
	int e = f->offline ? 0 : remote_update(r, cancel_fd, err);

	if (e == 0)
		e = remote_index(r, &index, err);
	if (e == 0)
		e = fetch_find(f, index, &i, err);
	if (e != 0)
		return e;
	if (str_eq(i.kind, "squashfs"))
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "'%s' is there as a squashfs only, which is not read", i.product);
	if (f->not_before && strcmp(i.version, f->not_before) < 0)
		return err_status(err, STATUS_REFUSED, -ESTALE,
				  "'%s' has version %s of '%s', which is older than %s", f->remote,
				  i.version, i.product, f->not_before);
	snprintf(ret_digest, IMAGE_DIGEST_LEN + 1, "%s", i.sha256);
	e = have_it(f, &i, err);
	return e ? (e < 0 ? e : 0) : download_image(f, r, &i, cancel_fd, err);
}

/* Readable when the interrupt or the time is up. */
static int add_deadline(int interrupt, int timeout_ms, int *ret_timer)
{
	const struct itimerspec when = { .it_value = { timeout_ms / 1000,
						       timeout_ms % 1000 * 1000000L } };
	cleanup_fd int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	cleanup_fd int both = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };

	if (timer < 0 || both < 0 || timerfd_settime(timer, 0, &when, NULL) < 0 ||
	    epoll_ctl(both, EPOLL_CTL_ADD, timer, &e) < 0 ||
	    epoll_ctl(both, EPOLL_CTL_ADD, interrupt, &e) < 0)
		return -errno;
	*ret_timer = take_fd(&timer);
	return take_fd(&both);
}

static int fetch_in_time(const struct fetch *f, const struct remote *r, int interrupt,
			 char ret_digest[IMAGE_DIGEST_LEN + 1], struct lxmgr_err *err)
{
	cleanup_fd int timer = -EBADF, both = -EBADF;
	uint64_t n;
	int e;

	if (!f->timeout_ms)
		return fetch(f, r, interrupt, ret_digest, err);
	both = add_deadline(interrupt, f->timeout_ms, &timer);
	if (both < 0)
		return err_set(err, both, "set a time limit");
	e = fetch(f, r, both, ret_digest, err);
	if (e == -ECANCELED && read(timer, &n, sizeof(n)) == sizeof(n))
		return err_msg(err, -ETIMEDOUT, "the download was ended after %d s",
			       f->timeout_ms / 1000);
	return e;
}

int image_fetch(const struct fetch *f, char ret_digest[IMAGE_DIGEST_LEN + 1], struct lxmgr_err *err)
{
	cleanup_remote struct remote r = { 0 };
	struct interrupt i;
	int e = remote_read(f->remote, &r, err);

	if (e < 0)
		return e;
	interrupt_begin(&i);
	e = fetch_in_time(f, &r, i.fd, ret_digest, err);
	interrupt_end(&i);
	return e;
}

int downloads_prune(bool dry_run, void (*told)(const char *digest, uint64_t size, void *arg),
		    void *arg, struct lxmgr_err *err)
{
	int fd = open(DOWNLOADS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char name[IMAGE_DIGEST_LEN + 8];
		cleanup_fd int lock = -EBADF;
		struct stat st;

		if (!str_has_suffix(e->d_name, ".part"))
			continue;
		snprintf(name, sizeof(name), "%.64s.lock", e->d_name);
		lock = lock_at(fd, name, true, 0, NULL);
		if (lock < 0 || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!dry_run && unlinkat(fd, e->d_name, 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "remove a download");
		unlinkat(fd, name, 0);
		snprintf(name, sizeof(name), "%.64s", e->d_name);
		told(name, (uint64_t)st.st_blocks * 512, arg);
	}
	return 0;
}
