/*
 * observation – what the deploy role found in force of the jobs that one project has on a fabric.
 *
 * deployed_job says what we put there. A look compares: where something else is in force, that is
 * kept until the next deployment of the job. So a plan stands on what is there, as far as anybody
 * has looked.
 */
#ifndef PS_STORE_OBSERVATION_H
#define PS_STORE_OBSERVATION_H

#include "agent/store/deployment.h"

#define OBSERVATION_COLS(X)                                                                  \
	X(t, fabric) X(i, repository) X(t, project) X(i, asked_ms) X(i, seen_ms) X(t, problem)
ROWS_STRUCT(observation, OBSERVATION_COLS)

#define OBSERVED_JOB_COLS(X) X(t, job) X(t, digest) X(t, changed_by) X(i, paused) X(i, since_ms)
ROWS_STRUCT(observed_job, OBSERVED_JOB_COLS)

/* What a look found of one job. */
struct observed_found {
	const char *digest;	/* in force; "": nothing */
	const char *changed_by; /* NULL: the provider does not tell */
	bool paused;
};

/* A place: the jobs of one project on one fabric. */
struct observed_place { const char *fabric; int64_t repository; const char *project; };

/* The last look; all 0 when nobody ever looked. */
int observation_get(struct store_tx *tx, const struct observed_place *at, struct observation *out,
		    struct ps_err *err) PS_MUSTCHECK;
int observation_ask(struct store_tx *tx, const struct observed_place *at, int64_t now_ms,
		    struct ps_err *err) PS_MUSTCHECK;
/*
 * The answer to a look for these jobs, each as deployed_job had it when it was asked for. Of a job
 * that was deployed meanwhile it tells nothing. What is other than it was deployed, and than it was
 * seen before, is told to people once (outbox.h).
 */
int observation_put(struct store_tx *tx, const struct observed_place *at,
		    const struct deployed_jobs *asked, const struct observed_found *found,
		    int64_t now_ms, struct ps_err *err) PS_MUSTCHECK;
int observation_fail(struct store_tx *tx, const struct observed_place *at, const char *problem,
		     int64_t now_ms, struct ps_err *err) PS_MUSTCHECK;
/* Places with live jobs at which nobody has looked since then, longest ago first; none of a fabric
 * where something is being deployed or looked at since busy_ms. problem: not set. */
int observations_due(struct store_tx *tx, const char *fabric, int64_t before_ms, int64_t busy_ms,
		     int64_t limit, struct observations *out, struct ps_err *err) PS_MUSTCHECK;
void observations_clear(struct observations *l);
/* Nobody will answer what is open, and what failed may be tried at once: the role came anew. */
int observation_recover(struct store_tx *tx, struct ps_err *err) PS_MUSTCHECK;
/* Where something else is in force than deployed_job says, by job. */
int observed_jobs(struct store_tx *tx, const struct observed_place *at, struct observed_jobs *out,
		  struct ps_err *err) PS_MUSTCHECK;
void observation_clear(struct observation *o);
void observed_jobs_clear(struct observed_jobs *l);

#endif
