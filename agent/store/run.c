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

int run_insert(struct store_tx *tx, struct run *r, const char *const *tasks, size_t ntasks, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO run (fabric, repository, project, job, config, release, who, state, since_ms, slot,"
			 " fence, spec, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, -1, 0, ?, ?)",
			 "tittt" "tt" "iti", r->fabric, r->repository, r->project, r->job, r->config, r->release,
			 r->who, now, r->spec, now);

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

int runs_in_state(struct store_tx *tx, const char *state, struct runs *out, struct ps_err *err)
{
	return rows_select(tx, &run_shape, out, err, "WHERE state = ? ORDER BY id", "t", state);
}

int run_set_reason(struct store_tx *tx, const struct run *row, const char *reason, const char *detail, struct ps_err *err)
{
	int rc;

	if (ps_streq(row->reason, reason) && ps_streq(row->detail, detail))
		return 0;
	rc = sql_run(tx, err,
		     "UPDATE run SET since_ms = CASE WHEN reason = ? THEN since_ms ELSE ? END, reason = ?, detail = ?"
		     " WHERE id = ? AND state = 'queued'", "titti", reason, clock_wall_ms(), reason, detail,
		     row->id);
	return rc < 0 ? rc : 0;
}

static int may_go(struct store_tx *tx, int64_t id, int64_t fence, const char *to, struct run *r, struct ps_err *err)
{
	int rc = run_get(tx, id, r, err);

	if (rc == 0 && r->fence != fence)
		rc = ps_err_set(err, PS_ESTALE, "run x%lld was ended meanwhile", (long long)id);
	return rc < 0 ? rc : state_may_go("run", moves, PS_NELEM(moves), r->state, to, err);
}

int run_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t *fence, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	struct run r = { 0 };
	int rc = run_get(tx, id, &r, err);

	if (rc == 0)
		rc = state_may_go("run", moves, PS_NELEM(moves), r.state, "running", err);
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE run SET state = 'running', reason = NULL, detail = NULL, slot = ?, fence = fence + 1,"
			     " since_ms = ?, started_ms = ? WHERE id = ?", "iiii", slot, now, now, id);
	*fence = r.fence + 1;
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

int run_finish(struct store_tx *tx, int64_t id, int64_t fence, const char *state, const char *reason, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	struct run r = { 0 };
	int rc = may_go(tx, id, fence, state, &r, err);

	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE run SET state = ?, reason = ?, slot = -1, since_ms = ?, ended_ms = ? WHERE id = ?",
			     "ttiii", state, reason, now, now, id);
	if (rc >= 0 && strcmp(state, "passed") != 0)
		rc = sql_run(tx, err,
			     "UPDATE task SET state = CASE WHEN state = 'running' THEN 'failed' ELSE 'cancelled' END,"
			     " reason = ?, ended_ms = ? WHERE run = ? AND state IN ('queued', 'running')",
			     "tii", reason, now, id);
	run_clear(&r);
	return rc < 0 ? rc : 0;
}

int task_set(struct store_tx *tx, int64_t run, int64_t fence, const char *task, const char *state,
	     const char *reason, const char *last, int64_t at_ms, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = run_get(tx, run, &r, err);

	if (rc == 0 && (r.fence != fence || strcmp(r.state, "running") != 0))
		rc = ps_err_set(err, PS_ESTALE, "run x%lld was ended meanwhile", (long long)run);
	if (rc == 0 && strcmp(state, "running") == 0)
		rc = sql_run(tx, err,
			     "UPDATE task SET state = 'running', last = COALESCE(?, last), started_ms = COALESCE(started_ms, ?)"
			     " WHERE run = ? AND task = ?", "tiit", last, at_ms, run, task);
	else if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE task SET state = ?, reason = ?, last = COALESCE(?, last), ended_ms = ?"
			     " WHERE run = ? AND task = ?", "tttiit", state, reason, last, at_ms, run, task);
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
