/* pass_deploy – deployments that have passed the gates of their own (pass_gate.c) stand in the line
 * of their environment: not paused → a driver is there → lock → window and freeze → seen what is
 * there → fabric free; who comes first goes through its own gates once more and starts. What keeps
 * an environment is asked once for all that wait there; that nothing newer exists was seen to when
 * the newer one came (pass_release.c). */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/pass_gate.h"
#include "agent/store/gate.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/config/window.h"

static bool has_driver(const struct pass *p, enum conf_provider provider)
{
	for (size_t i = 0; i < p->view.ndrivers; i++)
		if (strcmp(p->view.drivers[i], conf_provider_word(provider)) == 0)
			return true;
	return false;
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

/* Where one environment's deployments go now; f NULL: no rule or no fabric is left. */
struct target { const struct conf_environment *env; const struct conf_fabric *f; };

static struct target target_of(const struct pass *p, const char *environment)
{
	const struct config *cfg = p->view.policy->cfg;
	const struct conf_environment *env = config_environment(cfg, environment);

	return (struct target) { env, env ? config_fabric(cfg, env->fabric) : NULL };
}

/* Those whose rule is gone, or sends to another fabric now. */
static int cancel_misplaced(struct store_tx *tx, struct pass *p, const char *environment,
			    const char *fabric, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = deployments_misplaced(tx, environment, fabric, PASS_BATCH, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = pass_cancel_by_rule(tx, p, &l.v[i], err);
	p->again = p->again || l.n == PASS_BATCH;
	deployments_clear(&l);
	return rc;
}

static struct standstill no_fabric(const struct conf_fabric *f, char *detail)
{
	return (struct standstill) { .reason = "fabric", .detail = detail,
				     .blocked_by = xasprintf("fabric %s", f->name) };
}

/* Outside its windows. A zone that cannot be read any more is no reason to deploy at night. */
static struct standstill outside(const struct pass *p, const struct target *t)
{
	const struct conf_environment *e = t->env;
	struct buf text = BUF_INIT;
	struct ps_err why = { 0 };
	char when[CLOCK_TEXT];
	int64_t next = 0;
	bool open = false;
	int rc = window_open(e->windows, e->nwindows, p->view.now_ms, &open, &next, &why);

	if (rc == 0 && open)
		return (struct standstill) { .reason = NULL };
	window_text(&text, e->windows, e->nwindows);
	if (rc < 0)
		buf_addf(&text, "; %s", why.msg);
	else if (next)
		buf_addf(&text, "; opens %s", clock_text(when, next));
	return (struct standstill) {
		.reason = "window", .detail = buf_steal(&text),
		.blocked_by = xasprintf("environment %s", e->name),
		.lift = t->f->emergency ? xstrdup("penstock approve ID --emergency -m TEXT") : NULL,
	};
}

static struct standstill closed(const struct pass *p, const struct target *t, const char *kind)
{
	const struct closure *c = closure_of(&p->closures, t->f->name, kind, p->view.now_ms);

	if (!c)
		return (struct standstill) { .reason = NULL };
	return (struct standstill) { .reason = kind, .detail = closure_text(c),
				     .blocked_by = xasprintf("fabric %s", t->f->name),
				     .lift = closure_lifter(c) };
}

/* What an emergency does not wait for. */
static struct standstill shut(const struct pass *p, const struct target *t)
{
	struct standstill s = outside(p, t);

	return s.reason ? s : closed(p, t, CLOSURE_FREEZE);
}

/* What keeps all of an environment, whatever the fabric does; emergencies too. */
static struct standstill blocked(const struct pass *p, const struct target *t)
{
	struct standstill s;

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
	return closed(p, t, CLOSURE_LOCK);
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
	int64_t urgent = 0;
	int rc = deployments_running(tx, &running, err);

	for (size_t i = 0; i < places->n && rc == 0; i++) {
		struct target t = target_of(p, places->v[i]);
		struct standstill s;

		if (!t.f || busy_with(&running, t.f->name) || unseen_of(p, t.f->name))
			continue;
		s = blocked(p, &t);
		if (!s.reason)
			rc = gate_first_emergency(tx, places->v[i], &urgent, err);
		if (urgent)
			break;
		if (!s.reason)
			s = shut(p, &t);
		if (!s.reason && rc == 0)
			rc = pass_candidates_add(tx, p, LINE_DEPLOYMENT, places->v[i], 1, 0, &c,
						 err);
		standstill_clear(&s);
	}
	picked = xcalloc(c.rows.n, sizeof(*picked));
	*id = urgent;		/* before all others, and of no turn */
	if (!urgent)
		*id = rc == 0 && pass_pick(p, &c, 1, &one, picked) ? picked[0]->id : 0;
	if (*id)
		rc = see(tx, p, *id, seen, err);
	if (*id && rc == 0 && *seen && !urgent)
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
	struct gated g = { .env = NULL };
	bool go = false;
	int rc = deployment_get(tx, id, &d, err);

	if (rc == 0)
		rc = pass_gate(tx, p, &d, true, &g, &go, err);
	if (rc == 0 && go)
		rc = start(tx, p, &d, &g.plan, g.repository, err);
	gated_clear(&g);
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
	if (t.f && !s.reason)
		s = shut(p, &t);
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
		rc = pass_gates(tx, p, err);
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
