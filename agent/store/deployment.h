/*
 * deployment – one release going to one fabric; its steps; and what each fabric has of each job.
 */
#ifndef PS_STORE_DEPLOYMENT_H
#define PS_STORE_DEPLOYMENT_H

#include "agent/store/rows.h"

#define DEPLOYMENT_COLS(X)                                                                   \
	X(i, id) X(i, demand) X(t, release) X(i, label) X(i, repository) X(t, project)       \
	X(t, environment) X(t, fabric) X(t, state) X(t, reason) X(t, detail) X(i, since_ms)  \
	X(i, superseded_by) X(i, fence) X(i, lease_ms) X(t, plan) X(t, plan_digest)          \
	X(t, policy_digest) X(i, next_try_ms) X(i, tries) X(i, created_ms) X(i, started_ms) X(i, ended_ms) \
	X(i, priority) X(i, turn)                                                            \
	X(t, gate) X(t, blocked_by) X(t, lift) X(t, let_by) X(t, let_why) X(i, emergency)    \
	X(t, changed)
ROWS_STRUCT(deployment, DEPLOYMENT_COLS)

#define DEPLOYED_JOB_COLS(X)                                                                 \
	X(t, fabric) X(i, repository) X(t, project) X(t, job) X(t, name) X(t, release)       \
	X(t, digest) X(i, deployment) X(i, fence) X(t, remote_id) X(t, state)                \
	X(t, version) X(t, ref) X(t, written)
ROWS_STRUCT(deployed_job, DEPLOYED_JOB_COLS)

int deployment_insert(struct store_tx *tx, struct deployment *d, struct ps_err *err) PS_MUSTCHECK;
int deployment_get(struct store_tx *tx, int64_t id, struct deployment *out,
		   struct ps_err *err) PS_MUSTCHECK;
/* Under way: one for each fabric at most. */
int deployments_running(struct store_tx *tx, struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
/* As they are stored; as many as there are. */
int deployments_in_state(struct store_tx *tx, const char *state, struct deployments *out,
			 struct ps_err *err) PS_MUSTCHECK;
/* In line for an environment that goes to another fabric now (fabric NULL: to none), at most limit. */
int deployments_misplaced(struct store_tx *tx, const char *environment, const char *fabric,
			  int64_t limit, struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
/* Waiting ones for the same project and environment that are older than d, which is of this event, or
 * was asked for when this event was the newest: of that event or one before, or asked for before. What
 * goes back, or clears away, is none. */
int deployments_older(struct store_tx *tx, const struct deployment *d, int64_t event, bool asked,
		      struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
int deployments_of_demand(struct store_tx *tx, int64_t demand, struct deployments *out,
			  struct ps_err *err) PS_MUSTCHECK;
/* The last that was deployed of each project to this environment; repository (name), project NULL: any. */
int deployments_last(struct store_tx *tx, const char *environment, const char *repository,
		     const char *project, struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
/* A later event's deployment of the same project to the same environment: its number, else 0. What
 * people asked for is none: it says nothing of what a push is worth. */
int deployment_newer(struct store_tx *tx, int64_t repository, const char *project,
		     const char *environment, int64_t event, int64_t *newer,
		     struct ps_err *err) PS_MUSTCHECK;
/* The release that was deployed last where this one goes; *release NULL: none. free() it. */
int deployment_live(struct store_tx *tx, const struct deployment *d, char **release,
		    struct ps_err *err) PS_MUSTCHECK;
/* The one door for a change of state. With nothing changed it writes nothing. Whoever may come late
 * checks the fence and state first: a move that is not allowed is our own mistake. */
int deployment_set(struct store_tx *tx, int64_t id, const char *state, const char *reason,
		   const char *detail, int64_t superseded_by, struct ps_err *err) PS_MUSTCHECK;
/* waiting or running → running, with its plan, a raised fence and a claim until lease_ms. */
int deployment_start(struct store_tx *tx, int64_t id, const char *plan, const char *plan_digest,
		     const char *policy_digest, int64_t lease_ms, int64_t *fence,
		     struct ps_err *err) PS_MUSTCHECK;

/* Its role is still at it: the claim lasts until then. PS_ESTALE when the claim is another's. */
int deployment_renew(struct store_tx *tx, int64_t id, int64_t fence, int64_t lease_ms,
		     struct ps_err *err) PS_MUSTCHECK;

/* The journal. Writing the same thing twice is fine: a step looks first what is there. */
int step_begin(struct store_tx *tx, int64_t deployment, int64_t fence, int64_t n, const char *what,
	       struct ps_err *err) PS_MUSTCHECK;
int step_end(struct store_tx *tx, int64_t deployment, int64_t fence, int64_t n, const char *state,
	     const char *detail, struct ps_err *err) PS_MUSTCHECK;

int deployed_jobs(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		  struct deployed_jobs *out, struct ps_err *err) PS_MUSTCHECK;
/* Live jobs of this fabric with this key or last part of it; repository "" and project "" mean
 * any. */
int deployed_jobs_named(struct store_tx *tx, const char *fabric, const char *job,
			const char *repository, const char *project, struct deployed_jobs *out,
			struct ps_err *err) PS_MUSTCHECK;
/* remote_id, written NULL: the one that is known stays; of a new row written is its release.
 * With a remote_id the row of imported_job has served. */
int deployed_job_put(struct store_tx *tx, const struct deployed_job *j,
		     struct ps_err *err) PS_MUSTCHECK;
/* The release does not want it any more: it keeps what it is of, paused; by: that deployment. */
int deployed_job_orphan(struct store_tx *tx, const struct deployment *by, const char *job,
			struct ps_err *err) PS_MUSTCHECK;
/* It is not there any more. */
int deployed_job_gone(struct store_tx *tx, const struct deployment *by, const char *job,
		      struct ps_err *err) PS_MUSTCHECK;
void deployment_clear(struct deployment *d);
void deployments_clear(struct deployments *l);
void deployed_jobs_clear(struct deployed_jobs *l);

#endif
