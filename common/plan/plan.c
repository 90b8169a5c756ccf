/* plan – see plan.h. */
#include "config.h"

#include "common/plan/plan.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/plan/canon.h"
#include "common/plan/diff.h"
#include "common/plan/tasks.h"

static void problem(struct plan *p, const char *fmt, ...) PS_PRINTF(2, 3);

static void problem(struct plan *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	p->problems = xrealloc(p->problems, (p->nproblems + 1) * sizeof(*p->problems));
	p->problems[p->nproblems++] = xvasprintf(fmt, ap);
	va_end(ap);
}

/* ---- artifacts ---- */

char *plan_artifact_path(const char *customer, const char *control_plane, const char *project_id,
			 const char *version, const char *file)
{
	return xasprintf("prophecy/artifacts/%s/%s/%s/%s/pipeline/%s", customer, control_plane,
			 project_id, version, file);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct plan_artifact *)a)->path,
		      ((const struct plan_artifact *)b)->path);
}

/* One value that a path is made of: given, and exactly one part. */
static bool path_part(struct plan *p, const char *value, const char *what, const char *give)
{
	if (!value)
		problem(p, "the artifacts' path needs the project's %s: %s", what, give);
	else if (strchr(value, '/') || !fs_is_clean_relative(value))
		problem(p, "the project's %s '%s' cannot be part of an artifact's path", what,
			value);
	else
		return true;
	return false;
}

static void plan_artifacts(struct plan *p, const struct plan_input *in)
{
	static const char give[] = "set it in 'projects' of penstock.yml";
	const struct manifest *m = in->release;
	bool ok = true;

	if (!m->nartifacts)
		return;
	ok &= path_part(p, in->customer, "customer", give);
	ok &= path_part(p, in->control_plane, "control_plane", give);
	ok &= path_part(p, in->params.project_id, "id", give);
	ok &= path_part(p, in->params.release_version, "release version",
			"the project needs a version");
	if (!ok)
		return;
	p->artifacts = xcalloc(m->nartifacts, sizeof(*p->artifacts));
	for (size_t i = 0; i < m->nartifacts; i++) {
		const struct manifest_artifact *a = &m->artifacts[i];
		struct plan_artifact *to = &p->artifacts[p->nartifacts++];

		to->pipeline = xstrdup(a->pipeline);
		to->path =
			plan_artifact_path(in->customer, in->control_plane, in->params.project_id,
					   in->params.release_version, a->file);
		to->size = a->size;
		memcpy(to->sha256, a->sha256, sizeof(to->sha256));
	}
	qsort(p->artifacts, p->nartifacts, sizeof(*p->artifacts), by_path);
}

static bool has_artifact(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->nartifacts; i++)
		if (ps_streq(p->artifacts[i].path, path))
			return true;
	return false;
}

/* ---- jobs ---- */

static const struct plan_known *find_known(const struct plan_input *in, const char *key)
{
	for (size_t i = 0; i < in->nknown; i++)
		if (ps_streq(in->known[i].key, key))
			return &in->known[i];
	return NULL;
}

static const struct plan_template *find_template(const struct plan_input *in, const char *sha256)
{
	for (size_t i = 0; i < in->ntemplates; i++)
		if (ps_streq(in->templates[i].sha256, sha256))
			return &in->templates[i];
	return NULL;
}

static void check_libraries(struct plan *p, const char *key, const json_t *task)
{
	static const char *const kinds[] = { "whl", "jar" };
	const json_t *libraries = json_object_get(task, "libraries");
	const char *name = json_string_value(json_object_get(task, "task_key"));

	for (size_t i = 0; i < json_array_size(libraries); i++)
		for (size_t k = 0; k < PS_NELEM(kinds); k++) {
			const json_t *lib = json_object_get(json_array_get(libraries, i), kinds[k]);
			const char *path = json_is_string(lib) ? json_string_value(lib) : NULL;
			const char *rel = path ? render_artifact_path(path) : NULL;

			if (rel && !has_artifact(p, rel))
				problem(p,
					"job '%s': task '%s' needs '%s', which is not an artifact "
					"of this "
					"release",
					key, name ? name : "", path);
		}
}

