/* Units of the pass: what can go on goes on, what cannot says why. The store is real, the roles are
 * the view that each row gives; no loop and no process. */
#include "config.h"

#include "agent/flow/signing.h"
#include "tests/support/pass_fx.h"

#include "agent/store/observation.h"

static void waits_for_a_toolchain(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	p = do_pass(f, NULL, "there is none", NULL);
	assert_int_equal(p->nacts, 0);
	assert_string_equal(f->demand.state, "waiting");
	assert_waits(f, "toolchain", "there is none");
	pass_free(p);
}

/* The toolchain may have changed since it was asked for: a newer demand gets a newer answer. */
static void asks_again_for_a_newer_demand(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	f->now_ms = INT64_MAX / 2;
	f->asked_ms = 1;
	for (int i = 0; i < 2; i++) {
		p = do_pass(f, DIGEST, NULL, NULL);
		assert_int_equal(p->nacts, 0);
		assert_true(p->ask_toolchain);
		assert_waits(f, "toolchain", "is asked whether it has changed");
		pass_free(p);
	}
	f->asked_ms = f->now_ms;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_false(p->ask_toolchain);
	assert_int_equal(count(p, ACT_BUILD), 1);
	pass_free(p);
}

static int look_again(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return demands_look_again(tx, err);
}

static struct conf_names just(const char *name)
{
	char *copy = xstrdup(name);

	return (struct conf_names) { xmemdup(&copy, sizeof(copy)), 1 };
}

/* A hundred that wait for a toolchain nobody has made leave the one that can be built alone; when it
 * is there they go on. */
static void a_missing_toolchain_keeps_its_own(void **state)
{
	const struct conf_toolchain_rule rules[] = {
		{ .projects = just("**:**"), .languages = just("scala"), .use = xstrdup("jvm") },
		{ .projects = just("**:**"), .environments = just("asked"), .use = xstrdup("new") },
	};
	struct toolchain_one made = { .name = (char *)"new", .prefix = (char *)"/n",
				      .digest = (char *)ZERO ZERO };
	struct fx *f = *state;
	struct pass *p;
	int64_t last = 0;

	f->policy.cfg->toolchain_rules = xmemdup(rules, sizeof(rules));	/* freed with it */
	f->policy.cfg->ntoolchain_rules = PS_NELEM(rules);
	for (int i = 0; i < PASS_BATCH + 1; i++) {
		char repo[16];

		snprintf(repo, sizeof(repo), "r%d", i);
		last = demand_for(f, repo, "refs/heads/asked", NULL);
	}
	demand_of(f, "refs/heads/main");
	p = do_pass(f, DIGEST, NULL, NULL);
	if (!count(p, ACT_BUILD)) {	/* a batch was full */
		assert_true(p->again);
		pass_free(p);
		p = do_pass(f, DIGEST, NULL, NULL);
	}
	assert_int_equal(count(p, ACT_BUILD), 1);
	assert_string_equal(p->acts[0].build.toolchain, DIGEST);
	assert_string_equal(p->acts[0].build.prefix, "/t");
	pass_free(p);
	look_at(f, last);
	f->demand.event = last;		/* each event has one demand here */
	assert_waits(f, "toolchain",
		     "toolchain new: make it with penstock toolchain make new FILE");
	assert_string_equal(part(f, "lift"), "penstock toolchain make new FILE");
	assert_string_equal(part(f, "blocked_by"), "toolchain new");
	assert_int_equal(do_write(f, look_again), 0);
	f->toolchains = &made;
	f->ntoolchains = 1;
	f->policy.cfg->builder.slots = 2;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_BUILD), 1);
	assert_string_equal(p->acts[0].build.toolchain, ZERO ZERO);
	assert_string_equal(p->acts[0].build.prefix, "/n");
	pass_free(p);
}

static void waits_for_a_sandbox(void **state)
{
	struct fx *f = *state;

	demand_of(f, "refs/heads/main");
	pass_free(do_pass(f, DIGEST, NULL, "no user namespaces"));
	pass_free(do_pass(f, DIGEST, NULL, "no user namespaces"));
	assert_waits(f, "sandbox", "no user namespaces");
}

static void builds_releases_deploys(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	assert_string_equal(f->demand.state, "active");
	assert_non_null(f->demand.release);
	pass_free(p);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(p->nacts, 0);		/* idempotent: nothing is said twice */
	pass_free(p);
}

