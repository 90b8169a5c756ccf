/* tasks – see tasks.h. */
#include "config.h"

#include "common/plan/tasks.h"

#include <ctype.h>

#include "common/plan/canon.h"
#include "common/plan/job_params.h"
#include "common/plan/render.h"

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && *s ? s : NULL;
}

/* "python_wheel_task", "notebook_task": the member that says what a task is. */
static const char *kind_of(const json_t *task)
{
	json_t *o = (json_t *)task;

	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		const char *name = json_object_iter_key(it);

		if (ps_ends(name, "_task") && json_is_object(json_object_iter_value(it)))
			return name;
	}
	return "a task without kind";
}

/* Does the file <distribution>-<version>-... hold this package? Builds write - and . as _. */
static bool wheel_holds(const char *path, const char *package)
{
	const char *name = strrchr(path, '/') + 1;
	size_t n = strcspn(name, "-");

	if (strlen(package) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char a = isalnum((unsigned char)name[i]) ? name[i] : '_';
		char b = isalnum((unsigned char)package[i]) ? package[i] : '_';

		if (tolower((unsigned char)a) != tolower((unsigned char)b))
			return false;
	}
	return true;
}

/* The wheel of a release that the task runs: the only one, or the one of its package. */
static const char *find_wheel(const json_t *task, const char *package)
{
	const json_t *libraries = json_object_get(task, "libraries");
	const char *only = NULL;
	size_t seen = 0;

	for (size_t i = 0; i < json_array_size(libraries); i++) {
		const char *whl = text_of(json_array_get(libraries, i), "whl");
		const char *path = whl ? render_artifact_path(whl) : NULL;

		if (!path)
			continue;
		if (wheel_holds(path, package))
			return path;
		only = path;
		seen++;
	}
	return seen == 1 ? only : NULL;
}

/* What a task is read with, besides itself. */
struct how {
	const char *job, *config;
	const json_t *request, *params;
};

static char **copy_texts(const json_t *a, const struct how *how, size_t extra, size_t *n)
{
	char **v = xcalloc(json_array_size(a) + extra + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *s = json_string_value(json_array_get(a, i));

		v[(*n)++] = job_params_fill(how->request, how->params, s ? s : "");
	}
	return v;
}

static void apply_config(struct run_task *t, const char *config)
{
	for (size_t i = 0; i + 1 < t->nparameters; i++)
		if (strcmp(t->parameters[i], "-i") == 0) {
			free(t->parameters[i + 1]);
			t->parameters[i + 1] = xstrdup(config);
			return;
		}
	t->parameters[t->nparameters++] = xstrdup("-i");
	t->parameters[t->nparameters++] = xstrdup(config);
}

static int read_depends(struct run_task *t, const char *job, const json_t *task, struct ps_err *err)
{
	const json_t *depends = json_object_get(task, "depends_on");

	t->after = xcalloc(json_array_size(depends) + 1, sizeof(*t->after));
	for (size_t i = 0; i < json_array_size(depends); i++) {
		const char *on = text_of(json_array_get(depends, i), "task_key");

		if (!on)
			return ps_err_set(err, PS_EINVAL,
					  "job '%s': task '%s' depends on a task without key", job,
					  t->key);
		t->after[t->nafter++] = xstrdup(on);
	}
	return 0;
}

static int read_task(struct run_task *t, const json_t *task, const struct how *how,
		     struct ps_err *err)
{
	const char *job = how->job;
	const json_t *wheel = json_object_get(task, "python_wheel_task");
	const char *key = text_of(task, "task_key"), *run_if = text_of(task, "run_if"), *path;

