/* queue_deploy – a deployment under way: its steps into the journal, its end into the store. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "agent/store/artifact.h"
#include "agent/store/verified.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/plan/plan.h"

/* The fabric has this job now as the plan says. remote: the provider's id of it; NULL: not told.
 * written: it was put there, and not only left as it was. */
static int put_job(struct store_tx *tx, const struct deployment *d, const struct plan_job *j,
		   const char *remote, bool written, struct ps_err *err)
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
		.remote_id = (char *)remote, .state = (char *)"live", .version = j->version,
		.ref = j->ref, .written = written ? d->release : NULL }, err);
}

/* They lie there: a step with a job comes after all artifacts. */
static int put_artifacts(struct store_tx *tx, const struct deployment *d, const struct plan *p,
			 const struct plan_job *of, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < p->nartifacts && rc == 0; i++)
		if (!of || plan_job_uses(of, p->artifacts[i].path))
			rc = deployed_artifact_put(tx, d, p->artifacts[i].path,
						   p->artifacts[i].sha256, err);
	return rc;
}

/* A step that was one job: whatever becomes of the rest of the deployment, the fabric has it. */
static int put_stepped(struct store_tx *tx, const struct note *n, struct ps_err *err)
{
	struct deployment d = { 0 };
	struct plan plan = { 0 };
	int rc = deployment_get(tx, n->id, &d, err);

	if (rc == 0)
		rc = plan_read(&plan, d.plan, strlen(d.plan), err);
	for (size_t i = 0; i < plan.njobs && rc == 0; i++) {
		if (strcmp(plan.jobs[i].key, n->task) != 0)
			continue;
		rc = put_artifacts(tx, &d, &plan, &plan.jobs[i], err);
		if (rc == 0)
			rc = put_job(tx, &d, &plan.jobs[i], n->name, true, err);
	}
	plan_clear(&plan);
	deployment_clear(&d);
	return rc;
}

static int write_step(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;

	int rc = deployment_renew(tx, n->id, n->fence, clock_wall_ms() + LEASE_DEPLOY_MS, err);

	if (rc < 0)
		return rc;
	if (n->begins)
		return step_begin(tx, n->id, n->fence, n->n, n->text, err);
	rc = step_end(tx, n->id, n->fence, n->n, n->state, n->text, err);
	return rc == 0 && n->task ? put_stepped(tx, n, err) : rc;
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
	n->task = strcmp(m->outcome, "done") == 0 ? xstrdup_null(m->job) : NULL;
	n->name = xstrdup_null(m->remote);
	store_write(c->store, STORE_FULL, write_step, step_done, n);
}

/* What the fabric has now, by the plan that was carried out, and what the last look said of it. */
static int put_deployed(struct store_tx *tx, const struct deployment *d, const char *unverified,
			struct ps_err *err)
{
	struct plan plan = { 0 };
	int rc = plan_read(&plan, d->plan, strlen(d->plan), err);

	for (size_t i = 0; i < plan.njobs && rc == 0; i++)
		rc = put_job(tx, d, &plan.jobs[i], NULL, plan.jobs[i].change != PLAN_SAME, err);
	if (rc == 0)
		rc = put_artifacts(tx, d, &plan, NULL, err);
	if (rc == 0)
		rc = verification_insert(tx, &(struct verification) {
			.deployment = d->id, .fabric = d->fabric, .repository = d->repository,
			.project = d->project, .release = d->release, .digest = plan.rendered,
			.whole = !plan.part, .reason = (char *)unverified,
			.state = (char *)(unverified ? "failed" : "looked") }, err);
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

/* ---- its start ---- */

static struct wire_rendered row_of(const struct act *a, const struct plan_job *j)
{
	struct wire_rendered row = { .key = j->key, .digest = j->digest, .name = j->name };

