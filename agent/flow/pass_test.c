/* pass_test – the tests of what was built: asked for when a build has passed, given a slot,
 * weighed. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/survey_json.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/id.h"
#include "common/plan/testkey.h"

/* ---- which a demand needs ---- */

static const char *fabric_name_for(const struct pass *p, const struct demand *d)
{
	const struct config *cfg = p->view.policy->cfg;
	const struct conf_environment *e = config_environment(cfg, d->environment);

	return e && e->fabric_name ? e->fabric_name : cfg->tests.fabric_name;
}

static bool has_tests(const struct wire_project *pr, const char *pipeline)
{
	for (size_t i = 0; i < pr->pipelines.n; i++)
		if (ps_streq(pr->pipelines.v[i].key, pipeline))
			return pr->pipelines.v[i].tests;
	return false;
}

static bool is_asked(const struct tests *l, int64_t build)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].build == build)
			return true;
	return false;
}

/* Finds the test of this build or queues one, and ties the demand to it. */
static int need_test(struct store_tx *tx, struct pass *p, const struct demand *d,
		     const struct build *b, struct ps_err *err)
{
	const char *fabric_name = fabric_name_for(p, d);
	struct test t = { 0 };
	char key[DIGEST_HEX];
	int64_t id;
	bool late;
	int rc = testkey_make(key,
			      &(struct testkey) { .build_key = b->key, .digest = b->digest,
						  .fabric_name = fabric_name,
						  .limits = &p->view.policy->cfg->builder },
			      err);

	if (rc == 0)
		rc = test_by_key(tx, key, &t, err);
	id = t.id;
	/* in line behind what is less urgent than this demand */
	late = rc == 0 && strcmp(t.state, "queued") == 0 && d->priority > t.priority;
	test_clear(&t);
	if (rc == PS_ENOENT) {
		struct test fresh = {
			.key = key, .build = b->id, .repository = d->repository,
			.project = d->project, .commit_oid = d->commit_oid,
			.pipeline = b->pipeline, .fabric_name = (char *)fabric_name,
		};

		rc = test_insert(tx, &fresh, err);
		id = fresh.id;
		late = true;
	}
	if (rc == 0 && late)
		rc = pass_enter(tx, LINE_TEST, "", id, d->priority, d->repository, err);
	return rc < 0 ? rc : test_link(tx, d->id, id, b->id, err);
}

/* Asks for those that are missing; *l is read anew when there were any. */
static int ask(struct store_tx *tx, struct pass *p, const struct demand *d,
	       const struct builds *builds, struct tests *l, struct ps_err *err)
{
	struct wire_project pr = { .path = NULL };
	json_t *doc = NULL;
	bool more = false;
	int rc = 0;

	for (size_t i = 0; i < builds->n && rc == 0; i++) {
		const struct build *b = &builds->v[i];

		if (strcmp(b->state, "passed") != 0 || is_asked(l, b->id))
			continue;
		if (!doc)
			rc = survey_from_json(&pr, &doc, d->survey, err);
		if (rc < 0 || !has_tests(&pr, b->pipeline))
			continue;
		rc = need_test(tx, p, d, b, err);
		more = true;
	}
	if (doc)
		survey_from_json_clear(&pr, doc);
	if (rc == 0 && more) {
		tests_clear(l);
		rc = tests_of_demand(tx, d->id, l, err);
	}
	return rc;
}

static bool is_bad(const struct test *t)
{
	return strcmp(t->state, "failed") == 0 || strcmp(t->state, "cancelled") == 0;
}

static int say_failed(struct store_tx *tx, const struct demand *d, const struct tests *l,
		      struct ps_err *err)
{
	struct buf why = BUF_INIT;
	char id[ID_TEXT];
	int rc;

	for (size_t i = 0; i < l->n; i++) {
		const struct test *t = &l->v[i];

		if (is_bad(t))
			buf_addf(&why, "%stest %s of %s %s: %s", why.len ? "; " : "",
				 id_text(id, 't', t->id), t->pipeline, t->state,
				 t->reason ? t->reason : "no reason told");
	}
	rc = demand_set(tx, d->id, "failed", buf_str(&why), NULL, 0, err);
	buf_clear(&why);
	return rc;
}

