/*
 * airflow_load – has the server read what we put there?
 *
 * The folder is looked at now and then (300 s by default), and a known file when its time is newer.
 * That a DAG is there proves nothing: it may be the one of before. Proof is a reading later than
 * ours, of our file, without an error, and that the text the server shows for it is ours. A server
 * that has read an archive in the very moment it was changed may tell an error once, so one must be
 * told twice.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <time.h>

#include "common/base/clock.h"
#include "common/base/escape.h"

enum { POLL_MS = 1000, ERRORS_NEEDED = 2, TRACE_MAX = 400 };

/* ---- what the server shows ---- */

int afl_load_shows(struct afl *a, const json_t *dag, const char *dag_id, struct buf *source,
		   struct ps_err *err)
{
	const char *token = json_string_value(json_object_get(dag, "file_token")), *text;
	struct buf path = BUF_INIT;
	struct afl_said s;
	int rc;

	buf_adds(&path, "/dagSources/");
	http_escape(&path, a->major == 3 || !token ? dag_id : token, false);
	rc = afl_ask(a, &(struct afl_ask) { .path = buf_str(&path), .repeatable = true }, &s, err);
	text = json_string_value(json_object_get(s.doc, "content"));
	if (rc == 0 && text)
		buf_adds(source, text);
	else if (rc == 0)
		rc = ps_err_set(err, PS_ENOENT, "the server shows no text for the DAG");
	afl_said_clear(&s);
	buf_clear(&path);
	return rc;
}

/* The server reads text: its ends of lines are all the same. */
static bool same_text(const struct buf *a, const struct buf *b)
{
	size_t i = 0, k = 0;

	for (; i < a->len && k < b->len; i++, k++) {
		if (a->data[i] == '\r' && i + 1 < a->len && a->data[i + 1] == '\n')
			i++;
		if (b->data[k] == '\r' && k + 1 < b->len && b->data[k + 1] == '\n')
			k++;
		if (a->data[i] != b->data[k])
			return false;
	}
	return i == a->len && k == b->len;
}

static bool is_active(const struct afl *a, const json_t *dag)
{
	if (json_is_true(json_object_get(dag, "has_import_errors")))
		return false;
	return a->major == 3 ? !json_is_true(json_object_get(dag, "is_stale"))
			     : json_is_true(json_object_get(dag, "is_active"));
}

/* Of our archive: "…/<dag_id>.zip/dag.py". */
static bool is_ours(const char *file, const char *dag_id)
{
	char *end = xasprintf("%s.zip/dag.py", dag_id);
	size_t n = strlen(end), all = file ? strlen(file) : 0;
	bool ours = all >= n && strcmp(file + all - n, end) == 0 &&
		    (all == n || file[all - n - 1] == '/');

	/* version 3 names a broken archive by itself */
	end[n - strlen("/dag.py")] = '\0';
	n = strlen(end);
	ours |= all >= n && strcmp(file + all - n, end) == 0 &&
		(all == n || file[all - n - 1] == '/');
	free(end);
	return ours;
}

static int is_loaded(struct fabric_target *t, const struct afl_def *d, int64_t since_ms, bool *yes,
		     struct ps_err *err)
{
	struct afl *a = afl_of(t);
	json_t *dag = NULL;
	struct buf is = BUF_INIT, want = BUF_INIT;
	struct ps_err why = { 0 };
	const char *at;
	int rc = afl_dag(a, d->dag_id, &dag, err);

	at = json_string_value(json_object_get(dag, "last_parsed_time"));
	*yes = dag && is_active(a, dag) && afl_time_ms(at) > since_ms &&
	       is_ours(json_string_value(json_object_get(dag, "fileloc")), d->dag_id);
	if (rc == 0 && *yes)
		rc = afl_def_file(d, t, "dag.py", &want, err);
	if (rc == 0 && *yes)
		*yes = afl_load_shows(a, dag, d->dag_id, &is, &why) == 0 && same_text(&is, &want);
	buf_clear(&is);
	buf_clear(&want);
	json_decref(dag);
	return rc;
}

