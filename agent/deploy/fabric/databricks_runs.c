/*
 * databricks_runs – runs of jobs.
 *
 * A run is started with a token of ours, so asking twice starts one. A task is there once for each
 * attempt, each a run of its own; the last one counts. What ended may go on again after a repair,
 * and a state that nobody knew when this was written is no end while it has no time of ending.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

enum { TOKEN_MAX = 64 };

static int post(struct fabric_target *t, const char *path, json_t *body, bool repeatable,
		struct dbx_said *s, struct ps_err *err)
{
	return dbx_ask(
		dbx_of(t),
		&(struct dbx_ask){
			.method = "POST", .path = path, .body = body, .repeatable = repeatable },
		s, err);
}

static json_int_t run_id(const struct fabric_run *r)
{
	return r->id ? strtoll(r->id, NULL, 10) : 0;
}

/* ---- starting ---- */

static int job_of(struct fabric_target *t, const struct fabric_job *j, json_t **job,
		  struct ps_err *err)
{
	int rc = dbx_find(t, j, false, job, err);

	if (rc == 0 && !*job)
		rc = ps_err_set(err, PS_ENOENT, "'%s' is not there: deploy it first", j->key);
	return rc;
}

/* The parameters of its first wheel task, with another config instance; NULL: it has none. */
static json_t *with_config(const json_t *job, const char *config)
{
	const json_t *tasks = json_object_get(dbx_settings(job), "tasks"), *params = NULL;
	json_t *out;
	size_t i, at = 0;

	for (i = 0; i < json_array_size(tasks) && !params; i++)
		params = json_object_get(
			json_object_get(json_array_get(tasks, i), "python_wheel_task"),
			"parameters");
	if (!params)
		return NULL;
	out = json_deep_copy(params);
	while (at < json_array_size(out) &&
	       !ps_streq(json_string_value(json_array_get(out, at)), "-i"))
		at++;
	if (at + 1 < json_array_size(out)) {
		json_array_set_new(out, at + 1, json_string(config));
	} else {
		json_array_append_new(out, json_string("-i"));
		json_array_append_new(out, json_string(config));
	}
	return out;
}

static json_t *job_parameters(const struct fabric_run *r)
{
	json_t *o = json_object();

	for (size_t i = 0; i < r->nparams; i++)
		json_object_set_new(o, r->names[i], json_string(r->values[i]));
	return o;
}

static int add_parameters(json_t *body, const struct fabric_run *r, const json_t *job,
			  struct ps_err *err)
{
	json_t *params;

	if (r->config && r->nparams)
		return ps_err_set(
			err, PS_EINVAL,
			"a run there takes another config instance or parameters, not both");
	if (r->nparams)
		json_object_set_new(body, "job_parameters", job_parameters(r));
	if (!r->config)
		return 0;
	params = with_config(job, r->config);
	if (!params)
		return ps_err_set(err, PS_EINVAL,
				  "'%s' has no task of a Python wheel that takes a config instance",
				  r->job->key);
	json_object_set_new(body, "python_params", params);
	return 0;
}

/* A job that runs all the time answers without the id of its run. */
static json_int_t newest_active(struct fabric_target *t, json_int_t job)
{
	char number[24];
	const struct http_field query[] = {
		{ "job_id", number }, { "active_only", "true" }, { "limit", "1" }, { NULL, NULL }
	};
	struct dbx_said s;
	json_int_t id = 0;

	snprintf(number, sizeof(number), "%lld", (long long)job);
	if (dbx_ask(dbx_of(t),
		    &(struct dbx_ask){
			    .path = "/api/2.2/jobs/runs/list", .query = query, .repeatable = true },
		    &s, NULL) == 0)
		id = json_integer_value(json_object_get(
			json_array_get(json_object_get(s.doc, "runs"), 0), "run_id"));
	dbx_said_clear(&s);
	return id;
}

static int start(struct fabric_target *t, const struct fabric_run *r, char **id,
		 enum fabric_outcome *outcome, struct ps_err *err)
{
	json_t *job = NULL, *body;
	struct dbx_said s;
	json_int_t run;
	int rc = job_of(t, r->job, &job, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc < 0)
		return rc;
	body = json_pack("{sI ss%}", "job_id", dbx_id(job), "idempotency_token", r->token,
			 strnlen(r->token, TOKEN_MAX));
	rc = add_parameters(body, r, job, err);
	if (rc < 0) {
		json_decref(body);
		json_decref(job);
		return rc;
	}
	rc = post(t, "/api/2.2/jobs/run-now", body, true, &s, err);
	*outcome = s.outcome;
	run = json_integer_value(json_object_get(s.doc, "run_id"));
	if (rc == 0 && !run)
		run = newest_active(t, dbx_id(job));
	if (rc == 0 && !run) {
		*outcome = FABRIC_UNKNOWN;
		rc = ps_err_set(err, PS_EPROTO, "'%s' was started, and the workspace names no run",
				r->job->key);
	}
	if (run)
		*id = xasprintf("%lld", (long long)run);
	dbx_said_clear(&s);
	json_decref(job);
	return rc;
}

