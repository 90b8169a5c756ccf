/*
 * work_survey – what a commit holds, as core needs it for builds, releases and plans.
 *
 * What is broken in one project, pipeline or job is told with that one, and the rest goes on. Job
 * templates go into the content store of the request, so that nobody else has to read repositories.
 */
#include "config.h"

#include "agent/gate/work.h"

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/project/project.h"
#include "common/project/survey.h"

static const uint64_t template_bytes_max = 256u << 20;	/* of one survey */

struct told {				/* the wire's view of a survey, and the texts made for it */
	struct wire_project *projects;
	size_t n;
	char **texts;
	size_t ntexts, cap_texts;
	uint64_t bytes;
};

static char *keep_text(struct told *t, char *text)
{
	t->texts = xgrow(t->texts, t->ntexts, &t->cap_texts, sizeof(*t->texts));
	t->texts[t->ntexts++] = text;
	return text;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* ---- pipelines ---- */

static void tell_pipeline(struct told *t, const struct survey_project *p,
			  const struct survey_pipeline *s, struct wire_pipeline *out)
{
	const char **names = xcalloc(s->ninstances, sizeof(*names));
	char *problem;

	for (size_t i = 0; i < s->ninstances; i++)
		names[i] = s->instances[i].name;
	*out = (struct wire_pipeline) {
		.key = s->key, .name = or_empty(s->name), .language = s->language,
		.oid = *s->oid ? s->oid : NULL, .wheel = s->wheel,
		.reduced = keep_text(t, survey_reduced(p, s->key, &problem)),
		.instances = { names, s->ninstances }, .problem = s->problem,
		.tests = s->tests,
	};
	if (problem && !out->problem)
		out->problem = keep_text(t, problem);
	else
		free(problem);
}

/* ---- jobs ---- */

/* One template into the content store. A template that cannot be read is the job's problem. */
static int put_template(struct told *t, struct tree *root, const struct survey_project *p,
			const char *path, const char *content, char hex[65], char **problem,
			struct ps_err *err)
{
	char *full = ps_streq(p->path, ".") ? xstrdup(path) : fs_join(p->path, path);
	struct buf bytes = BUF_INIT;
	struct ps_err why = { 0 };
	int rc = tree_read(root, full, PS_JSON_MAX, &bytes, &why);

	t->bytes += bytes.len;
	if (rc == 0 && t->bytes > template_bytes_max)
		rc = ps_err_set(&why, PS_ELIMIT, "the templates of all jobs are larger than %llu "
				"bytes", (unsigned long long)template_bytes_max);
	if (rc == 0 && project_is_pointer(&bytes))
		rc = ps_err_set(&why, PS_EINVAL, PROJECT_POINTER);
	if (rc < 0)
		*problem = xasprintf("cannot take '%s': %s", full, ps_err_msg(&why, rc));
	else
		rc = cas_put_bytes(content, buf_str(&bytes), bytes.len, hex, err);
	buf_clear(&bytes);
	free(full);
	return *problem ? 0 : rc;
}

/* configurations: what goes with each job for Databricks. */
static int tell_job(struct told *t, struct tree *root, const struct survey_project *p,
		    const struct survey_job *s, const struct wire_file *configurations,
		    const char *content, struct wire_job *out, struct ps_err *err)
{
	size_t nconf = s->provider == SURVEY_DATABRICKS ? p->nconfigurations : 0;
	struct wire_file *files = xcalloc(s->ntemplates + nconf, sizeof(*files));
	char *problem = NULL;
	int rc = 0;

	*out = (struct wire_job) {
		.key = s->key, .name = or_empty(s->name), .scheduler = s->scheduler,
		.enabled = s->enabled,
		.provider = survey_provider_word(s->provider),
		.fabric_id = s->fabric, .problem = s->problem,
	};
	out->files.v = files;
	for (size_t i = 0; i < s->ntemplates && rc == 0 && !problem; i++) {
		char hex[65];

		rc = put_template(t, root, p, s->templates[i].path, content, hex, &problem, err);
		if (rc < 0 || problem)
			break;
		files[out->files.n++] = (struct wire_file) {
			.path = survey_below(s->key, s->templates[i].path),
			.digest = keep_text(t, xstrdup(hex)),
		};
	}
	for (size_t i = 0; i < nconf && rc == 0 && !problem && s->ntemplates; i++)
		files[out->files.n++] = configurations[i];
	if (problem && !out->problem)
		out->problem = keep_text(t, problem);
	else
		free(problem);
	return rc;
}

static bool has_databricks(const struct survey_project *p)
{
	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].provider == SURVEY_DATABRICKS)
			return true;
	return false;
}

