/* why_rows – rows of the store as nodes of a chain; see why_node.h. */
#include "config.h"

#include "agent/store/why_node.h"

/* Why it failed, most likely. */
static void put_last_lines(json_t *n, const json_t *row)
{
	for (const char *at = get_text(row, "last_lines"); *at;) {
		size_t len = strcspn(at, "\n");

		why_say(n, "| %.*s", (int)(len < 200 ? len : 200), at);
		at += len + (at[len] == '\n');
	}
}

json_t *why_build(const json_t *row)
{
	char *what = xasprintf("%s build of %s:%s %s", get_text(row, "id"), get_text(row, "repository"),
			       get_text(row, "project"), get_text(row, "pipeline"));
	json_t *n = why_node(what);

	free(what);
	why_put_state(n, row);
	if (*get_text(row, "check_of"))
		why_say(n, "builds %s again to compare, asked by %s", get_text(row, "check_of"), get_text(row, "asked_by"));
	if (*get_text(row, "retry_of"))
		why_say(n, "retry of %s by %s", get_text(row, "retry_of"), get_text(row, "asked_by"));
	if (*get_text(row, "bumped_by") && strcmp(get_text(row, "state"), "queued") == 0)
		why_say(n, "bumped by %s", get_text(row, "bumped_by"));
	if (*get_text(row, "name"))
		why_say(n, "%s, SHA-256 %.12s", get_text(row, "name"), get_text(row, "digest"));
	put_last_lines(n, row);
	if (*get_text(row, "tests"))
		why_say(n, "tests: %s", get_text(row, "tests"));
	return n;
}

json_t *why_test(const json_t *row)
{
	char *what = xasprintf("%s tests of %s (%s), FABRIC_NAME=%s", get_text(row, "id"), get_text(row, "pipeline"),
			       get_text(row, "build"), get_text(row, "fabric_name"));
	json_t *n = why_node(what);

	free(what);
	why_put_state(n, row);
	why_say(n, "%s", get_text(row, "summary"));
	put_last_lines(n, row);
	return n;
}

json_t *why_case(const json_t *row)
{
	const char *message = get_text(row, "message");
	json_t *n = why_node(get_text(row, "id"));

	json_object_set(n, "state", json_object_get(row, "state"));
	if (json_is_true(json_object_get(row, "flaky")))
		why_say(n, "flaky: it passed only when tried again");
	if (*message)
		why_say(n, "%.*s", (int)strcspn(message, "\n"), message);
	return n;
}

json_t *why_deployment(const json_t *row)
{
	char *what = xasprintf("%s release %s (%s) to fabric %s", get_text(row, "id"), get_text(row, "release"),
			       get_text(row, "version"), get_text(row, "fabric"));
	json_t *n = why_node(what);

	free(what);
	why_put_state(n, row);
	json_object_set(n, "fabric", json_object_get(row, "fabric"));
	if (*get_text(row, "asked"))
		why_say(n, "%s by %s%s%s", get_text(row, "asked"), get_text(row, "asked_by"), *get_text(row, "asked_why") ? ": " : "",
		    get_text(row, "asked_why"));
	if (*get_text(row, "plan_digest"))
		why_say(n, "plan %.12s", get_text(row, "plan_digest"));
	if (*get_text(row, "verification"))
		why_say(n, "%s", get_text(row, "verification"));
	if (*get_text(row, "let_by"))
		why_say(n, "let go by %s%s%s", get_text(row, "let_by"), *get_text(row, "let_why") ? ": " : "",
		    get_text(row, "let_why"));
	if (json_is_true(json_object_get(row, "emergency")))
		why_say(n, "an emergency: windows and freezes do not keep it");
	return n;
}

json_t *why_run(const json_t *row)
{
	char *what = xasprintf("%s run of %s on %s, asked by %s", get_text(row, "id"), get_text(row, "job"),
			       get_text(row, "fabric"), get_text(row, "who"));
	json_t *n = why_node(what);

	free(what);
	why_put_state(n, row);
	why_say(n, "release %s%s%s", get_text(row, "release"), *get_text(row, "config") ? ", config instance " : "",
	    get_text(row, "config"));
	return n;
}

