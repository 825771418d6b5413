/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written into a guest, on roots made up here; and what the host's resolvers are. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

static char base[] = "/tmp/lxmgr-test-guest-XXXXXX";
static int root = -1; /* the made-up root, base/root */

#define OK(call)                                         \
	do {                                             \
		struct lxmgr_err err = { 0 };            \
		int r_ = (call);                         \
		if (r_ < 0)                              \
			print_message("%s\n", err.text); \
		assert_true(r_ >= 0);                    \
	} while (0)

/* A file with all directories above it; text NULL: only the directory. */
static void give(const char *path, const char *text)
{
	char buf[512], *slash;
	int dir, fd;

	snprintf(buf, sizeof(buf), "%s", path);
	slash = text ? strrchr(buf, '/') : buf + strlen(buf);
	*(slash ? slash : buf) = '\0';
	dir = mkdir_in(root, buf, 0755, (uid_t)-1, (gid_t)-1);
	assert_true(dir >= 0);
	close(dir);
	if (!text)
		return;
	fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void give_link(const char *path, const char *target)
{
	give(path, "");
	assert_int_equal(unlinkat(root, path, 0), 0);
	assert_int_equal(symlinkat(target, root, path), 0);
}

/* What a file holds now. */
static char *text_of(const char *path)
{
	static char *text;

	free(text);
	text = NULL;
	assert_int_equal(read_file_at(root, path, 1 << 20, &text, NULL), 0);
	return text;
}

static bool is_there(const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void has(const char *path, const char *want)
{
	char *text = text_of(path);

	if (!strstr(text, want))
		print_message("%s:\n%s", path, text);
	assert_non_null(strstr(text, want));
}

static void has_not(const char *path, const char *want)
{
	assert_null(strstr(text_of(path), want));
}

static void is_link(const char *path, const char *target)
{
	char buf[256];
	ssize_t n = readlinkat(root, path, buf, sizeof(buf) - 1);

	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, target);
}

static int group_setup(void **state)
{
	return mkdtemp(base) ? 0 : -1;
}

static int setup(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/root", base);
	if (mkdir(path, 0755) < 0)
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int teardown(void **state)
{
	cleanup_fd int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(root);
	return remove_tree_at(dir, "root");
}

static int group_teardown(void **state)
{
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return remove_tree_at(tmp, strrchr(base, '/') + 1);
}

static void servers_are(const char *want)
{
	cleanup_strlist struct strlist dns = { 0 };
	cleanup_strbuf struct strbuf b = { 0 };

	assert_int_equal(host_nameservers(root, &dns), 0);
	for (size_t i = 0; i < dns.n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", dns.v[i]);
	assert_string_equal(b.s ? b.s : "", want);
}

#define STUB "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n"

/* What the host asks itself comes first; behind a stub are the servers it asks. */
static void test_host_servers(void **state)
{
	servers_are("");
	give("etc/resolv.conf", "# x\nsearch lan\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n");
	servers_are("192.0.2.1 2001:db8::1");
	give("run/systemd/resolve/resolv.conf", "nameserver 192.0.2.9\n");
	servers_are("192.0.2.1 2001:db8::1");
	give("etc/resolv.conf", STUB);
	servers_are("192.0.2.9");
	give_link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
	give("run/systemd/resolve/stub-resolv.conf", STUB);
	servers_are("192.0.2.9");
	give("run/systemd/resolve/resolv.conf", "nameserver 127.0.0.1\n");
	servers_are("");
	give("run/dnsmasq/resolv.conf", "nameserver 192.0.2.7\n");
	servers_are("192.0.2.7");
	give("run/NetworkManager/no-stub-resolv.conf", "nameserver 192.0.2.8\n");
	servers_are("192.0.2.8");
}

/* No loopback address in any writing, nothing that only the host can reach, no nonsense. */
static void test_unreachable_servers(void **state)
{
	static const char *const bad[] = {
		"127.0.0.1",  "127.0.0.53",  "127.1.2.3", "0.0.0.0",	   "::1",
		"0:0:0:0::1", "::",	     "fe80::1",	  "fe80::1%eth0",  "::ffff:127.0.0.53",
		"ff02::fb",   "224.0.0.251", "localhost", "192.0.2.1/24x", "",
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "nameserver %s\n", bad[i]);
		give("etc/resolv.conf", text);
		servers_are("");
		snprintf(text, sizeof(text), "nameserver %s\nnameserver 192.0.2.4\n", bad[i]);
		give("etc/resolv.conf", text);
		servers_are("192.0.2.4");
	}
	give("etc/resolv.conf", "nameservers 192.0.2.1\n#nameserver 192.0.2.1\n");
	servers_are("");
	give("etc/resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
				"nameserver 192.0.2.3\nnameserver 192.0.2.4\n");
	servers_are("192.0.2.1 192.0.2.2 192.0.2.3");
}

static struct net_addr addr(const char *text)
{
	struct net_addr a = { 0 };

	assert_int_equal(net_addr_parse(text, 0, &a, NULL), 0);
	return a;
}

static struct net_spec nets[2];
static char *servers[] = { (char[]){ "192.0.2.1" }, (char[]){ "2001:db8::1" }, NULL };
static struct guest_net guest = {
	.hostname = "web", .nets = nets, .n_nets = 1, .nameservers = servers
};

static void write_guest(void)
{
	OK(guest_write_network(root, &guest, &err));
}

/* An interface on the managed bridge. */
static void bridged(struct net_spec *n)
{
	*n = (struct net_spec){ .type = NET_VETH, .up = true, .veth_vlan_id = -1 };
	n->addr[n->n_addr++] = addr("10.64.0.2/20");
	n->addr[n->n_addr++] = addr("fd00::2/64");
	n->gw4_mode = n->gw6_mode = NET_GW_ADDR;
	n->gw4 = addr("10.64.0.1/20");
	n->gw6 = addr("fd00::1/64");
}

#define MARKER	 "# Written by lxmgr; remove this line to keep your own.\n"
#define NETWORK	 "etc/systemd/network/05-lxmgr-eth0.network"
#define IFACES	 "etc/network/interfaces"
#define NM	 "etc/NetworkManager/conf.d/05-lxmgr.conf"
#define RESOLV	 "etc/resolv.conf"
#define RESOLVED "etc/systemd/resolved.conf.d/05-lxmgr.conf"
#define ENABLED	 "etc/systemd/system/multi-user.target.wants/systemd-resolved.service"
#define OWN	 "\t# the container's own name, kept by lxmgr\n"

/* A Debian with its default services, and one without any. */
static void test_services(void **state)
{
	bridged(&nets[0]);
	give("etc", NULL);
	write_guest();
	assert_false(is_there("etc/systemd"));
	assert_false(is_there("etc/network"));
	assert_false(is_there("etc/NetworkManager"));
	give("etc/systemd/network", NULL);
	give("etc/NetworkManager/conf.d", NULL);
	give(IFACES, "");
	write_guest();
	has(NETWORK, MARKER);
	has(NETWORK, "\n[Match]\nName=eth0\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\n"
		     "LinkLocalAddressing=ipv6\nKeepConfiguration=yes\n"
		     "DNS=192.0.2.1\nDNS=2001:db8::1\n");
	has(IFACES, "\nauto eth0\niface eth0 inet manual\n\tup ip link set eth0 up\n"
		    "\tup ip addr replace 10.64.0.2/20 dev eth0\n"
		    "\tup ip -6 addr replace fd00::2/64 dev eth0 nodad 2>/dev/null || "
		    "ip -6 addr replace fd00::2/64 dev eth0\n"
		    "\tup ip route replace default via 10.64.0.1 dev eth0\n"
		    "\tup ip -6 route replace default via fd00::1 dev eth0\n");
	has_not(IFACES, "dns-nameservers");
	has(NM, "\n[main]\ndns=none\n\n[device-lxmgr-eth0]\n"
		"match-device=interface-name:eth0\nmanaged=0\n");
	has("etc/hostname", "web\n");
	has(RESOLV, MARKER "nameserver 192.0.2.1\nnameserver 2001:db8::1\n");
}

/* A single host's address: the gateway is in no network of it. */
static void test_router_gateway(void **state)
{
	bridged(&nets[0]);
	give(IFACES, "");
	nets[0].addr[0] = addr("10.64.0.2/32");
	nets[0].addr[1] = addr("fd00::2/128");
	nets[0].gw4 = addr("169.254.1.1/32");
	write_guest();
	has(IFACES, "\tup ip route replace default via 169.254.1.1 dev eth0 onlink\n");
	has(IFACES, "\tup ip -6 route replace default via fd00::1 dev eth0 onlink\n");
	nets[0].gw4_mode = nets[0].gw6_mode = NET_GW_DEV;
	write_guest();
	has(IFACES, "\tup ip route replace default dev eth0\n");
	has(IFACES, "\tup ip -6 route replace default dev eth0\n");
	has_not(IFACES, "via");
}

/* A second interface that the guest sets up itself stays the guest's, and so does its DNS. */
static void test_own_interface(void **state)
{
	bridged(&nets[0]);
	nets[1] = (struct net_spec){ .type = NET_MACVLAN, .index = 1 };
	guest.n_nets = 2;
	give("etc/systemd/network", NULL);
	give("etc/NetworkManager/conf.d", NULL);
	give(IFACES, "");
	write_guest();
	assert_true(is_there(NETWORK));
	assert_false(is_there("etc/systemd/network/05-lxmgr-eth1.network"));
	has_not(IFACES, "eth1");
	has_not(NM, "eth1");
	has_not(NM, "dns=none");
	/* No address of the host's at all: nothing but the names. */
	guest.nets = &nets[1];
	guest.n_nets = 1;
	give("etc/resolv.conf", "");
	write_guest();
	has_not(RESOLV, "nameserver");
	guest.nets = nets;
}

/* An interface that was the host's and is the guest's now: our files would forbid its DHCP. */
static void test_given_back(void **state)
{
	bridged(&nets[0]);
	guest.n_nets = 1;
	give("etc/systemd/network", NULL);
	give("etc/NetworkManager/conf.d", NULL);
	give(IFACES, "");
	write_guest();
	assert_true(is_there(NETWORK));
	assert_true(is_there(NM));
	has(IFACES, "eth0");
	nets[0].n_addr = 0;
	write_guest();
	assert_false(is_there(NETWORK));
	assert_false(is_there(NM));
	has_not(IFACES, "eth0");
	has(IFACES, "auto lo\niface lo inet loopback\n");
	/* The guest's own stay. */
	give(NETWORK, "mine");
	give(NM, "mine");
	give(IFACES, "mine");
	write_guest();
	assert_string_equal(text_of(NETWORK), "mine");
	assert_string_equal(text_of(NM), "mine");
	assert_string_equal(text_of(IFACES), "mine");
}

/* What the administrator wrote stays; what we wrote is written anew. */
static void test_kept_files(void **state)
{
	static const char *const files[] = { NETWORK, IFACES, NM, RESOLV };

	bridged(&nets[0]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		give(files[i], "# mine\n");
	write_guest();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_string_equal(text_of(files[i]), "# mine\n");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		give(files[i], MARKER "old\n");
	write_guest();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		has_not(files[i], "old");
}

/* /etc/network/interfaces as distributions ship it would lose what the host set. */
static void test_default_interfaces(void **state)
{
	static const char *const defaults[] = {
		"auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\nhostname "
		"$(hostname)\n",
		"auto lo eth0\niface lo inet loopback\niface eth0 inet manual\n",
		"# x\nallow-hotplug eth0\niface eth0 inet dhcp\niface eth0 inet6 auto\nsource x/*",
		"\n\n",
	};
	static const char *const own[] = {
		"auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n",
		"iface eth0 inet dhcp\n\tup /bin/true\n",
		"iface eth0 inet static\n",
		"iface eth0 inet dhcp extra\n",
		"iface eth0 inet dhcp \\\n\n",
		"iface eth00 inet dhcp\n",
		"iface eth0 inet dhcp\nauto eth0 eth1\n",
		"iface eth0 inet dhcp\niface eth1 inet dhcp\n",
		"iface eth0 ipx dhcp\n",
		"iface lo inet dhcp\niface eth0 inet dhcp\n",
		"iface\n",
	};

	bridged(&nets[0]);
	give("etc/network", NULL);
	write_guest();
	has(IFACES, MARKER);
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		give(IFACES, defaults[i]);
		write_guest();
		has(IFACES, "\tup ip addr replace 10.64.0.2/20 dev eth0\n");
		has_not(IFACES, "dhcp");
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		give(IFACES, own[i]);
		write_guest();
		assert_string_equal(text_of(IFACES), own[i]);
	}
	/* What it includes is the guest's own, and stays included. */
	give(IFACES, defaults[2]);
	write_guest();
	write_guest();
	has(IFACES, "eth0\nsource x/*\n");
	/* What is not the host's to set: DHCP is right. */
	nets[0].n_addr = 0;
	give(IFACES, defaults[0]);
	write_guest();
	assert_string_equal(text_of(IFACES), defaults[0]);
}

/* resolv.conf as a link: left where its service is there, else it would lead nowhere. */
static void test_resolv_link(void **state)
{
	static const struct {
		const char *target, *needs;
	} links[] = {
		{ "../run/systemd/resolve/stub-resolv.conf", NULL },
		{ "/run/systemd/resolve/resolv.conf", NULL },
		{ "/run/NetworkManager/resolv.conf", NULL },
		{ "/etc/resolvconf/run/resolv.conf", "sbin/resolvconf" },
		{ "../run/resolvconf/resolv.conf", "usr/sbin/resolvconf" },
		{ "/run/other/resolv.conf", "run/other/resolv.conf" },
		{ "resolv.conf", NULL },
	};

	bridged(&nets[0]);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		give_link(RESOLV, links[i].target);
		if (links[i].needs) {
			give(links[i].needs, "x");
			write_guest();
			is_link(RESOLV, links[i].target);
			assert_string_equal(text_of(links[i].needs), "x");
			assert_int_equal(unlinkat(root, links[i].needs, 0), 0);
		}
		write_guest();
		has(RESOLV, MARKER "nameserver 192.0.2.1\n");
	}
	assert_false(is_there("run/systemd/resolve/stub-resolv.conf"));
	assert_false(is_there("etc/systemd/resolved.conf.d"));
}

/* resolved gets the servers itself; installed is not enough, it must be enabled. */
static void test_resolved(void **state)
{
	bridged(&nets[0]);
	give("usr/lib/systemd/systemd-resolved", "");
	give_link(RESOLV, "../run/systemd/resolve/stub-resolv.conf");
	write_guest();
	has(RESOLV, "nameserver 192.0.2.1\n");
	give_link(ENABLED, "/lib/systemd/system/systemd-resolved.service");
	assert_int_equal(unlinkat(root, RESOLV, 0), 0);
	give_link(RESOLV, "../run/systemd/resolve/stub-resolv.conf");
	write_guest();
	is_link(RESOLV, "../run/systemd/resolve/stub-resolv.conf");
	has(RESOLVED, MARKER "[Resolve]\nDNS=192.0.2.1 2001:db8::1\n");
}

/* resolvconf(8) is told by ifupdown. */
static void test_resolvconf(void **state)
{
	bridged(&nets[0]);
	give(IFACES, "");
	give("sbin/resolvconf", "");
	give_link(RESOLV, "/etc/resolvconf/run/resolv.conf");
	write_guest();
	is_link(RESOLV, "/etc/resolvconf/run/resolv.conf");
	has(IFACES, "\tdns-nameservers 192.0.2.1 2001:db8::1\n");
}

/* NetworkManager keeps its link only while it has an interface of its own to write for. */
static void test_resolv_nm(void **state)
{
	bridged(&nets[0]);
	nets[1] = (struct net_spec){ .type = NET_MACVLAN, .index = 1 };
	give("usr/sbin/NetworkManager", "");
	give_link(RESOLV, "/run/NetworkManager/resolv.conf");
	guest.n_nets = 2;
	write_guest();
	guest.n_nets = 1;
	is_link(RESOLV, "/run/NetworkManager/resolv.conf");
	write_guest();
	has(RESOLV, "nameserver 192.0.2.1\n");
}

static void hosts_become(const char *old, const char *new)
{
	if (old)
		give("etc/hosts", old);
	write_guest();
	assert_string_equal(text_of("etc/hosts"), new);
	/* Once more changes nothing. */
	write_guest();
	assert_string_equal(text_of("etc/hosts"), new);
}

static void test_hosts(void **state)
{
	struct stat st;

	bridged(&nets[0]);
	give("etc", NULL);
#define DEFAULT(name)                                   \
	"127.0.0.1\tlocalhost\n127.0.1.1\t" name OWN    \
	"::1\t\tlocalhost ip6-localhost ip6-loopback\n" \
	"ff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n"
	hosts_become(NULL, DEFAULT("web"));
	hosts_become(" \n\n", DEFAULT("web"));
	/* The container was renamed or copied. */
	hosts_become(DEFAULT("old"), DEFAULT("web"));
	/* The administrator's lines stay, whatever they look like, also one without an end. */
	hosts_become("# mine\n127.0.0.1 localhost\n127.0.1.1\told" OWN "\n192.0.2.5 db # web\n"
		     "\t junk",
		     "# mine\n127.0.0.1 localhost\n127.0.1.1\tweb" OWN "\n192.0.2.5 db # web\n"
		     "\t junk\n");
	hosts_become("127.0.0.1 localhost webster\n127.0.1.1 elsewhere\n",
		     "127.0.0.1 localhost webster\n127.0.1.1 elsewhere\n127.0.1.1\tweb" OWN);
	/* They name the container themselves: that is enough. */
	hosts_become("192.0.2.9\tfront WEB # x\n", "192.0.2.9\tfront WEB # x\n");
	hosts_become("127.0.0.1 localhost web", "127.0.0.1 localhost web");
	/* Twice ours becomes once. */
	hosts_become("127.0.1.1\ta" OWN "127.0.1.1\tb" OWN, "127.0.1.1\tweb" OWN);
	/* A file of an earlier version, to which somebody added a line. */
	hosts_become(MARKER "127.0.0.1\tlocalhost\n127.0.1.1\told\n192.0.2.5 db\n",
		     "127.0.0.1\tlocalhost\n127.0.1.1\tweb" OWN "192.0.2.5 db\n");
	/* Its mode stays. */
	give("etc/hosts", "1.2.3.4 x\n");
	assert_int_equal(fchmodat(root, "etc/hosts", 0640, 0), 0);
	write_guest();
	assert_int_equal(fstatat(root, "etc/hosts", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	guest.hostname = "web.example.org";
	hosts_become("", DEFAULT("web.example.org web"));
	guest.hostname = "web";
}

/* No text of ours: it stays as it is. */
static void test_hosts_odd(void **state)
{
	cleanup_free char *big = malloc(70000);
	int fd;

	bridged(&nets[0]);
	assert_non_null(big);
	memset(big, 'x', 69999);
	big[69999] = '\0';
	give("etc/hosts", big);
	write_guest();
	assert_string_equal(text_of("etc/hosts"), big);
	fd = openat(root, "etc/hosts", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "a\0b\n", 4), 4);
	close(fd);
	write_guest();
	assert_memory_equal(text_of("etc/hosts"), "a\0b\n", 4);
}

static const char *const all_files[] = {
	"etc/hosts", "etc/hostname", RESOLV, IFACES, NETWORK, NM, RESOLVED,
};

/* Everything that is no file, in every place: nothing hangs, fails, or is written through. */
static void test_hostile_files(void **state)
{
	char out[64], path[96];
	struct stat st;

	bridged(&nets[0]);
	give("usr/lib/systemd/systemd-resolved", "");
	give_link(ENABLED, "x");
	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++) {
		give(all_files[i], "");
		assert_int_equal(unlinkat(root, all_files[i], 0), 0);
		assert_int_equal(mkfifoat(root, all_files[i], 0644), 0);
	}
	write_guest();
	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++) {
		assert_int_equal(fstatat(root, all_files[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(S_ISFIFO(st.st_mode));
		assert_int_equal(unlinkat(root, all_files[i], 0), 0);
		assert_int_equal(mkdirat(root, all_files[i], 0755), 0);
	}
	write_guest();
	snprintf(out, sizeof(out), "%s/outside", base);
	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++) {
		assert_int_equal(unlinkat(root, all_files[i], AT_REMOVEDIR), 0);
		snprintf(path, sizeof(path), i % 2 ? "%s" : "../../../../../../..%s", out);
		assert_int_equal(symlinkat(path, root, all_files[i]), 0);
	}
	write_guest();
	assert_int_equal(access(out, F_OK), -1);
	assert_true(is_there(out + 1) == false);
}

/* Directories that are links to the host's, files, loops. */
static void test_hostile_directories(void **state)
{
	static const char *const dirs[] = { "etc/network", "etc/systemd/network",
					    "etc/NetworkManager/conf.d",
					    "etc/systemd/resolved.conf.d", "etc/systemd" };
	cleanup_fd int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char out[64];

	bridged(&nets[0]);
	give("usr/lib/systemd/systemd-resolved", "");
	snprintf(out, sizeof(out), "%s/outdir", base);
	assert_int_equal(mkdir(out, 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		give_link(ENABLED, "x");
		give_link(RESOLV, "/run/systemd/resolve/resolv.conf");
		assert_int_equal(remove_tree_at(root, dirs[i]), 0);
		give_link(dirs[i], out);
		write_guest();
		assert_int_equal(unlinkat(root, dirs[i], 0), 0);
		give_link(dirs[i], strrchr(dirs[i], '/') + 1);
		write_guest();
		assert_int_equal(unlinkat(root, dirs[i], 0), 0);
		give(dirs[i], "a file");
		write_guest();
		assert_string_equal(text_of(dirs[i]), "a file");
		assert_int_equal(unlinkat(root, dirs[i], 0), 0);
		assert_int_equal(remove_tree_at(root, RESOLV), 0);
	}
	assert_int_equal(remove_tree_at(root, "etc"), 0);
	assert_int_equal(symlinkat(out, root, "etc"), 0);
	write_guest();
	assert_int_equal(unlinkat(root, "etc", 0), 0);
	give("etc", "a file");
	write_guest();
	assert_int_equal(unlinkat(root, "etc", 0), 0);
	write_guest();
	/* Empty: it can be removed. */
	assert_int_equal(unlinkat(dir, "outdir", AT_REMOVEDIR), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_host_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreachable_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_services, setup, teardown),
		cmocka_unit_test_setup_teardown(test_router_gateway, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_interfaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolv_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolv_nm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolvconf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts_odd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_directories, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
