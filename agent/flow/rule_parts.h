/*
 * rule_parts – what the files of the rule share: the table as it becomes while steps are decided.
 * For rule*.c alone.
 */
#ifndef PS_RULE_PARTS_H
#define PS_RULE_PARTS_H

#include "agent/flow/rule.h"

enum { RULE_NONE = SIZE_MAX };		/* no intent, no event */

struct rule {
	const struct rule_table *t;
	const struct rule_learnt *l;
	struct rule_steps *out;
	const char *tail;
	struct rule_stamp last;
	bool *used;			/* per intent */
	bool direct;			/* a way has one step: each is known */
};

/* Is the stored stamp older than (or, with `same`, as old as) the one of boot and ns? */
bool rule_older(const struct rule *r, struct rule_stamp stored, const char *boot, int64_t ns,
		bool same);
/* Was the one seen after the other? */
bool rule_seen_since(const struct rule *r, struct rule_stamp seen, struct rule_stamp begun);
/* Was the value read after all that is known? */
bool rule_is_newer(const struct rule *r);
/* What was told then happened before the tail was read: it did not lead there from there. */
bool rule_is_passed(const struct rule *r, struct rule_stamp told);
struct rule_step *rule_step(struct rule *r, enum rule_do what);
void rule_baseline(struct rule *r, const char *value);
void rule_use(struct rule *r, size_t intent);
/* An event behind the last one. */
void rule_append(struct rule *r, enum rule_kind kind, const char *new, int64_t push, int64_t k);
/* An event before events[at], seen when that was. */
void rule_insert(struct rule *r, size_t at, enum rule_kind kind, const char *old, const char *new,
		 int64_t push, int64_t k);
/*
 * The ref had value v: whatever is missing from the tail up to there becomes events, a chain of
 * open intents if there is one, else one gap. not_this: an intent that gets an event of its own.
 */
void rule_reach(struct rule *r, const char *v, size_t not_this);
/* The same from old to new before events[at], which is left to its owner; nothing when equal. */
void rule_fill(struct rule *r, size_t at, const char *old, const char *new, size_t not_this);
/* events[at] begins at old from now on: one intent explains what is left of it, or it is a gap. */
void rule_rest(struct rule *r, size_t at, const char *old, size_t not_this);

/* rule_log.c: may the reflog be believed; then its movements become events; how far it is known. */
bool rule_log_fits(const struct rule *r);
void rule_log_tell(struct rule *r);
void rule_log_note(struct rule *r);
/* rule_place.c: what post-receive told. */
void rule_report(struct rule *r);

#endif
