/*
 * view_why – one chain from what a person typed down to the cause he can act on.
 *
 * The chain of an event: event → demands → builds, tests, release, deployment. Nodes: why_node.h.
 */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/line.h"
#include "agent/store/release.h"
#include "agent/store/why_node.h"
#include "common/base/id.h"

static json_t *demand_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(sql_int(q, 0)));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "repository", sql_text(q, 2));
	put_text(o, "project", sql_text(q, 3));
	put_text(o, "environment", sql_text(q, 4));
	put_text(o, "fabric", sql_text(q, 5));
	put_text(o, "reason", sql_text(q, 6));
	put_text(o, "detail", sql_text(q, 7));
	put_time(o, "since", q, 8);
	put_text(o, "release", sql_text(q, 9));
	put_text(o, "commit", sql_text(q, 10));
	put_id(o, "event", 'e', sql_int(q, 11));
	if (strcmp(sql_text(q, 1), "waiting") == 0 && wait_reason(sql_text(q, 6)))
		put_wait(o, sql_text(q, 6), sql_text(q, 7), sql_text(q, 6), NULL);
	else if (sql_int(q, 12))
		put_place(o, true, sql_is_null(q, 13) ? WAIT_TOOLCHAIN : "demand",
			  sql_is_null(q, 14) ? "" : sql_text(q, 14));
	return o;
}

static const char demand_sql[] =
	"SELECT d.id, d.state, r.name, d.project, d.environment, d.fabric, d.reason, d.detail, d.since_ms, d.release,"
	" d.commit_oid, d.event, d.state = 'waiting' AND (d.toolchain IS NULL OR d.look = 1), d.toolchain, d.wants"
	" FROM demand d JOIN repository r ON r.id = d.repository ";

/* ---- chains ---- */

/* Rows of `sql` bound to n, turned into children of node. */
static int children(struct store_tx *tx, json_t *node, const char *select, const char *where, int64_t n,
		    json_t *(*row)(sqlite3_stmt *), json_t *(*make)(const json_t *), struct ps_err *err)
{
	char *sql = xasprintf("%s%s", select, where);
	json_t *rows = json_array(), *one;
	size_t i;
	int rc = view_rows(tx, sql_query(tx, err, sql, "i", n), rows, VIEW_LIMIT, NULL, row, err);

	if (rc == 0)
		rc = view_add_waits(tx, rows, err);
	json_array_foreach(rows, i, one)
		why_add(node, make(one));
	json_decref(rows);
	free(sql);
	return rc;
}

static int add_builds(struct store_tx *tx, json_t *node, int64_t demand, struct ps_err *err)
{
	return children(tx, node, build_sql, "JOIN demand_build y ON y.build = b.id WHERE y.demand = ? ORDER BY b.id",
			demand, build_row, why_build, err);
}

static int add_cases(struct store_tx *tx, json_t *test, struct ps_err *err)
{
	int64_t n = 0;
	int rc = view_number(get_text(test, "id"), 't', &n, err);

	return rc < 0 ? rc : children(tx, test, test_case_sql, "WHERE test = ? AND (outcome IN ('failed', 'error') OR"
				      " flaky = 1) ORDER BY outcome IN ('failed', 'error') DESC, n LIMIT 5", n,
				      test_case_row, why_case, err);
}

/* The tests of a demand, each with those that failed and those that are flaky. */
static int add_tests(struct store_tx *tx, json_t *node, int64_t demand, struct ps_err *err)
{
	size_t i = json_array_size(json_object_get(node, "children"));
	int rc = children(tx, node, test_sql, "JOIN demand_test y ON y.test = t.id WHERE y.demand = ? ORDER BY t.id",
			  demand, test_row, why_test, err);

	for (; rc == 0 && i < json_array_size(json_object_get(node, "children")); i++)
		rc = add_cases(tx, json_array_get(json_object_get(node, "children"), i), err);
	return rc;
}

/* A demand that waits says what the build or deployment says that it waits for. */
static void inherit_wait(json_t *node)
{
	static const char *const waits[] = { "waiting", "queued", NULL };
	size_t i;
	json_t *child;

	json_array_foreach(json_object_get(node, "children"), i, child) {
		const json_t *found = why_deepest(child, waits);

		if (found) {
			copy_wait(node, found);
			return;
		}
	}
}

