/* pass_demand – demands: from the tree that was surveyed to builds by key, and on to the
 * release. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/content.h"
#include "agent/flow/survey_json.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/id.h"

/* A demand while it is keyed. */
struct keying {
	const struct demand *d;
	const struct wire_project *pr;
	struct toolchain_choice toolchain;
};

static int queue_build(struct store_tx *tx, const struct keying *k, const char *key,
		       const struct wire_pipeline *pl, char *spec, int64_t *id, struct ps_err *err)
{
	const struct demand *d = k->d;
	struct build fresh = {
		.key = (char *)key, .repository = d->repository, .project = d->project,
		.commit_oid = d->commit_oid, .pipeline = (char *)pl->key, .spec = spec,
		.toolchain = (char *)k->toolchain.digest, .prefix = (char *)k->toolchain.prefix,
	};
	int rc = build_insert(tx, &fresh, err);

	*id = fresh.id;
	if (rc == 0)
		rc = pass_enter(tx, LINE_BUILD, "", fresh.id, d->priority, d->repository, err);
	return rc < 0 || !d->bumped_ms ? rc : line_bump(tx, LINE_BUILD, fresh.id, err);
}

/* Finds the build of this pipeline's key or queues one, and ties the demand to it. A queued one
 * that more urgent things need goes to the line of their priority. */
static int need_build(struct store_tx *tx, const struct keying *k, const struct wire_pipeline *pl,
		      struct ps_err *err)
{
	const struct demand *d = k->d;
	struct wire_tree_input *in;
	struct build b = { 0 };
	char key[65];
	int64_t id, priority;
	bool queued;
	size_t n;
	int rc;

	in = content_inputs(k->pr, pl, &n);
	rc = content_key(pl, in, n, k->toolchain.digest, key, err);
	if (rc == 0)
		rc = build_by_key(tx, key, &b, err);
	id = b.id;
	priority = b.priority;
	queued = rc == 0 && strcmp(b.state, "queued") == 0;
	build_clear(&b);
	if (rc == PS_ENOENT) {
		char *spec = spec_to_json(in, n, pl->reduced, pl->wheel);

		rc = queue_build(tx, k, key, pl, spec, &id, err);
		free(spec);
	} else if (rc == 0 && queued && d->priority > priority) {
		rc = pass_enter(tx, LINE_BUILD, "", id, d->priority, d->repository, err);
	}
	if (rc == 0)
		rc = build_link(tx, d->id, id, pl->key, err);
	free(in);
	return rc;
}

/* Without rules there is one toolchain for all, or none: then nobody's demand is looked at. */
static bool can_key(const struct pass *p)
{
	const struct toolchain_now *t = &p->view.toolchain;

	return p->view.build_up && t->known &&
		(t->digest || p->view.policy->cfg->ntoolchain_rules);
}

/* A toolchain that has changed rebuilds on the next demand: so what is known must not be older than
 * the demand. (A demand from the future is one of before the clock was set back.) */
static bool can_key_this(struct pass *p, const struct demand *d)
{
	int64_t asked_ms = p->view.toolchain.asked_ms;
	bool stale = asked_ms && d->created_ms > asked_ms && d->created_ms <= p->view.now_ms;

	if (can_key(p) && stale)
		p->ask_toolchain = true;
	return can_key(p) && !stale;
}

/* The toolchain that its rule names is missing: it leaves the others alone and waits by itself. */
static int wait_for(struct store_tx *tx, const struct keying *k, struct ps_err *err)
{
	const char *name = k->toolchain.name;
	char *place = xasprintf(WAIT_TOOLCHAIN " %s", name);
	char *by = xasprintf("toolchain %s", name);
	char *lift = xasprintf("penstock toolchain make %s FILE", name);
	int rc = wait_set(tx, place, &(struct wait) { .reason = "toolchain", .blocked_by = by,
						      .detail = k->toolchain.problem,
						      .lift = lift }, err);

	if (rc == 0)
		rc = demand_wants(tx, k->d->id, name, err);
	free(place);
	free(by);
	free(lift);
	return rc;
}

static int choose(struct store_tx *tx, const struct pass *p, struct keying *k, struct ps_err *err)
{
	const struct config *cfg = p->view.policy->cfg;
	struct repository r = { 0 };
	int rc = cfg->ntoolchain_rules ? repository_get(tx, k->d->repository, &r, err) : 0;

	if (rc == 0)
		toolchains_choose(&k->toolchain, &p->view.toolchain, cfg, r.name ? r.name : "",
				  k->d->project, k->d->environment, k->pr->language);
	repository_clear(&r);
	return rc;
}

/* With the toolchain that it is to be built with; *keyed stays false when that is missing. */
static int key_pipelines(struct store_tx *tx, struct pass *p, struct demand *d,
			 const struct wire_project *pr, bool *keyed, struct ps_err *err)
{
	struct keying k = { .d = d, .pr = pr };
	int rc = choose(tx, p, &k, err);

	if (rc == 0 && !k.toolchain.digest)
		return wait_for(tx, &k, err);
	for (size_t i = 0; i < pr->pipelines.n && rc == 0; i++)
		rc = need_build(tx, &k, &pr->pipelines.v[i], err);
	if (rc == 0)
		rc = demand_set_toolchain(tx, d->id, k.toolchain.digest, err);
	if (rc < 0)
		return rc;
	d->toolchain = xstrdup(k.toolchain.digest);	/* the release may come in this very pass */
	*keyed = true;
	return 0;
}

/* Ties the demand to the builds of its pipelines, once; *keyed stays false while there is no
 * toolchain to do so with. */
static int key_demand(struct store_tx *tx, struct pass *p, struct demand *d, bool *keyed,
		      struct ps_err *err)
{
	struct wire_project pr;
	json_t *doc = NULL;
	char *why;
	int rc;

