/* queue_deploy – a deployment under way: its steps into the journal, its end into the store. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "agent/store/verified.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/plan/rendered.h"

static int write_step(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;

	int rc = deployment_renew(tx, n->id, n->fence, clock_wall_ms() + LEASE_DEPLOY_MS, err);

	if (rc < 0)
		return rc;
	if (n->begins)
		return step_begin(tx, n->id, n->fence, n->n, n->text, err);
	return step_end(tx, n->id, n->fence, n->n, n->state, n->text, err);
}

/* The journal has it: the child may go on. A lost claim stops it before it does anything. */
static void step_done(void *arg, int rc, const struct ps_err *err)
{
	struct note *n = arg;
	struct wire_step_ok ok = { .deployment = (uint64_t)n->id, .step = (uint64_t)n->n,
				   .stop = rc < 0 };

	if (rc < 0)
		log_warn("deploy", NULL, "d%lld step %lld: %s", (long long)n->id, (long long)n->n,
			 ps_err_msg(err, rc));
	core_tell(n->core, CORE_DEPLOY, MSG_step_ok, &ok);
	note_free(n);
}

void queue_step_begin(struct core *c, const struct wire_step_begin *m)
{
	struct note *n = note_new(c, m->deployment, m->fence);

	n->n = (int64_t)m->step;
	n->begins = true;
	n->text = xstrdup(m->what);
	store_write(c->store, STORE_FULL, write_step, step_done, n);
}

void queue_step_done(struct core *c, const struct wire_step_done *m)
{
	struct note *n = note_new(c, m->deployment, m->fence);

	n->n = (int64_t)m->step;
	n->state = xstrdup(m->outcome);
	n->text = xstrdup_null(m->detail);
	store_write(c->store, STORE_FULL, write_step, step_done, n);
}

static int put_job(struct store_tx *tx, const struct deployment *d, const struct plan_job *j,
		   struct ps_err *err)
{
	if (j->change == PLAN_KEPT)
		return 0;
	if (j->change == PLAN_ORPHAN)
		return deployed_job_orphan(tx, d, j->key, err);
	if (j->change == PLAN_GONE)
		return deployed_job_gone(tx, d, j->key, err);
	return deployed_job_put(tx, &(struct deployed_job) {
		.fabric = d->fabric, .repository = d->repository, .project = d->project,
		.job = j->key, .name = j->name, .release = d->release,
		.digest = (char *)j->digest, .deployment = d->id, .fence = d->fence,
		.state = (char *)"live" }, err);
}

/* What the fabric has now, by the plan that was carried out, and what the last look said of it. */
static int put_deployed(struct store_tx *tx, const struct deployment *d, const char *unverified,
			struct ps_err *err)
{
	struct plan plan = { 0 };
	char rendered[65];
	int rc = plan_read(&plan, d->plan, strlen(d->plan), err);

	for (size_t i = 0; i < plan.njobs && rc == 0; i++)
		rc = put_job(tx, d, &plan.jobs[i], err);
	if (rc == 0) {
		plan_rendered(&plan, rendered);
		rc = verification_insert(tx, &(struct verification) {
			.deployment = d->id, .fabric = d->fabric, .repository = d->repository,
			.project = d->project, .release = d->release, .digest = rendered,
			.whole = !plan.part, .reason = (char *)unverified,
			.state = (char *)(unverified ? "failed" : "looked") }, err);
	}
	plan_clear(&plan);
	return rc;
}

enum { TRIES_MAX = 5 };

/* A child that died leaves the outcome unknown: the steps look first, so it is started again. */
static int write_deploy_end(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;
	struct deployment d = { 0 };
	bool good = strcmp(n->state, "deployed") == 0;
	int rc = deployment_get(tx, n->id, &d, err);

	if (rc == 0 && (d.fence != n->fence || strcmp(d.state, "running") != 0))
		rc = ps_err_set(err, PS_ESTALE, "deployment d%lld was started again meanwhile",
				(long long)n->id);
	if (rc == 0 && strcmp(n->state, "unknown") == 0 && d.tries < TRIES_MAX) {
		n->again = true;
		goto out;
	}
	if (rc == 0 && good)
		rc = put_deployed(tx, &d, n->text, err);
	if (rc == 0)
		rc = deployment_set(tx, n->id, n->state, n->reason, NULL, 0, err);
	if (rc == 0)
		rc = demand_set(tx, d.demand, good ? "done" : "failed", n->reason, NULL, 0, err);
out:
	deployment_clear(&d);
	return rc;
}