/* ---- signatures ---- */

static size_t signed_now;
static struct release seen;

static int sign_the_rest(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return signing_run(tx, ((struct fx *)arg)->policy.key, &signed_now, err);
}

static int read_release(struct store_tx *tx, void *arg, struct ps_err *err)
{
	release_clear(&seen);
	return release_get(tx, ((struct fx *)arg)->demand.release, &seen, err);
}

/* Another manifest under a name that is not its own, as somebody writes it into the store. */
static int forge_release(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return release_put(tx, &(struct release) { .id = (char *)DIGEST, .project = (char *)".",
						   .manifest = (char *)"{}" }, err);
}

/* Made without a key: signed as soon as there is one. Made with it: signed at once. */
static void releases_are_signed(void **state)
{
	struct fx *f = *state;
	struct ps_err err = { 0 };
	struct sign_key key;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, read_release), 0);
	assert_null(seen.signature);
	assert_int_equal(do_write(f, forge_release), 0);
	assert_int_equal(sign_key_make(&key, &err), 0);
	f->policy.key = &key;
	assert_int_equal(do_write(f, sign_the_rest), 0);
	assert_int_equal(signed_now, 1);	/* and not the forged one */
	assert_int_equal(do_write(f, read_release), 0);
	assert_string_equal(seen.signed_by, key.pub.id);
	assert_true(sign_fits(&key.pub, seen.manifest, strlen(seen.manifest), seen.signature));
	f->tree = "3333333333333333333333333333333333333333";
	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(do_write(f, read_release), 0);
	assert_true(sign_fits(&key.pub, seen.manifest, strlen(seen.manifest), seen.signature));
	seen.manifest[0] = ' ';
	assert_false(sign_fits(&key.pub, seen.manifest, strlen(seen.manifest), seen.signature));
	for (size_t i = 0; i < p->nacts; i++)	/* the deployer gets both */
		if (p->acts[i].kind == ACT_DEPLOY)
			assert_string_equal(p->acts[i].release.signature, seen.signature);
	pass_free(p);
	release_clear(&seen);
	f->policy.key = NULL;
}

static void second_demand_shares_the_build(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	demand_of(f, "refs/heads/byhand");
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(p->nacts, 0);		/* same key: the build under way is theirs too */
	pass_free(p);
	assert_int_equal(do_write(f, pass_the_build), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "manual", "deployed by hand");
}

static void same_content_is_one_release(void **state)
{
	struct fx *f = *state;
	char *first;

	demand_of(f, "refs/heads/asked");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	first = xstrdup(f->demand.release);
	/* everything is built: keyed and released in one pass */
	demand_of(f, "refs/heads/byhand");
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.release, first);
	free(first);
}

static void slot_taken_says_builder(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	demand_of(f, "refs/heads/byhand");
	p = do_pass(f, ZERO ZERO, NULL, NULL);	/* another toolchain: another key */
	assert_int_equal(p->nacts, 0);
	pass_free(p);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "builder", "1 of 1 slots busy");
}

static int run_gone_now(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return repository_gone(tx, "/srv/x.git", 1234567890123, err);
}

static int run_back_but_taken(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = repository_gone(tx, "/srv/x.git", 0, err);

	(void)arg;
	return rc < 0 ? rc : repository_taken(tx, "/srv/x.git", "the agent of /b", 1234567890123, err);
}

static int run_ours(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return repository_taken(tx, "/srv/x.git", NULL, 0, err);
}

