/*
 * view_why – one chain from what a person typed down to the cause he can act on.
 *
 * A node is { what, id, state, reason, since, lines: [...], children: [...] }. The chain of an event:
 * event → demands → builds, tests, release, deployment. `next` of the root is the one command to type now.
 */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/line.h"
#include "agent/store/release.h"
#include "common/base/id.h"

static json_t *node_new(const char *what)
{
	json_t *n = json_object();

	put_text(n, "what", what);
	json_object_set_new(n, "lines", json_array());
	json_object_set_new(n, "children", json_array());
	return n;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void say(json_t *node, const char *fmt, ...) PS_PRINTF(2, 3);
/* Each line of the text is one of the node: a plan's problems are a list. */
static void say(json_t *node, const char *fmt, ...)
{
	va_list ap;
	char *text, *end;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	for (char *line = text; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		put_line(json_object_get(node, "lines"), "%s", line);
	}
	free(text);
}

static void add_child(json_t *node, json_t *child)
{
	json_array_append_new(json_object_get(node, "children"), child);
}

/* State, reason, since and the lines that belong to a waiting or ended thing. */
static void put_state(json_t *node, const json_t *row)
{
	static const char *const same[] = { "id", "state", "reason", "detail", "blocked_by", "since", "ahead", "lift" };
	const char *state = text_of(row, "state"), *reason = text_of(row, "reason"), *detail = text_of(row, "detail");
	const struct wait_reason *w = wait_reason(reason);
	bool waits = strcmp(state, "waiting") == 0 || strcmp(state, "queued") == 0;
	json_int_t ahead = json_integer_value(json_object_get(row, "ahead"));

	for (size_t i = 0; i < PS_NELEM(same); i++)
		json_object_set(node, same[i], json_object_get(row, same[i]) ? json_object_get(row, same[i]) : json_null());
	if (waits && w)
		say(node, "%s%s%s", w->means, strcmp(detail, w->means) ? ": " : "", strcmp(detail, w->means) ? detail : "");
	else if (*detail && strcmp(detail, state) != 0)
		say(node, "%s", detail);
	if (!waits && *reason)
		say(node, "%s", reason);
	if (waits && ahead)
		say(node, "%lld ahead of it", (long long)ahead);
	if (waits && *text_of(row, "lift"))
		say(node, "lifted by: %s", text_of(row, "lift"));
}

/* The deepest thing that failed, else that waits, else is under way: what the reader can act on. */
static const json_t *deepest(const json_t *node, const char *const *states)
{
	const char *state = text_of(node, "state");
	const json_t *found = NULL;
	size_t i;
	json_t *child;

	json_array_foreach(json_object_get(node, "children"), i, child)
		if ((found = deepest(child, states)))
			return found;
	if (!*text_of(node, "id") && !*text_of(node, "fabric"))
		return NULL;		/* a step or task: its owner has the command */
	for (; *states; states++)
		if (strcmp(*states, state) == 0)
			return node;
	return NULL;
}

static char *command_for(const json_t *node)
{
	const char *id = text_of(node, "id"), *state = text_of(node, "state"), *fabric = text_of(node, "fabric");
	const struct wait_reason *w = wait_reason(text_of(node, "reason"));

	if (*text_of(node, "lift"))
		return xstrdup(text_of(node, "lift"));
	if (w)
		return xstrdup("penstock status");
	if (ps_starts(text_of(node, "reason"), "maps nowhere"))
		return xasprintf("penstock which --all --repo %s %s", text_of(node, "repository"), text_of(node, "ref"));
	if (*id == 't')
		return xasprintf("penstock tests %s", id);
	if (*id == 'b' || *id == 'x')
		return xasprintf("penstock log %s%s", strcmp(state, "running") == 0 ? "-f " : "", id);
	if (*fabric)
		return xasprintf("penstock history %s", fabric);
	return xstrdup("penstock status");
}

static void put_next(json_t *root)
{
	static const char *const failed[] = { "failed", "unknown", NULL };
	static const char *const waits[] = { "waiting", "queued", NULL };
	static const char *const busy[] = { "running", "claimed", "active", NULL };
	static const char *const live[] = { "deployed", NULL };
	static const char *const good[] = { "passed", NULL };
	static const char *const *const order[] = { failed, waits, busy, live, good };
	const json_t *found = NULL;
	char *command;

	for (size_t i = 0; !found && i < PS_NELEM(order); i++)
		found = deepest(root, order[i]);
	command = command_for(found ? found : root);
	put_text(root, "next", command);
	free(command);
}

/* ---- rows to nodes ---- */

/* Why it failed, most likely. */
static void put_last_lines(json_t *n, const json_t *row)
{
	for (const char *at = text_of(row, "last_lines"); *at;) {
		size_t len = strcspn(at, "\n");

		say(n, "| %.*s", (int)(len < 200 ? len : 200), at);
		at += len + (at[len] == '\n');
	}
}

static json_t *build_node(const json_t *row)
{
	char *what = xasprintf("%s build of %s:%s %s", text_of(row, "id"), text_of(row, "repository"),
			       text_of(row, "project"), text_of(row, "pipeline"));
	json_t *n = node_new(what);

	free(what);
	put_state(n, row);
	if (*text_of(row, "check_of"))
		say(n, "builds %s again to compare, asked by %s", text_of(row, "check_of"), text_of(row, "asked_by"));
	if (*text_of(row, "retry_of"))
		say(n, "retry of %s by %s", text_of(row, "retry_of"), text_of(row, "asked_by"));
	if (*text_of(row, "bumped_by") && strcmp(text_of(row, "state"), "queued") == 0)
		say(n, "bumped by %s", text_of(row, "bumped_by"));
	if (*text_of(row, "name"))
		say(n, "%s, SHA-256 %.12s", text_of(row, "name"), text_of(row, "digest"));
	put_last_lines(n, row);
	if (*text_of(row, "tests"))
		say(n, "tests: %s", text_of(row, "tests"));
	return n;
}

static json_t *test_node(const json_t *row)
{
	char *what = xasprintf("%s tests of %s (%s), FABRIC_NAME=%s", text_of(row, "id"), text_of(row, "pipeline"),
			       text_of(row, "build"), text_of(row, "fabric_name"));
	json_t *n = node_new(what);

	free(what);
	put_state(n, row);
	say(n, "%s", text_of(row, "summary"));
	put_last_lines(n, row);
	return n;
}

static json_t *case_node(const json_t *row)
{
	const char *message = text_of(row, "message");
	json_t *n = node_new(text_of(row, "id"));

	json_object_set(n, "state", json_object_get(row, "state"));
	if (json_is_true(json_object_get(row, "flaky")))
		say(n, "flaky: it passed only when tried again");
	if (*message)
		say(n, "%.*s", (int)strcspn(message, "\n"), message);
	return n;
}

static json_t *deployment_node(const json_t *row)
{
	char *what = xasprintf("%s release %s (%s) to fabric %s", text_of(row, "id"), text_of(row, "release"),
			       text_of(row, "version"), text_of(row, "fabric"));
	json_t *n = node_new(what);

	free(what);
	put_state(n, row);
	json_object_set(n, "fabric", json_object_get(row, "fabric"));
	if (*text_of(row, "asked"))
		say(n, "%s by %s%s%s", text_of(row, "asked"), text_of(row, "asked_by"), *text_of(row, "asked_why") ? ": " : "",
		    text_of(row, "asked_why"));
	if (*text_of(row, "plan_digest"))
		say(n, "plan %.12s", text_of(row, "plan_digest"));
	if (*text_of(row, "verification"))
		say(n, "%s", text_of(row, "verification"));
	if (*text_of(row, "let_by"))
		say(n, "let go by %s%s%s", text_of(row, "let_by"), *text_of(row, "let_why") ? ": " : "",
		    text_of(row, "let_why"));
	if (json_is_true(json_object_get(row, "emergency")))
		say(n, "an emergency: windows and freezes do not keep it");
	return n;
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
		say(node, "%s%s by %s at %s%s%s%s", text_of(one, "decision"),
		    json_is_true(json_object_get(one, "emergency")) ? " as an emergency" : "", text_of(one, "who"),
		    text_of(one, "at"), *text_of(one, "message") ? ": " : "", text_of(one, "message"),
		    json_is_true(json_object_get(one, "current")) ? "" : " (of a plan before this one)");
	json_object_set_new(node, "approvals", rows);
	return rc;
}

static json_t *run_node(const json_t *row)
{
	char *what = xasprintf("%s run of %s on %s, asked by %s", text_of(row, "id"), text_of(row, "job"),
			       text_of(row, "fabric"), text_of(row, "who"));
	json_t *n = node_new(what);

	free(what);
	put_state(n, row);
	say(n, "release %s%s%s", text_of(row, "release"), *text_of(row, "config") ? ", config instance " : "",
	    text_of(row, "config"));
	return n;
}

/* What lifts a hold, and who has lifted it. */
static void put_hold(json_t *n, const json_t *row)
{
	const char *with = text_of(row, "held_with"), *by = text_of(row, "released_by"), *why = text_of(row, "released_text");
	bool held = strcmp(text_of(row, "state"), "held") == 0;
	char *lift;

	if (*by)
		say(n, "let go by %s%s%s", by, *why ? ": " : "", why);
	if (!held)
		return;
	lift = xasprintf("penstock release-hold %s", *with ? with : text_of(row, "id"));
	say(n, "lifted by: %s; or a newer push of this ref supersedes it", lift);
	put_text(n, "lift", lift);
	free(lift);
}

static json_t *event_node(const json_t *row)
{
	const char *pusher = text_of(row, "pusher"), *kind = text_of(row, "kind");
	char *what = xasprintf("%s %s %s %.12s -> %.12s by %s", text_of(row, "id"), text_of(row, "repository"),
			       text_of(row, "ref"), text_of(row, "old"), text_of(row, "new"),
			       *pusher ? pusher : "unknown");
	json_t *n = node_new(what);

	free(what);
	json_object_set(n, "id", json_object_get(row, "id"));
	json_object_set(n, "state", json_object_get(row, "state"));
	json_object_set(n, "since", json_object_get(row, "at"));
	copy_wait(n, row);
	json_object_set(n, "repository", json_object_get(row, "repository"));
	json_object_set(n, "ref", json_object_get(row, "ref"));
	if (json_is_string(json_object_get(row, "lift")))
		say(n, "%s: %s", wait_reason(text_of(row, "reason"))->means, text_of(row, "detail"));
	else if (*text_of(row, "reason"))
		say(n, "%s", text_of(row, "reason"));
	if (*text_of(row, "superseded_by"))
		say(n, "superseded by %s", text_of(row, "superseded_by"));
	if (strcmp(kind, "gap") == 0)
		say(n, "the pusher is not known");
	else if (strcmp(kind, "inferred") == 0)
		say(n, "the report of the push did not come; its intent and the ref agree");
	put_hold(n, row);
	if (strcmp(text_of(row, "state"), "open") == 0 && !json_is_true(json_object_get(row, "surveyed")))
		say(n, "its projects are being read");
	return n;
}

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
		put_place(o, true, sql_is_null(q, 13) ? WAIT_TOOLCHAIN : "demand", "");
	return o;
}

