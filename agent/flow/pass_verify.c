/* pass_verify – what was deployed is verified: the deployer looked already; where the environment
 * wants a job to run, its pass is what counts. What fails stays deployed, not verified, and goes
 * back where the environment says so: once, and never what has gone back itself. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/back.h"
#include "agent/flow/run_make.h"
#include "agent/store/audit.h"
#include "agent/store/gate.h"
#include "agent/store/run.h"
#include "agent/store/verified.h"
#include "common/base/id.h"

/* A verification and what it hangs on. */
struct subject {
	const struct verification *v;
	struct deployment d;
	struct demand demand;
	const struct conf_environment *env;	/* NULL: its rule is gone */
	const struct conf_fabric *fabric;	/* the same */
};

static void subject_drop(struct subject *s)
{
	deployment_clear(&s->d);
	demand_clear(&s->demand);
}

static int subject_read(struct store_tx *tx, const struct pass *p, const struct verification *v,
			struct subject *s, struct ps_err *err)
{
	int rc = deployment_get(tx, v->deployment, &s->d, err);

	s->v = v;
	if (rc == 0)
		rc = demand_get(tx, s->d.demand, &s->demand, err);
	s->env = rc == 0 ? config_environment(p->view.policy->cfg, s->d.environment) : NULL;
	s->fabric = rc == 0 ? config_fabric(p->view.policy->cfg, v->fabric) : NULL;
	return rc;
}

/* ---- going back by itself ---- */

static int go_back(struct store_tx *tx, const struct pass *p, const struct subject *s,
		   const char *reason, struct ps_err *err)
{
	struct ps_err none = { 0 };
	char id[ID_TEXT], *what = NULL, *why;
	int64_t event = 0;
	int rc;

	why = xasprintf("%s was not verified: %s", id_text(id, 'd', s->d.id), reason);
	rc = back_put(tx, &(struct back_ask) {
		.cfg = p->view.policy->cfg, .paths = p->view.paths, .fabric = s->fabric,
		.by = AUDIT_CORE, .why = why }, &s->d, &event, &what, &none);
	/* nothing to go back to is no fault of the pass */
	if (rc == 0 || rc == PS_ENOENT || rc == PS_EINVAL)
		rc = audit_put_id(tx, &(struct audit) {
			.who = AUDIT_CORE, .what = "rollback", .why = rc == 0 ? why : none.msg,
			.refused = rc < 0, .policy = p->view.policy->cfg->digest }, 'd', s->d.id,
			err);
	else if (err)
		*err = none;
	free(what);
	free(why);
	return rc;
}

/* Is it still what the fabric has? Something newer is not turned back for an older one's fault. */
static int is_newest(struct store_tx *tx, const struct subject *s, bool *is, struct ps_err *err)
{
	char *live = NULL;
	int rc = deployment_live(tx, &s->d, &live, err);

	*is = rc == 0 && ps_streq(live, s->d.release);
	free(live);
	return rc;
}

static int fail(struct store_tx *tx, struct pass *p, const struct subject *s, const char *reason,
		struct ps_err *err)
{
	bool newest = false;
	int rc = verification_end(tx, s->v->deployment, "failed", reason, err);

	if (rc == 0)
		rc = gate_look_after(tx, s->v->release, err);
	if (rc < 0 || !s->env || !s->fabric || !s->env->rollback_auto || s->demand.asked)
		return rc;
	rc = is_newest(tx, s, &newest, err);
	if (rc == 0 && newest)
		rc = go_back(tx, p, s, reason, err);
	p->again = true;
	return rc;
}

static int pass_it(struct store_tx *tx, struct pass *p, const struct subject *s, struct ps_err *err)
{
	int rc = verification_end(tx, s->v->deployment, "verified", NULL, err);

	p->again = true;	/* others wait for that */
	return rc < 0 ? rc : gate_look_after(tx, s->v->release, err);
}

/* ---- the run ---- */

static int find_job(struct store_tx *tx, const struct subject *s, struct deployed_jobs *l,
		    const struct deployed_job **job, struct ps_err *err)
{
	int rc = deployed_jobs(tx, s->v->fabric, s->v->repository, s->v->project, l, err);

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].job, s->env->verify_run) == 0 &&
		    strcmp(l->v[i].state, "live") == 0)
			*job = &l->v[i];
	return rc;
}

