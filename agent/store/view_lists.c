/* view_lists – the plain lists and single things: events, builds, deployments, releases, runs. */
#include "config.h"

#include "agent/store/view_put.h"

#include "common/base/id.h"

const char event_sql[] =
	"SELECT e.id, e.state, r.name, e.ref, e.old, e.new, e.kind, e.seq, e.pusher, p.push, e.reason,"
	" e.superseded_by, e.at_ms, e.surveyed, e.held_with, e.let_by, e.let_why, e.let_ms"
	" FROM event e JOIN repository r ON r.id = e.repository"
	" LEFT JOIN push p ON p.id = e.push ";

json_t *event_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_id(o, "id", 'e', sql_int(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "repository", sql_text(q, 2));
	put_text(o, "ref", sql_text(q, 3));
	put_text(o, "old", sql_text(q, 4));
	put_text(o, "new", sql_text(q, 5));
	put_text(o, "kind", sql_text(q, 6));
	json_object_set_new(o, "seq", json_integer(sql_int(q, 7)));
	put_text(o, "pusher", sql_text(q, 8));
	put_text(o, "push", sql_text(q, 9));
	put_text(o, "reason", sql_text(q, 10));
	put_id(o, "superseded_by", 'e', sql_int(q, 11));
	put_time(o, "at", q, 12);
	json_object_set_new(o, "surveyed", json_boolean(sql_int(q, 13)));
	put_id(o, "held_with", 'e', sql_int(q, 14));
	put_text(o, "released_by", sql_text(q, 15));
	put_text(o, "released_text", sql_text(q, 16));
	put_time(o, "released", q, 17);
	return o;
}

/* Each filter is bound twice: NULL lets everything through. */
#define FILTER(column) "(CAST(? AS TEXT) IS NULL OR " column " = ?)"

static sqlite3_stmt *filtered(struct store_tx *tx, const char *select, const char *where, const char *id,
			      const struct view_ask *a, const char *ref, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE " FILTER("%s.state") " AND " FILTER("r.name") "%s ORDER BY %s.id DESC LIMIT ?",
			      select, id, where, id);
	sqlite3_stmt *q;

	if (*where)
		q = sql_query(tx, err, sql, "ttttt" "ti", a->state, a->state, a->repository, a->repository, ref, ref,
			      (int64_t)view_limit(a) + 1);
	else
		q = sql_query(tx, err, sql, "tttti", a->state, a->state, a->repository, a->repository,
			      (int64_t)view_limit(a) + 1);
	free(sql);
	return q;
}

int view_events(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	return view_list(tx, filtered(tx, event_sql, " AND " FILTER("e.ref"), "e", a, a->ref, err), a, event_row, out, err);
}

int view_event(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE e.id = ?", event_sql);
	int64_t n;
	int rc = view_number(a->id, 'e', &n, err);

	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, sql, "i", n), "event", a->id, event_row, out, err);
	free(sql);
	return rc;
}

const char build_sql[] =
	"SELECT b.id, b.state, b.key, r.name, b.project, b.commit_oid, b.pipeline, b.reason, b.detail, b.since_ms,"
	" b.digest, b.name, b.size, b.toolchain, b.created_ms, b.started_ms, b.ended_ms,"
	" CASE WHEN b.state = 'failed' THEN b.last_lines ELSE NULL END,"
	" b.check_of, b.retry_of, b.asked_by, b.bumped_by,"
	" t.id, t.state, t.flaky, t.passed, t.failed, t.errors, t.skipped"
	" FROM build b JOIN repository r ON r.id = b.repository"
	" LEFT JOIN test t ON t.id = (SELECT MAX(u.id) FROM test u WHERE u.build = b.id) ";