/* Does something below say already why this waits or has failed? */
static bool child_tells(const json_t *node)
{
	static const char *const states[] = { "failed", "unknown", "waiting", "queued", NULL };
	size_t i;
	json_t *child;

	json_array_foreach(json_object_get(node, "children"), i, child)
		if (why_deepest(child, states))
			return true;
	return false;
}

static int demand_chain(struct store_tx *tx, json_t *event, const json_t *row, struct ps_err *err)
{
	char *what = xasprintf("project %s to environment %s, fabric %s", get_text(row, "project"),
			       get_text(row, "environment"), get_text(row, "fabric"));
	json_t *n = why_node(what);
	int64_t demand = json_integer_value(json_object_get(row, "number"));
	int rc;

	free(what);
	why_put_state(n, row);
	json_object_set(n, "fabric", json_object_get(row, "fabric"));
	rc = add_builds(tx, n, demand, err);
	if (rc == 0)
		rc = add_tests(tx, n, demand, err);
	if (rc == 0)
		rc = children(tx, n, deployment_sql, "WHERE d.demand = ? ORDER BY d.id", demand, deployment_row,
			      why_deployment, err);
	if (strcmp(get_text(row, "state"), "waiting") == 0 && !*get_text(row, "reason"))
		inherit_wait(n);
	if (child_tells(n))
		json_array_clear(json_object_get(n, "lines"));
	if (*get_text(row, "release"))
		why_say(n, "release %.12s", get_text(row, "release"));
	why_add(event, n);
	return rc;
}

/* An event waits while it is held, and until its tree was read. */
static int put_event_wait(struct store_tx *tx, json_t *row, struct ps_err *err)
{
	json_t *alone = json_array();
	int rc = 0;

	if (strcmp(get_text(row, "state"), "held") == 0) {
		json_t *why = json_incref(json_object_get(row, "reason"));

		put_wait(row, "held", json_string_value(why), "owners", NULL);
		json_decref(why);
	} else if (strcmp(get_text(row, "state"), "open") == 0 && !json_is_true(json_object_get(row, "surveyed"))) {
		put_place(row, true, WAIT_SURVEY, "");
		json_array_append(alone, row);
		rc = view_add_waits(tx, alone, err);
	}
	json_decref(alone);
	return rc;
}

static int event_chain(struct store_tx *tx, json_t *row, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE d.event = ? ORDER BY d.id", demand_sql);
	json_t *root, *rows = json_array(), *one;
	size_t i;
	int64_t n = 0;
	int rc = view_number(get_text(row, "id"), 'e', &n, err);

	if (rc == 0)
		rc = put_event_wait(tx, row, err);
	root = why_event(row);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, sql, "i", n), rows, VIEW_LIMIT, NULL, demand_row, err);
	if (rc == 0)
		rc = view_add_waits(tx, rows, err);
	json_array_foreach(rows, i, one)
		if (rc == 0)
			rc = demand_chain(tx, root, one, err);
	if (rc == 0) {
		why_put_next(root);
		*out = json_incref(root);
	}
	json_decref(root);
	json_decref(rows);
	free(sql);
	return rc;
}

/* What people said of it, in their order: of the plan as it is, or of one before. */
static json_t *approval_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "who", sql_text(q, 0));
	put_text(o, "decision", sql_text(q, 1));
	put_text(o, "message", sql_text(q, 2));
	put_time(o, "at", q, 3);
	json_object_set_new(o, "emergency", json_boolean(sql_int(q, 4)));
	json_object_set_new(o, "current", json_boolean(sql_int(q, 5)));
	return o;
}

static int add_approvals(struct store_tx *tx, json_t *node, int64_t deployment, struct ps_err *err)
{
	json_t *rows = json_array(), *one;
	size_t i;
	int rc = view_rows(tx, sql_query(tx, err, "SELECT a.who, a.decision, a.message, a.at_ms, a.emergency,"
					 " COALESCE(d.plan_digest, '') = a.plan_digest FROM approval a JOIN deployment d"
					 " ON d.id = a.deployment WHERE a.deployment = ? ORDER BY a.id", "i", deployment),
			   rows, VIEW_LIMIT, NULL, approval_row, err);

	json_array_foreach(rows, i, one)
		why_say(node, "%s%s by %s at %s%s%s%s", get_text(one, "decision"),
		    json_is_true(json_object_get(one, "emergency")) ? " as an emergency" : "", get_text(one, "who"),
		    get_text(one, "at"), *get_text(one, "message") ? ": " : "", get_text(one, "message"),
		    json_is_true(json_object_get(one, "current")) ? "" : " (of a plan before this one)");
	json_object_set_new(node, "approvals", rows);
	return rc;
}

