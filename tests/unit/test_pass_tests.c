/* Units of the pass: a release waits for the tests of what was built, and a failing one ends it. */
#include "config.h"

#include "tests/support/pass_fx.h"

static int64_t claimed_test, test_fence;
static const struct test_result *test_end;

static int end_the_test(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = test_started(tx, claimed_test, test_fence, err);

	(void)arg;
	return rc < 0 ? rc : test_finish(tx, claimed_test, test_fence, test_end, err);
}

/* A demand of f->ref up to its tests being claimed. */
static void up_to_tests(struct fx *f, bool built)
{
	struct pass *p;

	f->tests = true;
	assert_int_equal(do_write(f, make_demand), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	if (!built) {
		take_claim(p);
		assert_int_equal(do_write(f, pass_the_build), 0);
		p = do_pass(f, DIGEST, NULL, NULL);
	}
	assert_int_equal(count(p, ACT_TEST), 1);
	assert_int_equal(count(p, ACT_DEPLOY), 0);
	claimed_test = p->acts[0].id;
	test_fence = p->acts[0].fence;
	assert_string_equal(p->acts[0].build.digest, DIGEST);
	pass_free(p);
}

static const struct test_result passed = { .test = { .state = (char *)"passed", .passed = 3 } };
static const struct test_result flaky = { .test = { .state = (char *)"passed", .passed = 3,
						    .flaky = 1 } };
static const struct test_result failed = { .test = { .state = (char *)"failed", .failed = 1,
						     .reason = (char *)"1 of 3: a.py::b" } };

static void release_waits_for_tests(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	f->ref = "refs/heads/main";
	up_to_tests(f, false);
	assert_string_equal(f->demand.state, "waiting");
	assert_waits(f, "tests", "test t1 of pipelines/a is queued");
	assert_null(f->demand.release);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(p->nacts, 0);		/* asked for once */
	pass_free(p);
	assert_string_equal(f->demand.state, "active");
	test_end = &passed;
	assert_int_equal(do_write(f, end_the_test), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
	/* remembered: the next that needs it asks for nothing */
	f->ref = "refs/heads/byhand";
	assert_int_equal(do_write(f, make_demand), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_TEST), 0);
	pass_free(p);
	assert_waits(f, "manual", "environment byhand");
}

static void failed_test_stops_the_release(void **state)
{
	struct fx *f = *state;

	f->ref = "refs/heads/main";
	up_to_tests(f, false);
	test_end = &failed;
	assert_int_equal(do_write(f, end_the_test), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "failed");
	assert_string_equal(f->demand.reason, "test t1 of pipelines/a failed: 1 of 3: a.py::b");
	assert_null(f->demand.release);
	/* the build is there, its failed test is not remembered */
	f->ref = "refs/heads/byhand";
	up_to_tests(f, true);
	assert_int_equal(claimed_test, 2);
}

static void flaky_goes_on_and_is_run_again(void **state)
{
	struct fx *f = *state;

	f->ref = "refs/heads/byhand";
	up_to_tests(f, false);
	test_end = &flaky;
	assert_int_equal(do_write(f, end_the_test), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_non_null(f->demand.release);
	f->ref = "refs/heads/asked";
	up_to_tests(f, true);
	assert_int_equal(claimed_test, 2);
}

static int forget(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = tests_forget(tx, claimed_build, err);

	(void)arg;
	return rc == 1 ? 0 : PS_EINVAL;
}

static void forgotten_pass_is_run_again(void **state)
{
	struct fx *f = *state;

	f->ref = "refs/heads/byhand";
	up_to_tests(f, false);
	test_end = &passed;
	assert_int_equal(do_write(f, end_the_test), 0);
	assert_int_equal(do_write(f, forget), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_non_null(f->demand.release);	/* what it was given stays its own */
	f->ref = "refs/heads/asked";
	up_to_tests(f, true);
}

static void tests_and_builds_share_the_slots(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	f->ref = "refs/heads/main";
	up_to_tests(f, false);
	f->ref = "refs/heads/byhand";
	assert_int_equal(do_write(f, make_demand), 0);
	p = do_pass(f, ZERO ZERO, NULL, NULL);	/* another key: a build */
	assert_int_equal(p->nacts, 0);
	pass_free(p);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "builder", "since test t1");
	test_end = &passed;
	assert_int_equal(do_write(f, end_the_test), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_BUILD), 1);
	pass_free(p);
}

static int late_test(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return test_finish(tx, claimed_test, test_fence - 1, &passed, err);
}

static int put_back_and_end(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	int rc = test_requeue(tx, claimed_test, test_fence, "the build role ended meanwhile", err);

	return rc < 0 ? rc : demand_set(tx, f->demand.id, "cancelled", "by hand", NULL, 0, err);
}

static void unwanted_tests_are_not_run(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	f->ref = "refs/heads/main";
	up_to_tests(f, false);
	assert_int_equal(do_write(f, late_test), PS_ESTALE);
	assert_int_equal(do_write(f, put_back_and_end), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_TEST), 0);
	pass_free(p);
	f->ref = "refs/heads/byhand";
	up_to_tests(f, true);			/* the cancelled one is not kept */
	assert_int_equal(claimed_test, 2);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(release_waits_for_tests), CASE(failed_test_stops_the_release),
		CASE(flaky_goes_on_and_is_run_again), CASE(forgotten_pass_is_run_again),
		CASE(tests_and_builds_share_the_slots), CASE(unwanted_tests_are_not_run),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("pass_tests", tests, NULL, NULL);
}
