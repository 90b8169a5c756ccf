/* pass_deploy – deployments go through their gates in order: the rule still exists → `deploy:` of
 * the environment → not paused → a driver is there → fabric free → plan → steps. The gates are the
 * environment's, so they are asked once for all that wait there; that nothing newer exists was seen
 * to when the newer one came (pass_release.c). */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/planning.h"
#include "agent/store/audit.h"
#include "agent/store/release.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/base/id.h"
#include "common/plan/manifest.h"
#include "common/plan/plan.h"

/* State of the deployment and of the demand behind it move together. */
static int both(struct store_tx *tx, const struct deployment *d, const char *state,
		const char *reason, const char *detail, int64_t by, struct ps_err *err)
{
	int rc = deployment_set(tx, d->id, state, reason, detail, by, err);

	return rc < 0 ? rc : demand_set(tx, d->demand, state, reason, detail, by, err);
}

static bool has_driver(const struct pass *p, enum conf_provider provider)
{
	for (size_t i = 0; i < p->view.ndrivers; i++)
		if (strcmp(p->view.drivers[i], conf_provider_word(provider)) == 0)
			return true;
	return false;
}

/* What the plan stands on, gathered; freed by view_drop(). */
struct plan_view {
	struct release release;
	struct label label;
	struct repository repository;
	struct manifest manifest;
	struct deployed_jobs known;
	struct observed_jobs observed;
};

static void view_drop(struct plan_view *v)
{
	deployed_jobs_clear(&v->known);
	observed_jobs_clear(&v->observed);
	manifest_clear(&v->manifest);
	release_clear(&v->release);
	label_clear(&v->label);
	repository_clear(&v->repository);
}

static int gather(struct store_tx *tx, const struct deployment *d, struct plan_view *v,
		  struct ps_err *err)
{
	int rc = release_get(tx, d->release, &v->release, err);

	if (rc == 0)
		rc = label_get(tx, d->label, &v->label, err);
	if (rc == 0)
		rc = repository_get(tx, d->repository, &v->repository, err);
	if (rc == 0)
		rc = manifest_read(&v->manifest, v->release.manifest, strlen(v->release.manifest),
				   d->release, err);
	if (rc == 0)
		rc = deployed_jobs(tx, d->fabric, d->repository, d->project, &v->known, err);
	return rc < 0 ? rc : observed_jobs(tx, &(struct observed_place) { d->fabric, d->repository,
									  d->project },
					   &v->observed, err);
}

static int make_plan(const struct pass *p, const struct deployment *d,
		     const struct conf_environment *env, const struct conf_fabric *f,
		     const struct plan_view *v, struct plan *plan, struct ps_err *err)
{
	return planning_make(&(struct planning) {
		.cfg = p->view.policy->cfg, .paths = p->view.paths, .env = env, .fabric = f,
		.repository = v->repository.name, .project = d->project, .ref = v->label.ref,
		.version = v->label.version, .release = &v->manifest, .release_id = d->release,
		.known = &v->known, .observed = &v->observed,
	}, plan, err);
}

/* Rendered definitions go to the content store before the plan that names them is stored. */
static int keep_rendered(const struct plan *plan, const char *content, struct ps_err *err)
{
	char hex[65];
	int rc = 0;

	for (size_t i = 0; i < plan->njobs && rc == 0; i++)
		if (plan->jobs[i].bytes)
			rc = cas_put_bytes(content, plan->jobs[i].bytes, plan->jobs[i].n, hex, err);
	return rc;
}

static int start(struct store_tx *tx, struct pass *p, const struct deployment *d,
		 const struct plan *plan, const char *name, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	struct act *a;
	int64_t fence = 0;
	int rc = plan_write(plan, &text, err);

	if (rc == 0)
		rc = deployment_start(tx, d->id, buf_str(&text), plan->digest,
				      p->view.policy->cfg->digest, p->view.now_ms + LEASE_DEPLOY_MS,
				      &fence, err);
	if (rc == 0)
		rc = demand_set(tx, d->demand, "active", NULL, "deploying", 0, err);
	if (rc == 0) {
		a = pass_act(p, ACT_DEPLOY, d->id);
		a->fence = fence;
		a->name = xstrdup(name);
		rc = deployment_get(tx, d->id, &a->deployment, err);
		if (rc == 0)
			rc = pass_be_careful(tx, &p->recovery, a, err);
	}
	buf_clear(&text);
	return rc;
}

static int plan_and_start(struct store_tx *tx, struct pass *p, const struct deployment *d,
			  const struct conf_environment *env, const struct conf_fabric *f,
			  struct ps_err *err)
{
	struct plan_view v = { 0 };
	struct plan plan = { 0 };
	struct buf why = BUF_INIT;
	int rc = gather(tx, d, &v, err);

