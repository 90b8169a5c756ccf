/*
 * run – one execution of a deployed job, and its tasks.
 */
#ifndef PS_STORE_RUN_H
#define PS_STORE_RUN_H

#include "agent/store/rows.h"

#define RUN_COLS(X)                                                                          \
	X(i, id) X(t, fabric) X(i, repository) X(t, project) X(t, job) X(t, config) X(t, release) \
	X(t, who) X(t, state) X(t, reason) X(t, detail) X(i, since_ms) X(i, slot) X(i, fence) \
	X(t, spec) X(i, created_ms) X(i, started_ms) X(i, ended_ms) X(i, lease_ms)    \
	X(t, cancel) X(i, retry_of) X(t, provider) X(t, params) X(t, remote_id)      \
	X(t, url) X(i, repair)
ROWS_STRUCT(run, RUN_COLS)

/* A run that the deploy role looks after. */
bool run_is_remote(const struct run *r);
/* Inserts a queued run and its tasks (keys in order); sets r->id. provider NULL: local. */
int run_insert(struct store_tx *tx, struct run *r, const char *const *tasks, size_t ntasks,
	       struct ps_err *err) PS_MUSTCHECK;
int run_get(struct store_tx *tx, int64_t id, struct run *out, struct ps_err *err) PS_MUSTCHECK;
/* All that have not ended; as many as there are. */
int runs_open(struct store_tx *tx, struct runs *out, struct ps_err *err) PS_MUSTCHECK;
int runs_running(struct store_tx *tx, struct runs *out, struct ps_err *err) PS_MUSTCHECK;
/* queued → running with a raised fence and a claim until lease_ms. */
int run_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence,
	      struct ps_err *err) PS_MUSTCHECK;
/* Its role is still at it: the claim lasts until then. PS_ESTALE when it has ended meanwhile. */
int run_renew(struct store_tx *tx, int64_t id, int64_t fence, int64_t lease_ms,
	      struct ps_err *err) PS_MUSTCHECK;
/* The role that had it is gone: another claim of the same run, which goes on. */
int run_reclaim(struct store_tx *tx, int64_t id, int64_t lease_ms, int64_t *fence,
		struct ps_err *err) PS_MUSTCHECK;
/* Every remote run that is under way may be claimed anew. */
int runs_let_go(struct store_tx *tx, struct ps_err *err) PS_MUSTCHECK;
/* What its provider was heard to say: remote_id, url (NULL: as before), repair (0: as before); and
 * detail, which says why it cannot be seen now (NULL: it can). As run_renew() besides. */
int run_seen(struct store_tx *tx, int64_t id, int64_t fence, const struct run *seen,
	     struct ps_err *err) PS_MUSTCHECK;
/* running (queued too, for a run that cannot start) → an end; tasks that did not end get it too.
 * PS_ESTALE when it has ended already or the fence is another's. The reason of a cancelled one is what
 * run_cancel() was told. */
int run_finish(struct store_tx *tx, int64_t id, int64_t fence, const char *state,
	       const char *reason, struct ps_err *err) PS_MUSTCHECK;
/* As build_cancel(): a queued one ends at once, a running one when its processes or its provider's
 * work have. */
int run_cancel(struct store_tx *tx, const struct run *r, const char *why, bool *under_way,
	       struct ps_err *err) PS_MUSTCHECK;
/* A queued copy of an ended run: the same definition, wheels and config instance. */
int run_again(struct store_tx *tx, const struct run *of, const char *who, int64_t *id,
	      struct ps_err *err) PS_MUSTCHECK;
/* A queued one that goes on from what failed in an ended run: tasks that passed there have passed
 * here; a remote one is the provider's own run, again. */
int run_repair(struct store_tx *tx, const struct run *of, const char *who, int64_t *id,
	       struct ps_err *err) PS_MUSTCHECK;
/* The repair of that run, *id 0: there is none. */
int run_repaired_by(struct store_tx *tx, int64_t run, int64_t *id, struct ps_err *err) PS_MUSTCHECK;
/* Tasks of the run that have passed: each said to each(). */
int run_passed(struct store_tx *tx, int64_t run, void (*each)(void *arg, const char *task),
	       void *arg, struct ps_err *err) PS_MUSTCHECK;
/* A task as it was heard of; one that a remote run did not have yet is put behind the others.
 * url NULL: as before. at_ms: when it began (state running) or ended. */
struct task_word { const char *task, *state, *reason, *last, *url; int64_t at_ms; };
int task_set(struct store_tx *tx, int64_t run, int64_t fence, const struct task_word *w,
	     struct ps_err *err) PS_MUSTCHECK;
void run_clear(struct run *r);
void runs_clear(struct runs *l);

#endif
