/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that came from the host's side: their bytes, digests, signatures and gzip members. All of
 * it is read here, in the confined process.
 */
#include <errno.h>
#include <nettle/asn1.h>
#include <nettle/base64.h>
#include <nettle/rsa.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "helpers/lua_int.h"
#include "util/cleanup.h"
#include "util/str.h"

#define BLOB	     "lxmgr.file"
#define CHUNK	     65536
#define MAX_MEMBERS  16
#define MAX_TEXT     (64 << 20)
#define MAX_INFLATED (16ULL << 30)

struct blob {
	int fd;
	uint64_t size;
	bool checked; /* a digest of it was as it had to be */
};

static struct blob *check_blob(lua_State *L)
{
	struct blob *b = luaL_checkudata(L, 1, BLOB);

	luaL_argcheck(L, b->fd >= 0, 1, "it is closed");
	return b;
}

void lua_push_blob(lua_State *L, int fd, bool checked)
{
	struct blob *b = lua_newuserdatauv(L, sizeof(*b), 0);
	struct stat st;

	*b = (struct blob){ .fd = fd, .checked = checked };
	luaL_setmetatable(L, BLOB);
	if (fd >= 0 && fstat(fd, &st) == 0)
		b->size = (uint64_t)st.st_size;
	else
		luaL_error(L, "no file came");
}

int lua_blob_fd(lua_State *L, int arg)
{
	struct blob *b = luaL_checkudata(L, arg, BLOB);

	luaL_argcheck(L, b->fd >= 0, arg, "it is closed");
	luaL_argcheck(L, b->checked, arg, "its digest was not checked");
	return b->fd;
}

/* The range that the arguments n and n + 1 mean, inside the file. */
static void range(lua_State *L, const struct blob *b, int n, uint64_t *off, uint64_t *len)
{
	lua_Integer o = luaL_optinteger(L, n, 0), l;

	luaL_argcheck(L, o >= 0 && (uint64_t)o <= b->size, n, "behind the end");
	l = luaL_optinteger(L, n + 1, (lua_Integer)(b->size - (uint64_t)o));
	luaL_argcheck(L, l >= 0 && (uint64_t)l <= b->size - (uint64_t)o, n + 1, "behind the end");
	*off = (uint64_t)o;
	*len = (uint64_t)l;
}

static void read_at(lua_State *L, const struct blob *b, void *buf, size_t len, uint64_t off)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(b->fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			luaL_error(L, "read a fetched file: %s",
				   n < 0 ? strerror(errno) : "it shrank");
		done += (size_t)n;
	}
}

static int l_size(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check_blob(L)->size);
	return 1;
}

static int l_read(lua_State *L)
{
	struct blob *b = check_blob(L);
	uint64_t off, len;
	luaL_Buffer buf;

	range(L, b, 2, &off, &len);
	luaL_argcheck(L, len <= MAX_TEXT, 3, "too long");
	read_at(L, b, luaL_buffinitsize(L, &buf, len), len, off);
	luaL_pushresultsize(&buf, len);
	return 1;
}

struct digest {
	union {
		struct sha1_ctx sha1;
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	};
	enum { SHA1, SHA256, SHA512 } algorithm;
};

static const char *const algorithms[] = { "sha1", "sha256", "sha512", NULL };

static void digest_range(lua_State *L, struct digest *d, int algorithm, const struct blob *b,
			 uint64_t off, uint64_t len)
{
	static uint8_t chunk[CHUNK];

	d->algorithm = (__typeof__(d->algorithm))algorithm;
	if (d->algorithm == SHA1)
		sha1_init(&d->sha1);
	else if (d->algorithm == SHA256)
		sha256_init(&d->sha256);
	else
		sha512_init(&d->sha512);
	while (len) {
		size_t n = len < CHUNK ? len : CHUNK;

		read_at(L, b, chunk, n, off);
		if (d->algorithm == SHA1)
			sha1_update(&d->sha1, n, chunk);
		else if (d->algorithm == SHA256)
			sha256_update(&d->sha256, n, chunk);
		else
			sha512_update(&d->sha512, n, chunk);
		off += n;
		len -= n;
	}
}

