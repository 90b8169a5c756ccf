/* test – see test.h. */
#include "config.h"

#include "agent/store/test.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_test(kind, name) ROWS_COL(test, kind, name)
ROWS_SHAPE(test, "test", TEST_COLS)
#define ROWS_COL_test_case(kind, name) ROWS_COL(test_case, kind, name)
ROWS_SHAPE(test_case, "test_case", TEST_CASE_COLS)

static const struct state_move moves[] = {
	{ "queued", "claimed" }, { "queued", "cancelled" }, { "claimed", "running" },
	{ "claimed", "queued" }, { "running", "queued" }, { "running", "passed" },
	{ "running", "failed" }, { "claimed", "failed" }, { "claimed", "cancelled" },
	{ "running", "cancelled" },
};

int test_by_key(struct store_tx *tx, const char *key, struct test *out, struct ps_err *err)
{
	return rows_one(tx, &test_shape, out, err, "WHERE key = ? AND kept = 1", "t", key);
}

int test_get(struct store_tx *tx, int64_t id, struct test *out, struct ps_err *err)
{
	return rows_one(tx, &test_shape, out, err, "WHERE id = ?", "i", id);
}

int test_insert(struct store_tx *tx, struct test *t, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO test (key, build, repository, project, commit_oid, pipeline, fabric_name, state,"
			 " since_ms, slot, fence, lease_ms, kept, flaky, passed, failed, errors, skipped, created_ms,"
			 " priority, turn, bumped_ms)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, -1, 0, 0, 1, 0, 0, 0, 0, 0, ?, 0, 0, 0)",
			 "tiittttii", t->key, t->build, t->repository, t->project, t->commit_oid, t->pipeline,
			 t->fabric_name, now, now);

	if (rc < 0)
		return rc;
	t->id = sql_last_id(tx);
	return 0;
}

int test_link(struct store_tx *tx, int64_t demand, int64_t test, int64_t build, struct ps_err *err)
{
	int rc = sql_run(tx, err, "INSERT INTO demand_test (demand, test, build) VALUES (?, ?, ?)", "iii", demand, test,
			 build);

	return rc < 0 ? rc : 0;
}

int tests_of_demand(struct store_tx *tx, int64_t demand, struct tests *out, struct ps_err *err)
{
	return rows_select(tx, &test_shape, out, err,
			   "WHERE id IN (SELECT test FROM demand_test WHERE demand = ?) ORDER BY id", "i", demand);
}

int tests_under_way(struct store_tx *tx, struct tests *out, struct ps_err *err)
{
	return rows_select(tx, &test_shape, out, err, "WHERE state IN ('claimed', 'running') ORDER BY id", "");
}

/* Those who need it have something to see. */
static int tell_demands(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE demand SET look = 1 WHERE look = 0 AND state IN ('waiting', 'active') AND id IN"
			 " (SELECT demand FROM demand_test WHERE test = ?)", "i", id);

	return rc < 0 ? rc : 0;
}

/* The one door for a change of state. What ends or goes back into line gives up its slot and lease;
 * what failed or was cancelled is not kept. */
static int set_state(struct store_tx *tx, const struct test *t, const char *to, const char *reason,
		     struct ps_err *err)
{
	bool held = strcmp(to, "claimed") == 0 || strcmp(to, "running") == 0;
	bool lost = strcmp(to, "failed") == 0 || strcmp(to, "cancelled") == 0;
	int64_t now = clock_wall_ms();
	int rc;

	state_must_go("test", t->id, moves, PS_NELEM(moves), t->state, to);
	rc = sql_run(tx, err,
		     "UPDATE test SET state = ?, reason = ?, detail = NULL, since_ms = ?,"
		     " slot = CASE WHEN ? THEN slot ELSE -1 END, lease_ms = CASE WHEN ? THEN lease_ms ELSE 0 END,"
		     " ended_ms = CASE WHEN ? THEN ended_ms ELSE ? END, kept = CASE WHEN ? THEN 0 ELSE kept END"
		     " WHERE id = ?",
		     "ttiiiiiii", to, reason, now, (int64_t)held, (int64_t)held,
		     (int64_t)(held || strcmp(to, "queued") == 0), now, (int64_t)lost, t->id);
	if (rc >= 0 && strcmp(to, "running") != 0)
		rc = tell_demands(tx, t->id, err);
	return rc < 0 ? rc : 0;
}

/* The row, if this claim on it still lasts. */
static int claimed(struct store_tx *tx, int64_t id, int64_t fence, struct test *t, struct ps_err *err)
{
	int rc = test_get(tx, id, t, err);

	if (rc == 0 && t->fence != fence)
		rc = ps_err_set(err, PS_ESTALE, "test t%lld was claimed again meanwhile", (long long)id);
	if (rc == 0 && strcmp(t->state, "claimed") != 0 && strcmp(t->state, "running") != 0)
		rc = ps_err_set(err, PS_ESTALE, "test t%lld is %s meanwhile", (long long)id, t->state);
	return rc;
}

int test_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence, struct ps_err *err)
{
	struct test t = { 0 };
	int rc = test_get(tx, id, &t, err);

	if (rc == 0)
		rc = set_state(tx, &t, "claimed", NULL, err);
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE test SET slot = ?, lease_ms = ?, fence = fence + 1, started_ms = since_ms WHERE id = ?",
			     "iii", slot, lease_ms, id);
	*fence = t.fence + 1;
	test_clear(&t);
	return rc < 0 ? rc : 0;
}

