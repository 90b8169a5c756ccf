/* pass_run – queued runs start when their fabric takes one more and there is room: for local ones
 * one of the builders' slots for runs, for those at providers one of the deploy role's watchers. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/run_toolchain.h"
#include "agent/store/repository.h"
#include "common/base/id.h"

/* Runs at providers that are under way at the same time: a process each. */
enum { REMOTE_MAX = 64 };

static bool is_remote(const struct pass *p, const char *fabric)
{
	const struct conf_fabric *f = config_fabric(p->view.policy->cfg, fabric);

	return f && f->provider != CONF_LOCAL;
}

static struct standstill blocked(const struct pass *p, const char *fabric)
{
	struct standstill s = pass_stopped(p, PAUSE_RUN, NULL, fabric);

	if (s.reason || (is_remote(p, fabric) && p->view.deploy_up))
		return s;
	if (is_remote(p, fabric))
		return (struct standstill) {
			.reason = "fabric", .detail = xstrdup("the deploy role is not running"),
			.blocked_by = xstrdup("penstock-deploy"),
			.lift = xstrdup("penstock status"),
		};
	if (!p->view.build_up || !p->view.toolchain.known)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("the build role is not running"),
			.blocked_by = xstrdup("penstock-build"), .lift = xstrdup("penstock status"),
		};
	if (p->view.toolchain.sandbox_problem)
		return (struct standstill) {
			.reason = "sandbox", .detail = xstrdup(p->view.toolchain.sandbox_problem),
			.blocked_by = xstrdup("bubblewrap"),
		};
	if (!toolchains_any(&p->view.toolchain))
		return (struct standstill) {
			.reason = "toolchain", .detail = xstrdup_null(p->view.toolchain.problem),
			.blocked_by = xstrdup("toolchain"),
		};
	return (struct standstill) { .reason = NULL };
}

static size_t on_fabric(const struct runs *running, const char *fabric, const struct run **holder)
{
	size_t n = 0;

	for (size_t i = 0; i < running->n; i++)
		if (strcmp(running->v[i].fabric, fabric) == 0)
			*holder = n++ ? *holder : &running->v[i];
	return n;
}

static size_t of_role(const struct runs *running, bool remote, const struct run **holder)
{
	size_t n = 0;

	for (size_t i = 0; i < running->n; i++)
		if (run_is_remote(&running->v[i]) == remote)
			*holder = n++ ? *holder : &running->v[i];
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
	unsigned limit = limit_of(p, fabric);
	bool remote = is_remote(p, fabric);
	unsigned slots = remote ? REMOTE_MAX : p->view.policy->cfg->builder.slots;
	const struct run *holder = NULL;
	size_t here = on_fabric(running, fabric, &holder);
	bool full = limit && here >= limit;
	char id[ID_TEXT], *detail;

	if (!full)
		here = of_role(running, remote, &holder);
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
	return (struct standstill) { .reason = full ? "lock" : remote ? "fabric" : "builder",
				     .detail = detail, .blocked_by = xstrdup(id),
				     .lift = xstrdup("penstock runs --state running") };
}

static void add_passed(void *arg, const char *task)
{
	texts_add(arg, task);
}

/* All that its role is told. */
static int read_act(struct store_tx *tx, const struct pass *p, struct act *a,
		    struct ps_err *err)
{
	struct repository r = { 0 };
	int rc = run_get(tx, a->id, &a->run, err);

	if (rc == 0)
		rc = repository_get(tx, a->run.repository, &r, err);
	a->name = xstrdup_null(r.name);
	repository_clear(&r);
	if (rc == 0 && !run_is_remote(&a->run))
		rc = run_toolchain(tx, &a->run, a->name, &p->view.toolchain,
				   p->view.policy->cfg, &a->prefix, &a->no_prefix, err);
	if (rc == 0 && a->run.repair)
		rc = run_passed(tx, a->id, add_passed, &a->passed, err);
	return rc;
}

static int start(struct store_tx *tx, struct pass *p, const struct line_row *row, int64_t slot,
		 int64_t lease_ms, struct ps_err *err)
{
	struct act *a = pass_act(p, ACT_RUN, row->id);
	int rc = pass_served(tx, LINE_RUN, "", row, p->view.now_ms, err);

	a->slot = slot;
	if (rc == 0)
		rc = run_claim(tx, row->id, slot, p->view.now_ms + lease_ms, &a->fence, err);
	return rc < 0 ? rc : read_act(tx, p, a, err);
}

