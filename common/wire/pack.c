/* pack – see pack.h. */
#include "config.h"

#include "common/wire/pack.h"

#include <stdint.h>

#include "common/base/ps.h"

/* What the bytes at p claim to be: a header of `head` bytes, `body` raw bytes, `items` children. */
struct claim { size_t head, body, items; };

static uint64_t be(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static bool claim_of(const unsigned char *p, size_t n, struct claim *c)
{
	static const struct { unsigned char first, size, what; } rows[] = {
		/* size: bytes of length or value; what: 0 value, 1 raw, 2 array, 3 map */
		{ 0xc4, 1, 1 }, { 0xc5, 2, 1 }, { 0xc6, 4, 1 }, { 0xca, 4, 0 }, { 0xcb, 8, 0 },
		{ 0xcc, 1, 0 }, { 0xcd, 2, 0 }, { 0xce, 4, 0 }, { 0xcf, 8, 0 }, { 0xd0, 1, 0 },
		{ 0xd1, 2, 0 }, { 0xd2, 4, 0 }, { 0xd3, 8, 0 }, { 0xd9, 1, 1 }, { 0xda, 2, 1 },
		{ 0xdb, 4, 1 }, { 0xdc, 2, 2 }, { 0xdd, 4, 2 }, { 0xde, 2, 3 }, { 0xdf, 4, 3 },
	};
	unsigned char b = p[0];

	*c = (struct claim) { .head = 1 };
	if (b < 0x80 || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3)
		return true;
	if (b < 0x90) {
		c->items = 2u * (b & 15);
	} else if (b < 0xa0) {
		c->items = b & 15;
	} else if (b < 0xc0) {
		c->body = b & 31;
	} else {
		for (size_t i = 0; i < PS_NELEM(rows); i++) {
			uint64_t v;

			if (rows[i].first != b)
				continue;
			c->head += rows[i].size;
			if (c->head > n)
				return false;
			v = be(p + 1, rows[i].size);
			c->body = rows[i].what == 1 ? (size_t)v : 0;
			c->items = rows[i].what == 2 ? (size_t)v : rows[i].what == 3 ?
				(size_t)v * 2 : 0;
			return true;
		}
		return false;		/* ext types and 0xc1: we never send them */
	}
	return true;
}

/* Returns bytes used, 0 when not well-formed. */
static size_t prove(const unsigned char *p, size_t n, unsigned depth)
{
	struct claim c;
	size_t at;

	if (!n || depth > 8 || !claim_of(p, n, &c) || c.body > n - c.head || c.items > n - c.head)
		return 0;
	at = c.head + c.body;
	for (size_t i = 0; i < c.items; i++) {
		size_t used = prove(p + at, n - at, depth + 1);

		if (!used)
			return 0;
		at += used;
	}
	return at;
}

static int into_buf(void *data, const char *bytes, size_t n)
{
	buf_add(data, bytes, n);
	return 0;
}

void pack_into(msgpack_packer *pk, struct buf *out)
{
	msgpack_packer_init(pk, out, into_buf);
}

void pack_text(msgpack_packer *pk, const char *text)
{
	msgpack_pack_str_with_body(pk, text, strlen(text));
}

bool pack_is_one_value(const void *bytes, size_t n)
{
	return prove(bytes, n, 0) == n;
}

bool pack_open(msgpack_unpacked *out, const struct buf *bytes)
{
	size_t at = 0;

	msgpack_unpacked_init(out);
	return pack_is_one_value(bytes->data, bytes->len) &&
	       msgpack_unpack_next(out, bytes->data, bytes->len, &at) == MSGPACK_UNPACK_SUCCESS;
}
