/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the program in the kernel (BPF_PROG_TEST_RUN) over hand-made packets; needs root. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/antispoof.h"
#include "kernel/bpfasm.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"

static const uint8_t own_mac[6] = { 0x10, 0x66, 0x6a, 1, 2, 3 };
static const uint8_t other_mac[6] = { 0x10, 0x66, 0x6a, 1, 2, 4 };
#define OWN4   "10.1.0.2"
#define OTHER4 "10.1.0.3"
#define OWN6   "fd00::2"
#define OTHER6 "fd00::3"
#define LL6    "fe80::1266:6aff:fe01:203"
#define BAD_LL "fe80::1266:6aff:fe01:204"

struct packet {
	uint8_t b[1024];
	size_t n;
};

static struct packet p;
static int prog = -1;
static bool keep_length;

static void put(const void *data, size_t len)
{
	memcpy(p.b + p.n, data, len);
	p.n += len;
}

static void put8(unsigned int v)
{
	p.b[p.n++] = (uint8_t)v;
}

static void put16(unsigned int v)
{
	put8(v >> 8);
	put8(v & 255);
}

static void put_ip(const char *text)
{
	uint8_t bytes[16];

	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bytes), 1);
	put(bytes, strchr(text, ':') ? 16 : 4);
}

static void eth(const uint8_t src[6], unsigned int type)
{
	p.n = 0;
	put("\xff\xff\xff\xff\xff\xff", 6);
	put(src, 6);
	put16(type);
}

static void arp(unsigned int op, const uint8_t sha[6], const char *spa)
{
	eth(own_mac, 0x0806);
	put16(1);
	put16(0x0800);
	put8(6);
	put8(4);
	put16(op);
	put(sha, 6);
	put_ip(spa);
	put("\0\0\0\0\0\0", 6);
	put_ip("10.1.0.1");
}

/* An IPv4 header with `options` words of options. */
static void ip4(const char *src, unsigned int proto, unsigned int frag, unsigned int options)
{
	eth(own_mac, 0x0800);
	put8(0x45 + options);
	put8(0);
	put16(28 + 4 * options);
	put16(7);
	put16(frag);
	put8(64);
	put8(proto);
	put16(0);
	put_ip(src);
	put_ip("10.1.0.1");
	for (unsigned int i = 0; i < options; i++)
		put("\1\1\1\1", 4);
}

static void udp(unsigned int sport, unsigned int dport)
{
	put16(sport);
	put16(dport);
	put16(8);
	put16(0);
}

/* The length is filled in by run(), unless keep_length is set. */
static void ip6(const char *src, unsigned int next)
{
	eth(own_mac, 0x86dd);
	put("\x60\0\0\0\0\0", 6);
	put8(next);
	put8(255);
	put_ip(src);
	put_ip("ff02::1");
}

static void icmp6(unsigned int type)
{
	put8(type);
	put8(0);
	put16(0);
	put16(0);
	put16(0);
}

static void link_option(unsigned int type, unsigned int len, const uint8_t mac[6])
{
	put8(type);
	put8(len);
	put(mac, 6);
}

static void neigh(const char *src, unsigned int type, const char *target)
{
	ip6(src, 58);
	icmp6(type);
	put_ip(target);
}

static void ext(unsigned int next, unsigned int words)
{
	put8(next);
	put8(words);
	put("\1\4\0\0\0\0", 6);
	for (unsigned int i = 0; i < words; i++)
		put("\1\6\0\0\0\0\0\0", 8);
}

static void fragment(unsigned int next, unsigned int offset_flags)
{
	put8(next);
	put8(0);
	put16(offset_flags);
	put("\0\0\0\1", 4);
}