static void check_job(struct plan *p, const struct plan_input *in, const char *key,
		      const json_t *doc)
{
	const json_t *tasks = json_object_get(render_request(doc), "tasks");
	int64_t named = render_fabric_id(doc);
	struct run_tasks runs = { 0 };
	struct ps_err err = { 0 };

	if (named && named != in->fabric_id)
		problem(p,
			"job '%s': its definition names fabric %lld, the project file %lld: make "
			"them equal",
			key, (long long)named, (long long)in->fabric_id);
	/* Without a single artifact planned the cause is named already. */
	for (size_t i = 0;
	     (p->nartifacts || !in->release->nartifacts) && i < json_array_size(tasks); i++)
		check_libraries(p, key, json_array_get(tasks, i));
	if (in->provider != PLAN_LOCAL)
		return;
	if (run_tasks_read(&runs, key, doc, NULL, &err) < 0)
		problem(p, "%s", err.msg);
	run_tasks_clear(&runs);
}

/* Takes the rendered bytes over. */
static void add_job(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
		    struct buf *bytes)
{
	const struct plan_known *known = find_known(in, mj->key);
	struct plan_job *j = &p->jobs[p->njobs++];

	j->key = xstrdup(mj->key);
	j->name = xstrdup(mj->name);
	j->n = bytes->len;
	j->bytes = buf_steal(bytes);
	digest_bytes(j->digest, j->bytes, j->n);
	if (!known) {
		j->change = PLAN_NEW;
	} else if (ps_streq(known->digest, j->digest)) {
		j->change = PLAN_SAME;
	} else {
		j->change = PLAN_CHANGED;
		if (known->bytes)
			diff_documents(j, known->bytes, known->n, j->bytes, j->n);
	}
}

static int plan_job(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
		    struct ps_err *err)
{
	const struct manifest_file *file = manifest_job_file(mj, MANIFEST_TEMPLATE);
	const struct plan_template *t;
	struct buf bytes = BUF_INIT;
	struct ps_err why = { 0 };
	json_t *doc = NULL;

	if (strcmp(mj->provider, "databricks") != 0 || in->provider == PLAN_AIRFLOW) {
		problem(p, "job '%s' is for %s, which fabric %lld does not run", mj->key,
			mj->provider, (long long)in->fabric_id);
		return 0;
	}
	if (!file) {
		problem(p,
			"job '%s' has no code/databricks-job.json: release it again in the editor",
			mj->key);
		return 0;
	}
	t = find_template(in, file->sha256);
	if (!t)
		return ps_err_set(err, PS_ENOENT, "the template %.12s of job '%s' is not at hand",
				  file->sha256, mj->key);
	if (render_job(mj->key, t->bytes, t->n, &in->params, &bytes, &why) < 0 ||
	    canon_read(&doc, buf_str(&bytes), bytes.len, mj->key, &why) < 0) {
		problem(p, "%s", why.msg);
	} else {
		check_job(p, in, mj->key, doc);
		add_job(p, in, mj, &bytes);
	}
	json_decref(doc);
	buf_clear(&bytes);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct plan_job *)a)->key, ((const struct plan_job *)b)->key);
}

static void add_orphans(struct plan *p, const struct plan_input *in)
{
	size_t own = p->njobs;

	for (size_t i = 0; i < in->nknown; i++) {
		const struct plan_known *k = &in->known[i];
		bool wanted = false;

		for (size_t n = 0; n < own; n++)
			wanted |= ps_streq(p->jobs[n].key, k->key);
		if (wanted)
			continue;
		p->jobs[p->njobs].change = PLAN_ORPHAN;
		p->jobs[p->njobs].key = xstrdup(k->key);
		p->jobs[p->njobs].name = xstrdup(k->name ? k->name : "");
		snprintf(p->jobs[p->njobs].digest, sizeof(p->jobs[0].digest), "%s", k->digest);
		p->njobs++;
	}
}