/* Nothing of a repository that is gone, or another agent's, deploys; what others wait for goes on. */
static void stands_with_its_repository(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	assert_int_equal(do_write(f, run_gone_now), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 0);
	pass_free(p);
	assert_waits(f, "held", "repository x is gone since 2009-02-13");
	assert_int_equal(do_write(f, run_back_but_taken), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 0);
	pass_free(p);
	assert_waits(f, "held", "taken by another agent since 2009-02-13");
	assert_int_equal(do_write(f, run_ours), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
}

/* ---- what is in force is looked at before it is changed ---- */

static const char *found;		/* what the look finds; NULL: it fails */

static int run_deployed(struct store_tx *tx, void *arg, struct ps_err *err)
{
	static char fabric[] = "dev", project[] = ".", key[] = "jobs/j", name[] = "j",
		    digest[] = DIGEST, live[] = "live", version[] = "v1", ref[] = "refs/tags/v1";
	struct fx *f = arg;
	struct deployed_job j = { .fabric = fabric, .repository = f->demand.repository,
				  .project = project, .job = key, .name = name, .release = digest,
				  .digest = digest, .state = live, .version = version,
				  .ref = ref };

	return deployed_job_put(tx, &j, err);
}

static int run_found(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct observed_place at = { "dev", f->demand.repository, "." };
	struct deployed_jobs asked = { NULL, 0 };
	int rc = deployed_jobs(tx, at.fabric, at.repository, at.project, &asked, err);

	if (rc == 0)
		rc = found ? observation_put(tx, &at, &asked,
					     &(struct observed_found) { .digest = found },
					     f->now_ms, err) :
			observation_fail(tx, &at, "it is away", f->now_ms, err);
	deployed_jobs_clear(&asked);
	return rc;
}

static size_t differing;

static int run_count_observed(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct observed_place at = { "dev", f->demand.repository, "." };
	struct observed_jobs l = { NULL, 0 };
	int rc = observed_jobs(tx, &at, &l, err);

	differing = l.n;
	observed_jobs_clear(&l);
	return rc;
}

static char plan_text[4096];

static int run_read_plan(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct deployment d = { 0 };
	int rc = deployment_get(tx, 1, &d, err);

	(void)arg;
	snprintf(plan_text, sizeof(plan_text), "%s", rc == 0 && d.plan ? d.plan : "");
	deployment_clear(&d);
	return rc;
}

static void assert_acts(struct fx *f, size_t looks, size_t deploys)
{
	struct pass *p = do_pass(f, DIGEST, NULL, NULL);

	assert_int_equal(count(p, ACT_OBSERVE), looks);
	assert_int_equal(count(p, ACT_DEPLOY), deploys);
	pass_free(p);
}

static void looks_before_it_deploys(void **state)
{
	static char other[] = "f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	struct fx *f = *state;

	f->now_ms = 1000000;
	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	assert_int_equal(do_write(f, run_deployed), 0);
	assert_acts(f, 1, 0);
	assert_waits(f, "fabric", "looking at what fabric dev has");
	assert_acts(f, 0, 0);		/* it is asked for once */
	found = NULL;
	assert_int_equal(do_write(f, run_found), 0);
	assert_acts(f, 0, 0);
	assert_waits(f, "fabric", "cannot see what fabric dev has: it is away; next try at 1970-01-01T00:17:10Z");
	f->now_ms += 31000;
	assert_acts(f, 1, 0);
	f->now_ms += 61000;		/* nobody answers: asked again */
	assert_acts(f, 1, 0);
	found = other;
	assert_int_equal(do_write(f, run_found), 0);
	f->now_ms += 11000;		/* that was too long ago */
	assert_acts(f, 1, 0);
	assert_int_equal(do_write(f, run_found), 0);
	assert_acts(f, 0, 1);
	assert_int_equal(do_write(f, run_read_plan), 0);
	assert_non_null(strstr(plan_text, "\"seen\":[{\"key\":\"jobs/j\",\"sha256\":\"f3b0c4"));
	assert_non_null(strstr(plan_text, "\"drifted\":true"));
	assert_int_equal(do_write(f, run_count_observed), 0);
	assert_int_equal(differing, 1);
	/* what is deployed next is not compared with what was seen before */
	assert_int_equal(do_write(f, run_deployed), 0);
	assert_int_equal(do_write(f, run_count_observed), 0);
	assert_int_equal(differing, 0);
}

static void gates_of_a_deployment(void **state)
{
	static const struct { const char *ref, *reason, *detail; } rows[] = {
		{ "refs/heads/asked", "approval", "devs 0/1" },
		{ "refs/heads/byhand", "manual", "environment byhand" },
		{ "refs/heads/air", "fabric", "no driver in this version" },
	};
	struct fx *f = *state;

	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		demand_of(f, rows[i].ref);
		if (i == 0) {
			take_claim(do_pass(f, DIGEST, NULL, NULL));
			assert_int_equal(do_write(f, pass_the_build), 0);
		}
		pass_free(do_pass(f, DIGEST, NULL, NULL));
		assert_string_equal(f->demand.state, "waiting");
		assert_waits(f, rows[i].reason, rows[i].detail);
	}
}

