/*
 * airflow_runs – runs of a DAG, under an id of ours: asked for twice there is one, and an answer
 * that was lost is found again by it. Airflow knows no cancelled run: one that we ended is failed
 * there.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

enum { PAGE = 100, TASKS_MAX = 10000 };

/* ---- names ---- */

static char *run_path(const struct fabric_run *r, const char *dag_id, const char *tail)
{
	struct buf b = BUF_INIT;
	char *path;

	buf_adds(&b, "/dagRuns/");
	http_escape(&b, r->id ? r->id : r->token, false);
	buf_adds(&b, tail);
	path = afl_dag_path(dag_id, buf_str(&b));
	buf_clear(&b);
	return path;
}

static int dag_of(const struct fabric_target *t, const struct fabric_job *j, char **id,
		  struct ps_err *err)
{
	struct afl_def d = { NULL, NULL, false, NULL };
	int rc = j->id ? 0 : afl_def_read(&d, t, j->key, j->sha256, err);

	*id = rc == 0 ? xstrdup(j->id ? j->id : d.dag_id) : NULL;
	afl_def_clear(&d);
	return rc;
}

/* ---- starting ---- */

static json_t *conf_of(const struct fabric_run *r)
{
	json_t *o = json_object();

	for (size_t i = 0; i < r->nparams; i++)
		json_object_set_new(o, r->names[i], json_string(r->values[i]));
	return o;
}

static int check_awake(struct fabric_target *t, const char *dag_id, struct ps_err *err)
{
	json_t *dag = NULL;
	int rc = afl_dag(afl_of(t), dag_id, &dag, err);

	if (rc == 0 && !dag)
		rc = ps_err_set(err, PS_ENOENT, "the DAG '%s' is not there: deploy it first",
				dag_id);
	else if (rc == 0 && json_is_true(json_object_get(dag, "is_paused")))
		rc = ps_err_set(err, PS_EBUSY,
				"the DAG '%s' is paused: a run of it would wait for ever. Wake it "
				"in Airflow first",
				dag_id);
	json_decref(dag);
	return rc;
}

static int start(struct fabric_target *t, const struct fabric_run *r, char **id,
		 enum fabric_outcome *outcome, struct ps_err *err)
{
	struct ps_err why = { 0 };
	char *dag = NULL, *path = NULL;
	struct afl_said s = { .outcome = FABRIC_NOT_DONE };
	json_t *body;
	int rc = dag_of(t, r->job, &dag, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0 && r->config)
		rc = ps_err_set(err, PS_EINVAL,
				"a DAG takes no config instance: give it parameters by --param");
	if (rc == 0)
		rc = check_awake(t, dag, err);
	if (rc < 0)
		goto out;
	path = afl_dag_path(dag, "/dagRuns");
	body = json_pack("{ss so}", "dag_run_id", r->token, "conf", conf_of(r));
	if (afl_of(t)->major == 3) /* the key must be there; without a date none can clash */
		json_object_set_new(body, "logical_date", json_null());
	rc = afl_ask(afl_of(t),
		     &(struct afl_ask) { .method = "POST", .path = path, .body = body,
					 .repeatable = true },
		     &s, &why);
	*outcome = s.outcome;
	if (rc == PS_EEXIST) { /* asked for before */
		*outcome = FABRIC_ALREADY;
		rc = 0;
	} else if (rc < 0 && err) {
		*err = why;
	}
	if (rc == 0)
		*id = xstrdup(r->token);
	afl_said_clear(&s);
out:
	free(path);
	free(dag);
	return rc;
}

/* ---- states ---- */

static const char *run_word(const char *state)
{
	if (ps_streq(state, "success"))
		return "passed";
	if (ps_streq(state, "failed"))
		return "failed";
	return ps_streq(state, "running") ? "running" : "queued";
}

/* A state that nobody knew when this was written is no end. */
static const char *task_word(const char *state)
{
	static const struct { const char *theirs, *ours; } words[] = {
		{ "scheduled", "queued" }, { "queued", "queued" }, { "none", "queued" },
		{ "success", "passed" }, { "failed", "failed" },
		{ "upstream_failed", "upstream failed" }, { "skipped", "skipped" },
		{ "removed", "skipped" },
	};

	if (!state)
		return "queued";
	for (size_t i = 0; i < PS_NELEM(words); i++)
		if (strcmp(words[i].theirs, state) == 0)
			return words[i].ours;
	return "running";
}

static char *task_reason(const json_t *v, const char *state)
{
	json_int_t tried = json_integer_value(json_object_get(v, "try_number"));
	json_int_t most = json_integer_value(json_object_get(v, "max_tries"));

	if (ps_streq(state, "removed"))
		return xstrdup("the DAG has no such task any more");
	if (ps_streq(state, "up_for_retry"))
		return xasprintf("try %lld of %lld failed", (long long)tried,
				 (long long)most + 1);
	return NULL;
}

