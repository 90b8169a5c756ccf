/* buf – see buf.h. */
#include "config.h"

#include "common/base/buf.h"

char *buf_room(struct buf *b, size_t n)
{
	size_t want = b->len + n + 1;

	PS_BUG_IF(want < n, "buffer of %zu bytes", n);
	if (want > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;

		b->cap = cap > want ? cap : want;
		b->data = xrealloc(b->data, b->cap);
	}
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void buf_grew(struct buf *b, size_t n)
{
	PS_BUG_IF(b->len + n >= b->cap, "buffer grew past its room");
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (n)
		memcpy(to, p, n);
	buf_grew(b, n);
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addch(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	PS_BUG_IF(n < 0, "format '%s'", fmt);
	vsnprintf(buf_room(b, (size_t)n), (size_t)n + 1, fmt, again);
	va_end(again);
	buf_grew(b, (size_t)n);
}

void buf_drain(struct buf *b, size_t n)
{
	PS_BUG_IF(n > b->len, "drain of %zu from %zu", n, b->len);
	if (!n)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_steal(struct buf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	b->data = NULL;
	b->len = b->cap = 0;
	return s;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_clear(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}
