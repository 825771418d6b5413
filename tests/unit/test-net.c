/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network types in namespaces of their own: nothing of the host's is touched. Needs root. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/antispoof.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/run.h"
#include "util/str.h"

static struct netlink *host;
static int own_ns = -1;

#define OK(call)                                         \
	do {                                             \
		struct lxmgr_err err = { 0 };            \
		int r_ = (call);                         \
		if (r_ < 0)                              \
			print_message("%s\n", err.text); \
		assert_true(r_ >= 0);                    \
	} while (0)

#define OK2(call) assert_int_equal(call, 0)

static struct net_addr addr(const char *text)
{
	struct net_addr a = { 0 };

	assert_int_equal(net_addr_parse(text, 0, &a, NULL), 0);
	return a;
}

/* The whole test lives in a network namespace of its own, with a /sys of its own. */
static int setup(void **state)
{
	assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	own_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(own_ns >= 0);
	return netlink_open(&host, NULL);
}

static int teardown(void **state)
{
	netlink_close(host);
	return 0;
}

/* A new network namespace, made by a child that ends; an fd. */
static int new_netns(void)
{
	int p[2], fd;
	char path[64];
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(p[0], path, 1), 1);
	close(p[0]);
	close(p[1]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(fd >= 0);
	return fd;
}

/* Run fn in the namespace in a child; its result must be 0. */
static void inside(int ns, int (*fn)(void *), void *data)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(setns(ns, CLONE_NEWNET) < 0 ? 99 : fn(data));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct pair {
	const struct net_spec *spec;
};

