/* observe – see observe.h. Three turns: what is asked for is read and noted, the role looks, and
 * what it found is written. */
#include "config.h"

#include "agent/flow/observe.h"

#include "agent/flow/queue_parts.h"
#include "agent/store/observation.h"
#include "agent/store/retention.h"
#include "agent/store/repository.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum { OBSERVE_LIMIT_MS = 30000 };

struct observing {
	struct core *core;
	char *fabric, *project, *name; /* name: of the repository */
	int64_t repository;
	struct deployed_jobs jobs; /* as they were when it was asked */
	struct observed_found *found;
	struct texts content;	   /* definitions in force, where they are not as deployed */
	char *problem;
	core_reply_fn *reply;
	void *arg;
};

static struct observed_place place_of(const struct observing *o)
{
	return (struct observed_place) { o->fabric, o->repository, o->project };
}

static void observing_end(struct observing *o, int rc, const char *problem)
{
	if (o->reply)
		o->reply(o->arg, rc, problem, NULL);
	core_kick(o->core);
	for (size_t i = 0; o->found && i < o->jobs.n; i++) {
		free((char *)o->found[i].digest);
		free((char *)o->found[i].changed_by);
	}
	free(o->found);
	texts_clear(&o->content);
	deployed_jobs_clear(&o->jobs);
	free(o->fabric);
	free(o->project);
	free(o->name);
	free(o->problem);
	free(o);
}

/* ---- the answer ---- */

static int write_found(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct observing *o = arg;
	struct observed_place at = place_of(o);
	char hex[DIGEST_HEX];
	int rc = 0;

	for (size_t i = 0; i < o->content.n && rc == 0; i++)
		rc = cas_put_bytes(o->core->paths->artifacts, o->content.v[i],
				   strlen(o->content.v[i]), hex, err);
	if (rc < 0)
		return rc;
	if (o->problem)
		return observation_fail(tx, &at, o->problem, clock_wall_ms(), err);
	return observation_put(tx, &at, &o->jobs, o->found, clock_wall_ms(), err);
}

static void found_written(void *arg, int rc, const struct ps_err *err)
{
	struct observing *o = arg;

	if (rc < 0)
		log_error("store", NULL, "%s", ps_err_msg(err, rc));
	observing_end(o, rc < 0 ? rc : o->problem ? PS_EAGENT : 0,
		      rc < 0 ? ps_err_msg(err, rc) : o->problem);
}

/* One digest, or nothing, for each job. */
static bool is_answer(const struct observing *o, const struct wire_observed *m)
{
	bool ok = m->jobs.n == o->jobs.n;

	for (size_t i = 0; ok && i < m->jobs.n; i++)
		ok = !*m->jobs.v[i].digest || digest_is_hex(m->jobs.v[i].digest, PS_DIGEST_HEX);
	return ok;
}

static void on_answer(void *arg, struct msg *m, const char *problem)
{
	struct observing *o = arg;

	if (m && m->u.observed.problem)
		problem = m->u.observed.problem;
	else if (m && !is_answer(o, &m->u.observed))
		problem = "the deploy role answered something else";
	o->problem = xstrdup_null(problem);
	o->found = xcalloc(o->jobs.n, sizeof(*o->found));
	for (size_t i = 0; !problem && i < o->jobs.n; i++) {
		const struct wire_found_job *j = &m->u.observed.jobs.v[i];

		o->found[i] = (struct observed_found) { xstrdup(j->digest), xstrdup_null(j->by),
							j->paused };
		if (j->definition)
			texts_add(&o->content, j->definition);
	}
	if (problem)
		log_warn("deploy", NULL, "fabric '%s' was not seen: %s", o->fabric, problem);
	store_write(o->core->store, STORE_FULL, write_found, found_written, o);
}

/* ---- the question ---- */

static int write_asked(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct observing *o = arg;
	struct observed_place at = place_of(o);
	struct repository r = { 0 };
	int rc = observation_ask(tx, &at, clock_wall_ms(), err);

	if (rc == 0)
		rc = repository_get(tx, o->repository, &r, err);
	o->name = xstrdup_null(r.name);
	repository_clear(&r);
	if (rc == 0)
		rc = deployed_jobs(tx, o->fabric, o->repository, o->project, &o->jobs, err);
	return rc;
}

static void asked(void *arg, int rc, const struct ps_err *err)
{
	struct observing *o = arg;
	struct core *c = o->core;
	const struct conf_fabric *f = config_fabric(c->policy->cfg, o->fabric);
	char *dir = fs_join(c->paths->fabrics, o->fabric);
	struct wire_rendered *rows = xcalloc(o->jobs.n + 1, sizeof(*rows));

	for (size_t i = 0; i < o->jobs.n; i++) {
		const struct deployed_job *j = &o->jobs.v[i];

		rows[i] = (struct wire_rendered) { .key = j->job, .digest = j->digest,
						   .name = j->name, .remote = j->remote_id };
	}
	if (rc < 0)
		observing_end(o, rc, ps_err_msg(err, rc));
	else if (!f)
		on_answer(o, NULL, "it is not in the configuration any more");
	else
		ask_send(c->asks, c->roles[CORE_DEPLOY].peer, MSG_observe,
			 &(struct wire_observe) { .fabric = o->fabric, .fabric_dir = dir,
						  .repository = o->name, .project = o->project,
						  .content = c->paths->artifacts,
						  .jobs = { rows, o->jobs.n } },
			 OBSERVE_LIMIT_MS, on_answer, o);
	free(rows);
	free(dir);
}

void flow_observe(struct core *c, const char *fabric, int64_t repository, const char *project,
		  core_reply_fn *reply, void *arg)
{
	struct observing *o = xcalloc(1, sizeof(*o));

	*o = (struct observing) { .core = c, .fabric = xstrdup(fabric),
				  .repository = repository, .project = xstrdup(project),
				  .reply = reply, .arg = arg };
	store_write(c->store, STORE_FULL, write_asked, asked, o);
}

void queue_observe(struct core *c, const struct act *a)
{
	const struct deployment *d = &a->deployment;

	flow_observe(c, d->fabric, d->repository, d->project, NULL, NULL);
}