json_t *build_row(sqlite3_stmt *q)
{
	json_t *o = json_object();
	char *tests = build_tests_text(q, 1, 22);

	put_id(o, "id", 'b', sql_int(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "key", sql_text(q, 2));
	put_text(o, "repository", sql_text(q, 3));
	put_text(o, "project", sql_text(q, 4));
	put_text(o, "commit", sql_text(q, 5));
	put_text(o, "pipeline", sql_text(q, 6));
	put_text(o, "reason", sql_text(q, 7));
	put_text(o, "detail", sql_text(q, 8));
	put_time(o, "since", q, 9);
	put_text(o, "digest", sql_text(q, 10));
	put_text(o, "name", sql_text(q, 11));
	json_object_set_new(o, "size", sql_is_null(q, 12) ? json_null() : json_integer(sql_int(q, 12)));
	put_text(o, "toolchain", sql_text(q, 13));
	put_time(o, "created", q, 14);
	put_time(o, "started", q, 15);
	put_time(o, "ended", q, 16);
	put_took(o, q, 15, 16);
	put_text(o, "last_lines", sql_text(q, 17));
	put_id(o, "check_of", 'b', sql_int(q, 18));
	put_id(o, "retry_of", 'b', sql_int(q, 19));
	put_text(o, "asked_by", sql_text(q, 20));
	put_text(o, "bumped_by", sql_text(q, 21));
	put_text(o, "tests", sql_int(q, 18) ? NULL : tests);	/* one that compares has none */
	free(tests);
	put_place(o, strcmp(sql_text(q, 1), "queued") == 0, "build", "");
	return o;
}

int view_builds(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	return view_list(tx, filtered(tx, build_sql, "", "b", a, NULL, err), a, build_row, out, err);
}

static json_t *need_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_id(o, "event", 'e', sql_int(q, 0));
	put_text(o, "project", sql_text(q, 1));
	put_text(o, "ref", sql_text(q, 2));
	put_text(o, "environment", sql_text(q, 3));
	return o;
}

int view_build(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE b.id = ?", build_sql);
	json_t *build = NULL, *demands = json_array();
	int64_t n;
	int rc = view_number(a->id, 'b', &n, err);

	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, sql, "i", n), "build", a->id, build_row, &build, err);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, "SELECT d.event, d.project, d.ref, d.environment FROM demand_build x"
					     " JOIN demand d ON d.id = x.demand WHERE x.build = ? ORDER BY d.id", "i", n),
			       demands, VIEW_LIMIT_MAX, NULL, need_row, err);
	if (rc == 0) {
		json_object_set(build, "demands", demands);
		*out = json_incref(build);
	}
	json_decref(build);
	json_decref(demands);
	free(sql);
	return rc;
}

const char deployment_sql[] =
	"SELECT d.id, d.state, r.name, d.project, d.environment, d.fabric, d.release, l.version, l.ref, l.commit_oid,"
	" l.event, l.pusher, d.reason, d.detail, d.since_ms, d.plan_digest, d.policy_digest, d.superseded_by,"
	" d.next_try_ms, d.created_ms, d.started_ms, d.ended_ms, d.gate, d.blocked_by, d.lift, d.changed, d.let_by,"
	" d.let_why, d.emergency, m.asked, m.asked_by, m.asked_why, m.jobs, v.state, v.reason, v.run FROM deployment d JOIN demand m ON m.id = d.demand"
	" LEFT JOIN verification v ON v.deployment = d.id"
	" JOIN repository r ON r.id = d.repository JOIN label l ON l.id = d.label ";

/* A fact beside the state: verified (true, false, null while nobody knows), and in words why not. */
static void put_verified(json_t *o, sqlite3_stmt *q, int state)
{
	const char *is = sql_text(q, state), *why = sql_text(q, state + 1);
	char id[ID_TEXT], *text = NULL;

	json_object_set_new(o, "verified", json_null());
	if (ps_streq(is, "verified") || ps_streq(is, "failed"))
		json_object_set_new(o, "verified", json_boolean(strcmp(is, "verified") == 0));
	if (ps_streq(is, "failed"))
		text = xasprintf("not verified: %s", why ? why : "");
	else if (ps_streq(is, "running"))
		text = xasprintf("waits for %s", id_text(id, 'x', sql_int(q, state + 2)));
	put_text(o, "verification", text ? text : ps_streq(is, "verified") ? is : NULL);
	put_id(o, "verify_run", 'x', sql_int(q, state + 2));
	free(text);
}