static int configure(void *data)
{
	const struct pair *p = data;
	struct lxmgr_err err = { 0 };

	if (net_configure_inside(p->spec, 1, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return 1;
}

static int ping(const char *to)
{
	const char *argv[] = { "ping", "-c1", "-W3", to, NULL };
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int ping_fn(void *data)
{
	return ping(data);
}

static struct bridge_conf conf = { .name = "lxmgrbr0" };

static struct net_spec veth_spec(void)
{
	struct net_spec s = { .type = NET_VETH, .up = true, .veth_vlan_id = -1, .antispoof = true };

	snprintf(s.link, sizeof(s.link), "%s", conf.name);
	s.addr[s.n_addr++] = addr("10.200.0.2/20");
	s.addr[s.n_addr++] = addr("fd11:22:33::2/64");
	s.gw4_mode = s.gw6_mode = NET_GW_ADDR;
	s.gw4 = addr("10.200.0.1/32");
	s.gw6 = addr("fd11:22:33::1/128");
	s.has_mac = true;
	/* Always the same one, as a lease has it: the host's neighbour cache outlives a container.
	 */
	assert_int_equal(mac_parse("10:66:6a:01:02:03", s.mac, NULL), 0);
	return s;
}

static void test_bridge(void **state)
{
	struct link_info info;

	conf.v4 = addr("10.200.0.1/20");
	conf.v6 = addr("fd11:22:33::1/64");
	OK(bridge_ensure(host, &conf, &err));
	OK(bridge_ensure(host, &conf, &err));
	assert_int_equal(link_get(host, conf.name, &info), 0);
	assert_string_equal(info.kind, "bridge");
	assert_true(info.flags & IFF_UP);
}

static void wait_gone(const char *name)
{
	struct link_info info;

	for (int i = 0; i < 100 && link_get(host, name, &info) == 0; i++)
		usleep(20000);
	assert_int_equal(link_get(host, name, &info), -ENODEV);
}

static int send_spoofed(void *data);

/* Namespaces here: the container's network. */
static int configure_timed(void *data)
{
	int64_t t = now_us();
	int r = configure(data);

	print_message("configure inside: %d us\n", (int)(now_us() - t));
	return r;
}

/* Not a test of speed, but whoever changes this sees what it costs. */
static void test_cost(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct pair p = { &s };
	int64_t best = INT64_MAX;

	for (int i = 0; i < 10; i++) {
		int ns = new_netns();
		int64_t t = now_us();

		OK(net_create(host, &s, ns, "web", &live, &err));
		t = now_us() - t;
		best = t < best ? t : best;
		if (i == 9)
			inside(ns, configure_timed, &p);
		close(ns);
	}
	print_message("veth with anti-spoofing, host side: %d us\n", (int)best);
	assert_true(best < 100000);
	wait_gone(live.host_name);
}

static void test_veth(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct pair p = { &s };
	struct link_info info, bridge;
	int ns = new_netns();

	OK(net_check(&s, 1, &err));
	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, configure, &p);
	assert_int_equal(link_get(host, live.host_name, &info), 0);
	assert_int_equal(link_get(host, conf.name, &bridge), 0);
	assert_int_equal(info.master, bridge.index);
	assert_int_equal(info.index, live.host_index);
	assert_true(info.flags & IFF_UP);
	assert_true(antispoof_is_on(host, info.index));
	assert_int_equal(ping("10.200.0.2"), 0);
	assert_int_equal(ping("fd11:22:33::2"), 0);
	inside(ns, ping_fn, (void *)(uintptr_t) "10.200.0.1");
	inside(ns, ping_fn, (void *)(uintptr_t) "fd11:22:33::1");
	inside(ns, send_spoofed, &s);
	/* It goes with the namespace, not before. */
	net_destroy(host, NET_VETH, &s, &live, -1);
	assert_int_equal(link_get(host, live.host_name, &info), 0);
	close(ns);
	wait_gone(live.host_name);
}

/* A raw socket on the bridge sees what passes: of the container's three frames only the honest. */
static int send_spoofed(void *data)
{
	const struct net_spec *s = data;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex("eth0") };
	uint8_t f[60] = { [0] = 255, 255, 255, 255, 255, 255, [12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };

	memcpy(f + 6, s->mac, 6);
	memcpy(f + 22, s->mac, 6);
	memcpy(f + 28, "\x0a\xc8\x00\x02", 4);
	memcpy(f + 38, "\x0a\xc8\x00\x01", 4);
	if (fd < 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		f[31] = i == 1 ? 3 : 2;			 /* another's IPv4 address */
		f[11] = (uint8_t)(s->mac[5] ^ (i == 0)); /* another's MAC */
		if (sendto(fd, f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)) != sizeof(f))
			return 2;
	}
	return 0;
}

static void test_spoofed_frames(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct pair p = { &s };
	int ns = new_netns(), tap, arps = 0;
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP) };
	struct pollfd pfd;
	uint8_t f[64];

	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, configure, &p);
	assert_int_equal(ping("10.200.0.2"), 0);
	tap = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ARP));
	at.sll_ifindex = (int)if_nametoindex(conf.name);
	assert_int_equal(bind(tap, (struct sockaddr *)&at, sizeof(at)), 0);
	inside(ns, send_spoofed, &s);
	pfd = (struct pollfd){ .fd = tap, .events = POLLIN };
	while (poll(&pfd, 1, 200) == 1) {
		assert_true(recv(tap, f, sizeof(f), 0) >= 42);
		/* Requests from the container (not the host's own traffic). */
		if (f[21] == 1 && memcmp(f + 6, "\x10\x66\x6a", 3) == 0) {
			assert_memory_equal(f + 6, s.mac, 6);
			assert_memory_equal(f + 28, "\x0a\xc8\x00\x02", 4);
			arps++;
		}
	}
	assert_int_equal(arps, 1);
	close(tap);
	close(ns);
	wait_gone(live.host_name);
}

static void test_router(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct pair p = { &s };
	int ns = new_netns();

	s.link[0] = '\0';
	s.veth_mode = NET_VETH_ROUTER;
	s.addr[0] = addr("10.201.0.9/32");
	s.addr[1] = addr("fd99::9/128");
	s.gw4_mode = s.gw6_mode = NET_GW_ADDR;
	s.gw4 = addr("10.200.0.1/32"); /* the bridge's: one of the host's own */
	s.gw6 = addr("fd11:22:33::1/128");
	s.route[s.n_route++] = addr("10.77.0.0/24");
	OK(net_check(&s, 1, &err));
	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, configure, &p);
	assert_int_equal(ping("10.201.0.9"), 0);
	assert_int_equal(ping("fd99::9"), 0);
	inside(ns, ping_fn, (void *)(uintptr_t) "10.200.0.1");
	inside(ns, ping_fn, (void *)(uintptr_t) "fd11:22:33::1");
	close(ns);
	wait_gone(live.host_name);
}

