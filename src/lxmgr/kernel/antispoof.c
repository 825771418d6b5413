/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/antispoof.h"
#include "kernel/bpfasm.h"
#include "kernel/netlink_msg.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"

/* Real packets have one or two of each; every one more makes loading the program slower. */
#define EXT_MAX	    3 /* extension headers that are followed */
#define OPTIONS_MAX 3 /* options of a neighbour discovery message */
#define PROG_NAME   "lxmgr_antispoof"

#define ICMP6_MLD_QUERY	  130
#define ICMP6_MLD2_REPORT 143
#define ICMP6_RENUMBER	  138
#define ICMP6_MRD_ADVERT  151
#define IGMP_QUERY	  0x11
#define IGMP_MRD_ADVERT	  0x30
#define ICMP4_ROUTER_ADV  9
#define IP6_MOBILITY	  135
#define IP6_HIP		  139
#define IP6_SHIM6	  140

/*
 * Registers that survive calls. The packet is only read through bpf_skb_load_bytes(), which
 * copes with paged buffers and fails at the end of the packet: then the packet is dropped.
 */
enum {
	R_RET = BPF_REG_0,
	R_A = BPF_REG_1,
	R_B = BPF_REG_2,
	R_C = BPF_REG_3,
	R_D = BPF_REG_4,
	R_CTX = BPF_REG_6,
	R_OFF = BPF_REG_7,   /* offset of the header that is looked at */
	R_SRC = BPF_REG_8,   /* IPv4: the source address */
	R_PROTO = BPF_REG_9, /* protocol; in neighbour discovery the end of the packet */
	R_FP = BPF_REG_10,
};

/* Places on the stack. */
enum {
	S_ETH = -16, /* 14 bytes */
	S_IP = -64,  /* up to 40 bytes */
	S_BUF = -80, /* the header or option that is looked at */
	S_TARGET = -96,
};

/* Fixed labels. */
enum {
	L_DROP,
	L_PASS,
	L_ARP,
	L_V4,
	L_V6,
	L_V6_FRAGMENT,
	L_V6_UPPER,
	L_ICMP6,
	L_ND_OPTIONS,
	LABELS
};

static uint32_t get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t get64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static uint16_t get16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return v;
}

/* Copy len bytes of the packet at R_OFF + off to the stack, or drop the packet. */
static void read_at_off(struct bpfasm *a, int off, int16_t stack, int len)
{
	bpf_mov_reg(a, R_A, R_CTX);
	bpf_mov_reg(a, R_B, R_OFF);
	bpf_alu_imm(a, BPF_ADD, R_B, off);
	bpf_mov_reg(a, R_C, R_FP);
	bpf_alu_imm(a, BPF_ADD, R_C, stack);
	bpf_mov_imm(a, R_D, len);
	bpf_call(a, BPF_FUNC_skb_load_bytes);
	bpf_jmp_imm(a, BPF_JNE, R_RET, 0, L_DROP);
}

static void load_stack(struct bpfasm *a, int size, int dst, int stack)
{
	bpf_load(a, size, dst, R_FP, (int16_t)stack);
}

/* Drop the packet unless the MAC on the stack (aligned to 2 but not to 4, or the other way
 * round: first_size says which part comes first) is the container's. */
static void require_mac(struct bpfasm *a, int stack, int first_size, const uint8_t mac[6])
{
	int first = first_size == BPF_H ? 2 : 4;

	load_stack(a, BPF_H, R_A, first == 2 ? stack : stack + 4);
	bpf_jmp32_imm(a, BPF_JNE, R_A, get16(first == 2 ? mac : mac + 4), L_DROP);
	load_stack(a, BPF_W, R_A, first == 2 ? stack + 2 : stack);
	bpf_jmp32_imm(a, BPF_JNE, R_A, (int32_t)get32(first == 2 ? mac + 2 : mac), L_DROP);
}

