/* Units of what a fabric proves of a release, and of what it would go back to: real store, rows as
 * core writes them. */
#include "config.h"

#include "tests/support/pass_fx.h"

#include "agent/flow/back.h"
#include "agent/flow/verified.h"
#include "agent/store/artifact.h"
#include "agent/store/retention.h"
#include "agent/store/verified.h"
#include "common/plan/plan.h"

/*
 * A history of one project on one fabric, a word per deployment: the release (one letter), then
 * + verified, - not verified, ? not known yet; < it went back there; / only a part of it.
 */
struct row {
	const char *name, *history;
	int64_t target;		/* number of the deployment that a rollback puts there; 0: none */
};

static const struct row rows[] = {
	{ "nothing before", "a+", 0 },
	{ "the one before", "a+ b+", 1 },
	{ "not the same release again", "a+ b+ b+", 1 },
	{ "not what was not verified", "a+ b- c+", 1 },
	{ "nor what nobody knows yet", "a+ b? c+", 1 },
	{ "nor a part", "a+ b+/ c+", 1 },
	{ "what failed to verify goes back too", "a+ b-", 1 },
	{ "only failures before", "a- b+", 0 },
	{ "verified once, and not the last time", "a+ b+ b- c+", 1 },
	{ "not verified, then verified", "a+ b- b+ c+", 3 },
	{ "going back twice goes on going back", "a+ b+ c+ b+<", 1 },
	{ "what went back counts afterwards", "a+ b+ a+< c+", 3 },
	{ "back at the first there is nothing", "a+ b+ a+<", 0 },
	{ "pushed again after going back", "a+ b+ a+< b+", 3 },
};

static const struct row *row;
static int64_t found;
static struct texts kept;

static int put_one(struct store_tx *tx, int64_t n, const char *word, struct ps_err *err)
{
	char release[65] = "", asked[16] = "";
	bool known = !strchr(word, '?');
	int rc;

	memset(release, word[0], 64);
	if (strchr(word, '<'))
		snprintf(asked, sizeof(asked), "rollback");
	rc = sql_run(tx, err, "INSERT INTO repository (id, uid, path, name, adopted_ms) VALUES (1, 'u', '/x', 'x', 1)"
		     " ON CONFLICT DO NOTHING", "");
	if (rc >= 0)
		rc = sql_run(tx, err, "INSERT INTO event (id, repository, ref, seq, old, new, kind, k, state, boot, stamp,"
			     " at_ms, surveyed) VALUES (?, 1, 'refs/heads/main', ?, '', '', 'sure', -1, 'done', 'b', 1, 1, 1)",
			     "ii", n, n);
	if (rc >= 0)
		rc = sql_run(tx, err, "INSERT INTO release (id, project, manifest, created_ms) VALUES (?, '.', '{}', 1)"
			     " ON CONFLICT DO NOTHING", "t", release);
	if (rc >= 0)
		rc = sql_run(tx, err, "INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event,"
			     " created_ms) VALUES (?, ?, 1, '.', 'refs/heads/main', '', '1', ?, 1)", "iti", n, release, n);
	if (rc >= 0)
		rc = sql_run(tx, err, "INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric,"
		     " state, since_ms, survey, created_ms, asked) VALUES (?, ?, 1, '.', 'refs/heads/main', '', 'development',"
		     " 'dev', 'done', 1, '{}', 1, ?)", "iit", n, n, *asked ? asked : NULL);
	if (rc >= 0)
		rc = sql_run(tx, err, "INSERT INTO deployment (id, demand, release, label, repository, project, environment,"
			     " fabric, state, since_ms, fence, lease_ms, tries, created_ms) VALUES (?, ?, ?, ?, 1, '.',"
			     " 'development', 'dev', 'deployed', 1, 1, 0, 1, 1)", "iiti", n, n, release, n);
	if (rc >= 0)
		rc = verification_insert(tx, &(struct verification) {
			.deployment = n, .fabric = (char *)"dev", .repository = 1,
			.project = (char *)".", .release = release, .digest = release,
			.whole = !strchr(word, '/'), .state = (char *)"looked" }, err);
	if (rc >= 0 && known)
		rc = verification_end(tx, n, strchr(word, '+') ? "verified" : "failed",
				      strchr(word, '+') ? NULL : "x", err);
	return rc < 0 ? rc : 0;
}

