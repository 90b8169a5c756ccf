/* run – see run.h. */
#include "config.h"

#include "agent/store/run.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_run(kind, name) ROWS_COL(run, kind, name)
ROWS_SHAPE(run, "run", RUN_COLS)

static const struct state_move moves[] = {
	{ "queued", "running" }, { "queued", "failed" }, { "queued", "cancelled" },
	{ "queued", "unknown" },
	{ "running", "passed" }, { "running", "failed" }, { "running", "cancelled" }, { "running", "unknown" },
};

bool run_is_remote(const struct run *r)
{
	return r->provider && strcmp(r->provider, "local") != 0;
}

int run_insert(struct store_tx *tx, struct run *r, const char *const *tasks, size_t ntasks, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO run (fabric, repository, project, job, config, release, who, state, since_ms, slot,"
			 " fence, spec, created_ms, retry_of, provider, params, remote_id, repair)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, -1, 0, ?, ?, ?, ?, ?, ?, ?)",
			 "tittt" "tt" "itii" "ttti", r->fabric, r->repository, r->project, r->job, r->config, r->release,
			 r->who, now, r->spec, now, r->retry_of, r->provider ? r->provider : "local",
			 r->params, r->remote_id, r->repair);

	if (rc < 0)
		return rc;
	r->id = sql_last_id(tx);
	for (size_t i = 0; i < ntasks && rc >= 0; i++)
		rc = sql_run(tx, err, "INSERT INTO task (run, n, task, state) VALUES (?, ?, ?, 'queued')",
			     "iit", r->id, (int64_t)i, tasks[i]);
	return rc < 0 ? rc : 0;
}

int run_get(struct store_tx *tx, int64_t id, struct run *out, struct ps_err *err)
{
	return rows_one(tx, &run_shape, out, err, "WHERE id = ?", "i", id);
}

int runs_open(struct store_tx *tx, struct runs *out, struct ps_err *err)
{
	return rows_select(tx, &run_shape, out, err, "WHERE state IN ('queued', 'running') ORDER BY id", "");
}

int runs_running(struct store_tx *tx, struct runs *out, struct ps_err *err)
{
	return rows_select(tx, &run_shape, out, err, "WHERE state = 'running' ORDER BY id", "");
}

/* The one door for a change of state. */
static int set_state(struct store_tx *tx, const struct run *r, const char *to, const char *reason, struct ps_err *err)
{
	bool ends = strcmp(to, "running") != 0;
	int64_t now = clock_wall_ms();
	int rc;

	state_must_go("run", r->id, moves, PS_NELEM(moves), r->state, to);
	rc = sql_run(tx, err, "UPDATE run SET state = ?, reason = ?, detail = NULL, since_ms = ? WHERE id = ?", "ttii",
		     to, reason, now, r->id);
	if (rc >= 0 && ends)
		rc = sql_run(tx, err, "UPDATE run SET slot = -1, lease_ms = 0, ended_ms = ? WHERE id = ?", "ii", now, r->id);
	if (rc >= 0 && ends && strcmp(to, "passed") != 0)
		rc = sql_run(tx, err,
			     "UPDATE task SET state = CASE WHEN state = 'running' THEN ? ELSE 'cancelled' END,"
			     " reason = ?, ended_ms = ? WHERE run = ? AND state IN ('queued', 'running')",
			     "ttii", to, reason, now, r->id);
	return rc < 0 ? rc : 0;
}

int run_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = run_get(tx, id, &r, err);

	if (rc == 0)
		rc = set_state(tx, &r, "running", NULL, err);
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE run SET slot = ?, lease_ms = ?, fence = fence + 1, started_ms = since_ms"
			     " WHERE id = ?", "iii", slot, lease_ms, id);
	*fence = r.fence + 1;
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

