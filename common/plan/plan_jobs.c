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

const struct plan_template *plan_template_of(const struct plan_input *in, const char *sha256)
{
	for (size_t i = 0; i < in->ntemplates; i++)
		if (ps_streq(in->templates[i].sha256, sha256))
			return &in->templates[i];
	return NULL;
}

static void check_job(struct plan *p, const struct plan_input *in, const char *key,
		      const json_t *doc)
{
	int64_t named = render_fabric_id(doc);
	struct run_tasks runs = { 0 };
	struct ps_err err = { 0 };

	if (named && named != in->fabric_id)
		plan_problem(p,
			"job '%s': its definition names fabric %lld, the project file %lld: make "
			"them equal",
			key, (long long)named, (long long)in->fabric_id);
	if (in->provider == PLAN_DATABRICKS)
		plan_brought(p, in, key, doc);
	if (in->provider != PLAN_LOCAL)
		return;
	if (run_tasks_read(&runs, key, doc, NULL, NULL, &err) < 0)
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

/* A plan while its jobs are made. */
struct making {
	struct plan *plan;
	const struct plan_input *in;
	struct buf *rendered;
	bool has_paths, has_configurations;
};

/* ---- one job, rendered ---- */

/* A definition with one version. */
struct made {
	struct plan_job job; /* bytes, n, digest, version, ref, uses */
	json_t *doc;
};

static void made_clear(struct made *m)
{
	plan_job_clear(&m->job);
	json_decref(m->doc);
	*m = (struct made) { .doc = NULL };
}

/* What a definition is made of: the template as it is or as a rule has changed it, and the job of
 * the release that it is of. */
struct source {
	const char *key;
	const json_t *doc;
	const struct manifest_job *job;
};

static int add_configurations(const struct plan_input *in, const struct source *s,
			      const struct render_params *params, json_t *doc, struct ps_err *why)
{
	int rc = plan_configurations(in, s->job, params->release_version, doc, why);

	return rc < 0 ? ps_err_prefix(why, "job '%s'", s->key) : 0;
}

static int make_with(const struct making *m, const struct source *s,
		     const struct render_params *params, const char *ref, struct made *out,
		     struct ps_err *why)
{
	const struct plan_input *in = m->in;
	struct buf bytes = BUF_INIT;
	int rc = render_doc(s->key, s->doc, params, &out->doc, why);

	if (rc == 0 && in->artifact_base)
		render_base(out->doc, in->artifact_base);
	if (rc == 0 && m->has_configurations)
		rc = add_configurations(in, s, params, out->doc, why);
	if (rc == 0 && in->provider == PLAN_AIRFLOW)
		plan_dag_fold(out->doc, &out->job);
	if (rc == 0)
		rc = canon_write_any(out->doc, &bytes, why);
	if (rc == 0 && bytes.len > PS_JSON_MAX)
		rc = ps_err_set(why, PS_ELIMIT, "job '%s': its definition has %zu bytes, with the "
				"files that it brings; it may have %d", s->key, bytes.len,
				PS_JSON_MAX);
	if (rc == 0) {
		out->job.n = bytes.len;
		out->job.bytes = buf_steal(&bytes);
		digest_bytes(out->job.digest, out->job.bytes, out->job.n);
		out->job.version = xstrdup(params->release_version ? params->release_version : "");
		out->job.ref = xstrdup(ref ? ref : "");
	}
	buf_clear(&bytes);
	return rc;
}

/* As it would be with the version that it is deployed with; false: that is not known, or makes
 * nothing that could be there. */
static bool make_as_deployed(const struct making *m, const struct source *s,
			     const struct plan_known *known, struct made *out)
{
	const struct plan_input *in = m->in;
	struct render_params params = in->params;
	struct ps_err why = { 0 };
	char *tag = NULL;
	bool good;

	if (!known || !known->version || !known->ref ||
	    release_full_tag(&tag, known->ref, known->version, &why) < 0)
		return false;
	params.release_version = known->version;
	params.full_release_tag = tag;
	good = make_with(m, s, &params, known->ref, out, &why) == 0 &&
	       plan_uses(in, NULL, s->key, out->doc, known->version, &out->job);
	free(tag);
	if (!good)
		made_clear(out);
	return good;
}

/* ---- against what is there ---- */

static void add_field(struct plan_job *j, char *path, const char *was, const char *is)
{
	j->fields = xrealloc(j->fields, (j->nfields + 1) * sizeof(*j->fields));
	j->fields[j->nfields++] = (struct plan_field) { path, xstrdup(was), xstrdup(is) };
}

/* Artifacts that get other bytes, each by its path with the old version and the new one. */
static void tell_artifacts(struct plan_job *j, const struct plan_input *in,
			   const struct made *as_deployed)
{
	for (size_t i = 0; i < as_deployed->job.nuses; i++) {
		const char *path = as_deployed->job.uses[i], *was = plan_digest_there(in, path);
		const struct manifest_artifact *a = plan_artifact_of(in, path);
		char *cut[2];

		if (!was || strcmp(was, a->sha256) == 0)
			continue;
		cut[0] = xstrndup(was, MANIFEST_SHORT);
		cut[1] = xstrndup(a->sha256,
				  strcmp(a->sha256, PLAN_UNBUILT) == 0 ? 0 : MANIFEST_SHORT);
		add_field(j, xasprintf("artifacts[%s]", a->file), cut[0], cut[1]);
		free(cut[0]);
		free(cut[1]);
	}
}

/* What somebody changed first; what differs by the version alone is one field. */
static void tell_change(struct plan_job *j, const struct plan_input *in,
			const struct plan_known *known, const struct made *as_deployed)
{
	const struct plan_job *with = as_deployed ? &as_deployed->job : j;

	if (known->seen)
		diff_documents(j, known->seen, known->nseen, with->bytes, with->n);
	else if (known->bytes)
		diff_documents(j, known->bytes, known->n, with->bytes, with->n);
	if (as_deployed)
		tell_artifacts(j, in, as_deployed);
	if (strcmp(with->digest, j->digest) != 0)
		add_field(j, xstrdup("version"), with->version, j->version);
	if (known->orphan)
		add_field(j, xstrdup("orphan"), "true", "");
}

/* Does the release leave it as it is deployed, or as somebody has made it there meanwhile? */
static bool keeps_version(const struct plan_input *in, const struct plan_known *known,
			  const struct made *as_deployed)
{
	return (ps_streq(as_deployed->job.digest, known->digest) ||
		ps_streq(as_deployed->job.digest, in_force(known))) &&
	       plan_uses_there(in, &as_deployed->job);
}

/* Takes what was made over. as_deployed NULL: there is none. */
static void add_job(struct plan *p, const struct plan_input *in, const char *key, const char *name,
		    struct made *fresh, struct made *as_deployed)
{
	const struct plan_known *known = find_known(in, key);
	bool keeps = as_deployed && keeps_version(in, known, as_deployed);
	struct plan_job *from = keeps ? &as_deployed->job : &fresh->job;
	struct plan_job *j = &p->jobs[p->njobs++];

	*j = *from;
	*from = (struct plan_job) { .bytes = NULL };
	j->key = xstrdup(key);
	j->name = xstrdup(name);
	if (!known) {
		j->change = PLAN_NEW;
		return;
	}
	j->drifted = has_drifted(known);
	j->change = !known->orphan && ps_streq(in_force(known), j->digest) ? PLAN_SAME
									    : PLAN_CHANGED;
	if (j->change == PLAN_CHANGED)
		tell_change(j, in, known, keeps ? NULL : as_deployed);
}

/* The template as a document; NULL when there is none, which is a problem of the plan (0) or our
 * failure (negative). subject names the job, or the rule that needs it. */
static int read_template(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
			 const char *subject, json_t **doc, struct ps_err *err)
{
	const struct manifest_file *file = manifest_job_file(mj, MANIFEST_TEMPLATE);
	const struct plan_template *t;
	struct ps_err why = { 0 };

	bool dag = strcmp(mj->provider, "airflow") == 0;

	if (dag != (in->provider == PLAN_AIRFLOW)) {
		plan_problem(p, "%s is for %s, which fabric %lld does not run", subject,
			     mj->provider, (long long)in->fabric_id);
		return 0;
	}
	if (dag)
		return plan_dag_template(p, in, mj, subject, doc, err);
	if (!file) {
		plan_problem(p,
			     "%s has no code/databricks-job.json: release it again in the editor",
			     subject);
		return 0;
	}
	t = plan_template_of(in, file->sha256);
	if (!t)
		return ps_err_set(err, PS_ENOENT, "the template %.12s of job '%s' is not at hand",
				  file->sha256, mj->key);
	if (in->provider == PLAN_DATABRICKS && !plan_configurations_at_hand(in, mj, err))
		return PS_ENOENT;
	if (render_read(doc, mj->key, t->bytes, t->n, &why) < 0)
		plan_problem(p, "%s", why.msg);
	return 0;
}

/* Renders it, which becomes the definition of its key. */
static void render_and_add(struct making *m, const struct source *s, const char *name)
{
	const struct plan_input *in = m->in;
	const char *key = s->key;
	struct made fresh = { .doc = NULL }, as_deployed = { .doc = NULL };
	struct ps_err why = { 0 };
	bool there;

	if (make_with(m, s, &in->params, in->ref, &fresh, &why) < 0) {
		plan_problem(m->plan, "%s", why.msg);
	} else {
		const char *own =
			json_string_value(json_object_get(render_request(fresh.doc), "name"));

		check_job(m->plan, in, key, fresh.doc);
		if (m->has_paths)
			(void)plan_uses(in, m->plan, key, fresh.doc, in->params.release_version,
					&fresh.job);
		if (m->has_paths)
			plan_configurations_check(m->plan, in, key, in->params.release_version,
						  fresh.doc);
		buf_addf(m->rendered, "job %s %s\n", fresh.job.digest, key);
		there = m->has_paths &&
			make_as_deployed(m, s, find_known(in, key), &as_deployed);
		add_job(m->plan, in, key, name ? name : own ? own : derive_name(key), &fresh,
			there ? &as_deployed : NULL);
	}
	made_clear(&fresh);
	made_clear(&as_deployed);
}

static int plan_job(struct making *m, const struct manifest_job *mj, struct ps_err *err)
{
	char *subject = xasprintf("job '%s'", mj->key);
	json_t *doc = NULL;
	int rc = read_template(m->plan, m->in, mj, subject, &doc, err);

	if (doc)
		render_and_add(m, &(struct source) { mj->key, doc, mj }, mj->name);
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

static int plan_derived(struct making *m, const struct conf_derive *rule, struct ps_err *err)
{
	const struct plan_input *in = m->in;
	struct plan *p = m->plan;
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
	if (in->provider == PLAN_AIRFLOW) {
		plan_problem(p, "%s: a DAG is not derived; give it a job of its own", name);
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
				render_and_add(m, &(struct source) { rule->as, doc, from },
					       NULL);
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
		p->jobs[p->njobs].version = xstrdup("");
		p->jobs[p->njobs].ref = xstrdup("");
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

int plan_jobs(struct plan *p, const struct plan_input *in, struct buf *rendered,
	      struct ps_err *err)
{
	const struct manifest *m = in->release;
	struct making making = { p, in, rendered, plan_has_paths(p, in), false };
	int rc = 0;

	making.has_configurations = making.has_paths && plan_has_configurations(in);
	p->jobs = xcalloc(m->njobs + in->nderive + in->nknown + 1, sizeof(*p->jobs));
	for (size_t i = 0; rc == 0 && in->jobs_own && i < m->njobs; i++)
		if (m->jobs[i].fabric_id == in->fabric_id)
			rc = plan_job(&making, &m->jobs[i], err);
	for (size_t i = 0; rc == 0 && i < in->nderive; i++)
		rc = plan_derived(&making, &in->derive[i], err);
	check_twice(p);
	/* A job that could not be rendered is no orphan: say nothing about it. */
	if (rc == 0 && !p->nproblems)
		add_orphans(p, in);
	qsort(p->jobs, p->njobs, sizeof(*p->jobs), by_key);
	return rc;
}
