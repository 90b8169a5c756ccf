/*
 * hold – events that must not act until somebody lets them go.
 *
 * One by itself, or many as one item: the item is known by its first event, whose id the others
 * carry (held_with). Letting go never makes an old movement act: only the event that is its ref's
 * tail becomes open.
 */
#ifndef PS_STORE_HOLD_H
#define PS_STORE_HOLD_H

#include "agent/store/event.h"

/* The number of the newest event, and how many refs of the repository at this path exist now, as
 * far as is known: before a look. */
int hold_before(struct store_tx *tx, const char *path, int64_t *last_event, int64_t *refs,
		struct ps_err *err) PS_MUSTCHECK;
/*
 * After a look: its gaps (events of that repository behind last_event). More than 20 of them, or of
 * a tenth of a repository with more than 20 refs, become one item with its reason.
 */
enum { HOLD_MOVED = 20, HOLD_PART = 10 };
int hold_after(struct store_tx *tx, const char *path, int64_t last_event, int64_t refs,
	       struct ps_err *err) PS_MUSTCHECK;
/* Does so much at once look like a restored backup? */
bool hold_is_much(int64_t moved, int64_t refs);

/* What `id` stands for: the whole item when it is the first of one and not `alone`, else itself.
 * Only those that are held; PS_ESTALE says what became of an event that is not. */
int hold_get(struct store_tx *tx, int64_t id, bool alone, struct events *out,
	     struct ps_err *err) PS_MUSTCHECK;
/* Has this person announced a push that may have made the movement? */
int hold_is_his(struct store_tx *tx, const struct ref_event *e, const char *login, bool *his,
		struct ps_err *err) PS_MUSTCHECK;
/* Open (a deletion: done), or superseded when it is not its ref's tail; *acts tells which. What its
 * tree holds is looked at anew. */
int hold_let_go(struct store_tx *tx, const struct ref_event *e, const char *who, const char *why,
		bool *acts, struct ps_err *err) PS_MUSTCHECK;

/* Did somebody let it go before? */
int hold_was_let_go(struct store_tx *tx, int64_t event, bool *was, struct ps_err *err) PS_MUSTCHECK;

/*
 * A ref that has its baseline alone gets an event on purpose: it begins now where there was no ref
 * and leads to the value it has. PS_ECONFLICT when it has an event already, PS_ENOENT when the
 * repository has no such ref. *id is set.
 */
int hold_adopt(struct store_tx *tx, const char *path, const char *ref, const char *who, const char *boot,
	       int64_t stamp, int64_t *id, struct ps_err *err) PS_MUSTCHECK;

#endif
