/*
 * closure – fabrics that people have closed: a freeze stops deployments but emergencies, a lock all of them. Who, why,
 * since and until when; it survives a start. closure_of() is pure.
 */
#ifndef PS_STORE_CLOSURE_H
#define PS_STORE_CLOSURE_H

#include "agent/store/rows.h"

#define CLOSURE_FREEZE "freeze"
#define CLOSURE_LOCK "lock"

#define CLOSURE_COLS(X) X(t, fabric) X(t, kind) X(t, who) X(t, why) X(i, since_ms) X(i, until_ms)
ROWS_STRUCT(closure, CLOSURE_COLS)

int closures_all(struct store_tx *tx, struct closures *out, struct ps_err *err) PS_MUSTCHECK;
/* One that is there keeps since when, and takes who, why and until. since_ms is set here. */
int closure_put(struct store_tx *tx, const struct closure *c, struct ps_err *err) PS_MUSTCHECK;
/* *lifted: it was there. */
int closure_lift(struct store_tx *tx, const char *fabric, const char *kind, bool *lifted,
		 struct ps_err *err) PS_MUSTCHECK;
void closures_clear(struct closures *l);

/* The one of this kind that is in force at now_ms; NULL: none. */
const struct closure *closure_of(const struct closures *l, const char *fabric, const char *kind, int64_t now_ms);
/* "fabric production is frozen by kim since 2026-11-27T01:50:00Z until ...: why", and the command that lifts
 * it. free() them. */
char *closure_text(const struct closure *c);
char *closure_lifter(const struct closure *c);

#endif