	for (size_t i = 0; i < a->there.n; i++) {
		const struct deployed_job *there = &a->there.v[i];

		if (strcmp(there->job, j->key) != 0)
			continue;
		row.remote = there->remote_id;
		row.written = *there->written ? there->written : NULL;
	}
	for (size_t i = 0; i < a->imported.n && !row.remote; i++) {
		const struct imported_job *from = &a->imported.v[i];

		if (strcmp(from->job, j->key) != 0)
			continue;
		row.remote = from->remote_id;
		row.imported = from->name;
	}
	/* what was seen before a backup was put back may be another's by now */
	row.same = !a->careful && (j->change == PLAN_SAME || j->change == PLAN_KEPT);
	return row;
}

/* The jobs of a plan by what shall become of them. */
struct rows_of_plan { struct wire_rendered *jobs, *orphans, *gone; size_t njobs, norphans, ngone; };

static struct rows_of_plan rows_of(const struct act *a, const struct plan *plan)
{
	struct rows_of_plan r = {
		.jobs = xcalloc(plan->njobs + 1, sizeof(*r.jobs)),
		.orphans = xcalloc(plan->njobs + 1, sizeof(*r.orphans)),
		.gone = xcalloc(plan->njobs + 1, sizeof(*r.gone)),
	};

	for (size_t i = 0; i < plan->njobs; i++) {
		const struct plan_job *j = &plan->jobs[i];
		struct wire_rendered row = row_of(a, j);

		if (j->change == PLAN_GONE)
			r.gone[r.ngone++] = row;
		else if (j->change == PLAN_ORPHAN)
			r.orphans[r.norphans++] = row;
		else
			r.jobs[r.njobs++] = row;
	}
	return r;
}

static void tell_start(struct core *c, const struct act *a, const struct plan *plan)
{
	const struct deployment *d = &a->deployment;
	struct wire_artifact *artifacts = xcalloc(plan->nartifacts + 1, sizeof(*artifacts));
	struct rows_of_plan r = rows_of(a, plan);
	char *dir = fs_join(c->paths->fabrics, d->fabric);

	for (size_t i = 0; i < plan->nartifacts; i++)
		artifacts[i] = (struct wire_artifact) { .digest = plan->artifacts[i].sha256,
							.path = plan->artifacts[i].path,
							.there = plan->artifacts[i].there &&
								 !a->careful };
	/* not connected: its hello starts what is running again */
	core_tell(c, CORE_DEPLOY, MSG_deploy_start,
		  &(struct wire_deploy_start) {
			  .deployment = (uint64_t)d->id, .fence = (uint64_t)a->fence,
			  .fabric = d->fabric, .fabric_dir = dir, .repository = a->name,
			  .project = d->project,
			  .release = d->release, .content = c->paths->artifacts,
			  .artifacts = { artifacts, plan->nartifacts },
			  .jobs = { r.jobs, r.njobs }, .orphans = { r.orphans, r.norphans },
			  .gone = { r.gone, r.ngone }, .careful = a->careful, .known = a->known,
			  .manifest = { a->release.manifest, strlen(a->release.manifest) },
			  .signature = a->release.signature, .signed_by = a->release.signed_by });
	free(artifacts);
	free(r.jobs);
	free(r.orphans);
	free(r.gone);
	free(dir);
}

void queue_deploy_start(struct core *c, const struct act *a)
{
	const struct deployment *d = &a->deployment;
	const struct conf_fabric *f = config_fabric(c->policy->cfg, d->fabric);
	struct plan plan = { 0 };
	struct ps_err err = { 0 };
	int rc = 0;

	if (!f)
		rc = ps_err_set(&err, PS_ENOENT,
				"fabric '%s' is not in the configuration any more; "
				"what was begun stays as it is", d->fabric);
	if (rc == 0)
		rc = plan_read(&plan, d->plan, strlen(d->plan), &err);
	if (rc == 0)
		tell_start(c, a, &plan);
	else
		end_deployment(c, (uint64_t)d->id, (uint64_t)a->fence, "failed", err.msg, NULL);
	plan_clear(&plan);
}
