/* deployment – see deployment.h. */
#include "config.h"

#include "agent/store/deployment.h"

#include "agent/store/demand.h"
#include "agent/store/gate.h"
#include "agent/store/outbox.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_deployment(kind, name) ROWS_COL(deployment, kind, name)
ROWS_SHAPE(deployment, "deployment", DEPLOYMENT_COLS)
#define ROWS_COL_deployed_job(kind, name) ROWS_COL(deployed_job, kind, name)
ROWS_SHAPE(deployed_job, "deployed_job", DEPLOYED_JOB_COLS)

static const struct state_move moves[] = {
	{ "waiting", "waiting" }, { "waiting", "running" }, { "running", "running" },
	{ "waiting", "failed" }, { "waiting", "rejected" }, { "waiting", "cancelled" },
	{ "waiting", "superseded" }, { "running", "deployed" }, { "running", "failed" },
	{ "running", "unknown" }, { "unknown", "running" },
};

int deployment_insert(struct store_tx *tx, struct deployment *d, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO deployment (demand, release, label, repository, project, environment, fabric,"
			 " state, since_ms, fence, lease_ms, tries, created_ms, gate, look)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, 0, 0, 0, ?, 'order', 1)",
			 "itiitttii", d->demand, d->release, d->label, d->repository, d->project,
			 d->environment, d->fabric, now, now);

	if (rc < 0)
		return rc;
	d->id = sql_last_id(tx);
	return 0;
}

int deployment_get(struct store_tx *tx, int64_t id, struct deployment *out, struct ps_err *err)
{
	return rows_one(tx, &deployment_shape, out, err, "WHERE id = ?", "i", id);
}

int deployments_running(struct store_tx *tx, struct deployments *out, struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err, "WHERE state = 'running' ORDER BY id", "");
}

int deployments_in_state(struct store_tx *tx, const char *state, struct deployments *out, struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err, "WHERE state = ? ORDER BY id", "t", state);
}

int deployments_misplaced(struct store_tx *tx, const char *environment, const char *fabric,
			  int64_t limit, struct deployments *out, struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err,
			   "WHERE id IN (SELECT id FROM deployment WHERE state = 'waiting' AND gate = '' AND environment = ?"
			   " AND fabric < ? UNION ALL"
			   " SELECT id FROM deployment WHERE state = 'waiting' AND gate = '' AND environment = ? AND fabric > ?"
			   " LIMIT ?) ORDER BY id", "tttti", environment, fabric ? fabric : "", environment,
			   fabric ? fabric : "", limit);
}

int deployments_older(struct store_tx *tx, const struct deployment *d, int64_t event, bool asked,
		      struct deployments *out, struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err,
			   "WHERE state = 'waiting' AND repository = ? AND project = ? AND environment = ?"
			   " AND id <> ? AND (SELECT CASE WHEN asked IN ('rollback', 'prune') THEN 0 = 1"
			   " WHEN asked IS NULL THEN event <= ?"
			   " ELSE asked_after < ? OR id < ? END FROM demand WHERE demand.id = deployment.demand) ORDER BY id",
			   "itti" "iii", d->repository, d->project, d->environment, d->id, event,
			   asked ? (int64_t)0 : event, asked ? d->demand : (int64_t)0);
}

int deployments_of_demand(struct store_tx *tx, int64_t demand, struct deployments *out, struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err, "WHERE demand = ? ORDER BY id", "i", demand);
}

int deployments_last(struct store_tx *tx, const char *environment, const char *repository, const char *project,
		     struct deployments *out, struct ps_err *err)
{
	const char *repo = repository ? repository : "", *path = project ? project : "";

	return rows_select(tx, &deployment_shape, out, err,
			   "WHERE id IN (SELECT MAX(id) FROM deployment WHERE state = 'deployed' AND environment = ?"
			   " AND (? = '' OR repository IN (SELECT id FROM repository WHERE name = ?))"
			   " AND (? = '' OR project = ?) GROUP BY repository, project) ORDER BY id", "ttttt", environment,
			   repo, repo, path, path);
}

