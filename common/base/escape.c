/* escape – see escape.h. */
#include "config.h"

#include "common/base/escape.h"

#include "common/base/buf.h"

size_t utf8_len(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = p[0];
	size_t len = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 &&
		c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;

	if (!len || len > n)
		return 0;
	if (len > 1)
		c &= 0x7fu >> len;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

bool utf8_valid(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = utf8_len((const unsigned char *)s + i, n - i);

		if (!len)
			return false;
		i += len;
	}
	return true;
}

static uint32_t decode(const unsigned char *p, size_t len)
{
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Characters that reorder or hide text on a terminal. */
static bool is_bidi(uint32_t c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
	       c == 0x200f || c == 0x2028 || c == 0x2029 || c == 0xfeff;
}

void escape_buf(struct buf *out, const char *text, size_t n, bool keep_newlines)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(p + i, n - i);
		uint32_t c = len ? decode(p + i, len) : p[i];

		if (!len) {
			buf_addf(out, "\\x%02x", p[i]);
			len = 1;
		} else if (keep_newlines && (c == '\n' || c == '\t')) {
			buf_addch(out, (char)c);
		} else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			buf_addf(out, "\\x%02x", (unsigned)c);
		} else if (is_bidi(c)) {
			buf_addf(out, "\\u{%04x}", (unsigned)c);
		} else {
			buf_add(out, p + i, len);
		}
		i += len;
	}
}

char *escape_line(char *out, size_t size, const char *text)
{
	struct buf b = BUF_INIT;
	size_t n;

	escape_buf(&b, text, strlen(text), false);
	n = b.len < size ? b.len : size - 1;
	while (n < b.len && n > 0 && ((unsigned char)b.data[n] & 0xc0) == 0x80)
		n--;		/* never cut inside a character */
	if (n)
		memcpy(out, b.data, n);
	out[n] = '\0';
	buf_clear(&b);
	return out;
}

void escape_json(struct buf *out, const char *text, size_t n)
{
	static const char shorts[] = { '\b', 'b',  '\t', 't', '\n', 'n',  '\f',
				       'f',  '\r', 'r',	 '"', '"',  '\\', '\\' };

	buf_addch(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t at = 0;

		while (at < sizeof(shorts) && shorts[at] != (char)c)
			at += 2;
		if (at < sizeof(shorts)) {
			buf_addch(out, '\\');
			buf_addch(out, shorts[at + 1]);
		} else if (c < 0x20) {
			buf_addf(out, "\\u%04x", c);
		} else {
			buf_addch(out, (char)c);
		}
	}
	buf_addch(out, '"');
}

char *escape_shell(const char *path)
{
	struct buf b = BUF_INIT;

	if (!strpbrk(path, " \t\n'\"\\$&;|<>()*?[]{}~#!`"))
		return xstrdup(path);
	buf_addch(&b, '\'');
	for (; *path; path++) {
		if (*path == '\'')
			buf_adds(&b, "'\\'");	/* out, a quote, and by the quote itself in again */
		buf_addch(&b, *path);
	}
	buf_addch(&b, '\'');
	return buf_steal(&b);
}
