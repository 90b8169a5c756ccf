/* acts_gate – what people say at a deployment's gates: approve, reject, deploy. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/gates.h"
#include "agent/store/demand.h"
#include "agent/store/gate.h"
#include "common/base/clock.h"
#include "common/base/id.h"

/* One deployment with all that is asked about who may. */
struct at_gate {
	struct deployment d;
	struct demand demand;
	struct approvals approvals;
	struct texts makers;
	bool unknown;
	struct gates_facts facts;
};

static void at_gate_clear(struct at_gate *g)
{
	deployment_clear(&g->d);
	demand_clear(&g->demand);
	approvals_clear(&g->approvals);
	texts_clear(&g->makers);
}

static int ended(struct acting *a, const struct deployment *d, struct ps_err *err)
{
	char id[ID_TEXT];

	a->next = xasprintf("penstock why %s", id_text(id, 'd', d->id));
	return ps_err_set(err, PS_EBUSY, "%s is %s: there is nothing to %s", id, d->state,
			  acts_word(a->ask.verb));
}

static int read_gate(struct store_tx *tx, struct acting *a, int64_t id, struct at_gate *g,
		     struct ps_err *err)
{
	const struct conf_environment *env;
	int rc = acts_unknown(a, "deployment", deployment_get(tx, id, &g->d, err), err);

	if (rc == 0 && strcmp(g->d.state, "waiting") != 0)
		rc = ended(a, &g->d, err);
	if (rc == 0)
		rc = demand_get(tx, g->d.demand, &g->demand, err);
	if (rc == 0)
		rc = approvals_of(tx, id, &g->approvals, err);
	if (rc == 0)
		rc = gate_makers(tx, g->demand.event, &g->makers, &g->unknown, err);
	if (rc < 0)
		return rc;
	env = config_environment(a->cfg, g->d.environment);
	g->facts = (struct gates_facts){
		.cfg = a->cfg,
		.env = env,
		.fabric = env ? config_fabric(a->cfg, env->fabric) : NULL,
		.d = &g->d,
		.digest = g->d.plan_digest,
		.changed = g->d.changed,
		.approvals = &g->approvals,
		.makers = &g->makers,
		.now_ms = clock_wall_ms(),
	};
	return g->facts.fabric ? 0
			       : ps_err_set(err, PS_EBUSY,
					    "environment %s is not in the configuration "
					    "any more: %s ends at the next pass",
					    g->d.environment, a->ask.thing);
}

static int want_deployment(struct acting *a, int64_t *id, struct ps_err *err)
{
	if (a->ask.thing && id_parse(a->ask.thing, 'd', id))
		return 0;
	a->next = xstrdup("penstock approvals");
	return ps_err_set(err, PS_EINVAL, "'%s' is no deployment: say one like d12",
			  a->ask.thing ? a->ask.thing : "");
}

static int want_why(struct acting *a, const char *what, struct ps_err *err)
{
	return a->ask.why && *a->ask.why
		       ? 0
		       : ps_err_set(err, PS_EINVAL, "%s needs a reason: -m TEXT", what);
}

/* ---- approve ---- */

/* Does it stand where an approval helps? An emergency helps in line too: no window keeps it then.
 */
static int check_gate(struct acting *a, const struct at_gate *g, struct ps_err *err)
{
	if (strcmp(g->d.gate, "approval") == 0 || (a->ask.emergency && !*g->d.gate))
		return 0;
	a->next = xasprintf("penstock why %s", a->ask.thing);
	return ps_err_set(err, PS_EBUSY, "%s does not wait for an approval: %s%s%s", a->ask.thing,
			  *g->d.gate ? g->d.gate : "it is in line", g->d.detail ? ": " : "",
			  g->d.detail ? g->d.detail : "");
}

static int check_plan(struct acting *a, const struct at_gate *g, struct ps_err *err)
{
	if (!a->ask.plan || ps_streq(a->ask.plan, g->d.plan_digest))
		return 0;
	a->next = xasprintf("penstock approve %s", a->ask.thing);
	return ps_err_set(err, PS_EBUSY,
			  "the plan of %s is not the one that you saw any more: %.12s, not %.12s",
			  a->ask.thing, g->d.plan_digest ? g->d.plan_digest : "none", a->ask.plan);
}

static int decide(struct store_tx *tx, struct acting *a, const struct at_gate *g,
		  const char *decision, struct ps_err *err)
{
	struct approval one = {
		.deployment = g->d.id,
		.plan_digest = g->d.plan_digest ? g->d.plan_digest : (char *)"",
		.login = (char *)a->ask.who.login,
		.who = (char *)a->ask.who.shown,
		.decision = (char *)decision,
		.emergency = a->ask.emergency,
		.message = (char *)a->ask.why,
		.policy = (char *)a->cfg->digest,
	};

	free(a->plan);
	a->plan = xstrdup_null(g->d.plan_digest);
	return approval_insert(tx, &one, err);
}

