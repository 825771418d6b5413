/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/antispoof.h"
#include "kernel/bpf_asm.h"
#include "kernel/netlink_msg.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"

#define PROGRAM_NAME "lxmgr_antispoof"
#define MAX_INSNS    1024

/* Where execution goes on: jumps are emitted with a label and resolved at the end. */
enum label {
	L_DROP,
	L_PASS,
	L_ARP,
	L_V4,
	L_V4_SRC_OK,
	L_V6,
	L_V6_SRC_OK,
	L_V6_SRC_ANY,
	L_V6_NEXT,
	L_V6_EXT1,
	L_V6_EXT2,
	L_V6_UPPER,
	L_V6_FRAG,
	L_ICMP6,
	L_NS,
	L_NA,
	L_ND_OPT,
	L_V6_UDP,
	L_TARGET_OK,
	L_COUNT
};

struct prog {
	struct bpf_insn insn[MAX_INSNS];
	uint8_t label[MAX_INSNS]; /* label + 1 of a jump, 0: none */
	int at[L_COUNT];
	size_t n;
};

static void emit(struct prog *p, struct bpf_insn i)
{
	if (p->n < MAX_INSNS)
		p->insn[p->n++] = i;
}

static void here(struct prog *p, enum label l)
{
	p->at[l] = (int)p->n;
}

static void jump(struct prog *p, struct bpf_insn i, enum label l)
{
	if (p->n < MAX_INSNS)
		p->label[p->n] = (uint8_t)(l + 1);
	emit(p, i);
}

/* 32 bits wide: an immediate of the 64-bit kind would be sign-extended. */
static void jump_if(struct prog *p, int op, int reg, uint32_t value, enum label l)
{
	jump(p, BPF_INSN((uint8_t)(BPF_JMP32 | op | BPF_K), (uint8_t)reg, 0, 0, (int32_t)value), l);
}

static void go(struct prog *p, enum label l)
{
	jump(p, BPF_GOTO(0), l);
}

/* Copy len bytes of the packet at r7 + off to the stack; a short packet is dropped. */
static void load(struct prog *p, int off, int stack, int len)
{
	emit(p, BPF_MOV_REG(BPF_REG_1, BPF_REG_6));
	emit(p, BPF_MOV_REG(BPF_REG_2, BPF_REG_7));
	emit(p, BPF_ALU_IMM(BPF_ADD, BPF_REG_2, off));
	emit(p, BPF_MOV_REG(BPF_REG_3, BPF_REG_10));
	emit(p, BPF_ALU_IMM(BPF_ADD, BPF_REG_3, stack));
	emit(p, BPF_MOV_IMM(BPF_REG_4, len));
	emit(p, BPF_CALL_FN(BPF_FUNC_skb_load_bytes));
	jump_if(p, BPF_JNE, BPF_REG_0, 0, L_DROP);
}

static void field(struct prog *p, int reg, uint8_t size, int stack)
{
	emit(p, BPF_LOAD(size, (uint8_t)reg, BPF_REG_10, (int16_t)stack));
}

static uint32_t word(const void *b)
{
	uint32_t v;

	memcpy(&v, b, 4);
	return v;
}

static uint32_t half(const void *b)
{
	uint16_t v;

	memcpy(&v, b, 2);
	return v;
}

/* Drop unless the six bytes at stack (aligned) are the MAC. */
static void want_mac(struct prog *p, int stack, const uint8_t mac[6])
{
	field(p, BPF_REG_1, BPF_W, stack);
	jump_if(p, BPF_JNE, BPF_REG_1, word(mac), L_DROP);
	field(p, BPF_REG_1, BPF_H, stack + 4);
	jump_if(p, BPF_JNE, BPF_REG_1, half(mac + 4), L_DROP);
}

/* Go to l if the 16 bytes at stack are a. */
static void if_v6(struct prog *p, int stack, const struct in6_addr *a, enum label l)
{
	for (int i = 0; i < 4; i++) {
		field(p, BPF_REG_1, BPF_W, stack + 4 * i);
		/* Past the remaining comparisons: two instructions each. */
		if (i < 3)
			emit(p,
			     BPF_INSN(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_1, 0,
				      (int16_t)(2 * (3 - i)), (int32_t)word(&a->s6_addr[4 * i])));
		else
			jump_if(p, BPF_JEQ, BPF_REG_1, word(&a->s6_addr[12]), l);
	}
}