/* What stands below a build or run and waits: with it where that waits too, else for something beside
 * it: another build of the same demand, the tasks before. */
static void put_waits_below(json_t *root, bool is_run)
{
	const char *id = get_text(root, "id");
	bool waits = json_is_string(json_object_get(root, "lift"));
	json_t *child;
	size_t i;

	json_array_foreach(json_object_get(root, "children"), i, child) {
		const char *state = get_text(child, "state"), *event = get_text(child, "event");
		char *lift;

		if (strcmp(state, "waiting") != 0 && strcmp(state, "queued") != 0)
			continue;
		lift = is_run ? xasprintf("penstock log -f %s", id) : xasprintf("penstock why %s", event);
		if (waits)
			copy_wait(child, root);
		else if (is_run)
			put_wait(child, "order", "the tasks before it have not ended", id, lift);
		else
			put_wait(child, "order", "something else of it is not there yet", event, lift);
		if (!json_object_get(child, "since"))
			json_object_set(child, "since", json_object_get(root, "since"));
		free(lift);
	}
}

/* One row by number as the root, with what belongs below it. */
static int chain_of(struct store_tx *tx, char kind, int64_t n, const char *typed, json_t **out, struct ps_err *err)
{
	static const struct {
		char kind;
		const char *noun, *select, *id;
		json_t *(*row)(sqlite3_stmt *);
		json_t *(*node)(const json_t *);
	} nouns[] = {
		{ 'b', "build", build_sql, "b.id", build_row, why_build },
		{ 't', "test", test_sql, "t.id", test_row, why_test },
		{ 'd', "deployment", deployment_sql, "d.id", deployment_row, why_deployment },
		{ 'x', "run", run_sql, "x.id", run_row, why_run },
		{ 'e', "event", event_sql, "e.id", event_row, why_event },
	};
	json_t *row = NULL, *root = NULL;
	size_t i = 0;
	char *sql;
	int rc;

	while (nouns[i].kind != kind)
		i++;
	sql = xasprintf("%sWHERE %s = ?", nouns[i].select, nouns[i].id);
	rc = view_one(tx, sql_query(tx, err, sql, "i", n), nouns[i].noun, typed, nouns[i].row, &row, err);
	free(sql);
	if (rc < 0)
		return rc;
	if (kind == 'e') {
		rc = event_chain(tx, row, out, err);
		json_decref(row);
		return rc;
	}
	root = nouns[i].node(row);
	if (kind == 'b') {
		rc = children(tx, root, demand_sql, "JOIN demand_build y ON y.demand = d.id WHERE y.build = ? ORDER BY d.id",
			      n, demand_row, why_need, err);
		if (rc == 0)		/* what was built again to compare with it, newest first */
			rc = children(tx, root, build_sql, "WHERE b.check_of = ? ORDER BY b.id DESC", n, build_row,
				      why_build, err);
	} else if (kind == 't') {
		rc = add_cases(tx, root, err);
		if (rc == 0)
			rc = children(tx, root, demand_sql, "JOIN demand_test y ON y.demand = d.id WHERE y.test = ? ORDER BY"
				      " d.id", n, demand_row, why_need, err);
	} else if (kind == 'd') {
		rc = add_approvals(tx, root, n, err);
		if (rc == 0)
			rc = children(tx, root, "SELECT n, what, state, detail FROM step ", "WHERE deployment = ? ORDER BY n", n,
			      why_step_row, why_step, err);
		if (rc == 0)
			rc = children(tx, root, event_sql, "WHERE e.id = (SELECT m.event FROM demand m JOIN deployment d"
				      " ON d.demand = m.id WHERE d.id = ?)", n, event_row, why_event, err);
	} else {
		rc = children(tx, root, "SELECT task, state, reason, last FROM task ", "WHERE run = ? ORDER BY n", n,
			      why_task_row, why_task, err);
	}
	if (rc == 0) {
		put_waits_below(root, kind == 'x');
		why_put_next(root);
		*out = json_incref(root);
	}
	json_decref(root);
	json_decref(row);
	return rc;
}

