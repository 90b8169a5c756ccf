/* Units of what keeps a deployment from its fabric, and of what people do about it: real store and pass, no
 * role. */
#include "config.h"

#include "tests/support/pass_fx.h"

#include "agent/flow/asking.h"
#include "agent/store/release.h"

static const char *asked_by, *to;

/* The artifact that pass_the_build() tells of. */
static void put_artifact(struct fx *f)
{
	char *path = cas_path(f->paths.artifacts, DIGEST), *slash = strrchr(path, '/');
	struct ps_err err;
	int fd;

	*slash = '\0';
	assert_int_equal(fs_mkdirs(path, 0755, &err), 0);
	*slash = '/';
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0);
	close(fd);
	free(path);
}

/* refs/heads/asked waits for its approval; its release is there. */
static void released(struct fx *f)
{
	demand_of(f, "refs/heads/asked");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	put_artifact(f);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_non_null(f->demand.release);
}

static int ask_for_it(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct release_found found = { .project = NULL };
	struct label l = { 0 };
	struct demand d = { 0 };
	struct asking q = { .cfg = f->policy.cfg, .paths = &f->paths, .asked = "promote",
			    .by = asked_by, .label = &l,
			    .env = config_environment(f->policy.cfg, to) };
	char prefix[9];
	int rc;

	snprintf(prefix, sizeof(prefix), "%.8s", f->demand.release);
	rc = release_find(tx, &(struct release_ask){ .thing = prefix, .repository = "x" }, &found, err);
	if (rc == 0)
		rc = label_get(tx, found.label, &l, err);
	if (rc == 0)
		rc = asking_put(tx, &q, &d, err);
	if (rc == 0)
		f->demand.id = d.id;
	release_found_clear(&found);
	label_clear(&l);
	demand_clear(&d);
	return rc;
}

static void promote(struct fx *f, const char *environment)
{
	asked_by = "kim";
	to = environment;
	assert_int_equal(do_write(f, ask_for_it), 0);
}

static void promoted_goes_straight_to_its_deployment(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	released(f);
	promote(f, "development");
	/* no toolchain, no builder: nothing is built */
	p = do_pass(f, NULL, "there is none", NULL);
	assert_int_equal(p->nacts, 1);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	assert_string_equal(f->demand.asked, "promote");
	assert_string_equal(f->demand.asked_by, "kim");
	assert_string_equal(f->demand.state, "active");
	pass_free(p);
	p = do_pass(f, NULL, "there is none", NULL);
	assert_int_equal(p->nacts, 0);
	pass_free(p);
}

static void promoted_later_takes_the_place(void **state)
{
	struct fx *f = *state;
	int64_t pushed, first;

	released(f);
	pushed = f->demand.id;
	promote(f, "asked");
	first = f->demand.id;
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "waiting");
	look_at(f, pushed);
	assert_string_equal(f->demand.state, "superseded");
	look_at(f, first);
	promote(f, "asked");	/* no event came between */
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "waiting");
	look_at(f, first);
	assert_string_equal(f->demand.state, "superseded");
}

/* What was asked for turns back, but a push that comes later is newer. */
static void newer_push_takes_the_place_of_what_was_asked(void **state)
{
	struct fx *f = *state;
	int64_t asked;

	released(f);
	promote(f, "asked");
	asked = f->demand.id;
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	demand_of(f, "refs/heads/asked");
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "waiting");
	look_at(f, asked);
	assert_string_equal(f->demand.state, "superseded");
}

static int artifact_goes(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE build SET gone_ms = 5", "");

	(void)arg;
	return rc < 0 ? rc : 0;
}

static void nothing_to_promote_without_its_bytes(void **state)
{
	struct fx *f = *state;

	released(f);
	assert_int_equal(do_write(f, artifact_goes), 0);
	asked_by = "kim";
	to = "development";
	assert_int_equal(do_write(f, ask_for_it), PS_ENOENT);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest t[] = {
		CASE(promoted_goes_straight_to_its_deployment),
		CASE(promoted_later_takes_the_place),
		CASE(newer_push_takes_the_place_of_what_was_asked),
		CASE(nothing_to_promote_without_its_bytes),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("gates", t, NULL, NULL);
}