#define TREE2 "3333333333333333333333333333333333333333"
#define TREE3 "4444444444444444444444444444444444444444"
#define TREE4 "5555555555555555555555555555555555555555"

static int64_t shared_build;

/* The state of a build, into f->rc by its first letter: no more is asked here. */
static int build_letter(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = build_get(tx, shared_build, &b, err);

	(void)arg;
	if (rc == 0)
		rc = b.state[0] == 'c' && b.state[1] == 'a' ? 'x' : b.state[0];
	build_clear(&b);
	return rc;
}

static void assert_build(struct fx *f, int64_t id, char letter)
{
	shared_build = id;
	assert_int_equal(do_write(f, build_letter), letter);
}

static void newer_push_ends_what_has_not_started(void **state)
{
	struct fx *f = *state;
	int64_t first, second;
	char why[64];

	/* one build under way, so that the others wait */
	demand_for(f, "busy", "refs/heads/byhand", TREE);
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	first = demand_for(f, "x", "refs/heads/main", TREE2);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_build(f, 2, 'q');
	second = demand_for(f, "x", "refs/heads/main", TREE3);
	snprintf(why, sizeof(why), "superseded by e%lld", (long long)f->event);
	look_at(f, first);
	assert_string_equal(f->demand.state, "superseded");
	assert_string_equal(f->demand.reason, why);
	assert_build(f, 2, 'x');	/* nobody needs it any more: cancelled at once */
	look_at(f, second);
	assert_string_equal(f->demand.state, "waiting");
	/* what is being built goes on, and so does the demand for it */
	demand_for(f, "busy", "refs/heads/byhand", TREE4);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	look_at(f, 1);
	assert_string_equal(f->demand.state, "active");
}

/* A tag waits for the build that a branch waits for: the branch moves on, the tag's build stays. */
static void a_tag_keeps_the_build(void **state)
{
	struct fx *f = *state;
	int64_t branch, tag, later;

	demand_for(f, "busy", "refs/heads/byhand", TREE);
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	branch = demand_for(f, "x", "refs/heads/main", TREE2);
	tag = demand_for(f, "x", "refs/tags/v1", TREE2);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	later = demand_for(f, "x", "refs/heads/main", TREE3);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	look_at(f, branch);
	assert_string_equal(f->demand.state, "superseded");
	assert_build(f, 2, 'q');
	look_at(f, tag);
	assert_waits(f, "builder", "1 of 1 slots busy");
	assert_string_equal(part(f, "blocked_by"), "b1");
	assert_int_equal(json_integer_value(json_object_get(f->wait, "ahead")), 0);
	look_at(f, later);	/* its environment is less urgent than the tag's */
	assert_waits(f, "builder", "1 of 1 slots busy");
	assert_int_equal(json_integer_value(json_object_get(f->wait, "ahead")), 1);
	/* tags are never superseded, and the same tag pushed anew is another demand */
	demand_for(f, "x", "refs/tags/v1", TREE4);
	look_at(f, tag);
	assert_string_equal(f->demand.state, "waiting");
}

/* Slots 1: whoever is served, the other repository is next; the numbers told before come true. */
static void repositories_take_turns(void **state)
{
	static const char *const trees[] = { TREE, TREE2, TREE3, TREE4 };
	static const int64_t order[] = { 1, 4, 2, 3 };
	static const char *const refs[] = { "refs/heads/main", "refs/heads/byhand",
					    "refs/heads/asked", "refs/heads/main" };
	struct fx *f = *state;

	for (size_t i = 0; i < PS_NELEM(trees); i++)
		demand_for(f, i < 3 ? "busy" : "small", refs[i], trees[i]);
	for (size_t i = 0; i < PS_NELEM(order); i++) {
		struct pass *p = do_pass(f, DIGEST, NULL, NULL);
		bool build = false;

		for (size_t k = 0; k < p->nacts; k++)
			if (p->acts[k].kind == ACT_BUILD) {
				assert_int_equal(p->acts[k].id, order[i]);
				claimed_build = p->acts[k].id;
				claimed_fence = p->acts[k].fence;
				build = true;
			}
		assert_true(build);
		pass_free(p);
		for (size_t k = i + 1; k < PS_NELEM(order); k++) {
			look_at(f, order[k]);
			assert_waits(f, "builder", "1 of 1 slots busy");
			assert_int_equal(json_integer_value(json_object_get(f->wait, "ahead")),
					 k - i - 1);
		}
		assert_int_equal(do_write(f, pass_the_build), 0);
	}
}

