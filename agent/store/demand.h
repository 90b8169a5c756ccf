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
	X(i, ended_ms) X(i, priority) X(i, bumped_ms) X(t, bumped_by)                                    \
	X(t, asked) X(t, asked_by) X(t, asked_why) X(i, asked_after) X(t, jobs)
ROWS_STRUCT(demand, DEMAND_COLS)

/* Inserts a waiting demand from the members that name it and its priority; sets d->id. One that people
 * asked for has asked, asked_by, asked_why, jobs, toolchain and release from the beginning. */
int demand_insert(struct store_tx *tx, struct demand *d, struct ps_err *err) PS_MUSTCHECK;
/* Open ones to which something happened that may let them go on, oldest first, at most limit; each is
 * asked about until demand_seen(). */
int demands_to_look_at(struct store_tx *tx, int64_t limit, struct demands *out,
		       struct ps_err *err) PS_MUSTCHECK;
int demand_seen(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* Those that wait for a toolchain to be keyed with, oldest first, at most limit; not those of which
 * it is known that theirs is missing (demand_wants). */
int demands_keyless(struct store_tx *tx, int64_t limit, struct demands *out,
		    struct ps_err *err) PS_MUSTCHECK;
/* The demands of events whose last demand has ended since event_settled() was called, by event; of at
 * most limit events. */
int demands_of_settling_events(struct store_tx *tx, int64_t limit, struct demands *out,
			       struct ps_err *err) PS_MUSTCHECK;
int demand_get(struct store_tx *tx, int64_t id, struct demand *out,
	       struct ps_err *err) PS_MUSTCHECK;
/*
 * The one door for a change of state: waiting and active among each other, and each end. A call
 * that changes neither state nor reason writes nothing. superseded_by: 0 none. An end lets go of its
 * builds and tests (builds_let_go, tests_let_go) and settles its event when it was the last. What has ended stays so: whoever
 * may come late asks demand_is_open() first, a second end is our own mistake.
 * A waiting one has no reason of its own: it is its builds', its deployment's or its place's; but
 * `tests` while all that is missing is that they have run.
 */
int demand_set(struct store_tx *tx, int64_t id, const char *state, const char *reason,
	       const char *detail, int64_t superseded_by, struct ps_err *err) PS_MUSTCHECK;
/* failed or cancelled → waiting, without its release: builds and deployment come anew, with the
 * toolchain it was keyed with. One that people asked for keeps its release. */
int demand_reopen(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* Open ones only: what is queued for it from now on goes to the front of its line. */
int demand_bump(struct store_tx *tx, int64_t id, const char *by, struct ps_err *err) PS_MUSTCHECK;
/* A newer push of a branch ends the older demands for the same place that have not started: nothing
 * of theirs is built or being built for them yet. Tags are never superseded. d is the newer one. */
int demand_supersede_older(struct store_tx *tx, const struct demand *d,
			   struct ps_err *err) PS_MUSTCHECK;
/* The demand whose deployment brought this release to a fabric, the newest. PS_ENOENT. */
int demand_of_run(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		  const char *release, struct demand *out, struct ps_err *err) PS_MUSTCHECK;
/* The demand that made this label: the first of its event and project with its release. */
int demand_of_label(struct store_tx *tx, int64_t event, const char *project, const char *release,
		    struct demand *out, struct ps_err *err) PS_MUSTCHECK;
bool demand_is_open(const struct demand *d);
/* Its builds and tests are looked for again: one of them was cancelled when nobody needed it. */
int demand_unkey(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* The toolchain of this name, which it is to be keyed with, cannot be used: it waits at a place of that
 * name until demands_look_again() or until it is keyed. */
int demand_wants(struct store_tx *tx, int64_t id, const char *name, struct ps_err *err) PS_MUSTCHECK;
int demands_look_again(struct store_tx *tx, struct ps_err *err) PS_MUSTCHECK;
int demand_set_toolchain(struct store_tx *tx, int64_t id, const char *digest,
			 struct ps_err *err) PS_MUSTCHECK;
int demand_set_release(struct store_tx *tx, int64_t id, const char *release,
		       struct ps_err *err) PS_MUSTCHECK;
/* Only these of its jobs (JSON list of keys). */
int demand_set_jobs(struct store_tx *tx, int64_t id, const char *jobs, struct ps_err *err) PS_MUSTCHECK;
void demand_clear(struct demand *d);
void demands_clear(struct demands *l);

#endif