static char *page_of(struct fabric_target *t, const char *dag_id, const char *run)
{
	const char *host = t->conf->host;
	size_t n = strlen(host);
	struct buf b = BUF_INIT;

	while (n && host[n - 1] == '/')
		n--;
	buf_add(&b, host, n);
	buf_adds(&b, "/dags/");
	http_escape(&b, dag_id, false);
	buf_adds(&b, afl_of(t)->major == 3 ? "/runs/" : "/grid?dag_run_id=");
	http_escape(&b, run, false);
	return buf_steal(&b);
}

/* A task with several instances of its own is one for each. */
static char *task_key(const json_t *v)
{
	const char *id = json_string_value(json_object_get(v, "task_id"));
	json_int_t index = json_integer_value(json_object_get(v, "map_index"));

	return json_object_get(v, "map_index") && index >= 0
		       ? xasprintf("%s[%lld]", id ? id : "", (long long)index)
		       : xstrdup(id ? id : "");
}

static void add_task(struct fabric_run_now *out, const json_t *v)
{
	const char *state = json_string_value(json_object_get(v, "state"));
	struct fabric_task *to = &out->tasks[out->ntasks++];

	to->key = task_key(v);
	to->state = task_word(state);
	to->reason = task_reason(v, state);
	to->started_ms = afl_time_ms(json_string_value(json_object_get(v, "start_date")));
	to->ended_ms = afl_time_ms(json_string_value(json_object_get(v, "end_date")));
}

/* All its task instances, page by page; each is handed to take(). */
static int each_task(struct fabric_target *t, const struct fabric_run *r, const char *dag,
		     void (*take)(void *arg, const json_t *v), void *arg, struct ps_err *err)
{
	char *path = run_path(r, dag, "/taskInstances"), offset[24];
	size_t got = 0, n = 1;
	int rc = 0;

	while (rc == 0 && n && got < TASKS_MAX) {
		const struct http_field query[] = { { "limit", "100" }, { "offset", offset },
						    { NULL, NULL } };
		const json_t *list;
		struct afl_said s;

		snprintf(offset, sizeof(offset), "%zu", got);
		rc = afl_ask(afl_of(t),
			     &(struct afl_ask) { .path = path, .query = query,
						 .repeatable = true },
			     &s, err);
		list = json_object_get(s.doc, "task_instances");
		n = json_array_size(list);
		for (size_t i = 0; i < n; i++)
			take(arg, json_array_get(list, i));
		got += n;
		n = n < PAGE ? 0 : n;
		afl_said_clear(&s);
	}
	free(path);
	return rc;
}

struct gathering { struct fabric_run_now *out; size_t cap; };

static void take_task(void *arg, const json_t *v)
{
	struct gathering *g = arg;

	g->out->tasks = xgrow(g->out->tasks, g->out->ntasks, &g->cap, sizeof(*g->out->tasks));
	memset(&g->out->tasks[g->out->ntasks], 0, sizeof(*g->out->tasks));
	add_task(g->out, v);
}

static int now(struct fabric_target *t, const struct fabric_run *r, struct fabric_run_now *out,
	       struct ps_err *err)
{
	struct gathering g = { out, 0 };
	char *dag = NULL, *path = NULL;
	struct afl_said s = { .outcome = FABRIC_NOT_DONE };
	int rc = dag_of(t, r->job, &dag, err);

	if (rc < 0)
		return rc;
	path = run_path(r, dag, "");
	rc = afl_ask(afl_of(t), &(struct afl_ask) { .path = path, .repeatable = true }, &s, err);
	out->state = run_word(json_string_value(json_object_get(s.doc, "state")));
	if (rc == 0)
		rc = each_task(t, r, dag, take_task, &g, err);
	out->url = rc == 0 ? page_of(t, dag, r->id ? r->id : r->token) : NULL;
	afl_said_clear(&s);
	free(path);
	free(dag);
	return rc;
}

/* ---- acts ---- */

/* Takes path and body over. */
static int act(struct fabric_target *t, const char *method, char *path, json_t *body,
	       enum fabric_outcome *outcome, struct ps_err *err)
{
	struct afl_said s;
	int rc = afl_ask(afl_of(t),
			 &(struct afl_ask) { .method = method, .path = path, .body = body,
					     .repeatable = true },
			 &s, err);

	*outcome = s.outcome;
	afl_said_clear(&s);
	free(path);
	return rc;
}