static void tell_approved(struct acting *a, struct at_gate *g)
{
	bool emergency;
	unsigned n = gates_approved(&g->facts, &emergency);
	char *what = a->ask.emergency
			     ? xasprintf("to %s, as an emergency", g->d.environment)
			     : xasprintf("to %s: %s %u/%u", g->d.environment,
					 g->facts.fabric->owner, n, g->facts.env->approvals);

	acts_item(a, 'd', g->d.id, "waiting", a->why, what);
	free(what);
}

int acts_approve(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	struct at_gate g = { .unknown = false };
	int64_t id = 0;
	int rc = want_deployment(a, &id, err);

	if (rc == 0 && a->ask.emergency)
		rc = want_why(a, "an emergency", err);
	if (rc == 0)
		rc = read_gate(tx, a, id, &g, err);
	if (rc == 0)
		rc = gates_check_approver(&g.facts, &a->ask.who, a->ask.emergency, err);
	if (rc == 0)
		rc = check_gate(a, &g, err);
	if (rc == 0)
		rc = check_plan(a, &g, err);
	if (rc == 0)
		rc = decide(tx, a, &g, "approved", err);
	if (rc == 0 && a->ask.emergency)
		rc = gate_emergency(tx, id, true, err);
	if (rc == 0)
		rc = gate_look(tx, id, err);
	approvals_clear(&g.approvals);
	if (rc == 0)
		rc = approvals_of(tx, id, &g.approvals, err);
	if (rc == 0)
		tell_approved(a, &g);
	at_gate_clear(&g);
	return rc;
}

/* ---- reject ---- */

static int reject_one(struct store_tx *tx, struct acting *a, const struct deployment *d,
		      struct ps_err *err)
{
	int rc = deployment_set(tx, d->id, "rejected", a->why, NULL, 0, err);

	if (rc == 0)
		rc = demand_set(tx, d->demand, "cancelled", a->why, NULL, 0, err);
	if (rc == 0)
		acts_item(a, 'd', d->id, "rejected", a->why, d->environment);
	return rc;
}

/* The release is not wanted there, by whatever label it waits. */
int acts_reject(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	struct at_gate g = { .unknown = false };
	struct deployments same = { NULL, 0 };
	int64_t id = 0;
	int rc = want_deployment(a, &id, err);

	if (rc == 0)
		rc = want_why(a, "a rejection", err);
	if (rc == 0)
		rc = read_gate(tx, a, id, &g, err);
	if (rc == 0)
		rc = gates_check_owner(&g.facts, &a->ask.who, "reject", err);
	if (rc == 0)
		rc = decide(tx, a, &g, "rejected", err);
	if (rc == 0)
		rc = gates_of_release(tx, &g.d, &same, err);
	for (size_t i = 0; i < same.n && rc == 0; i++)
		rc = reject_one(tx, a, &same.v[i], err);
	deployments_clear(&same);
	at_gate_clear(&g);
	return rc;
}

/* ---- deploy, where that is done by hand ---- */

static int let_go(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct at_gate g = { .unknown = false };
	int rc = read_gate(tx, a, id, &g, err);
	char text[ID_TEXT];

	if (rc == 0)
		rc = gates_check_owner(&g.facts, &a->ask.who, "deploy", err);
	if (rc == 0 && strcmp(g.d.gate, "manual") != 0) {
		a->next = xasprintf("penstock why %s", id_text(text, 'd', id));
		rc = ps_err_set(err, PS_EBUSY, "%s does not wait for being deployed by hand: %s",
				text, *g.d.gate ? g.d.gate : "it is in line");
	}
	if (rc == 0)
		rc = gate_let(tx, id, a->ask.who.shown, a->ask.why, err);
	if (rc == 0 && a->ask.jobs)
		rc = demand_set_jobs(tx, g.d.demand, a->ask.jobs, err);
	if (rc == 0)
		acts_item(a, 'd', id, "waiting", a->why, g.d.environment);
	at_gate_clear(&g);
	return rc;
}

/* An environment's name means all that waits there for it. */
int acts_deploy(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	const char *thing = a->ask.thing ? a->ask.thing : "";
	int64_t id = 0;
	int rc;

	if (id_parse(thing, 'd', &id))
		return let_go(tx, a, id, err);
	if (!config_environment(a->cfg, thing)) {
		a->next = xstrdup("penstock queue");
		return ps_err_set(err, PS_ENOENT,
				  "'%s' is neither an environment nor a deployment like d12",
				  thing);
	}
	rc = gates_at(tx, "manual", thing, a->ask.repository, a->ask.project, &l, err);
	if (rc == 0 && !l.n) {
		a->next = xasprintf("penstock promote LABEL %s", thing);
		rc = ps_err_set(err, PS_EBUSY,
				"nothing waits in environment %s for being deployed by hand",
				thing);
	}
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = let_go(tx, a, l.v[i].id, err);
	deployments_clear(&l);
	return rc;
}