	if (rc == 0)
		rc = make_plan(p, d, env, f, &v, &plan, err);
	for (size_t i = 0; i < plan.nproblems; i++)
		buf_addf(&why, "%s%s", i ? "\n" : "", plan.problems[i]);
	if (rc == 0 && plan.nproblems) {
		rc = both(tx, d, "failed", buf_str(&why),
			  "the plan has problems; nothing was changed on the fabric", 0, err);
	} else if (rc == 0) {
		rc = keep_rendered(&plan, p->view.paths->artifacts, err);
		if (rc == 0)
			rc = start(tx, p, d, &plan, v.repository.name, err);
	}
	buf_clear(&why);
	plan_clear(&plan);
	view_drop(&v);
	return rc;
}

/* Where one environment's deployments go now; f NULL: no rule or no fabric is left. */
struct target { const struct conf_environment *env; const struct conf_fabric *f; };

static struct target target_of(const struct pass *p, const char *environment)
{
	const struct config *cfg = p->view.policy->cfg;
	const struct conf_environment *env = config_environment(cfg, environment);

	return (struct target) { env, env ? config_fabric(cfg, env->fabric) : NULL };
}

static int cancel_by_rule(struct store_tx *tx, const struct pass *p, const struct deployment *d,
			  const char *why, struct ps_err *err)
{
	int rc = both(tx, d, "cancelled", why, NULL, 0, err);

	return rc < 0 ? rc : audit_put_id(tx, &(struct audit) {
		.who = AUDIT_CORE, .what = "cancelled", .why = why,
		.policy = p->view.policy->cfg->digest }, 'd', d->id, err);
}

/* Those whose rule is gone, or sends to another fabric now. */
static int cancel_misplaced(struct store_tx *tx, struct pass *p, const char *environment,
			    const char *fabric, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = deployments_misplaced(tx, environment, fabric, PASS_BATCH, &l, err);
	char *why = xasprintf("rule removed by configuration %.12s", p->view.policy->cfg->digest);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = cancel_by_rule(tx, p, &l.v[i], why, err);
	p->again = p->again || l.n == PASS_BATCH;
	free(why);
	deployments_clear(&l);
	return rc;
}

static struct standstill no_fabric(const struct conf_fabric *f, char *detail)
{
	return (struct standstill) { .reason = "fabric", .detail = detail,
				     .blocked_by = xasprintf("fabric %s", f->name) };
}

/* What keeps all of an environment, whatever the fabric does. */
static struct standstill blocked(const struct pass *p, const struct target *t)
{
	struct standstill s;

	if (t->env->deploy == CONF_DEPLOY_APPROVE)
		return (struct standstill) {
			.reason = "approval", .blocked_by = xasprintf("team %s", t->f->owner),
			.detail = xasprintf("%s 0/%u; approving is not in this version",
					    t->f->owner, t->env->approvals),
		};
	if (t->env->deploy == CONF_DEPLOY_MANUAL)
		return (struct standstill) {
			.reason = "manual", .blocked_by = xasprintf("team %s", t->f->owner),
			.detail = xasprintf("environment %s is deployed by hand; that is not in "
					    "this version", t->env->name),
		};
	s = pass_stopped(p, PAUSE_DEPLOY, t->env->name, t->f->name);
	if (s.reason)
		return s;
	if (!p->view.deploy_up)
		return (struct standstill) {
			.reason = "fabric", .detail = xstrdup("the deploy role is not running"),
			.blocked_by = xstrdup("penstock-deploy"),
		};
	if (!has_driver(p, t->f->provider))
		return no_fabric(t->f, xasprintf("no driver in this version for provider %s of "
						 "fabric %s", conf_provider_word(t->f->provider),
						 t->f->name));
	return s;
}

static const struct deployment *busy_with(const struct deployments *running, const char *fabric)
{
	for (size_t i = 0; i < running->n; i++)
		if (strcmp(running->v[i].fabric, fabric) == 0)
			return &running->v[i];
	return NULL;
}

static const struct unseen *unseen_of(const struct pass *p, const char *fabric)
{
	for (size_t i = 0; i < p->nunseen; i++)
		if (strcmp(p->unseen[i].fabric, fabric) == 0)
			return &p->unseen[i];
	return NULL;
}

/* Is it known what this one would change? Else its fabric takes nothing in this pass. */
static int see(struct store_tx *tx, struct pass *p, int64_t id, bool *seen, struct ps_err *err)
{
	struct unseen u = { .fabric = NULL };
	struct deployment d = { 0 };
	int rc = deployment_get(tx, id, &d, err);

	if (rc == 0)
		rc = pass_observe(tx, p, &d, seen, &u.why, err);
	if (rc == 0 && !*seen) {
		u.fabric = xstrdup(d.fabric);
		p->unseen = xgrow(p->unseen, p->nunseen, &p->cap_unseen, sizeof(*p->unseen));
		p->unseen[p->nunseen++] = u;
	}
	deployment_clear(&d);
	return rc;
}

/* The first in line that its fabric takes; one pass starts one after the other, so that each sees
 * what the one before it took. 0: none; seen: it may start. */
