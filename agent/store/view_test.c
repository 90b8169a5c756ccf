/* view_test – tests of builds: as a list, one with its cases, and as the words that a build has of
 * them. */
#include "config.h"

#include "agent/store/view_put.h"

#include "common/base/buf.h"
#include "common/base/id.h"

enum { CASES_MAX = 5000 };

const char test_sql[] =
	"SELECT t.id, t.state, r.name, t.project, t.pipeline, t.build, t.fabric_name, t.reason, t.detail, t.since_ms,"
	" t.flaky, t.kept, t.passed, t.failed, t.errors, t.skipped, t.created_ms, t.started_ms, t.ended_ms,"
	" CASE WHEN t.state = 'failed' AND t.failed + t.errors = 0 THEN t.last_lines ELSE NULL END, b.digest, b.name"
	" FROM test t JOIN build b ON b.id = t.build JOIN repository r ON r.id = t.repository ";

static void add_count(struct buf *b, int64_t n, const char *word)
{
	if (n)
		buf_addf(b, "%s%lld %s", b->len ? ", " : "", (long long)n, word);
}

/* "41 passed, 1 failed", "9 passed, flaky", "queued"; columns: state, flaky and the four numbers. */
static char *summary(sqlite3_stmt *q, int state, int flaky, int counts)
{
	static const char *const words[] = { "passed", "failed", "in error", "skipped" };
	const char *s = sql_text(q, state);
	struct buf b = BUF_INIT;

	if (!ps_streq(s, "passed") && !ps_streq(s, "failed"))
		return xstrdup(s);
	for (int i = 0; i < (int)PS_NELEM(words); i++)
		add_count(&b, sql_int(q, counts + i), words[i]);
	if (!b.len)
		buf_adds(&b, ps_streq(s, "passed") ? "no test in it" : "failed without a report");
	if (sql_int(q, flaky))
		buf_adds(&b, ", flaky");
	return buf_steal(&b);
}

json_t *test_row(sqlite3_stmt *q)
{
	json_t *o = json_object();
	char *text = summary(q, 1, 10, 12);

	put_id(o, "id", 't', sql_int(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "repository", sql_text(q, 2));
	put_text(o, "project", sql_text(q, 3));
	put_text(o, "pipeline", sql_text(q, 4));
	put_id(o, "build", 'b', sql_int(q, 5));
	put_text(o, "fabric_name", sql_text(q, 6));
	put_text(o, "reason", sql_text(q, 7));
	put_text(o, "detail", sql_text(q, 8));
	put_time(o, "since", q, 9);
	json_object_set_new(o, "flaky", json_boolean(sql_int(q, 10)));
	/* its pass answers for whoever needs the same next */
	json_object_set_new(o, "remembered",
			    json_boolean(sql_int(q, 11) && ps_streq(sql_text(q, 1), "passed")));
	json_object_set_new(o, "passed", json_integer(sql_int(q, 12)));
	json_object_set_new(o, "failed", json_integer(sql_int(q, 13)));
	json_object_set_new(o, "errors", json_integer(sql_int(q, 14)));
	json_object_set_new(o, "skipped", json_integer(sql_int(q, 15)));
	put_time(o, "created", q, 16);
	put_time(o, "started", q, 17);
	put_time(o, "ended", q, 18);
	put_took(o, q, 17, 18);
	put_text(o, "last_lines", sql_text(q, 19));
	put_text(o, "digest", sql_text(q, 20));
	put_text(o, "name", sql_text(q, 21));
	put_text(o, "summary", text);
	put_place(o, strcmp(sql_text(q, 1), "queued") == 0, "test", "");
	free(text);
	return o;
}

/* The columns that build_sql takes from the newest test of a build, from `col` on. */
char *build_tests_text(sqlite3_stmt *q, int build_state, int col)
{
	char id[ID_TEXT], *text, *all;

	if (sql_is_null(q, col))
		return ps_streq(sql_text(q, build_state), "passed") ? xstrdup("no tests") : NULL;
	text = summary(q, col + 1, col + 2, col + 3);
	all = xasprintf("%s: %s", id_text(id, 't', sql_int(q, col)), text);
	free(text);
	return all;
}

json_t *test_case_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "id", sql_text(q, 0));
	put_text(o, "state", sql_text(q, 1));
	json_object_set_new(o, "flaky", json_boolean(sql_int(q, 2)));
	json_object_set_new(o, "took_ms", json_integer(sql_int(q, 3)));
	put_text(o, "message", sql_text(q, 4));
	put_text(o, "trace", sql_text(q, 5));
	return o;
}