/* What lifts a hold, and who has lifted it. */
static void put_hold(json_t *n, const json_t *row)
{
	const char *with = get_text(row, "held_with"), *by = get_text(row, "released_by"), *why = get_text(row, "released_text");
	bool held = strcmp(get_text(row, "state"), "held") == 0;
	char *lift;

	if (*by)
		why_say(n, "let go by %s%s%s", by, *why ? ": " : "", why);
	if (!held)
		return;
	lift = xasprintf("penstock release-hold %s", *with ? with : get_text(row, "id"));
	why_say(n, "lifted by: %s; or a newer push of this ref supersedes it", lift);
	put_text(n, "lift", lift);
	free(lift);
}

json_t *why_event(const json_t *row)
{
	const char *pusher = get_text(row, "pusher"), *kind = get_text(row, "kind");
	char *what = xasprintf("%s %s %s %.12s -> %.12s by %s", get_text(row, "id"), get_text(row, "repository"),
			       get_text(row, "ref"), get_text(row, "old"), get_text(row, "new"),
			       *pusher ? pusher : "unknown");
	json_t *n = why_node(what);

	free(what);
	json_object_set(n, "id", json_object_get(row, "id"));
	json_object_set(n, "state", json_object_get(row, "state"));
	json_object_set(n, "since", json_object_get(row, "at"));
	copy_wait(n, row);
	json_object_set(n, "repository", json_object_get(row, "repository"));
	json_object_set(n, "ref", json_object_get(row, "ref"));
	if (json_is_string(json_object_get(row, "lift")))
		why_say(n, "%s: %s", wait_reason(get_text(row, "reason"))->means, get_text(row, "detail"));
	else if (*get_text(row, "reason"))
		why_say(n, "%s", get_text(row, "reason"));
	if (*get_text(row, "superseded_by"))
		why_say(n, "superseded by %s", get_text(row, "superseded_by"));
	if (strcmp(kind, "gap") == 0)
		why_say(n, "the pusher is not known");
	else if (strcmp(kind, "inferred") == 0)
		why_say(n, "the report of the push did not come; its intent and the ref agree");
	put_hold(n, row);
	if (strcmp(get_text(row, "state"), "open") == 0 && !json_is_true(json_object_get(row, "surveyed")))
		why_say(n, "its projects are being read");
	return n;
}

json_t *why_need(const json_t *row)
{
	char *what = xasprintf("needed by %s: project %s to environment %s", get_text(row, "event"),
			       get_text(row, "project"), get_text(row, "environment"));
	json_t *n = why_node(what);

	free(what);
	json_object_set(n, "state", json_object_get(row, "state"));
	json_object_set(n, "reason", json_object_get(row, "reason"));
	json_object_set(n, "event", json_object_get(row, "event"));
	return n;
}

json_t *why_step_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(sql_int(q, 0)));
	put_text(o, "what", sql_text(q, 1));
	put_text(o, "state", sql_text(q, 2));
	put_text(o, "detail", sql_text(q, 3));
	return o;
}

json_t *why_step(const json_t *row)
{
	char *what = xasprintf("step %lld: %s", (long long)json_integer_value(json_object_get(row, "number")),
			       get_text(row, "what"));
	json_t *n = why_node(what);

	free(what);
	why_put_state(n, row);
	return n;
}

json_t *why_task_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "what", sql_text(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "reason", sql_text(q, 2));
	put_text(o, "last", sql_text(q, 3));
	return o;
}

json_t *why_task(const json_t *row)
{
	char *what = xasprintf("task %s", get_text(row, "what"));
	json_t *n = why_node(what);

	free(what);
	why_put_state(n, row);
	if (*get_text(row, "last"))
		why_say(n, "last line: %s", get_text(row, "last"));
	return n;
}
