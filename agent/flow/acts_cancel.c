/* acts_cancel – an event's work, one build, run or deployment, or all that is queued for some refs
 * ends, by the hand of somebody whose it is. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/acts_rights.h"
#include "agent/store/demand.h"
#include "agent/store/deployment.h"
#include "common/base/buf.h"
#include "common/base/id.h"
#include "common/config/mapping.h"

static int cancel_build(struct store_tx *tx, struct acting *a, const struct build *b,
			struct ps_err *err)
{
	bool under_way;
	int rc = build_cancel(tx, b, a->why, &under_way, err);

	if (rc == 0)
		acts_item(a, 'b', b->id, under_way ? b->state : "cancelled", a->why, b->pipeline);
	return rc;
}

static int cancel_test(struct store_tx *tx, struct acting *a, const struct test *t,
		       struct ps_err *err)
{
	bool under_way;
	int rc = test_cancel(tx, t, a->why, &under_way, err);

	if (rc < 0)
		return rc;
	acts_item(a, 't', t->id, under_way ? t->state : "cancelled", a->why, t->pipeline);
	if (under_way)
		acts_stop(a, 't', t->id, t->fence, false);
	return 0;
}

static int cancel_its_tests(struct store_tx *tx, struct acting *a, int64_t demand,
			    struct ps_err *err)
{
	struct tests l = { NULL, 0 };
	int rc = tests_of_demand_alone(tx, demand, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = cancel_test(tx, a, &l.v[i], err);
	tests_clear(&l);
	return rc;
}

/* Builds that only this demand needs end with it; one that others need goes on. */
static int cancel_its_builds(struct store_tx *tx, struct acting *a, int64_t demand,
			     struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	int rc = builds_of_demand_alone(tx, demand, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = cancel_build(tx, a, &l.v[i], err);
	builds_clear(&l);
	return rc;
}

/* An open demand, the deployment that waits for it, and what nobody else needs. A deployment that
 * is changing its fabric right now is not interrupted: *busy gets its number. */
static int cancel_demand(struct store_tx *tx, struct acting *a, const struct need *n, int64_t *busy,
			 struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	char *what = xasprintf("%s to %s", n->project, n->environment);
	int rc = deployments_of_demand(tx, n->id, &l, err);

	*busy = 0;
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.v[i].state, "running") == 0)
			*busy = l.v[i].id;
	for (size_t i = 0; i < l.n && rc == 0 && !*busy; i++) {
		if (strcmp(l.v[i].state, "waiting") != 0)
			continue;
		rc = deployment_set(tx, l.v[i].id, "cancelled", a->why, NULL, 0, err);
		acts_item(a, 'd', l.v[i].id, "cancelled", a->why, what);
	}
	if (rc == 0 && *busy)
		acts_item(a, 'd', *busy, "running",
			  "it is changing its fabric; that is not interrupted", what);
	if (rc == 0 && !*busy)
		rc = cancel_its_builds(tx, a, n->id, err);
	if (rc == 0 && !*busy)
		rc = cancel_its_tests(tx, a, n->id, err);
	if (rc == 0 && !*busy)
		rc = demand_set(tx, n->id, "cancelled", a->why, NULL, 0, err);
	deployments_clear(&l);
	free(what);
	return rc;
}

static int cancel_open(struct store_tx *tx, struct acting *a, const struct needs *l, size_t *ended,
		       struct ps_err *err)
{
	char id[ID_TEXT];
	int64_t busy = 0, any_busy = 0;
	int rc = 0;

	*ended = 0;
	for (size_t i = 0; i < l->n && rc == 0; i++) {
		if (!need_is_open(&l->v[i]))
			continue;
		rc = cancel_demand(tx, a, &l->v[i], &busy, err);
		any_busy = busy ? busy : any_busy;
		*ended += !busy;
	}
	if (rc == 0 && !*ended && any_busy)
		rc = ps_err_set(err, PS_EBUSY,
				"%s is changing its fabric right now; that is not "
				"interrupted, and nothing else of it is open",
				id_text(id, 'd', any_busy));
	return rc;
}