static int has_eth0(void *data)
{
	return if_nametoindex("eth0") ? 0 : 1;
}

static void test_macvlan(void **state)
{
	struct net_spec s = { .type = NET_MACVLAN, .up = true, .macvlan_mode = NET_MACVLAN_BRIDGE };
	struct net_live live;
	struct pair p = { &s };
	int ns = new_netns();

	memcpy(s.link, conf.name, sizeof(s.link));
	s.addr[s.n_addr++] = addr("10.200.0.9/20");
	OK(net_check(&s, 1, &err));
	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, configure, &p);
	inside(ns, has_eth0, NULL);
	close(ns);
}

static void make_phys(struct net_spec *s, struct link_info *ret)
{
	*s = (struct net_spec){
		.type = NET_PHYS, .up = true, .link = "lxtphys0", .name = "lxteth"
	};
	OK2(link_create(host, &(struct link_new){ .kind = "veth",
						  .name = "lxtphys0",
						  .ns_fd = -1,
						  .peer_name = "lxtphys1",
						  .peer_ns_fd = own_ns }));
	assert_int_equal(link_get(host, "lxtphys0", ret), 0);
}

static void test_phys(void **state)
{
	struct net_spec s;
	struct net_live live;
	struct pair p = { &s };
	struct link_info info;
	int ns = new_netns();

	make_phys(&s, &info);
	OK(net_check(&s, 1, &err));
	OK(net_create(host, &s, ns, "web", &live, &err));
	assert_int_equal(link_get(host, "lxtphys0", &info), -ENODEV);
	inside(ns, configure, &p);
	net_destroy(host, NET_PHYS, &s, &live, ns);
	assert_int_equal(link_get(host, "lxtphys0", &info), 0);
	net_destroy(host, NET_PHYS, &s, &live, ns);
	assert_int_equal(link_get(host, "lxtphys0", &info), 0);
	link_delete(host, info.index);
	close(ns);
}

/* The host has an interface of the name which the moved one has inside: it is not touched. */
static void test_phys_same_name_on_host(void **state)
{
	struct net_spec s;
	struct net_live live;
	struct link_info bystander, after, info;
	int ns = new_netns();

	make_phys(&s, &info);
	OK2(link_create(host, &(struct link_new){ .kind = "veth",
						  .name = "lxteth",
						  .up = true,
						  .ns_fd = -1,
						  .peer_name = "lxteth1",
						  .peer_ns_fd = own_ns }));
	assert_int_equal(link_get(host, "lxteth", &bystander), 0);
	OK(net_create(host, &s, ns, "web", &live, &err));
	close(ns);
	net_destroy(host, NET_PHYS, &s, &live, -1);
	assert_int_equal(link_get(host, "lxteth", &after), 0);
	assert_int_equal(after.index, bystander.index);
	assert_true(after.flags & IFF_UP);
	link_delete(host, after.index);
	if (link_get(host, "lxtphys0", &info) == 0)
		link_delete(host, info.index);
	wait_gone("lxtphys1");
}

static int take_index(void *data)
{
	char index[16];

	snprintf(index, sizeof(index), "%d", *(int *)data);
	execlp("ip", "ip", "link", "add", "lxttaken", "index", index, "type", "bridge", NULL);
	return 127;
}

/* Its index is taken inside: it comes home all the same. */
static void test_phys_index_taken(void **state)
{
	struct net_spec s;
	struct net_live live;
	struct link_info info;
	int ns = new_netns();

	make_phys(&s, &info);
	inside(ns, take_index, &info.index);
	OK(net_create(host, &s, ns, "web", &live, &err));
	assert_true(live.host_index < 0);
	net_destroy(host, NET_PHYS, &s, &live, ns);
	assert_int_equal(link_get(host, "lxtphys0", &info), 0);
	link_delete(host, info.index);
	close(ns);
}

static int make_decoy(void *data)
{
	const struct net_live *live = data;
	struct netlink *nl;
	struct link_info info;

	if (netlink_open(&nl, NULL) < 0 || link_get(nl, live->name, &info) < 0 ||
	    link_rename(nl, info.index, "hidden") < 0)
		return 1;
	return link_create(nl, &(struct link_new){ .kind = "bridge",
						   .name = live->name,
						   .ns_fd = -1,
						   .peer_ns_fd = -1 }) < 0;
}

