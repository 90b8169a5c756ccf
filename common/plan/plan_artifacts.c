/* plan_artifacts – where the artifacts of a release lie on a fabric, and which of them are put
 * there. */
#include "config.h"

#include "common/plan/plan_parts.h"

#include <stdlib.h>

#include "common/base/fsutil.h"
#include "common/plan/brought.h"

char *plan_artifact_path(const char *customer, const char *control_plane, const char *project_id,
			 const char *version, const char *file)
{
	return xasprintf("prophecy/artifacts/%s/%s/%s/%s/pipeline/%s", customer, control_plane,
			 project_id, version, file);
}

char *plan_path_of(const struct plan_input *in, const struct manifest_artifact *a,
		   const char *version)
{
	return plan_artifact_path(in->customer, in->control_plane, in->params.project_id, version,
				  a->file);
}

/* One value that a path is made of: given, and exactly one part. */
static bool path_part(struct plan *p, const char *value, const char *what, const char *give)
{
	if (!value)
		plan_problem(p, "the artifacts' path needs the project's %s: %s", what, give);
	else if (strchr(value, '/') || !fs_is_clean_relative(value))
		plan_problem(p, "the project's %s '%s' cannot be part of an artifact's path", what,
			     value);
	else
		return true;
	return false;
}

bool plan_has_paths(struct plan *p, const struct plan_input *in)
{
	static const char give[] = "set it in 'projects' of penstock.yml";
	bool ok = true;

	if (in->provider == PLAN_AIRFLOW ||
	    (!in->release->nartifacts && !plan_has_configurations(in)))
		return true;
	ok &= path_part(p, in->customer, "customer", give);
	ok &= path_part(p, in->control_plane, "control_plane", give);
	ok &= path_part(p, in->params.project_id, "id", give);
	ok &= path_part(p, in->params.release_version, "release version",
			"the project needs a version");
	return ok;
}

/* ---- what a job names ---- */

const struct manifest_artifact *plan_artifact_of(const struct plan_input *in, const char *path)
{
	const char *slash = strrchr(path, '/');

	return manifest_artifact_named(in->release, slash ? slash + 1 : path);
}

bool plan_job_uses(const struct plan_job *j, const char *path)
{
	for (size_t i = 0; i < j->nuses; i++)
		if (strcmp(j->uses[i], path) == 0)
			return true;
	return false;
}

/* Takes the path over. */
static void add_use(struct plan_job *j, char *path)
{
	if (plan_job_uses(j, path)) {
		free(path);
		return;
	}
	j->uses = xrealloc(j->uses, (j->nuses + 1) * sizeof(*j->uses));
	j->uses[j->nuses++] = path;
}

static bool use_library(const struct plan_input *in, const char *path, const char *version,
			struct plan_job *j)
{
	const char *rel = render_artifact_path(path);
	const struct manifest_artifact *a = rel ? plan_artifact_of(in, rel) : NULL;
	char *own = a ? plan_path_of(in, a, version) : NULL;
	bool is = !rel || ps_streq(own, rel);

	if (own && is)
		add_use(j, own);
	else
		free(own);
	return is;
}

/* A library of this release that the job looks for where it will not be. */
static bool is_elsewhere(const struct plan_input *in, const char *path)
{
	return in->provider == PLAN_DATABRICKS && !in->artifact_base && strstr(path, "/Volumes/");
}

struct use {
	struct plan *plan; /* NULL: nobody is told */
	const char *key, *task;
};

static bool use_one(const struct plan_input *in, const struct use *u, const char *path,
		    const char *version, struct plan_job *j)
{
	const char *rel = render_artifact_path(path);
	bool is = use_library(in, path, version, j), elsewhere = rel && is_elsewhere(in, path);

	if (u->plan && !is)
		plan_problem(u->plan,
			     "job '%s': task '%s' needs '%s', which is not an artifact of this "
			     "release",
			     u->key, u->task, path);
	else if (u->plan && elsewhere)
		plan_problem(u->plan,
			     "job '%s': task '%s' looks for '%s' in a volume: set 'volume: %.*s' "
			     "of the fabric in penstock.yml",
			     u->key, u->task, rel, (int)(rel - path - 1), path);
	return is;
}

static bool use_task(const struct plan_input *in, struct plan *p, const char *key,
		     const json_t *task, const char *version, struct plan_job *j)
{
	static const char *const kinds[] = { "whl", "jar" };
	const json_t *libraries = json_object_get(task, "libraries");
	const char *name = json_string_value(json_object_get(task, "task_key"));
	bool good = true;

	for (size_t i = 0; i < json_array_size(libraries); i++)
		for (size_t k = 0; k < PS_NELEM(kinds); k++) {
			const char *path = json_string_value(
				json_object_get(json_array_get(libraries, i), kinds[k]));

			if (path)
				good &= use_one(in, &(struct use) { p, key, name ? name : "" },
						path, version, j);
		}
	return good;
}

