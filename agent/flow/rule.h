/*
 * rule – the merge rule of events: one ref's table in, one thing learnt in, decisions out. Pure.
 *
 * Whoever applies the steps in their order keeps the promise: a ref's events join, from the
 * baseline to the last value seen, and no movement stands there twice. Reading a ref takes time, so
 * what was read is true of some moment between `from` and `to`: `from` decides whether it can be
 * newer than the last event, `to` which pushes may have led there and when the event was seen.
 *
 * Order of stamps: within one boot by number; the present boot is newer than any other; of two
 * older boots the one that was stored first is the older.
 */
#ifndef PS_RULE_H
#define PS_RULE_H

#include "common/base/ps.h"

struct rule_stamp { const char *boot; int64_t ns; };

enum rule_kind { RULE_SURE, RULE_INFERRED, RULE_GAP };

struct rule_event {
	const char *old, *new;
	enum rule_kind kind;
	int64_t push;			/* 0: nobody known */
	int64_t k;			/* line of the ref in its push's report; -1: none */
	struct rule_stamp seen;
	const int64_t *makers;		/* inferred: all pushes that may have made it */
	size_t nmakers;
};

struct rule_intent {
	int64_t push;
	const char *old, *new;
	struct rule_stamp begun;	/* of its push: when its first intent was told */
	/* it was reported as line k and has no place yet; -1: not reported */
	int64_t k;
	struct rule_stamp told;		/* when */
};

/* What is known of the ref. */
struct rule_table {
	const char *boot_now;
	/* all refs had a baseline: one without a row was not there then */
	bool adopted;
	const char *tail;		/* last value; NULL: no row */
	struct rule_stamp last;		/* of the last event or the baseline */
	struct rule_stamp born;		/* of the baseline */
	struct rule_stamp read;		/* tail was read then or later; boot NULL: not known */
	/* bytes of its reflog that are known, -1: none are; the first of the events below that is
	 * newer than that */
	int64_t log;
	size_t logged;
	/* the last ones, in order: all that were seen after the first intent of the push in
	 * question, or of one that is open, began. whole: the ref has no others */
	const struct rule_event *events;
	size_t nevents;
	bool whole;
	const struct rule_intent *intents;	/* open ones, oldest first */
	size_t nintents;
};

enum rule_thing { RULE_INTENT, RULE_REPORT, RULE_END, RULE_LOOK };

struct rule_learnt {
	enum rule_thing thing;
	const char *boot;
	int64_t from, to;		/* when value was read, or the report was made */
	/* intent: seen; end, look and a report that waited: the ref now; NULL: not read */
	const char *value;
	int64_t push;			/* not for a look */
	const char *old, *new;		/* intent, report */
	int64_t k;			/* report: which line of this ref */
	/* report: when the first intent of its push was told; boot NULL: there was none */
	struct rule_stamp begun;
	struct rule_stamp told;		/* report: when post-receive began */
	bool at_last;			/* report: it gets a place now, come what may */
	/* intent: this (push, ref, ordinal) is known with its seen value */
	bool recorded;
	/* look: a push with an open intent on the ref is not over */
	bool lives;
	/* look, end: what its reflog tells: the values from where it was known on to `value`; how
	 * long it is up to there, -1: it tells nothing; how far it was known when it was asked
	 * for */
	const char *const *path;
	size_t npath;
	int64_t log, log_since;
};

enum rule_do {
	RULE_BASELINE,			/* the ref gets a row that begins at `new` */
	RULE_APPEND,			/* an event old→new of `kind` by `push` (0: nobody) */
	RULE_INSERT,			/* the same, right before events[at] or RULE_FIRST */
	RULE_CHANGE,			/* events[at] is now old→new of `kind`, `push`, `k` */
	RULE_MAKER,			/* events[at]: `push` may have made it too */
	RULE_LOGGED,			/* the reflog is known up to byte k */
	RULE_READ,			/* the tail was read at `seen` or later */
	RULE_OPEN,			/* the intent that was learnt is open */
	RULE_USE,			/* intents[at] became an event */
	/* the intent behind events[at] (not of this push) may still come true */
	RULE_REOPEN,
	RULE_VOID,			/* intents[at]: push ended, ref did not move */
	RULE_AGAIN,			/* what was read says nothing yet: read once more */
	/* where the report belongs is told by the ref's value when its push is over */
	RULE_WAIT,
};

/* before all events of the ref, whose baseline was read after that movement */
#define RULE_FIRST (SIZE_MAX - 1)

struct rule_step {
	enum rule_do what;
	enum rule_kind kind;
	const char *old, *new;		/* belong to table and learnt */
	int64_t push, k;
	size_t at;
	struct rule_stamp seen;
	int64_t *makers;		/* inferred: all pushes that may have made it */
	size_t nmakers, cap;
};

struct rule_steps { struct rule_step *v; size_t n, cap; };

void rule_apply(const struct rule_table *t, const struct rule_learnt *l, struct rule_steps *out);
/* After this the push in question may have moved its refs. */
struct rule_stamp rule_began(const struct rule_learnt *l);
void rule_steps_clear(struct rule_steps *s);
const char *rule_kind_word(enum rule_kind k);
/* All zeros: the ref is not there. */
bool rule_is_zero(const char *oid);

#endif