static const char demand_sql[] =
	"SELECT d.id, d.state, r.name, d.project, d.environment, d.fabric, d.reason, d.detail, d.since_ms, d.release,"
	" d.commit_oid, d.event, d.state = 'waiting' AND (d.toolchain IS NULL OR d.look = 1), d.toolchain"
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
		add_child(node, make(one));
	json_decref(rows);
	free(sql);
	return rc;
}

static int add_builds(struct store_tx *tx, json_t *node, int64_t demand, struct ps_err *err)
{
	return children(tx, node, build_sql, "JOIN demand_build y ON y.build = b.id WHERE y.demand = ? ORDER BY b.id",
			demand, build_row, build_node, err);
}

static int add_cases(struct store_tx *tx, json_t *test, struct ps_err *err)
{
	int64_t n = 0;
	int rc = view_number(text_of(test, "id"), 't', &n, err);

	return rc < 0 ? rc : children(tx, test, test_case_sql, "WHERE test = ? AND (outcome IN ('failed', 'error') OR"
				      " flaky = 1) ORDER BY outcome IN ('failed', 'error') DESC, n LIMIT 5", n,
				      test_case_row, case_node, err);
}

/* The tests of a demand, each with those that failed and those that are flaky. */
static int add_tests(struct store_tx *tx, json_t *node, int64_t demand, struct ps_err *err)
{
	size_t i = json_array_size(json_object_get(node, "children"));
	int rc = children(tx, node, test_sql, "JOIN demand_test y ON y.test = t.id WHERE y.demand = ? ORDER BY t.id",
			  demand, test_row, test_node, err);

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
		const json_t *found = deepest(child, waits);

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
		if (deepest(child, states))
			return true;
	return false;
}

