/* acts_again – retry: the same inputs once more, never the branch's tip; bump: first in line;
 * check: a sealed artifact is built once more to be compared. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/acts_rights.h"
#include "agent/flow/pass.h"
#include "agent/store/demand.h"
#include "agent/store/deployment.h"
#include "common/base/digest.h"
#include "common/base/id.h"

enum { COMPARING = -1000 };	/* priority: whoever waits for a build comes before */

static bool may_come_again(const char *state)
{
	return strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
}

/* Only the newest movement of a branch is carried out; tags stand for themselves. */
static int check_newest(struct acting *a, int64_t event, const char *ref, int64_t newest,
			struct ps_err *err)
{
	char id[ID_TEXT], by[ID_TEXT];

	if (!ps_starts(ref, "refs/heads/") || newest == event)
		return 0;
	free(a->next);
	a->next = xasprintf("penstock why %s", id_text(by, 'e', newest));
	return ps_err_set(err, PS_EBUSY,
			  "%s is not the newest movement of %s any more: superseded by %s; "
			  "what it holds is not brought back over a newer one",
			  id_text(id, 'e', event), ref, by);
}

/* Its commit must stay where a force-push and gc do not reach. */
static void keep_again(struct acting *a, const struct ref_event *e)
{
	if (!*e->repository_path)
		return;
	a->keeps = xgrow(a->keeps, a->nkeeps, &a->cap_keeps, sizeof(*a->keeps));
	a->keeps[a->nkeeps++] = (struct acts_keep){ xstrdup(e->repository_path), xstrdup(e->new) };
}

static int reopen_event(struct store_tx *tx, struct acting *a, int64_t event, bool again,
			struct ps_err *err)
{
	struct ref_event e = { 0 };
	int rc = event_get(tx, event, &e, err);

	if (rc == 0 && strcmp(e.state, "done") == 0) {
		rc = event_reopen(tx, event, again, err);
		keep_again(a, &e);
	}
	if (rc == 0)
		acts_item(a, 'e', event, "open", a->why, e.ref);
	event_clear(&e);
	return rc;
}

static int forget_passes(struct store_tx *tx, const struct build *b, struct ps_err *err)
{
	int rc = tests_forget(tx, b->id, err);

	return rc < 0 ? rc : 0;
}

/* The demand needs a new build of the same key where it needed this one. */
static int retry_one(struct store_tx *tx, struct acting *a, const struct need *n,
		     const struct build *b, struct ps_err *err)
{
	int64_t id = 0;
	bool made = false;
	int rc = build_renew(tx, b, a->ask.who.shown, &id, &made, err);

	if (rc == 0 && made)
		rc = pass_enter(tx, LINE_BUILD, "", id, n->priority, b->repository, err);
	if (rc == 0)
		rc = build_relink(tx, n->id, b->id, id, err);
	if (rc == 0)
		acts_item(a, 'b', id, "queued", a->why, b->pipeline);
	return rc;
}

/* Its failed and cancelled builds become new ones, and it waits for those. */
static int retry_demand(struct store_tx *tx, struct acting *a, const struct need *n,
			struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	char id[ID_TEXT];
	int rc = check_newest(a, n->event, n->ref, n->newest, err);

	if (rc == 0)
		rc = builds_of_demand(tx, n->id, &l, err);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (l.v[i].cancel && !l.v[i].ended_ms)
			rc = ps_err_set(err, PS_EBUSY,
					"build %s is still being ended; try again in a moment",
					id_text(id, 'b', l.v[i].id));
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		if (may_come_again(l.v[i].state))
			rc = retry_one(tx, a, n, &l.v[i], err);
	}
	for (size_t i = 0; i < l.n && rc == 0 && a->ask.fresh; i++)
		rc = forget_passes(tx, &l.v[i], err);
	if (rc == 0)
		rc = tests_unlink(tx, n->id, a->ask.fresh, err);
	if (rc == 0)
		rc = demand_reopen(tx, n->id, err);
	if (rc == 0)
		rc = reopen_event(tx, a, n->event, false, err);
	builds_clear(&l);
	return rc;
}

/* Those of l that failed or were cancelled and that he may touch. */
static int retry_needs(struct store_tx *tx, struct acting *a, const struct needs *l,
		       struct ps_err *err)
{
	size_t tried = 0;
	struct ps_err first = { 0 };
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		const struct need *n = &l->v[i];
		struct ps_err why = { 0 };