static int pick(struct store_tx *tx, struct pass *p, const struct pass_places *places,
		int64_t *id, bool *seen, struct ps_err *err)
{
	struct deployments running = { NULL, 0 };
	struct pass_candidates c = { .limit_of = NULL };
	struct sched_limit one = { .max = 1 };
	const struct line_row **picked;
	int rc = deployments_running(tx, &running, err);

	for (size_t i = 0; i < places->n && rc == 0; i++) {
		struct target t = target_of(p, places->v[i]);
		struct standstill s;

		if (!t.f || busy_with(&running, t.f->name) || unseen_of(p, t.f->name))
			continue;
		s = blocked(p, &t);
		if (!s.reason)
			rc = pass_candidates_add(tx, p, LINE_DEPLOYMENT, places->v[i], 1, 0, &c,
						 err);
		standstill_clear(&s);
	}
	picked = xcalloc(c.rows.n, sizeof(*picked));
	*id = rc == 0 && pass_pick(p, &c, 1, &one, picked) ? picked[0]->id : 0;
	if (*id)
		rc = see(tx, p, *id, seen, err);
	if (*id && rc == 0 && *seen)
		rc = pass_served(tx, LINE_DEPLOYMENT, picked[0]->group, picked[0], p->view.now_ms,
				 err);
	free(picked);
	pass_candidates_clear(&c);
	deployments_clear(&running);
	return rc;
}

static int begin(struct store_tx *tx, struct pass *p, int64_t id, struct ps_err *err)
{
	struct deployment d = { 0 };
	int rc = deployment_get(tx, id, &d, err);

	if (rc == 0) {
		struct target t = target_of(p, d.environment);

		rc = plan_and_start(tx, p, &d, t.env, t.f, err);
	}
	deployment_clear(&d);
	return rc;
}

/* What is left says why. */
static int say(struct store_tx *tx, struct pass *p, const char *place,
	       const struct deployments *running, struct ps_err *err)
{
	struct target t = target_of(p, place);
	struct standstill s = { .reason = NULL };
	const struct deployment *other;
	const struct unseen *u;
	char id[ID_TEXT];

	if (t.f)
		s = blocked(p, &t);
	u = t.f && !s.reason ? unseen_of(p, t.f->name) : NULL;
	if (u)
		s = (struct standstill) { .reason = u->why.reason,
					  .detail = xstrdup(u->why.detail),
					  .blocked_by = xstrdup(u->why.blocked_by) };
	other = t.f && !s.reason ? busy_with(running, t.f->name) : NULL;
	if (other) {
		id_text(id, 'd', other->id);
		s = (struct standstill) {
			.reason = "lock", .blocked_by = xstrdup(id),
			.detail = xasprintf("fabric %s is taken by %s", t.f->name, id),
			.lift = xasprintf("penstock why %s", id),
		};
	}
	return pass_stand(tx, LINE_DEPLOYMENT, place, &s, err);
}

static int say_all(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct pass_places left = { .v = NULL };
	struct deployments running = { NULL, 0 };
	int rc = pass_places(tx, LINE_DEPLOYMENT, &left, err);

	if (rc == 0 && left.n)
		rc = deployments_running(tx, &running, err);
	for (size_t i = 0; i < left.n && rc == 0; i++)
		rc = say(tx, p, left.v[i], &running, err);
	pass_places_clear(&left);
	deployments_clear(&running);
	return rc;
}

int pass_deploy_again(struct store_tx *tx, struct pass *p, const struct deployment *d,
		      struct ps_err *err)
{
	struct act *a = pass_act(p, ACT_DEPLOY, d->id);
	struct repository r = { 0 };
	int rc = deployment_start(tx, d->id, d->plan, d->plan_digest, d->policy_digest,
				  p->view.now_ms + LEASE_DEPLOY_MS, &a->fence, err);

	if (rc == 0)
		rc = repository_get(tx, d->repository, &r, err);
	a->name = xstrdup_null(r.name);
	repository_clear(&r);
	if (rc == 0)
		rc = deployment_get(tx, d->id, &a->deployment, err);
	return rc < 0 ? rc : pass_be_careful(tx, &p->recovery, a, err);
}

static int end_leases(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = deployments_running(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (l.v[i].lease_ms && l.v[i].lease_ms <= p->view.now_ms)
			rc = pass_deploy_again(tx, p, &l.v[i], err);
	deployments_clear(&l);
	return rc;
}

int pass_deployments(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct pass_places places = { .v = NULL };
	bool seen = false;
	int64_t id = 0;
	int rc = end_leases(tx, p, err);

	if (rc == 0)
		rc = pass_places(tx, LINE_DEPLOYMENT, &places, err);
	for (size_t i = 0; i < places.n && rc == 0; i++) {
		struct target t = target_of(p, places.v[i]);

		rc = cancel_misplaced(tx, p, places.v[i], t.f ? t.f->name : NULL, err);
	}
	for (int n = 0; n < PASS_BATCH && rc == 0; n++) {
		rc = pick(tx, p, &places, &id, &seen, err);
		if (rc < 0 || !id)
			break;
		if (seen)
			rc = begin(tx, p, id, err);
	}
	p->again = p->again || id;
	pass_places_clear(&places);
	return rc < 0 ? rc : say_all(tx, p, err);
}