/* The guest renames the interface and puts one of its own in its place: that does not come home. */
static void test_phys_decoy(void **state)
{
	struct net_spec s;
	struct net_live live;
	struct link_info info;
	int ns = new_netns();

	make_phys(&s, &info);
	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, make_decoy, &live);
	net_destroy(host, NET_PHYS, &s, &live, ns);
	assert_int_equal(link_get(host, "lxtphys0", &info), 0);
	assert_string_equal(info.kind, "veth");
	link_delete(host, info.index);
	close(ns);
}

/* The bridge's own MAC does not follow its ports, nor its MTU: hosts live behind it. */
static void test_bridge_unmoved(void **state)
{
	struct net_spec s = veth_spec();
	struct link_info before, after;
	struct net_live live[8];
	int ns = new_netns();

	OK2(link_create(host, &(struct link_new){ .kind = "bridge",
						  .name = "lxtbr",
						  .up = true,
						  .ns_fd = -1,
						  .peer_ns_fd = -1 }));
	assert_int_equal(link_get(host, "lxtbr", &after), 0);
	/* One port, as the host's own network card is one. */
	OK2(link_create(host, &(struct link_new){ .kind = "veth",
						  .name = "lxtport",
						  .mac = (const uint8_t *)"\xc2\0\0\0\0\1",
						  .mtu = 9000,
						  .up = true,
						  .master = after.index,
						  .ns_fd = -1,
						  .peer_name = "lxtport1",
						  .peer_ns_fd = own_ns }));
	assert_int_equal(link_get(host, "lxtbr", &before), 0);
	assert_int_equal(before.mtu, 9000);
	snprintf(s.link, sizeof(s.link), "lxtbr");
	for (unsigned int i = 0; i < 8; i++) {
		s.index = i;
		s.mac[5] = (uint8_t)i;
		OK(net_create(host, &s, ns, "web", &live[i], &err));
		assert_int_equal(link_get(host, "lxtbr", &after), 0);
		assert_memory_equal(after.mac, before.mac, 6);
		assert_int_equal(after.mtu, before.mtu);
	}
	close(ns);
	wait_gone(live[7].host_name);
	assert_int_equal(link_get(host, "lxtport", &after), 0);
	link_delete(host, after.index);
	link_delete(host, before.index);
}

static void test_gateway_auto(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct pair p = { &s };
	int ns = new_netns();

	s.gw4_mode = s.gw6_mode = NET_GW_AUTO;
	OK(net_resolve(host, &s, 1, &err));
	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, configure, &p);
	inside(ns, ping_fn, (void *)(uintptr_t) "10.200.0.1");
	assert_int_equal(s.gw4_mode, NET_GW_ADDR);
	assert_true(s.gw4.v4.s_addr == conf.v4.v4.s_addr);
	assert_memory_equal(&s.gw6.v6, &conf.v6.v6, 16);
	close(ns);
	wait_gone(live.host_name);
}

static void sysctl_is(const char *path, const char *value)
{
	char text[16];

	assert_true(read_small(AT_FDCWD, path, text, sizeof(text)) > 0);
	assert_string_equal(text, value);
}

/* The host does not take routes from its containers' network. */
static void test_bridge_sysctls(void **state)
{
	sysctl_is("/proc/sys/net/ipv6/conf/lxmgrbr0/accept_ra", "0");
	sysctl_is("/proc/sys/net/ipv6/conf/lxmgrbr0/accept_dad", "0");
}

/* A pair whose name was asked for goes at once, also when the config is lost. */
static void test_veth_named(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct link_info info;

	snprintf(s.veth_pair, sizeof(s.veth_pair), "vethlxt0");
	for (int i = 0; i < 3; i++) {
		int ns = new_netns();

		OK(net_create(host, &s, ns, "web", &live, &err));
		assert_string_equal(live.host_name, "vethlxt0");
		net_destroy(host, NET_VETH, i == 2 ? NULL : &s, &live, ns);
		assert_int_equal(link_get(host, "vethlxt0", &info), -ENODEV);
		net_destroy(host, NET_VETH, &s, &live, -1);
		close(ns);
	}
}

