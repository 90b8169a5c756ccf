/*
 * buf – a growing row of bytes, always with a NUL behind the last one (not counted in len).
 *
 * Embedded object: `struct buf b = BUF_INIT;` … buf_clear(&b). The caller bounds what he adds.
 */
#ifndef PS_BUF_H
#define PS_BUF_H

#include "common/base/ps.h"

struct buf {
	char *data;	/* never NULL after the first add; buf_str() is safe always */
	size_t len;
	size_t cap;
};

#define BUF_INIT { NULL, 0, 0 }

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addch(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PS_PRINTF(2, 3);
/* Makes room for n more bytes and returns where they go; buf_grew() tells how many came. */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
/* Drops n bytes from the front. */
void buf_drain(struct buf *b, size_t n);
const char *buf_str(const struct buf *b);
/* Hands the bytes over (free() them) and leaves b empty. Never NULL. */
char *buf_steal(struct buf *b);
void buf_reset(struct buf *b);		/* len = 0, memory kept */
void buf_clear(struct buf *b);

#endif