	*keyed = false;
	rc = survey_from_json(&pr, &doc, d->survey, err);
	if (rc < 0)
		return rc;
	why = content_hopeless(&pr);
	if (why) {
		rc = demand_set(tx, d->id, "failed", why, NULL, 0, err);
	} else if (!pr.pipelines.n) {
		*keyed = true;
		rc = demand_set_toolchain(tx, d->id, "", err);
	} else if (can_key_this(p, d)) {
		rc = key_pipelines(tx, p, d, &pr, keyed, err);
	}
	free(why);
	survey_from_json_clear(&pr, doc);
	return rc;
}

/* A build ended badly, and the demand with it. One that was cancelled was so because nobody needed
 * it just then, or for others (who ends a build by hand ends its demands too): it is asked for
 * again. */
static int end_with(struct store_tx *tx, struct pass *p, struct demand *d, const struct build *b,
		    const struct builds *l, struct ps_err *err)
{
	struct buf why = BUF_INIT;
	char id[ID_TEXT];
	int rc;

	if (strcmp(b->state, "cancelled") == 0) {
		p->again = true;
		rc = demand_set(tx, d->id, "waiting", NULL, NULL, 0, err);
		return rc < 0 ? rc : demand_unkey(tx, d->id, err);
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct build *f = &l->v[i];

		if (strcmp(f->state, "failed") == 0)
			buf_addf(&why, "%sbuild %s of %s failed: %s", why.len ? "; " : "",
				 id_text(id, 'b', f->id), f->pipeline,
				 f->reason ? f->reason : "no reason told");
	}
	rc = demand_set(tx, d->id, "failed", buf_str(&why), NULL, 0, err);
	buf_clear(&why);
	return rc;
}

/* One has failed: the others go on, so that the pusher learns of all that is broken at once. */
static int go_on_without(struct store_tx *tx, const struct demand *d, const struct build *b,
			 struct ps_err *err)
{
	char id[ID_TEXT], *detail = xasprintf("build %s of %s failed, the others go on",
					      id_text(id, 'b', b->id), b->pipeline);
	int rc = demand_set(tx, d->id, "active", NULL, detail, 0, err);

	free(detail);
	return rc;
}

/* What its builds and their tests say of a demand that has no release yet. Why a queued one waits
 * is the line's to say, not the demand's. */
static int weigh_builds(struct store_tx *tx, struct pass *p, struct demand *d, struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	const struct build *bad = NULL;
	bool waits = false, runs = false, tested = true;
	int rc = builds_of_demand(tx, d->id, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct build *b = &l.v[i];

		if (strcmp(b->state, "failed") == 0 || strcmp(b->state, "cancelled") == 0)
			bad = bad && strcmp(bad->state, "failed") == 0 ? bad : b;
		else if (strcmp(b->state, "queued") == 0)
			waits = true;
		else if (strcmp(b->state, "passed") != 0)
			runs = true;
	}
	if (rc == 0 && bad && strcmp(bad->state, "failed") == 0 && (runs || waits))
		rc = go_on_without(tx, d, bad, err);
	else if (rc == 0 && bad)
		rc = end_with(tx, p, d, bad, &l, err);
	else if (rc == 0)
		rc = pass_tests_of(tx, p, d, &l, !runs && !waits, &tested, err);
	if (rc < 0 || bad || !tested) {
		/* the demand says already what it is */
	} else if (runs || waits) {
		rc = demand_set(tx, d->id, runs ? "active" : "waiting", NULL, NULL, 0, err);
	} else {
		rc = pass_release(tx, p, d, &l, err);
	}
	builds_clear(&l);
	return rc;
}

static int advance(struct store_tx *tx, struct pass *p, struct demand *d, struct ps_err *err)
{
	bool keyed = d->toolchain != NULL;
	int rc = demand_seen(tx, d->id, err);

	if (rc == 0 && d->release)	/* its deployment speaks for it */
		return d->asked ? pass_asked(tx, d, err) : 0;
	if (rc == 0 && !keyed)
		rc = key_demand(tx, p, d, &keyed, err);
	return rc < 0 || !keyed ? rc : weigh_builds(tx, p, d, err);
}

static int advance_all(struct store_tx *tx, struct pass *p, struct demands *l, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++)
		rc = advance(tx, p, &l->v[i], err);
	p->again = p->again || (l->n == PASS_BATCH && !p->ask_toolchain);
	demands_clear(l);
	return rc;
}

/* Those that cannot be keyed wait at a place of their own. */
static int say(struct store_tx *tx, const struct pass *p, struct ps_err *err)
{
	bool known = p->view.build_up && p->view.toolchain.known;
	struct wait w = {
		.reason = "toolchain", .blocked_by = known ? "toolchain" : "penstock-build",
		.detail = p->ask_toolchain ? "the build role is asked whether it has changed" :
			known ? p->view.toolchain.problem :
			"the build role has not said yet which one it has",
		.lift = known ? NULL : "penstock status",
	};

	return wait_set(tx, WAIT_TOOLCHAIN, &w, err);
}

int pass_demands(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct demands l = { NULL, 0 };
	int rc = demands_to_look_at(tx, PASS_BATCH, &l, err);

	if (rc == 0)
		rc = advance_all(tx, p, &l, err);
	if (rc == 0)
		rc = demands_keyless(tx, can_key(p) ? PASS_BATCH : 1, &l, err);
	if (rc == 0 && can_key(p))
		rc = advance_all(tx, p, &l, err);
	if (rc == 0 && (l.n || p->ask_toolchain))
		rc = say(tx, p, err);
	demands_clear(&l);
	return rc;
}
