/* pass_run – queued runs start when one of the builders' slots for runs is free, and their fabric
 * takes one more. */
#include "config.h"

#include "agent/flow/pass.h"

#include "common/base/id.h"

static struct standstill blocked(const struct pass *p, const char *fabric)
{
	struct standstill s = pass_stopped(p, PAUSE_RUN, NULL, fabric);

	if (s.reason)
		return s;
	if (!p->view.build_up || !p->view.toolchain_known)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("the build role is not running"),
			.blocked_by = xstrdup("penstock-build"), .lift = xstrdup("penstock status"),
		};
	if (p->view.sandbox_problem)
		return (struct standstill) {
			.reason = "sandbox", .detail = xstrdup(p->view.sandbox_problem),
			.blocked_by = xstrdup("bubblewrap"),
		};
	if (!p->view.toolchain_digest)
		return (struct standstill) {
			.reason = "toolchain", .detail = xstrdup_null(p->view.toolchain_problem),
			.blocked_by = xstrdup("toolchain"),
		};
	return (struct standstill) { .reason = NULL };
}

static size_t on_fabric(const struct runs *running, const char *fabric, const struct run **holder)
{
	size_t n = 0;

	for (size_t i = 0; i < running->n; i++)
		if (!fabric || strcmp(running->v[i].fabric, fabric) == 0) {
			*holder = n++ ? *holder : &running->v[i];
		}
	return n;
}

static unsigned limit_of(const struct pass *p, const char *fabric)
{
	const struct conf_fabric *f = config_fabric(p->view.policy->cfg, fabric);

	return f ? f->runs : 0;
}

/* Its fabric is full, or all slots are taken; holder is one of those that take them. */
static struct standstill busy(const struct pass *p, const struct runs *running, const char *fabric)
{
	unsigned slots = p->view.policy->cfg->builder.slots, limit = limit_of(p, fabric);
	const struct run *holder = NULL;
	size_t here = on_fabric(running, fabric, &holder);
	bool full = limit && here >= limit;
	char id[ID_TEXT], *detail;

	if (!full)
		here = on_fabric(running, NULL, &holder);
	if (!holder)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("builders.default.slots is 0"),
			.blocked_by = xstrdup("builders.default.slots"),
			.lift = xstrdup("penstock reload"),
		};
	id_text(id, 'x', holder->id);
	if (full)
		detail = xasprintf("%zu of %u runs that fabric %s takes are under way (%s)", here,
				   limit, fabric, id);
	else
		detail = xasprintf("%zu of %u runs under way (%s)", here, slots, id);
	return (struct standstill) { .reason = full ? "lock" : "builder", .detail = detail,
				     .blocked_by = xstrdup(id),
				     .lift = xstrdup("penstock runs --state running") };
}

static int start(struct store_tx *tx, struct pass *p, const struct line_row *row, int64_t slot,
		 struct ps_err *err)
{
	int64_t time_ms = p->view.policy->cfg->builder.time_ms;
	struct act *a = pass_act(p, ACT_RUN, row->id);
	int rc = pass_served(tx, LINE_RUN, "", row, p->view.now_ms, err);

	a->slot = slot;
	if (rc == 0)
		rc = run_claim(tx, row->id, slot, p->view.now_ms + time_ms + LEASE_GRACE_MS,
			       &a->fence, err);
	return rc < 0 ? rc : run_get(tx, row->id, &a->run, err);
}

static int share_slots(struct store_tx *tx, struct pass *p, struct pass_candidates *c,
		       struct sched_limit *limits, const struct runs *running, struct ps_err *err)
{
	unsigned slots = p->view.policy->cfg->builder.slots;
	size_t free_slots = running->n < slots ? slots - running->n : 0, n;
	const struct line_row **picked = xcalloc(c->rows.n, sizeof(*picked));
	bool *taken = xcalloc(slots, sizeof(*taken));
	int rc = 0;

	for (size_t i = 0; i < running->n; i++)
		if (running->v[i].slot >= 0 && running->v[i].slot < slots)
			taken[running->v[i].slot] = true;
	n = pass_pick(p, c, free_slots, limits, picked);
	for (size_t i = 0; i < n && rc == 0; i++) {
		int64_t slot = pass_take_slot(taken, slots);

		rc = slot < 0 ? 0 : start(tx, p, picked[i], slot, err);
	}
	free(picked);
	free(taken);
	return rc;
}

/* A run may have done half of its work outside: it is not begun again, and says so. */
static int end_leases(struct store_tx *tx, struct pass *p, const struct runs *running,
		      struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < running->n && rc == 0; i++)
		if (running->v[i].lease_ms && running->v[i].lease_ms <= p->view.now_ms)
			rc = run_finish(tx, running->v[i].id, running->v[i].fence, "unknown",
					"the build role told nothing of it for too long", err);
	return rc;
}

static int each_place(struct store_tx *tx, struct pass *p, const struct pass_places *places,
		      const struct runs *running, struct ps_err *err)
{
	struct sched_limit *limits = xcalloc(places->n, sizeof(*limits));
	struct pass_candidates c = { .limit_of = NULL };
	int rc = 0;

	for (size_t i = 0; i < places->n && rc == 0; i++) {
		struct standstill s = blocked(p, places->v[i]);
		const struct run *holder;

		limits[i].max = limit_of(p, places->v[i]);
		limits[i].used = on_fabric(running, places->v[i], &holder);
		if (!s.reason)
			rc = pass_candidates_add(tx, p, LINE_RUN, places->v[i],
						 p->view.policy->cfg->builder.slots, i, &c, err);
		standstill_clear(&s);
	}
	if (rc == 0)
		rc = share_slots(tx, p, &c, limits, running, err);
	pass_candidates_clear(&c);
	free(limits);
	return rc;
}

/* What is left says why. */
static int say(struct store_tx *tx, struct pass *p, const struct pass_places *places,
	       struct ps_err *err)
{
	struct runs running = { NULL, 0 };
	int rc = runs_running(tx, &running, err);

	for (size_t i = 0; i < places->n && rc == 0; i++) {
		struct standstill s = blocked(p, places->v[i]);

		if (!s.reason)
			s = busy(p, &running, places->v[i]);
		rc = pass_stand(tx, LINE_RUN, places->v[i], &s, err);
	}
	runs_clear(&running);
	return rc;
}

int pass_runs(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct pass_places places = { .v = NULL };
	struct runs running = { NULL, 0 };
	int rc = runs_running(tx, &running, err);

	if (rc == 0)
		rc = end_leases(tx, p, &running, err);
	runs_clear(&running);
	if (rc == 0)
		rc = pass_places(tx, LINE_RUN, &places, err);
	if (rc == 0 && places.n)
		rc = runs_running(tx, &running, err);
	if (rc == 0 && places.n)
		rc = each_place(tx, p, &places, &running, err);
	pass_places_clear(&places);
	if (rc == 0)
		rc = pass_places(tx, LINE_RUN, &places, err);
	if (rc == 0)
		rc = say(tx, p, &places, err);
	pass_places_clear(&places);
	runs_clear(&running);
	return rc;
}