static uint32_t run(void)
{
	union bpf_attr attr;

	if (!keep_length && p.b[12] == 0x86 && p.n >= 54) {
		p.b[18] = (uint8_t)((p.n - 54) >> 8);
		p.b[19] = (uint8_t)(p.n - 54);
	}
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.data_in = (uintptr_t)p.b;
	attr.test.data_size_in = (uint32_t)p.n;
	assert_int_equal(sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	return attr.test.retval;
}

#define passes() assert_int_equal((int)run(), TC_ACT_UNSPEC)
#define drops()	 assert_int_equal((int)run(), TC_ACT_SHOT)

static void load(const char *const *allow, size_t n, bool vlan)
{
	struct net_addr list[32];
	struct antispoof_spec s = { .allow = list, .n_allow = n, .vlan = vlan };
	struct lxmgr_err err = { 0 };

	memcpy(s.mac, own_mac, 6);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(net_addr_parse(allow[i], 0, &list[i], NULL), 0);
	if (prog >= 0)
		close(prog);
	prog = antispoof_load(&s, &err);
	if (prog < 0)
		print_message("%s\n", err.text);
	assert_true(prog >= 0);
}

static const char *const own[] = { OWN4 "/32", "10.7.0.0/16", OWN6 "/128", "fd77::/48" };

static int setup_own(void **state)
{
	load(own, ARRAY_SIZE(own), false);
	return 0;
}

static void test_ethernet(void **state)
{
	ip4(OWN4, 6, 0, 0);
	udp(1, 2);
	passes();
	memcpy(p.b + 6, other_mac, 6);
	drops();
	for (int i = 0; i < 6; i++) {
		memcpy(p.b + 6, own_mac, 6);
		p.b[6 + i] ^= 1;
		drops();
	}
	/* Other protocols: LLDP, 802.1X, VLAN in VLAN, PPPoE, an 802.3 length (spanning tree). */
	static const unsigned int types[] = { 0x88cc, 0x888e, 0x8100, 0x88a8, 0x8864, 38, 0x8035 };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		eth(own_mac, types[i]);
		put("\x42\x42\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 30);
		drops();
	}
}

static void test_arp(void **state)
{
	arp(1, own_mac, OWN4);
	passes();
	arp(2, own_mac, OWN4);
	passes();
	arp(2, own_mac, "10.7.3.4");
	passes();
	arp(1, own_mac, "0.0.0.0");
	passes();
	arp(2, own_mac, "0.0.0.0");
	drops();
	arp(1, own_mac, OTHER4);
	drops();
	arp(2, own_mac, "10.1.0.1");
	drops();
	arp(2, other_mac, OWN4);
	drops();
	for (int i = 0; i < 6; i++) {
		arp(2, own_mac, OWN4);
		p.b[22 + i] ^= 0x80;
		drops();
	}
	arp(3, own_mac, OWN4); /* reverse ARP */
	drops();
	arp(1, own_mac, OWN4);
	p.b[18] = 8; /* a length that shifts the fields */
	drops();
	arp(1, own_mac, OWN4);
	p.n -= 1;
	drops();
}

static void test_v4(void **state)
{
	static const unsigned int protos[] = { 1, 6, 17, 47, 50 };

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		ip4(OWN4, protos[i], 0, 0);
		udp(1000, 53);
		p.b[34] = protos[i] == 1 ? 8 : p.b[34];
		passes();
		memcpy(p.b + 26, "\x0a\x01\x00\x03", 4);
		drops();
	}
	ip4("10.7.255.1", 6, 0, 0);
	udp(1, 2);
	passes();
	ip4("10.8.0.1", 6, 0, 0);
	udp(1, 2);
	drops();
	ip4(OWN4, 6, 0, 0);
	p.b[14] = 0x44;
	drops();
	ip4(OWN4, 6, 0, 0);
	p.b[14] = 0x65;
	drops();
}

static void test_v4_control(void **state)
{
	ip4("0.0.0.0", 17, 0, 0);
	udp(68, 67);
	passes();
	ip4("0.0.0.0", 17, 0, 0);
	udp(68, 53);
	drops();
	ip4("0.0.0.0", 17, 1, 0);
	udp(68, 67);
	drops();
	ip4("0.0.0.0", 6, 0, 0);
	udp(68, 67);
	drops();
	ip4(OWN4, 17, 0, 0);
	udp(67, 68);
	drops();
	ip4(OWN4, 17, 0, 5); /* behind IP options */
	udp(67, 68);
	drops();
	ip4(OWN4, 17, 0x2000, 0); /* the first of several fragments */
	udp(67, 68);
	drops();
	ip4(OWN4, 17, 0x2005, 0);
	udp(67, 68);
	passes();
	ip4(OWN4, 17, 0, 10);
	drops(); /* no ports there */
	static const unsigned int bad_icmp[] = { 5, 9 };

	for (size_t i = 0; i < ARRAY_SIZE(bad_icmp); i++) {
		ip4(OWN4, 1, 0, 0);
		icmp6(bad_icmp[i]);
		drops();
	}
	ip4(OWN4, 2, 0, 1);
	icmp6(0x11);
	drops();
	ip4(OWN4, 2, 0, 1);
	icmp6(0x22);
	passes();
}

