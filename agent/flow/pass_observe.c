/* pass_observe – is it known what is in force where a deployment goes? See pass.h. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/observation.h"
#include "common/base/clock.h"

/* What was seen this long ago counts as now; an answer that does not come is asked for again, and
 * so is one that could not be given. */
enum { SEEN_NOW_MS = 10000, ANSWER_MS = 60000, TRY_AGAIN_MS = 30000 };

static int ask(struct store_tx *tx, struct pass *p, const struct deployment *d,
	       const struct observed_place *at, struct ps_err *err)
{
	int rc = observation_ask(tx, at, p->view.now_ms, err);

	if (rc == 0)
		rc = deployment_get(tx, d->id, &pass_act(p, ACT_OBSERVE, d->id)->deployment, err);
	return rc;
}

/* Where nothing of ours is, a folder needs no look; a server is asked whether it is there. */
static bool needs_look(const struct pass *p, const struct deployment *d,
		       const struct deployed_jobs *known)
{
	const struct conf_fabric *f = config_fabric(p->view.policy->cfg, d->fabric);

	return known->n || (f && f->provider != CONF_LOCAL);
}

static struct standstill standing(const struct deployment *d, char *detail)
{
	return (struct standstill) { .reason = "fabric", .detail = detail,
				     .blocked_by = xasprintf("fabric %s", d->fabric) };
}

int pass_observe(struct store_tx *tx, struct pass *p, const struct deployment *d, bool *now,
		 struct standstill *s, struct ps_err *err)
{
	const struct observed_place at = { d->fabric, d->repository, d->project };
	struct deployed_jobs known = { NULL, 0 };
	struct observation o = { 0 };
	int64_t t = p->view.now_ms;
	int rc = deployed_jobs(tx, at.fabric, at.repository, at.project, &known, err);

	if (rc == 0)
		rc = observation_get(tx, &at, &o, err);
	/* what was seen before it came here, or was approved, says nothing of what came since */
	if (rc == 0 && d->since_ms <= t && o.seen_ms < d->since_ms && o.asked_ms <= o.seen_ms)
		o.seen_ms = o.asked_ms = 0;
	*now = rc == 0 && (!needs_look(p, d, &known) ||
			   (!o.problem && o.seen_ms >= o.asked_ms && o.seen_ms > t - SEEN_NOW_MS));
	if (rc < 0 || *now)
		goto out;
	if (o.asked_ms > o.seen_ms && o.asked_ms > t - ANSWER_MS) {
		*s = standing(d, xasprintf("looking at what fabric %s has", d->fabric));
	} else if (o.problem && o.seen_ms > t - TRY_AGAIN_MS) {
		char next[CLOCK_TEXT];

		*s = standing(d, xasprintf("cannot see what fabric %s has: %s; next try at %s",
					   d->fabric, o.problem,
					   clock_text(next, o.seen_ms + TRY_AGAIN_MS)));
	} else {
		*s = standing(d, xasprintf("looking at what fabric %s has", d->fabric));
		rc = ask(tx, p, d, &at, err);
	}
out:
	deployed_jobs_clear(&known);
	observation_clear(&o);
	return rc;
}
