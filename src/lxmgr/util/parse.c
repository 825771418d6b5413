/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"
#include "util/parse.h"

/* Parse the digits at *s and step over them. */
static int digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	*s = p;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v;
	int r = digits(&s, &v);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = v;
	return 0;
}

int parse_milli(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n, frac = 0, scale = 100;
	int r = digits(&s, &n);

	if (r < 0 || n > max)
		return -EINVAL;
	if (*s == '.') {
		s++;
		if (!*s || strlen(s) > 3)
			return -EINVAL;
		for (; *s >= '0' && *s <= '9'; s++, scale /= 10)
			frac += (uint64_t)(*s - '0') * scale;
	}
	if (*s)
		return -EINVAL;
	*ret = n * 1000 + frac;
	return 0;
}

int parse_range(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = parse_range(s, 0, UINT32_MAX, &v);

	if (r < 0)
		return r;
	*ret = (uint32_t)v;
	return 0;
}

int parse_i64(const char *s, int64_t *ret)
{
	bool minus = *s == '-';
	uint64_t v;
	int r = parse_range(s + minus, 0, (uint64_t)INT64_MAX + minus, &v);

	if (r < 0)
		return r;
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int parse_octal(const char *s, uint32_t *ret)
{
	uint32_t v = 0;

	if (!*s || strspn(s, "01234567") != strlen(s))
		return -EINVAL;
	for (; *s; s++) {
		v = v << 3 | (uint32_t)(*s - '0');
		if (v > 07777)
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int parse_size(const char *s, uint64_t *ret)
{
	static const char units[] = "KMGTPE";
	uint64_t v, frac = 0, scale = 1, mul = 1, part;
	int r = digits(&s, &v);

	if (r < 0)
		return r;
	if (*s == '.') {
		/* Nine digits are more than any unit needs, and keep the product in 64 bits. */
		for (s++; isdigit((unsigned char)*s) && scale < 1000000000; s++) {
			frac = frac * 10 + (uint64_t)(*s - '0');
			scale *= 10;
		}
		if (scale == 1)
			return -EINVAL;
	}
	if (*s) {
		const char *u = strchr(units, toupper((unsigned char)*s));

		if (u) {
			mul = 1ULL << (10 * (u - units + 1));
			s++;
			if ((*s == 'i' || *s == 'I') && (s[1] == 'B' || s[1] == 'b'))
				s++;
		}
		if (*s == 'B' || *s == 'b')
			s++;
	}
	if (*s || (scale > 1 && mul == 1))
		return -EINVAL;
	part = (uint64_t)((unsigned __int128)frac * mul / scale);
	if (__builtin_mul_overflow(v, mul, &v) || __builtin_add_overflow(v, part, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_duration(const char *s, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "", 1000 },   { "ms", 1 },	{ "s", 1000 },
		      { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	uint64_t v;
	int r = digits(&s, &v);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(s, units[i].unit) != 0)
			continue;
		if (__builtin_mul_overflow(v, units[i].ms, &v))
			return -ERANGE;
		*ret_ms = v;
		return 0;
	}
	return -EINVAL;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const words[] = { "0", "1", "no", "yes", "off", "on", "false", "true" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(s, words[i]) != 0)
			continue;
		*ret = i & 1;
		return 0;
	}
	return -EINVAL;
}

bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 63 || !isascii(name[0]) || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii(*p) || (!isalnum((unsigned char)*p) && !strchr("_.-", *p)))
			return false;
	return true;
}

bool ifname_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 15 || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p == 0x7f || strchr("/:%", *p) || !isascii(*p))
			return false;
	return true;
}

bool hostname_is_valid(const char *name)
{
	size_t n = strlen(name), label = 0;

	if (n < 1 || n > 64)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '.') {
			if (!label || name[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!isascii(c) || (!isalnum(c) && c != '-') || (c == '-' && !label) ||
		    ++label > 63)
			return false;
	}
	return label && name[n - 1] != '-';
}

const char *hostname_from_name(const char *name, char ret[HOSTNAME_SIZE])
{
	size_t n = 0;

	for (; *name && n < HOSTNAME_SIZE - 1; name++) {
		char c = *name == '_' ? '-' : *name;

		while (c == '.' && n && ret[n - 1] == '-')
			n--;
		if (!strchr("-.", c) || (n && ret[n - 1] != '.'))
			ret[n++] = c;
	}
	while (n && strchr("-.", ret[n - 1]))
		n--;
	ret[n] = '\0';
	return ret;
}

bool name_is_digest(const char *name)
{
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}
