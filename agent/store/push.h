/*
 * push – one `git push` as its hooks told it, and what it announced to move: its intents.
 */
#ifndef PS_STORE_PUSH_H
#define PS_STORE_PUSH_H

#include "agent/store/rows.h"

/* judged: gate (core asked the gate role), program (the hook's own gate program), skipped (either,
 * and penstock.skip was granted), none. */
#define PUSH_COLS(X)                                                                         \
	X(i, id) X(t, push) X(i, repository) X(t, pusher) X(t, acting_as) X(i, uid)          \
	X(t, judged) X(t, boot) X(i, stamp) X(i, pid) X(i, pid_start) X(i, ended) X(i, at_ms)
struct push { PUSH_COLS(ROWS_DECL) };
struct pushes { struct push *v; size_t n; };

/* boot and begun (stamp) are those of its push, not stored twice. */
#define INTENT_COLS(X)                                                                       \
	X(i, push) X(t, ref) X(i, ordinal) X(t, old) X(t, new) X(t, seen) X(t, state)        \
	X(t, reason) X(t, alias) X(i, told) X(i, told_stamp) X(t, boot) X(i, begun)
ROWS_STRUCT(intent, INTENT_COLS)

/*
 * Finds the push of this name or inserts it from p; p->id is set. One that is known keeps what it
 * had; only judged may rise (none, skipped, program, gate). PS_EPERM when it is of another repository or
 * uid: somebody uses a push id that is not his.
 */
int push_put(struct store_tx *tx, struct push *p, struct ps_err *err) PS_MUSTCHECK;
/* Is an intent of it known? */
int push_has_intent(struct store_tx *tx, const char *push, bool *has, struct ps_err *err) PS_MUSTCHECK;
int push_get(struct store_tx *tx, int64_t id, struct push *out, struct ps_err *err) PS_MUSTCHECK;
/* Those that are not over yet. */
int pushes_open(struct store_tx *tx, struct pushes *out, struct ps_err *err) PS_MUSTCHECK;
/* Its intent came after its report: it began earlier than the store knows. */
int push_began(struct store_tx *tx, const struct push *p, const char *boot, int64_t stamp,
	       struct ps_err *err) PS_MUSTCHECK;
/* receive-pack is over and what it left was settled; false: something more was said of it. */
int push_set_ended(struct store_tx *tx, int64_t id, bool ended, struct ps_err *err) PS_MUSTCHECK;
/* All that are not over are, and their open intents are void. */
int pushes_forget(struct store_tx *tx, const char *why, struct ps_err *err) PS_MUSTCHECK;
/* "ana", or "root (as ana)"; NULL when unknown. free() it. */
char *push_shown(const struct push *p);
void push_clear(struct push *p);
void pushes_clear(struct pushes *l);

int intent_get(struct store_tx *tx, int64_t push, const char *ref, int64_t ordinal,
	       struct intent *out, struct ps_err *err) PS_MUSTCHECK;
int intent_insert(struct store_tx *tx, const struct intent *i, struct ps_err *err) PS_MUSTCHECK;
/* Somebody could read the ref after all. */
int intent_set_seen(struct store_tx *tx, const struct intent *i, const char *seen,
		    struct ps_err *err) PS_MUSTCHECK;
/* It was reported as line `told` of its ref, at that stamp on its push's boot, and has no place among
 * the events yet. */
int intent_set_told(struct store_tx *tx, const struct intent *i, int64_t told, int64_t stamp,
		    struct ps_err *err) PS_MUSTCHECK;
/* The one door: open → used, void; used → open, void (its event turned out to be another
 * push's). */
int intent_set_state(struct store_tx *tx, const struct intent *i, const char *state,
		     const char *reason, struct ps_err *err) PS_MUSTCHECK;
/* Open ones of this ref, oldest first, at most limit. */
int intents_open(struct store_tx *tx, int64_t repository, const char *ref, int64_t limit,
		 struct intents *out, struct ps_err *err) PS_MUSTCHECK;
int intents_of_push(struct store_tx *tx, int64_t push, struct intents *out,
		    struct ps_err *err) PS_MUSTCHECK;
void intent_clear(struct intent *i);
void intents_clear(struct intents *l);

#endif
