/* observation – see observation.h. */
#include "config.h"

#include "agent/store/observation.h"

#include "agent/store/outbox.h"
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

/* As it was seen before; "" digest and 0 when it was as deployed. */
static int seen_before(struct store_tx *tx, const struct observed_place *at, const char *job, char digest[65],
		       bool *is, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT digest FROM observed_job WHERE fabric = ? AND repository = ?"
				    " AND project = ? AND job = ?", "titt", at->fabric, at->repository, at->project, job);
	int rc = sql_next(tx, q, err);

	*is = rc > 0;
	snprintf(digest, 65, "%s", rc > 0 ? sql_text(q, 0) : "");
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* Something else is in force than was deployed. A row only while it is deployed as it was asked for. */
static int put_drift(struct store_tx *tx, const struct observed_place *at, const struct deployed_job *j,
		     const struct observed_found *f, int64_t now_ms, struct ps_err *err)
{
	char before[65];
	bool was, is_new;
	int rc = seen_before(tx, at, j->job, before, &was, err);

	is_new = !was || strcmp(before, f->digest) != 0;
	if (rc == 0)
		rc = sql_run(tx, err,
			     "INSERT INTO observed_job (fabric, repository, project, job, digest, changed_by, paused, since_ms)"
			     " SELECT fabric, repository, project, job, ?, ?, ?, ? FROM deployed_job"
			     " WHERE fabric = ? AND repository = ? AND project = ? AND job = ? AND digest = ?"
			     " ON CONFLICT (fabric, repository, project, job) DO UPDATE SET digest = excluded.digest,"
			     " changed_by = excluded.changed_by, paused = excluded.paused,"
			     " since_ms = CASE WHEN observed_job.digest = excluded.digest THEN observed_job.since_ms"
			     " ELSE excluded.since_ms END",
			     "ttii" "titt" "t", f->digest, f->changed_by, (int64_t)f->paused, now_ms, at->fabric,
			     at->repository, at->project, j->job, j->digest);
	/* what an earlier release left behind is not looked after */
	if (rc > 0 && is_new && strcmp(j->state, "live") == 0)
		rc = outbox_drift(tx, j->deployment, j->job, f->changed_by, !*f->digest, err);
	return rc < 0 ? rc : 0;
}

int observation_put(struct store_tx *tx, const struct observed_place *at, const struct deployed_jobs *asked,
		    const struct observed_found *found, int64_t now_ms, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < asked->n && rc >= 0; i++) {
		const struct deployed_job *j = &asked->v[i];

		if (strcmp(found[i].digest, j->digest) != 0)
			rc = put_drift(tx, at, j, &found[i], now_ms, err);
		else
			rc = sql_run(tx, err,
				     "DELETE FROM observed_job WHERE fabric = ? AND repository = ? AND project = ? AND job = ?",
				     "titt", at->fabric, at->repository, at->project, j->job);
	}
	return rc < 0 ? rc : answered(tx, at, NULL, now_ms, err);
}

int observations_due(struct store_tx *tx, const char *fabric, int64_t before_ms, int64_t busy_ms, int64_t limit,
		     struct observations *out, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err,
				    "SELECT j.repository, j.project, COALESCE(MAX(o.seen_ms), 0) AS seen FROM deployed_job j"
				    " LEFT JOIN observation o ON o.fabric = j.fabric AND o.repository = j.repository"
				    " AND o.project = j.project WHERE j.fabric = ? AND j.state = 'live'"
				    " AND NOT EXISTS (SELECT 1 FROM deployment d WHERE d.state = 'running' AND d.fabric = j.fabric)"
				    " AND NOT EXISTS (SELECT 1 FROM observation b WHERE b.fabric = j.fabric"
				    " AND b.asked_ms > b.seen_ms AND b.asked_ms > ?)"
				    " GROUP BY j.repository, j.project HAVING COALESCE(MAX(o.seen_ms), 0) <= ?"
				    " ORDER BY seen, j.repository, j.project LIMIT ?", "tiii", fabric, busy_ms, before_ms,
				    limit);
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0) {
		out->v = xrealloc(out->v, (out->n + 1) * sizeof(*out->v));
		out->v[out->n++] = (struct observation) { .fabric = xstrdup(fabric), .repository = sql_int(q, 0),
							  .project = xstrdup(sql_text(q, 1)),
							  .seen_ms = sql_int(q, 2) };
	}
	sql_done(q);
	return rc;
}

void observations_clear(struct observations *l)
{
	rows_clear(&observation_shape, l);
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