int deployment_newer(struct store_tx *tx, int64_t repository, const char *project,
		     const char *environment, int64_t event, int64_t *newer, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err,
				    "SELECT deployment.id FROM deployment JOIN demand ON demand.id = deployment.demand"
				    " WHERE deployment.repository = ? AND deployment.project = ? AND deployment.environment = ?"
				    " AND demand.event > ? AND demand.asked IS NULL AND deployment.state IN ('waiting', 'running', 'deployed')"
				    " ORDER BY demand.event DESC LIMIT 1", "itti", repository, project, environment, event);
	int rc = sql_next(tx, q, err);

	*newer = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int deployment_live(struct store_tx *tx, const struct deployment *d, char **release, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err,
				    "SELECT release FROM deployment WHERE fabric = ? AND repository = ? AND project = ?"
				    " AND state = 'deployed' ORDER BY id DESC LIMIT 1", "tit", d->fabric, d->repository,
				    d->project);
	int rc = sql_next(tx, q, err);

	*release = rc > 0 ? xstrdup(sql_text(q, 0)) : NULL;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* An end that people want to know of. */
static int tell(struct store_tx *tx, const struct deployment *d, const char *state, struct ps_err *err)
{
	struct demand m = { 0 };
	const char *kind;
	int rc;

	if (strcmp(state, "failed") == 0 || strcmp(state, "unknown") == 0)
		return outbox_deployment(tx, d->id, "failed", NULL, err);
	if (strcmp(state, "deployed") != 0)
		return 0;
	rc = demand_get(tx, d->demand, &m, err);
	kind = ps_streq(m.asked, "rollback") ? "rolled_back" : "deployed";
	if (rc == 0)
		rc = outbox_deployment(tx, d->id, kind, NULL, err);
	demand_clear(&m);
	return rc;
}

int deployment_set(struct store_tx *tx, int64_t id, const char *state, const char *reason,
		   const char *detail, int64_t superseded_by, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	bool ends = strcmp(state, "waiting") != 0 && strcmp(state, "running") != 0;
	struct deployment d = { 0 };
	int rc = deployment_get(tx, id, &d, err);
	bool same = rc == 0 && strcmp(d.state, state) == 0;

	if (same && ps_streq(d.reason, reason) && ps_streq(d.detail, detail) && !ends)
		goto out;
	if (rc == 0)
		state_must_go("deployment", id, moves, PS_NELEM(moves), d.state, state);
	if (same && ps_streq(d.reason, reason))
		now = d.since_ms;
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE deployment SET state = ?, reason = ?, detail = ?, since_ms = ?, superseded_by = ?"
			     " WHERE id = ?", "tttiii", state, reason, detail, now, superseded_by, id);
	if (rc >= 0 && ends)
		rc = sql_run(tx, err, "UPDATE deployment SET ended_ms = ?, lease_ms = 0, look = 0 WHERE id = ?", "ii",
			     now, id);
	if (rc >= 0 && ends && strcmp(d.state, "running") == 0)
		rc = gate_look_beside(tx, &d, err);
	if (rc >= 0 && ends)
		rc = tell(tx, &d, state, err);
out:
	deployment_clear(&d);
	return rc < 0 ? rc : 0;
}

int deployment_start(struct store_tx *tx, int64_t id, const char *plan, const char *plan_digest,
		     const char *policy_digest, int64_t lease_ms, int64_t *fence, struct ps_err *err)
{
	struct deployment d = { 0 };
	int rc = deployment_get(tx, id, &d, err);

	if (rc == 0)
		rc = deployment_set(tx, id, "running", NULL, NULL, 0, err);
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE deployment SET fence = fence + 1, tries = tries + 1, plan = ?, plan_digest = ?,"
			     " policy_digest = ?, lease_ms = ?, started_ms = COALESCE(started_ms, since_ms) WHERE id = ?",
			     "tttii", plan, plan_digest, policy_digest, lease_ms, id);
	*fence = d.fence + 1;
	deployment_clear(&d);
	return rc < 0 ? rc : 0;
}

/* PS_ESTALE when another claim has it now: a late writer is fenced off. */
static int check_fence(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err)
{
	struct deployment d = { 0 };
	int rc = deployment_get(tx, id, &d, err);

	if (rc == 0 && (d.fence != fence || strcmp(d.state, "running") != 0))
		rc = ps_err_set(err, PS_ESTALE, "deployment d%lld was started again meanwhile", (long long)id);
	deployment_clear(&d);
	return rc;
}

int deployment_renew(struct store_tx *tx, int64_t id, int64_t fence, int64_t lease_ms, struct ps_err *err)
{
	int rc = check_fence(tx, id, fence, err);

	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE deployment SET lease_ms = ? WHERE id = ?", "ii", lease_ms, id);
	return rc < 0 ? rc : 0;
}

