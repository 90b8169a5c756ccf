/* select – see select.h. */
#include "config.h"

#include "common/plan/select.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/plan/plan_parts.h"

static bool named(const char *const *keys, size_t nkeys, const char *key)
{
	for (size_t i = 0; i < nkeys; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static const struct plan_known *find_known(const struct plan_known *known, size_t nknown,
					   const char *key)
{
	for (size_t i = 0; i < nknown; i++)
		if (strcmp(known[i].key, key) == 0)
			return &known[i];
	return NULL;
}

static struct plan_job job_of_known(const struct plan_known *k, enum plan_change change)
{
	struct plan_job j = { .change = change, .key = xstrdup(k->key),
			      .name = xstrdup(k->name ? k->name : ""),
			      .version = xstrdup(k->version ? k->version : ""),
			      .ref = xstrdup(k->ref ? k->ref : "") };

	snprintf(j.digest, sizeof(j.digest), "%s", k->digest);
	return j;
}

/* An approval of the whole is none of a part. */
static void bind(struct plan *p, const char *word, const char *const *keys, size_t nkeys)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s\n%s\n", p->digest, word);
	for (size_t i = 0; i < nkeys; i++)
		buf_addf(&b, "%s\n", keys[i]);
	digest_bytes(p->digest, buf_str(&b), b.len);
	buf_clear(&b);
	p->part = true;
}

void plan_select(struct plan *p, const struct plan_known *known, size_t nknown,
		 const char *const *keys, size_t nkeys)
{
	size_t n = 0;

	for (size_t i = 0; i < nkeys; i++) {
		bool there = false;

		for (size_t k = 0; k < p->njobs && !there; k++)
			there = strcmp(p->jobs[k].key, keys[i]) == 0 &&
				p->jobs[k].change != PLAN_ORPHAN;
		if (!there)
			plan_problem(p, "the release has no job '%s' for this environment",
				     keys[i]);
	}
	for (size_t i = 0; i < p->njobs; i++) {
		struct plan_job j = p->jobs[i];
		const struct plan_known *k = find_known(known, nknown, j.key);

		if (!named(keys, nkeys, j.key) && (!k || !(k->orphan && j.change == PLAN_ORPHAN))) {
			plan_job_clear(&j);
			if (!k)
				continue;	/* new, and not asked for */
			j = job_of_known(k, k->orphan ? PLAN_ORPHAN : PLAN_KEPT);
		}
		p->jobs[n++] = j;
	}
	p->njobs = n;
	plan_artifacts_cut(p);
	bind(p, "only", keys, nkeys);
}

void plan_prune(struct plan *p, const struct plan_known *known, size_t nknown,
		const char *const *keys, size_t nkeys)
{
	for (size_t i = 0; i < p->njobs; i++)
		plan_job_clear(&p->jobs[i]);
	for (size_t i = 0; i < p->nproblems; i++)
		free(p->problems[i]);
	p->nproblems = p->njobs = 0;
	plan_artifacts_cut(p);
	p->jobs = xrealloc(p->jobs, (nknown + 1) * sizeof(*p->jobs));
	for (p->njobs = 0; p->njobs < nknown; p->njobs++) {
		const struct plan_known *k = &known[p->njobs];

		p->jobs[p->njobs] = job_of_known(k, !k->orphan			  ? PLAN_KEPT
						    : named(keys, nkeys, k->key) ? PLAN_GONE
										  : PLAN_ORPHAN);
	}
	for (size_t i = 0; i < nkeys; i++) {
		const struct plan_known *k = find_known(known, nknown, keys[i]);

		if (k && !k->orphan)	/* one that is not there any more went away before */
			plan_problem(p, "'%s' is no orphan on this fabric", keys[i]);
	}
	bind(p, "prune", keys, nkeys);
}