static void test_v6(void **state)
{
	static const struct {
		const char *src;
		bool ok;
	} cases[] = {
		{ OWN6, true },
		{ LL6, true },
		{ "fd77:0:0:9::1", true },
		{ OTHER6, false },
		{ BAD_LL, false },
		{ "fe80::1", false },
		{ "fd77:0:1::1", false },
		{ "::", false },
		{ "::1", false },
		{ "ff02::1", false },
		{ "fd00:0:1::2", false },
		{ "::ffff:10.1.0.2", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip6(cases[i].src, 6);
		udp(1, 2);
		assert_int_equal((int)run() == TC_ACT_UNSPEC, cases[i].ok);
		ip6(cases[i].src, 58);
		icmp6(128);
		assert_int_equal((int)run() == TC_ACT_UNSPEC, cases[i].ok);
	}
	ip6(OWN6, 6);
	p.b[14] = 0x40;
	drops();
	ip6(LL6, 17);
	udp(546, 547);
	passes();
	ip6(LL6, 17);
	udp(547, 546);
	drops();
}

static void test_v6_roles(void **state)
{
	static const unsigned int never[] = { 130, 134, 137, 138, 151 };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		neigh(LL6, never[i], OWN6);
		drops();
		/* Hidden behind extension headers. */
		ip6(LL6, 0);
		ext(60, 0);
		ext(43, 2);
		ext(58, 1);
		icmp6(never[i]);
		drops();
		/* In a fragment, and with the header in the second one. */
		ip6(LL6, 44);
		fragment(58, 1);
		icmp6(never[i]);
		drops();
		ip6(LL6, 44);
		fragment(60, 1);
		put("\x3a\x01\1\4\0\0\0\0", 8);
		drops();
	}
	ip6(LL6, 44);
	fragment(58, 0x10); /* a later fragment */
	icmp6(134);
	passes();
	ip6(OWN6, 60); /* more headers than are followed */
	for (int i = 0; i < 3; i++)
		ext(60, 0);
	ext(6, 0);
	udp(1, 2);
	drops();
	ip6(OWN6, 60);
	for (int i = 0; i < 2; i++)
		ext(60, 0);
	ext(6, 0);
	udp(1, 2);
	passes();
	ip6(OWN6, 60); /* longer than the packet */
	ext(6, 0);
	p.b[55] = 255;
	udp(1, 2);
	passes(); /* TCP somewhere behind the end: the receiver drops it */
	p.b[54] = 58;
	drops();
	for (unsigned int h = 135; h <= 140; h++) {
		ip6(OWN6, h);
		ext(58, 0);
		icmp6(134);
		assert_int_equal((int)run() == TC_ACT_SHOT, h == 135 || h >= 139);
	}
}

static void test_neighbours(void **state)
{
	neigh(OWN6, 135, OTHER6);
	link_option(1, 1, own_mac);
	passes();
	neigh(OWN6, 135, OTHER6);
	link_option(1, 1, other_mac);
	drops();
	neigh(OWN6, 135, OTHER6);
	link_option(14, 1, other_mac); /* a nonce */
	link_option(1, 1, other_mac);
	drops();
	neigh(OWN6, 135, OTHER6);
	for (int i = 0; i < 3; i++)
		link_option(14, 1, other_mac);
	passes();
	link_option(1, 1, other_mac); /* behind more options than are followed */
	drops();
	neigh(OWN6, 136, OWN6);
	link_option(2, 1, own_mac);
	passes();
	neigh(LL6, 136, LL6);
	link_option(2, 1, own_mac);
	passes();
	neigh(OWN6, 136, OWN6);
	passes();
	neigh(OWN6, 136, OTHER6);
	drops();
	neigh(OWN6, 136, "fe80::1");
	drops();
	neigh(OWN6, 136, OWN6);
	link_option(2, 1, other_mac);
	drops();
	neigh(OWN6, 136, OWN6);
	link_option(2, 2, own_mac);
	put("\0\0\0\0\0\0\0\0", 8);
	drops();
	neigh(OWN6, 136, OWN6);
	link_option(2, 0, own_mac);
	drops();
	neigh(OWN6, 136, OWN6);
	link_option(7, 3, own_mac); /* runs past the end */
	drops();
	ip6(LL6, 58);
	icmp6(133);
	link_option(1, 1, own_mac);
	passes();
	ip6(LL6, 58);
	icmp6(133);
	link_option(1, 1, other_mac);
	drops();
	/* Fragmented neighbour discovery. */
	ip6(OWN6, 44);
	fragment(58, 0);
	icmp6(136);
	put_ip(OWN6);
	drops();
	/* A first fragment that hides what it carries behind another header. */
	ip6(OWN6, 44);
	fragment(60, 1);
	ext(17, 0);
	udp(1, 2);
	drops();
	ip6(OWN6, 44);
	fragment(44, 1);
	fragment(17, 1);
	udp(1, 2);
	drops();
	ip6(OWN6, 44);
	fragment(58, 1);
	icmp6(128);
	passes();
	ip6(OWN6, 44);
	fragment(17, 1);
	udp(547, 546);
	drops();
	ip6(OWN6, 44);
	fragment(17, 1);
	udp(1, 2);
	passes();
}