/* ---- states ---- */

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

/* A word of ours for what both generations of states say; see DESIGN section 2. */
static const char *state_word(const json_t *run)
{
	static const char *const queued[] = { "QUEUED",  "PENDING",           "BLOCKED",
					      "WAITING", "WAITING_FOR_RETRY", NULL };
	static const char *const running[] = { "RUNNING", "TERMINATING", NULL };
	static const char *const skipped[] = { "MAXIMUM_CONCURRENT_RUNS_REACHED", "EXCLUDED",
					       "DISABLED", NULL };
	static const char *const cancelled[] = { "CANCELED", "UPSTREAM_CANCELED", NULL };
	const json_t *state = json_object_get(run, "state");
	const char *life = json_string_value(json_object_get(state, "life_cycle_state"));
	const char *result = json_string_value(json_object_get(state, "result_state"));

	if (!life)
		life = json_string_value(json_object_get(json_object_get(run, "status"), "state"));
	if (!life)
		life = "";
	if (is_one_of(life, queued))
		return "queued";
	if (is_one_of(life, running))
		return "running";
	if (strcmp(life, "SKIPPED") == 0)
		return "skipped";
	if (strcmp(life, "TERMINATED") != 0 && strcmp(life, "INTERNAL_ERROR") != 0 &&
	    json_integer_value(json_object_get(run, "end_time")) == 0)
		return "running";
	if (!result)
		return "failed";
	if (strcmp(result, "SUCCESS") == 0)
		return "passed";
	if (strcmp(result, "UPSTREAM_FAILED") == 0)
		return "upstream failed";
	if (is_one_of(result, cancelled))
		return "cancelled";
	return is_one_of(result, skipped) ? "skipped" : "failed";
}

/* Why it is so, where it is not simply well; NULL. free() it. */
static char *reason(const json_t *run, const char *word)
{
	const json_t *state = json_object_get(run, "state"),
		     *status = json_object_get(run, "status");
	const char *text = json_string_value(json_object_get(state, "state_message"));
	const char *why = json_string_value(
		json_object_get(json_object_get(status, "queue_details"), "message"));

	if (strcmp(word, "passed") == 0 || strcmp(word, "running") == 0)
		return NULL;
	if (why && strcmp(word, "queued") == 0)
		return xstrdup(why);
	if (ps_streq(json_string_value(json_object_get(state, "result_state")),
		     "SUCCESS_WITH_FAILURES"))
		return xstrdup("it ended well though some of its tasks failed");
	return text && *text ? xstrdup(text) : NULL;
}

/* The page that everybody may open: the one the workspace names is for admins. */
static char *page_of(struct fabric_target *t, const json_t *whole, const json_t *run)
{
	const char *url = json_string_value(json_object_get(run, "run_page_url"));
	const char *org = url ? strstr(url, "?o=") : NULL;
	size_t n = strlen(t->conf->host);

	while (n && t->conf->host[n - 1] == '/')
		n--;
	return xasprintf("%.*s/jobs/%lld/runs/%lld%.*s", (int)n, t->conf->host,
			 (long long)json_integer_value(json_object_get(whole, "job_id")),
			 (long long)json_integer_value(json_object_get(run, "run_id")),
			 org ? (int)strcspn(org, "#&") : 0, org ? org : "");
}

/* ---- reading ---- */

/* A run with all its pages. history: also of its repairs. */
static int read_run(struct fabric_target *t, json_int_t id, bool history, json_t **run,
		    struct ps_err *err)
{
	char number[24];
	const struct http_field query[] = {
		{ "run_id", number },
		{ "include_history", history ? "true" : "false" },
		{ NULL, NULL },
	};

	snprintf(number, sizeof(number), "%lld", (long long)id);
	return dbx_whole(dbx_of(t), "/api/2.2/jobs/runs/get", query, NULL, run, err);
}

static const char *task_key(const json_t *task)
{
	const char *key = json_string_value(json_object_get(task, "task_key"));

	return key ? key : "";
}

/* Has a later attempt taken its place? */
static bool is_over(const json_t *tasks, const json_t *task)
{
	json_int_t own = json_integer_value(json_object_get(task, "attempt_number"));

	for (size_t i = 0; i < json_array_size(tasks); i++) {
		const json_t *other = json_array_get(tasks, i);

		if (strcmp(task_key(other), task_key(task)) == 0 &&
		    json_integer_value(json_object_get(other, "attempt_number")) > own)
			return true;
	}
	return false;
}

static int now(struct fabric_target *t, const struct fabric_run *r, struct fabric_run_now *out,
	       struct ps_err *err)
{
	json_t *run = NULL, *tasks;
	int rc = read_run(t, run_id(r), false, &run, err);