json_t *deployment_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_id(o, "id", 'd', sql_int(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "repository", sql_text(q, 2));
	put_text(o, "project", sql_text(q, 3));
	put_text(o, "environment", sql_text(q, 4));
	put_text(o, "fabric", sql_text(q, 5));
	put_release(o, "release", sql_text(q, 6));
	put_text(o, "release_digest", sql_text(q, 6));
	put_text(o, "version", sql_text(q, 7));
	put_text(o, "ref", sql_text(q, 8));
	put_text(o, "commit", sql_text(q, 9));
	put_id(o, "event", 'e', sql_int(q, 10));
	put_text(o, "pusher", sql_text(q, 11));
	put_text(o, "reason", sql_text(q, 12));
	put_text(o, "detail", sql_text(q, 13));
	put_time(o, "since", q, 14);
	put_text(o, "plan_digest", sql_text(q, 15));
	put_text(o, "policy_digest", sql_text(q, 16));
	put_id(o, "superseded_by", 'd', sql_int(q, 17));
	put_time(o, "next_try", q, 18);
	put_time(o, "created", q, 19);
	put_time(o, "started", q, 20);
	put_time(o, "ended", q, 21);
	put_took(o, q, 20, 21);
	put_text(o, "changed", sql_text(q, 25));
	put_text(o, "let_by", sql_text(q, 26));
	put_text(o, "let_why", sql_text(q, 27));
	json_object_set_new(o, "emergency", json_boolean(sql_int(q, 28)));
	put_text(o, "asked", sql_text(q, 29));
	put_text(o, "asked_by", sql_text(q, 30));
	put_text(o, "asked_why", sql_text(q, 31));
	json_object_set_new(o, "jobs", sql_is_null(q, 32) ? json_null() : json_loads(sql_text(q, 32), 0, NULL));
	put_verified(o, q, 33);
	if (strcmp(sql_text(q, 1), "waiting") == 0)
		put_gate(o, q, sql_text(q, 4), 13, 22);
	return o;
}

int view_history(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql;
	int rc;

	if (!config_fabric(a->cfg, a->id))
		return ps_err_set(err, PS_ENOENT, "the configuration has no fabric '%s'", a->id);
	sql = xasprintf("%sWHERE d.fabric = ? AND " FILTER("d.state") " ORDER BY d.id DESC LIMIT ?", deployment_sql);
	rc = view_list(tx, sql_query(tx, err, sql, "ttti", a->id, a->state, a->state, (int64_t)view_limit(a) + 1),
		       a, deployment_row, out, err);
	free(sql);
	return rc;
}

const char run_sql[] =
	"SELECT x.id, x.state, x.job, x.fabric, x.config, x.release, r.name, x.project, x.who, x.reason, x.detail,"
	" x.since_ms, x.created_ms, x.started_ms, x.ended_ms, x.provider, x.remote_id, x.url, x.params, x.retry_of, x.repair"
	" FROM run x JOIN repository r ON r.id = x.repository ";

json_t *run_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_id(o, "id", 'x', sql_int(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "job", sql_text(q, 2));
	put_text(o, "fabric", sql_text(q, 3));
	put_text(o, "config", sql_text(q, 4));
	put_release(o, "release", sql_text(q, 5));
	put_text(o, "release_digest", sql_text(q, 5));
	put_text(o, "repository", sql_text(q, 6));
	put_text(o, "project", sql_text(q, 7));
	put_text(o, "who", sql_text(q, 8));
	put_text(o, "reason", sql_text(q, 9));
	put_text(o, "detail", sql_text(q, 10));
	put_time(o, "since", q, 11);
	put_time(o, "created", q, 12);
	put_time(o, "started", q, 13);
	put_time(o, "ended", q, 14);
	put_took(o, q, 13, 14);
	put_text(o, "provider", sql_text(q, 15));
	put_text(o, "remote", sql_text(q, 16));
	put_text(o, "url", sql_text(q, 17));
	json_object_set_new(o, "params", sql_text(q, 18) ? json_loads(sql_text(q, 18), 0, NULL) : json_null());
	put_id(o, "retry_of", 'x', sql_int(q, 19));
	json_object_set_new(o, "repair", json_boolean(sql_int(q, 20)));
	put_place(o, strcmp(sql_text(q, 1), "queued") == 0, "run", sql_text(q, 3));
	return o;
}

int view_runs(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	return view_list(tx, filtered(tx, run_sql, "", "x", a, NULL, err), a, run_row, out, err);
}

static json_t *task_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "id", sql_text(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "reason", sql_text(q, 2));
	put_text(o, "last", sql_text(q, 3));
	put_time(o, "started", q, 4);
	put_time(o, "ended", q, 5);
	put_took(o, q, 4, 5);
	put_text(o, "url", sql_text(q, 6));
	return o;
}

