/* plan_jobs – the jobs of a plan: own and derived ones, rendered, against what is known to be
 * there. */
#include "config.h"

#include "common/plan/plan_parts.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/plan/canon.h"
#include "common/plan/derive.h"
#include "common/plan/diff.h"
#include "common/plan/job_check.h"
#include "common/plan/tasks.h"

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

/* A library of this release that the job looks for where it will not be. */
static bool is_elsewhere(const struct plan_input *in, const char *path)
{
	return in->provider == PLAN_DATABRICKS && !in->artifact_base && strstr(path, "/Volumes/");
}

static void check_libraries(struct plan *p, const struct plan_input *in, const char *key,
			    const json_t *task)
{
	static const char *const kinds[] = { "whl", "jar" };
	const json_t *libraries = json_object_get(task, "libraries");
	const char *name = json_string_value(json_object_get(task, "task_key"));

	for (size_t i = 0; i < json_array_size(libraries); i++)
		for (size_t k = 0; k < PS_NELEM(kinds); k++) {
			const json_t *lib = json_object_get(json_array_get(libraries, i), kinds[k]);
			const char *path = json_is_string(lib) ? json_string_value(lib) : NULL;
			const char *rel = path ? render_artifact_path(path) : NULL;

			if (rel && !plan_has_artifact(p, rel))
				plan_problem(p,
					"job '%s': task '%s' needs '%s', which is not an artifact "
					"of this "
					"release",
					key, name ? name : "", path);
			else if (rel && is_elsewhere(in, path))
				plan_problem(p,
					     "job '%s': task '%s' looks for '%s' in a volume: set "
					     "'volume: %.*s' of the fabric in penstock.yml",
					     key, name ? name : "", rel, (int)(rel - path - 1),
					     path);
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
		plan_problem(p,
			"job '%s': its definition names fabric %lld, the project file %lld: make "
			"them equal",
			key, (long long)named, (long long)in->fabric_id);
	/* Without a single artifact planned the cause is named already. */
	for (size_t i = 0;
	     (p->nartifacts || !in->release->nartifacts) && i < json_array_size(tasks); i++)
		check_libraries(p, in, key, json_array_get(tasks, i));
	if (in->provider != PLAN_LOCAL)
		return;
	if (run_tasks_read(&runs, key, doc, NULL, &err) < 0)
		plan_problem(p, "%s", err.msg);
	run_tasks_clear(&runs);
}

static const char *in_force(const struct plan_known *k)
{
	return k->observed ? k->observed : k->digest;
}

/* What an earlier release left behind is not looked after. */
static bool has_drifted(const struct plan_known *k)
{
	return !k->orphan && k->observed && !ps_streq(k->observed, k->digest);
}

/* Takes the rendered bytes over. */
static void add_job(struct plan *p, const struct plan_input *in, const char *key, const char *name,
		    struct buf *bytes)
{
	const struct plan_known *known = find_known(in, key);
	struct plan_job *j = &p->jobs[p->njobs++];

	j->key = xstrdup(key);
	j->name = xstrdup(name);
	j->n = bytes->len;
	j->bytes = buf_steal(bytes);
	digest_bytes(j->digest, j->bytes, j->n);
	if (!known) {
		j->change = PLAN_NEW;
		return;
	}
	j->drifted = has_drifted(known);
	if (ps_streq(in_force(known), j->digest)) {
		j->change = PLAN_SAME;
	} else {
		j->change = PLAN_CHANGED;
		if (known->bytes)
			diff_documents(j, known->bytes, known->n, j->bytes, j->n);
	}
}

/* The template as a document; NULL when there is none, which is a problem of the plan (0) or our
 * failure (negative). subject names the job, or the rule that needs it. */
static int read_template(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
			 const char *subject, json_t **doc, struct ps_err *err)
{
	const struct manifest_file *file = manifest_job_file(mj, MANIFEST_TEMPLATE);
	const struct plan_template *t;
	struct ps_err why = { 0 };

	if (strcmp(mj->provider, "databricks") != 0 || in->provider == PLAN_AIRFLOW) {
		plan_problem(p, "%s is for %s, which fabric %lld does not run", subject,
			     mj->provider, (long long)in->fabric_id);
		return 0;
	}
	if (!file) {
		plan_problem(p,
			     "%s has no code/databricks-job.json: release it again in the editor",
			     subject);
		return 0;
	}
	t = find_template(in, file->sha256);
	if (!t)
		return ps_err_set(err, PS_ENOENT, "the template %.12s of job '%s' is not at hand",
				  file->sha256, mj->key);
	if (render_read(doc, mj->key, t->bytes, t->n, &why) < 0)
		plan_problem(p, "%s", why.msg);
	return 0;
}

/* Renders doc, which becomes the definition of key. */
static void render_and_add(struct plan *p, const struct plan_input *in, const char *key,
			   const char *name, const json_t *doc)
{
	struct buf bytes = BUF_INIT;
	struct ps_err why = { 0 };
	json_t *rendered = NULL;

	int rc = render_doc(key, doc, &in->params, &rendered, &why);

	if (rc == 0 && in->artifact_base)
		render_base(rendered, in->artifact_base);
	if (rc < 0 || canon_write_any(rendered, &bytes, &why) < 0) {
		plan_problem(p, "%s", why.msg);
	} else {
		const char *own = json_string_value(
			json_object_get(render_request(rendered), "name"));

		check_job(p, in, key, rendered);
		add_job(p, in, key, name ? name : own ? own : derive_name(key), &bytes);
	}
	json_decref(rendered);
	buf_clear(&bytes);
}

static int plan_job(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
		    struct ps_err *err)
{
	char *subject = xasprintf("job '%s'", mj->key);
	json_t *doc = NULL;
	int rc = read_template(p, in, mj, subject, &doc, err);

	if (doc)
		render_and_add(p, in, mj->key, mj->name, doc);
	json_decref(doc);
	free(subject);
	return rc;
}

/* ---- derived ones ---- */

static const struct manifest_job *find_job(const struct manifest *m, const char *key)
{
	for (size_t i = 0; i < m->njobs; i++)
		if (strcmp(m->jobs[i].key, key) == 0)
			return &m->jobs[i];
	return NULL;
}

static void tell_problem(void *arg, const char *text)
{
	plan_problem(arg, "%s", text);
}

struct rule_of {
	struct plan *plan;
	const char *rule;
};

static void tell_of_rule(void *arg, const char *text)
{
	const struct rule_of *r = arg;

	plan_problem(r->plan, "%s: %s", r->rule, text);
}

/* What is deployed under the new key. One that an earlier release left behind was paused by us and
 * not by an operator: it is made anew. */
static enum derive_there look_there(const struct plan_input *in, const char *key, json_t **deployed)
{
	const struct plan_known *known = find_known(in, key);

	if (!known || known->orphan)
		return DERIVE_NOT_THERE;
	if (!known->bytes || canon_read(deployed, known->bytes, known->n, key, NULL) < 0)
		return DERIVE_THERE_UNREAD;
	return DERIVE_THERE;
}

static int plan_derived(struct plan *p, const struct plan_input *in, const struct conf_derive *rule,
			struct ps_err *err)
{
	const struct manifest_job *from = find_job(in->release, rule->from);
	struct derive_to to = { .rule = rule, .release = in->release, .fabric_id = in->fabric_id };
	char *name = derive_rule_text(rule), *subject;
	json_t *doc = NULL, *deployed = NULL;
	int rc;

	if (!from) {
		plan_problem(p, "%s: the project has no job '%s'", name, rule->from);
		free(name);
		return 0;
	}
	subject = xasprintf("%s: job '%s'", name, from->key);
	rc = read_template(p, in, from, subject, &doc, err);
	if (doc) {
		to.there = look_there(in, rule->as, &deployed);
		to.deployed = deployed;
		if (!derive_job(doc, &to, tell_problem, p)) {
			struct rule_of told = { p, name };
			size_t before = p->nproblems;

			job_check(doc, tell_of_rule, &told);
			if (p->nproblems == before)
				render_and_add(p, in, rule->as, NULL, doc);
		}
	}
	json_decref(deployed);
	json_decref(doc);
	free(subject);
	free(name);
	return rc;
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
		p->jobs[p->njobs].drifted = has_drifted(k);
		snprintf(p->jobs[p->njobs].digest, sizeof(p->jobs[0].digest), "%s", k->digest);
		p->njobs++;
	}
}