/* Go to `ok` if the IPv4 address in reg is one of the container's, else drop. Uses R_B. */
static void match_v4(struct bpfasm *a, const struct antispoof_spec *s, int reg, unsigned int ok)
{
	for (size_t i = 0; i < s->n_allow; i++) {
		const struct net_addr *n = &s->allow[i];
		uint32_t mask;

		if (n->family != AF_INET)
			continue;
		mask = n->prefix ? htonl(0xffffffffU << (32 - n->prefix)) : 0;
		bpf_mov_reg(a, R_B, reg);
		bpf_alu32_imm(a, BPF_AND, R_B, (int32_t)mask);
		bpf_jmp32_imm(a, BPF_JEQ, R_B, (int32_t)(n->v4.s_addr & mask), ok);
	}
	bpf_goto(a, s->n_allow ? L_DROP : ok);
}

/* Compare `bits` bits of reg with value; go to `no` if they differ. Uses R_C and R_D. */
static void compare_half(struct bpfasm *a, int reg, uint64_t value, int bits, unsigned int no)
{
	uint64_t mask = htobe64(bits >= 64 ? ~0ULL : bits > 0 ? ~0ULL << (64 - bits) : 0);

	bpf_mov_reg(a, R_C, reg);
	if (bits < 64) {
		bpf_mov64_const(a, R_D, mask);
		bpf_alu_reg(a, BPF_AND, R_C, R_D);
	}
	bpf_mov64_const(a, R_D, value & mask);
	bpf_jmp_reg(a, BPF_JNE, R_C, R_D, no);
}

/* Go to `ok` if the IPv6 address on the stack is one of the container's, else drop. */
static void match_v6(struct bpfasm *a, const struct antispoof_spec *s, int stack, unsigned int ok)
{
	struct net_addr local = { .family = AF_INET6, .prefix = 128 };
	uint8_t *ll = local.v6.s6_addr;

	if (!s->n_allow) {
		bpf_goto(a, ok);
		return;
	}
	ll[0] = 0xfe;
	ll[1] = 0x80;
	memcpy(ll + 8, s->mac, 3);
	ll[8] ^= 2;
	ll[11] = 0xff;
	ll[12] = 0xfe;
	memcpy(ll + 13, s->mac + 3, 3);

	load_stack(a, BPF_DW, R_A, stack);
	load_stack(a, BPF_DW, R_B, stack + 8);
	for (size_t i = 0; i <= s->n_allow; i++) {
		const struct net_addr *n = i < s->n_allow ? &s->allow[i] : &local;
		unsigned int next;

		if (n->family != AF_INET6)
			continue;
		next = bpfasm_label(a);
		compare_half(a, R_A, get64(n->v6.s6_addr), n->prefix, next);
		if (n->prefix > 64)
			compare_half(a, R_B, get64(n->v6.s6_addr + 8), n->prefix - 64, next);
		bpf_goto(a, ok);
		bpfasm_place(a, next);
	}
	bpf_goto(a, L_DROP);
}

static void ethernet(struct bpfasm *a, const struct antispoof_spec *s)
{
	bpf_mov_reg(a, R_CTX, R_A);
	bpf_mov_imm(a, R_OFF, 0);
	if (!s->vlan) {
		bpf_load(a, BPF_W, R_A, R_CTX, offsetof(struct __sk_buff, vlan_present));
		bpf_jmp32_imm(a, BPF_JNE, R_A, 0, L_DROP);
	}
	read_at_off(a, 0, S_ETH, ETH_HLEN);
	require_mac(a, S_ETH + 6, BPF_H, s->mac);
	bpf_mov_imm(a, R_OFF, ETH_HLEN);
	load_stack(a, BPF_H, R_A, S_ETH + 12);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, htons(ETH_P_IP), L_V4);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, htons(ETH_P_IPV6), L_V6);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, htons(ETH_P_ARP), L_ARP);
	bpf_goto(a, L_DROP);
}