static int plan_jobs(struct plan *p, const struct plan_input *in, struct ps_err *err)
{
	const struct manifest *m = in->release;
	int rc = 0;

	p->jobs = xcalloc(m->njobs + in->nknown + 1, sizeof(*p->jobs));
	for (size_t i = 0; rc == 0 && in->jobs_own && i < m->njobs; i++)
		if (m->jobs[i].fabric_id == in->fabric_id)
			rc = plan_job(p, in, &m->jobs[i], err);
	for (size_t i = 0; i < p->njobs; i++)
		for (size_t k = 0; k < i; k++)
			if (ps_streq(p->jobs[i].name, p->jobs[k].name))
				problem(p, "'%s' and '%s' are both named '%s'", p->jobs[k].key,
					p->jobs[i].key, p->jobs[i].name);
	for (size_t i = 0; i < in->nderive; i++)
		problem(p, "derive '%s' from '%s': not in this version", in->derive[i].as,
			in->derive[i].from);
	/* A job that could not be rendered is no orphan: say nothing about it. */
	if (rc == 0 && !p->nproblems)
		add_orphans(p, in);
	qsort(p->jobs, p->njobs, sizeof(*p->jobs), by_key);
	return rc;
}

/* ---- the whole ---- */

/* What an approval speaks of, and nothing that changes by itself (times, who asked, what was
 * there). */
static int plan_digest(struct plan *p, const struct plan_input *in, struct ps_err *err)
{
	json_t *artifacts = json_array(), *jobs = json_array(), *v;
	struct buf b = BUF_INIT;
	int rc;

	for (size_t i = 0; i < p->nartifacts; i++)
		json_array_append_new(artifacts, json_pack("{ss ss}", "path", p->artifacts[i].path,
							   "sha256", p->artifacts[i].sha256));
	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].change != PLAN_ORPHAN)
			json_array_append_new(jobs, json_pack("{ss ss}", "key", p->jobs[i].key,
							      "sha256", p->jobs[i].digest));
	v = json_pack("{si ss ss s{sI ss} so so}", "format", 1, "release", in->release_id,
		      "environment", in->environment, "fabric", "id", (json_int_t)in->fabric_id,
		      "address", in->fabric_address ? in->fabric_address : "", "artifacts",
		      artifacts, "jobs", jobs);
	rc = canon_write(v, &b, err);
	digest_bytes(p->digest, buf_str(&b), b.len);
	buf_clear(&b);
	json_decref(v);
	return rc;
}

int plan_make(struct plan *out, const struct plan_input *in, struct ps_err *err)
{
	struct plan p = { 0 };
	int rc;

	plan_artifacts(&p, in);
	rc = plan_jobs(&p, in, err);
	if (rc == 0)
		rc = plan_digest(&p, in, err);
	if (rc < 0)
		plan_clear(&p);
	else
		*out = p;
	return rc;
}

void plan_clear(struct plan *p)
{
	for (size_t i = 0; i < p->nartifacts; i++) {
		free(p->artifacts[i].pipeline);
		free(p->artifacts[i].path);
	}
	for (size_t i = 0; i < p->njobs; i++) {
		struct plan_job *j = &p->jobs[i];

		for (size_t k = 0; k < j->nfields; k++) {
			free(j->fields[k].path);
			free(j->fields[k].was);
			free(j->fields[k].is);
		}
		free(j->fields);
		free(j->key);
		free(j->name);
		free(j->bytes);
	}
	for (size_t i = 0; i < p->nproblems; i++)
		free(p->problems[i]);
	free(p->artifacts);
	free(p->jobs);
	free(p->problems);
	memset(p, 0, sizeof(*p));
}