		if (!may_come_again(n->state))
			continue;
		if (acts_check(a->cfg, &a->ask.who, "retry", a->ask.thing, n->pusher, n->fabric,
			       &why) < 0 ||
		    check_newest(a, n->event, n->ref, n->newest, &why) < 0) {
			first = first.code ? first : why;
			continue;
		}
		rc = retry_demand(tx, a, n, err);
		tried++;
	}
	if (rc == 0 && !tried && first.code) {
		if (err)
			*err = first;
		return first.code;
	}
	if (rc == 0 && !tried)
		return ps_err_set(
			err, PS_EBUSY,
			"nothing that needs %s failed or was cancelled: there is nothing to retry",
			a->ask.thing);
	return rc;
}

/* Without demands: cancelled before it was looked into, or it went nowhere; it is looked into anew.
 */
static int retry_bare(struct store_tx *tx, struct acting *a, const struct ref_event *e,
		      struct ps_err *err)
{
	int64_t newest = 0;
	char *pusher = NULL;
	int rc = event_pusher_login(tx, e->id, &pusher, err);

	if (rc == 0 && e->new[strspn(e->new, "0")] == '\0')
		rc = ps_err_set(err, PS_EBUSY, "%s deleted its ref: there is nothing to build",
				a->ask.thing);
	if (rc == 0)
		rc = acts_check(a->cfg, &a->ask.who, "retry", a->ask.thing, pusher, NULL, err);
	if (rc == 0)
		rc = event_newest(tx, e->repository, e->ref, &newest, err);
	if (rc == 0)
		rc = check_newest(a, e->id, e->ref, newest, err);
	if (rc == 0)
		rc = reopen_event(tx, a, e->id, true, err);
	free(pusher);
	return rc;
}

static int retry_event(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct ref_event e = { 0 };
	struct needs l = { NULL, 0 };
	int rc = event_get(tx, id, &e, err);

	if (rc == 0 && strcmp(e.state, "done") != 0 && strcmp(e.state, "open") != 0)
		rc = ps_err_set(err, PS_EBUSY, "%s is %s: it is not retried", a->ask.thing,
				e.state);
	if (rc == 0)
		rc = needs_of_event(tx, id, &l, err);
	if (rc == 0 && !l.n && strcmp(e.state, "done") == 0)
		rc = retry_bare(tx, a, &e, err);
	else if (rc == 0)
		rc = retry_needs(tx, a, &l, err);
	event_clear(&e);
	needs_clear(&l);
	return rc;
}

static bool any_may_come_again(const struct needs *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (may_come_again(l->v[i].state))
			return true;
	return false;
}

/* Nothing is to be done again; its tests run again when somebody needs them next. */
static int only_forget(struct store_tx *tx, struct acting *a, const struct build *b,
		       const struct needs *l, struct ps_err *err)
{
	char text[80];
	int rc = acts_check_any(a, "retry", a->ask.thing, l, err), n;

	if (rc < 0)
		return rc;
	n = tests_forget(tx, b->id, err);
	snprintf(text, sizeof(text), "%d remembered passes of its tests are forgotten", n);
	if (n >= 0)
		acts_item(a, 'b', b->id, b->state, text, b->pipeline);
	return n < 0 ? n : 0;
}

static int retry_build(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct build b = { 0 };
	struct needs l = { NULL, 0 };
	char of[ID_TEXT];
	int rc = acts_unknown(a, "build", build_get(tx, id, &b, err), err);

	if (rc == 0 && b.check_of) {
		a->next = xasprintf("penstock build --check %s", id_text(of, 'b', b.check_of));
		rc = ps_err_set(err, PS_EBUSY, "%s only compares; ask for another comparison",
				a->ask.thing);
	} else if (rc == 0 && !may_come_again(b.state) && !a->ask.fresh) {
		rc = ps_err_set(err, PS_EBUSY, "%s is %s: there is nothing to retry", a->ask.thing,
				b.state);
	}
	if (rc == 0)
		rc = needs_of_build(tx, id, &l, err);
	if (rc == 0 && a->ask.fresh && !any_may_come_again(&l))
		rc = only_forget(tx, a, &b, &l, err);
	else if (rc == 0)
		rc = retry_needs(tx, a, &l, err);
	build_clear(&b);
	needs_clear(&l);
	return rc;
}

