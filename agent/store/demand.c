/* demand – see demand.h. */
#include "config.h"

#include "agent/store/demand.h"

#include "agent/store/build.h"
#include "agent/store/outbox.h"
#include "agent/store/sql.h"
#include "agent/store/test.h"
#include "common/base/clock.h"
#include "common/base/id.h"

#define ROWS_COL_demand(kind, name) ROWS_COL(demand, kind, name)
ROWS_SHAPE(demand, "demand", DEMAND_COLS)

static const struct state_move moves[] = {
	{ "waiting", "waiting" }, { "waiting", "active" }, { "active", "active" }, { "active", "waiting" },
	{ "waiting", "done" }, { "active", "done" }, { "waiting", "failed" }, { "active", "failed" },
	{ "waiting", "superseded" }, { "active", "superseded" }, { "waiting", "cancelled" },
	{ "active", "cancelled" },
};

int demand_insert(struct store_tx *tx, struct demand *d, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO demand (event, repository, project, ref, commit_oid, environment, fabric,"
			 " state, since_ms, survey, created_ms, priority, toolchain, release, asked, asked_by, asked_why, jobs,"
			 " asked_after) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
			 " CASE WHEN CAST(? AS TEXT) IS NULL THEN 0 ELSE (SELECT MAX(id) FROM event) END)",
			 "iittttt" "itii" "ttttttt", d->event, d->repository, d->project, d->ref, d->commit_oid,
			 d->environment, d->fabric, now, d->survey, now, d->priority, d->toolchain, d->release,
			 d->asked, d->asked_by, d->asked_why, d->jobs, d->asked);

	if (rc < 0)
		return rc;
	d->id = sql_last_id(tx);
	return 0;
}

int demands_to_look_at(struct store_tx *tx, int64_t limit, struct demands *out, struct ps_err *err)
{
	return rows_select(tx, &demand_shape, out, err,
			   "WHERE look = 1 ORDER BY id LIMIT ?", "i", limit);
}

int demand_seen(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET look = 0 WHERE id = ?", "i", id);

	return rc < 0 ? rc : 0;
}

int demands_keyless(struct store_tx *tx, int64_t limit, struct demands *out, struct ps_err *err)
{
	return rows_select(tx, &demand_shape, out, err,
			   "WHERE toolchain IS NULL AND state = 'waiting' AND wants IS NULL ORDER BY id LIMIT ?", "i",
			   limit);
}

int demands_of_settling_events(struct store_tx *tx, int64_t limit, struct demands *out, struct ps_err *err)
{
	return rows_select(tx, &demand_shape, out, err,
			   "WHERE event IN (SELECT id FROM event WHERE settling = 1 ORDER BY id LIMIT ?)"
			   " ORDER BY event, id", "i", limit);
}

int demand_get(struct store_tx *tx, int64_t id, struct demand *out, struct ps_err *err)
{
	return rows_one(tx, &demand_shape, out, err, "WHERE id = ?", "i", id);
}

int demand_of_label(struct store_tx *tx, int64_t event, const char *project, const char *release,
		    struct demand *out, struct ps_err *err)
{
	return rows_one(tx, &demand_shape, out, err, "WHERE event = ? AND project = ? AND release = ?"
			" ORDER BY id LIMIT 1", "itt", event, project, release);
}

int demand_of_run(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		  const char *release, struct demand *out, struct ps_err *err)
{
	return rows_one(tx, &demand_shape, out, err,
			"WHERE id = (SELECT demand FROM deployment WHERE repository = ? AND project = ? AND fabric = ?"
			" AND release = ? ORDER BY created_ms DESC, id DESC LIMIT 1)", "ittt", repository, project, fabric, release);
}

bool demand_is_open(const struct demand *d)
{
	return strcmp(d->state, "waiting") == 0 || strcmp(d->state, "active") == 0;
}

static int end(struct store_tx *tx, const struct demand *d, int64_t now, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET ended_ms = ?, look = 0, wants = NULL WHERE id = ?", "ii", now, d->id);

	if (rc >= 0)
		rc = sql_run(tx, err,
			     "UPDATE event SET settling = 1 WHERE id = ? AND state = 'open' AND NOT EXISTS (SELECT 1"
			     " FROM demand WHERE event = ? AND demand.state IN ('waiting', 'active'))",
			     "ii", d->event, d->event);
	if (rc >= 0)
		rc = builds_let_go(tx, d->id, err);
	return rc < 0 ? rc : tests_let_go(tx, d->id, err);
}

/* What failed before it came to a deployment; a deployment tells for itself. */
static int tell_failed(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT 1 FROM deployment WHERE demand = ? LIMIT 1", "i", id);
	int rc = sql_next(tx, q, err);

	sql_done(q);
	return rc ? (rc < 0 ? rc : 0) : outbox_demand(tx, id, "failed", err);
}