static bool any_in_state(const struct needs *l, const char *state)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].state, state) == 0)
			return true;
	return false;
}

/* Nothing of it is open: it was not looked into yet, is held, or has ended. */
static int cancel_bare(struct store_tx *tx, struct acting *a, const struct ref_event *e,
		       const struct needs *l, struct ps_err *err)
{
	bool cuttable =
		strcmp(e->state, "held") == 0 || (strcmp(e->state, "open") == 0 && !e->surveyed);
	char *pusher = NULL;
	int rc;

	if (!cuttable && (any_in_state(l, "cancelled") ||
			  ps_starts(e->reason ? e->reason : "", "cancelled by "))) {
		acts_item(a, 'e', e->id, e->state, "it was cancelled already", e->ref);
		return 0;
	}
	if (!cuttable)
		return ps_err_set(err, PS_EBUSY, "%s is %s: nothing of it waits or is under way",
				  a->ask.thing, e->state);
	rc = event_pusher_login(tx, e->id, &pusher, err);
	if (rc == 0)
		rc = acts_check(a->cfg, &a->ask.who, "cancel", a->ask.thing, pusher, NULL, err);
	if (rc == 0)
		rc = event_end(tx, e->id, "done", a->why, err);
	if (rc == 0)
		acts_item(a, 'e', e->id, "done", a->why, e->ref);
	free(pusher);
	return rc;
}

static int cancel_event(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct ref_event e = { 0 };
	struct needs l = { NULL, 0 };
	char text[64];
	size_t ended = 0;
	int rc = event_get(tx, id, &e, err);

	if (rc == 0)
		rc = needs_of_event(tx, id, &l, err);
	if (rc == 0 && !any_in_state(&l, "waiting") && !any_in_state(&l, "active")) {
		rc = cancel_bare(tx, a, &e, &l, err);
		goto out;
	}
	if (rc == 0)
		rc = acts_check_needs(a, "cancel", a->ask.thing, &l, true, err);
	if (rc == 0)
		rc = cancel_open(tx, a, &l, &ended, err);
	snprintf(text, sizeof(text), "%zu demand%s cancelled", ended, ended == 1 ? "" : "s");
	if (rc == 0)
		acts_item(a, 'e', id, e.state, text, e.ref);
out:
	event_clear(&e);
	needs_clear(&l);
	return rc;
}

/* A build is shared: who ends it ends the wait of everybody who needs it, so he must say so. */
static int check_shared(struct acting *a, const struct needs *l, struct ps_err *err)
{
	struct buf who = BUF_INIT;
	char id[ID_TEXT];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < l->n; i++)
		if (need_is_open(&l->v[i]))
			buf_addf(&who, "%s%s (%s, %s to %s)", n++ ? ", " : "",
				 id_text(id, 'e', l->v[i].event), l->v[i].ref, l->v[i].project,
				 l->v[i].environment);
	if (n > 1 && !a->ask.all_demands) {
		a->next = xasprintf("penstock cancel %s --all-demands", a->ask.thing);
		rc = ps_err_set(err, PS_EBUSY,
				"%zu demands need %s: %s; cancel one of these events, or all "
				"of it with --all-demands",
				n, a->ask.thing, buf_str(&who));
	}
	buf_clear(&who);
	return rc;
}

/* A build that compares belongs to who asked for it, and to those whose build it compares. */
static int check_comparing(struct store_tx *tx, struct acting *a, const struct build *b,
			   struct ps_err *err)
{
	struct needs l = { NULL, 0 };
	int rc;

	if (ps_streq(b->asked_by, a->ask.who.shown))
		return 0;
	rc = needs_of_build(tx, b->check_of, &l, err);
	if (rc == 0)
		rc = acts_check_any(a, "cancel", a->ask.thing, &l, err);
	needs_clear(&l);
	return rc;
}

