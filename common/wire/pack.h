/*
 * pack – msgpack into a buffer, and out of one: is it msgpack at all? For bytes that come from
 * elsewhere, before the library unpacks them.
 */
#ifndef PS_PACK_H
#define PS_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include <msgpack.h>

#include "common/base/buf.h"

/*
 * Whether the n bytes are exactly one value of what we send: no extension types, at most eight
 * levels, and counts that are true. A header of five bytes may claim four billion items, for which
 * the library allocates memory before it looks.
 */
bool pack_is_one_value(const void *bytes, size_t n);
/* Whatever is packed by pk from here on is appended to out, which outlives it. Nothing is to be
 * ended. */
void pack_into(msgpack_packer *pk, struct buf *out);
void pack_text(msgpack_packer *pk, const char *text);
/* Unpacks what is one. *out is to be destroyed either way; its texts point into bytes. */
bool pack_open(msgpack_unpacked *out, const struct buf *bytes);

#endif