static int cancelled_by_role(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct build_result r = { .state = "cancelled" };

	(void)arg;
	return build_finish(tx, claimed_build, claimed_fence, &r, err);
}

static int end_demand(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return demand_set(tx, ((struct fx *)arg)->demand.id, "cancelled", "by kim", NULL, 0, err);
}

/* A running build that nobody needs is told to end, once; who needs it after that builds it anew. */
static void unwanted_while_it_runs(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, end_demand), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_CANCEL_BUILD), 1);
	assert_int_equal(p->acts[0].fence, claimed_fence);
	pass_free(p);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_CANCEL_BUILD), 0);
	pass_free(p);
	demand_of(f, "refs/heads/byhand");
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "active");		/* hopes that it comes through */
	assert_int_equal(do_write(f, cancelled_by_role), 0);
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(claimed_build, 2);
}

static int fail_the_build(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct build_result r = { .state = "failed", .reason = "setup.py: exit status 1" };

	(void)arg;
	return build_finish(tx, claimed_build, claimed_fence, &r, err);
}

static void failed_build_ends_the_demand(void **state)
{
	struct fx *f = *state;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, fail_the_build), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "failed");
	assert_non_null(strstr(f->demand.reason, "setup.py: exit status 1"));
	demand_of(f, "refs/heads/byhand");
	/* a failure is not remembered: built again on demand */
	take_claim(do_pass(f, DIGEST, NULL, NULL));
}

/* The pusher learns of all that is broken, not of what broke first. */
static void every_broken_build_is_told(void **state)
{
	struct fx *f = *state;

	f->two = true;
	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, fail_the_build), 0);
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "active");
	assert_non_null(strstr(f->demand.detail, "the others go on"));
	assert_int_equal(do_write(f, fail_the_build), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "failed");
	assert_non_null(strstr(f->demand.reason, "of pipelines/a failed"));
	assert_non_null(strstr(f->demand.reason, "of pipelines/b failed"));
}

static int64_t changes;

static int count_changes(struct store_tx *tx, void *arg, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT total_changes()", "");
	int rc = sql_next(tx, q, err);

	(void)arg;
	changes = rc > 0 ? sql_int(q, 0) : -1;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* Everything waits for something: a further pass has nothing to say and writes nothing. */
static void nothing_to_do_writes_nothing(void **state)
{
	static const char *const refs[] = { "refs/heads/main", "refs/heads/asked", "refs/heads/byhand" };
	struct fx *f = *state;
	int64_t before;

	demand_of(f, refs[0]);
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	demand_of(f, refs[1]);
	pass_free(do_pass(f, ZERO ZERO, NULL, NULL));	/* another key: waits for the slot */
	assert_int_equal(do_write(f, pass_the_build), 0);
	demand_of(f, refs[2]);
	for (int i = 0; i < 3; i++)
		pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, count_changes), 0);
	before = changes;
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, count_changes), 0);
	assert_int_equal(changes, before);
}

static void no_slot_at_all(void **state)
{
	struct fx *f = *state;

	f->policy.cfg->builder.slots = 0;
	demand_of(f, "refs/heads/main");
	for (int i = 0; i < 2; i++) {
		struct pass *p = do_pass(f, DIGEST, NULL, NULL);

		assert_int_equal(p->nacts, 0);
		pass_free(p);
	}
	assert_waits(f, "builder", "builders.default.slots is 0");
}

static struct pause stop;		/* of the next write; scope NULL: lift all */

static int set_stop(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int64_t lifted;

	(void)arg;
	return stop.scope ? pause_put(tx, &stop, err) : pause_lift(tx, NULL, NULL, &lifted, err);
}

static void do_stop(struct fx *f, const char *scope, const char *name)
{
	stop = (struct pause) { .scope = (char *)scope, .name = (char *)name, .kind = (char *)"pause",
				.who = (char *)"kim", .why = (char *)"it; run: rm" };
	assert_int_equal(do_write(f, set_stop), 0);
}