static struct in6_addr link_local(const uint8_t mac[6])
{
	struct in6_addr a = {.s6_addr = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2],
					 0xff, 0xfe, mac[3], mac[4], mac[5]}};

	return a;
}

static void gen_ethernet(struct prog *p, const struct antispoof_spec *s)
{
	emit(p, BPF_MOV_REG(BPF_REG_6, BPF_REG_1));
	emit(p, BPF_MOV_IMM(BPF_REG_7, 0));
	emit(p, BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct __sk_buff, vlan_present)));
	load(p, 6, -8, 8); /* source MAC, type */
	want_mac(p, -8, s->mac);
	/* A tag is the bridge's business where the port has tagged VLANs, else a way around. */
	jump_if(p, BPF_JNE, BPF_REG_8, 0, s->tagged_vlans ? L_PASS : L_DROP);
	field(p, BPF_REG_1, BPF_H, -2);
	jump_if(p, BPF_JEQ, BPF_REG_1, htons(ETH_P_IP), L_V4);
	jump_if(p, BPF_JEQ, BPF_REG_1, htons(ETH_P_ARP), L_ARP);
	jump_if(p, BPF_JEQ, BPF_REG_1, htons(ETH_P_IPV6), L_V6);
	if (s->tagged_vlans)
		jump_if(p, BPF_JEQ, BPF_REG_1, htons(ETH_P_8021Q), L_PASS);
	go(p, L_DROP);
}

static void gen_arp(struct prog *p, const struct antispoof_spec *s)
{
	static const uint8_t head[8] = {0, 1, 8, 0, 6, 4};

	here(p, L_ARP);
	load(p, 14, -8, 8);
	field(p, BPF_REG_1, BPF_W, -8);
	jump_if(p, BPF_JNE, BPF_REG_1, word(head), L_DROP);
	field(p, BPF_REG_1, BPF_H, -4);
	jump_if(p, BPF_JNE, BPF_REG_1, half(head + 4), L_DROP);
	load(p, 22, -8, 6);
	want_mac(p, -8, s->mac);
	if (s->any_v4)
		go(p, L_PASS);
	load(p, 28, -8, 4);
	field(p, BPF_REG_1, BPF_W, -8);
	jump_if(p, BPF_JEQ, BPF_REG_1, 0, L_PASS); /* a probe */
	for (size_t i = 0; i < s->n_v4; i++)
		jump_if(p, BPF_JEQ, BPF_REG_1, s->v4[i].s_addr, L_PASS);
	go(p, L_DROP);
}