static void arp(struct bpfasm *a, const struct antispoof_spec *s)
{
	static const uint8_t kind[6] = { 0, 1, 0x08, 0x00, 6, 4 }; /* Ethernet, IPv4, lengths */
	unsigned int reply = bpfasm_label(a);

	bpfasm_place(a, L_ARP);
	read_at_off(a, 0, S_IP, 16);
	load_stack(a, BPF_W, R_A, S_IP);
	bpf_jmp32_imm(a, BPF_JNE, R_A, (int32_t)get32(kind), L_DROP);
	load_stack(a, BPF_H, R_A, S_IP + 4);
	bpf_jmp32_imm(a, BPF_JNE, R_A, get16(kind + 4), L_DROP);
	require_mac(a, S_IP + 8, BPF_W, s->mac);
	/* The sender's address stands where a word cannot be read from the stack. */
	read_at_off(a, 14, S_BUF, 4);
	read_at_off(a, 24, S_BUF + 8, 4); /* it is all there */
	load_stack(a, BPF_H, R_B, S_IP + 6);
	load_stack(a, BPF_W, R_A, S_BUF);
	bpf_jmp32_imm(a, BPF_JEQ, R_B, htons(2), reply);
	bpf_jmp32_imm(a, BPF_JNE, R_B, htons(1), L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, 0, L_PASS);
	bpfasm_place(a, reply);
	match_v4(a, s, R_A, L_PASS);
}

/* Behind the IPv4 header of a packet that has one at R_OFF. R_SRC is the source address. */
static void v4_upper(struct bpfasm *a)
{
	unsigned int udp = bpfasm_label(a), icmp = bpfasm_label(a), igmp = bpfasm_label(a);

	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_UDP, udp);
	bpf_jmp32_imm(a, BPF_JEQ, R_SRC, 0, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_ICMP, icmp);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_IGMP, igmp);
	bpf_goto(a, L_PASS);

	bpfasm_place(a, udp);
	read_at_off(a, 0, S_BUF, 4);
	load_stack(a, BPF_H, R_A, S_BUF);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, htons(67), L_DROP);
	bpf_jmp32_imm(a, BPF_JNE, R_SRC, 0, L_PASS);
	bpf_jmp32_imm(a, BPF_JNE, R_A, htons(68), L_DROP);
	load_stack(a, BPF_H, R_A, S_BUF + 2);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, htons(67), L_PASS);
	bpf_goto(a, L_DROP);

	bpfasm_place(a, icmp);
	read_at_off(a, 0, S_BUF, 2);
	load_stack(a, BPF_B, R_A, S_BUF);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, ICMP_REDIRECT, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, ICMP4_ROUTER_ADV, L_DROP);
	bpf_goto(a, L_PASS);

	bpfasm_place(a, igmp);
	read_at_off(a, 0, S_BUF, 2);
	load_stack(a, BPF_B, R_A, S_BUF);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, IGMP_QUERY, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, IGMP_MRD_ADVERT, L_DROP);
	bpf_goto(a, L_PASS);
}

static void v4(struct bpfasm *a, const struct antispoof_spec *s)
{
	unsigned int ours = bpfasm_label(a), first = bpfasm_label(a);

	bpfasm_place(a, L_V4);
	read_at_off(a, 0, S_IP, 20);
	load_stack(a, BPF_B, R_A, S_IP);
	bpf_jmp32_imm(a, BPF_JLT, R_A, 0x45, L_DROP);
	bpf_jmp32_imm(a, BPF_JGT, R_A, 0x4f, L_DROP);
	bpf_alu_imm(a, BPF_AND, R_A, 15);
	bpf_alu_imm(a, BPF_LSH, R_A, 2);
	bpf_alu_reg(a, BPF_ADD, R_OFF, R_A);
	load_stack(a, BPF_B, R_PROTO, S_IP + 9);
	load_stack(a, BPF_W, R_SRC, S_IP + 12);
	bpf_jmp32_imm(a, BPF_JEQ, R_SRC, 0, ours);
	match_v4(a, s, R_SRC, ours);
	bpfasm_place(a, ours);
	load_stack(a, BPF_H, R_A, S_IP + 6);
	bpf_be16(a, R_A);
	bpf_alu_imm(a, BPF_AND, R_A, IP_OFFMASK);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, 0, first);
	/* What comes behind the first 8 bytes cannot change the ports and types in them. */
	bpf_jmp32_imm(a, BPF_JNE, R_SRC, 0, L_PASS);
	bpf_goto(a, L_DROP);
	bpfasm_place(a, first);
	v4_upper(a);
}

/* Go to label if the source is ::. Not kept as a flag in a register: the verifier would then walk
 * all that follows once for each value (2 ms instead of 0.3). */
static void if_unspecified(struct bpfasm *a, unsigned int label)
{
	load_stack(a, BPF_DW, R_A, S_IP + 8);
	load_stack(a, BPF_DW, R_B, S_IP + 16);
	bpf_alu_reg(a, BPF_OR, R_A, R_B);
	bpf_jmp_imm(a, BPF_JEQ, R_A, 0, label);
}