/* VLANs that the bridge would not heed are refused, before anything is made. */
static void test_vlan_filtering(void **state)
{
	struct net_spec s = veth_spec();
	struct lxmgr_err err = { 0 };
	struct link_info info;
	struct net_live live;
	int ns = new_netns();

	s.veth_vlan_id = 7;
	snprintf(s.veth_pair, sizeof(s.veth_pair), "lxtv");
	assert_int_equal(net_create(host, &s, ns, "web", &live, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "lxmgr.net.0.veth.vlan.id"));
	assert_true(strstr(err.text, "type bridge vlan_filtering 1") ||
		    strstr(err.text, "it needs CONFIG_BRIDGE_VLAN_FILTERING"));
	s.veth_vlan_id = -1;
	s.veth_vlan_tagged[s.n_vlan_tagged++] = 8;
	assert_int_equal(net_create(host, &s, ns, "web", &live, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "lxmgr.net.0.veth.vlan.tagged.id"));
	assert_int_equal(link_get(host, "lxtv", &info), -ENODEV);
	snprintf(s.link, sizeof(s.link), "lo");
	assert_int_equal(net_create(host, &s, ns, "web", &live, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "no Linux bridge"));
	close(ns);
}

static void test_kernel_explains(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct lxmgr_err err = { 0 };
	int ns = new_netns();

	snprintf(s.veth_pair, sizeof(s.veth_pair), "lo");
	assert_int_equal(net_create(host, &s, ns, "web", &live, &err), -EEXIST);
	assert_non_null(strstr(err.text, "'lo' exists already"));
	assert_string_equal(live.host_name, "");
	close(ns);
}

static int answer_count(void)
{
	const char *argv[] = { "ip", "neigh", "show", "proxy", "dev", "lxtport0", NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	cleanup_strlist struct strlist lines = { 0 };

	o.capture = 4096;
	assert_int_equal(run_program(argv, &o, &out), 0);
	assert_int_equal(strlist_split(&lines, out, "\n"), 0);
	return (int)lines.n;
}

static void set_sysctl(const char *path, const char *value)
{
	assert_int_equal(write_small(AT_FDCWD, path, value), 0);
}

/* l2proxy: neighbours on the link reach the container, until it stops. */
static void test_l2proxy(void **state)
{
	struct net_spec s = veth_spec();
	struct net_live live;
	struct pair p = { &s };
	struct lxmgr_err why = { 0 };
	struct link_info info;
	int ns = new_netns();

	OK2(link_create(host, &(struct link_new){ .kind = "veth",
						  .name = "lxtport0",
						  .up = true,
						  .ns_fd = -1,
						  .peer_name = "lxtport1",
						  .peer_ns_fd = own_ns }));
	snprintf(s.link, sizeof(s.link), "lxtport0");
	s.veth_mode = NET_VETH_ROUTER;
	s.l2proxy = true;
	s.addr[0] = addr("10.201.0.9/32");
	s.addr[1] = addr("fd99::9/128");
	OK(net_check(&s, 1, &err));
	set_sysctl("/proc/sys/net/ipv4/conf/lxtport0/forwarding", "0");
	assert_int_equal(net_create(host, &s, ns, "web", &live, &why), -EINVAL);
	assert_non_null(strstr(why.text, "sysctl -w net.ipv4.conf.lxtport0.forwarding=1"));
	set_sysctl("/proc/sys/net/ipv4/conf/lxtport0/forwarding", "1");
	set_sysctl("/proc/sys/net/ipv6/conf/lxtport0/forwarding", "1");
	set_sysctl("/proc/sys/net/ipv6/conf/lxtport0/proxy_ndp", "0");
	assert_int_equal(net_create(host, &s, ns, "web", &live, &why), -EINVAL);
	assert_non_null(strstr(why.text, "sysctl -w net.ipv6.conf.lxtport0.proxy_ndp=1"));
	assert_string_equal(live.host_name, "");
	/* What failed halfway left nothing. */
	assert_int_equal(answer_count(), 0);
	set_sysctl("/proc/sys/net/ipv6/conf/lxtport0/proxy_ndp", "1");
	OK(net_create(host, &s, ns, "web", &live, &err));
	inside(ns, configure, &p);
	assert_int_equal(answer_count(), 2);
	net_destroy(host, NET_VETH, &s, &live, ns);
	assert_int_equal(answer_count(), 0);
	net_destroy(host, NET_VETH, &s, &live, -1);
	close(ns);
	wait_gone(live.host_name);
	OK2(link_get(host, "lxtport0", &info));
	link_delete(host, info.index);
}

/* Where it would do nothing it is refused. */
static void test_l2proxy_refused(void **state)
{
	static const enum net_type types[] = { NET_VETH, NET_IPVLAN, NET_MACVLAN, NET_PHYS,
					       NET_VLAN };
	struct net_spec s = veth_spec();
	struct lxmgr_err why = { 0 };

	s.l2proxy = true;
	s.has_mac = false;
	s.vlan_id = 7;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		s.type = types[i];
		assert_int_equal(net_check(&s, 1, &why), -EOPNOTSUPP);
		assert_non_null(strstr(why.text, "lxmgr.net.0.l2proxy"));
	}
	s.type = NET_IPVLAN;
	s.ipvlan_mode = NET_IPVLAN_L3S;
	OK(net_check(&s, 1, &err));
	s.type = NET_VETH;
	s.veth_mode = NET_VETH_ROUTER;
	s.link[0] = '\0';
	assert_int_equal(net_check(&s, 1, &why), -EINVAL);
	assert_non_null(strstr(why.text, "lxmgr.net.0.l2proxy"));
}