/* ---- what it could not read ---- */

/* The last lines of a trace are its point. */
static void tell_trace(const char *trace, struct ps_err *err)
{
	size_t n = strlen(trace);
	char text[TRACE_MAX + 64];

	while (n && (trace[n - 1] == '\n' || trace[n - 1] == ' '))
		n--;
	escape_line(text, sizeof(text), n > TRACE_MAX ? trace + n - TRACE_MAX : trace);
	ps_err_set(err, PS_ECONFLICT, "Airflow cannot load the DAG: %s%s", n > TRACE_MAX ? "…" : "",
		   text);
}

/* An error of our file that was told after since_ms? *told: once more. */
static int import_error(struct fabric_target *t, const char *dag_id, int64_t since_ms, bool *told,
			struct ps_err *why, struct ps_err *err)
{
	static const struct http_field page[] = { { "limit", "100" },
						  { "order_by", "-timestamp" },
						  { NULL, NULL } };
	struct afl_said s;
	const json_t *list;
	int rc = afl_ask(afl_of(t),
			 &(struct afl_ask) { .path = "/importErrors", .query = page,
					     .repeatable = true },
			 &s, err);

	*told = false;
	list = json_object_get(s.doc, "import_errors");
	for (size_t i = 0; i < json_array_size(list) && !*told; i++) {
		const json_t *e = json_array_get(list, i);
		const char *trace = json_string_value(json_object_get(e, "stack_trace"));

		if (afl_time_ms(json_string_value(json_object_get(e, "timestamp"))) <= since_ms ||
		    !is_ours(json_string_value(json_object_get(e, "filename")), dag_id))
			continue;
		*told = true;
		tell_trace(trace ? trace : "it does not say why", why);
	}
	afl_said_clear(&s);
	return rc;
}

/* ---- waiting ---- */

static void nap(void)
{
	nanosleep(&(struct timespec) { POLL_MS / 1000, POLL_MS % 1000 * 1000000L }, NULL);
}

/* A known file is read sooner when somebody asks for it; where that is not to be had, it is read in
 * its own time. */
static void ask_for_it(struct afl *a, const char *dag_id)
{
	json_t *dag = NULL;
	const char *token;
	struct buf path = BUF_INIT;
	struct afl_said s;

	if (afl_dag(a, dag_id, &dag, NULL) < 0 || !dag)
		return;
	token = json_string_value(json_object_get(dag, "file_token"));
	buf_adds(&path, "/parseDagFile/");
	http_escape(&path, token ? token : "", false);
	if (token && afl_ask(a, &(struct afl_ask) { .method = "PUT", .path = buf_str(&path),
						    .repeatable = true }, &s, NULL) == 0)
		nap();
	if (token)
		afl_said_clear(&s);
	buf_clear(&path);
	json_decref(dag);
}

int afl_load_wait(struct fabric_target *t, const struct afl_def *d, int64_t since_ms,
		  struct ps_err *err)
{
	int64_t until = clock_boot_ns() + t->conf->load_ms * 1000000LL;
	struct ps_err why = { 0 };
	bool loaded = false, told = false;
	int rc = 0, errors = 0;

	ask_for_it(afl_of(t), d->dag_id);
	while (rc == 0 && errors < ERRORS_NEEDED && clock_boot_ns() < until) {
		rc = is_loaded(t, d, since_ms, &loaded, err);
		if (rc < 0 || loaded)
			return rc;
		rc = import_error(t, d->dag_id, since_ms, &told, &why, err);
		errors += told;
		nap();
	}
	if (rc == 0 && errors) {
		*err = why;
		return why.code ? why.code : PS_ECONFLICT;
	}
	return rc < 0 ? rc
		      : ps_err_set(err, PS_EBUSY,
				   "Airflow has not read '%s.zip' within %lld s; is its scheduler "
				   "or DAG processor running, and is that its dags folder?",
				   d->dag_id, (long long)(t->conf->load_ms / 1000));
}
