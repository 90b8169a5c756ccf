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
	{ "running", "failed" }, { "claimed", "failed" },
	{ "claimed", "cancelled" }, { "running", "cancelled" },
};

int build_by_key(struct store_tx *tx, const char *key, struct build *out, struct ps_err *err)
{
	return rows_one(tx, &build_shape, out, err,
			"WHERE key = ? AND state NOT IN ('failed', 'cancelled') AND check_of = 0 AND gone_ms = 0", "t", key);
}

/* build_by_key() for a hundred: one text, so that it is prepared once. */
#define TEN "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
static const char by_keys[] =
	"SELECT id, key, state, digest, name, size FROM build WHERE key IN (" TEN ", " TEN ", " TEN ", " TEN
	", " TEN ", " TEN ", " TEN ", " TEN ", " TEN ", " TEN ") AND state NOT IN ('failed', 'cancelled')"
	" AND check_of = 0 AND gone_ms = 0";

static void take_found(sqlite3_stmt *q, const char *const *keys, size_t n, struct build *out)
{
	for (size_t i = 0; i < n; i++)
		if (!out[i].key && strcmp(keys[i], sql_text(q, 1)) == 0)
			out[i] = (struct build) {
				.id = sql_int(q, 0), .key = xstrdup(keys[i]),
				.state = xstrdup(sql_text(q, 2)),
				.digest = xstrdup_null(sql_text(q, 3)),
				.name = xstrdup_null(sql_text(q, 4)), .size = sql_int(q, 5),
			};
}

int builds_by_keys(struct store_tx *tx, const char *const *keys, size_t n, struct build *out,
		   struct ps_err *err)
{
	int rc = 0;

	for (size_t at = 0; at < n && rc == 0; at += BUILD_KEYS) {
		size_t some = n - at < BUILD_KEYS ? n - at : BUILD_KEYS;
		const char *bound[BUILD_KEYS] = { NULL };
		sqlite3_stmt *q;

		memcpy(bound, keys + at, some * sizeof(*bound));
		q = sql_query_texts(tx, err, by_keys, bound, BUILD_KEYS);
		while ((rc = sql_next(tx, q, err)) > 0)
			take_found(q, keys + at, some, out + at);
		sql_done(q);
	}
	return rc;
}

int build_get(struct store_tx *tx, int64_t id, struct build *out, struct ps_err *err)
{
	return rows_one(tx, &build_shape, out, err, "WHERE id = ?", "i", id);
}

int build_of_artifact(struct store_tx *tx, const char *sha256, struct build *out, struct ps_err *err)
{
	return rows_one(tx, &build_shape, out, err, "WHERE digest = ? AND state = 'passed' ORDER BY id DESC LIMIT 1",
			"t", sha256);
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

	if (rc >= 0)		/* if the role was told already, it comes back cancelled and is asked for again */
		rc = sql_run(tx, err, "UPDATE build SET cancel = NULL WHERE id = ? AND told = 0 AND cancel = ?", "it", build,
			     BUILD_UNWANTED);
	return rc < 0 ? rc : 0;
}

int builds_of_demand(struct store_tx *tx, int64_t demand, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err,
			   "WHERE id IN (SELECT build FROM demand_build WHERE demand = ?) ORDER BY id", "i", demand);
}

int builds_under_way(struct store_tx *tx, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err,
			   "WHERE state IN ('claimed', 'running') ORDER BY id", "");
}

int builds_to_cancel(struct store_tx *tx, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err, "WHERE cancel IS NOT NULL AND told = 0"
			   " AND state IN ('claimed', 'running') ORDER BY id", "");
}

int build_set_told(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE build SET told = 1 WHERE id = ?", "i", id);

	return rc < 0 ? rc : 0;
}

/* Those who need it have something to see. */
static int tell_demands(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE demand SET look = 1 WHERE look = 0 AND state IN ('waiting', 'active') AND id IN"
			 " (SELECT demand FROM demand_build WHERE build = ?)", "i", id);

	return rc < 0 ? rc : 0;
}

/* The one door for a change of state. What ends or goes back into line gives up its slot and lease. */
static int set_state(struct store_tx *tx, const struct build *b, const char *to, const char *reason,
		     struct ps_err *err)
{
	bool held = strcmp(to, "claimed") == 0 || strcmp(to, "running") == 0;
	int64_t now = clock_wall_ms();
	int rc;

	state_must_go("build", b->id, moves, PS_NELEM(moves), b->state, to);
	rc = sql_run(tx, err,
		     "UPDATE build SET state = ?, reason = ?, detail = NULL, since_ms = ?,"
		     " slot = CASE WHEN ? THEN slot ELSE -1 END, lease_ms = CASE WHEN ? THEN lease_ms ELSE 0 END,"
		     " ended_ms = CASE WHEN ? THEN ended_ms ELSE ? END WHERE id = ?",
		     "ttiiiiii", to, reason, now, (int64_t)held, (int64_t)held,
		     (int64_t)(held || strcmp(to, "queued") == 0), now, b->id);
	if (rc >= 0 && strcmp(to, "running") != 0)
		rc = tell_demands(tx, b->id, err);
	return rc < 0 ? rc : 0;
}

