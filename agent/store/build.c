/* build – see build.h. */
#include "config.h"

#include "agent/store/build.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_build(kind, name) ROWS_COL(build, kind, name)
ROWS_SHAPE(build, "build", BUILD_COLS)

static const struct state_move moves[] = {
	{ "queued", "claimed" }, { "queued", "cancelled" }, { "claimed", "running" },
	{ "claimed", "queued" }, { "running", "queued" }, { "running", "passed" },
	{ "running", "failed" }, { "claimed", "failed" }, { "running", "cancelled" },
};

int build_by_key(struct store_tx *tx, const char *key, struct build *out, struct ps_err *err)
{
	return rows_one(tx, &build_shape, out, err,
			"WHERE key = ? AND state NOT IN ('failed', 'cancelled')", "t", key);
}

int build_get(struct store_tx *tx, int64_t id, struct build *out, struct ps_err *err)
{
	return rows_one(tx, &build_shape, out, err, "WHERE id = ?", "i", id);
}

int build_insert(struct store_tx *tx, struct build *b, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO build (key, repository, project, commit_oid, pipeline, spec, state, since_ms,"
			 " slot, fence, lease_ms, toolchain, prefix, created_ms)"
			 " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, -1, 0, 0, ?, ?, ?)",
			 "tittttitti", b->key, b->repository, b->project, b->commit_oid, b->pipeline, b->spec,
			 now, b->toolchain, b->prefix, now);

	if (rc < 0)
		return rc;
	b->id = sql_last_id(tx);
	return 0;
}

int build_link(struct store_tx *tx, int64_t demand, int64_t build, const char *pipeline, struct ps_err *err)
{
	int rc = sql_run(tx, err, "INSERT INTO demand_build (demand, build, pipeline) VALUES (?, ?, ?)",
			 "iit", demand, build, pipeline);

	return rc < 0 ? rc : 0;
}

int builds_of_demand(struct store_tx *tx, int64_t demand, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err,
			   "WHERE id IN (SELECT build FROM demand_build WHERE demand = ?) ORDER BY id", "i", demand);
}

int builds_in_state(struct store_tx *tx, const char *state, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err, "WHERE state = ? ORDER BY id", "t", state);
}

int builds_under_way(struct store_tx *tx, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err,
			   "WHERE state IN ('claimed', 'running') ORDER BY id", "");
}

int build_set_reason(struct store_tx *tx, const struct build *row, const char *reason, const char *detail, struct ps_err *err)
{
	int rc;

	if (ps_streq(row->reason, reason) && ps_streq(row->detail, detail))
		return 0;
	rc = sql_run(tx, err,
		     "UPDATE build SET since_ms = CASE WHEN reason = ? THEN since_ms ELSE ? END, reason = ?, detail = ?"
		     " WHERE id = ? AND state = 'queued'", "titti", reason, clock_wall_ms(), reason, detail,
		     row->id);
	return rc < 0 ? rc : 0;
}

/* Checks the move and the fence (0: any), then nothing: the caller writes. */
static int may_go(struct store_tx *tx, int64_t id, int64_t fence, const char *to, struct build *b, struct ps_err *err)
{
	int rc = build_get(tx, id, b, err);

	if (rc == 0 && fence && b->fence != fence)
		rc = ps_err_set(err, PS_ESTALE, "build b%lld was claimed again meanwhile", (long long)id);
	return rc < 0 ? rc : state_may_go("build", moves, PS_NELEM(moves), b->state, to, err);
}

int build_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	struct build b = { 0 };
	int rc = may_go(tx, id, 0, "claimed", &b, err);

	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE build SET state = 'claimed', reason = NULL, detail = NULL, slot = ?, lease_ms = ?,"
			     " fence = fence + 1, since_ms = ?, started_ms = ? WHERE id = ?",
			     "iiiii", slot, lease_ms, now, now, id);
	*fence = b.fence + 1;
	build_clear(&b);
	return rc < 0 ? rc : 0;
}

static int go(struct store_tx *tx, int64_t id, int64_t fence, const char *to, const char *why, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = may_go(tx, id, fence, to, &b, err);

	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE build SET state = ?, detail = ?, since_ms = ? WHERE id = ?",
			     "ttii", to, why, clock_wall_ms(), id);
	if (rc >= 0 && strcmp(to, "queued") == 0)
		rc = sql_run(tx, err, "UPDATE build SET slot = -1, lease_ms = 0 WHERE id = ?", "i", id);
	build_clear(&b);
	return rc < 0 ? rc : 0;
}

int build_started(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err)
{
	return go(tx, id, fence, "running", NULL, err);
}

int build_requeue(struct store_tx *tx, int64_t id, int64_t fence, const char *why, struct ps_err *err)
{
	return go(tx, id, fence, "queued", why, err);
}

int build_finish(struct store_tx *tx, int64_t id, int64_t fence, const struct build_result *r, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	struct build b = { 0 };
	int rc = may_go(tx, id, fence, r->state, &b, err);

	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE build SET state = ?, reason = ?, digest = ?, name = ?, size = ?, last_lines = ?,"
			     " since_ms = ?, ended_ms = ?, slot = -1, lease_ms = 0 WHERE id = ?",
			     "ttttitiii", r->state, r->reason, r->digest, r->name, r->size, r->last_lines, now, now, id);
	build_clear(&b);
	return rc < 0 ? rc : 0;
}

void build_clear(struct build *b)
{
	rows_clear_one(&build_shape, b);
}

void builds_clear(struct builds *l)
{
	rows_clear(&build_shape, l);
}
