/* survey_json – see survey_json.h. */
#include "config.h"

#include "agent/flow/survey_json.h"

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *inputs_json(const struct wire_tree_input *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_pack("{s:s, s:s, s:b}", "path", v[i].path, "oid",
						   v[i].oid,
						   "is_dir", (int)v[i].is_dir));
	return a;
}

static json_t *pipeline_json(const struct wire_pipeline *p)
{
	json_t *names = json_array();

	for (size_t i = 0; i < p->instances.n; i++)
		json_array_append_new(names, json_string(p->instances.v[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:b}", "key", p->key, "name", p->name,
			 "language", text_or_null(p->language), "oid", text_or_null(p->oid),
			 "wheel", text_or_null(p->wheel), "reduced", p->reduced, "instances",
			 names, "tests", (int)p->tests);
}

static json_t *job_json(const struct wire_job *j)
{
	json_t *files = json_array();

	for (size_t i = 0; i < j->files.n; i++)
		json_array_append_new(files, json_pack("{s:s, s:s}", "path", j->files.v[i].path,
						       "digest", j->files.v[i].digest));
	return json_pack("{s:s, s:s, s:s, s:I, s:o}", "key", j->key, "name", j->name, "provider",
			 j->provider,
			 "fabric_id", (json_int_t)j->fabric_id, "files", files);
}

char *survey_to_json(const struct wire_project *p)
{
	json_t *pipelines = json_array(), *jobs = json_array(), *o;
	char *text;

	for (size_t i = 0; i < p->pipelines.n; i++)
		json_array_append_new(pipelines, pipeline_json(&p->pipelines.v[i]));
	for (size_t i = 0; i < p->jobs.n; i++)
		json_array_append_new(jobs, job_json(&p->jobs.v[i]));
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "path", p->path, "oid",
		      p->oid,
		      "name", p->name, "version", p->version, "language", p->language, "problem",
		      text_or_null(p->problem), "pipelines", pipelines, "shared",
		      inputs_json(p->shared.v, p->shared.n), "jobs", jobs);
	PS_BUG_IF(!o, "a project of the gate is not UTF-8");
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	PS_BUG_IF(!text, "a project of the gate cannot be written as JSON");
	json_decref(o);
	return text;
}

static const char *get_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static struct wire_tree_input *get_inputs(const json_t *a, size_t *n)
{
	struct wire_tree_input *v = xcalloc(json_array_size(a), sizeof(*v));

	*n = json_array_size(a);
	for (size_t i = 0; i < *n; i++) {
		const json_t *o = json_array_get(a, i);

		v[i] = (struct wire_tree_input) { .path = get_text(o, "path"),
						  .oid = get_text(o, "oid"),
						  .is_dir =
						  json_is_true(json_object_get(o, "is_dir")) };
	}
	return v;
}

static struct wire_pipeline get_pipeline(const json_t *o)
{
	const json_t *names = json_object_get(o, "instances");
	const char **v = xcalloc(json_array_size(names), sizeof(*v));

	for (size_t i = 0; i < json_array_size(names); i++)
		v[i] = json_string_value(json_array_get(names, i));
	return (struct wire_pipeline) {
		.key = get_text(o, "key"), .name = get_text(o, "name"),
			.language = get_text(o, "language"),
		.oid = get_text(o, "oid"), .wheel = get_text(o, "wheel"),
			.reduced = get_text(o, "reduced"),
		.instances = { v, json_array_size(names) },
		.tests = json_is_true(json_object_get(o, "tests")),
	};
}

static struct wire_job get_job(const json_t *o)
{
	const json_t *files = json_object_get(o, "files");
	struct wire_file *v = xcalloc(json_array_size(files), sizeof(*v));

	for (size_t i = 0; i < json_array_size(files); i++)
		v[i] = (struct wire_file) { .path = get_text(json_array_get(files, i), "path"),
					    .digest = get_text(json_array_get(files, i),
							       "digest") };
	return (struct wire_job) {
		.key = get_text(o, "key"), .name = get_text(o, "name"),
			.provider = get_text(o, "provider"),
		.fabric_id = json_integer_value(json_object_get(o, "fabric_id")),
		.files = { v, json_array_size(files) },
	};
}

int survey_from_json(struct wire_project *p, json_t **doc, const char *text, struct ps_err *err)
{
	json_t *o = json_loads(text, 0, NULL);
	const json_t *a;
	struct wire_pipeline *pipelines;
	struct wire_job *jobs;
	struct wire_tree_input *shared;
	size_t n;

	if (!json_is_object(o)) {
		json_decref(o);
		return ps_err_set(err, PS_ESTORE, "a stored survey is not JSON");
	}
	*p = (struct wire_project) {
		.path = get_text(o, "path"), .oid = get_text(o, "oid"), .name = get_text(o, "name"),
		.version = get_text(o, "version"), .language = get_text(o, "language"),
		.problem = get_text(o, "problem"),
	};
	a = json_object_get(o, "pipelines");
	pipelines = xcalloc(json_array_size(a), sizeof(*pipelines));
	for (size_t i = 0; i < json_array_size(a); i++)
		pipelines[i] = get_pipeline(json_array_get(a, i));
	p->pipelines.v = pipelines;
	p->pipelines.n = json_array_size(a);
	a = json_object_get(o, "jobs");
	jobs = xcalloc(json_array_size(a), sizeof(*jobs));
	for (size_t i = 0; i < json_array_size(a); i++)
		jobs[i] = get_job(json_array_get(a, i));
	p->jobs.v = jobs;
	p->jobs.n = json_array_size(a);
	shared = get_inputs(json_object_get(o, "shared"), &n);
	p->shared.v = shared;
	p->shared.n = n;
	*doc = o;
	return 0;
}

void survey_from_json_clear(struct wire_project *p, json_t *doc)
{
	for (size_t i = 0; i < p->pipelines.n; i++)
		free((void *)p->pipelines.v[i].instances.v);
	for (size_t i = 0; i < p->jobs.n; i++)
		free((void *)p->jobs.v[i].files.v);
	free((void *)p->pipelines.v);
	free((void *)p->jobs.v);
	free((void *)p->shared.v);
	memset(p, 0, sizeof(*p));
	json_decref(doc);
}

char *spec_to_json(const struct wire_tree_input *inputs, size_t n, const char *reduced,
		   const char *wheel)
{
	json_t *o = json_pack("{s:o, s:s, s:o}", "inputs", inputs_json(inputs, n), "reduced",
			      reduced, "wheel", text_or_null(wheel));
	char *text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	PS_BUG_IF(!text, "a build's specification cannot be written as JSON");
	json_decref(o);
	return text;
}

int spec_from_json(struct build_spec *s, const char *text, struct ps_err *err)
{
	json_t *o = json_loads(text, 0, NULL);

	if (!json_is_object(o) || !get_text(o, "reduced")) {
		json_decref(o);
		return ps_err_set(err, PS_ESTORE,
				  "a stored build specification is not what was written");
	}
	*s = (struct build_spec) { .doc = o, .reduced = get_text(o, "reduced"),
				   .wheel = get_text(o, "wheel") };
	s->inputs = get_inputs(json_object_get(o, "inputs"), &s->n);
	return 0;
}

void spec_clear(struct build_spec *s)
{
	free(s->inputs);
	json_decref(s->doc);
	memset(s, 0, sizeof(*s));
}