int step_begin(struct store_tx *tx, int64_t deployment, int64_t fence, int64_t n, const char *what, struct ps_err *err)
{
	int rc = check_fence(tx, deployment, fence, err);

	if (rc == 0)
		rc = sql_run(tx, err,
			     "INSERT INTO step (deployment, n, what, state, begun_ms) VALUES (?, ?, ?, 'begun', ?)"
			     " ON CONFLICT (deployment, n) DO UPDATE SET state = 'begun', what = excluded.what",
			     "iiti", deployment, n, what, clock_wall_ms());
	return rc < 0 ? rc : 0;
}

int step_end(struct store_tx *tx, int64_t deployment, int64_t fence, int64_t n, const char *state,
	     const char *detail, struct ps_err *err)
{
	int rc = check_fence(tx, deployment, fence, err);

	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE step SET state = ?, detail = ?, ended_ms = ? WHERE deployment = ? AND n = ?",
			     "ttiii", state, detail, clock_wall_ms(), deployment, n);
	return rc < 0 ? rc : 0;
}

int deployed_jobs(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		  struct deployed_jobs *out, struct ps_err *err)
{
	return rows_select(tx, &deployed_job_shape, out, err,
			   "WHERE fabric = ? AND repository = ? AND project = ? ORDER BY job", "tit",
			   fabric, repository, project);
}

int deployed_jobs_named(struct store_tx *tx, const char *fabric, const char *job, const char *repository,
			const char *project, struct deployed_jobs *out, struct ps_err *err)
{
	return rows_select(tx, &deployed_job_shape, out, err,
			   "WHERE fabric = ? AND state = 'live' AND (job = ? OR job = 'jobs/' || ?)"
			   " AND (? = '' OR repository = (SELECT id FROM repository WHERE repository.name = ?))"
			   " AND (? = '' OR project = ?) ORDER BY repository, project, job", "ttttttt",
			   fabric, job, job, repository, repository, project, project);
}

int deployed_job_put(struct store_tx *tx, const struct deployed_job *j, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO deployed_job (fabric, repository, project, job, name, release, digest, deployment,"
			 " fence, remote_id, state, version, ref, written)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, COALESCE(?, ?))"
			 " ON CONFLICT (fabric, repository, project, job) DO UPDATE SET name = excluded.name,"
			 " release = excluded.release, digest = excluded.digest, deployment = excluded.deployment,"
			 " fence = excluded.fence, remote_id = COALESCE(excluded.remote_id, deployed_job.remote_id),"
			 " state = excluded.state, version = excluded.version, ref = excluded.ref,"
			 " written = COALESCE(?, deployed_job.written), orphan_of = 0",
			 "titttttiitt" "ttttt", j->fabric, j->repository, j->project, j->job, j->name, j->release,
			 j->digest, j->deployment, j->fence, j->remote_id, j->state, j->version, j->ref, j->written,
			 j->release, j->written);

	/* what a look found before says nothing any more */
	if (rc >= 0)
		rc = sql_run(tx, err, "DELETE FROM observed_job WHERE fabric = ? AND repository = ? AND project = ? AND job = ?",
			     "titt", j->fabric, j->repository, j->project, j->job);
	/* another tool's job that it was is ours now */
	if (rc >= 0 && j->remote_id)
		rc = sql_run(tx, err, "DELETE FROM imported_job WHERE fabric = ? AND repository = ? AND project = ? AND job = ?",
			     "titt", j->fabric, j->repository, j->project, j->job);
	return rc < 0 ? rc : 0;
}

int deployed_job_orphan(struct store_tx *tx, const struct deployment *by, const char *job, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE deployed_job SET state = 'orphan', orphan_of = ?, fence = ? WHERE fabric = ? AND repository = ?"
			 " AND project = ? AND job = ? AND state = 'live'", "iititt", by->id, by->fence, by->fabric,
			 by->repository, by->project, job);

	return rc < 0 ? rc : 0;
}

int deployed_job_gone(struct store_tx *tx, const struct deployment *by, const char *job, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "DELETE FROM deployed_job WHERE fabric = ? AND repository = ? AND project = ? AND job = ?"
			 " AND state = 'orphan'", "titt", by->fabric, by->repository, by->project, job);

	return rc < 0 ? rc : 0;
}

void deployment_clear(struct deployment *d)
{
	rows_clear_one(&deployment_shape, d);
}

void deployments_clear(struct deployments *l)
{
	rows_clear(&deployment_shape, l);
}

void deployed_jobs_clear(struct deployed_jobs *l)
{
	rows_clear(&deployed_job_shape, l);
}