int view_run(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE x.id = ?", run_sql);
	json_t *run = NULL, *tasks = json_array();
	int64_t n;
	int rc = view_number(a->id, 'x', &n, err);

	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, sql, "i", n), "run", a->id, run_row, &run, err);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, "SELECT task, state, reason, last, started_ms, ended_ms, url FROM task"
					     " WHERE run = ? ORDER BY n", "i", n),
			       tasks, VIEW_LIMIT_MAX, NULL, task_row, err);
	if (rc == 0) {
		json_object_set(run, "tasks", tasks);
		*out = json_incref(run);
	}
	json_decref(run);
	json_decref(tasks);
	free(sql);
	return rc;
}

/* The newest label of each release; live where a fabric's newest good deployment is of it. */
static json_t *release_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_release(o, "id", sql_text(q, 0));
	put_text(o, "state", sql_int(q, 9) ? "live" : sql_int(q, 10) ? "was live" : "none");
	put_text(o, "digest", sql_text(q, 0));
	put_text(o, "repository", sql_text(q, 1));
	put_text(o, "project", sql_text(q, 2));
	put_text(o, "version", sql_text(q, 3));
	put_text(o, "ref", sql_text(q, 4));
	put_text(o, "commit", sql_text(q, 5));
	put_id(o, "event", 'e', sql_int(q, 6));
	put_text(o, "pusher", sql_text(q, 7));
	put_time(o, "created", q, 8);
	json_object_set_new(o, "fabrics", json_array());
	json_object_set_new(o, "labels", json_integer(sql_int(q, 11)));
	put_text(o, "signed_by", sql_text(q, 13));
	return o;
}

#define LIVE_IDS "(SELECT MAX(id) FROM deployment WHERE state = 'deployed' GROUP BY fabric, repository, project)"

const char release_state_sql[] =
	"SELECT CASE WHEN EXISTS (SELECT 1 FROM deployment WHERE release = ? AND id IN " LIVE_IDS ") THEN 'live'"
	" WHEN EXISTS (SELECT 1 FROM deployment WHERE release = ? AND state = 'deployed') THEN 'was live'"
	" ELSE 'none' END";

static json_t *live_row(sqlite3_stmt *q)
{
	json_t *pair = json_array();

	json_array_append_new(pair, view_text(sql_text(q, 0)));
	json_array_append_new(pair, view_text(sql_text(q, 1)));
	return pair;
}

int view_add_fabrics(struct store_tx *tx, json_t *items, struct ps_err *err)
{
	json_t *live = json_array(), *pair, *item;
	size_t i, k;
	int rc = view_rows(tx, sql_query(tx, err, "SELECT release, fabric FROM deployment WHERE id IN " LIVE_IDS
					 " ORDER BY fabric", ""), live, VIEW_LIMIT_MAX, NULL, live_row, err);

	json_array_foreach(items, i, item)
		json_array_foreach(live, k, pair)
			if (json_equal(json_array_get(pair, 0), json_object_get(item, "digest")))
				json_array_append(json_object_get(item, "fabrics"), json_array_get(pair, 1));
	json_decref(live);
	return rc;
}

int view_releases(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT * FROM (SELECT m.id, r.name, m.project, l.version, l.ref, l.commit_oid, l.event, l.pusher,"
		" m.created_ms, (SELECT COUNT(*) FROM deployment d WHERE d.release = m.id AND d.id IN " LIVE_IDS ") AS live,"
		" (SELECT COUNT(*) FROM deployment d WHERE d.release = m.id AND d.state = 'deployed') AS was,"
		" (SELECT COUNT(*) FROM label k WHERE k.release = m.id) AS labels, l.id AS label,"
		" m.signed_by"
		" FROM release m JOIN label l ON l.id = (SELECT MAX(k.id) FROM label k WHERE k.release = m.id)"
		" JOIN repository r ON r.id = l.repository WHERE " FILTER("r.name") " AND "
		FILTER("m.project") ") AS t"
		" WHERE CAST(? AS TEXT) IS NULL OR CASE WHEN live > 0 THEN 'live' WHEN was > 0 THEN 'was live'"
		" ELSE 'none' END = ? ORDER BY label DESC LIMIT ?";
	json_t *doc = NULL;
	int rc = view_list(tx, sql_query(tx, err, sql, "tttttti", a->repository, a->repository, a->project,
					 a->project, a->state, a->state,
					 (int64_t)view_limit(a) + 1), a, release_row, &doc, err);

	if (rc == 0)
		rc = view_add_fabrics(tx, json_object_get(doc, "items"), err);
	if (rc == 0)
		*out = json_incref(doc);
	json_decref(doc);
	return rc;
}