/* The row, if this claim on it still lasts. */
static int claimed(struct store_tx *tx, int64_t id, int64_t fence, struct build *b, struct ps_err *err)
{
	int rc = build_get(tx, id, b, err);

	if (rc == 0 && b->fence != fence)
		rc = ps_err_set(err, PS_ESTALE, "build b%lld was claimed again meanwhile", (long long)id);
	if (rc == 0 && strcmp(b->state, "claimed") != 0 && strcmp(b->state, "running") != 0)
		rc = ps_err_set(err, PS_ESTALE, "build b%lld is %s meanwhile", (long long)id, b->state);
	return rc;
}

int build_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = build_get(tx, id, &b, err);

	if (rc == 0)
		rc = set_state(tx, &b, "claimed", NULL, err);
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE build SET slot = ?, lease_ms = ?, fence = fence + 1, started_ms = since_ms WHERE id = ?",
			     "iii", slot, lease_ms, id);
	*fence = b.fence + 1;
	build_clear(&b);
	return rc < 0 ? rc : 0;
}

static int go(struct store_tx *tx, int64_t id, int64_t fence, const char *to, const char *why, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = claimed(tx, id, fence, &b, err);

	if (rc == 0 && strcmp(b.state, to) == 0)
		rc = ps_err_set(err, PS_ESTALE, "build b%lld is %s already", (long long)id, to);
	if (rc == 0 && b.cancel && strcmp(to, "running") == 0)	/* the role was told to end it, or will be */
		rc = ps_err_set(err, PS_ESTALE, "build b%lld shall end: %s", (long long)id, b.cancel);
	if (rc == 0 && strcmp(to, "queued") == 0 && b.cancel) {
		to = "cancelled";
		why = b.cancel;
	}
	if (rc == 0)
		rc = set_state(tx, &b, to, why, err);
	build_clear(&b);
	return rc;
}

int build_started(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err)
{
	return go(tx, id, fence, "running", NULL, err);
}

int build_requeue(struct store_tx *tx, int64_t id, int64_t fence, const char *why, struct ps_err *err)
{
	return go(tx, id, fence, "queued", why, err);
}

int build_lease(struct store_tx *tx, int64_t id, int64_t fence, int64_t lease_ms, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = claimed(tx, id, fence, &b, err);

	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE build SET lease_ms = ? WHERE id = ?", "ii", lease_ms, id);
	build_clear(&b);
	return rc < 0 ? rc : 0;
}

int build_finish(struct store_tx *tx, int64_t id, int64_t fence, const struct build_result *r, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = claimed(tx, id, fence, &b, err);

	if (rc == 0 && strcmp(b.state, "claimed") == 0 && strcmp(r->state, "passed") == 0)
		rc = ps_err_set(err, PS_ESTALE, "build b%lld passed before it was started", (long long)id);
	if (rc == 0)		/* the role knows that it was told to, not why */
		rc = set_state(tx, &b, r->state, b.cancel && strcmp(r->state, "cancelled") == 0 ? b.cancel : r->reason, err);
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE build SET digest = ?, name = ?, size = ?, last_lines = ? WHERE id = ?",
			     "ttiti", r->digest, r->name, r->size, r->last_lines, id);
	build_clear(&b);
	return rc < 0 ? rc : 0;
}

/* Does an open demand need it, and the highest priority of those. */
static int still_wanted(struct store_tx *tx, int64_t build, bool *wanted, int64_t *priority, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err,
				    "SELECT MAX(demand.priority) FROM demand_build JOIN demand ON demand.id = demand_build.demand"
				    " WHERE demand_build.build = ? AND demand.state IN ('waiting', 'active')", "i", build);
	int rc = sql_next(tx, q, err);

	*wanted = rc > 0 && !sql_is_null(q, 0);
	*priority = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static int let_go(struct store_tx *tx, const struct build *b, struct ps_err *err)
{
	bool queued = strcmp(b->state, "queued") == 0, wanted;
	int64_t priority;
	int rc;

	if (!queued && strcmp(b->state, "claimed") != 0 && strcmp(b->state, "running") != 0)
		return 0;
	rc = still_wanted(tx, b->id, &wanted, &priority, err);
	if (rc < 0)
		return rc;
	if (!wanted && queued)
		return set_state(tx, b, "cancelled", BUILD_UNWANTED, err);
	if (!wanted)
		rc = sql_run(tx, err, "UPDATE build SET cancel = ? WHERE id = ? AND cancel IS NULL", "ti", BUILD_UNWANTED,
			     b->id);
	else if (priority < b->priority)	/* its turn stays: it has waited for it */
		rc = sql_run(tx, err, "UPDATE build SET priority = ? WHERE id = ?", "ii", priority, b->id);
	return rc < 0 ? rc : 0;
}

int builds_let_go(struct store_tx *tx, int64_t demand, struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	int rc = builds_of_demand(tx, demand, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = let_go(tx, &l.v[i], err);
	builds_clear(&l);
	return rc;
}

int build_cancel(struct store_tx *tx, const struct build *b, const char *why, bool *under_way, struct ps_err *err)
{
	int rc;

	*under_way = strcmp(b->state, "queued") != 0;
	if (!*under_way)
		return set_state(tx, b, "cancelled", why, err);
	rc = sql_run(tx, err, "UPDATE build SET cancel = ?, detail = ? WHERE id = ? AND state IN ('claimed', 'running')"
		     " AND (cancel IS NULL OR cancel = ?)", "ttit", why, why, b->id, BUILD_UNWANTED);
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