static void push_digest(lua_State *L, int algorithm, const struct blob *b, int first)
{
	static const size_t sizes[] = { SHA1_DIGEST_SIZE, SHA256_DIGEST_SIZE, SHA512_DIGEST_SIZE };
	uint8_t raw[SHA512_DIGEST_SIZE];
	char hex[2 * SHA512_DIGEST_SIZE + 1];
	struct digest d;
	uint64_t off, len;

	range(L, b, first, &off, &len);
	digest_range(L, &d, algorithm, b, off, len);
	if (algorithm == SHA1)
		sha1_digest(&d.sha1, sizes[0], raw);
	else if (algorithm == SHA256)
		sha256_digest(&d.sha256, sizes[1], raw);
	else
		sha512_digest(&d.sha512, sizes[2], raw);
	for (size_t i = 0; i < sizes[algorithm]; i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	lua_pushlstring(L, hex, 2 * sizes[algorithm]);
}

/* file:digest(algorithm [, offset, length]): hex digits. */
static int l_digest(lua_State *L)
{
	struct blob *b = check_blob(L);

	push_digest(L, luaL_checkoption(L, 2, NULL, algorithms), b, 3);
	return 1;
}

/* file:expect(algorithm, hex [, offset, length]): raises an error unless that is its digest. */
static int l_expect(lua_State *L)
{
	struct blob *b = check_blob(L);
	int algorithm = luaL_checkoption(L, 2, NULL, algorithms);
	const char *want = luaL_checkstring(L, 3);

	push_digest(L, algorithm, b, 4);
	if (!str_eq(lua_tostring(L, -1), want))
		return luaL_error(L, "the digest is %s, not %s", lua_tostring(L, -1), want);
	b->checked = true;
	return 0;
}

/* The key of "-----BEGIN PUBLIC KEY-----". */
static bool read_key(const char *pem, struct rsa_public_key *key)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----",
			  end[] = "-----END PUBLIC KEY-----";
	const char *from = strstr(pem, begin), *to = from ? strstr(from, end) : NULL;
	struct asn1_der_iterator i, j, k;
	struct base64_decode_ctx ctx;
	uint8_t der[4096];
	size_t len = sizeof(der);

	if (!to)
		return false;
	from += sizeof(begin) - 1;
	if (BASE64_DECODE_LENGTH((size_t)(to - from)) > sizeof(der))
		return false;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &len, der, (size_t)(to - from), from) ||
	    !base64_decode_final(&ctx))
		return false;
	/* SubjectPublicKeyInfo: an algorithm and a bit string with the key. */
	return asn1_der_iterator_first(&i, len, der) == ASN1_ITERATOR_CONSTRUCTED &&
	       i.type == ASN1_SEQUENCE &&
	       asn1_der_decode_constructed(&i, &j) == ASN1_ITERATOR_CONSTRUCTED &&
	       j.type == ASN1_SEQUENCE &&
	       asn1_der_decode_constructed(&j, &k) == ASN1_ITERATOR_PRIMITIVE &&
	       k.type == ASN1_IDENTIFIER && asn1_der_iterator_next(&j) == ASN1_ITERATOR_PRIMITIVE &&
	       j.type == ASN1_BITSTRING && asn1_der_decode_bitstring_last(&j) &&
	       rsa_public_key_from_der_iterator(key, 8192, &j);
}

/* file:verify_rsa(algorithm, pem, signature [, offset, length]): true if the key signed it. */
static int l_verify_rsa(lua_State *L)
{
	struct blob *b = check_blob(L);
	int algorithm = luaL_checkoption(L, 2, NULL, algorithms);
	const char *pem = luaL_checkstring(L, 3);
	struct rsa_public_key key;
	struct digest d;
	uint64_t off, len;
	size_t sig_len;
	const char *sig = luaL_checklstring(L, 4, &sig_len);
	bool good = false;
	mpz_t s;

	range(L, b, 5, &off, &len);
	digest_range(L, &d, algorithm, b, off, len);
	rsa_public_key_init(&key);
	mpz_init(s);
	if (read_key(pem, &key) && sig_len == key.size) {
		mpz_import(s, sig_len, 1, 1, 0, 0, sig);
		good = algorithm == SHA1     ? rsa_sha1_verify(&key, &d.sha1, s)
		       : algorithm == SHA256 ? rsa_sha256_verify(&key, &d.sha256, s)
					     : rsa_sha512_verify(&key, &d.sha512, s);
	}
	mpz_clear(s);
	rsa_public_key_clear(&key);
	b->checked |= good;
	lua_pushboolean(L, good);
	return 1;
}

/* Where inflated text goes: as it is, or, of a tar archive, the headers alone. */
struct sink {
	struct strbuf text;
	bool heads;
	uint64_t skip, keep; /* bytes of content that are still to come */
	char head[512];
	size_t have;
};

/* A header without the content that it tells of; what is content of a header itself stays. */
static void end_head(struct sink *s)
{
	char size[13] = "";
	uint64_t padded;

	memcpy(size, s->head + 124, 12);
	padded = (strtoull(size, NULL, 8) + 511) / 512 * 512;
	if (s->head[156] && strchr("xgLK", s->head[156])) {
		s->keep = padded;
	} else {
		s->skip = padded;
		memcpy(s->head + 124, "00000000000", 12);
	}
	strbuf_add(&s->text, s->head, sizeof(s->head));
	s->have = 0;
}