static int demand_chain(struct store_tx *tx, json_t *event, const json_t *row, struct ps_err *err)
{
	char *what = xasprintf("project %s to environment %s, fabric %s", text_of(row, "project"),
			       text_of(row, "environment"), text_of(row, "fabric"));
	json_t *n = node_new(what);
	int64_t demand = json_integer_value(json_object_get(row, "number"));
	int rc;

	free(what);
	put_state(n, row);
	json_object_set(n, "fabric", json_object_get(row, "fabric"));
	rc = add_builds(tx, n, demand, err);
	if (rc == 0)
		rc = add_tests(tx, n, demand, err);
	if (rc == 0)
		rc = children(tx, n, deployment_sql, "WHERE d.demand = ? ORDER BY d.id", demand, deployment_row,
			      deployment_node, err);
	if (strcmp(text_of(row, "state"), "waiting") == 0 && !*text_of(row, "reason"))
		inherit_wait(n);
	if (child_tells(n))
		json_array_clear(json_object_get(n, "lines"));
	if (*text_of(row, "release"))
		say(n, "release %.12s", text_of(row, "release"));
	add_child(event, n);
	return rc;
}

/* An event waits while it is held, and until its tree was read. */
static int put_event_wait(struct store_tx *tx, json_t *row, struct ps_err *err)
{
	json_t *alone = json_array();
	int rc = 0;

	if (strcmp(text_of(row, "state"), "held") == 0) {
		json_t *why = json_incref(json_object_get(row, "reason"));

		put_wait(row, "held", json_string_value(why), "owners", NULL);
		json_decref(why);
	} else if (strcmp(text_of(row, "state"), "open") == 0 && !json_is_true(json_object_get(row, "surveyed"))) {
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
	int rc = view_number(text_of(row, "id"), 'e', &n, err);

	if (rc == 0)
		rc = put_event_wait(tx, row, err);
	root = event_node(row);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, sql, "i", n), rows, VIEW_LIMIT, NULL, demand_row, err);
	if (rc == 0)
		rc = view_add_waits(tx, rows, err);
	json_array_foreach(rows, i, one)
		if (rc == 0)
			rc = demand_chain(tx, root, one, err);
	if (rc == 0) {
		put_next(root);
		*out = json_incref(root);
	}
	json_decref(root);
	json_decref(rows);
	free(sql);
	return rc;
}

