/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "kernel/netlink_msg.h"
#include "kernel/traffic.h"

/* Of the filters of a link that of anti-spoofing is the first. */
#define REDIRECT_PRIO 0xfff0
#define ROOT_HANDLE   TC_H_MAKE(0x10000, 0)
#define MIN_BURST     65536
#define MIN_QUEUE     65536

uint32_t rate_burst(const struct rate *r)
{
	uint64_t burst = r->burst ? r->burst : r->bits / 8 / 100;

	if (!r->burst && burst < MIN_BURST)
		burst = MIN_BURST;
	return burst > INT32_MAX ? INT32_MAX : (uint32_t)burst;
}

/* What may wait: 50 ms. */
static uint32_t queue(const struct rate *r)
{
	uint64_t bytes = r->bits / 8 / 20;

	bytes = rate_burst(r) + (bytes < MIN_QUEUE ? MIN_QUEUE : bytes);
	return bytes > INT32_MAX ? INT32_MAX : (uint32_t)bytes;
}

static int put_tbf(struct nl_msg *m, const struct rate *r)
{
	struct nlattr *opt = nla_nest_start(m, TCA_OPTIONS);
	uint64_t bytes = r->bits / 8;
	struct tc_tbf_qopt q = {
		.rate = { .linklayer = TC_LINKLAYER_ETHERNET,
			  .rate = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes },
		.limit = queue(r),
	};
	int e;

	if (!opt)
		return -ENOMEM;
	e = nla_put(m, TCA_TBF_PARMS, sizeof(q), &q);
	if (e == 0 && bytes > UINT32_MAX)
		e = nla_put_u64(m, TCA_TBF_RATE64, bytes);
	if (e == 0)
		e = nla_put_u32(m, TCA_TBF_BURST, rate_burst(r));
	nla_nest_end(m, opt);
	return e < 0 ? -ENOMEM : 0;
}

int traffic_limit(struct netlink *nl, int ifindex, const struct rate *r)
{
	struct nl_msg *m;
	int e;

	if (r->bits == RATE_NONE) {
		struct rate_now now;

		/* The qdisc that a link has without one cannot be deleted, and is none of ours. */
		e = traffic_get(nl, ifindex, &now);
		if (e < 0 || now.rate.bits == RATE_NONE)
			return e;
		return netlink_talk(nl, netlink_tc_msg(RTM_DELQDISC, 0, ifindex, ROOT_HANDLE,
						       TC_H_ROOT, 0, NULL));
	}
	m = netlink_tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex, ROOT_HANDLE,
			   TC_H_ROOT, 0, "tbf");
	if (m && put_tbf(m, r) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

static void read_options(struct nlattr *options, struct rate_now *now)
{
	struct tc_tbf_qopt q;
	uint64_t ticks = 0;
	struct nlattr *a;
	int rem;

	nla_for_each_nested (a, options, rem) {
		if (nla_type(a) == TCA_TBF_PARMS && nla_len(a) >= (int)sizeof(q)) {
			memcpy(&q, nla_data(a), sizeof(q));
			if (!now->rate.bits)
				now->rate.bits = (uint64_t)q.rate.rate * 8;
			ticks = q.buffer;
		} else if (nla_type(a) == TCA_TBF_RATE64) {
			now->rate.bits = nla_get_u64(a) * 8;
		}
	}
	/* The kernel keeps the time that they take, and tells it in ticks of 64 ns. */
	now->rate.burst = (ticks * 64 * (now->rate.bits / 8) + 999999999) / 1000000000;
}

static void read_stats(struct nlattr *stats, struct rate_now *now)
{
	struct gnet_stats_basic basic;
	struct gnet_stats_queue wait;
	struct nlattr *a;
	int rem;

	nla_for_each_nested (a, stats, rem) {
		if (nla_type(a) == TCA_STATS_BASIC && nla_len(a) >= (int)sizeof(basic.bytes)) {
			memcpy(&now->bytes, nla_data(a), sizeof(now->bytes));
		} else if (nla_type(a) == TCA_STATS_QUEUE && nla_len(a) >= (int)sizeof(wait)) {
			memcpy(&wait, nla_data(a), sizeof(wait));
			now->drops = wait.drops;
		}
	}
}

static int read_qdisc(struct nlmsghdr *h, void *data)
{
	struct nlattr *a, *options = NULL, *stats = NULL;
	struct rate_now *now = data;
	bool tbf = false;
	int rem;

	nlmsg_for_each_attr (a, h, sizeof(struct tcmsg), rem) {
		if (nla_type(a) == TCA_KIND)
			tbf = !strcmp(nla_get_string(a), "tbf");
		else if (nla_type(a) == TCA_OPTIONS)
			options = a;
		else if (nla_type(a) == TCA_STATS2)
			stats = a;
	}
	if (tbf && options)
		read_options(options, now);
	if (tbf && stats)
		read_stats(stats, now);
	return 0;
}

int traffic_get(struct netlink *nl, int ifindex, struct rate_now *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = netlink_ask(nl,
			netlink_tc_msg(RTM_GETQDISC, NLM_F_ACK | NLM_F_ECHO, ifindex, 0, TC_H_ROOT,
				       0, NULL),
			read_qdisc, ret);
	/* Without the echo none is told; of the one that a link has without any there is but the
	 * acknowledgement. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

/* A filter that takes everything, in the classifier that each kernel with anti-spoofing has. */
static int put_redirect(struct nl_msg *m, int to)
{
	static const struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct tc_mirred mirred = { .action = TC_ACT_STOLEN,
					  .eaction = TCA_EGRESS_REDIR,
					  .ifindex = (uint32_t)to };
	struct nlattr *opt = nla_nest_start(m, TCA_OPTIONS), *acts, *act, *parms;

	if (!opt || nla_put_u16(m, TCA_BPF_OPS_LEN, 1) < 0 ||
	    nla_put(m, TCA_BPF_OPS, sizeof(all), &all) < 0)
		return -ENOMEM;
	acts = nla_nest_start(m, TCA_BPF_ACT);
	act = acts ? nla_nest_start(m, 1) : NULL;
	if (!act || nla_put_string(m, TCA_ACT_KIND, "mirred") < 0)
		return -ENOMEM;
	parms = nla_nest_start(m, TCA_ACT_OPTIONS);
	if (!parms || nla_put(m, TCA_MIRRED_PARMS, sizeof(mirred), &mirred) < 0)
		return -ENOMEM;
	nla_nest_end(m, parms);
	nla_nest_end(m, act);
	nla_nest_end(m, acts);
	nla_nest_end(m, opt);
	return 0;
}

static struct nl_msg *filter_msg(int type, int flags, int ifindex)
{
	return netlink_tc_msg(type, flags, ifindex, 0, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
			      TC_H_MAKE((uint32_t)REDIRECT_PRIO << 16, htons(ETH_P_ALL)), "bpf");
}

int traffic_redirect(struct netlink *nl, int ifindex, int to)
{
	struct nl_msg *m;
	int r = netlink_talk(nl,
			     netlink_tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex,
					    TC_H_MAKE(TC_H_CLSACT, 0), TC_H_CLSACT, 0, "clsact"));

	if (r < 0 && r != -EEXIST)
		return r;
	m = filter_msg(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex);
	if (m && put_redirect(m, to) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return netlink_talk(nl, m);
}

int traffic_redirect_end(struct netlink *nl, int ifindex)
{
	int r = netlink_talk(nl, filter_msg(RTM_DELTFILTER, 0, ifindex));

	/* Without clsact there is no such place. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}
