/* pass_gate – see pass_gate.h. */
#include "config.h"

#include "agent/flow/pass_gate.h"

#include "agent/flow/gates.h"
#include "agent/flow/planning.h"
#include "agent/flow/verified.h"
#include "agent/store/audit.h"
#include "agent/store/gate.h"
#include "agent/store/outbox.h"
#include "agent/store/release.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/plan/manifest.h"

#define PRUNE "prune"	/* demand.asked: orphans go away */

/* What its owners do to their fabric themselves passes the gates that others wait at. */
static bool by_owners(const struct demand *d)
{
	return ps_streq(d->asked, "rollback") || ps_streq(d->asked, PRUNE);
}

void gated_clear(struct gated *g)
{
	plan_clear(&g->plan);
	free(g->repository);
	*g = (struct gated){ .env = NULL };
}

int pass_both(struct store_tx *tx, const struct deployment *d, const char *state,
	      const char *reason, const char *detail, int64_t by, struct ps_err *err)
{
	int rc = deployment_set(tx, d->id, state, reason, detail, by, err);

	return rc < 0 ? rc : demand_set(tx, d->demand, state, reason, detail, by, err);
}

/* ---- the plan ---- */

/* What the plan stands on, gathered; freed by view_drop(). */
struct plan_view {
	struct release release;
	struct label label;
	struct repository repository;
	struct manifest manifest;
	struct deployed_jobs known;
	struct deployed_artifacts there;
	struct observed_jobs observed;
};

static void view_drop(struct plan_view *v)
{
	deployed_jobs_clear(&v->known);
	deployed_artifacts_clear(&v->there);
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
	if (rc == 0)
		rc = deployed_artifacts(tx, d->fabric, d->repository, d->project, &v->there, err);
	return rc < 0 ? rc
		      : observed_jobs(
				tx,
				&(struct observed_place){ d->fabric, d->repository, d->project },
				&v->observed, err);
}

static int keep_job(const struct plan_job *j, const char *content, struct ps_err *err)
{
	char hex[65];
	int rc = 0;

	for (size_t i = 0; i < j->nfiles && rc == 0; i++)
		rc = cas_put_bytes(content, j->files[i].bytes, j->files[i].n, hex, err);
	return rc == 0 && j->bytes ? cas_put_bytes(content, j->bytes, j->n, hex, err) : rc;
}

/* Rendered definitions go to the content store before the plan that names them is stored. */
static int keep_rendered(const struct plan *plan, const char *content, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < plan->njobs && rc == 0; i++)
		rc = keep_job(&plan->jobs[i], content, err);
	return rc;
}

int pass_cancel_by_rule(struct store_tx *tx, const struct pass *p, const struct deployment *d,
			struct ps_err *err)
{
	const char *policy = p->view.policy->cfg->digest;
	char *why = xasprintf("rule removed by configuration %.12s", policy);
	int rc = pass_both(tx, d, "cancelled", why, NULL, 0, err);

	if (rc == 0)
		rc = audit_put_id(tx,
				  &(struct audit){ .who = AUDIT_CORE,
						   .what = "cancelled",
						   .why = why,
						   .policy = policy },
				  'd', d->id, err);
	free(why);
	return rc;
}

static int make_plan(struct store_tx *tx, const struct pass *p, const struct deployment *d,
		     const struct demand *asked, struct gated *g, struct ps_err *err)
{
	struct plan_view v = { .known = { NULL, 0 } };
	int rc = gather(tx, d, &v, err);

	if (rc == 0)
		rc = planning_make(
			&(struct planning){
				.cfg = p->view.policy->cfg,
				.paths = p->view.paths,
				.env = g->env,
				.fabric = g->fabric,
				.repository = v.repository.name,
				.project = d->project,
				.ref = v.label.ref,
				.version = v.label.version,
				.release = &v.manifest,
				.release_id = d->release,
				.known = &v.known,
				.there = &v.there,
				.observed = &v.observed,
				.jobs = asked->jobs,
				.prune = ps_streq(asked->asked, PRUNE),
			},
			&g->plan, err);
	if (rc == 0 && !g->plan.nproblems)
		rc = keep_rendered(&g->plan, p->view.paths->artifacts, err);
	g->repository = xstrdup_null(v.repository.name);
	view_drop(&v);
	return rc;
}

static int fail_with_problems(struct store_tx *tx, const struct deployment *d,
			      const struct plan *plan, struct ps_err *err)
{
	struct buf why = BUF_INIT;
	int rc;

	for (size_t i = 0; i < plan->nproblems; i++)
		buf_addf(&why, "%s%s", i ? "\n" : "", plan->problems[i]);
	rc = pass_both(tx, d, "failed", buf_str(&why),
		       "the plan has problems; nothing was changed on the fabric", 0, err);
	buf_clear(&why);
	return rc;
}