static json_t *state_row(sqlite3_stmt *q)
{
	return view_text(sql_text(q, 0));
}

static int release_chain(struct store_tx *tx, const char *release, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE d.release = ? ORDER BY d.id DESC", deployment_sql);
	json_t *labels = json_array(), *rows = json_array(), *one, *root;
	json_t *state = NULL;
	size_t i;
	char *what;
	int rc = view_labels(tx, release, labels, err);

	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, sql, "t", release), rows, VIEW_LIMIT, NULL, deployment_row, err);
	if (rc == 0)
		rc = view_add_waits(tx, rows, err);
	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, release_state_sql, "tt", release, release), "release", release,
			      state_row, &state, err);
	one = json_array_get(labels, 0);
	what = xasprintf("release %.12s of %s:%s", release, get_text(one, "repository"), get_text(one, "project"));
	root = why_node(what);
	json_object_set_new(root, "id", json_stringn(release, 12));
	json_object_set(root, "state", state ? state : json_null());
	put_text(root, "reason", NULL);
	json_object_set(root, "since", json_object_get(one, "created"));
	json_array_foreach(labels, i, one)
		why_say(root, "%s: %s at %.12s, %s, by %s", get_text(one, "version"), get_text(one, "ref"),
		    get_text(one, "commit"), get_text(one, "event"),
		    *get_text(one, "pusher") ? get_text(one, "pusher") : "unknown");
	json_array_foreach(rows, i, one)
		why_add(root, why_deployment(one));
	why_put_next(root);
	if (rc == 0)
		*out = json_incref(root);
	json_decref(root);
	json_decref(state);
	json_decref(labels);
	json_decref(rows);
	free(what);
	free(sql);
	return rc;
}

/* ---- what was meant ---- */

/* The newest event of a ref as typed: its full name, else a branch, else a tag. 1: *row, or 0. */
static int find_ref(struct store_tx *tx, const struct view_ask *a, json_t **row, struct ps_err *err)
{
	static const char *const prefixes[] = { "", "refs/heads/", "refs/tags/" };
	char *sql = xasprintf("%sWHERE e.ref = ? AND (CAST(? AS TEXT) IS NULL OR r.name = ?) ORDER BY e.id DESC LIMIT 1",
			      event_sql);
	int rc = PS_ENOENT;

	for (size_t i = 0; rc == PS_ENOENT && i < PS_NELEM(prefixes); i++) {
		char *ref = xasprintf("%s%s", prefixes[i], a->thing);

		rc = view_one(tx, sql_query(tx, err, sql, "ttt", ref, a->repository, a->repository), "ref", a->thing,
			      event_row, row, err);
		free(ref);
	}
	free(sql);
	return rc == 0 ? 1 : rc == PS_ENOENT ? 0 : rc;
}

int view_why(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	struct release_ask ask = { .thing = a->thing, .repository = a->repository };
	char kind = a->thing ? id_kind(a->thing) : 0;
	struct release_found found;
	json_t *row = NULL;
	int64_t n;
	int rc;

	if (!a->thing || !*a->thing)
		return ps_err_set(err, PS_EINVAL, "say what: a ref, e88, b31, t31, d12, x7 or a release");
	if (kind && strchr("ebtdx", kind) && id_parse(a->thing, kind, &n))
		return chain_of(tx, kind, n, a->thing, out, err);
	rc = find_ref(tx, a, &row, err);
	if (rc > 0) {
		rc = event_chain(tx, row, out, err);
		json_decref(row);
		return rc;
	}
	if (rc == 0)
		rc = release_find(tx, &ask, &found, err);
	if (rc == 0) {
		rc = release_chain(tx, found.id, out, err);
		release_found_clear(&found);
		return rc;
	}
	if (rc == PS_ENOENT)
		rc = ps_err_set(err, PS_ENOENT, "nothing is known of '%s': no such ref has moved, and no event, build, "
				"deployment, run or release is called so", a->thing);
	return rc;
}