/* No job may come to a fabric without the files that it looks for: what cannot be taken is the
 * project's problem. free() what comes out. */
static int put_configurations(struct told *t, struct tree *root, const struct survey_project *p,
			      const char *content, struct wire_file **out, char **problem,
			      struct ps_err *err)
{
	struct wire_file *v = *out = xcalloc(p->nconfigurations, sizeof(*v));
	int rc = 0;

	for (size_t i = 0; i < p->nconfigurations && rc == 0 && !*problem; i++) {
		char hex[65] = "";

		rc = put_template(t, root, p, p->configurations[i].path, content, hex, problem,
				  err);
		v[i] = (struct wire_file) { .path = p->configurations[i].target,
					    .digest = keep_text(t, xstrdup(hex)) };
	}
	return rc;
}

/* ---- projects ---- */

static int tell_project(struct told *t, struct tree *root, const struct survey_project *p,
			const char *content, struct wire_project *out, struct ps_err *err)
{
	struct wire_pipeline *pipelines = xcalloc(p->npipelines, sizeof(*pipelines));
	struct wire_tree_input *shared = xcalloc(p->ninputs, sizeof(*shared));
	struct wire_job *jobs = xcalloc(p->njobs, sizeof(*jobs));
	struct wire_file *configurations = NULL;
	char *problem = NULL;
	int rc = 0;

	*out = (struct wire_project) {
		.path = p->path, .oid = p->oid, .name = or_empty(p->name),
		.version = or_empty(p->version), .language = or_empty(p->language),
		.problem = survey_lack(p),
	};
	out->pipelines.v = pipelines;
	out->shared.v = shared;
	out->jobs.v = jobs;
	for (; out->pipelines.n < p->npipelines; out->pipelines.n++)
		tell_pipeline(t, p, &p->pipelines[out->pipelines.n],
			      &pipelines[out->pipelines.n]);
	for (; out->shared.n < p->ninputs; out->shared.n++) {
		const struct survey_file *f = &p->inputs[out->shared.n];

		shared[out->shared.n] = (struct wire_tree_input) { f->path, f->oid, f->is_dir };
	}
	if (has_databricks(p))
		rc = put_configurations(t, root, p, content, &configurations, &problem, err);
	if (problem && !out->problem)
		out->problem = keep_text(t, problem);
	else
		free(problem);
	while (out->jobs.n < p->njobs && rc == 0) {
		rc = tell_job(t, root, p, &p->jobs[out->jobs.n], configurations, content,
			      &jobs[out->jobs.n], err);
		out->jobs.n++;
	}
	free(configurations);
	return rc;
}

static int tell_all(struct told *t, struct tree *root, const struct survey *s, const char *content,
		    struct ps_err *err)
{
	int rc = 0;

	t->projects = xcalloc(s->nprojects, sizeof(*t->projects));
	while (t->n < s->nprojects && rc == 0) {
		rc = tell_project(t, root, &s->projects[t->n], content,
				  &t->projects[t->n], err);
		t->n++;
	}
	return rc;
}

static void told_clear(struct told *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct wire_project *p = &t->projects[i];

		for (size_t k = 0; k < p->pipelines.n; k++)
			free((void *)p->pipelines.v[k].instances.v);
		for (size_t k = 0; k < p->jobs.n; k++)
			free((void *)p->jobs.v[k].files.v);
		free((void *)p->pipelines.v);
		free((void *)p->shared.v);
		free((void *)p->jobs.v);
	}
	for (size_t i = 0; i < t->ntexts; i++)
		free(t->texts[i]);
	free(t->texts);
	free(t->projects);
}

int work_survey(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_survey *q = &m->u.survey;
	struct wire_surveyed a = { .id = q->id };
	struct survey survey = { NULL, 0 };
	struct told told = { 0 };
	struct repo_peeled peeled;
	struct repo *r = NULL;
	struct tree *t = NULL;
	int rc = *q->content == '/' ? 0 :
		ps_err_set(err, PS_EINVAL, "the content store '%s' is not an absolute path",
			   q->content);

	if (rc == 0)
		rc = work_open(w, q->repository, &r, err);
	if (rc == 0)
		rc = work_tree(r, q->oid, &peeled, &t, err);
	if (rc == 0)
		rc = survey_tree(t, &survey, err);
	if (rc == 0)
		rc = tell_all(&told, t, &survey, q->content, err);
	if (rc == 0) {
		a.commit = *peeled.commit ? peeled.commit : NULL;
		a.projects.v = told.projects;
		a.projects.n = told.n;
		rc = work_reply(w, MSG_surveyed, &a, err);
	}
	told_clear(&told);
	survey_clear(&survey);
	tree_close(t);
	repo_close(r);
	return rc;
}
