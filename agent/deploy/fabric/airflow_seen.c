/*
 * airflow_seen – a DAG as the server has it.
 *
 * Its row keeps what the last good load said: a load that fails leaves the time alone. For what is
 * in an archive `has_import_errors` may stay false (3.3.2), and the error in /importErrors goes
 * away at each listing of the folder and comes back with the next load.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/base/escape.h"

enum { TRACE_MAX = 800, PAGE = 100, PAGES_MAX = 100 };

/* ---- the row ---- */

static void read_row(const struct afl *a, const json_t *doc, struct afl_row *out)
{
	const char *active = a->major == 2 ? "is_active" : "is_stale";
	const char *parsed = json_string_value(json_object_get(doc, "last_parsed_time"));
	double took = json_number_value(json_object_get(doc, "last_parse_duration"));

	out->there = true;
	out->paused = json_is_true(json_object_get(doc, "is_paused"));
	out->active = json_is_true(json_object_get(doc, active)) == (a->major == 2);
	out->broken = json_is_true(json_object_get(doc, "has_import_errors"));
	out->file = xstrdup_null(json_string_value(json_object_get(doc, "fileloc")));
	out->token = xstrdup_null(json_string_value(json_object_get(doc, "file_token")));
	out->parsed_ms = afl_time_ms(parsed);
	out->began_ms = took > 0 ? out->parsed_ms - (int64_t)(took * 1000) : 0;
}

int afl_row(struct afl *a, const char *dag_id, struct afl_row *out, struct ps_err *err)
{
	json_t *doc = NULL;
	int rc = afl_dag(a, dag_id, &doc, err);

	memset(out, 0, sizeof(*out));
	if (doc)
		read_row(a, doc, out);
	json_decref(doc);
	return rc;
}

void afl_row_clear(struct afl_row *r)
{
	free(r->file);
	free(r->token);
	memset(r, 0, sizeof(*r));
}

/* "…/x.zip" itself or a file in it; Airflow tells some paths from its folder on. */
static bool is_in_archive(const char *file, const char *dag_id)
{
	char *name = xasprintf("/%s.zip", dag_id), *path = xasprintf("/%s", file ? file : "");
	size_t n = strlen(name);
	const char *at = strstr(path, name);
	bool is;

	while (at && at[n] && at[n] != '/')
		at = strstr(at + 1, name);
	is = at != NULL;
	free(name);
	free(path);
	return is;
}

bool afl_is_ours(const struct afl_row *r, const char *dag_id)
{
	return is_in_archive(r->file, dag_id);
}

/* 2.x calls it by a token of the file, 3.x by the DAG. */
int afl_source(struct afl *a, const char *dag_id, const struct afl_row *r, struct buf *out,
	       struct ps_err *err)
{
	struct buf path = BUF_INIT;
	const char *text;
	json_t *doc;
	int rc;

	buf_adds(&path, "/dagSources/");
	http_escape(&path, a->major == 2 && r->token ? r->token : dag_id, false);
	rc = afl_get(a, buf_str(&path), NULL, &doc, err);
	text = json_string_value(json_object_get(doc, "content"));
	if (rc == 0 && text)
		buf_adds(out, text);
	json_decref(doc);
	buf_clear(&path);
	return rc;
}

/* ---- import errors ---- */

int afl_errors(struct afl *a, json_t **list, struct ps_err *err)
{
	int rc = 0;
	bool more = true;

	*list = json_array();
	for (int page = 0; rc == 0 && more && page < PAGES_MAX; page++) {
		char offset[16];
		const struct http_field query[] = { { "limit", "100" },
						    { "offset", offset },
						    { NULL, NULL } };
		json_t *doc;
		const json_t *part;

		snprintf(offset, sizeof(offset), "%d", page * PAGE);
		rc = afl_get(a, "/importErrors", query, &doc, err);
		part = json_object_get(doc, "import_errors");
		json_array_extend(*list, (json_t *)part);
		more = json_array_size(part) == PAGE;
		json_decref(doc);
	}
	if (rc < 0) {
		json_decref(*list);
		*list = NULL;
	}
	return rc;
}

/* On one line, the end where the cause is rather than the beginning. */
static char *one_line(const char *trace)
{
	struct buf b = BUF_INIT;
	char *line = xcalloc(1, TRACE_MAX);
	const char *from;

	for (const char *s = trace; *s;) {
		size_t n = strcspn(s, "\n"), blank = strspn(s, " \t\r");

		if (n > blank)
			buf_addf(&b, "%s%.*s", b.len ? " | " : "", (int)(n - blank), s + blank);
		s += n + (s[n] == '\n');
	}
	from = buf_str(&b) + (b.len >= TRACE_MAX ? b.len - TRACE_MAX + 1 : 0);
	escape_line(line, TRACE_MAX, from);
	buf_clear(&b);
	return line;
}

char *afl_error_of(const json_t *list, const char *dag_id, int64_t since_ms, int64_t *at_ms)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);
		const char *file = json_string_value(json_object_get(e, "filename"));
		const char *at = json_string_value(json_object_get(e, "timestamp"));
		const char *trace = json_string_value(json_object_get(e, "stack_trace"));

		*at_ms = afl_time_ms(at);
		if (!is_in_archive(file, dag_id) || *at_ms < since_ms)
			continue;
		return ps_starts(trace ? trace : "REDACTED", "REDACTED")
			       ? xstrdup("Airflow does not show the reason to this user; its log "
					 "of the DAG processor does")
			       : one_line(trace);
	}
	return NULL;
}

/* ---- its runs ---- */

int afl_active_runs(struct afl *a, const char *dag_id, size_t *n, struct ps_err *err)
{
	const struct http_field query[] = {
		{ "state", "queued" }, { "state", "running" }, { "limit", "1" }, { NULL, NULL }
	};
	char *path = afl_dag_path(dag_id, "/dagRuns");
	json_t *doc;
	int rc = afl_get(a, path, query, &doc, err);

	*n = (size_t)json_integer_value(json_object_get(doc, "total_entries"));
	json_decref(doc);
	free(path);
	return rc == PS_ENOENT ? 0 : rc;
}