static int retry_deployment(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct deployment d = { 0 };
	struct needs l = { NULL, 0 };
	int rc = acts_unknown(a, "deployment", deployment_get(tx, id, &d, err), err);

	if (rc == 0)
		rc = needs_of_demand(tx, d.demand, &l, err);
	if (rc == 0 && (!l.n || !may_come_again(l.v[0].state)))
		rc = ps_err_set(err, PS_EBUSY, "%s is %s: there is nothing to retry", a->ask.thing,
				d.state);
	if (rc == 0)
		rc = retry_needs(tx, a, &l, err);
	deployment_clear(&d);
	needs_clear(&l);
	return rc;
}

static int retry_run(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct run r = { 0 };
	/* who may run there may; being an admin is not enough, as for `run` */
	struct acts_person who = { a->ask.who.login, a->ask.who.shown, false };
	int64_t fresh = 0;
	int rc = acts_unknown(a, "run", run_get(tx, id, &r, err), err);

	if (rc == 0 && !may_come_again(r.state) && strcmp(r.state, "unknown") != 0)
		rc = ps_err_set(err, PS_EBUSY, "%s is %s: there is nothing to retry", a->ask.thing,
				r.state);
	if (rc == 0)
		rc = acts_check(a->cfg, &who, "retry", a->ask.thing, NULL, r.fabric, err);
	if (rc == 0)
		rc = run_again(tx, &r, a->ask.who.shown, &fresh, err);
	if (rc == 0)
		rc = pass_enter(tx, LINE_RUN, "", fresh, 0, r.repository, err);
	if (rc == 0)
		acts_item(a, 'x', fresh, "queued", a->why, r.job);
	run_clear(&r);
	return rc;
}

int acts_retry(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	static const struct {
		char kind;
		int (*retry)(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err);
	} kinds[] = {
		{ 'e', retry_event },
		{ 'b', retry_build },
		{ 'd', retry_deployment },
		{ 'x', retry_run },
	};
	char kind = a->ask.thing ? id_kind(a->ask.thing) : 0;
	int64_t id;

	for (size_t i = 0; i < PS_NELEM(kinds); i++)
		if (kinds[i].kind == kind && id_parse(a->ask.thing, kind, &id))
			return kinds[i].retry(tx, a, id, err);
	return ps_err_set(err, PS_EINVAL,
			  "'%s' is nothing that can be retried: say e88, b31, d12 or x7",
			  a->ask.thing ? a->ask.thing : "");
}

/* ---- first in line ---- */

static int bump_build(struct store_tx *tx, struct acting *a, const struct build *b,
		      struct ps_err *err)
{
	int rc = line_bump(tx, LINE_BUILD, b->id, err);

	if (rc == 0)
		rc = build_bumped(tx, b->id, a->ask.who.shown, err);
	if (rc == 0)
		acts_item(a, 'b', b->id, b->state, a->why, b->pipeline);
	return rc;
}

static int bump_deployments(struct store_tx *tx, struct acting *a, const struct need *n,
			    struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = deployments_of_demand(tx, n->id, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		if (strcmp(l.v[i].state, "waiting") != 0)
			continue;
		rc = line_bump(tx, LINE_DEPLOYMENT, l.v[i].id, err);
		acts_item(a, 'd', l.v[i].id, "waiting", a->why, n->environment);
	}
	deployments_clear(&l);
	return rc;
}

/* What is queued for it now, and what will be. */
static int bump_demand(struct store_tx *tx, struct acting *a, const struct need *n,
		       struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	int rc = demand_bump(tx, n->id, a->ask.who.shown, err);

	if (rc == 0)
		rc = builds_of_demand(tx, n->id, &l, err);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (strcmp(l.v[i].state, "queued") == 0)
			rc = bump_build(tx, a, &l.v[i], err);
	if (rc == 0)
		rc = bump_deployments(tx, a, n, err);
	if (rc == 0)
		acts_item(a, 'e', n->event, n->state, a->why, n->ref);
	builds_clear(&l);
	return rc;
}

