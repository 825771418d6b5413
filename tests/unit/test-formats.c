/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foreign formats take for theirs, where they find the root, and what they refuse. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/import_config.h"
#include "container/import_foreign.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

static char dir[] = "/tmp/lxmgr-formats.XXXXXX";
static struct import_source src;
static struct import_parts parts;
static struct lxmgr_err err;

static void put(const char *name, const char *text)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	if (path[strlen(path) - 1] == '/')
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void begin_with(const char *name)
{
	cleanup_free char *path = NULL;

	import_parts_free(&parts);
	memset(&parts, 0, sizeof(parts));
	parts.root_fd = parts.archive_fd = -EBADF;
	memset(&err, 0, sizeof(err));
	fd_close(&src.fd);
	strlist_free(&src.members);
	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	src.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(src.fd >= 0);
	src.path = "SOURCE";
	src.cancel_fd = -1;
	assert_int_equal(fstat(src.fd, &src.st), 0);
}

static bool takes(const struct import_format *f)
{
	return f->probe(&src, &err) == 1;
}

static bool root_has(const char *name)
{
	return faccessat(parts.root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool noticed(const char *text)
{
	for (size_t i = 0; i < parts.notices.n; i++)
		if (strstr(parts.notices.v[i], text))
			return true;
	return false;
}

static void test_lxc(void **state)
{
	put("web/config", "# x\n  lxc.uts.name = web\nlxc.rootfs.path = dir:/nowhere\n"
			  "lxc.idmap = b 0 100000 65536\nlxc.hook.stop = /bin/true\n");
	put("web/rootfs/etc/hostname", "web\n");
	begin_with("web");
	assert_true(takes(&import_lxc));
	assert_false(takes(&import_openvz) || takes(&import_oci) || takes(&import_tar) ||
		     takes(&import_vzdump));
	assert_int_equal(import_lxc.begin(&src, &parts, &err), 0);
	assert_string_equal(parts.name, "web");
	assert_non_null(strstr(parts.config, "\nlxmgr.uts.name = web\n"));
	assert_true(root_has("etc/hostname"));
	assert_int_equal(idmap_uid_out(&parts.owners, 1), 100001);
	assert_true(noticed("hook.stop"));
	put("other/config", "lxmgr.uts.name = a\n");
	begin_with("other");
	assert_false(takes(&import_lxc));
}

static void refused(const struct import_format *f, const char *why)
{
	assert_true(f->begin(&src, &parts, &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in '%s'", why, err.text);
}

static void test_lxc_refused(void **state)
{
	put("layers/config", "lxc.rootfs.path = overlay:/a:/b\n");
	put("layers/rootfs/x", "");
	begin_with("layers");
	refused(&import_lxc, "lxc-copy");
	put("empty/config", "lxc.rootfs.path = lvm:/dev/vg/empty\n");
	put("empty/rootfs/", "");
	begin_with("empty");
	refused(&import_lxc, "is empty (its config says 'lvm:/dev/vg/empty'");
	/* A root of the host's. */
	put("link/config", "lxc.rootfs.path = dir:/\n");
	begin_with("link");
	refused(&import_lxc, "its config says 'dir:/'");
	assert_int_equal(symlinkat("/", src.fd, "rootfs"), 0);
	begin_with("link");
	refused(&import_lxc, "'rootfs' is a link");
	assert_int_equal(mkfifoat(src.fd, "fifo", 0600), 0);
	assert_int_equal(unlinkat(src.fd, "config", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", src.fd, "config"), 0);
	begin_with("link");
	assert_false(takes(&import_lxc));
	refused(&import_lxc, "config");
	assert_int_equal(unlinkat(src.fd, "config", 0), 0);
	assert_int_equal(renameat(src.fd, "fifo", src.fd, "config"), 0);
	begin_with("link");
	refused(&import_lxc, "no plain file");
}

static void test_openvz(void **state)
{
	put("101/etc/hostname", "x\n");
	put("101/bin/sh", "");
	begin_with("101");
	assert_false(takes(&import_openvz));
	refused(&import_openvz, "has no config: neither ve.conf in it, nor 101.conf beside it");
	put("101.conf", "HOSTNAME=\"a.example\"\nVE_PRIVATE=\"/\"\nNAME=bad/name\n");
	begin_with("101");
	assert_true(takes(&import_openvz));
	assert_false(takes(&import_lxc));
	assert_int_equal(import_openvz.begin(&src, &parts, &err), 0);
	assert_string_equal(parts.name, "101");
	assert_true(root_has("bin/sh"));
	/* OpenVZ 7 */
	put("5f0c/ve.conf", "NAME=\"shop\"\nONBOOT=\"yes\"\n");
	put("5f0c/fs/etc/hostname", "x\n");
	put("5f0c/fs/root/etc/of-the-user", "x\n");
	begin_with("5f0c");
	assert_true(takes(&import_openvz));
	assert_int_equal(import_openvz.begin(&src, &parts, &err), 0);
	assert_string_equal(parts.name, "shop");
	assert_non_null(strstr(parts.config, "\nlxmgr.start.auto = 1\n"));
	assert_true(root_has("etc/hostname"));
	put("5f0c/root.hdd/DiskDescriptor.xml", "");
	begin_with("5f0c");
	refused(&import_openvz, "ploop");
}

static void add(const char *name)
{
	assert_int_equal(strlist_add(&src.members, name), 0);
}

static void test_tar(void **state)
{
	put("some.tar", "not read here");
	begin_with("some.tar");
	assert_false(takes(&import_tar));
	add("./");
	add("./etc/");
	assert_true(takes(&import_tar));
	assert_int_equal(import_tar.begin(&src, &parts, &err), 0);
	assert_null(parts.subdir);
	begin_with("some.tar");
	add("metadata.yaml");
	add("templates/");
	add("rootfs/usr/bin/");
	assert_true(takes(&import_tar));
	assert_int_equal(import_tar.begin(&src, &parts, &err), 0);
	assert_string_equal(parts.subdir, "rootfs");
	begin_with("some.tar");
	add("guest/");
	add("./guest/bin/sh");
	assert_true(takes(&import_tar));
	assert_int_equal(import_tar.begin(&src, &parts, &err), 0);
	assert_string_equal(parts.subdir, "guest");
	begin_with("some.tar");
	add("../etc/passwd");
	assert_false(takes(&import_tar));
	begin_with("some.tar");
	add("a/etc");
	add("b/etc");
	assert_false(takes(&import_tar));
	begin_with("some.tar");
	add("oci-layout");
	add("blobs/etc");
	assert_false(takes(&import_tar));
	assert_true(takes(&import_oci));
}

static void test_vzdump(void **state)
{
	cleanup_fd int fd = -EBADF;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(
		write_file_replace(fd, "vzdump-lxc-1.tar.lzo", "\x89LZO\0\r\n\x1a\n\x10", 10, 0600),
		0);
	begin_with("vzdump-lxc-1.tar.lzo");
	assert_true(takes(&import_vzdump));
	refused(&import_vzdump, "lzop -d");
	assert_int_equal(write_file_replace(fd, "x.vma", "VMA\0\0\0\0\1", 8, 0600), 0);
	begin_with("x.vma");
	assert_true(takes(&import_vzdump));
	refused(&import_vzdump, "virtual machine");
	begin_with("some.tar");
	add("./etc/vzdump/pct.conf");
	assert_true(takes(&import_vzdump));
}

static void test_oci(void **state)
{
	put("lay/oci-layout", "{}");
	begin_with("lay");
	assert_true(takes(&import_oci));
	assert_false(takes(&import_lxc) || takes(&import_openvz) || takes(&import_tar));
	assert_int_equal(unlinkat(src.fd, "oci-layout", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", src.fd, "oci-layout"), 0);
	assert_false(takes(&import_oci));
}

/* Addresses come with what they fit, and that is never what names the host's. */
static void test_network(void **state)
{
	static const char theirs[] = "lxmgr.net.0.type = veth\nlxmgr.net.0.link = vmbr0\n"
				     "lxmgr.net.0.veth.mode = router\n"
				     "lxmgr.net.0.ipv4.address = 192.0.2.7/32\n"
				     "lxmgr.net.0.ipv4.gateway = dev\n"
				     "lxmgr.net.1.type = phys\nlxmgr.net.1.link = eth9\n"
				     "lxmgr.net.0.hwaddr = 00:16:3e:00:00:07\n"
				     "lxmgr.net.0.script.up = /bin/sh\n";
	static const char ours[] = "lxmgr.net.0.type = veth\nlxmgr.net.0.flags = up\n";
	cleanup_merge struct import_merge m = { 0 };
	char *text = strdup(ours);

	assert_int_equal(import_config_merge(&text, theirs, &m, &err), 0);
	assert_string_equal(text, ours);
	assert_true(strlist_has(&m.left_out, "net.0.link") &&
		    strlist_has(&m.left_out, "net.0.script.up"));
	m.addresses = true;
	assert_int_equal(import_config_merge(&text, theirs, &m, &err), 0);
	assert_non_null(strstr(text, "lxmgr.net.0.ipv4.address = 192.0.2.7/32\n"));
	assert_non_null(strstr(text, "lxmgr.net.0.veth.mode = router\n"));
	assert_null(strstr(text, "phys"));
	assert_null(strstr(text, "vmbr0"));
	assert_null(strstr(text, "eth9"));
	assert_null(strstr(text, "script"));
	assert_null(strstr(text, "00:16:3e"));
	free(text);
}

static int begin(void **state)
{
	src.fd = -EBADF;
	parts.root_fd = parts.archive_fd = -EBADF;
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	cleanup_fd int tmp = -EBADF;

	import_parts_free(&parts);
	fd_close(&src.fd);
	strlist_free(&src.members);
	tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return remove_tree_at(tmp, strrchr(dir, '/') + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lxc),	cmocka_unit_test(test_lxc_refused),
		cmocka_unit_test(test_openvz),	cmocka_unit_test(test_tar),
		cmocka_unit_test(test_vzdump),	cmocka_unit_test(test_oci),
		cmocka_unit_test(test_network),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
