/* run_make – see run_make.h. */
#include "config.h"

#include "agent/flow/run_make.h"

#include "agent/flow/pass.h"
#include "agent/store/release.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/plan/manifest.h"
#include "common/plan/tasks.h"

static json_t *strings(char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(v[i]));
	return a;
}

/* Every task's wheel must be one of the release, and the instance asked for must be in it. */
static int task_json(json_t **out, const struct run_task *t, const struct manifest *m,
		     const char *config, struct ps_err *err)
{
	const char *file = strrchr(t->wheel, '/');
	const struct manifest_artifact *a = manifest_artifact_named(m, file ? file + 1 : t->wheel);

	if (!a)
		return ps_err_set(err, PS_EINVAL,
				  "task '%s' needs '%s', which the deployed release does not have",
				  t->key, t->wheel);
	if (config && !manifest_has_instance(a, config))
		return ps_err_set(err, PS_EINVAL, "task '%s': %s has no config instance '%s'",
				  t->key, a->pipeline, config);
	*out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "key", t->key, "package",
			 t->package, "entry", t->entry, "wheel", t->wheel, "digest", a->sha256,
			 "parameters", strings(t->parameters, t->nparameters), "after",
			 strings(t->after, t->nafter));
	return *out ? 0 : ps_err_set(err, PS_EINVAL, "task '%s' holds text that is not UTF-8",
				     t->key);
}

static int spec_of(char **spec, const struct run_tasks *tasks, const struct manifest *m,
		   const char *config, struct ps_err *err)
{
	json_t *a = json_array(), *o = NULL;
	int rc = 0;

	for (size_t i = 0; i < tasks->n && rc == 0; i++) {
		rc = task_json(&o, &tasks->v[i], m, config, err);
		if (rc == 0)
			json_array_append_new(a, o);
	}
	if (rc == 0)
		*spec = json_dumps(a, JSON_COMPACT);
	json_decref(a);
	return rc;
}

/* Its tasks (NULL: none is known yet) and what starts it. */
struct made {
	struct run_tasks tasks;
	char *spec;
};

static int make_local(struct store_tx *tx, const struct run_ask *ask, const struct deployed_job *j,
		      struct made *out, struct ps_err *err)
{
	struct release release = { 0 };
	struct manifest m = { 0 };
	struct buf bytes = BUF_INIT;
	int rc = release_get(tx, j->release, &release, err);

	if (rc == 0)
		rc = manifest_read(&m, release.manifest, strlen(release.manifest), j->release, err);
	if (rc == 0)
		rc = cas_read(&bytes, ask->content, j->digest, PS_JSON_MAX, err);
	if (rc == 0)
		rc = run_tasks_parse(&out->tasks, j->job, buf_str(&bytes), bytes.len, ask->config,
				     ask->params, err);
	if (rc == 0)
		rc = spec_of(&out->spec, &out->tasks, &m, ask->config, err);
	manifest_clear(&m);
	release_clear(&release);
	buf_clear(&bytes);
	return rc;
}

static int make_remote(const struct deployed_job *j, struct made *out, struct ps_err *err)
{
	json_t *o = json_pack("{s:s, s:s, s:s*}", "name", j->name, "digest", j->digest, "job_id",
			      j->remote_id);

	out->spec = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return out->spec ? 0 : ps_err_set(err, PS_EINVAL, "the name of job '%s' is not UTF-8",
					  j->job);
}

int run_make(struct store_tx *tx, const struct run_ask *ask, const struct deployed_job *j,
	     int64_t *id, struct ps_err *err)
{
	bool local = strcmp(ask->provider, conf_provider_word(CONF_LOCAL)) == 0;
	struct made made = { .spec = NULL };
	char *params = json_object_size(ask->params)
		       ? json_dumps(ask->params, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const char **keys;
	int rc = local ? make_local(tx, ask, j, &made, err) : make_remote(j, &made, err);

	keys = xcalloc(made.tasks.n + 1, sizeof(*keys));
	for (size_t i = 0; i < made.tasks.n; i++)
		keys[i] = made.tasks.v[i].key;
	if (rc == 0) {
		struct run run = { .fabric = j->fabric, .repository = j->repository,
				   .project = j->project, .job = j->job,
				   .config = (char *)ask->config, .release = j->release,
				   .who = (char *)ask->who, .spec = made.spec, .params = params,
				   .provider = (char *)ask->provider };

		rc = run_insert(tx, &run, keys, made.tasks.n, err);
		*id = run.id;
		if (rc == 0)
			rc = pass_enter(tx, LINE_RUN, "", run.id, 0, run.repository, err);
	}
	free(keys);
	free(params);
	free(made.spec);
	run_tasks_clear(&made.tasks);
	return rc;
}