/* ---- facts ---- */

/* What gates_facts points to. */
struct ground {
	struct demand demand;
	struct approvals approvals;
	struct texts makers;
	char *after_why, *changed;
};

static void ground_drop(struct ground *b)
{
	demand_clear(&b->demand);
	approvals_clear(&b->approvals);
	texts_clear(&b->makers);
	free(b->after_why);
	free(b->changed);
}

static int look_after(struct store_tx *tx, const struct pass *p, const struct deployment *d,
		      const struct conf_environment *env, char **why, struct ps_err *err)
{
	const struct config *cfg = p->view.policy->cfg;
	struct verified_ask q = { .cfg = cfg,
				  .paths = p->view.paths,
				  .repository = d->repository,
				  .project = d->project,
				  .release = d->release };
	bool is;

	if (!env->after)
		return 0;
	q.env = config_environment(cfg, env->after);
	return q.env ? verified_release(tx, &q, &is, why, err) : 0;
}

/* Somebody has approved the plan that is stored. */
static bool was_approved(const struct deployment *d, const struct approvals *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].decision, "approved") == 0 &&
		    ps_streq(l->v[i].plan_digest, d->plan_digest))
			return true;
	return false;
}

static char *one_line(const char *lines)
{
	struct buf b = BUF_INIT;

	for (; *lines; lines++)
		if (*lines != '\n')
			buf_addch(&b, *lines);
		else if (lines[1])
			buf_adds(&b, "; ");
	return buf_steal(&b);
}

/* How the plan differs from the one that was approved, in one line; what was told before stays told
 * until somebody approves anew. */
static int what_changed(const struct deployment *d, const struct approvals *l,
			const struct plan *now, char **out, struct ps_err *err)
{
	struct plan was = { 0 };
	struct buf text = BUF_INIT;
	int rc = 0;

	*out = xstrdup_null(d->changed);
	if (!d->plan || !was_approved(d, l))
		return 0;
	rc = plan_read(&was, d->plan, strlen(d->plan), err);
	if (rc == 0)
		plan_differs(&was, now, &text);
	free(*out);
	*out = one_line(buf_str(&text));
	buf_clear(&text);
	plan_clear(&was);
	return rc;
}

/* The plan as it is now is the one that is shown and approved. */
static int store_plan(struct store_tx *tx, const struct deployment *d, const struct plan *plan,
		      const char *policy, struct ground *b, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	if (ps_streq(d->plan_digest, plan->digest)) {
		b->changed = xstrdup_null(d->changed);
		return 0;
	}
	rc = what_changed(d, &b->approvals, plan, &b->changed, err);
	if (rc == 0 && was_approved(d, &b->approvals))
		rc = audit_put_id(tx,
				  &(struct audit){ .who = AUDIT_CORE,
						   .what = "approval-void",
						   .why = b->changed,
						   .policy = policy },
				  'd', d->id, err);
	if (rc == 0)
		rc = plan_write(plan, &text, err);
	if (rc == 0)
		rc = gate_plan(tx, d->id, buf_str(&text), plan->digest, b->changed, err);
	buf_clear(&text);
	return rc;
}

/* ---- in their order ---- */

static int stand(struct store_tx *tx, const struct pass *p, const struct deployment *d,
		 struct standstill *s, struct ps_err *err)
{
	int rc = gate_stand(tx, d->id,
			    &(struct gate_stand){ .gate = s->reason,
						  .detail = s->detail,
						  .blocked_by = s->blocked_by,
						  .lift = s->lift },
			    p->view.policy->cfg->digest, err);

	standstill_clear(s);
	return rc;
}

static int gather_ground(struct store_tx *tx, const struct pass *p, const struct deployment *d,
			 const struct conf_environment *env, struct ground *b, struct ps_err *err)
{
	bool unknown;
	int rc = demand_get(tx, d->demand, &b->demand, err);

	if (rc == 0 && !by_owners(&b->demand))
		rc = look_after(tx, p, d, env, &b->after_why, err);
	if (rc == 0 && env->deploy == CONF_DEPLOY_APPROVE)
		rc = approvals_of(tx, d->id, &b->approvals, err);
	if (rc == 0 && env->deploy == CONF_DEPLOY_APPROVE)
		rc = gate_makers(tx, b->demand.event, &b->makers, &unknown, err);
	return rc;
}

