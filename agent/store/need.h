/*
 * need – a demand with what one must know to let somebody act on it: whose event, whose fabric, and
 * is it still its ref's newest movement. Read-only; demand.h changes it.
 */
#ifndef PS_STORE_NEED_H
#define PS_STORE_NEED_H

#include "agent/store/rows.h"

/* id: of the demand. pusher: the login that pushed, or whom a trusted caller spoke as; NULL:
 * unknown. newest: number of the ref's newest event. */
#define NEED_COLS(X)                                                                         \
	X(i, id) X(i, event) X(i, repository) X(t, repository_name) X(t, project) X(t, ref)  \
	X(t, environment) X(t, fabric) X(t, state) X(t, pusher) X(i, newest) X(i, priority)
ROWS_STRUCT(need, NEED_COLS)

int needs_of_event(struct store_tx *tx, int64_t event, struct needs *out,
		   struct ps_err *err) PS_MUSTCHECK;
/* The demands tied to this build, ended ones too. */
int needs_of_build(struct store_tx *tx, int64_t build, struct needs *out,
		   struct ps_err *err) PS_MUSTCHECK;
int needs_of_test(struct store_tx *tx, int64_t test, struct needs *out,
		  struct ps_err *err) PS_MUSTCHECK;
int needs_of_demand(struct store_tx *tx, int64_t demand, struct needs *out,
		    struct ps_err *err) PS_MUSTCHECK;
/* Waiting demands for which nothing is under way: no build, no test, no deployment. */
int needs_queued(struct store_tx *tx, struct needs *out, struct ps_err *err) PS_MUSTCHECK;
/* The login behind an event's push; *pusher NULL: nobody known. free() it. */
int event_pusher_login(struct store_tx *tx, int64_t event, char **pusher,
		       struct ps_err *err) PS_MUSTCHECK;
bool need_is_open(const struct need *n);
void needs_clear(struct needs *l);

#endif