	if (rc < 0)
		return rc;
	tasks = json_object_get(run, "tasks");
	out->state = state_word(run);
	out->reason = reason(run, out->state);
	out->url = page_of(t, run, run);
	out->tasks = xcalloc(json_array_size(tasks) + 1, sizeof(*out->tasks));
	for (size_t i = 0; i < json_array_size(tasks); i++) {
		const json_t *v = json_array_get(tasks, i);
		struct fabric_task *to = &out->tasks[out->ntasks];

		if (is_over(tasks, v))
			continue;
		out->ntasks++;
		to->key = xstrdup(task_key(v));
		to->state = state_word(v);
		to->reason = reason(v, to->state);
		to->url = page_of(t, run, v);
		to->started_ms = json_integer_value(json_object_get(v, "start_time"));
		to->ended_ms = json_integer_value(json_object_get(v, "end_time"));
	}
	json_decref(run);
	return 0;
}

/* ---- acts ---- */

static int cancel(struct fabric_target *t, const struct fabric_run *r, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	struct dbx_said s;
	int rc = post(t, "/api/2.2/jobs/runs/cancel", json_pack("{sI}", "run_id", run_id(r)), true,
		      &s, err);

	*outcome = s.outcome;
	dbx_said_clear(&s);
	return rc;
}

/* How often it was repaired, and the last one's id. */
static size_t repairs(const json_t *run, json_int_t *last)
{
	const json_t *history = json_object_get(run, "repair_history");
	size_t n = 0;

	*last = 0;
	for (size_t i = 0; i < json_array_size(history); i++) {
		const json_t *v = json_array_get(history, i);

		if (!ps_streq(json_string_value(json_object_get(v, "type")), "REPAIR"))
			continue;
		*last = json_integer_value(json_object_get(v, "id"));
		n++;
	}
	return n;
}

/* A repair that nobody answered for is in the run's history, or was never asked for. */
static int repair(struct fabric_target *t, const struct fabric_run *r, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	json_t *run = NULL, *later = NULL, *body;
	json_int_t last = 0;
	size_t before;
	struct dbx_said s;
	int rc = read_run(t, run_id(r), true, &run, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc < 0)
		return rc;
	before = repairs(run, &last);
	body = json_pack("{sI sb sb}", "run_id", run_id(r), "rerun_all_failed_tasks", 1,
			 "rerun_dependent_tasks", 1);
	if (last)
		json_object_set_new(body, "latest_repair_id", json_integer(last));
	if (r->nparams)
		json_object_set_new(body, "job_parameters", job_parameters(r));
	rc = post(t, "/api/2.2/jobs/runs/repair", body, false, &s, err);
	*outcome = s.outcome;
	dbx_said_clear(&s);
	if (*outcome == FABRIC_UNKNOWN && read_run(t, run_id(r), true, &later, NULL) == 0) {
		bool done = repairs(later, &last) > before;

		*outcome = done ? FABRIC_DONE : FABRIC_NOT_DONE;
		rc = done ? 0 : rc;
		json_decref(later);
	}
	json_decref(run);
	return rc;
}

static void add_text(struct buf *out, const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	if (!text || !*text)
		return;
	buf_adds(out, text);
	if (text[strlen(text) - 1] != '\n')
		buf_addch(out, '\n');
}

static int output(struct fabric_target *t, const struct fabric_run *r, const char *task,
		  struct buf *out, struct ps_err *err)
{
	char number[24] = "";
	const struct http_field query[] = { { "run_id", number }, { NULL, NULL } };
	json_t *run = NULL, *tasks;
	struct dbx_said s;
	int rc = read_run(t, run_id(r), false, &run, err);

	if (rc < 0)
		return rc;
	tasks = json_object_get(run, "tasks");
	for (size_t i = 0; i < json_array_size(tasks); i++) {
		const json_t *v = json_array_get(tasks, i);

		if (strcmp(task_key(v), task) == 0 && !is_over(tasks, v))
			snprintf(number, sizeof(number), "%lld",
				 (long long)json_integer_value(json_object_get(v, "run_id")));
	}
	json_decref(run);
	if (!*number)
		return ps_err_set(err, PS_ENOENT, "the run has no task '%s'", task);
	rc = dbx_ask(dbx_of(t),
		     &(struct dbx_ask){ .path = "/api/2.2/jobs/runs/get-output",
					.query = query,
					.repeatable = true },
		     &s, err);
	add_text(out, s.doc, "logs");
	add_text(out, json_object_get(s.doc, "notebook_output"), "result");
	add_text(out, s.doc, "error");
	add_text(out, s.doc, "error_trace");
	dbx_said_clear(&s);
	return rc;
}

const struct fabric_runs dbx_runs = { start, now, cancel, repair, output,
				     .cancelled_is_failed = false };