/* The IPv4 header lies at fp-24: version and length -24, fragment -18, protocol -15, source -12. */
static void gen_v4(struct prog *p, const struct antispoof_spec *s)
{
	here(p, L_V4);
	load(p, 14, -24, 20);
	field(p, BPF_REG_8, BPF_B, -24);
	emit(p, BPF_MOV_REG(BPF_REG_1, BPF_REG_8));
	emit(p, BPF_ALU_IMM(BPF_RSH, BPF_REG_1, 4));
	jump_if(p, BPF_JNE, BPF_REG_1, 4, L_DROP);
	emit(p, BPF_ALU_IMM(BPF_AND, BPF_REG_8, 0xf));
	emit(p, BPF_ALU_IMM(BPF_LSH, BPF_REG_8, 2));
	jump_if(p, BPF_JLT, BPF_REG_8, 20, L_DROP);
	/* r7: where the upper header lies, less the 14 of the frame. */
	emit(p, BPF_MOV_REG(BPF_REG_7, BPF_REG_8));
	field(p, BPF_REG_8, BPF_B, -15);
	field(p, BPF_REG_9, BPF_W, -12);
	if (s->any_v4)
		go(p, L_V4_SRC_OK);
	for (size_t i = 0; i < s->n_v4; i++)
		jump_if(p, BPF_JEQ, BPF_REG_9, s->v4[i].s_addr, L_V4_SRC_OK);
	/* 0.0.0.0 may only look for a DHCP server. */
	jump_if(p, BPF_JNE, BPF_REG_9, 0, L_DROP);
	jump_if(p, BPF_JNE, BPF_REG_8, IPPROTO_UDP, L_DROP);
	field(p, BPF_REG_1, BPF_H, -18);
	emit(p, BPF_ALU_IMM(BPF_AND, BPF_REG_1, (int32_t)htons(0x3fff)));
	jump_if(p, BPF_JNE, BPF_REG_1, 0, L_DROP);
	load(p, 14, -8, 4);
	field(p, BPF_REG_1, BPF_H, -6);
	jump_if(p, BPF_JNE, BPF_REG_1, htons(67), L_DROP);
	here(p, L_V4_SRC_OK);
	jump_if(p, BPF_JNE, BPF_REG_8, IPPROTO_UDP, L_PASS);
	/* Later fragments have no ports; without their first they are nothing. */
	field(p, BPF_REG_1, BPF_H, -18);
	emit(p, BPF_ALU_IMM(BPF_AND, BPF_REG_1, (int32_t)htons(0x1fff)));
	jump_if(p, BPF_JNE, BPF_REG_1, 0, L_PASS);
	load(p, 14, -8, 4);
	field(p, BPF_REG_1, BPF_H, -8);
	jump_if(p, BPF_JEQ, BPF_REG_1, htons(67), L_DROP);
	go(p, L_PASS);
}

/* The IPv6 header lies at fp-40: payload length -36, next header -34, source -32.
 * r8: next header, r9: 1 if the source is ::, r7: where the next header lies, less 14. */
static void gen_v6(struct prog *p, const struct antispoof_spec *s)
{
	static const struct in6_addr unspecified;
	struct in6_addr ll = link_local(s->mac);

	here(p, L_V6);
	load(p, 14, -40, 40);
	field(p, BPF_REG_8, BPF_B, -34);
	emit(p, BPF_MOV_IMM(BPF_REG_9, 1));
	if_v6(p, -32, &unspecified, L_V6_SRC_OK);
	emit(p, BPF_MOV_IMM(BPF_REG_9, 0));
	if (s->any_v6)
		go(p, L_V6_SRC_OK);
	if_v6(p, -32, &ll, L_V6_SRC_OK);
	for (size_t i = 0; i < s->n_v6; i++)
		if_v6(p, -32, &s->v6[i], L_V6_SRC_OK);
	go(p, L_DROP);
	here(p, L_V6_SRC_OK);
	emit(p, BPF_MOV_IMM(BPF_REG_7, 40));
}

/* One extension header, if there is one: hop-by-hop and destination options are stepped over. */
static void gen_v6_ext(struct prog *p, enum label next)
{
	jump_if(p, BPF_JEQ, BPF_REG_8, 44, L_V6_FRAG);
	emit(p, BPF_INSN(BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_8, 0, 1, 0));
	jump_if(p, BPF_JNE, BPF_REG_8, 60, L_V6_UPPER);
	load(p, 14, -8, 2);
	field(p, BPF_REG_8, BPF_B, -8);
	field(p, BPF_REG_1, BPF_B, -7);
	emit(p, BPF_ALU_IMM(BPF_ADD, BPF_REG_1, 1));
	emit(p, BPF_ALU_IMM(BPF_LSH, BPF_REG_1, 3));
	emit(p, BPF_ALU_REG(BPF_ADD, BPF_REG_7, BPF_REG_1));
	here(p, next);
}

