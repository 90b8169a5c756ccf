/*
 * rule – what hooks said and what refs show becomes exactly one chain of events per ref. Pure.
 *
 * The caller loads one ref as a table (its tail, its events, its intents), tells it what core has
 * learned, and writes back the rows that are marked new or changed, in one transaction. Nothing here
 * reads a clock, a file or the store; design/EVENTS.md is the rule, this is its only implementation.
 *
 * What always holds afterwards: the events in seq order join, the first at the baseline, the last at
 * the tail; and the same thing learned twice changes nothing.
 *
 * Not in here yet: splitting a gap when a late report falls into it, and giving a guessed event of
 * one push to the push that reports it. Until then such a report changes nothing: its movement stays
 * inside the event that is there, which is held.
 */
#ifndef PS_RULE_H
#define PS_RULE_H

#include "common/base/ps.h"

enum { RULE_OID = PS_OID_HEX_MAX + 1 };

/* Boots are numbered in the order they happened; within one the stamp decides. Wall time is not used. */
struct rule_time { int64_t boot, stamp; };

enum rule_kind {
	RULE_SURE,		/* a report names it */
	RULE_INFERRED,		/* an intent explains it; the report may still come */
	RULE_GAP,		/* nobody said anything: held */
};

enum rule_mark { RULE_KEEP, RULE_NEW, RULE_CHANGED };

struct rule_event {
	int64_t id;		/* the store's; 0 for a new one */
	int64_t seq;		/* place on the ref, from 1 */
	char old[RULE_OID], new[RULE_OID];
	enum rule_kind kind;
	int64_t push;		/* the store's; 0: nobody known */
	int64_t k;		/* which line of the report for this ref, from 0; -1: none yet */
	struct rule_time at;	/* when it was seen */
	enum rule_mark mark;
};

enum rule_intent_state { RULE_OPEN, RULE_USED, RULE_VOID };

struct rule_intent {
	int64_t push;
	int64_t ordinal;
	char old[RULE_OID], new[RULE_OID];	/* as claimed */
	char seen[RULE_OID];			/* "": nobody could read the ref */
	struct rule_time at;			/* of the intent: before its push moved anything */
	enum rule_intent_state state;
	const char *reason;			/* static; of RULE_VOID */
	enum rule_mark mark;
};

struct rule_ref {
	bool known;		/* there is a baseline; else the first value learned becomes it */
	bool changed;		/* tail, seq or time are others than the caller gave */
	char tail[RULE_OID];
	int64_t seq;		/* of the last event; 0: baseline only */
	struct rule_time at;	/* of the last event or of the baseline */
	struct rule_event *events;	/* in seq order; at least those of living pushes and the last */
	size_t nevents, cap_events;
	struct rule_intent *intents;	/* all open ones; and all of the push that speaks now */
	size_t nintents, cap_intents;
};

int rule_time_cmp(struct rule_time a, struct rule_time b);
void rule_ref_clear(struct rule_ref *r);
/* Rows that the caller read from the store. */
struct rule_event *rule_add_event(struct rule_ref *r, const struct rule_event *e);
struct rule_intent *rule_add_intent(struct rule_ref *r, const struct rule_intent *in);

/* pre-receive of in->push announces old → new. The seen value is itself a look. */
void rule_intent(struct rule_ref *r, const struct rule_intent *in);

enum rule_said {
	RULE_SAID_NEW,		/* an event was made for it */
	RULE_SAID_SURE,		/* an inferred event became sure */
	RULE_SAID_AGAIN,	/* known already */
	RULE_SAID_INSIDE,	/* it lies inside an event that is there */
};
/*
 * post-receive of push reports its k-th line for this ref. *seq gets the place of the event that
 * holds the movement (0: none).
 */
enum rule_said rule_report(struct rule_ref *r, int64_t push, int64_t k, const char *old,
			   const char *new, struct rule_time at, int64_t *seq);
/* receive-pack of push is over and everything it said was told; the ref is at value now. */
void rule_end(struct rule_ref *r, int64_t push, const char *value, struct rule_time at);
/* The push is over and nobody can read the ref: what is open of it is void, the tail stays. */
void rule_end_blind(struct rule_ref *r, int64_t push, const char *reason);
/* The ref is at value. Nothing happens while a push that announced a movement of it lives: the caller
 * looks again when that one ends. Everything said before `at` must have been told first. */
void rule_look(struct rule_ref *r, const char *value, struct rule_time at);

#endif
