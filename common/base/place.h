/*
 * place – line and column of a byte or character of a text, as editors and git count them.
 *
 * A line ends at a line feed and at nothing else (YAML libraries also end one at a lone carriage
 * return, at U+0085 and at U+2028, and begin another behind a text without a last line feed).
 * Columns count characters from 1. A cursor goes on from where it stands, so a text is walked once
 * when places are asked for in order; going back is allowed and starts again.
 */
#ifndef PS_PLACE_H
#define PS_PLACE_H

#include "common/base/ps.h"

struct place { unsigned line, col; };

/* Begin with zeros: the start of the text. The text must stay the same. */
struct place_cursor { size_t byte, chars; struct place at; };

/* Past the end counts as the end. */
struct place place_of_byte(struct place_cursor *c, const char *text, size_t n, size_t byte);
struct place place_of_char(struct place_cursor *c, const char *text, size_t n, size_t chars);
/* The other way: moves the cursor to that place, or to the end of its line where it has no such
 * column. False when the text has no such line. */
bool place_seek(struct place_cursor *c, const char *text, size_t n, struct place at);

#endif
