/* pass – the frame: events in, events out, and the parts between; see pass.h. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/event.h"
#include "common/base/buf.h"

struct act *pass_act(struct pass *p, enum act_kind kind, int64_t id)
{
	struct act *a;

	p->acts = xgrow(p->acts, p->nacts, &p->cap_acts, sizeof(*p->acts));
	a = &p->acts[p->nacts++];
	*a = (struct act) { .kind = kind, .id = id, .slot = -1 };
	return a;
}

int64_t pass_take_slot(bool *taken, unsigned slots)
{
	for (unsigned s = 0; s < slots; s++)
		if (!taken[s]) {
			taken[s] = true;
			return s;
		}
	return -1;
}

static void act_clear(struct act *a)
{
	free(a->repository);
	free(a->name);
	free(a->oid);
	free(a->ref);
	build_clear(&a->build);
	test_clear(&a->test);
	deployment_clear(&a->deployment);
	deployed_jobs_clear(&a->there);
	imported_jobs_clear(&a->imported);
	free(a->known);
	release_clear(&a->release);
	run_clear(&a->run);
	free(a->prefix);
	free(a->no_prefix);
	texts_clear(&a->passed);
}

void pass_free(struct pass *p)
{
	for (size_t i = 0; i < p->nacts; i++)
		act_clear(&p->acts[i]);
	free(p->acts);
	for (size_t i = 0; i < p->nunseen; i++) {
		free(p->unseen[i].fabric);
		standstill_clear(&p->unseen[i].why);
	}
	free(p->unseen);
	pauses_clear(&p->pauses);
	pins_clear(&p->pins);
	closures_clear(&p->closures);
	recovery_clear(&p->recovery);
	policy_drop(p->view.policy);
	toolchains_clear(&p->view.toolchain);
	free(p->view.disk_problem);
	for (size_t i = 0; i < p->view.ndrivers; i++)
		free(p->view.drivers[i]);
	free(p->view.drivers);
	free(p);
}

/* Surveys at one time, and how long the gate may take for one: to keep its commit, to read it. */
enum { SURVEYS = 32, SURVEY_LEASE_MS = 180000 };

static int say_surveys(struct store_tx *tx, const struct pass *p, struct ps_err *err)
{
	struct wait w = {
		.reason = "order", .blocked_by = "penstock-gate", .lift = "penstock status",
		.detail = p->view.gate_up ?
			"its tree is read when its push is over, some at a time" :
			"the gate role is not running",
	};
	bool any;
	int rc = events_any_unsurveyed(tx, &any, err);

	if (p->view.disk >= DISK_INTAKE)
		w = (struct wait) { .reason = "disk", .blocked_by = "disk",
				    .detail = p->view.disk_problem, .lift = "penstock clean" };

	return rc < 0 || !any ? rc : wait_set(tx, WAIT_SURVEY, &w, err);
}

/* Events whose tree nobody has looked into yet. */
static int new_events(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct events l = { NULL, 0 };
	int rc = 0;

	/* on a disk that is full nothing but intake writes */
	if (p->view.gate_up && p->view.disk < DISK_INTAKE)
		rc = events_claim_surveys(tx, SURVEYS, p->view.now_ms,
					  p->view.now_ms + SURVEY_LEASE_MS, &l, err);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct act *a = pass_act(p, ACT_SURVEY, l.v[i].id);

		a->fence = l.v[i].fence;
		a->repository = xstrdup(l.v[i].repository_path);
		a->name = xstrdup(l.v[i].repository_name);
		a->oid = xstrdup(l.v[i].new);
		a->ref = xstrdup(l.v[i].ref);
	}
	events_clear(&l);
	return rc < 0 ? rc : say_surveys(tx, p, err);
}

enum { UNKEEP_BATCH = 50 };

/* Commits that nobody needs any more may go the way of all garbage. */
static int old_keeps(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct events l = { NULL, 0 };
	int rc = events_to_unkeep(tx, UNKEEP_BATCH, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct act *a = pass_act(p, ACT_UNKEEP, l.v[i].id);

		a->repository = xstrdup(l.v[i].repository_path);
		a->oid = xstrdup(l.v[i].new);
	}
	events_clear(&l);
	return rc;
}

/* Events whose demands have all ended are done, and say how. */
static int settled_events(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct demands l = { NULL, 0 };
	int rc = demands_of_settling_events(tx, PASS_BATCH, &l, err);
	size_t events = 0;

	for (size_t i = 0; i < l.n && rc == 0; events++) {
		struct buf how = BUF_INIT;
		int64_t event = l.v[i].event;
		bool open = false;

		for (; i < l.n && l.v[i].event == event; i++) {
			open = open || demand_is_open(&l.v[i]);
			buf_addf(&how, "%s%s to %s: %s", how.len ? "; " : "", l.v[i].project,
				 l.v[i].environment, l.v[i].state);
		}
		if (!open)	/* else one was opened again meanwhile */
			rc = event_end(tx, event, "done", buf_str(&how), err);
		if (rc == 0)
			rc = event_settled(tx, event, err);
		buf_clear(&how);
	}
	p->again = p->again || events == PASS_BATCH;
	demands_clear(&l);
	return rc;
}

int pass_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct pass *p = arg;
	int rc = pass_read_stops(tx, p, err);

	if (rc == 0)
		rc = new_events(tx, p, err);
	if (rc == 0)
		rc = pass_demands(tx, p, err);
	if (rc == 0)
		rc = pass_tests(tx, p, err);
	if (rc == 0)
		rc = pass_builds(tx, p, err);
	if (rc == 0)
		rc = pass_verify(tx, p, err);
	if (rc == 0)
		rc = pass_deployments(tx, p, err);
	if (rc == 0)
		rc = pass_runs(tx, p, err);
	if (rc == 0)
		rc = settled_events(tx, p, err);
	if (rc == 0)
		rc = old_keeps(tx, p, err);
	return rc < 0 ? rc : waits_prune(tx, err);
}
