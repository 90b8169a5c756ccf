/*
 * demand – one event's need for builds and a deployment. Rows of the table of that name.
 */
#ifndef PS_STORE_DEMAND_H
#define PS_STORE_DEMAND_H

#include "agent/store/rows.h"

#define DEMAND_COLS(X)                                                                       \
	X(i, id) X(i, event) X(i, repository) X(t, project) X(t, ref) X(t, commit_oid)       \
	X(t, environment) X(t, fabric) X(t, state) X(t, reason) X(t, detail) X(i, since_ms)  \
	X(i, superseded_by) X(t, survey) X(t, toolchain) X(t, release) X(i, created_ms)      \
	X(i, ended_ms)
ROWS_STRUCT(demand, DEMAND_COLS)

/* Inserts a waiting demand from the members that name it; sets d->id. */
int demand_insert(struct store_tx *tx, struct demand *d, struct ps_err *err) PS_MUSTCHECK;
/* Waiting and active ones, oldest event first. */
int demands_open(struct store_tx *tx, struct demands *out, struct ps_err *err) PS_MUSTCHECK;
/* The demands of open events none of whose demands is open any more, by event. */
int demands_of_settled_events(struct store_tx *tx, struct demands *out,
			      struct ps_err *err) PS_MUSTCHECK;
int demand_get(struct store_tx *tx, int64_t id, struct demand *out,
	       struct ps_err *err) PS_MUSTCHECK;
/*
 * The one door for a change of state: waiting and active among each other, and each end. A call
 * that changes neither state nor reason leaves since_ms alone. superseded_by: 0 none.
 */
int demand_set(struct store_tx *tx, int64_t id, const char *state, const char *reason,
	       const char *detail, int64_t superseded_by, struct ps_err *err) PS_MUSTCHECK;
/* A newer push of a branch ends the older demands for the same place that have not started: nothing
 * of theirs is built or being built for them yet. Tags are never superseded. d is the newer one. */
int demand_supersede_older(struct store_tx *tx, const struct demand *d,
			   struct ps_err *err) PS_MUSTCHECK;
int demand_set_toolchain(struct store_tx *tx, int64_t id, const char *digest,
			 struct ps_err *err) PS_MUSTCHECK;
int demand_set_release(struct store_tx *tx, int64_t id, const char *release,
		       struct ps_err *err) PS_MUSTCHECK;
void demand_clear(struct demand *d);
void demands_clear(struct demands *l);

#endif
