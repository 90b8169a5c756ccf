/*
 * run_jobs – the steps on a fabric that is changed job by job; see run_parts.h.
 *
 * What comes is made before what goes is paused, so that no job is missing meanwhile. A deployment
 * that ends in between leaves a fabric of two releases: core knows of each job which one it has.
 */
#include "config.h"

#include "agent/deploy/run_parts.h"

static struct fabric_job job_of(const struct wire_rendered *j, bool orphan)
{
	return (struct fabric_job) { .key = j->key, .name = j->name, .sha256 = j->digest,
				     .id = j->remote, .orphan = orphan,
				     .imported = j->imported };
}

/* Jobs first, then orphans; *n: of both. free() it. */
static struct fabric_job *all_jobs(const struct wire_deploy_start *d, size_t *n)
{
	struct fabric_job *jobs = xcalloc(d->jobs.n + d->orphans.n + 1, sizeof(*jobs));

	*n = 0;
	for (size_t i = 0; i < d->jobs.n; i++)
		jobs[(*n)++] = job_of(&d->jobs.v[i], false);
	for (size_t i = 0; i < d->orphans.n; i++)
		jobs[(*n)++] = job_of(&d->orphans.v[i], true);
	return jobs;
}

/* A stamp may have room for the first digits of an id alone. */
static bool is_of(const char *stamp, const char *release)
{
	return stamp && release && *stamp && ps_starts(release, stamp);
}

static bool is_remembered(const struct run *r, const struct wire_rendered *j, const char *stamp)
{
	return is_of(stamp, r->d->release) || is_of(stamp, r->d->known) ||
	       is_of(stamp, j->written);
}

static const struct wire_rendered *nth(const struct wire_deploy_start *d, size_t i)
{
	return i < d->jobs.n ? &d->jobs.v[i] : &d->orphans.v[i - d->jobs.n];
}

/* Every one that is there is as it is wanted, or carries the stamp of this release, of the one that
 * core remembers, or of the one that core knows to have written it. One that another tool made, and
 * nobody of ours has written, is as it was. */
static int careful(struct run *r, struct ps_err *err)
{
	size_t n;
	struct fabric_job *jobs = all_jobs(r->d, &n);
	struct fabric_seen *seen = xcalloc(n + 1, sizeof(*seen));
	int rc = r->place.driver->look(&r->place.t, jobs, n, seen, err);

	for (size_t i = 0; i < n && rc == 0; i++)
		if (*seen[i].sha256 && strcmp(seen[i].sha256, jobs[i].sha256) != 0 &&
		    !(jobs[i].imported && !seen[i].release) &&
		    !is_remembered(r, nth(r->d, i), seen[i].release))
			rc = run_overtaken(err);
	fabric_seen_clear(seen, n);
	free(seen);
	free(jobs);
	return rc;
}

static int act_put(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		   struct ps_err *err)
{
	return r->place.driver->jobs->put(&r->place.t, what, id, outcome, err);
}

static int act_pause(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		     struct ps_err *err)
{
	(void)id;
	return r->place.driver->jobs->pause(&r->place.t, what, outcome, err);
}

static int act_remove(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		      struct ps_err *err)
{
	(void)id;
	return r->place.driver->jobs->remove(&r->place.t, what, outcome, err);
}

static int step_each(struct run *r, const char *verb, step_fn *act, const struct wire_rendered *v,
		     size_t n, bool orphans, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct fabric_job j = job_of(&v[i], orphans);
		char *name;

		if (v[i].same)
			continue;
		name = xasprintf("%s %s", verb, v[i].key);
		rc = run_step(r, name, act, &j, v[i].key, err);
		free(name);
	}
	return rc;
}

static int act_prepare(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		       struct ps_err *err)
{
	const struct wire_deploy_start *d = r->d;
	size_t n;
	struct fabric_job *jobs = all_jobs(d, &n);
	int rc = r->place.driver->jobs->prepare(&r->place.t, jobs, d->jobs.n, outcome, err);

	(void)what;
	(void)id;
	free(jobs);
	return rc;
}

/* No step where there is nothing to give. */
static int prepare(struct run *r, struct ps_err *err)
{
	if (!r->place.driver->jobs->prepare || !r->place.t.conf->nscoped || !r->d->jobs.n)
		return 0;
	return run_step(r, "secrets", act_prepare, NULL, NULL, err);
}

static int steps(struct run *r, struct ps_err *err)
{
	const struct wire_deploy_start *d = r->d;
	int rc = prepare(r, err);

	if (rc == 0)
		rc = step_each(r, "job", act_put, d->jobs.v, d->jobs.n, false, err);

	if (rc == 0)
		rc = step_each(r, "pause", act_pause, d->orphans.v, d->orphans.n, true, err);
	if (rc == 0)
		rc = step_each(r, "remove", act_remove, d->gone.v, d->gone.n, true, err);
	return rc;
}

static int check_one(const struct fabric_job *j, const struct fabric_seen *s, struct ps_err *err)
{
	if (!*s->sha256 && !j->orphan)
		return ps_err_set(err, PS_ECONFLICT, "'%s' is not there", j->key);
	if (*s->sha256 && !j->orphan && strcmp(s->sha256, j->sha256) != 0)
		return ps_err_set(err, PS_ECONFLICT, "'%s' is not as it was put there", j->key);
	if (*s->sha256 && j->orphan && !s->paused)
		return ps_err_set(err, PS_ECONFLICT,
				  "'%s' is not paused, though nothing wants it any more", j->key);
	return 0;
}

static int check(struct run *r, struct ps_err *err)
{
	size_t n;
	struct fabric_job *jobs = all_jobs(r->d, &n);
	struct fabric_seen *seen = xcalloc(n + 1, sizeof(*seen));
	int rc = r->place.driver->look(&r->place.t, jobs, n, seen, err);

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = check_one(&jobs[i], &seen[i], err);
	fabric_seen_clear(seen, n);
	free(seen);
	free(jobs);
	return rc;
}

const struct run_way run_way_jobs = { careful, steps, check };