bool plan_uses(const struct plan_input *in, struct plan *p, const char *key, const json_t *doc,
	       const char *version, struct plan_job *j)
{
	const json_t *tasks = json_object_get(render_request(doc), "tasks");
	bool good = true;

	for (size_t i = 0; i < json_array_size(tasks); i++)
		good &= use_task(in, p, key, json_array_get(tasks, i), version, j);
	return good;
}

/* Penstock's credential writes them: not over what is another project's, or nobody's. */
void plan_brought(struct plan *p, const struct plan_input *in, const char *key, const json_t *doc)
{
	struct brought b;

	for (size_t i = 0; brought_nth(doc, i, &b); i++) {
		char *own = NULL;

		if (in->customer && in->control_plane && in->params.project_id)
			own = xasprintf("prophecy/artifacts/%s/%s/%s/", in->customer,
					in->control_plane, in->params.project_id);
		if (!own)
			plan_problem(p,
				     "job '%s': where %s '%s' may lie needs the project's "
				     "customer, control_plane and id: set them in 'projects' of "
				     "penstock.yml",
				     key, b.what, b.node);
		else if (!b.path || !ps_starts(b.path, own))
			plan_problem(p,
				     "job '%s': %s '%s' goes to '%s', which is not below "
				     "'%s': release the job again in the editor, or set customer, "
				     "control_plane and id of the project in penstock.yml",
				     key, b.what, b.node, b.given, own);
		free(own);
	}
}

/* ---- what lies there ---- */

static int by_there(const void *path, const void *there)
{
	return strcmp(path, ((const struct plan_there *)there)->path);
}

const char *plan_digest_there(const struct plan_input *in, const char *path)
{
	const struct plan_there *t =
		in->nthere ? bsearch(path, in->there, in->nthere, sizeof(*in->there), by_there)
			   : NULL;

	return t ? t->sha256 : NULL;
}

bool plan_uses_there(const struct plan_input *in, const struct plan_job *j)
{
	for (size_t i = 0; i < j->nuses; i++)
		if (!ps_streq(plan_digest_there(in, j->uses[i]),
			      plan_artifact_of(in, j->uses[i])->sha256))
			return false;
	return true;
}

/* Where this one lies already, whatever the version in its path; NULL: nowhere. free() it. */
static char *find_there(const struct plan_input *in, const struct manifest_artifact *a)
{
	for (size_t i = 0; i < in->nthere; i++) {
		const char *path = in->there[i].path, *slash = strrchr(path, '/');

		if (slash && strcmp(slash + 1, a->file) == 0 &&
		    strcmp(in->there[i].sha256, a->sha256) == 0)
			return xstrdup(path);
	}
	return NULL;
}

/* ---- the plan's ---- */

/* Takes the path over. One that several jobs name is there only if it need not be put for any. */
static void add_artifact(struct plan *p, const struct manifest_artifact *a, char *path, bool there)
{
	struct plan_artifact *to;

	for (size_t i = 0; i < p->nartifacts; i++)
		if (strcmp(p->artifacts[i].path, path) == 0) {
			p->artifacts[i].there &= there;
			free(path);
			return;
		}
	p->artifacts = xrealloc(p->artifacts, (p->nartifacts + 1) * sizeof(*p->artifacts));
	to = &p->artifacts[p->nartifacts++];
	*to = (struct plan_artifact) { .pipeline = xstrdup(a->pipeline), .path = path,
				       .size = a->size, .there = there };
	memcpy(to->sha256, a->sha256, sizeof(to->sha256));
}

static bool is_named(const struct plan *p, const struct manifest_artifact *a)
{
	for (size_t i = 0; i < p->nartifacts; i++)
		if (strcmp(p->artifacts[i].pipeline, a->pipeline) == 0)
			return true;
	return false;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct plan_artifact *)a)->path,
		      ((const struct plan_artifact *)b)->path);
}

void plan_artifacts(struct plan *p, const struct plan_input *in)
{
	const struct manifest *m = in->release;

	if (in->provider == PLAN_AIRFLOW)	/* a DAG brings its own code */
		return;
	for (size_t i = 0; i < p->njobs; i++)
		for (size_t k = 0; k < p->jobs[i].nuses; k++)
			add_artifact(p, plan_artifact_of(in, p->jobs[i].uses[k]),
				     xstrdup(p->jobs[i].uses[k]),
				     p->jobs[i].change == PLAN_SAME);
	for (size_t i = 0; i < m->nartifacts; i++) {
		const struct manifest_artifact *a = &m->artifacts[i];
		char *there;

		if (is_named(p, a))
			continue;
		there = find_there(in, a);
		add_artifact(p, a,
			     there ? there : plan_path_of(in, a, in->params.release_version),
			     there != NULL);
	}
	if (p->nartifacts)
		qsort(p->artifacts, p->nartifacts, sizeof(*p->artifacts), by_path);
}

void plan_artifacts_cut(struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nartifacts; i++) {
		struct plan_artifact a = p->artifacts[i];
		bool used = false;

		for (size_t k = 0; k < p->njobs && !used; k++)
			used = plan_job_uses(&p->jobs[k], a.path);
		if (used) {
			p->artifacts[n++] = a;
			continue;
		}
		free(a.pipeline);
		free(a.path);
	}
	p->nartifacts = n;
}