static void paused_waits_and_says_who(void **state)
{
	static const struct { const char *scope, *name, *lift; } rows[] = {
		{ "environment", "development", "penstock resume environment development" },
		{ "fabric", "dev", "penstock resume fabric dev" },
		{ "all", "", "penstock resume all" },
	};
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	do_stop(f, "builder", "");
	for (int i = 0; i < 2; i++) {
		p = do_pass(f, DIGEST, NULL, "no sandbox either");
		assert_int_equal(p->nacts, 0);
		pass_free(p);
	}
	assert_waits(f, "paused", "builder by kim since ");
	do_stop(f, NULL, NULL);
	do_stop(f, "fabric", "air");		/* of another fabric */
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		do_stop(f, rows[i].scope, rows[i].name);
		p = do_pass(f, DIGEST, NULL, NULL);
		assert_int_equal(p->nacts, 0);
		pass_free(p);
		assert_string_equal(f->demand.state, "waiting");
		assert_waits(f, "paused", "by kim");
		assert_string_equal(part(f, "lift"), rows[i].lift);
		do_stop(f, NULL, NULL);
	}
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
}

static int late_answer(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct build_result r = { .state = "passed", .digest = DIGEST, .name = "x", .size = 1 };

	(void)arg;
	return build_finish(tx, claimed_build, claimed_fence + 1, &r, err);
}

static void late_answers_change_nothing(void **state)
{
	struct fx *f = *state;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, late_answer), PS_ESTALE);
}

/* Nobody has told anything of a build for too long: it is claimed anew in the same pass, the old
 * claim is told to end, and whatever it still says changes nothing. */
static void lease_of_a_build_ends(void **state)
{
	struct fx *f = *state;
	int64_t old;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	old = claimed_fence;
	f->now_ms = 1000 + LEASE_EXPORT_MS - 1;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(p->nacts, 0);
	pass_free(p);
	f->now_ms++;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(p->nacts, 2);
	assert_int_equal(p->acts[0].kind, ACT_CANCEL_BUILD);
	assert_int_equal(p->acts[0].fence, old);
	assert_int_equal(p->acts[1].kind, ACT_BUILD);
	assert_int_equal(p->acts[1].fence, old + 1);
	pass_free(p);
	assert_int_equal(do_write(f, pass_the_build), PS_ESTALE);
	claimed_fence = old + 1;
	assert_int_equal(do_write(f, pass_the_build), 0);
}

static int64_t step_fence;

static int begin_step(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return step_begin(tx, 1, step_fence, 1, "jobs x", err);
}

static void lease_of_a_deployment_ends(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	step_fence = p->acts[0].fence;
	pass_free(p);
	assert_int_equal(do_write(f, begin_step), 0);
	f->now_ms = 1000 + LEASE_DEPLOY_MS;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	assert_int_equal(p->acts[0].fence, step_fence + 1);
	pass_free(p);
	assert_int_equal(do_write(f, begin_step), PS_ESTALE);
	step_fence++;
	assert_int_equal(do_write(f, begin_step), 0);
}

static int make_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	static const char *const tasks[] = { "one" };
	struct run r = { .fabric = (char *)"dev", .repository = 1, .project = (char *)".",
			 .job = (char *)"jobs/j", .release = (char *)"rel", .who = (char *)"ana",
			 .spec = (char *)"[]" };

	(void)arg;
	return run_insert(tx, &r, tasks, 1, err);
}

static int run_letter(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct run r = { 0 };
	int rc = run_get(tx, 1, &r, err);

	(void)arg;
	rc = rc == 0 ? r.state[0] : rc;
	run_clear(&r);
	return rc;
}

static int end_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return run_finish(tx, 1, 1, "passed", NULL, err);
}

/* A run may have done half of it: it is not begun again. */
static void lease_of_a_run_ends(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	assert_int_equal(do_write(f, make_run), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_RUN), 1);
	pass_free(p);
	assert_int_equal(do_write(f, run_letter), 'r');
	f->now_ms = 1000 + f->policy.cfg->builder.time_ms + LEASE_GRACE_MS;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_RUN), 0);
	pass_free(p);
	assert_int_equal(do_write(f, run_letter), 'u');
	assert_int_equal(do_write(f, end_run), PS_ESTALE);
}

static int make_remote(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct run r = { .fabric = (char *)"air", .repository = 1, .project = (char *)".",
			 .job = (char *)"jobs/j", .release = (char *)"rel", .who = (char *)"ana",
			 .spec = (char *)"{}", .provider = (char *)"airflow" };

	(void)arg;
	return run_insert(tx, &r, NULL, 0, err);
}

static int64_t run_fence;