static int look_back(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct deployment now = { 0 }, to = { 0 };
	char *words = xstrdup(row->history), *save = NULL;
	struct ps_err none = { 0 };
	int64_t n = 0;
	int rc = 0;

	(void)arg;
	for (char *w = strtok_r(words, " ", &save); w && rc == 0; w = strtok_r(NULL, " ", &save))
		rc = put_one(tx, ++n, w, err);
	if (rc == 0)
		rc = deployment_get(tx, n, &now, err);
	if (rc == 0) {
		rc = place_before(tx, &now, &to, &none);
		found = rc == 0 ? to.id : 0;
		rc = rc == PS_ENOENT ? 0 : rc;
	}
	if (rc == 0)
		rc = retention_back(tx, &kept, err);
	deployment_clear(&now);
	deployment_clear(&to);
	free(words);
	return rc;
}

static void goes_back_to(void **state)
{
	struct fx *f = *state;
	const char *word = row->history;

	assert_int_equal(do_write(f, look_back), 0);
	assert_int_equal(found, row->target);
	/* whatever it would go back to is never cleaned away */
	assert_int_equal(kept.n, row->target ? 1 : 0);
	for (int64_t i = 1; i < row->target; i++)
		word = strchr(word, ' ') + 1;
	if (row->target)
		assert_int_equal(kept.v[0][0], *word);
	texts_clear(&kept);
}

/* ---- what core forgets of the paths of artifacts ---- */

/* digest, path: versions v2 and v3 are in reach, and so are the bytes a and b. */
static const struct { const char *digest, *path; bool stays; } paths[] = {
	{ "a", "prophecy/artifacts/d/e/7/v1/pipeline/x.whl", false },	/* it lies at v2's too */
	{ "a", "prophecy/artifacts/d/e/7/v2/pipeline/x.whl", true },
	{ "a", "prophecy/artifacts/d/e/7/v3/pipeline/x.whl", true },
	{ "a", "prophecy/artifacts/d/e/7/v0/pipeline/y.whl", true },	/* nowhere else */
	{ "a", "prophecy/artifacts/d/e/7/v1/pipeline/y.whl", false },
	{ "b", "prophecy/artifacts/d/e/7/v1/pipeline/z.whl", true },
	{ "c", "prophecy/artifacts/d/e/7/v2/pipeline/x2.whl", false },	/* of no release any more */
	{ "b", "odd", true },
};

static int trim(struct store_tx *tx, void *arg, struct ps_err *err)
{
	static char *digests[] = { (char *)"a", (char *)"b" }, *versions[] = { (char *)"v2", (char *)"v3" };
	const struct texts d = { digests, 2, 2 }, v = { versions, 2, 2 };
	int64_t n = 0;
	int rc = 0;

	(void)arg;
	for (size_t i = 0; i < PS_NELEM(paths) && rc == 0; i++)
		rc = deployed_artifact_put(tx, &(struct deployment) { .fabric = (char *)"dev", .repository = 1,
								      .project = (char *)"." },
					   paths[i].path, paths[i].digest, err);
	/* another fabric's is its own */
	if (rc == 0)
		rc = deployed_artifact_put(tx, &(struct deployment) { .fabric = (char *)"qa", .repository = 1,
								      .project = (char *)"." },
					   paths[0].path, paths[0].digest, err);
	if (rc == 0)
		rc = deployed_artifacts_trim(tx, &d, &v, &n, err);
	found = n;
	return rc;
}

static struct deployed_artifacts left, left_qa;

static int list_left(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = deployed_artifacts(tx, "dev", 1, ".", &left, err);

	(void)arg;
	return rc < 0 ? rc : deployed_artifacts(tx, "qa", 1, ".", &left_qa, err);
}

