/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "kernel/netlink.h"
#include "util/err.h"
#include "util/parse.h"
#include "util/str.h"

int net_addr_parse(const char *text, int family, struct net_addr *ret, struct lxmgr_err *err)
{
	struct net_addr a = {0};
	char buf[128], *slash, *blank;
	uint64_t prefix;

	snprintf(buf, sizeof(buf), "%s", text);
	blank = strchr(buf, ' ');
	if (blank)
		*blank++ = '\0';
	slash = strchr(buf, '/');
	if (slash)
		*slash++ = '\0';
	a.family = family ? family : strchr(buf, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, buf, &a.v6) != 1)
		return err_msg(err, -EINVAL, "'%s' is no IPv%d address", text,
			       a.family == AF_INET ? 4 : 6);
	a.prefix = a.family == AF_INET ? 32 : 128;
	if (slash) {
		if (parse_range(slash, 0, a.prefix, &prefix) < 0)
			return err_msg(err, -EINVAL, "'%s': the prefix length is 0 to %u", text,
				       a.prefix);
		a.prefix = (uint8_t)prefix;
	}
	if (blank && *str_strip(blank)) {
		if (a.family != AF_INET || inet_pton(AF_INET, str_strip(blank), &a.broadcast) != 1)
			return err_msg(err, -EINVAL, "'%s': '%s' is no broadcast address", text,
				       str_strip(blank));
	}
	if (a.family == AF_INET ? IN_MULTICAST(ntohl(a.v4.s_addr)) : IN6_IS_ADDR_MULTICAST(&a.v6))
		return err_msg(err, -EINVAL, "'%s' is a multicast address", text);
	*ret = a;
	return 0;
}

const char *net_addr_print(const struct net_addr *a, bool without_prefix, char *buf)
{
	inet_ntop(a->family, &a->v6, buf, INET6_ADDRSTRLEN);
	if (!without_prefix)
		snprintf(buf + strlen(buf), 5, "/%u", a->prefix);
	return buf;
}

static size_t addr_len(const struct net_addr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && !memcmp(&a->v6, &b->v6, addr_len(a));
}

bool net_addr_contains(const struct net_addr *a, const struct net_addr *b)
{
	const uint8_t *x = (const uint8_t *)&a->v6, *y = (const uint8_t *)&b->v6;
	unsigned int bits = a->prefix;

	if (a->family != b->family)
		return false;
	if (memcmp(x, y, bits / 8))
		return false;
	return !(bits % 8) || !((x[bits / 8] ^ y[bits / 8]) & (0xff00 >> (bits % 8)) & 0xff);
}

int mac_parse(const char *text, uint8_t ret[6], struct lxmgr_err *err)
{
	char copy[18];
	uint8_t rnd[17];
	unsigned int m[6];
	char end;

	if (strlen(text) != 17)
		goto bad;
	memcpy(copy, text, 18);
	if (getrandom(rnd, sizeof(rnd), 0) < 0)
		return err_set(err, -errno, "random MAC");
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 ? copy[i] != ':'
			       : !isxdigit((unsigned char)copy[i]) && tolower(copy[i]) != 'x')
			goto bad;
		/* The second digit of the first byte: unicast, as it is random. */
		if (tolower(copy[i]) == 'x')
			copy[i] = "0123456789abcdef"[i == 1 ? (rnd[i] & 0xe) : (rnd[i] & 0xf)];
	}
	if (sscanf(copy, "%x:%x:%x:%x:%x:%x%c", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) !=
	    6)
		goto bad;
	if (m[0] & 1)
		return err_msg(err, -EINVAL, "'%s' is a multicast MAC", text);
	for (int i = 0; i < 6; i++)
		ret[i] = (uint8_t)m[i];
	return 0;
bad:
	return err_msg(err, -EINVAL, "'%s' is no MAC: six pairs of hex digits or x", text);
}

const char *mac_print(const uint8_t mac[6], char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return buf;
}