int demand_set(struct store_tx *tx, int64_t id, const char *state, const char *reason,
	       const char *detail, int64_t superseded_by, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	struct demand d = { 0 };
	int rc = demand_get(tx, id, &d, err);
	bool same = rc == 0 && strcmp(d.state, state) == 0;

	if (same && ps_streq(d.reason, reason) && ps_streq(d.detail, detail) && demand_is_open(&d))
		goto out;
	if (rc == 0)
		state_must_go("demand", id, moves, PS_NELEM(moves), d.state, state);
	if (same && ps_streq(d.reason, reason))
		now = d.since_ms;
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE demand SET state = ?, reason = ?, detail = ?, since_ms = ?, superseded_by = ?"
			     " WHERE id = ?", "tttiii", state, reason, detail, now, superseded_by, id);
	if (rc >= 0 && strcmp(state, "waiting") != 0 && strcmp(state, "active") != 0)
		rc = end(tx, &d, now, err);
	if (rc >= 0 && strcmp(state, "failed") == 0)
		rc = tell_failed(tx, id, err);
out:
	demand_clear(&d);
	return rc < 0 ? rc : 0;
}

int demand_unkey(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM demand_build WHERE demand = ?", "i", id);

	if (rc >= 0)
		rc = sql_run(tx, err, "DELETE FROM demand_test WHERE demand = ?", "i", id);
	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE demand SET toolchain = NULL, look = 1 WHERE id = ?", "i", id);
	return rc < 0 ? rc : 0;
}

int demand_reopen(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE demand SET state = 'waiting', reason = NULL, detail = NULL, since_ms = ?,"
			 " release = CASE WHEN asked IS NULL THEN NULL ELSE release END,"
			 " superseded_by = NULL, ended_ms = NULL, look = 1 WHERE id = ? AND state IN ('failed', 'cancelled')",
			 "ii", clock_wall_ms(), id);

	if (rc == 0)
		return ps_err_set(err, PS_ESTALE, "a demand that neither failed nor was cancelled is not opened again");
	return rc < 0 ? rc : 0;
}

int demand_bump(struct store_tx *tx, int64_t id, const char *by, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET bumped_ms = ?, bumped_by = ? WHERE id = ?"
			 " AND state IN ('waiting', 'active')", "iti", clock_wall_ms(), by, id);

	return rc < 0 ? rc : 0;
}

int demand_supersede_older(struct store_tx *tx, const struct demand *d, struct ps_err *err)
{
	struct demands l = { NULL, 0 };
	char id[ID_TEXT], *why;
	int rc = 0;

	if (!ps_starts(d->ref, "refs/heads/"))
		return 0;
	rc = rows_select(tx, &demand_shape, &l, err,
			 "WHERE state = 'waiting' AND release IS NULL AND repository = ? AND project = ?"
			 " AND environment = ? AND ref = ? AND event < ? AND NOT EXISTS (SELECT 1 FROM demand_build"
			 " JOIN build ON build.id = demand_build.build WHERE demand_build.demand = demand.id"
			 " AND (build.state IN ('claimed', 'running') OR build.started_ms >= demand.created_ms))",
			 "itt" "ti", d->repository, d->project, d->environment, d->ref, d->event);
	why = xasprintf("superseded by %s", id_text(id, 'e', d->event));
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = demand_set(tx, l.v[i].id, "superseded", why, NULL, d->event, err);
	free(why);
	demands_clear(&l);
	return rc;
}

int demand_wants(struct store_tx *tx, int64_t id, const char *name, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET wants = ? WHERE id = ?", "ti", name, id);

	return rc < 0 ? rc : 0;
}

int demands_look_again(struct store_tx *tx, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET wants = NULL WHERE wants IS NOT NULL", "");

	return rc < 0 ? rc : 0;
}

int demand_set_toolchain(struct store_tx *tx, int64_t id, const char *digest, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET toolchain = ?, wants = NULL WHERE id = ?", "ti", digest, id);

	return rc < 0 ? rc : 0;
}

int demand_set_release(struct store_tx *tx, int64_t id, const char *release, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET release = ? WHERE id = ?", "ti", release, id);

	return rc < 0 ? rc : 0;
}

int demand_set_jobs(struct store_tx *tx, int64_t id, const char *jobs, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand SET jobs = ? WHERE id = ?", "ti", jobs, id);

	return rc < 0 ? rc : 0;
}

void demand_clear(struct demand *d)
{
	rows_clear_one(&demand_shape, d);
}

void demands_clear(struct demands *l)
{
	rows_clear(&demand_shape, l);
}
