/*
 * imported – jobs that another tool made on a fabric, until penstock has deployed them itself.
 *
 * A row says which job of the provider one of ours is. The first deployment of that job there
 * writes to it instead of making another, and ends the row: from then on deployed_job knows the id
 * (deployed_job_put()).
 */
#ifndef PS_STORE_IMPORTED_H
#define PS_STORE_IMPORTED_H

#include "agent/store/deployment.h"

#define IMPORTED_JOB_COLS(X)                                                                 \
	X(t, fabric) X(i, repository) X(t, project) X(t, job) X(t, name) X(t, remote_id) X(t, who) \
	X(i, since_ms)
ROWS_STRUCT(imported_job, IMPORTED_JOB_COLS)

enum imported_how {
	IMPORTED_NEW,
	IMPORTED_CHANGED,	/* it was stored with another id, or another name */
	IMPORTED_SAME,		/* it was stored so before */
	IMPORTED_DEPLOYED,	/* penstock has deployed it, to this very id */
};

/*
 * What putting this row would do; changes nothing. PS_ECONFLICT: penstock has deployed the job
 * there with another id, or this id is another job's; PS_EBUSY: the project is being deployed there.
 */
int imported_job_check(struct store_tx *tx, const struct imported_job *j, enum imported_how *how,
		       struct ps_err *err) PS_MUSTCHECK;
/* Checks and puts. since_ms is set here. */
int imported_job_put(struct store_tx *tx, const struct imported_job *j, enum imported_how *how,
		     struct ps_err *err) PS_MUSTCHECK;
int imported_jobs(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		  struct imported_jobs *out, struct ps_err *err) PS_MUSTCHECK;
void imported_job_clear(struct imported_job *j);
void imported_jobs_clear(struct imported_jobs *l);

#endif