static bool has_ended(const char *state)
{
	return strcmp(state, "queued") != 0 && strcmp(state, "claimed") != 0 &&
	       strcmp(state, "running") != 0;
}

static int cancel_one_build(struct store_tx *tx, struct acting *a, const struct build *b,
			    struct ps_err *err)
{
	struct needs l = { NULL, 0 };
	size_t ended = 0;
	int rc = needs_of_build(tx, b->id, &l, err);
	bool open = any_in_state(&l, "waiting") || any_in_state(&l, "active");

	if (rc == 0 && b->check_of)
		rc = check_comparing(tx, a, b, err);
	else if (rc == 0 && open)
		rc = acts_check_needs(a, "cancel", a->ask.thing, &l, true, err);
	else if (rc == 0)
		rc = acts_check_any(a, "cancel", a->ask.thing, &l, err);
	if (rc == 0)
		rc = check_shared(a, &l, err);
	/* first the build itself, whose number was typed; with its demands goes what only they need
	 */
	if (rc == 0)
		rc = cancel_build(tx, a, b, err);
	if (rc == 0)
		rc = cancel_open(tx, a, &l, &ended, err);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (need_is_open(&l.v[i]))
			acts_item(a, 'e', l.v[i].event, "open",
				  "its demand for this build was cancelled", l.v[i].ref);
	needs_clear(&l);
	return rc;
}

static int ended_already(struct acting *a, char kind, int64_t id, const char *state,
			 const char *reason, const char *what, struct ps_err *err)
{
	if (strcmp(state, "cancelled") != 0)
		return ps_err_set(err, PS_EBUSY, "%s is over, it is %s: nothing to cancel",
				  a->ask.thing, state);
	acts_item(a, kind, id, state, reason, what);
	return 0;
}

static int cancel_by_build(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = acts_unknown(a, "build", build_get(tx, id, &b, err), err);

	if (rc == 0 && has_ended(b.state))
		rc = ended_already(a, 'b', id, b.state, b.reason, b.pipeline, err);
	else if (rc == 0)
		rc = cancel_one_build(tx, a, &b, err);
	build_clear(&b);
	return rc;
}

/* As a build: who needs it ends with it. */
static int cancel_open_test(struct store_tx *tx, struct acting *a, const struct test *t,
			    struct ps_err *err)
{
	struct needs l = { NULL, 0 };
	size_t ended = 0;
	int rc = needs_of_test(tx, t->id, &l, err);
	bool open = any_in_state(&l, "waiting") || any_in_state(&l, "active");

	if (rc == 0 && open)
		rc = acts_check_needs(a, "cancel", a->ask.thing, &l, true, err);
	else if (rc == 0)
		rc = acts_check_any(a, "cancel", a->ask.thing, &l, err);
	if (rc == 0)
		rc = check_shared(a, &l, err);
	if (rc == 0)
		rc = cancel_test(tx, a, t, err);
	if (rc == 0)
		rc = cancel_open(tx, a, &l, &ended, err);
	needs_clear(&l);
	return rc;
}

static int cancel_by_test(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct test t = { 0 };
	int rc = acts_unknown(a, "test", test_get(tx, id, &t, err), err);

	if (rc == 0 && has_ended(t.state))
		rc = ended_already(a, 't', id, t.state, t.reason, t.pipeline, err);
	else if (rc == 0)
		rc = cancel_open_test(tx, a, &t, err);
	test_clear(&t);
	return rc;
}

