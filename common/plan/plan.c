/* plan – see plan.h. */
#include "config.h"

#include "common/plan/plan.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/plan/canon.h"
#include "common/plan/plan_parts.h"

void plan_problem(struct plan *p, const char *fmt, ...)
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
		plan_problem(p, "the artifacts' path needs the project's %s: %s", what, give);
	else if (strchr(value, '/') || !fs_is_clean_relative(value))
		plan_problem(p, "the project's %s '%s' cannot be part of an artifact's path", what,
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

bool plan_has_artifact(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->nartifacts; i++)
		if (ps_streq(p->artifacts[i].path, path))
			return true;
	return false;
}

/* ---- the whole ---- */

static int by_seen(const void *a, const void *b)
{
	return strcmp(((const struct plan_seen *)a)->key, ((const struct plan_seen *)b)->key);
}

/* What there is to lose: a job that we put there, as somebody saw it last. */
static void plan_state(struct plan *p, const struct plan_input *in)
{
	p->release = xstrdup(in->release_id);
	p->environment = xstrdup(in->environment);
	p->address = xstrdup(in->fabric_address ? in->fabric_address : "");
	p->fabric_id = in->fabric_id;
	p->seen = xcalloc(in->nknown + 1, sizeof(*p->seen));
	for (size_t i = 0; i < in->nknown; i++) {
		const struct plan_known *k = &in->known[i];
		struct plan_seen *s = &p->seen[p->nseen];

		if (k->orphan)
			continue;
		s->key = xstrdup(k->key);
		snprintf(s->digest, sizeof(s->digest), "%s", k->observed ? k->observed : k->digest);
		p->nseen++;
	}
	qsort(p->seen, p->nseen, sizeof(*p->seen), by_seen);
}

static int plan_digest(struct plan *p, struct ps_err *err)
{
	json_t *artifacts = json_array(), *jobs = json_array(), *seen = json_array(), *v;
	struct buf b = BUF_INIT;
	int rc;

	for (size_t i = 0; i < p->nartifacts; i++)
		json_array_append_new(artifacts, json_pack("{ss ss}", "path", p->artifacts[i].path,
							   "sha256", p->artifacts[i].sha256));
	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].change != PLAN_ORPHAN)
			json_array_append_new(jobs, json_pack("{ss ss}", "key", p->jobs[i].key,
							      "sha256", p->jobs[i].digest));
	for (size_t i = 0; i < p->nseen; i++)
		json_array_append_new(seen, json_pack("{ss ss}", "key", p->seen[i].key, "sha256",
						      p->seen[i].digest));
	v = json_pack("{si ss ss s{sI ss} so so so}", "format", 2, "release", p->release,
		      "environment", p->environment, "fabric", "id", (json_int_t)p->fabric_id,
		      "address", p->address, "artifacts", artifacts, "jobs", jobs, "seen", seen);
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

	plan_state(&p, in);
	plan_artifacts(&p, in);
	rc = plan_jobs(&p, in, err);
	if (rc == 0)
		rc = plan_digest(&p, err);
	if (rc < 0)
		plan_clear(&p);
	else
		*out = p;
	return rc;
}