static void deploy_end_done(void *arg, int rc, const struct ps_err *err)
{
	struct note *n = arg;

	if (rc == 0 && n->again) {
		log_warn("deploy", NULL, "d%lld is started again: %s", (long long)n->id,
			 n->reason ? n->reason : "unknown outcome");
		queue_deploy_again(n->core, n->id);
	}
	note_done(arg, rc, err);
}

static void end_deployment(struct core *c, uint64_t id, uint64_t fence, const char *state,
			   const char *reason, const char *unverified)
{
	struct note *n = note_new(c, id, fence);

	n->state = xstrdup(state);
	n->reason = xstrdup_null(reason);
	n->text = xstrdup_null(unverified);
	store_write(c->store, STORE_FULL, write_deploy_end, deploy_end_done, n);
}

void queue_deploy_end(struct core *c, const struct wire_deploy_end *m)
{
	if (strcmp(m->state, "stopped") == 0)
		return;		/* another claim has it */
	end_deployment(c, m->deployment, m->fence, m->state, m->reason, m->unverified);
}

void queue_deploy_start(struct core *c, const struct act *a)
{
	const struct deployment *d = &a->deployment;
	const struct conf_fabric *f = config_fabric(c->policy->cfg, d->fabric);
	char *dir = fs_join(c->paths->fabrics, d->fabric);
	struct wire_artifact *artifacts = NULL;
	struct wire_rendered *jobs = NULL, *orphans = NULL;
	const char **gone = NULL;
	struct plan plan = { 0 };
	struct ps_err err = { 0 };
	size_t njobs = 0, norphans = 0, ngone = 0;
	int rc = 0;

	if (!f)
		rc = ps_err_set(&err, PS_ENOENT,
				"fabric '%s' is not in the configuration any more; "
				"what was begun stays as it is", d->fabric);
	if (rc == 0)
		rc = plan_read(&plan, d->plan, strlen(d->plan), &err);
	if (rc < 0) {
		end_deployment(c, (uint64_t)d->id, (uint64_t)a->fence, "failed", err.msg, NULL);
		free(dir);
		return;
	}
	artifacts = xcalloc(plan.nartifacts, sizeof(*artifacts));
	for (size_t i = 0; i < plan.nartifacts; i++)
		artifacts[i] = (struct wire_artifact) { plan.artifacts[i].sha256,
							plan.artifacts[i].path };
	jobs = xcalloc(plan.njobs, sizeof(*jobs));
	orphans = xcalloc(plan.njobs, sizeof(*orphans));
	gone = xcalloc(plan.njobs, sizeof(*gone));
	for (size_t i = 0; i < plan.njobs; i++) {
		const struct plan_job *j = &plan.jobs[i];
		struct wire_rendered row = { j->key, j->digest };

		if (j->change == PLAN_GONE)
			gone[ngone++] = j->key;
		else if (j->change == PLAN_ORPHAN)
			orphans[norphans++] = row;
		else
			jobs[njobs++] = row;
	}
	/* not connected: its hello starts what is running again */
	core_tell(c, CORE_DEPLOY, MSG_deploy_start,
		  &(struct wire_deploy_start) {
			  .deployment = (uint64_t)d->id, .fence = (uint64_t)a->fence,
			  .provider = conf_provider_word(f->provider), .fabric = d->fabric,
			  .fabric_dir = dir, .repository = a->name, .project = d->project,
			  .release = d->release,
			  .content = c->paths->artifacts,
				  .artifacts = { artifacts, plan.nartifacts },
			  .jobs = { jobs, njobs }, .orphans = { orphans, norphans },
			  .gone = { gone, ngone }, .careful = a->careful, .known = a->known,
			  .manifest = { a->release.manifest, strlen(a->release.manifest) },
			  .signature = a->release.signature, .signed_by = a->release.signed_by });
	free(artifacts);
	free(jobs);
	free(orphans);
	free(gone);
	plan_clear(&plan);
	free(dir);
}
