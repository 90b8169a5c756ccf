/*
 * outbox – what people shall be told, written in the transaction of what happened.
 *
 *	outbox_put()  a notice: kind, environment, payload; whom to tell is not asked here
 *	outbox_spread() makes of it one letter for each entry of `notify` that wants it
 *	outbox_claim() hands those that are due to who sends them; outbox_end() says what came of it
 *
 * A letter that may be tried again goes back into line; one that may not, or has been tried often enough, is
 * failed: shown, and sent again by hand. Whoever died on the way is tried again, so a receiver may get one twice,
 * with the same uid.
 */
#ifndef PS_STORE_OUTBOX_H
#define PS_STORE_OUTBOX_H

#include "agent/store/rows.h"
#include "common/config/config.h"

#define LETTER_COLS(X)                                                                     \
	X(i, id) X(i, notice) X(t, target) X(t, uid) X(t, state) X(i, tries) X(i, fence)     \
	X(i, next_ms) X(t, problem) X(i, created_ms) X(i, since_ms)
ROWS_STRUCT(letter, LETTER_COLS)
#define NOTICE_COLS(X) X(i, id) X(t, kind) X(t, environment) X(t, payload) X(i, created_ms)
ROWS_STRUCT(notice, NOTICE_COLS)

/* once (may be NULL): nothing when a notice of that text was put before. */
int outbox_put(struct store_tx *tx, const char *kind, const char *environment, const char *payload,
	       const char *once, struct ps_err *err) PS_MUSTCHECK;
/* The same about a deployment as it is now; of one that has no deployment, about a demand. */
int outbox_deployment(struct store_tx *tx, int64_t deployment, const char *kind, const char *once,
		      struct ps_err *err) PS_MUSTCHECK;
/* A job of that deployment is other than it was put there, or gone; by (may be NULL): who did it. */
int outbox_drift(struct store_tx *tx, int64_t deployment, const char *job, const char *by, bool gone,
		 struct ps_err *err) PS_MUSTCHECK;
int outbox_demand(struct store_tx *tx, int64_t demand, const char *kind, struct ps_err *err) PS_MUSTCHECK;

/* When is there something to do? 0: now; -1: not before another notice. */
int outbox_look(struct store_tx *tx, int64_t now_ms, int64_t *next_ms, struct ps_err *err) PS_MUSTCHECK;
int outbox_spread(struct store_tx *tx, const struct config *cfg, struct ps_err *err) PS_MUSTCHECK;
/* Of those that are due at most n; each with a raised fence and a claim until lease_ms. */
int outbox_claim(struct store_tx *tx, int64_t now_ms, int64_t lease_ms, size_t n, struct letters *out,
		 struct ps_err *err) PS_MUSTCHECK;
int outbox_notice(struct store_tx *tx, int64_t id, struct notice *out, struct ps_err *err) PS_MUSTCHECK;
/* done, failed, or queued until next_ms. PS_ESTALE: the claim is another's. */
int outbox_end(struct store_tx *tx, int64_t id, int64_t fence, const char *state, int64_t next_ms,
	       const char *problem, struct ps_err *err) PS_MUSTCHECK;
int outbox_get(struct store_tx *tx, int64_t id, struct letter *out, struct ps_err *err) PS_MUSTCHECK;
/* Claims whose sender is gone go back into line. */
int outbox_unclaim(struct store_tx *tx, struct ps_err *err) PS_MUSTCHECK;
/* A failed one, from its first try on. PS_EINVAL: it is not failed. */
int outbox_resend(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* Removes what has ended and is older. */
int outbox_forget(struct store_tx *tx, int64_t before_ms, int64_t *n, struct ps_err *err) PS_MUSTCHECK;
void letter_clear(struct letter *d);
void letters_clear(struct letters *l);
void notice_clear(struct notice *n);

#endif
