/* view_queue – what is under way, what waits and for what; and what fails. */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/line.h"
#include "common/base/clock.h"

/* Columns: kind, number, state, reason, detail, since, what, and kind and name of the place it waits at
 * (NULL: it does not). */
static json_t *work_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_id(o, "id", *sql_text(q, 0), sql_int(q, 1));
	put_text(o, "state", sql_text(q, 2));
	put_text(o, "reason", sql_text(q, 3));
	put_text(o, "detail", sql_text(q, 4));
	put_time(o, "since", q, 5);
	put_text(o, "what", sql_text(q, 6));
	put_place(o, !sql_is_null(q, 7), sql_text(q, 7), sql_text(q, 8));
	return o;
}

/* One more column each: gate, what blocks there, what lifts it; place kind is of those in line. */
static json_t *deployment_waits(sqlite3_stmt *q)
{
	json_t *o = work_row(q);

	put_gate(o, q, sql_text(q, 8), 4, 9);
	return o;
}

static json_t *held_row(sqlite3_stmt *q)
{
	json_t *o = work_row(q);

	put_wait(o, "held", sql_text(q, 4), "owners", NULL);
	return o;
}

/* Each row: what is under way first, then what waits, those that go first before the others. `timed`
 * ones are bound LINE_ORDER's three times before the limit. */
static const struct queue_part {
	const char *sql;
	bool timed;
	json_t *(*row)(sqlite3_stmt *q);
} queue_parts[] = {
	{ "SELECT 'x', x.id, x.state, x.reason, x.detail, x.since_ms, x.job || ' on ' || x.fabric, NULL, NULL"
	  " FROM run x WHERE x.state = 'running' ORDER BY x.id LIMIT ?", false, work_row },
	{ "SELECT 'd', d.id, d.state, d.reason, d.detail, d.since_ms,"
	  " r.name || ':' || d.project || ' ' || l.version || ' to ' || d.fabric, NULL, NULL"
	  " FROM deployment d JOIN repository r ON r.id = d.repository JOIN label l ON l.id = d.label"
	  " WHERE d.state = 'running' ORDER BY d.id LIMIT ?", false, work_row },
	{ "SELECT 'b', b.id, b.state, b.reason, b.detail, b.since_ms, r.name || ':' || b.project || ' ' || b.pipeline,"
	  " NULL, NULL FROM build b JOIN repository r ON r.id = b.repository"
	  " WHERE b.state IN ('claimed', 'running') ORDER BY b.id LIMIT ?", false, work_row },
	{ "SELECT 't', t.id, t.state, t.reason, t.detail, t.since_ms, r.name || ':' || t.project || ' ' || t.pipeline,"
	  " NULL, NULL FROM test t JOIN repository r ON r.id = t.repository"
	  " WHERE t.state IN ('claimed', 'running') ORDER BY t.id LIMIT ?", false, work_row },
	{ "SELECT 'x', x.id, x.state, x.reason, x.detail, x.since_ms, x.job || ' on ' || x.fabric, 'run', x.fabric"
	  " FROM (SELECT * FROM run WHERE state = 'queued' ORDER BY " LINE_ORDER " LIMIT ?) AS x", true, work_row },
	{ "SELECT 'd', d.id, d.state, d.reason, d.detail, d.since_ms,"
	  " r.name || ':' || d.project || ' ' || l.version || ' to ' || d.fabric, NULL, d.environment,"
	  " d.gate, d.blocked_by, d.lift"
	  " FROM (SELECT id, state, reason, detail, since_ms, repository, project, fabric, environment, label, gate,"
	  " blocked_by, lift"
	  " FROM deployment WHERE state = 'waiting' ORDER BY " LINE_ORDER " LIMIT ?) AS d"
	  " JOIN repository r ON r.id = d.repository JOIN label l ON l.id = d.label", true, deployment_waits },
	{ "SELECT 't', t.id, t.state, t.reason, t.detail, t.since_ms, r.name || ':' || t.project || ' ' || t.pipeline,"
	  " 'test', '' FROM (SELECT id, state, reason, detail, since_ms, repository, project, pipeline FROM test"
	  " WHERE state = 'queued' ORDER BY " LINE_ORDER " LIMIT ?) AS t"
	  " JOIN repository r ON r.id = t.repository", true, work_row },
	{ "SELECT 'b', b.id, b.state, b.reason, b.detail, b.since_ms, r.name || ':' || b.project || ' ' || b.pipeline,"
	  " 'build', '' FROM (SELECT id, state, reason, detail, since_ms, repository, project, pipeline FROM build"
	  " WHERE state = 'queued' ORDER BY " LINE_ORDER " LIMIT ?) AS b"
	  " JOIN repository r ON r.id = b.repository", true, work_row },
	/* demands without a key, and those the next pass looks at: nothing listed yet speaks for them */
	{ "SELECT 'e', d.event, d.state, d.reason, d.detail, d.since_ms,"
	  " r.name || ':' || d.project || ' to ' || d.environment, '" WAIT_TOOLCHAIN "', COALESCE(d.wants, '')"
	  " FROM demand d JOIN repository r ON r.id = d.repository WHERE d.state = 'waiting' AND d.toolchain IS NULL"
	  " ORDER BY d.id LIMIT ?", false, work_row },
	{ "SELECT 'e', d.event, d.state, d.reason, d.detail, d.since_ms,"
	  " r.name || ':' || d.project || ' to ' || d.environment, 'demand', ''"
	  " FROM demand d JOIN repository r ON r.id = d.repository WHERE d.look = 1 AND d.toolchain IS NOT NULL"
	  " AND d.state = 'waiting' ORDER BY d.id LIMIT ?", false, work_row },
	{ "SELECT 'e', e.id, e.state, NULL, NULL, e.at_ms, r.name || ' ' || e.ref, '" WAIT_SURVEY "', ''"
	  " FROM event e JOIN repository r ON r.id = e.repository WHERE e.state = 'open' AND e.surveyed = 0"
	  " ORDER BY e.lease_ms, e.id LIMIT ?", false, work_row },
	{ "SELECT 'e', e.id, e.state, 'held', e.reason, e.at_ms, r.name || ' ' || e.ref, NULL, NULL"
	  " FROM event e JOIN repository r ON r.id = e.repository WHERE e.state = 'held' ORDER BY e.id LIMIT ?",
	  false, held_row },
};