static json_t *need_node(const json_t *row)
{
	char *what = xasprintf("needed by %s: project %s to environment %s", text_of(row, "event"),
			       text_of(row, "project"), text_of(row, "environment"));
	json_t *n = node_new(what);

	free(what);
	json_object_set(n, "state", json_object_get(row, "state"));
	json_object_set(n, "reason", json_object_get(row, "reason"));
	json_object_set(n, "event", json_object_get(row, "event"));
	return n;
}

static json_t *step_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(sql_int(q, 0)));
	put_text(o, "what", sql_text(q, 1));
	put_text(o, "state", sql_text(q, 2));
	put_text(o, "detail", sql_text(q, 3));
	return o;
}

static json_t *step_node(const json_t *row)
{
	char *what = xasprintf("step %lld: %s", (long long)json_integer_value(json_object_get(row, "number")),
			       text_of(row, "what"));
	json_t *n = node_new(what);

	free(what);
	put_state(n, row);
	return n;
}

static json_t *task_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "what", sql_text(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "reason", sql_text(q, 2));
	put_text(o, "last", sql_text(q, 3));
	return o;
}

static json_t *task_node(const json_t *row)
{
	char *what = xasprintf("task %s", text_of(row, "what"));
	json_t *n = node_new(what);

	free(what);
	put_state(n, row);
	if (*text_of(row, "last"))
		say(n, "last line: %s", text_of(row, "last"));
	return n;
}

