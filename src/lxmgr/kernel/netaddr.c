/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "kernel/netlink.h"
#include "util/err.h"
#include "util/parse.h"

static unsigned int addr_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* Parse the prefix behind the slash, or set that of a single host. */
static int parse_prefix(const char *slash, int wanted_family, struct net_addr *a, const char *text,
			struct lxmgr_err *err)
{
	uint64_t prefix = addr_bits(a->family);

	if (!slash && !wanted_family)
		return err_msg(err, -EINVAL, "'%s': the prefix length is missing ('/24')", text);
	if (slash && parse_range(slash, 0, addr_bits(a->family), &prefix) < 0)
		return err_msg(err, -EINVAL, "'%s': the prefix length must be 0 to %u", text,
			       addr_bits(a->family));
	a->prefix = (uint8_t)prefix;
	return 0;
}

int net_addr_parse(const char *text, int family, struct net_addr *ret, struct lxmgr_err *err)
{
	struct net_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	char word[INET6_ADDRSTRLEN + 4];
	size_t len = strcspn(text, " \t");
	const char *rest = text + len + strspn(text + len, " \t");
	char *slash;
	int r;

	if (!len || len >= sizeof(word))
		return err_msg(err, -EINVAL, "'%.64s' is no IP address", text);
	if (family && a.family != family)
		return err_msg(err, -EINVAL, "'%s' is no %s address", text,
			       family == AF_INET ? "IPv4" : "IPv6");
	memcpy(word, text, len);
	word[len] = '\0';
	slash = strchr(word, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(a.family, word, a.family == AF_INET ? (void *)&a.v4 : (void *)&a.v6) != 1)
		return err_msg(err, -EINVAL, "'%s' is no IP address", text);
	r = parse_prefix(slash, family, &a, text, err);
	if (r < 0)
		return r;
	if (*rest && (a.family != AF_INET || inet_pton(AF_INET, rest, &a.broadcast) != 1))
		return err_msg(err, -EINVAL, "'%s': '%s' is no broadcast address", text, rest);
	*ret = a;
	return 0;
}

const char *net_addr_print(const struct net_addr *a, bool without_prefix, char *buf)
{
	size_t len;

	buf[0] = '\0';
	if (a->family != AF_INET && a->family != AF_INET6)
		return buf;
	inet_ntop(a->family, a->family == AF_INET ? (const void *)&a->v4 : (const void *)&a->v6,
		  buf, INET6_ADDRSTRLEN);
	len = strlen(buf);
	if (!without_prefix)
		snprintf(buf + len, 5, "/%u", a->prefix);
	return buf;
}

size_t net_addr_bytes(const struct net_addr *a, uint8_t ret[16])
{
	if (a->family == AF_INET) {
		memcpy(ret, &a->v4, 4);
		return 4;
	}
	memcpy(ret, &a->v6, 16);
	return 16;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return net_addr_same_host(a, b) && a->prefix == b->prefix &&
	       (a->family != AF_INET || a->broadcast.s_addr == b->broadcast.s_addr);
}

bool net_addr_same_host(const struct net_addr *a, const struct net_addr *b)
{
	uint8_t x[16], y[16];

	if (a->family != b->family)
		return false;
	if (!a->family)
		return true;
	net_addr_bytes(b, y);
	return memcmp(x, y, net_addr_bytes(a, x)) == 0;
}

bool net_addr_contains(const struct net_addr *a, const struct net_addr *b)
{
	uint8_t x[16], y[16];
	unsigned int bytes = a->prefix / 8, bits = a->prefix % 8;

	if (!a->family || a->family != b->family || a->prefix > b->prefix)
		return false;
	net_addr_bytes(a, x);
	net_addr_bytes(b, y);
	if (memcmp(x, y, bytes) != 0)
		return false;
	return !bits || (x[bytes] ^ y[bytes]) >> (8 - bits) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint8_t ret[6], struct lxmgr_err *err)
{
	uint8_t mac[6], random[6];
	bool free_bit = text[0] && (text[1] == 'x' || text[1] == 'X');

	if (strlen(text) != 17)
		return err_msg(err, -EINVAL, "'%s' is no MAC address", text);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_set(err, -errno, "fill the MAC address '%s' at random", text);
	for (size_t i = 0; i < 12; i++) {
		const char *c = text + i / 2 * 3 + i % 2;
		int shift = i % 2 ? 0 : 4;
		int v = hex_digit(*c);

		if (*c == 'x' || *c == 'X')
			v = random[i / 2] >> shift & 15;
		if (v < 0 || (i % 2 && i < 11 && c[1] != ':'))
			return err_msg(err, -EINVAL, "'%s' is no MAC address", text);
		mac[i / 2] = (uint8_t)(i % 2 ? mac[i / 2] | v : v << 4);
	}
	if (free_bit)
		mac[0] &= 0xfe;
	if (mac[0] & 1)
		return err_msg(err, -EINVAL, "'%s' is a multicast MAC address", text);
	if (memcmp(mac, "\0\0\0\0\0", 6) == 0)
		return err_msg(err, -EINVAL, "'%s' is no usable MAC address", text);
	memcpy(ret, mac, 6);
	return 0;
}

const char *mac_print(const uint8_t mac[6], char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return buf;
}