static const char *const failing_sql[] = {
	/* the newest build of a pipeline */
	"SELECT 'b', b.id, b.state, b.reason, b.detail, b.since_ms, r.name || ':' || b.project || ' ' || b.pipeline, NULL, NULL"
	" FROM build b JOIN repository r ON r.id = b.repository WHERE b.state = 'failed'"
	" AND b.check_of = 0 AND NOT EXISTS"
	" (SELECT 1 FROM build c WHERE c.check_of = 0 AND c.repository = b.repository AND c.project = b.project"
	" AND c.pipeline = b.pipeline AND c.id > b.id) ORDER BY b.id DESC LIMIT ?",
	/* of a demand after which nothing went there: a later one may have a pass that is remembered */
	"SELECT 't', t.id, t.state, t.reason, t.detail, t.since_ms, r.name || ':' || t.project || ' ' || t.pipeline, NULL, NULL"
	" FROM test t JOIN repository r ON r.id = t.repository WHERE t.state = 'failed' AND EXISTS"
	" (SELECT 1 FROM demand_test x JOIN demand d ON d.id = x.demand WHERE x.test = t.id AND NOT EXISTS"
	" (SELECT 1 FROM demand c WHERE c.repository = d.repository AND c.project = d.project"
	" AND c.environment = d.environment AND c.id > d.id)) ORDER BY t.id DESC LIMIT ?",
	/* the newest demand, where neither a build, a test nor a deployment tells it already */
	"SELECT 'e', d.event, d.state, d.reason, d.detail, d.since_ms,"
	" r.name || ':' || d.project || ' to ' || d.environment, NULL, NULL"
	" FROM demand d JOIN repository r ON r.id = d.repository WHERE d.state = 'failed'"
	" AND NOT EXISTS (SELECT 1 FROM demand c WHERE c.repository = d.repository AND c.project = d.project"
	" AND c.environment = d.environment AND c.id > d.id)"
	" AND NOT EXISTS (SELECT 1 FROM demand_build x JOIN build b ON b.id = x.build WHERE x.demand = d.id"
	" AND b.state = 'failed') AND NOT EXISTS (SELECT 1 FROM demand_test x JOIN test t ON t.id = x.test"
	" WHERE x.demand = d.id AND t.state = 'failed') AND NOT EXISTS (SELECT 1 FROM deployment y WHERE y.demand = d.id)"
	" ORDER BY d.id DESC LIMIT ?",
	"SELECT 'd', d.id, d.state, d.reason, d.detail, d.since_ms,"
	" r.name || ':' || d.project || ' ' || l.version || ' to ' || d.fabric, NULL, NULL"
	" FROM deployment d JOIN repository r ON r.id = d.repository JOIN label l ON l.id = d.label"
	" WHERE d.state IN ('failed', 'unknown') AND NOT EXISTS (SELECT 1 FROM deployment c"
	" WHERE c.repository = d.repository AND c.project = d.project AND c.environment = d.environment"
	" AND c.id > d.id) ORDER BY d.id DESC LIMIT ?",
	"SELECT 'x', x.id, x.state, x.reason, x.detail, x.since_ms, x.job || ' on ' || x.fabric, NULL, NULL"
	" FROM run x WHERE x.state IN ('failed', 'unknown') AND NOT EXISTS (SELECT 1 FROM run c"
	" WHERE c.fabric = x.fabric AND c.job = x.job AND c.repository = x.repository AND c.project = x.project"
	" AND c.id > x.id) ORDER BY x.id DESC LIMIT ?",
};

