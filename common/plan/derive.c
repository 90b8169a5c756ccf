/* derive – see derive.h. */
#include "config.h"

#include "common/plan/derive.h"

#include "common/plan/canon.h"
#include "common/plan/render.h"
#include "common/project/quartz.h"

struct deriving {
	json_t *doc, *request;
	const struct derive_to *to;
	derive_problem_fn *tell;
	void *arg;
	size_t problems;
};

static void problem(struct deriving *d, const char *fmt, ...) PS_PRINTF(2, 3);

static void problem(struct deriving *d, const char *fmt, ...)
{
	char *rule = derive_rule_text(d->to->rule), *text, *all;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	all = xasprintf("%s: %s", rule, text);
	d->tell(d->arg, all);
	d->problems++;
	free(all);
	free(text);
	free(rule);
}

char *derive_rule_text(const struct conf_derive *rule)
{
	return rule->pos.line ? xasprintf("derive '%s' (penstock.yml:%u)", rule->as, rule->pos.line)
			      : xasprintf("derive '%s'", rule->as);
}

const char *derive_name(const char *key)
{
	return ps_starts(key, "jobs/") ? key + strlen("jobs/") : key;
}

json_t *derive_merge(json_t *target, const json_t *patch)
{
	json_t *from = (json_t *)patch, *made;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	made = json_is_object(target) ? json_incref(target) : json_object();
	for (void *it = json_object_iter(from); it; it = json_object_iter_next(from, it)) {
		const char *key = json_object_iter_key(it);
		const json_t *value = json_object_iter_value(it);

		if (json_is_null(value))
			json_object_del(made, key);
		else
			json_object_set_new(made, key,
					    derive_merge(json_object_get(made, key), value));
	}
	return made;
}

/* ---- the fabric ---- */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* A number stays a number, a text a text, as the two generations have them. */
static void set_id(json_t *object, const char *key, int64_t id)
{
	const json_t *was = json_object_get(object, key);
	char text[24];

	if (!was)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)id);
	json_object_set_new(object, key,
			    json_is_integer(was) ? json_integer(id) : json_string(text));
}

static void set_conf(json_t *cluster, const struct derive_to *to)
{
	json_t *conf = json_object_get(cluster, "spark_conf");
	const char *uri = text_of(conf, "spark.prophecy.metadata.job.uri");
	const char *at = uri ? strstr(uri, to->rule->from) : NULL;

	set_id(conf, "spark.prophecy.metadata.fabric.id", to->fabric_id);
	/* <project>/jobs/x names the job */
	if (at && !at[strlen(to->rule->from)] && (at == uri || at[-1] == '/')) {
		char *own = xasprintf("%.*s%s", (int)(at - uri), uri, to->rule->as);

		json_object_set_new(conf, "spark.prophecy.metadata.job.uri", json_string(own));
		free(own);
	}
}

static void set_fabric(struct deriving *d)
{
	static const char *const lists[] = { "job_clusters", "tasks" };

	set_id(d->doc, "fabric_id", d->to->fabric_id);
	set_id(d->doc, "fabricId", d->to->fabric_id);
	set_id(json_object_get(d->doc, "metainfo"), "fabricId", d->to->fabric_id);
	set_conf(json_object_get(d->request, "new_cluster"), d->to);
	for (size_t k = 0; k < PS_NELEM(lists); k++) {
		json_t *list = json_object_get(d->request, lists[k]);

		for (size_t i = 0; i < json_array_size(list); i++)
			set_conf(json_object_get(json_array_get(list, i), "new_cluster"), d->to);
	}
}

/* ---- the config instance ---- */

/* What the component of this task refers to: "pipelines/x" of this project, or another's; NULL when
 * the task runs no pipeline. */
static const char *pipeline_of(const struct deriving *d, const char *task_key)
{
	const json_t *list = json_object_get(d->doc, "components");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_object_get(json_array_get(list, i), "PipelineComponent");
		const char *named = text_of(c, "pipelineId");

		if (ps_streq(text_of(c, "nodeName"), task_key))
			return named ? named : text_of(c, "id");
	}
	return NULL;
}

/* By its library, for a task that no component speaks of. */
static const struct manifest_artifact *artifact_of(const struct deriving *d, const json_t *task)
{
	static const char *const kinds[] = { "whl", "jar" };
	const json_t *list = json_object_get(task, "libraries");

	for (size_t i = 0; i < json_array_size(list); i++)
		for (size_t k = 0; k < PS_NELEM(kinds); k++) {
			const char *path = text_of(json_array_get(list, i), kinds[k]);
			const char *name = path && render_artifact_path(path) ? strrchr(path, '/')
									      : NULL;
			const struct manifest_artifact *a =
				name ? manifest_artifact_named(d->to->release, name + 1) : NULL;

			if (a)
				return a;
		}
	return NULL;
}

static const struct manifest_artifact *built_from(const struct manifest *m, const char *pipeline)
{
	for (size_t i = 0; i < m->nartifacts; i++)
		if (strcmp(m->artifacts[i].pipeline, pipeline) == 0)
			return &m->artifacts[i];
	return NULL;
}

static void set_instance(json_t *parameters, const char *config)
{
	for (size_t i = 0; i + 1 < json_array_size(parameters); i++)
		if (ps_streq(json_string_value(json_array_get(parameters, i)), "-i")) {
			json_array_set_new(parameters, i + 1, json_string(config));
			return;
		}
	json_array_append_new(parameters, json_string("-i"));
	json_array_append_new(parameters, json_string(config));
}

