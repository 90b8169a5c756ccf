/*
 * pause – what people have stopped: an environment, a fabric, the builders, or all; who, why, since.
 *
 * What is under way goes on; what would begin waits with reason `paused` until the same scope is
 * resumed. Pauses are rows, so they survive a start. A *drain* is a pause of all that somebody
 * waits for the end of: the same row with another kind, so that both may stand.
 *
 * pause_of() is pure: the rows in force in, the one that stops this work out.
 */
#ifndef PS_STORE_PAUSE_H
#define PS_STORE_PAUSE_H

#include "agent/store/rows.h"

/* scope: environment, fabric, builder, all; name: of the environment or fabric, else "";
 * kind: pause, drain. */
#define PAUSE_COLS(X) X(t, scope) X(t, name) X(t, kind) X(t, who) X(t, why) X(i, since_ms)
ROWS_STRUCT(pause, PAUSE_COLS)

/* What is about to begin. A fabric's pause stops deployments and runs there, an environment's its
 * deployments; builds are shared by all who need them and stop for `builder` and `all` alone. */
enum pause_work { PAUSE_BUILD, PAUSE_DEPLOY, PAUSE_RUN };

/* Those in force, the widest first. */
int pauses_all(struct store_tx *tx, struct pauses *out, struct ps_err *err) PS_MUSTCHECK;
/* One that is there already keeps since when, and takes who and why. since_ms is set here. */
int pause_put(struct store_tx *tx, const struct pause *p, struct ps_err *err) PS_MUSTCHECK;
/* Lifts one scope (both kinds), or every pause with scope NULL. *lifted: how many rows went. */
int pause_lift(struct store_tx *tx, const char *scope, const char *name, int64_t *lifted,
	       struct ps_err *err) PS_MUSTCHECK;
void pauses_clear(struct pauses *l);

/* Is this word a scope, and does the name fit it (one for environment and fabric, none else)? */
bool pause_scope_fits(const char *scope, const char *name);
/* The first of l that stops this work; NULL: none. environment and fabric may be NULL. */
const struct pause *pause_of(const struct pauses *l, enum pause_work work, const char *environment,
			     const char *fabric);
/* "fabric production by kim since 2026-11-27T01:50:00Z: why", and the command that lifts it.
 * free() them. */
char *pause_text(const struct pause *p);
char *pause_lifter(const struct pause *p);
/* "fabric production", "all". free() it. */
char *pause_subject(const struct pause *p);

#endif