static void test_dad(void **state)
{
	neigh("::", 135, OWN6);
	passes();
	neigh("::", 135, LL6);
	link_option(14, 1, other_mac);
	passes();
	neigh("::", 135, OTHER6);
	drops();
	neigh("::", 135, "fe80::1");
	drops();
	neigh("::", 136, OWN6);
	drops();
	ip6("::", 58);
	icmp6(133);
	passes();
	ip6("::", 58);
	icmp6(143);
	passes();
	ip6("::", 0);
	ext(58, 0);
	icmp6(143);
	passes();
	ip6("::", 58);
	icmp6(128);
	drops();
	ip6("::", 17);
	udp(546, 547);
	drops();
	ip6("::", 44);
	fragment(17, 0x10);
	udp(1, 1);
	drops();
}

static void test_lists(void **state)
{
	static const char *const only4[] = { OWN4 "/32" };
	static const char *const only6[] = { OWN6 "/128" };
	static const char *const any[] = { "0.0.0.0/0", "::/0", "fd00::/65" };

	load(NULL, 0, false); /* the guest finds its own addresses */
	ip4(OTHER4, 6, 0, 0);
	udp(1, 2);
	passes();
	ip4(OTHER4, 17, 0, 0);
	udp(67, 2);
	drops();
	ip6(BAD_LL, 6);
	passes();
	arp(2, own_mac, OTHER4);
	passes();
	arp(2, other_mac, OTHER4);
	drops();
	neigh("::", 135, OTHER6);
	passes();
	neigh(OTHER6, 134, OTHER6);
	drops();
	load(only4, 1, false);
	ip6(OWN6, 6);
	drops();
	ip6(LL6, 6);
	passes();
	load(only6, 1, false);
	ip4(OWN4, 6, 0, 0);
	drops();
	arp(2, own_mac, OWN4);
	drops();
	ip6(OWN6, 6);
	passes();
	load(any, 3, false);
	ip4(OTHER4, 6, 0, 0);
	passes();
	ip6(BAD_LL, 6);
	passes();
}

/* What is cut inside a header is dropped. (The kernel does not run a test on less than the IP
 * header.) */
static void test_cut(void **state)
{
	struct packet whole;

	neigh(OWN6, 136, OWN6);
	link_option(2, 1, own_mac);
	passes();
	whole = p;
	keep_length = true;
	for (size_t n = 54; n < whole.n; n++) {
		p = whole;
		p.n = n;
		drops();
	}
	keep_length = false;
}

static void test_assemble(void **state)
{
	static struct bpfasm a;
	struct net_addr list[32];
	struct antispoof_spec s = { .allow = list, .n_allow = 32 };
	int n;

	memcpy(s.mac, own_mac, 6);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(net_addr_parse("fd00::/47", 0, &list[i], NULL), 0);
	n = antispoof_assemble(&s, &a);
	assert_true(n > 500 && n < BPFASM_MAX);
	for (int i = 0; i < n; i++)
		if (a.jumps[i])
			assert_in_range(i + 1 + a.insn[i].off, 0, (uintmax_t)n - 1);
	bpfasm_init(&a, 1);
	bpf_goto(&a, 0);
	assert_int_equal(bpfasm_link(&a), -EINVAL);
	for (int i = 0; i <= BPFASM_MAX; i++)
		bpf_exit(&a);
	assert_int_equal(bpfasm_link(&a), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest pure[] = { cmocka_unit_test(test_assemble) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ethernet, setup_own),
		cmocka_unit_test_setup(test_arp, setup_own),
		cmocka_unit_test_setup(test_v4, setup_own),
		cmocka_unit_test_setup(test_v4_control, setup_own),
		cmocka_unit_test_setup(test_v6, setup_own),
		cmocka_unit_test_setup(test_v6_roles, setup_own),
		cmocka_unit_test_setup(test_neighbours, setup_own),
		cmocka_unit_test_setup(test_dad, setup_own),
		cmocka_unit_test_setup(test_cut, setup_own),
		cmocka_unit_test(test_lists),
	};
	int r = cmocka_run_group_tests(pure, NULL, NULL);

	if (r)
		return r;
	if (geteuid() != 0) {
		printf("SKIP: loading BPF programs needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
