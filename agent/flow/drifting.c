/* drifting – see drifting.h. */
#include "config.h"

#include "agent/flow/drifting.h"

#include "agent/flow/observe.h"
#include "agent/store/observation.h"
#include "common/base/clock.h"
#include "common/base/log.h"

/* How often it is asked whether a look is due: ten times as often as looks come, within these. An
 * answer that has not come for so long does not come. */
enum { TICK_MIN_MS = 500, TICK_MAX_MS = 30000, ANSWER_MS = 60000 };

struct drifting {
	struct core *core;
	struct loop_watch *timer;
	struct asking *asking; /* the store is being read; NULL: not */
};

/* One reading; over when the store is closed, which is before drifting_close(). */
struct asking {
	struct drifting *of;
	struct policy_now *policy;
	struct observations due;
};

static int64_t tick(const struct config *cfg)
{
	int64_t least = 10 * TICK_MAX_MS;

	for (size_t i = 0; i < cfg->nfabrics; i++)
		if (cfg->fabrics[i].drift_ms && cfg->fabrics[i].drift_ms < least)
			least = cfg->fabrics[i].drift_ms;
	return least / 10 < TICK_MIN_MS ? TICK_MIN_MS : least / 10;
}

static int read_due(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct asking *a = arg;
	const struct config *cfg = a->policy->cfg;
	int64_t now = clock_wall_ms();
	int rc = 0;

	for (size_t i = 0; i < cfg->nfabrics && rc == 0; i++)
		if (cfg->fabrics[i].drift_ms)
			rc = observations_due(tx, cfg->fabrics[i].name,
					      now - cfg->fabrics[i].drift_ms, now - ANSWER_MS, 1,
					      &a->due, err);
	return rc;
}

static void on_due(void *arg, int rc, const struct ps_err *err)
{
	struct asking *a = arg;
	struct drifting *d = a->of;

	if (rc < 0)
		log_warn("store", NULL, "which fabrics are to be looked at is not known: %s",
			 ps_err_msg(err, rc));
	for (size_t i = 0; rc == 0 && !d->core->role->stopping && i < a->due.n; i++)
		flow_observe(d->core, a->due.v[i].fabric, a->due.v[i].repository,
			     a->due.v[i].project, NULL, NULL);
	d->asking = NULL;
	observations_clear(&a->due);
	policy_drop(a->policy);
	free(a);
}

static void on_timer(void *arg)
{
	struct drifting *d = arg;
	struct core *c = d->core;

	if (!d->asking && !c->role->stopping && c->roles[CORE_DEPLOY].peer) {
		d->asking = xcalloc(1, sizeof(*d->asking));
		d->asking->of = d;
		d->asking->policy = policy_take(c->policy);
		store_read(c->store, read_due, on_due, d->asking);
	}
	loop_timer_set(d->timer, tick(c->policy->cfg));
}

void drifting_open(struct drifting **out, struct core *c)
{
	struct drifting *d = xcalloc(1, sizeof(*d));

	d->core = c;
	d->timer = loop_timer(c->loop, on_timer, d);
	loop_timer_set(d->timer, tick(c->policy->cfg));
	*out = d;
}

void drifting_close(struct drifting *d)
{
	if (!d)
		return;
	loop_watch_free(d->timer);
	free(d);
}
