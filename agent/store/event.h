/*
 * event – the movements of refs, each once, in an order of their own (seq) per ref.
 *
 * In C it is struct ref_event: libevent owns struct event. repository_path and repository_name come
 * from its repository and are not stored twice; repository_path is '' when that is gone.
 */
#ifndef PS_STORE_EVENT_H
#define PS_STORE_EVENT_H

#include "agent/store/rows.h"

#define EVENT_COLS(X)                                                                        \
	X(i, id) X(i, repository) X(t, ref) X(i, seq) X(t, old) X(t, new) X(t, kind)         \
	X(i, push) X(i, k) X(t, pusher) X(t, state) X(t, reason) X(i, superseded_by)         \
	X(t, boot) X(i, stamp) X(i, at_ms) X(i, surveyed) X(i, fence) X(i, lease_ms)         \
	X(t, repository_path) X(t, repository_name)
struct ref_event { EVENT_COLS(ROWS_DECL) };
struct events { struct ref_event *v; size_t n; };

#define EVENT_NOT_JUDGED "accepted without judgement"	/* why an event is held */
#define EVENT_SKIPPED "accepted as penstock.skip asked, whatever was found"

int event_get(struct store_tx *tx, int64_t id, struct ref_event *out, struct ps_err *err) PS_MUSTCHECK;
/* For lists: newest first, at most limit; before: only those with a smaller number (0: all);
 * repository 0 and ref NULL mean any. */
int events_list(struct store_tx *tx, int64_t repository, const char *ref, int64_t before,
		int64_t limit, struct events *out, struct ps_err *err) PS_MUSTCHECK;
/*
 * Claims what may be taken into work: open, not yet surveyed, its repository there, and its push over:
 * then the ref store itself has confirmed what the hook reported. Oldest first, those whose last claim
 * came to nothing behind the others; so many that no more than `most` are claimed at `now_ms`. A claim
 * ends at lease_ms; its fence is in the row.
 */
int events_claim_surveys(struct store_tx *tx, int64_t most, int64_t now_ms, int64_t lease_ms,
			 struct events *out, struct ps_err *err) PS_MUSTCHECK;
/* Is there an open event whose tree is not known? */
int events_any_unsurveyed(struct store_tx *tx, bool *any, struct ps_err *err) PS_MUSTCHECK;
/* The claim came to nothing (fence): asked again some seconds later. Or the role is gone with all of
 * them (id 0): at once. */
int event_release_survey(struct store_tx *tx, int64_t id, int64_t fence,
			 struct ps_err *err) PS_MUSTCHECK;
/* Its demands have ended and event_end() was told: not looked at again. */
int event_settled(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/*
 * For the merge rule, in seq order: the last `least` events of this ref, or as many more as it takes
 * to reach one that is_old() says is old enough (and that one).
 */
typedef bool event_old_fn(const struct ref_event *e, const void *arg);
int events_last(struct store_tx *tx, int64_t repository, const char *ref, int64_t least,
		event_old_fn *is_old, const void *arg, struct events *out, struct ps_err *err) PS_MUSTCHECK;
/* The events of a push, in the order of their numbers. */
int events_of_push(struct store_tx *tx, int64_t push, struct events *out, struct ps_err *err) PS_MUSTCHECK;

/* Those held together with event `first`; a negative number: that event alone. */
int events_held_with(struct store_tx *tx, int64_t first, struct events *out, struct ps_err *err) PS_MUSTCHECK;

/* Adds e behind the last event of its ref, which begins where that ended (PS_ESTALE otherwise: the
 * chain must join), and moves the ref's tail. The ref has a row. Sets e->id and e->seq. */
int event_append(struct store_tx *tx, struct ref_event *e, struct ps_err *err) PS_MUSTCHECK;
/* Adds e in the middle: it takes the place (seq) of event `before`, which moves on with
 * all behind it (0: behind them all, where the ref's tail does not follow).
 * Both keep their numbers; whether the values join is the caller's. Sets e->id and e->seq. */
int event_insert(struct store_tx *tx, struct ref_event *e, int64_t before, struct ps_err *err) PS_MUSTCHECK;
/*
 * An event that was inferred or a gap is told better: old, kind, push, k and pusher become those of e.
 * Its state follows while nothing was made of it: held to open when e is, open to held when e is. Those
 * who may have made it are forgotten: event_maker_put() names them anew.
 */
int event_change(struct store_tx *tx, const struct ref_event *e, struct ps_err *err) PS_MUSTCHECK;
/* Who is shown, and its state as above. */
int event_set_pusher(struct store_tx *tx, int64_t id, const char *pusher, const char *state, const char *reason,
		     struct ps_err *err) PS_MUSTCHECK;
/* The pushes that may have made an event that is not sure; naming one twice is fine. */
int event_maker_put(struct store_tx *tx, int64_t event, int64_t push, struct ps_err *err) PS_MUSTCHECK;
struct event_makers { int64_t *v; size_t n; };		/* free(v) */
int event_makers(struct store_tx *tx, int64_t event, struct event_makers *out, struct ps_err *err) PS_MUSTCHECK;
/* The verdict on a push came after its events (core was stopped, and the hook's second word lay in
 * the spool): what was held for want of it alone is now as if it had been there at birth. */
int events_judged(struct store_tx *tx, int64_t push, struct ps_err *err) PS_MUSTCHECK;
/* After appending to a ref: only its tail may start work. Open and held ones before it that nobody took
 * into work, and whatever of number first_new on is not the tail, become superseded by the tail; why
 * one was held stays its reason. */
int events_supersede(struct store_tx *tx, int64_t repository, const char *ref, int64_t first_new,
		     struct ps_err *err) PS_MUSTCHECK;
/* Events that are over (or held) and whose commit is still kept from gc for them, while no open event
 * needs it; at most limit. event_kept_no_more() when the gate has let it go. */
int events_to_unkeep(struct store_tx *tx, int64_t limit, struct events *out, struct ps_err *err) PS_MUSTCHECK;
int event_kept_no_more(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* Its projects are known and its demands made. */
int event_set_surveyed(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* The one door for a change of state outside the rule: open → held, done, superseded; held → open,
 * done, superseded. PS_ESTALE for any other. The same state again may change the reason. */
int event_end(struct store_tx *tx, int64_t id, const char *state, const char *reason, struct ps_err *err) PS_MUSTCHECK;
/* done → open: somebody retries it. With again its tree is looked into anew and demands are made;
 * without, those it has go on. */
int event_reopen(struct store_tx *tx, int64_t id, bool again, struct ps_err *err) PS_MUSTCHECK;
/* The number of the newest event of this ref; 0: none. */
int event_newest(struct store_tx *tx, int64_t repository, const char *ref, int64_t *id,
		 struct ps_err *err) PS_MUSTCHECK;
void event_clear(struct ref_event *e);
void events_clear(struct events *l);

#endif
