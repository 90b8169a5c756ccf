/* observation – see observation.h. */
#include "config.h"

#include "agent/store/observation.h"

#include "agent/store/sql.h"

#define ROWS_COL_observation(kind, name) ROWS_COL(observation, kind, name)
ROWS_SHAPE(observation, "observation", OBSERVATION_COLS)
#define ROWS_COL_observed_job(kind, name) ROWS_COL(observed_job, kind, name)
ROWS_SHAPE(observed_job, "observed_job", OBSERVED_JOB_COLS)

int observation_get(struct store_tx *tx, const struct observed_place *at, struct observation *out, struct ps_err *err)
{
	int rc = rows_one(tx, &observation_shape, out, err, "WHERE fabric = ? AND repository = ? AND project = ?", "tit",
			  at->fabric, at->repository, at->project);

	return rc == PS_ENOENT ? 0 : rc;
}

int observation_ask(struct store_tx *tx, const struct observed_place *at, int64_t now_ms, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO observation (fabric, repository, project, asked_ms, seen_ms) VALUES (?, ?, ?, ?, 0)"
			 " ON CONFLICT (fabric, repository, project) DO UPDATE SET asked_ms = excluded.asked_ms", "titi",
			 at->fabric, at->repository, at->project, now_ms);

	return rc < 0 ? rc : 0;
}

static int answered(struct store_tx *tx, const struct observed_place *at, const char *problem, int64_t now_ms,
		    struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE observation SET seen_ms = MAX(asked_ms, ?), problem = ?"
			 " WHERE fabric = ? AND repository = ? AND project = ?", "ittit", now_ms, problem, at->fabric,
			 at->repository, at->project);

	return rc < 0 ? rc : 0;
}

int observation_put(struct store_tx *tx, const struct observed_place *at, const struct deployed_jobs *asked,
		    const char *const *found, int64_t now_ms, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < asked->n && rc >= 0; i++) {
		const struct deployed_job *j = &asked->v[i];

		rc = sql_run(tx, err,
			     "DELETE FROM observed_job WHERE fabric = ? AND repository = ? AND project = ? AND job = ?",
			     "titt", at->fabric, at->repository, at->project, j->job);
		if (rc >= 0 && strcmp(found[i], j->digest) != 0)
			rc = sql_run(tx, err,
				     "INSERT INTO observed_job (fabric, repository, project, job, digest)"
				     " SELECT fabric, repository, project, job, ? FROM deployed_job"
				     " WHERE fabric = ? AND repository = ? AND project = ? AND job = ? AND digest = ?",
				     "ttittt", found[i], at->fabric, at->repository, at->project, j->job, j->digest);
	}
	return rc < 0 ? rc : answered(tx, at, NULL, now_ms, err);
}

int observation_fail(struct store_tx *tx, const struct observed_place *at, const char *problem, int64_t now_ms,
		     struct ps_err *err)
{
	return answered(tx, at, problem, now_ms, err);
}

int observation_recover(struct store_tx *tx, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE observation SET asked_ms = 0, seen_ms = 0, problem = NULL"
			 " WHERE asked_ms > seen_ms OR problem IS NOT NULL", "");

	return rc < 0 ? rc : 0;
}

int observed_jobs(struct store_tx *tx, const struct observed_place *at, struct observed_jobs *out, struct ps_err *err)
{
	return rows_select(tx, &observed_job_shape, out, err, "WHERE fabric = ? AND repository = ? AND project = ? ORDER BY job",
			   "tit", at->fabric, at->repository, at->project);
}

void observation_clear(struct observation *o)
{
	rows_clear_one(&observation_shape, o);
}

void observed_jobs_clear(struct observed_jobs *l)
{
	rows_clear(&observed_job_shape, l);
}