const char test_case_sql[] = "SELECT path, outcome, flaky, took_ms, message, trace FROM test_case ";

/* Those that failed first, then those that are flaky, each in the order of the report. */
static int add_cases(struct store_tx *tx, json_t *test, struct ps_err *err)
{
	json_t *cases = json_array();
	int64_t n = 0;
	char *sql = xasprintf("%sWHERE test = ? ORDER BY outcome IN ('failed', 'error') DESC, flaky DESC, n LIMIT ?",
			      test_case_sql);
	int rc = view_number(json_string_value(json_object_get(test, "id")), 't', &n, err);

	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, sql, "ii", n, (int64_t)CASES_MAX), cases, CASES_MAX, NULL,
			       test_case_row, err);
	json_object_set_new(test, "cases", cases);
	free(sql);
	return rc;
}

/* id: t31, the tests of build b31, or those of the builds that event e88 needs; newest first. */
int view_tests(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	static const struct {
		char kind;
		const char *noun, *table, *where;
	} kinds[] = {
		{ 't', "test", "test", "t.id = ?" },
		{ 'b', "build", "build", "t.build = ?" },
		{ 'e', "event", "event",
		  "t.id IN (SELECT x.test FROM demand_test x JOIN demand d ON d.id = x.demand WHERE d.event = ?)" },
	};
	char kind = a->id ? id_kind(a->id) : 0, *sql = NULL;
	json_t *doc = NULL, *found = json_array(), *test;
	int64_t n = 0;
	size_t i = 0;
	int rc;

	while (i < PS_NELEM(kinds) && kinds[i].kind != kind)
		i++;
	if (i == PS_NELEM(kinds) || !id_parse(a->id, kind, &n)) {
		json_decref(found);
		return ps_err_set(err, PS_EINVAL, "'%s' has no tests: say t31, a build b31 or an event e88",
				  a->id ? a->id : "");
	}
	sql = xasprintf("SELECT id FROM %s WHERE id = ?", kinds[i].table);
	rc = view_rows(tx, sql_query(tx, err, sql, "i", n), found, 1, NULL, view_first_text, err);
	if (rc == 0 && !json_array_size(found))
		rc = ps_err_set(err, PS_ENOENT, "no such %s: '%s'", kinds[i].noun, a->id);
	free(sql);
	sql = xasprintf("%sWHERE %s ORDER BY t.id DESC LIMIT ?", test_sql, kinds[i].where);
	if (rc == 0)
		rc = view_list(tx, sql_query(tx, err, sql, "ii", n, (int64_t)view_limit(a) + 1), a, test_row, &doc, err);
	json_array_foreach(json_object_get(doc, "items"), i, test)
		if (rc == 0)
			rc = add_cases(tx, test, err);
	if (rc == 0)
		*out = json_incref(doc);
	json_decref(doc);
	json_decref(found);
	free(sql);
	return rc;
}

/* One test without its cases: for its log. */
int view_test(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE t.id = ?", test_sql);
	int64_t n;
	int rc = view_number(a->id, 't', &n, err);

	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, sql, "i", n), "test", a->id, test_row, out, err);
	free(sql);
	return rc;
}

int view_tests_list(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE (CAST(? AS TEXT) IS NULL OR t.state = ?) AND (CAST(? AS TEXT) IS NULL OR r.name = ?)"
			      " ORDER BY t.id DESC LIMIT ?", test_sql);
	int rc = view_list(tx, sql_query(tx, err, sql, "tttti", a->state, a->state, a->repository, a->repository,
					 (int64_t)view_limit(a) + 1), a, test_row, out, err);

	free(sql);
	return rc;
}