static int share_slots(struct store_tx *tx, struct pass *p, struct pass_candidates *c,
		       struct sched_limit *limits, const struct runs *running, struct ps_err *err)
{
	unsigned slots = p->view.policy->cfg->builder.slots;
	const struct run *holder;
	size_t used = of_role(running, false, &holder), n;
	size_t free_slots = used < slots ? slots - used : 0;
	const struct line_row **picked = xcalloc(c->rows.n, sizeof(*picked));
	bool *taken = xcalloc(slots, sizeof(*taken));
	int rc = 0;

	for (size_t i = 0; i < running->n; i++)
		if (running->v[i].slot >= 0 && running->v[i].slot < slots)
			taken[running->v[i].slot] = true;
	n = pass_pick(p, c, free_slots, limits, picked);
	for (size_t i = 0; i < n && rc == 0; i++) {
		int64_t slot = pass_take_slot(taken, slots);

		rc = slot < 0 ? 0 : start(tx, p, picked[i], slot,
					  p->view.policy->cfg->builder.time_ms + LEASE_GRACE_MS,
					  err);
	}
	free(picked);
	free(taken);
	return rc;
}

static int share_watchers(struct store_tx *tx, struct pass *p, struct pass_candidates *c,
			  struct sched_limit *limits, const struct runs *running,
			  struct ps_err *err)
{
	const struct line_row **picked = xcalloc(c->rows.n + 1, sizeof(*picked));
	const struct run *holder;
	size_t used = of_role(running, true, &holder), n;
	int rc = 0;

	n = pass_pick(p, c, used < REMOTE_MAX ? REMOTE_MAX - used : 0, limits, picked);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = start(tx, p, picked[i], -1, LEASE_REMOTE_MS, err);
	free(picked);
	return rc;
}

/* Nobody looks after it any more: the next one goes on from its provider's id. */
static int go_on(struct store_tx *tx, struct pass *p, const struct run *r, struct ps_err *err)
{
	struct act *a;
	int rc;

	if (!p->view.deploy_up)
		return 0;
	a = pass_act(p, ACT_RUN, r->id);
	rc = run_reclaim(tx, r->id, p->view.now_ms + LEASE_REMOTE_MS, &a->fence, err);
	return rc < 0 ? rc : read_act(tx, p, a, err);
}

/* A local run may have done half of its work: it is not begun again, and says so. */
static int end_leases(struct store_tx *tx, struct pass *p, const struct runs *running,
		      struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < running->n && rc == 0; i++) {
		const struct run *r = &running->v[i];

		if (!r->lease_ms || r->lease_ms > p->view.now_ms)
			continue;
		rc = run_is_remote(r) ? go_on(tx, p, r, err)
				      : run_finish(tx, r->id, r->fence, "unknown", "the build role "
						   "told nothing of it for too long", err);
	}
	return rc;
}

static int each_place(struct store_tx *tx, struct pass *p, const struct pass_places *places,
		      const struct runs *running, struct ps_err *err)
{
	struct sched_limit *limits = xcalloc(places->n, sizeof(*limits));
	struct pass_candidates local = { .limit_of = NULL }, remote = { .limit_of = NULL };
	int rc = 0;

	for (size_t i = 0; i < places->n && rc == 0; i++) {
		struct standstill s = blocked(p, places->v[i]);
		const struct run *holder;

		limits[i].max = limit_of(p, places->v[i]);
		limits[i].used = on_fabric(running, places->v[i], &holder);
		if (!s.reason)
			rc = is_remote(p, places->v[i])
			     ? pass_candidates_add(tx, p, LINE_RUN, places->v[i], REMOTE_MAX, i,
						   &remote, err)
			     : pass_candidates_add(tx, p, LINE_RUN, places->v[i],
						   p->view.policy->cfg->builder.slots, i, &local,
						   err);
		standstill_clear(&s);
	}
	if (rc == 0)
		rc = share_slots(tx, p, &local, limits, running, err);
	if (rc == 0)
		rc = share_watchers(tx, p, &remote, limits, running, err);
	pass_candidates_clear(&local);
	pass_candidates_clear(&remote);
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