/* Go to label if R_PROTO is an extension header that has type, length and contents. */
static void if_extension(struct bpfasm *a, unsigned int label)
{
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_HOPOPTS, label);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_ROUTING, label);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_DSTOPTS, label);
}

/* One step along the extension headers; leads to `next`, or to what comes behind them. */
static void v6_extension(struct bpfasm *a, unsigned int next)
{
	unsigned int option = bpfasm_label(a);

	if_extension(a, option);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_FRAGMENT, L_V6_FRAGMENT);
	bpf_goto(a, L_V6_UPPER);
	bpfasm_place(a, option);
	read_at_off(a, 0, S_BUF, 2);
	load_stack(a, BPF_B, R_PROTO, S_BUF);
	load_stack(a, BPF_B, R_A, S_BUF + 1);
	bpf_alu_imm(a, BPF_ADD, R_A, 1);
	bpf_alu_imm(a, BPF_LSH, R_A, 3);
	bpf_alu_reg(a, BPF_ADD, R_OFF, R_A);
	bpf_goto(a, next);
}

/* ICMPv6 types of routers and switches, which a container is neither of: go to L_DROP. */
static void drop_router_types(struct bpfasm *a, int reg)
{
	static const uint8_t never[] = { ND_ROUTER_ADVERT, ND_REDIRECT, ICMP6_MLD_QUERY,
					 ICMP6_RENUMBER, ICMP6_MRD_ADVERT };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		bpf_jmp32_imm(a, BPF_JEQ, reg, never[i], L_DROP);
}

/* Fragments: no neighbour discovery (RFC 6980), and in the first one the upper header right behind
 * the fragment header. */
static void v6_fragment(struct bpfasm *a)
{
	unsigned int first = bpfasm_label(a);

	bpfasm_place(a, L_V6_FRAGMENT);
	if_unspecified(a, L_DROP);
	read_at_off(a, 0, S_BUF, 8);
	load_stack(a, BPF_H, R_A, S_BUF + 2);
	bpf_be16(a, R_A);
	bpf_jmp32_imm(a, BPF_JLT, R_A, 8, first);
	/* A later fragment does no harm without its first. */
	bpf_goto(a, L_PASS);
	bpfasm_place(a, first);
	load_stack(a, BPF_B, R_PROTO, S_BUF);
	bpf_alu_imm(a, BPF_ADD, R_OFF, 8);
	if_extension(a, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_FRAGMENT, L_DROP);
	bpf_jmp32_imm(a, BPF_JNE, R_PROTO, IPPROTO_ICMPV6, L_V6_UPPER);
	read_at_off(a, 0, S_BUF, 4);
	load_stack(a, BPF_B, R_A, S_BUF);
	drop_router_types(a, R_A);
	bpf_jmp32_imm(a, BPF_JLT, R_A, ND_ROUTER_SOLICIT, L_PASS);
	bpf_jmp32_imm(a, BPF_JGT, R_A, ND_REDIRECT, L_PASS);
	bpf_goto(a, L_DROP);
}

static void v6(struct bpfasm *a, const struct antispoof_spec *s)
{
	unsigned int walk = bpfasm_label(a);

	bpfasm_place(a, L_V6);
	read_at_off(a, 0, S_IP, 40);
	load_stack(a, BPF_B, R_A, S_IP);
	bpf_alu_imm(a, BPF_RSH, R_A, 4);
	bpf_jmp32_imm(a, BPF_JNE, R_A, 6, L_DROP);
	load_stack(a, BPF_B, R_PROTO, S_IP + 6);
	bpf_alu_imm(a, BPF_ADD, R_OFF, 40);
	if_unspecified(a, walk);
	match_v6(a, s, S_IP + 8, walk);
	bpfasm_place(a, walk);
	for (int i = 0; i < EXT_MAX; i++) {
		unsigned int next = bpfasm_label(a);

		v6_extension(a, next);
		bpfasm_place(a, next);
	}
	if_extension(a, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_FRAGMENT, L_V6_FRAGMENT);
	bpf_goto(a, L_V6_UPPER);
}