/* The part of a task that has its arguments; NULL when it is no task of a wheel or a jar. */
static json_t *program_of(const json_t *task)
{
	static const char *const kinds[] = { "python_wheel_task", "spark_jar_task" };

	for (size_t k = 0; k < PS_NELEM(kinds); k++)
		if (json_is_object(json_object_get(task, kinds[k])))
			return json_object_get(task, kinds[k]);
	return NULL;
}

static void configure(struct deriving *d, json_t *task)
{
	const char *config = d->to->rule->config, *key = text_of(task, "task_key");
	const char *pipeline = pipeline_of(d, key);
	const struct manifest_artifact *a = NULL;
	json_t *program = program_of(task), *parameters;

	if (!program)
		return;
	if (!pipeline)
		a = artifact_of(d, task);
	else if (ps_starts(pipeline, "pipelines/"))
		a = built_from(d->to->release, pipeline);
	if (!pipeline && !a)
		return; /* somebody's own wheel: it knows no instances */
	if (!a) {
		problem(d,
			"task '%s' runs '%s', which is no pipeline of this project: whether it has "
			"config instance '%s' is not known",
			key ? key : "", pipeline, config);
		return;
	}
	if (strcmp(config, "default") != 0 && !manifest_has_instance(a, config)) {
		problem(d, "'%s' has no config instance '%s', which task '%s' would run with",
			a->pipeline, config, key ? key : "");
		return;
	}
	parameters = json_object_get(program, "parameters");
	if (!json_is_array(parameters)) {
		parameters = json_array();
		json_object_set_new(program, "parameters", parameters);
	}
	set_instance(parameters, config);
}

/* ---- when it runs by itself ---- */

static const char *const triggers[] = { "schedule", "continuous", "trigger" };

/* What the gate looks at in a job that was pushed. */
static void check_schedule(struct deriving *d, const json_t *schedule)
{
	const char *cron = text_of(schedule, "quartz_cron_expression"),
		   *zone = text_of(schedule, "timezone_id");
	char *why = cron ? quartz_fault(cron) : NULL;

	if (why)
		problem(d, "'schedule': '%s' is no Quartz cron expression: %s", cron, why);
	if (zone && !quartz_zone_is_known(zone))
		problem(d, "'schedule': nobody knows a time zone '%s'", zone);
	free(why);
}

static void set_schedule(struct deriving *d)
{
	const char *text = d->to->rule->schedule;
	json_t *schedule = NULL;

	if (!text)
		return;
	if (canon_read(&schedule, text, strlen(text), "schedule", NULL) < 0) {
		problem(d, "'schedule' cannot be read");
		return;
	}
	check_schedule(d, schedule);
	json_object_set_new(d->request, "schedule",
			    derive_merge(json_object_get(d->request, "schedule"), schedule));
	json_decref(schedule);
}

/* The state that the deployed one has: "PAUSED", "UNPAUSED" (also where it says nothing). */
static const char *deployed_state(const json_t *request, const char *trigger)
{
	const json_t *there = json_object_get(request, trigger);
	const char *status = text_of(there, "pause_status");

	if (!json_is_object(there))
		return NULL;
	return status ? status : "UNPAUSED";
}

/*
 * enabled is for the day the job is made. From then on somebody may pause it at night, and a
 * deployment must not wake it: the state that is there stays, unless the rule enforces its own.
 * That is a part of the definition: only the fabric knows who has paused what.
 */
static void set_pause(struct deriving *d)
{
	const struct derive_to *to = d->to;
	const json_t *deployed =
		to->there == DERIVE_THERE ? render_request(to->deployed) : NULL;
	const char *wanted = to->rule->enabled ? "UNPAUSED" : "PAUSED";

	if (to->rule->enforce_schedule)
		json_object_set_new(d->doc, RENDER_OWN, json_pack("{sb}", RENDER_ENFORCE, 1));
	for (size_t i = 0; i < PS_NELEM(triggers); i++) {
		json_t *trigger = json_object_get(d->request, triggers[i]);
		const char *kept = to->rule->enforce_schedule
					   ? NULL
					   : deployed_state(deployed, triggers[i]);

		if (!json_is_object(trigger))
			continue;
		if (to->there == DERIVE_THERE_UNREAD && !to->rule->enforce_schedule)
			problem(d, "what is deployed there cannot be read, so whether somebody has "
				   "paused it is not known: set enforce_schedule: true to have the "
				   "state of 'enabled'");
		json_object_set_new(trigger, "pause_status", json_string(kept ? kept : wanted));
	}
}

/* ---- the whole ---- */

static void apply_patch(struct deriving *d)
{
	const char *text = d->to->rule->patch;
	json_t *patch = NULL;

	if (!text)
		return;
	if (canon_read(&patch, text, strlen(text), "patch", NULL) < 0)
		problem(d, "'patch' cannot be read");
	else
		json_decref(derive_merge(d->request, patch)); /* an object stays itself */
	json_decref(patch);
}

size_t derive_job(json_t *doc, const struct derive_to *to, derive_problem_fn *tell, void *arg)
{
	struct deriving d = { .doc = doc, .to = to, .tell = tell, .arg = arg };
	json_t *tasks;

	d.request = (json_t *)render_request(doc);
	set_fabric(&d);
	json_object_set_new(d.request, "name", json_string(derive_name(to->rule->as)));
	tasks = json_object_get(d.request, "tasks");
	for (size_t i = 0; to->rule->config && i < json_array_size(tasks); i++)
		configure(&d, json_array_get(tasks, i));
	set_schedule(&d);
	set_pause(&d);
	apply_patch(&d);
	return d.problems;
}
