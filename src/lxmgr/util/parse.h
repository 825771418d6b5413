/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checked parsing of numbers, sizes, times and names. The whole string must be consumed, a sign,
 * a leading blank or an overflow is an error. All return 0 or -EINVAL / -ERANGE and leave the
 * output alone on error.
 */
#ifndef LXMGR_UTIL_PARSE_H
#define LXMGR_UTIL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

int parse_u64(const char *s, uint64_t *ret); /* decimal */
/* "1", "0.5", "2.25": in thousandths, of which none is lost; below max + 1. */
int parse_milli(const char *s, uint64_t max, uint64_t *ret);
int parse_u32(const char *s, uint32_t *ret); /* decimal */
int parse_i64(const char *s, int64_t *ret);  /* decimal, '-' allowed */
int parse_range(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int parse_octal(const char *s, uint32_t *ret); /* octal, at most 07777 */
/* Bytes: a decimal number, optionally with a fraction ("1.5G"), then nothing, B, or one of
 * K M G T P E (powers of 1024), which may be followed by B or iB; any case. */
int parse_size(const char *s, uint64_t *ret);
/* Milliseconds: a decimal number followed by nothing (seconds), ms, s, m, h or d. */
int parse_duration(const char *s, uint64_t *ret_ms);
int parse_bool(const char *s, bool *ret); /* 0 1 no yes off on false true */
/* A container name: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}. */
bool name_is_valid(const char *name);
/* A network interface name: 1 to 15 bytes, no '/', ':', white space, control or '%', not . .. */
bool ifname_is_valid(const char *name);
/* A host name as uts.name takes it: 1 to 64 bytes of letters, digits, '-' and '.', no label
 * empty, longer than 63 or with '-' at an end. */
bool hostname_is_valid(const char *name);
#define HOSTNAME_SIZE 65
/* A host name, which is valid, out of a container's name: '_' becomes '-', what no label may begin
 * or end with goes. Returns ret. */
const char *hostname_from_name(const char *name, char ret[HOSTNAME_SIZE]);

/* A digest as image names are: 64 lower-case hex digits. */
bool name_is_digest(const char *name);

#endif
