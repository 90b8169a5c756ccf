/* imported – see imported.h. */
#include "config.h"

#include "agent/store/imported.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"
#include "common/base/id.h"

#define ROWS_COL_imported_job(kind, name) ROWS_COL(imported_job, kind, name)
ROWS_SHAPE(imported_job, "imported_job", IMPORTED_JOB_COLS)

/* One text of a query's first row; NULL: it has none. free() it. */
static int first_text(struct store_tx *tx, sqlite3_stmt *q, char **out, struct ps_err *err)
{
	int rc = sql_next(tx, q, err);

	*out = rc > 0 ? xstrdup_null(sql_text(q, 0)) : NULL;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static int check_running(struct store_tx *tx, const struct imported_job *j, struct ps_err *err)
{
	struct deployments running = { NULL, 0 };
	int rc = deployments_running(tx, &running, err);

	for (size_t i = 0; i < running.n && rc == 0; i++) {
		const struct deployment *d = &running.v[i];
		char id[ID_TEXT];

		if (strcmp(d->fabric, j->fabric) == 0 && d->repository == j->repository &&
		    strcmp(d->project, j->project) == 0)
			rc = ps_err_set(err, PS_EBUSY, "%s deploys this project to fabric %s just now: ask "
					"again when it has ended", id_text(id, 'd', d->id), j->fabric);
	}
	deployments_clear(&running);
	return rc;
}

/* Whose is this id there, besides this job? */
static int check_others(struct store_tx *tx, const struct imported_job *j, struct ps_err *err)
{
	static const char sql[] =
		"SELECT r.name || ':' || x.project || ', ' || x.job FROM"
		" (SELECT fabric, repository, project, job, remote_id FROM deployed_job UNION ALL"
		" SELECT fabric, repository, project, job, remote_id FROM imported_job) x"
		" JOIN repository r ON r.id = x.repository WHERE x.fabric = ? AND x.remote_id = ?"
		" AND NOT (x.repository = ? AND x.project = ? AND x.job = ?) LIMIT 1";
	char *other = NULL;
	int rc = first_text(tx, sql_query(tx, err, sql, "ttitt", j->fabric, j->remote_id, j->repository,
					  j->project, j->job), &other, err);

	if (rc == 0 && other)
		rc = ps_err_set(err, PS_ECONFLICT, "job %s of fabric %s is %s already: it cannot be '%s' too",
				j->remote_id, j->fabric, other, j->job);
	free(other);
	return rc;
}

int imported_job_check(struct store_tx *tx, const struct imported_job *j, enum imported_how *how,
		       struct ps_err *err)
{
	static const char deployed[] = "SELECT remote_id FROM deployed_job WHERE fabric = ? AND repository = ?"
				       " AND project = ? AND job = ?";
	struct imported_job was = { 0 };
	char *id = NULL;
	int rc = first_text(tx, sql_query(tx, err, deployed, "titt", j->fabric, j->repository, j->project, j->job),
			    &id, err);

	*how = IMPORTED_DEPLOYED;
	if (rc == 0 && id && strcmp(id, j->remote_id) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "penstock has deployed '%s' to fabric %s as job %s there, not %s: "
				"take it out of state.yml", j->job, j->fabric, id, j->remote_id);
	if (rc < 0 || id)
		goto out;
	rc = check_running(tx, j, err);
	if (rc == 0)
		rc = check_others(tx, j, err);
	if (rc < 0)
		goto out;
	rc = rows_one(tx, &imported_job_shape, &was, NULL, "WHERE fabric = ? AND repository = ? AND project = ?"
		      " AND job = ?", "titt", j->fabric, j->repository, j->project, j->job);
	if (rc == PS_ENOENT) {
		*how = IMPORTED_NEW;
		rc = 0;
	} else if (rc == 0) {
		*how = strcmp(was.remote_id, j->remote_id) == 0 && strcmp(was.name, j->name) == 0 ?
			IMPORTED_SAME : IMPORTED_CHANGED;
	} else {
		ps_err_set(err, rc, "cannot read the imported jobs");
	}
	imported_job_clear(&was);
out:
	free(id);
	return rc;
}

int imported_job_put(struct store_tx *tx, const struct imported_job *j, enum imported_how *how,
		     struct ps_err *err)
{
	int rc = imported_job_check(tx, j, how, err);

	if (rc < 0 || *how == IMPORTED_SAME || *how == IMPORTED_DEPLOYED)
		return rc;
	rc = sql_run(tx, err,
		     "INSERT INTO imported_job (fabric, repository, project, job, name, remote_id, who, since_ms)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fabric, repository, project, job) DO UPDATE SET"
		     " name = excluded.name, remote_id = excluded.remote_id, who = excluded.who,"
		     " since_ms = excluded.since_ms", "titttt" "ti", j->fabric, j->repository, j->project, j->job,
		     j->name, j->remote_id, j->who, clock_wall_ms());
	return rc < 0 ? rc : 0;
}

int imported_jobs(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		  struct imported_jobs *out, struct ps_err *err)
{
	return rows_select(tx, &imported_job_shape, out, err,
			   "WHERE fabric = ? AND repository = ? AND project = ? ORDER BY job", "tit", fabric, repository,
			   project);
}

void imported_job_clear(struct imported_job *j)
{
	rows_clear_one(&imported_job_shape, j);
}

void imported_jobs_clear(struct imported_jobs *l)
{
	rows_clear(&imported_job_shape, l);
}