static int nat_answer = 1, nat_made;

int __wrap_firewall_nat_look(void);
int __wrap_firewall_nat_look(void)
{
	return nat_answer;
}

int __wrap_firewall_nat_ensure(struct lxmgr_err *err);
int __wrap_firewall_nat_ensure(struct lxmgr_err *err)
{
	nat_made++;
	return err_msg(err, -EIO, "make the NAT table: Operation not supported");
}

/* The bridge serves without NAT, and the notice says what would mend it. */
static void test_no_nat(void **state)
{
	struct bridge_conf c = conf;
	cleanup_free char *text = NULL;
	char path[] = "/tmp/lxmgr-test-net-XXXXXX";
	struct link_info info;
	int log = mkostemp(path, O_CLOEXEC);

	assert_true(log >= 0);
	c.nat = true;
	OK(bridge_ensure(host, &c, &err));
	assert_int_equal(nat_made, 0);
	log_to_fd(log, LOG_L_NOTICE, "");
	nat_answer = 0;
	OK(bridge_ensure(host, &c, &err));
	assert_int_equal(nat_made, 1);
	/* No nftables at all: nothing to ask the helper for. */
	nat_answer = -EPROTONOSUPPORT;
	OK(bridge_ensure(host, &c, &err));
	assert_int_equal(nat_made, 1);
	log_to_fd(-1, LOG_L_NOTICE, "");
	assert_int_equal(link_get(host, c.name, &info), 0);
	assert_true(info.flags & IFF_UP);
	OK2(read_file_at(AT_FDCWD, path, 65536, &text, NULL));
	assert_non_null(strstr(text, "Operation not supported; it needs modprobe -a nf_tables"));
	assert_non_null(strstr(text, "do not answer: Protocol not supported; it needs modprobe"));
	unlink(path);
	close(log);
}

static void test_remove(void **state)
{
	struct link_info info;

	OK(bridge_remove(host, &conf, &err));
	OK(bridge_remove(host, &conf, &err));
	assert_int_equal(link_get(host, conf.name, &info), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_veth),
		cmocka_unit_test(test_spoofed_frames),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_macvlan),
		cmocka_unit_test(test_phys),
		cmocka_unit_test(test_phys_same_name_on_host),
		cmocka_unit_test(test_phys_index_taken),
		cmocka_unit_test(test_phys_decoy),
		cmocka_unit_test(test_bridge_unmoved),
		cmocka_unit_test(test_gateway_auto),
		cmocka_unit_test(test_bridge_sysctls),
		cmocka_unit_test(test_veth_named),
		cmocka_unit_test(test_vlan_filtering),
		cmocka_unit_test(test_kernel_explains),
		cmocka_unit_test(test_l2proxy),
		cmocka_unit_test(test_l2proxy_refused),
		cmocka_unit_test(test_no_nat),
		cmocka_unit_test(test_remove),
	};

	if (geteuid() != 0) {
		printf("SKIP: network namespaces need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
