/*
 * render – what a terminal may be told, and tables by display width.
 *
 * A terminal gets colour (unless NO_COLOR, TERM=dumb or --color=never), ages instead of times and
 * columns that fit; a pipe gets absolute UTC, no colour and nothing cut. Every cell is escaped here:
 * names come from strangers. Without a UTF-8 locale, or with PENSTOCK_ASCII=1, symbols are letters.
 */
#ifndef PS_RENDER_H
#define PS_RENDER_H

#include <jansson.h>

#include "cli/states.h"
#include "common/base/buf.h"

struct render {
	bool tty, color, ascii;
	unsigned width;		/* columns; 0: no limit (not a terminal) */
};

/* Decides for one descriptor. when: always, never, auto or NULL; false when it is another word. */
bool render_init(struct render *r, int fd, const char *when);
const char *render_color(const struct render *r, enum role role);	/* "" without colour */
const char *render_plain(const struct render *r);

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
void render_table(struct buf *out, const struct render *r, const struct column *cols,
		  const json_t *items, int64_t now_ms);
/* Symbol, word and, for a waiting thing, its reason: "◷ waiting: builder", coloured. */
void render_state(struct buf *out, const struct render *r, const char *state, const char *reason);
/* A time as the API gives it ("2026-11-23T16:02:03.123Z"), as an age or as UTC to the second. */
void render_time(struct buf *out, const struct render *r, const char *iso, int64_t now_ms);
/* "58 s", "2 m 4 s", "1 h 3 m": how long something took. */
void render_span(struct buf *out, int64_t ms);
/* ms since 1970, or -1 when it is no such time. */
int64_t render_parse_time(const char *iso);
/* Columns that text takes on a terminal. */
size_t render_width(const char *text);
/* text shortened to at most `width` columns, in the middle or at the end. */
void render_cut(struct buf *out, const struct render *r, const char *text, size_t width, bool middle);

#endif