/* Why a queued one waits is the line's to say. */
static int say_waits(struct store_tx *tx, const struct demand *d, const struct test *t,
		     struct ps_err *err)
{
	bool queued = strcmp(t->state, "queued") == 0;
	char id[ID_TEXT], *detail = xasprintf("test %s of %s is queued", id_text(id, 't', t->id),
					      t->pipeline);
	int rc = demand_set(tx, d->id, queued ? "waiting" : "active", queued ? "tests" : NULL,
			    queued ? detail : NULL, 0, err);

	free(detail);
	return rc;
}

int pass_tests_of(struct store_tx *tx, struct pass *p, struct demand *d,
		  const struct builds *builds, bool builds_done, bool *go_on, struct ps_err *err)
{
	const struct test *failed = NULL, *runs = NULL, *waits = NULL;
	struct tests l = { NULL, 0 };
	int rc = tests_of_demand(tx, d->id, &l, err);

	if (rc == 0)
		rc = ask(tx, p, d, builds, &l, err);
	for (size_t i = 0; i < l.n; i++) {
		const struct test *t = &l.v[i];

		if (is_bad(t))
			failed = failed && failed->state[0] == 'c' ? failed : t;
		else if (strcmp(t->state, "queued") == 0)
			waits = waits ? waits : t;
		else if (strcmp(t->state, "passed") != 0)
			runs = runs ? runs : t;
	}
	/* the others go on, so that the pusher learns of all that is broken at once */
	if (failed && strcmp(failed->state, "failed") == 0 && (!builds_done || runs || waits))
		failed = NULL;
	*go_on = !failed && !(builds_done && (runs || waits));
	if (rc == 0 && failed)
		rc = say_failed(tx, d, &l, err);
	else if (rc == 0 && !*go_on)
		rc = say_waits(tx, d, runs ? runs : waits, err);
	tests_clear(&l);
	return rc;
}

/* ---- slots ---- */

static int claim(struct store_tx *tx, struct pass *p, const struct line_row *row, int64_t slot,
		 struct ps_err *err)
{
	const struct config *cfg = p->view.policy->cfg;
	/* every try has the whole time */
	int64_t lease = p->view.now_ms + (1 + cfg->tests.retries) * cfg->builder.time_ms + 60000;
	struct act *a = pass_act(p, ACT_TEST, row->id);
	struct repository r = { 0 };
	int rc = pass_served(tx, LINE_TEST, "", row, p->view.now_ms, err);

	a->slot = slot;
	if (rc == 0)
		rc = test_claim(tx, row->id, slot, lease, &a->fence, err);
	if (rc == 0)
		rc = test_get(tx, row->id, &a->test, err);
	if (rc == 0)
		rc = build_get(tx, a->test.build, &a->build, err);
	if (rc == 0)
		rc = repository_get(tx, a->test.repository, &r, err);
	a->repository = xstrdup_null(r.path);
	repository_clear(&r);
	return rc;
}

/* Nobody has told anything of it for too long: back into the line, with a fence that keeps the old
 * claim's answers out. */
static int end_leases(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct tests l = { NULL, 0 };
	int rc = tests_under_way(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (l.v[i].lease_ms <= p->view.now_ms)
			rc = test_requeue(tx, l.v[i].id, l.v[i].fence, NULL, err);
	tests_clear(&l);
	return rc;
}

int pass_tests(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct standstill s = pass_builders_blocked(p);
	char *place = NULL;
	int rc = end_leases(tx, p, err);

	if (rc == 0 && !s.reason)
		rc = pass_slots_share(tx, p, LINE_TEST, claim, err);
	if (rc == 0)
		rc = line_next_place(tx, LINE_TEST, NULL, &place, err);
	if (rc > 0)
		rc = pass_builders_say(tx, p, LINE_TEST, err);
	free(place);
	standstill_clear(&s);
	return rc;
}