/* One key is one job on a fabric, and so is one name: the fabric would take one for the other. */
static void check_twice(struct plan *p)
{
	for (size_t i = 0; i < p->njobs; i++)
		for (size_t k = 0; k < i; k++)
			if (ps_streq(p->jobs[i].key, p->jobs[k].key))
				plan_problem(p,
					     "'%s' is there twice: as a job of the project and "
					     "derived, or derived twice",
					     p->jobs[i].key);
			else if (ps_streq(p->jobs[i].name, p->jobs[k].name))
				plan_problem(p, "'%s' and '%s' are both named '%s'",
					     p->jobs[k].key, p->jobs[i].key, p->jobs[i].name);
}

int plan_jobs(struct plan *p, const struct plan_input *in, struct ps_err *err)
{
	const struct manifest *m = in->release;
	int rc = 0;

	p->jobs = xcalloc(m->njobs + in->nderive + in->nknown + 1, sizeof(*p->jobs));
	for (size_t i = 0; rc == 0 && in->jobs_own && i < m->njobs; i++)
		if (m->jobs[i].fabric_id == in->fabric_id)
			rc = plan_job(p, in, &m->jobs[i], err);
	for (size_t i = 0; rc == 0 && i < in->nderive; i++)
		rc = plan_derived(p, in, &in->derive[i], err);
	check_twice(p);
	/* A job that could not be rendered is no orphan: say nothing about it. */
	if (rc == 0 && !p->nproblems)
		add_orphans(p, in);
	qsort(p->jobs, p->njobs, sizeof(*p->jobs), by_key);
	return rc;
}