static int hear_of_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct run heard = { .remote_id = (char *)"77", .url = (char *)"http://there/77",
			    .lease_ms = f->now_ms + LEASE_REMOTE_MS };

	return run_seen(tx, 1, run_fence, &heard, err);
}

static int two_tasks(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct task_word words[] = { { "one", "running", NULL, NULL, NULL, 1 },
					   { "two", "queued", NULL, NULL, "u", 1 },
					   { "one", "passed", NULL, "last", NULL, 2 } };
	int rc = 0;

	(void)arg;
	for (size_t i = 0; i < PS_NELEM(words) && rc == 0; i++)
		rc = task_set(tx, 1, run_fence, &words[i], err);
	return rc;
}

static int let_go(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return runs_let_go(tx, err);
}

/* It takes no slot of the builders, and who looks after it next goes on from its provider's id. */
static void a_remote_run_goes_on(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	demand_of(f, "refs/heads/main");
	f->now_ms = 1000;
	assert_int_equal(do_write(f, make_remote), 0);
	assert_int_equal(do_write(f, make_run), 0);
	p = do_pass(f, DIGEST, NULL, NULL); /* one slot, and two runs begin */
	assert_int_equal(count(p, ACT_RUN), 2);
	for (size_t i = 0; i < p->nacts; i++)
		if (p->acts[i].kind == ACT_RUN && p->acts[i].id == 1) {
			run_fence = p->acts[i].fence;
			assert_int_equal(p->acts[i].slot, -1);
			assert_null(p->acts[i].run.remote_id);
		}
	pass_free(p);
	assert_int_equal(do_write(f, hear_of_run), 0);
	assert_int_equal(do_write(f, two_tasks), 0);
	assert_int_equal(do_write(f, let_go), 0); /* the role came anew */
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_RUN), 1);
	assert_string_equal(p->acts[0].run.remote_id, "77");
	assert_int_equal(p->acts[0].fence, run_fence + 1);
	pass_free(p);
	assert_int_equal(do_write(f, run_letter), 'r');
	assert_int_equal(do_write(f, hear_of_run), PS_ESTALE);
	assert_int_equal(do_write(f, two_tasks), PS_ESTALE);
	run_fence++;
	f->now_ms += 2 * LEASE_REMOTE_MS; /* nothing was heard for too long: the same */
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_RUN), 1);
	pass_free(p);
	assert_int_equal(do_write(f, run_letter), 'r');
}

static int unsurvey(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET surveyed = 0 WHERE id = ?", "i",
			 ((struct fx *)arg)->event);

	return rc < 0 ? rc : 0;
}

static void lease_of_a_survey_ends(void **state)
{
	struct fx *f = *state;

	demand_of(f, "refs/heads/main");
	assert_int_equal(do_write(f, unsurvey), 0);
	for (int i = 1; i <= 3; i++) {
		struct pass *p = do_pass(f, NULL, "there is none", NULL);

		assert_int_equal(count(p, ACT_SURVEY), 1);
		assert_int_equal(p->acts[0].fence, i);
		pass_free(p);
		p = do_pass(f, NULL, "there is none", NULL);
		assert_int_equal(count(p, ACT_SURVEY), 0);
		pass_free(p);
		f->now_ms = 1000 + i * 3600000;
	}
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(waits_for_a_toolchain), CASE(asks_again_for_a_newer_demand), CASE(waits_for_a_sandbox),
		CASE(a_missing_toolchain_keeps_its_own),
			CASE(builds_releases_deploys), CASE(looks_before_it_deploys), CASE(releases_are_signed),
		CASE(second_demand_shares_the_build),
		CASE(same_content_is_one_release), CASE(slot_taken_says_builder),
			CASE(gates_of_a_deployment), CASE(stands_with_its_repository),
		CASE(newer_push_ends_what_has_not_started), CASE(a_tag_keeps_the_build),
		CASE(repositories_take_turns), CASE(unwanted_while_it_runs),
		CASE(failed_build_ends_the_demand), CASE(every_broken_build_is_told),
		CASE(late_answers_change_nothing),
		CASE(paused_waits_and_says_who),
		CASE(nothing_to_do_writes_nothing), CASE(no_slot_at_all),
		CASE(lease_of_a_build_ends), CASE(lease_of_a_deployment_ends),
		CASE(lease_of_a_run_ends), CASE(a_remote_run_goes_on), CASE(lease_of_a_survey_ends),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