static void gen_v6_upper(struct prog *p)
{
	static const uint8_t forbidden[] = {0, 43, 44, 51, 60, 135, 139, 140};

	gen_v6_ext(p, L_V6_EXT1);
	gen_v6_ext(p, L_V6_EXT2);
	go(p, L_V6_UPPER);
	here(p, L_V6_FRAG);
	load(p, 14, -8, 4);
	field(p, BPF_REG_8, BPF_B, -8);
	field(p, BPF_REG_1, BPF_H, -6);
	emit(p, BPF_ALU_IMM(BPF_AND, BPF_REG_1, (int32_t)htons(0xfff8)));
	jump_if(p, BPF_JNE, BPF_REG_1, 0, L_PASS);
	/* A neighbour or router message is never fragmented (RFC 6980). */
	jump_if(p, BPF_JEQ, BPF_REG_8, IPPROTO_ICMPV6, L_V6_NEXT);
	emit(p, BPF_ALU_IMM(BPF_ADD, BPF_REG_7, 8));
	go(p, L_V6_UPPER);
	here(p, L_V6_NEXT);
	load(p, 14 + 8, -8, 1);
	field(p, BPF_REG_1, BPF_B, -8);
	/* Echo and errors may be: types below 130, echo 128 and 129. */
	jump_if(p, BPF_JLT, BPF_REG_1, 130, L_PASS);
	go(p, L_DROP);
	here(p, L_V6_UPPER);
	jump_if(p, BPF_JEQ, BPF_REG_8, IPPROTO_ICMPV6, L_ICMP6);
	/* From :: only neighbour discovery and multicast listener reports. */
	jump_if(p, BPF_JNE, BPF_REG_9, 0, L_DROP);
	jump_if(p, BPF_JEQ, BPF_REG_8, IPPROTO_UDP, L_V6_UDP);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		jump_if(p, BPF_JEQ, BPF_REG_8, forbidden[i], L_DROP);
	go(p, L_PASS);
	here(p, L_V6_UDP);
	load(p, 14, -8, 4);
	field(p, BPF_REG_1, BPF_H, -8);
	jump_if(p, BPF_JEQ, BPF_REG_1, htons(547), L_DROP);
	go(p, L_PASS);
}

/* The target of an advertisement, or of a duplicate detection, must be its own. */
static void gen_target(struct prog *p, const struct antispoof_spec *s)
{
	struct in6_addr ll = link_local(s->mac);

	if (!s->any_v6) {
		if_v6(p, -64, &ll, L_TARGET_OK);
		for (size_t i = 0; i < s->n_v6; i++)
			if_v6(p, -64, &s->v6[i], L_TARGET_OK);
		go(p, L_DROP);
	}
	here(p, L_TARGET_OK);
}

/* Neighbour messages: right behind the fixed header, with no option, or one that names the MAC or
 * is a nonce. The target lies at fp-64. */
static void gen_icmp6(struct prog *p, const struct antispoof_spec *s)
{
	here(p, L_ICMP6);
	load(p, 14, -8, 1);
	field(p, BPF_REG_8, BPF_B, -8);
	jump_if(p, BPF_JEQ, BPF_REG_8, 134, L_DROP); /* router advertisement */
	jump_if(p, BPF_JEQ, BPF_REG_8, 137, L_DROP); /* redirect */
	jump_if(p, BPF_JEQ, BPF_REG_8, 135, L_NS);
	jump_if(p, BPF_JEQ, BPF_REG_8, 136, L_NS);
	jump_if(p, BPF_JEQ, BPF_REG_9, 0, L_PASS);
	jump_if(p, BPF_JEQ, BPF_REG_8, 143, L_PASS); /* listener report */
	jump_if(p, BPF_JEQ, BPF_REG_8, 131, L_PASS);
	jump_if(p, BPF_JEQ, BPF_REG_8, 132, L_PASS);
	jump_if(p, BPF_JEQ, BPF_REG_8, 133, L_PASS); /* router solicitation */
	go(p, L_DROP);
	here(p, L_NS);
	jump(p, BPF_JUMP_IMM(BPF_JNE, BPF_REG_7, 40, 0), L_DROP);
	load(p, 14 + 8, -64, 16);
	/* A solicitation from an address may ask for anybody. */
	jump_if(p, BPF_JEQ, BPF_REG_8, 136, L_NA);
	jump_if(p, BPF_JEQ, BPF_REG_9, 0, L_ND_OPT);
	here(p, L_NA);
	gen_target(p, s);
	here(p, L_ND_OPT);
	field(p, BPF_REG_1, BPF_H, -36);
	jump_if(p, BPF_JEQ, BPF_REG_1, htons(24), L_PASS);
	jump_if(p, BPF_JNE, BPF_REG_1, htons(32), L_DROP);
	load(p, 14 + 24, -8, 2);
	field(p, BPF_REG_1, BPF_B, -8);
	jump_if(p, BPF_JEQ, BPF_REG_1, 14, L_PASS);
	load(p, 14 + 26, -8, 6);
	want_mac(p, -8, s->mac);
	go(p, L_PASS);
}