static int bump_event(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct ref_event e = { 0 };
	struct needs l = { NULL, 0 };
	size_t open = 0;
	int rc = event_get(tx, id, &e, err);

	if (rc == 0)
		rc = needs_of_event(tx, id, &l, err);
	for (size_t i = 0; i < l.n; i++)
		open += need_is_open(&l.v[i]);
	if (rc == 0 && !open)
		rc = ps_err_set(err, PS_EBUSY, "nothing of %s waits in line", a->ask.thing);
	if (rc == 0)
		rc = acts_check_needs(a, "bump", a->ask.thing, &l, true, err);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (need_is_open(&l.v[i]))
			rc = bump_demand(tx, a, &l.v[i], err);
	event_clear(&e);
	needs_clear(&l);
	return rc;
}

static int bump_by_build(struct store_tx *tx, struct acting *a, int64_t id, struct ps_err *err)
{
	struct build b = { 0 };
	struct needs l = { NULL, 0 };
	int rc = acts_unknown(a, "build", build_get(tx, id, &b, err), err);

	if (rc == 0 && strcmp(b.state, "queued") != 0)
		rc = ps_err_set(err, PS_EBUSY, "%s is %s: it does not wait in line", a->ask.thing,
				b.state);
	if (rc == 0)
		rc = needs_of_build(tx, b.check_of ? b.check_of : id, &l, err);
	if (rc == 0)
		rc = acts_check_any(a, "bump", a->ask.thing, &l, err);
	if (rc == 0)
		rc = bump_build(tx, a, &b, err);
	build_clear(&b);
	needs_clear(&l);
	return rc;
}

int acts_bump(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	char kind = a->ask.thing ? id_kind(a->ask.thing) : 0;
	int64_t id;

	if (kind == 'e' && id_parse(a->ask.thing, kind, &id))
		return bump_event(tx, a, id, err);
	if (kind == 'b' && id_parse(a->ask.thing, kind, &id))
		return bump_by_build(tx, a, id, err);
	return ps_err_set(err, PS_EINVAL, "'%s' is nothing that can be bumped: say e88 or b31",
			  a->ask.thing ? a->ask.thing : "");
}

/* ---- built once more, to compare ---- */

static int find_sealed(struct store_tx *tx, struct acting *a, struct build *b, struct ps_err *err)
{
	const char *thing = a->ask.thing ? a->ask.thing : "";
	size_t len = strlen(thing);
	struct build asked = { 0 };
	int64_t id;
	int rc;

	/* what reads as an id is one, unless it is a whole key */
	if (digest_is_hex(thing, len) &&
	    (len == DIGEST_HEX - 1 || (len >= 8 && id_kind(thing) != 'b')))
		return build_passed(tx, thing, b, err);
	if (id_kind(thing) != 'b' || !id_parse(thing, 'b', &id))
		return ps_err_set(
			err, PS_EINVAL,
			"'%s' is no build: say b31, or a key as `penstock builds --json` shows it",
			thing);
	rc = acts_unknown(a, "build", build_get(tx, id, &asked, err), err);
	if (rc == 0)
		rc = build_get(tx, asked.check_of ? asked.check_of : id, b, err);
	build_clear(&asked);
	if (rc == 0 && strcmp(b->state, "passed") != 0)
		rc = ps_err_set(err, PS_EBUSY,
				"%s is %s: it has no sealed artifact to compare with", thing,
				b->state);
	return rc;
}

/* One comparison at a time is enough: the one that is under way, or a new one. */
static int compare(struct store_tx *tx, struct acting *a, const struct build *b, struct ps_err *err)
{
	struct build open = { 0 };
	int64_t id = 0;
	int rc = build_comparing(tx, b->id, &open, err);

	if (rc == 0) {
		acts_item(a, 'b', open.id, open.state, open.reason, open.pipeline);
		build_clear(&open);
		return 0;
	}
	if (rc != PS_ENOENT)
		return rc;
	rc = build_compare(tx, b, a->ask.who.shown, &id, err);
	if (rc == 0)
		rc = pass_enter(tx, LINE_BUILD, "", id, COMPARING, b->repository, err);
	if (rc == 0)
		acts_item(a, 'b', id, "queued", a->why, b->pipeline);
	return rc;
}

int acts_check_build(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	struct build b = { 0 };
	struct needs l = { NULL, 0 };
	int rc = find_sealed(tx, a, &b, err);

	if (rc == 0)
		rc = needs_of_build(tx, b.id, &l, err);
	if (rc == 0)
		rc = acts_check_any(a, "check", a->ask.thing, &l, err);
	if (rc == 0)
		rc = compare(tx, a, &b, err);
	build_clear(&b);
	needs_clear(&l);
	return rc;
}