static void v6_upper(struct bpfasm *a)
{
	bpfasm_place(a, L_V6_UPPER);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IPPROTO_ICMPV6, L_ICMP6);
	if_unspecified(a, L_DROP);
	/* Headers that a guest may step over and we do not. */
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IP6_MOBILITY, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IP6_HIP, L_DROP);
	bpf_jmp32_imm(a, BPF_JEQ, R_PROTO, IP6_SHIM6, L_DROP);
	bpf_jmp32_imm(a, BPF_JNE, R_PROTO, IPPROTO_UDP, L_PASS);
	read_at_off(a, 0, S_BUF, 4);
	load_stack(a, BPF_H, R_A, S_BUF);
	bpf_jmp32_imm(a, BPF_JEQ, R_A, htons(547), L_DROP);
	bpf_goto(a, L_PASS);
}

static void icmp6(struct bpfasm *a, const struct antispoof_spec *s)
{
	unsigned int rs = bpfasm_label(a), ns = bpfasm_label(a), na = bpfasm_label(a);
	unsigned int own_target = bpfasm_label(a), to_options = bpfasm_label(a);

	bpfasm_place(a, L_ICMP6);
	read_at_off(a, 0, S_BUF, 4);
	load_stack(a, BPF_B, R_C, S_BUF);
	drop_router_types(a, R_C);
	bpf_jmp32_imm(a, BPF_JEQ, R_C, ND_ROUTER_SOLICIT, rs);
	bpf_jmp32_imm(a, BPF_JEQ, R_C, ND_NEIGHBOR_SOLICIT, ns);
	bpf_jmp32_imm(a, BPF_JEQ, R_C, ND_NEIGHBOR_ADVERT, na);
	bpf_jmp32_imm(a, BPF_JEQ, R_C, ICMP6_MLD2_REPORT, L_PASS);
	bpf_jmp32_imm(a, BPF_JEQ, R_C, MLD_LISTENER_REPORT, L_PASS);
	bpf_jmp32_imm(a, BPF_JEQ, R_C, MLD_LISTENER_REDUCTION, L_PASS);
	if_unspecified(a, L_DROP);
	bpf_goto(a, L_PASS);

	bpfasm_place(a, rs);
	bpf_alu_imm(a, BPF_ADD, R_OFF, 8);
	bpf_goto(a, L_ND_OPTIONS);

	bpfasm_place(a, ns);
	read_at_off(a, 8, S_TARGET, 16);
	if_unspecified(a, own_target);
	bpf_goto(a, to_options);

	bpfasm_place(a, na);
	if_unspecified(a, L_DROP);
	read_at_off(a, 8, S_TARGET, 16);
	bpfasm_place(a, own_target);
	match_v6(a, s, S_TARGET, to_options);
	bpfasm_place(a, to_options);
	bpf_alu_imm(a, BPF_ADD, R_OFF, 24);
	bpf_goto(a, L_ND_OPTIONS);
}

/* Walk the options of a neighbour discovery message up to the end the IPv6 header gives. */
static void nd_options(struct bpfasm *a, const struct antispoof_spec *s)
{
	bpfasm_place(a, L_ND_OPTIONS);
	load_stack(a, BPF_H, R_PROTO, S_IP + 4);
	bpf_be16(a, R_PROTO);
	bpf_alu_imm(a, BPF_ADD, R_PROTO, ETH_HLEN + 40);
	bpf_load(a, BPF_W, R_A, R_CTX, offsetof(struct __sk_buff, len));
	bpf_jmp_reg(a, BPF_JGT, R_PROTO, R_A, L_DROP);
	for (int i = 0; i < OPTIONS_MAX; i++) {
		unsigned int link = bpfasm_label(a), next = bpfasm_label(a);

		bpf_jmp_reg(a, BPF_JEQ, R_OFF, R_PROTO, L_PASS);
		bpf_jmp_reg(a, BPF_JGT, R_OFF, R_PROTO, L_DROP);
		read_at_off(a, 0, S_BUF, 8);
		load_stack(a, BPF_B, R_B, S_BUF + 1);
		bpf_jmp32_imm(a, BPF_JEQ, R_B, 0, L_DROP);
		bpf_alu_imm(a, BPF_LSH, R_B, 3);
		bpf_alu_reg(a, BPF_ADD, R_OFF, R_B);
		load_stack(a, BPF_B, R_A, S_BUF);
		bpf_jmp32_imm(a, BPF_JEQ, R_A, ND_OPT_SOURCE_LINKADDR, link);
		bpf_jmp32_imm(a, BPF_JNE, R_A, ND_OPT_TARGET_LINKADDR, next);
		bpfasm_place(a, link);
		bpf_jmp32_imm(a, BPF_JNE, R_B, 8, L_DROP);
		require_mac(a, S_BUF + 2, BPF_H, s->mac);
		bpfasm_place(a, next);
	}
	bpf_jmp_reg(a, BPF_JEQ, R_OFF, R_PROTO, L_PASS);
	bpf_goto(a, L_DROP);
}