/* What stands below a build or run and waits: with it where that waits too, else for something beside
 * it: another build of the same demand, the tasks before. */
static void put_waits_below(json_t *root, bool is_run)
{
	const char *id = text_of(root, "id");
	bool waits = json_is_string(json_object_get(root, "lift"));
	json_t *child;
	size_t i;

	json_array_foreach(json_object_get(root, "children"), i, child) {
		const char *state = text_of(child, "state"), *event = text_of(child, "event");
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
		{ 'b', "build", build_sql, "b.id", build_row, build_node },
		{ 't', "test", test_sql, "t.id", test_row, test_node },
		{ 'd', "deployment", deployment_sql, "d.id", deployment_row, deployment_node },
		{ 'x', "run", run_sql, "x.id", run_row, run_node },
		{ 'e', "event", event_sql, "e.id", event_row, event_node },
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
			      n, demand_row, need_node, err);
		if (rc == 0)		/* what was built again to compare with it, newest first */
			rc = children(tx, root, build_sql, "WHERE b.check_of = ? ORDER BY b.id DESC", n, build_row,
				      build_node, err);
	} else if (kind == 't') {
		rc = add_cases(tx, root, err);
		if (rc == 0)
			rc = children(tx, root, demand_sql, "JOIN demand_test y ON y.demand = d.id WHERE y.test = ? ORDER BY"
				      " d.id", n, demand_row, need_node, err);
	} else if (kind == 'd') {
		rc = add_approvals(tx, root, n, err);
		if (rc == 0)
			rc = children(tx, root, "SELECT n, what, state, detail FROM step ", "WHERE deployment = ? ORDER BY n", n,
			      step_row, step_node, err);
		if (rc == 0)
			rc = children(tx, root, event_sql, "WHERE e.id = (SELECT m.event FROM demand m JOIN deployment d"
				      " ON d.demand = m.id WHERE d.id = ?)", n, event_row, event_node, err);
	} else {
		rc = children(tx, root, "SELECT task, state, reason, last FROM task ", "WHERE run = ? ORDER BY n", n,
			      task_row, task_node, err);
	}
	if (rc == 0) {
		put_waits_below(root, kind == 'x');
		put_next(root);
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
	what = xasprintf("release %.12s of %s:%s", release, text_of(one, "repository"), text_of(one, "project"));
	root = node_new(what);
	json_object_set_new(root, "id", json_stringn(release, 12));
	json_object_set(root, "state", state ? state : json_null());
	put_text(root, "reason", NULL);
	json_object_set(root, "since", json_object_get(one, "created"));
	json_array_foreach(labels, i, one)
		say(root, "%s: %s at %.12s, %s, by %s", text_of(one, "version"), text_of(one, "ref"),
		    text_of(one, "commit"), text_of(one, "event"),
		    *text_of(one, "pusher") ? text_of(one, "pusher") : "unknown");
	json_array_foreach(rows, i, one)
		add_child(root, deployment_node(one));
	put_next(root);
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
