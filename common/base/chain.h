/*
 * chain – the rows of the audit hold each other: what a row's hash is over, and whether a row of
 * them is whole. Pure; core asks it about its store, the command line about an exported file.
 *
 * The hash of a row is SHA-256 over its canonical JSON, `prev` (the hash of the row before)
 * included and `hash` left out. So a changed byte breaks its own row, and a row that is missing,
 * moved or put in between breaks its neighbour. A chain whose end was cut off is whole: that is
 * told by a head that somebody kept elsewhere (chain_expect()). There is no secret in it: who can
 * write every copy of the head can write another history.
 */
#ifndef PS_CHAIN_H
#define PS_CHAIN_H

#include "common/base/digest.h"

struct buf;

enum { CHAIN_WHY = 256 };

extern const char chain_start[];	/* prev of the first row */

struct chain_row {
	int64_t number, at_ms;
	const char *who, *what, *outcome;
	const char *thing, *why, *policy;	/* NULL: null */
	const char *details;			/* an object as canonical JSON */
	const char *prev, *hash;
};

/* {"at_ms":…,"details":{…},…} without a newline; with_hash: as it is exported. */
void chain_text(const struct chain_row *r, bool with_hash, struct buf *out);
void chain_hash(const struct chain_row *r, char hex[DIGEST_HEX]);

struct chain_check {
	int64_t last;			/* number of the last row that was right; 0 at the start */
	char hash[DIGEST_HEX];		/* its hash */
	int64_t bad;			/* number of the first that was not; 0: none so far */
	char why[CHAIN_WHY];		/* what is wrong there */
};

void chain_init(struct chain_check *c);
/* The next row, in order. False from the first bad one on. */
bool chain_next(struct chain_check *c, const struct chain_row *r);
/* Something else is wrong with this one. Always false. */
bool chain_break(struct chain_check *c, int64_t number, const char *why);
/* The chain must end here. whose: who says so. */
bool chain_expect(struct chain_check *c, int64_t number, const char *hash, const char *whose);

#endif