static void paths_that_nobody_names_are_forgotten(void **state)
{
	struct fx *f = *state;
	int64_t gone = 0;

	assert_int_equal(do_write(f, trim), 0);
	assert_int_equal(do_write(f, list_left), 0);
	for (size_t i = 0; i < PS_NELEM(paths); i++) {
		bool is = false;

		for (size_t k = 0; k < left.n; k++)
			is |= strcmp(left.v[k].path, paths[i].path) == 0;
		if (is != paths[i].stays)
			fail_msg("'%s' %s", paths[i].path, is ? "stays" : "is gone");
		gone += !is;
	}
	assert_int_equal(left_qa.n, 1);
	assert_int_equal(found, gone);
	deployed_artifacts_clear(&left);
	deployed_artifacts_clear(&left_qa);
}

static int setup_row(void **state)
{
	row = *state;
	return setup(state);
}

/* ---- a release of a real pass ---- */

static bool is_verified;
static char *why;
static int64_t deployment;

static int ask_verified(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct verified_ask q = { .cfg = f->policy.cfg, .paths = &f->paths, .repository = 1,
				  .env = config_environment(f->policy.cfg, "development"),
				  .project = ".", .release = f->demand.release };

	free(why);
	return verified_release(tx, &q, &is_verified, &why, err);
}

static int end_it(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct plan plan = { 0 };
	struct deployment d = { 0 };
	int rc = deployment_get(tx, deployment, &d, err);

	(void)arg;
	if (rc == 0)
		rc = plan_read(&plan, d.plan, strlen(d.plan), err);
	if (rc == 0)
		rc = verification_insert(tx, &(struct verification) {
			.deployment = d.id, .fabric = d.fabric, .repository = d.repository,
			.project = d.project, .release = d.release, .digest = plan.rendered, .whole = 1,
			.state = (char *)"looked" }, err);
	if (rc == 0)
		rc = deployment_set(tx, d.id, "deployed", NULL, NULL, 0, err);
	if (rc == 0)
		rc = demand_set(tx, d.demand, "done", NULL, NULL, 0, err);
	plan_clear(&plan);
	deployment_clear(&d);
	return rc;
}

/* The same configuration with another id of the project, so that artifacts lie elsewhere. */
static void reconfigure(struct fx *f, const char *id)
{
	struct diag_list diags = DIAG_LIST_INIT;
	char *text = xstrdup(yaml), *at = strstr(text, "id: 7");
	struct ps_err err;

	memcpy(at, id, strlen(id));
	config_free(f->policy.cfg);
	assert_int_equal(config_parse(&f->policy.cfg, "penstock.yml", text, strlen(text), &diags,
				      &err), 0);
	assert_non_null(f->policy.cfg);
	diag_clear(&diags);
	free(text);
}

static void verified_as_it_was_rendered(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	for (size_t i = 0; i < p->nacts; i++)
		if (p->acts[i].kind == ACT_DEPLOY)
			deployment = p->acts[i].id;
	pass_free(p);
	assert_int_equal(do_write(f, ask_verified), 0);
	assert_false(is_verified);
	assert_string_equal(why, "not verified on fabric dev yet");
	assert_int_equal(do_write(f, end_it), 0);
	assert_int_equal(do_write(f, ask_verified), 0);
	assert_false(is_verified);	/* the deployer looked; core has not weighed it yet */
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, ask_verified), 0);
	assert_true(is_verified);
	assert_null(why);
	reconfigure(f, "id: 8");
	assert_int_equal(do_write(f, ask_verified), 0);
	assert_false(is_verified);
	assert_non_null(strstr(why, "the configuration makes something else of it now"));
	reconfigure(f, "id: 7");
	assert_int_equal(do_write(f, ask_verified), 0);
	assert_true(is_verified);
	free(why);
	why = NULL;
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 2];
	size_t n = 0;

	for (; n < PS_NELEM(rows); n++)
		t[n] = (struct CMUnitTest) { rows[n].name, goes_back_to, setup_row, teardown,
					     (void *)&rows[n] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(verified_as_it_was_rendered, setup,
								     teardown);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(paths_that_nobody_names_are_forgotten,
								     setup, teardown);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("back", t, n, NULL, NULL);
}
