/*
 * term – what a terminal may be told, and tables by display width.
 *
 * A terminal gets colour (unless NO_COLOR, TERM=dumb or --color=never), ages instead of times and
 * columns that fit; a pipe gets absolute UTC, no colour and nothing cut. Every cell is escaped
 * here: names come from strangers. Without a UTF-8 locale, or with PENSTOCK_ASCII=1, symbols are
 * letters.
 */
#ifndef PS_TERM_H
#define PS_TERM_H

#include <jansson.h>

#include "cli/states.h"
#include "common/base/buf.h"

struct term {
	bool tty, color, ascii;
	unsigned width;		/* columns; 0: no limit (not a terminal) */
};

/* Decides for one descriptor. when: always, never, auto or NULL; false when it is another word. */
bool term_init(struct term *r, int fd, const char *when);
const char *term_color(const struct term *r, enum role role);	/* "" without colour */
const char *term_plain(const struct term *r);

enum col_kind {
	COL_TEXT,	/* cut at its end when there is no room */
	COL_NAME,	/* cut in its middle */
	COL_ID,		/* never cut, like states and commands */
	COL_STATE,	/* symbol and word; reason behind it where the item has one */
	COL_OID,	/* 12 digits on a terminal, whole in a pipe */
	COL_TIME,	/* age on a terminal, UTC in a pipe */
	COL_SPAN,	/* milliseconds as a duration */
	COL_LIST,	/* texts of a list, joined by ", " */
};

struct column {
	const char *title;	/* NULL ends a row of columns */
	const char *key;	/* member of each item */
	enum col_kind kind;
	unsigned drop;		/* left out on a narrow terminal, lowest first; 0: stays */
};

/* A table of the objects in `items`, a line each, headed by the titles. now_ms: for ages. */
void term_table(struct buf *out, const struct term *r, const struct column *cols,
		  const json_t *items, int64_t now_ms);
/* Symbol, word and, for a waiting thing, its reason: "◷ waiting: builder", coloured. */
void term_state(struct buf *out, const struct term *r, const char *state, const char *reason);
/* A time as the API gives it ("2026-11-23T16:02:03.123Z"), as an age or as UTC to the second. */
void term_time(struct buf *out, const struct term *r, const char *iso, int64_t now_ms);
/* "58 s", "2 m 4 s", "1 h 3 m": how long something took. */
void term_span(struct buf *out, int64_t ms);
/* ms since 1970, or -1 when it is no such time. */
int64_t term_parse_time(const char *iso);
/* Columns that text takes on a terminal. */
size_t term_width(const char *text);
/* text shortened to at most `width` columns, in the middle or at the end. */
void term_cut(struct buf *out, const struct term *r, const char *text, size_t width, bool middle);

#endif
