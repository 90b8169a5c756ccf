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
			 " fence, spec, created_ms, retry_of) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, -1, 0, ?, ?, ?)",
			 "tittt" "tt" "itii", r->fabric, r->repository, r->project, r->job, r->config, r->release,
			 r->who, now, r->spec, now, r->retry_of);

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
			     "ttii", strcmp(to, "cancelled") == 0 ? to : "failed", reason, now, r->id);
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
	rc = run_insert(tx, &copy, NULL, 0, err);
	*id = copy.id;
	if (rc == 0)
		rc = sql_run(tx, err, "INSERT INTO task (run, n, task, state)"
			     " SELECT ?, n, task, 'queued' FROM task WHERE run = ?", "ii", copy.id, of->id);
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