static int cancel_run(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct run r = { 0 };
	bool under_way = false;
	int rc = acts_unknown(a, "run", run_get(tx, id, &r, err), err);

	if (rc == 0 && has_ended(r.state)) {
		rc = ended_already(a, 'x', id, r.state, r.reason, r.job, err);
		run_clear(&r);
		return rc;
	}
	if (rc == 0 && !ps_streq(r.who, a->ask.who.shown))
		rc = acts_check(a->cfg, &a->ask.who, "cancel", a->ask.thing, NULL, r.fabric, err);
	if (rc == 0)
		rc = run_cancel(tx, &r, a->why, &under_way, err);
	if (rc == 0)
		acts_item(a, 'x', id, under_way ? "running" : "cancelled", a->why, r.job);
	if (rc == 0 && under_way)
		acts_stop(a, 'x', id, r.fence, run_is_remote(&r));
	run_clear(&r);
	return rc;
}

static int cancel_deployment(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct deployment d = { 0 };
	struct needs l = { NULL, 0 };
	size_t ended;
	int rc = acts_unknown(a, "deployment", deployment_get(tx, id, &d, err), err);

	if (rc == 0 && strcmp(d.state, "waiting") != 0 && strcmp(d.state, "running") != 0) {
		rc = ended_already(a, 'd', id, d.state, d.reason, d.project, err);
		goto out;
	}
	if (rc == 0)
		rc = needs_of_demand(tx, d.demand, &l, err);
	if (rc == 0)
		rc = acts_check_needs(a, "cancel", a->ask.thing, &l, true, err);
	if (rc == 0)
		rc = cancel_open(tx, a, &l, &ended, err);
out:
	deployment_clear(&d);
	needs_clear(&l);
	return rc;
}

/* ---- all that is queued ---- */

/* As in `why`: the whole name, or a branch's or tag's. */
static bool ref_fits(const char *pattern, const char *ref)
{
	static const char *const prefixes[] = { "", "refs/heads/", "refs/tags/" };
	bool fits = !pattern;

	for (size_t i = 0; i < PS_NELEM(prefixes) && !fits; i++) {
		char *whole = xasprintf("%s%s", prefixes[i], pattern);

		fits = mapping_glob(whole, ref);
		free(whole);
	}
	return fits;
}

static void refuse(struct acting *a, const struct need *n, const char *problem)
{
	acts_item(a, 'e', n->event, n->state, problem, n->ref);
	json_object_set_new(json_array_get(a->items, json_array_size(a->items) - 1), "refused",
			    json_true());
}

static int cancel_queued(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	struct needs l = { NULL, 0 };
	int rc = needs_queued(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct need *n = &l.v[i];
		struct ps_err why = { 0 };
		char id[ID_TEXT];
		int64_t busy;

		if (!ref_fits(a->ask.ref, n->ref) ||
		    (a->ask.repository && strcmp(a->ask.repository, n->repository_name) != 0))
			continue;
		if (acts_check(a->cfg, &a->ask.who, "cancel", id_text(id, 'e', n->event), n->pusher,
			       n->fabric, &why) < 0) {
			refuse(a, n, why.msg);
			continue;
		}
		acts_item(a, 'e', n->event, "open", a->why, n->ref);
		rc = cancel_demand(tx, a, n, &busy, err);
	}
	needs_clear(&l);
	return rc;
}

int acts_cancel(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	static const struct {
		char kind;
		int (*cancel)(struct store_tx *tx, struct acting *a, int64_t id,
			      struct ps_err *err);
	} kinds[] = {
		{ 'e', cancel_event },
		{ 'b', cancel_by_build },
		{ 't', cancel_by_test },
		{ 'x', cancel_run },
		{ 'd', cancel_deployment },
	};
	char kind = a->ask.thing ? id_kind(a->ask.thing) : 0;
	int64_t id;

	if (a->ask.queued)
		return cancel_queued(tx, a, err);
	for (size_t i = 0; i < PS_NELEM(kinds); i++)
		if (kinds[i].kind == kind && id_parse(a->ask.thing, kind, &id))
			return kinds[i].cancel(tx, a, id, err);
	return ps_err_set(err, PS_EINVAL,
			  "'%s' is nothing that can be cancelled: say e88, b31, t31, d12 or x7",
			  a->ask.thing ? a->ask.thing : "");
}