/* Once for each plan that somebody shall approve. */
static int tell_approvers(struct store_tx *tx, const struct deployment *d, const char *digest,
			  struct ps_err *err)
{
	char *once = xasprintf("approval d%lld %s", (long long)d->id, digest);
	int rc = outbox_deployment(tx, d->id, "approval", once, err);

	free(once);
	return rc;
}

/* Approvals are of the plan that is made here. Going back needs none, and no window. */
static int ask_approvals(struct store_tx *tx, const struct pass *p, const struct deployment *d,
			 struct gates_facts *f, struct ground *b, struct gated *g, bool *go,
			 struct ps_err *err)
{
	bool back = by_owners(&b->demand), emergency = back || d->emergency;
	struct standstill s = { .reason = NULL };
	int rc = 0;

	if (f->env->deploy == CONF_DEPLOY_APPROVE && !back) {
		rc = store_plan(tx, d, &g->plan, p->view.policy->cfg->digest, b, err);
		f->digest = g->plan.digest;
		f->changed = b->changed;
		s = gates_after_plan(f);
		(void)gates_approved(f, &emergency);
	}
	if (rc == 0 && emergency != (d->emergency != 0))
		rc = gate_emergency(tx, d->id, emergency, err);
	*go = rc == 0 && !s.reason;
	if (rc == 0 && s.reason)
		rc = stand(tx, p, d, &s, err);
	if (rc == 0 && !*go)
		rc = tell_approvers(tx, d, g->plan.digest, err);
	standstill_clear(&s);
	return rc;
}

static struct standstill pinned(const struct pass *p, const char *fabric)
{
	const struct pin *pin = pin_of(&p->pins, fabric);

	if (!pin)
		return (struct standstill){ .reason = NULL };
	return (struct standstill){ .reason = "pinned",
				    .detail = pin_text(pin),
				    .blocked_by = xasprintf("fabric %s", fabric),
				    .lift = xasprintf("penstock unpin %s", fabric) };
}

int pass_gate(struct store_tx *tx, struct pass *p, const struct deployment *d, bool to_start,
	      struct gated *g, bool *go, struct ps_err *err)
{
	const struct config *cfg = p->view.policy->cfg;
	struct ground b = { .after_why = NULL };
	struct gates_facts f = { .cfg = cfg,
				 .d = d,
				 .approvals = &b.approvals,
				 .makers = &b.makers,
				 .now_ms = p->view.now_ms };
	struct standstill s;
	int rc;

	*go = false;
	g->env = f.env = config_environment(cfg, d->environment);
	g->fabric = f.fabric = f.env ? config_fabric(cfg, f.env->fabric) : NULL;
	if (!f.fabric || strcmp(f.fabric->name, d->fabric) != 0)
		return pass_cancel_by_rule(tx, p, d, err);
	rc = gather_ground(tx, p, d, f.env, &b, err);
	f.after_why = b.after_why;
	s = pinned(p, d->fabric);
	if (!s.reason)
		s = gates_before_plan(&f);
	if (rc == 0 && s.reason && !by_owners(&b.demand)) {
		rc = stand(tx, p, d, &s, err);
		goto out;
	}
	if (rc == 0 && (to_start || f.env->deploy == CONF_DEPLOY_APPROVE))
		rc = make_plan(tx, p, d, &b.demand, g, err);
	if (rc == 0 && g->plan.nproblems)
		rc = fail_with_problems(tx, d, &g->plan, err);
	else if (rc == 0)
		rc = ask_approvals(tx, p, d, &f, &b, g, go, err);
out:
	standstill_clear(&s);
	ground_drop(&b);
	return rc;
}

/* ---- those that something happened to ---- */

static int look_at(struct store_tx *tx, struct pass *p, const struct deployment *d,
		   struct ps_err *err)
{
	struct standstill none = { .reason = "" };
	struct gated g = { .env = NULL };
	bool go;
	int rc = pass_gate(tx, p, d, false, &g, &go, err);

	if (rc == 0 && go)
		rc = stand(tx, p, d, &none, err);
	if (rc == 0 && go && *d->gate &&
	    strcmp(d->gate, "order") != 0) /* behind those that came meanwhile */
		rc = pass_enter(tx, LINE_DEPLOYMENT, d->fabric, d->id, d->priority, d->repository,
				err);
	gated_clear(&g);
	return rc;
}

int pass_gates(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = gates_to_look_at(tx, p->view.policy->cfg->digest, PASS_BATCH, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = look_at(tx, p, &l.v[i], err);
	p->again = p->again || l.n == PASS_BATCH;
	deployments_clear(&l);
	return rc;
}