static int resolve(struct prog *p)
{
	if (p->n >= MAX_INSNS)
		return -E2BIG;
	for (size_t i = 0; i < p->n; i++)
		if (p->label[i])
			p->insn[i].off = (int16_t)(p->at[p->label[i] - 1] - (int)i - 1);
	return 0;
}

static int program_load(const struct antispoof_spec *s, struct lxmgr_err *err)
{
	static struct prog p;
	union bpf_attr a;
	int r;

	memset(&p, 0, sizeof(p));
	gen_ethernet(&p, s);
	gen_arp(&p, s);
	gen_v4(&p, s);
	gen_v6(&p, s);
	gen_v6_upper(&p);
	gen_icmp6(&p, s);
	here(&p, L_PASS);
	emit(&p, BPF_MOV_IMM(BPF_REG_0, TC_ACT_OK));
	emit(&p, BPF_RETURN);
	here(&p, L_DROP);
	emit(&p, BPF_MOV_IMM(BPF_REG_0, TC_ACT_SHOT));
	emit(&p, BPF_RETURN);
	r = resolve(&p);
	if (r < 0)
		return err_set(err, r, "assemble the anti-spoofing program");
	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	a.insns = (uint64_t)(uintptr_t)p.insn;
	a.insn_cnt = (uint32_t)p.n;
	a.license = (uint64_t)(uintptr_t) "LGPL-2.1-or-later";
	memcpy(a.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	r = sys_bpf(BPF_PROG_LOAD, &a, sizeof(a));
	return r < 0 ? err_set(err, r, "load the anti-spoofing program") : r;
}

static struct nl_msg *tc_msg(int type, int flags, int ifindex, uint32_t handle, uint32_t parent,
			     uint32_t info, const char *kind)
{
	struct tcmsg head = {.tcm_family = AF_UNSPEC,
			     .tcm_ifindex = ifindex,
			     .tcm_handle = handle,
			     .tcm_parent = parent,
			     .tcm_info = info};
	struct nl_msg *m = netlink_msg(type, flags, &head, sizeof(head));

	if (m && kind && nla_put_string(m, TCA_KIND, kind) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int antispoof_attach(struct netlink *nl, int ifindex, const struct antispoof_spec *s,
		     struct lxmgr_err *err)
{
	cleanup_fd int prog = program_load(s, err);
	struct nlattr *opt;
	struct nl_msg *m;
	int r;

	if (prog < 0)
		return prog;
	r = netlink_talk(nl, tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex,
				    TC_H_MAKE(TC_H_CLSACT, 0), TC_H_CLSACT, 0, "clsact"));
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "make the filter point of anti-spoofing");
	m = tc_msg(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, 0,
		   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), TC_H_MAKE(1 << 16, htons(ETH_P_ALL)),
		   "bpf");
	opt = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;
	if (!opt || nla_put_u32(m, TCA_BPF_FD, (uint32_t)prog) < 0 ||
	    nla_put_string(m, TCA_BPF_NAME, PROGRAM_NAME) < 0 ||
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

	nlmsg_for_each_attr(attr, h, sizeof(struct tcmsg), rem)
	{
		if (nla_type(attr) != TCA_OPTIONS)
			continue;
		nla_for_each_nested(sub, attr, rem2) if (nla_type(sub) == TCA_BPF_NAME &&
							 !strcmp(nla_get_string(sub),
								 PROGRAM_NAME)) *found = true;
	}
	return 0;
}

bool antispoof_is_on(struct netlink *nl, int ifindex)
{
	bool found = false;

	return netlink_dump(nl,
			    tc_msg(RTM_GETTFILTER, 0, ifindex, 0,
				   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), 0, NULL),
			    find_program, &found) == 0 &&
	       found;
}