int antispoof_assemble(const struct antispoof_spec *s, struct bpfasm *a)
{
	bpfasm_init(a, LABELS);
	ethernet(a, s);
	arp(a, s);
	v4(a, s);
	v6(a, s);
	v6_fragment(a);
	v6_upper(a);
	icmp6(a, s);
	nd_options(a, s);
	/* Not TC_ACT_OK: filters behind ours (shaping) have their turn. */
	bpfasm_place(a, L_PASS);
	bpf_mov_imm(a, R_RET, TC_ACT_UNSPEC);
	bpf_exit(a);
	bpfasm_place(a, L_DROP);
	bpf_mov_imm(a, R_RET, TC_ACT_SHOT);
	bpf_exit(a);
	return bpfasm_link(a);
}

int antispoof_load(const struct antispoof_spec *s, struct lxmgr_err *err)
{
	cleanup_free struct bpfasm *a = malloc(sizeof(*a));
	union bpf_attr attr;
	int r;

	if (!a)
		return err_set(err, -ENOMEM, "anti-spoofing program");
	r = antispoof_assemble(s, a);
	if (r < 0)
		return err_set(err, r, "anti-spoofing program");
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)a->insn;
	attr.insn_cnt = (uint32_t)r;
	attr.license = (uintptr_t) "LGPL";
	memcpy(attr.prog_name, PROG_NAME, sizeof(PROG_NAME));
	r = sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	if (r < 0)
		return err_set(err, r, "load the anti-spoofing program");
	return r;
}

int antispoof_attach(struct netlink *nl, int ifindex, int program, struct lxmgr_err *err)
{
	struct nlattr *opt;
	struct nl_msg *m;
	int r;

	r = netlink_talk(nl, netlink_tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex,
					    TC_H_MAKE(TC_H_CLSACT, 0), TC_H_CLSACT, 0, "clsact"));
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "make the filter point of anti-spoofing");
	m = netlink_tc_msg(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, 0,
			   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
			   TC_H_MAKE(1U << 16, htons(ETH_P_ALL)), "bpf");
	opt = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;
	if (!opt || nla_put_u32(m, TCA_BPF_FD, (uint32_t)program) < 0 ||
	    nla_put_string(m, TCA_BPF_NAME, PROG_NAME) < 0 ||
	    nla_put_u32(m, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT) < 0) {
		nlmsg_free(m);
		return err_set(err, -ENOMEM, "anti-spoofing");
	}
	nla_nest_end(m, opt);
	r = netlink_talk(nl, m);
	return r < 0 ? err_set(err, r, "attach the anti-spoofing program") : 0;
}

static int find_program(struct nlmsghdr *h, void *data)
{
	struct nlattr *attr, *sub;
	bool *found = data;
	int rem, rem2;

	nlmsg_for_each_attr (attr, h, sizeof(struct tcmsg), rem) {
		if (nla_type(attr) != TCA_OPTIONS)
			continue;
		nla_for_each_nested (sub, attr, rem2)
			if (nla_type(sub) == TCA_BPF_NAME &&
			    !strcmp(nla_get_string(sub), PROG_NAME))
				*found = true;
	}
	return 0;
}

bool antispoof_is_on(struct netlink *nl, int ifindex)
{
	bool found = false;

	return netlink_dump(nl,
			    netlink_tc_msg(RTM_GETTFILTER, 0, ifindex, 0,
					   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), 0, NULL),
			    find_program, &found) == 0 &&
	       found;
}
