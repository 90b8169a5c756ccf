/* place – see place.h. */
#include "config.h"

#include "common/base/place.h"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void begin(struct place_cursor *c, bool again)
{
	if (!c->at.line || again)
		*c = (struct place_cursor) { .at = { 1, 1 } };
}

static void step(struct place_cursor *c, const char *text)
{
	char ch = text[c->byte++];

	if (ch == '\n')
		c->at = (struct place) { c->at.line + 1, 1 };
	else if (!is_continuation(ch))
		c->at.col++;
	c->chars += !is_continuation(ch);
}

struct place place_of_byte(struct place_cursor *c, const char *text, size_t n, size_t byte)
{
	begin(c, byte < c->byte);
	while (c->byte < n && c->byte < byte)
		step(c, text);
	return c->at;
}

struct place place_of_char(struct place_cursor *c, const char *text, size_t n, size_t chars)
{
	begin(c, chars < c->chars);
	while (c->byte < n && (c->chars < chars || is_continuation(text[c->byte])))
		step(c, text);
	return c->at;
}

bool place_seek(struct place_cursor *c, const char *text, size_t n, struct place at)
{
	begin(c, at.line < c->at.line || (at.line == c->at.line && at.col < c->at.col));
	while (c->byte < n && (c->at.line < at.line || is_continuation(text[c->byte]) ||
			       (c->at.col < at.col && text[c->byte] != '\n')))
		step(c, text);
	return c->at.line == at.line;
}