static void add_text(struct sink *s, const char *p, size_t n)
{
	if (!s->heads)
		strbuf_add(&s->text, p, n);
	while (s->heads && n) {
		size_t part = n;

		if (s->skip) {
			part = part < s->skip ? part : (size_t)s->skip;
			s->skip -= part;
		} else if (s->keep) {
			part = part < s->keep ? part : (size_t)s->keep;
			s->keep -= part;
			strbuf_add(&s->text, p, part);
		} else {
			part = part < sizeof(s->head) - s->have ? part : sizeof(s->head) - s->have;
			memcpy(s->head + s->have, p, part);
			s->have += part;
			if (s->have == sizeof(s->head))
				end_head(s);
		}
		p += part;
		n -= part;
	}
}

/* Run the inflater over the range, until a member ends. Its text goes to out, if that is wanted; at
 * most `limit` of it is kept. */
static int inflate_member(lua_State *L, const struct blob *b, uint64_t off, uint64_t len,
			  uint64_t *ret_used, uint64_t limit, struct sink *out)
{
	static uint8_t in[CHUNK], text[CHUNK];
	z_stream z = { 0 };
	uint64_t used = 0, written = 0;
	int r = inflateInit2(&z, 16 + MAX_WBITS);

	while (r == Z_OK && used < len) {
		size_t n = len - used < CHUNK ? len - used : CHUNK;
		ssize_t got = pread(b->fd, in, n, (off_t)(off + used));

		if (got <= 0)
			break;
		z.next_in = in;
		z.avail_in = (uInt)got;
		while (r == Z_OK && z.avail_in) {
			z.next_out = text;
			z.avail_out = CHUNK;
			r = inflate(&z, Z_NO_FLUSH);
			written += CHUNK - z.avail_out;
			if (out)
				add_text(out, (char *)text, CHUNK - z.avail_out);
			if (written > MAX_INFLATED || (out && out->text.len > limit)) {
				r = Z_BUF_ERROR;
				break;
			}
		}
		used += (uint64_t)got - z.avail_in;
	}
	inflateEnd(&z);
	*ret_used = used;
	return r == Z_STREAM_END ? 0 : -EBADMSG;
}

/* file:members([n]): where the first n gzip members, or all, begin and how long they are. */
static int l_members(lua_State *L)
{
	struct blob *b = check_blob(L);
	lua_Integer max = luaL_optinteger(L, 2, MAX_MEMBERS + 1);
	uint64_t off = 0, used;

	lua_newtable(L);
	for (lua_Integer i = 1; off < b->size && i <= max; i++) {
		if (i > MAX_MEMBERS ||
		    inflate_member(L, b, off, b->size - off, &used, 0, NULL) < 0 || !used)
			return luaL_error(L, "it is not made of gzip members");
		lua_createtable(L, 0, 2);
		lua_pushinteger(L, (lua_Integer)off);
		lua_setfield(L, -2, "offset");
		lua_pushinteger(L, (lua_Integer)used);
		lua_setfield(L, -2, "length");
		lua_rawseti(L, -2, i);
		off += used;
	}
	return 1;
}

/* file:gunzip(offset [, length [, limit [, heads]]]): the text of the members there. */
static int l_gunzip(lua_State *L)
{
	struct blob *b = check_blob(L);
	lua_Integer limit = luaL_optinteger(L, 4, 16 << 20);
	struct sink s = { .heads = lua_toboolean(L, 5) };
	uint64_t off, len, used;
	int r;

	range(L, b, 2, &off, &len);
	luaL_argcheck(L, limit > 0 && limit <= MAX_TEXT, 4, "out of range");
	do {
		r = inflate_member(L, b, off, len, &used, (uint64_t)limit, &s);
		off += used;
		len -= used;
	} while (r == 0 && len);
	if (r < 0 || s.text.failed) {
		strbuf_free(&s.text);
		return luaL_error(L, "it is not gzip, or longer than the limit");
	}
	lua_pushlstring(L, s.text.s ? s.text.s : "", s.text.len);
	strbuf_free(&s.text);
	return 1;
}

static int l_close(lua_State *L)
{
	struct blob *b = luaL_checkudata(L, 1, BLOB);

	fd_close(&b->fd);
	return 0;
}

void lua_register_blob(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "size", l_size },	  { "read", l_read },
		{ "digest", l_digest },	  { "expect", l_expect },
		{ "members", l_members }, { "gunzip", l_gunzip },
		{ "close", l_close },	  { "verify_rsa", l_verify_rsa },
		{ "__gc", l_close },	  { NULL, NULL },
	};

	luaL_newmetatable(L, BLOB);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, BLOB);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}
