/* plan – see plan.h. */
#include "config.h"

#include "common/plan/plan.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
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

/* plan->rendered; takes the jobs' lines. No path or key holds a line's end. */
static void plan_rendered(struct plan *p, const struct plan_input *in, struct buf *lines)
{
	for (size_t i = 0; i < in->release->nartifacts; i++) {
		const struct manifest_artifact *a = &in->release->artifacts[i];
		char *path = plan_path_of(in, a, in->params.release_version);

		buf_addf(lines, "artifact %s %s\n", a->sha256, path);
		free(path);
	}
	digest_bytes(p->rendered, buf_str(lines), lines->len);
}

int plan_make(struct plan *out, const struct plan_input *in, struct ps_err *err)
{
	struct plan p = { 0 };
	struct buf lines = BUF_INIT;
	int rc;

	plan_state(&p, in);
	rc = plan_jobs(&p, in, &lines, err);
	if (rc == 0 && !p.nproblems) {
		plan_artifacts(&p, in);
		plan_rendered(&p, in, &lines);
	}
	if (rc == 0)
		rc = plan_digest(&p, err);
	buf_clear(&lines);
	if (rc < 0)
		plan_clear(&p);
	else
		*out = p;
	return rc;
}