int run_reclaim(struct store_tx *tx, int64_t id, int64_t lease_ms, int64_t *fence, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = run_get(tx, id, &r, err);

	PS_BUG_IF(rc == 0 && strcmp(r.state, "running") != 0, "run x%lld is not under way", (long long)id);
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE run SET lease_ms = ?, fence = fence + 1 WHERE id = ?", "ii", lease_ms, id);
	*fence = r.fence + 1;
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

int runs_let_go(struct store_tx *tx, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE run SET lease_ms = 1 WHERE state = 'running' AND provider <> 'local'", "");

	return rc < 0 ? rc : 0;
}

/* The row, if it is under this fence and has not ended. */
static int claimed(struct store_tx *tx, int64_t id, int64_t fence, struct run *r, struct ps_err *err)
{
	int rc = run_get(tx, id, r, err);
	bool open = rc == 0 && (strcmp(r->state, "running") == 0 || strcmp(r->state, "queued") == 0);

	if (rc == 0 && (r->fence != fence || !open))
		rc = ps_err_set(err, PS_ESTALE, "run x%lld was ended meanwhile", (long long)id);
	return rc;
}

int run_renew(struct store_tx *tx, int64_t id, int64_t fence, int64_t lease_ms, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = claimed(tx, id, fence, &r, err);

	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE run SET lease_ms = ? WHERE id = ? AND state = 'running'", "ii", lease_ms, id);
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

int run_seen(struct store_tx *tx, int64_t id, int64_t fence, const struct run *seen, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = claimed(tx, id, fence, &r, err);

	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE run SET lease_ms = ?, remote_id = COALESCE(?, remote_id), url = COALESCE(?, url),"
			     " repair = CASE WHEN repair < ? THEN ? ELSE repair END, detail = COALESCE(?, cancel)"
			     " WHERE id = ? AND state = 'running'", "ittiiti", seen->lease_ms, seen->remote_id,
			     seen->url, seen->repair, seen->repair, seen->detail, id);
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

int run_finish(struct store_tx *tx, int64_t id, int64_t fence, const char *state, const char *reason, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = claimed(tx, id, fence, &r, err);

	if (rc == 0 && r.cancel && strcmp(state, "cancelled") == 0)
		reason = r.cancel;
	if (rc == 0)
		rc = set_state(tx, &r, state, reason, err);
	run_clear(&r);
	return rc;
}

int run_cancel(struct store_tx *tx, const struct run *r, const char *why, bool *under_way, struct ps_err *err)
{
	int rc = 0;

	*under_way = strcmp(r->state, "running") == 0;
	if (!*under_way)
		return run_finish(tx, r->id, r->fence, "cancelled", why, err);
	if (!r->cancel)
		rc = sql_run(tx, err, "UPDATE run SET cancel = ?, detail = ? WHERE id = ? AND state = 'running'",
			     "tti", why, why, r->id);
	return rc < 0 ? rc : 0;
}

int run_again(struct store_tx *tx, const struct run *of, const char *who, int64_t *id, struct ps_err *err)
{
	struct run copy = *of;
	int rc;

	copy.who = (char *)who;
	copy.retry_of = of->id;
	copy.remote_id = NULL;
	copy.repair = 0;
	rc = run_insert(tx, &copy, NULL, 0, err);
	*id = copy.id;
	if (rc == 0)
		rc = sql_run(tx, err, "INSERT INTO task (run, n, task, state)"
			     " SELECT ?, n, task, 'queued' FROM task WHERE run = ?", "ii", copy.id, of->id);
	return rc < 0 ? rc : 0;
}

int run_repair(struct store_tx *tx, const struct run *of, const char *who, int64_t *id, struct ps_err *err)
{
	struct run copy = *of;
	char *last = xasprintf("passed in x%lld", (long long)of->id);
	int rc;

	copy.who = (char *)who;
	copy.retry_of = of->id;
	copy.repair = 1;
	rc = run_insert(tx, &copy, NULL, 0, err);
	*id = copy.id;
	if (rc == 0)
		rc = sql_run(tx, err, "INSERT INTO task (run, n, task, state, last, started_ms, ended_ms, url)"
			     " SELECT ?, n, task, 'passed', ?, started_ms, ended_ms, url FROM task"
			     " WHERE run = ? AND state = 'passed'", "iti", copy.id, last, of->id);
	if (rc >= 0)
		rc = sql_run(tx, err, "INSERT INTO task (run, n, task, state) SELECT ?, n, task, 'queued' FROM task"
			     " WHERE run = ? AND state <> 'passed'", "ii", copy.id, of->id);
	free(last);
	return rc < 0 ? rc : 0;
}

int run_repaired_by(struct store_tx *tx, int64_t run, int64_t *id, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT MAX(id) FROM run WHERE retry_of = ? AND repair > 0", "i", run);
	int rc = sql_next(tx, q, err);

	*id = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int run_passed(struct store_tx *tx, int64_t run, void (*each)(void *arg, const char *task), void *arg,
	       struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT task FROM task WHERE run = ? AND state = 'passed' ORDER BY n",
				    "i", run);
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0)
		each(arg, sql_text(q, 0));
	sql_done(q);
	return rc;
}

/* What a provider's run consists of is known when it is seen. */
static int add_task(struct store_tx *tx, int64_t run, const char *task, struct ps_err *err)
{
	return sql_run(tx, err, "INSERT INTO task (run, n, task, state) SELECT ?, COALESCE(MAX(n) + 1, 0), ?, 'queued'"
		       " FROM task WHERE run = ? HAVING NOT EXISTS (SELECT 1 FROM task WHERE run = ? AND task = ?)",
		       "itiit", run, task, run, run, task);
}

int task_set(struct store_tx *tx, int64_t run, int64_t fence, const struct task_word *w, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = run_get(tx, run, &r, err);

	if (rc == 0 && (r.fence != fence || strcmp(r.state, "running") != 0))
		rc = ps_err_set(err, PS_ESTALE, "run x%lld was ended meanwhile", (long long)run);
	if (rc == 0 && run_is_remote(&r))
		rc = add_task(tx, run, w->task, err);
	if (rc >= 0 && strcmp(w->state, "queued") == 0)
		rc = sql_run(tx, err, "UPDATE task SET state = 'queued', url = COALESCE(?, url) WHERE run = ? AND task = ?",
			     "tit", w->url, run, w->task);
	else if (rc >= 0 && strcmp(w->state, "running") == 0)
		rc = sql_run(tx, err,
			     "UPDATE task SET state = 'running', reason = NULL, ended_ms = NULL, last = COALESCE(?, last),"
			     " started_ms = COALESCE(started_ms, ?), url = COALESCE(?, url)"
			     " WHERE run = ? AND task = ?", "titit", w->last, w->at_ms, w->url, run, w->task);
	else if (rc >= 0)
		rc = sql_run(tx, err,
			     "UPDATE task SET state = ?, reason = ?, last = COALESCE(?, last), ended_ms = ?,"
			     " url = COALESCE(?, url) WHERE run = ? AND task = ?", "tttitit", w->state, w->reason,
			     w->last, w->at_ms, w->url, run, w->task);
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

void run_clear(struct run *r)
{
	rows_clear_one(&run_shape, r);
}

void runs_clear(struct runs *l)
{
	rows_clear(&run_shape, l);
}