/* It takes that for a run that is over, too, and what has passed would have failed: so it looks. */
static int cancel(struct fabric_target *t, const struct fabric_run *r, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	char *dag = NULL, *path = NULL;
	const char *state = NULL;
	json_t *doc = NULL;
	int rc = dag_of(t, r->job, &dag, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0) {
		path = run_path(r, dag, "");
		rc = afl_get(afl_of(t), path, NULL, &doc, err);
		state = run_word(json_string_value(json_object_get(doc, "state")));
	}
	if (rc == 0 && (strcmp(state, "passed") == 0 || strcmp(state, "failed") == 0))
		*outcome = FABRIC_ALREADY;
	else if (rc == 0)
		rc = act(t, "PATCH", run_path(r, dag, ""), json_pack("{ss}", "state", "failed"),
			 outcome, err);
	json_decref(doc);
	free(path);
	free(dag);
	return rc;
}

/* Its failed tasks are as if they had never run; asked for twice the second finds nothing. */
static int repair(struct fabric_target *t, const struct fabric_run *r, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	char *dag = NULL;
	int rc = dag_of(t, r->job, &dag, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = act(t, "POST", afl_dag_path(dag, "/clearTaskInstances"),
			 json_pack("{sb ss sb sb}", "dry_run", 0, "dag_run_id",
				   r->id ? r->id : r->token, "only_failed", 1, "reset_dag_runs", 1),
			 outcome, err);
	free(dag);
	return rc;
}

/* ---- output ---- */

/* The last try of one task instance, by the key that now() gave it. */
struct wanted { const char *key; json_int_t tried, index; char *id; };

static void find_task(void *arg, const json_t *v)
{
	struct wanted *w = arg;
	const json_t *index = json_object_get(v, "map_index");
	char *key = task_key(v);

	if (strcmp(key, w->key) == 0 && !w->id) {
		w->id = xstrdup_null(json_string_value(json_object_get(v, "task_id")));
		w->tried = json_integer_value(json_object_get(v, "try_number"));
		w->index = index ? json_integer_value(index) : -1;
	}
	free(key);
}

static void add_line(struct buf *out, const char *text)
{
	buf_adds(out, text);
	if (!*text || text[strlen(text) - 1] != '\n')
		buf_addch(out, '\n');
}

/* Version 3 tells a log as events; where it lies on the server is nobody's business here. */
static void add_events(struct buf *out, const json_t *events)
{
	bool sources = false;

	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *e = json_array_get(events, i);
		const char *text = json_is_string(e) ? json_string_value(e)
				   : json_string_value(json_object_get(e, "event"));

		if (text && strstr(text, "::group::Log message source details"))
			sources = true;
		if (text && !sources && !ps_starts(text, "::"))
			add_line(out, text);
		if (text && strstr(text, "::endgroup::"))
			sources = false;
	}
}

static int read_log(struct fabric_target *t, const struct fabric_run *r, const char *dag,
		    const struct wanted *w, struct buf *out, struct ps_err *err)
{
	bool three = afl_of(t)->major == 3;
	char index[24];
	const struct http_field query[] = { { "full_content", "true" },
					    { w->index >= 0 ? "map_index" : NULL, index },
					    { NULL, NULL } };
	struct buf tail = BUF_INIT;
	struct afl_said s;
	char *path;
	int rc;

	snprintf(index, sizeof(index), "%lld", (long long)w->index);
	buf_adds(&tail, "/taskInstances/");
	http_escape(&tail, w->id, false);
	buf_addf(&tail, "/logs/%lld", (long long)w->tried);
	path = run_path(r, dag, buf_str(&tail));
	rc = afl_ask(afl_of(t),
		     &(struct afl_ask) { .path = path, .query = query, .repeatable = true,
					 .plain = !three },
		     &s, err);
	if (rc == 0 && three)
		add_events(out, json_object_get(s.doc, "content"));
	else if (rc == 0)
		buf_add(out, buf_str(&s.plain), s.plain.len);
	afl_said_clear(&s);
	buf_clear(&tail);
	free(path);
	return rc;
}

static int output(struct fabric_target *t, const struct fabric_run *r, const char *task,
		  struct buf *out, struct ps_err *err)
{
	struct wanted w = { task, 0, -1, NULL };
	char *dag = NULL;
	int rc = dag_of(t, r->job, &dag, err);

	if (rc == 0)
		rc = each_task(t, r, dag, find_task, &w, err);
	/* one that never began has no log */
	if (rc == 0 && w.id && w.tried > 0)
		rc = read_log(t, r, dag, &w, out, err);
	free(w.id);
	free(dag);
	return rc;
}

const struct fabric_runs afl_runs = {
	start, now, cancel, repair, output, .cancelled_is_failed = true
};