int view_queue(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	int64_t each = a->limit ? (int64_t)view_limit(a) : 200, before = clock_wall_ms() - LINE_OVERDUE_MS;
	json_t *items = json_array();
	int rc = 0;

	for (size_t i = 0; i < PS_NELEM(queue_parts) && rc == 0; i++) {
		const struct queue_part *p = &queue_parts[i];
		sqlite3_stmt *q = p->timed ? sql_query(tx, err, p->sql, "iiii", before, before, before, each) :
			sql_query(tx, err, p->sql, "i", each);

		rc = view_rows(tx, q, items, (size_t)each, NULL, p->row, err);
	}
	if (rc == 0)
		rc = view_add_waits(tx, items, err);
	if (rc == 0)
		*out = json_incref(items);
	json_decref(items);
	return rc;
}

int view_failing(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	int64_t each = a->limit ? (int64_t)view_limit(a) : 20;
	json_t *items = json_array();
	int rc = 0;

	for (size_t i = 0; i < PS_NELEM(failing_sql) && rc == 0; i++)
		rc = view_rows(tx, sql_query(tx, err, failing_sql[i], "i", each), items, (size_t)each, NULL, work_row,
			       err);
	if (rc == 0)
		rc = view_add_waits(tx, items, err);
	if (rc == 0)
		*out = json_incref(items);
	json_decref(items);
	return rc;
}

/* Of all there is, not of what is listed. */
static json_t *totals_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	json_object_set_new(o, "running", json_integer(sql_int(q, 0)));
	json_object_set_new(o, "waiting", json_integer(sql_int(q, 1)));
	put_time(o, "oldest", q, 2);
	json_object_set_new(o, "busy", json_integer(sql_int(q, 3)));
	return o;
}

static const char totals_sql[] =
	"SELECT builds + deployments + runs,"
	" (SELECT COUNT(*) FROM build WHERE state = 'queued')"
	" + (SELECT COUNT(*) FROM deployment WHERE state = 'waiting')"
	" + (SELECT COUNT(*) FROM run WHERE state = 'queued')"
	" + (SELECT COUNT(*) FROM demand WHERE state = 'waiting' AND toolchain IS NULL)"
	" + (SELECT COUNT(*) FROM event WHERE state = 'open' AND surveyed = 0)"
	" + (SELECT COUNT(*) FROM event WHERE state = 'held'),"
	" (SELECT MIN(t) FROM (SELECT MIN(created_ms) AS t FROM build WHERE state = 'queued'"
	" UNION ALL SELECT MIN(created_ms) FROM deployment WHERE state = 'waiting'"
	" UNION ALL SELECT MIN(created_ms) FROM run WHERE state = 'queued') AS oldest), builds"
	" FROM (SELECT (SELECT COUNT(*) FROM build WHERE state IN ('claimed', 'running')) AS builds,"
	" (SELECT COUNT(*) FROM deployment WHERE state = 'running') AS deployments,"
	" (SELECT COUNT(*) FROM run WHERE state = 'running') AS runs) AS under_way";

int view_line(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	json_t *items = NULL, *doc = NULL;
	int rc = view_one(tx, sql_query(tx, err, totals_sql, ""), "queue", "", totals_row, &doc, err);
	json_int_t all;

	if (rc == 0)
		rc = view_queue(tx, a, &items, err);
	if (rc == 0) {
		all = json_integer_value(json_object_get(doc, "running")) +
		      json_integer_value(json_object_get(doc, "waiting"));
		json_object_set_new(doc, "slots", json_integer(a->cfg->builder.slots));
		json_object_set(doc, "items", items);
		json_object_set_new(doc, "more", json_boolean(all > (json_int_t)json_array_size(items)));
		*out = json_incref(doc);
	}
	json_decref(items);
	json_decref(doc);
	return rc;
}