static int begin(struct store_tx *tx, struct pass *p, const struct subject *s, struct ps_err *err)
{
	struct deployed_jobs l = { NULL, 0 };
	const struct deployed_job *job = NULL;
	struct ps_err why = { 0 };
	char id[ID_TEXT], *who, *none;
	int64_t run = 0;
	int rc = find_job(tx, s, &l, &job, err);

	who = xasprintf("penstock (verify %s)", id_text(id, 'd', s->d.id));
	if (rc == 0 && job)
		rc = run_make(tx, &(struct run_ask) {
			.content = p->view.paths->artifacts, .who = who,
			.provider = conf_provider_word(s->fabric->provider),
			.config = s->env->verify_config }, job, &run, &why);
	if (rc == 0 && job) {
		rc = verification_await(tx, s->d.id, run,
					p->view.now_ms + s->env->verify_timeout_ms, err);
	} else if (rc == 0) {
		none = xasprintf("fabric %s has no job '%s' of this project", s->v->fabric,
				 s->env->verify_run);
		rc = fail(tx, p, s, none, err);
		free(none);
	} else if (rc == PS_EINVAL || rc == PS_ENOENT) {
		rc = fail(tx, p, s, why.msg, err);
	} else if (err && why.msg[0]) {
		*err = why;
	}
	free(who);
	deployed_jobs_clear(&l);
	return rc;
}

static int looked(struct store_tx *tx, struct pass *p, const struct subject *s, struct ps_err *err)
{
	if (s->v->whole && s->env && s->fabric && s->env->verify_run)
		return begin(tx, p, s, err);
	return pass_it(tx, p, s, err);
}

static int too_long(struct store_tx *tx, struct pass *p, const struct subject *s,
		    const struct run *r, struct ps_err *err)
{
	char id[ID_TEXT], *why = xasprintf("%s did not pass in time", id_text(id, 'x', r->id));
	struct act *a;
	bool under_way;
	int rc = run_cancel(tx, r, why, &under_way, err);

	if (rc == 0 && under_way) {
		a = pass_act(p, ACT_STOP_RUN, r->id);
		a->fence = r->fence;
		a->name = xstrdup(why);
		rc = run_get(tx, r->id, &a->run, err);
	}
	if (rc == 0)
		rc = fail(tx, p, s, why, err);
	free(why);
	return rc;
}

static int running(struct store_tx *tx, struct pass *p, const struct subject *s, struct ps_err *err)
{
	struct run r = { 0 };
	char id[ID_TEXT], *why;
	int rc = run_get(tx, s->v->run, &r, err);

	if (rc < 0)
		goto out;
	if (strcmp(r.state, "queued") == 0 || strcmp(r.state, "running") == 0) {
		if (s->v->until_ms <= p->view.now_ms)
			rc = too_long(tx, p, s, &r, err);
	} else if (strcmp(r.state, "passed") == 0) {
		rc = pass_it(tx, p, s, err);
	} else {
		why = xasprintf("%s %s%s%s", id_text(id, 'x', r.id), r.state, r.reason ? ": " : "",
				r.reason ? r.reason : "");
		rc = fail(tx, p, s, why, err);
		free(why);
	}
out:
	run_clear(&r);
	return rc;
}

static int each(struct store_tx *tx, struct pass *p, const char *state,
		int (*then)(struct store_tx *, struct pass *, const struct subject *,
			    struct ps_err *), struct ps_err *err)
{
	struct verifications l = { NULL, 0 };
	int rc = verifications_in(tx, state, PASS_BATCH, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct subject s = { .v = NULL };

		rc = subject_read(tx, p, &l.v[i], &s, err);
		if (rc == 0)
			rc = then(tx, p, &s, err);
		subject_drop(&s);
	}
	verifications_clear(&l);
	return rc;
}

int pass_verify(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	int rc = each(tx, p, "running", running, err);

	return rc < 0 ? rc : each(tx, p, "looked", looked, err);
}