	if (!key)
		return ps_err_set(err, PS_EINVAL, "job '%s': a task has no task_key", job);
	t->key = xstrdup(key);
	if (!json_is_object(wheel))
		return ps_err_set(err, PS_EINVAL,
				  "job '%s': task '%s' is %s: a local fabric runs "
				  "python_wheel_task only",
				  job, key, kind_of(task));
	if (!text_of(wheel, "package_name") || !text_of(wheel, "entry_point"))
		return ps_err_set(err, PS_EINVAL,
				  "job '%s': task '%s' needs package_name and entry_point", job,
				  key);
	if (json_object_size(json_object_get(wheel, "named_parameters")))
		return ps_err_set(err, PS_EINVAL,
				  "job '%s': task '%s' has named_parameters: a local fabric "
				  "passes parameters only",
				  job, key);
	if (run_if && strcmp(run_if, "ALL_SUCCESS") != 0)
		return ps_err_set(err, PS_EINVAL,
				  "job '%s': task '%s' has run_if %s: a local fabric knows "
				  "ALL_SUCCESS only",
				  job, key, run_if);
	t->package = xstrdup(text_of(wheel, "package_name"));
	t->entry = xstrdup(text_of(wheel, "entry_point"));
	t->parameters = copy_texts(json_object_get(wheel, "parameters"), how, 2, &t->nparameters);
	if (how->config)
		apply_config(t, how->config);
	path = find_wheel(task, t->package);
	if (!path)
		return ps_err_set(err, PS_EINVAL,
				  "job '%s': task '%s' names no wheel of package '%s' below "
				  "prophecy/artifacts",
				  job, key, t->package);
	t->wheel = xstrdup(path);
	return read_depends(t, job, task, err);
}

static const struct run_task *find_task(const struct run_tasks *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (ps_streq(t->v[i].key, key))
			return &t->v[i];
	return NULL;
}

static bool ready(const struct run_task *t, const struct run_tasks *placed)
{
	for (size_t i = 0; i < t->nafter; i++)
		if (!find_task(placed, t->after[i]))
			return false;
	return true;
}

/* Moves the tasks of all into out, each behind what it depends on. Stable. */
static int order(struct run_tasks *out, struct run_tasks *all, const char *job, struct ps_err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct run_task *t = &all->v[i];

		if (find_task(all, t->key) != t)
			return ps_err_set(err, PS_EINVAL, "job '%s': task '%s' is there twice", job,
					  t->key);
		for (size_t k = 0; k < t->nafter; k++)
			if (!find_task(all, t->after[k]))
				return ps_err_set(err, PS_EINVAL,
						  "job '%s': task '%s' depends on '%s', which "
						  "is not there",
						  job, t->key, t->after[k]);
	}
	out->v = xcalloc(all->n + 1, sizeof(*out->v));
	while (out->n < all->n) {
		size_t i = 0;

		while (i < all->n && (!all->v[i].key || !ready(&all->v[i], out)))
			i++;
		if (i == all->n)
			break;
		out->v[out->n++] = all->v[i];
		memset(&all->v[i], 0, sizeof(all->v[i]));
	}
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].key)
			return ps_err_set(err, PS_EINVAL,
					  "job '%s': task '%s' depends on itself, "
					  "perhaps through others",
					  job, all->v[i].key);
	return 0;
}

int run_tasks_read(struct run_tasks *out, const char *key, const json_t *doc, const char *config,
		   const json_t *params, struct ps_err *err)
{
	const struct how how = { key, config, render_request(doc), params };
	const json_t *list = json_object_get(how.request, "tasks");
	struct run_tasks all = { 0 }, sorted = { 0 };
	int rc = 0;

	if (!json_array_size(list))
		return ps_err_set(err, PS_EINVAL, "job '%s' has no tasks", key);
	rc = job_params_check(how.request, params, err);
	all.v = xcalloc(json_array_size(list), sizeof(*all.v));
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
		rc = read_task(&all.v[all.n++], json_array_get(list, i), &how, err);
	if (rc == 0)
		rc = order(&sorted, &all, key, err);
	if (rc == 0) {
		*out = sorted;
		memset(&sorted, 0, sizeof(sorted));
	}
	run_tasks_clear(&all);
	run_tasks_clear(&sorted);
	return rc;
}

int run_tasks_parse(struct run_tasks *out, const char *key, const char *bytes, size_t n,
		    const char *config, const json_t *params, struct ps_err *err)
{
	json_t *doc = NULL;
	int rc = canon_read(&doc, bytes, n, key, err);

	if (rc == 0)
		rc = run_tasks_read(out, key, doc, config, params, err);
	json_decref(doc);
	return rc;
}

void run_tasks_clear(struct run_tasks *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct run_task *r = &t->v[i];

		for (size_t k = 0; k < r->nparameters; k++)
			free(r->parameters[k]);
		for (size_t k = 0; k < r->nafter; k++)
			free(r->after[k]);
		free(r->parameters);
		free(r->after);
		free(r->key);
		free(r->package);
		free(r->entry);
		free(r->wheel);
	}
	free(t->v);
	memset(t, 0, sizeof(*t));
}