static int go(struct store_tx *tx, int64_t id, int64_t fence, const char *to, const char *why, struct ps_err *err)
{
	struct test t = { 0 };
	int rc = claimed(tx, id, fence, &t, err);

	if (rc == 0 && strcmp(t.state, to) == 0)
		rc = ps_err_set(err, PS_ESTALE, "test t%lld is %s already", (long long)id, to);
	if (rc == 0 && t.cancel && strcmp(to, "running") == 0)
		rc = ps_err_set(err, PS_ESTALE, "test t%lld shall end: %s", (long long)id, t.cancel);
	if (rc == 0 && t.cancel && strcmp(to, "queued") == 0) {
		to = "cancelled";
		why = t.cancel;
	}
	if (rc == 0)
		rc = set_state(tx, &t, to, why, err);
	test_clear(&t);
	return rc;
}

int test_started(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err)
{
	return go(tx, id, fence, "running", NULL, err);
}

int test_requeue(struct store_tx *tx, int64_t id, int64_t fence, const char *why, struct ps_err *err)
{
	return go(tx, id, fence, "queued", why, err);
}

int tests_let_go(struct store_tx *tx, int64_t demand, struct ps_err *err)
{
	struct tests l = { NULL, 0 };
	int rc = rows_select(tx, &test_shape, &l, err,
			     "WHERE state = 'queued' AND id IN (SELECT test FROM demand_test WHERE demand = ?)"
			     " AND NOT EXISTS (SELECT 1 FROM demand_test x JOIN demand d ON d.id = x.demand"
			     " WHERE x.test = test.id AND d.state IN ('waiting', 'active')) ORDER BY id", "i", demand);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = set_state(tx, &l.v[i], "cancelled", "no demand is left", err);
	tests_clear(&l);
	return rc;
}

static int put_cases(struct store_tx *tx, int64_t id, const struct test_cases *l, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM test_case WHERE test = ?", "i", id);

	for (size_t i = 0; i < l->n && rc >= 0; i++) {
		const struct test_case *c = &l->v[i];

		rc = sql_run(tx, err,
			     "INSERT INTO test_case (test, n, path, outcome, flaky, took_ms, message, trace)"
			     " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			     "iittiitt", id, (int64_t)i + 1, c->path, c->outcome, c->flaky, c->took_ms, c->message,
			     c->trace);
	}
	return rc < 0 ? rc : 0;
}

int test_finish(struct store_tx *tx, int64_t id, int64_t fence, const struct test_result *r, struct ps_err *err)
{
	const struct test *e = &r->test;
	struct test t = { 0 };
	int rc = claimed(tx, id, fence, &t, err);

	if (rc == 0 && strcmp(t.state, "claimed") == 0 && strcmp(e->state, "passed") == 0)
		rc = ps_err_set(err, PS_ESTALE, "test t%lld passed before it was started", (long long)id);
	if (rc == 0)
		rc = set_state(tx, &t, e->state, t.cancel && strcmp(e->state, "cancelled") == 0 ? t.cancel : e->reason,
			       err);
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE test SET flaky = ?, kept = CASE WHEN ? THEN 0 ELSE kept END, passed = ?, failed = ?,"
			     " errors = ?, skipped = ?, last_lines = ? WHERE id = ?",
			     "iiiiiiti", e->flaky, e->flaky, e->passed, e->failed, e->errors, e->skipped, e->last_lines, id);
	if (rc >= 0)
		rc = put_cases(tx, id, &r->cases, err);
	test_clear(&t);
	return rc < 0 ? rc : 0;
}

int tests_forget(struct store_tx *tx, int64_t build, struct ps_err *err)
{
	return sql_run(tx, err, "UPDATE test SET kept = 0 WHERE build = ? AND kept = 1 AND state = 'passed'", "i", build);
}

int test_cancel(struct store_tx *tx, const struct test *t, const char *why, bool *under_way, struct ps_err *err)
{
	int rc;

	*under_way = strcmp(t->state, "queued") != 0;
	if (!*under_way)
		return set_state(tx, t, "cancelled", why, err);
	rc = sql_run(tx, err, "UPDATE test SET cancel = ?, detail = ? WHERE id = ? AND cancel IS NULL"
		     " AND state IN ('claimed', 'running')", "tti", why, why, t->id);
	return rc < 0 ? rc : 0;
}

int tests_of_demand_alone(struct store_tx *tx, int64_t demand, struct tests *out, struct ps_err *err)
{
	return rows_select(tx, &test_shape, out, err,
			   "WHERE state IN ('queued', 'claimed', 'running')"
			   " AND id IN (SELECT test FROM demand_test WHERE demand = ?)"
			   " AND NOT EXISTS (SELECT 1 FROM demand_test AS x JOIN demand AS d ON d.id = x.demand"
			   " WHERE x.test = test.id AND d.id <> ? AND d.state IN ('waiting', 'active')) ORDER BY id",
			   "ii", demand, demand);
}

int tests_unlink(struct store_tx *tx, int64_t demand, bool all, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM demand_test WHERE demand = ? AND test IN (SELECT id FROM test WHERE"
			 " state IN ('failed', 'cancelled') OR (? AND state = 'passed'))", "ii", demand, (int64_t)all);

	return rc < 0 ? rc : 0;
}

void test_clear(struct test *t)
{
	rows_clear_one(&test_shape, t);
}

void tests_clear(struct tests *l)
{
	rows_clear(&test_shape, l);
}

void test_result_clear(struct test_result *r)
{
	test_clear(&r->test);
	rows_clear(&test_case_shape, &r->cases);
}
