/* Units of the pass: what can go on goes on, what cannot says why. The store is real, the roles are
 * the view that each row gives; no loop and no process. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/flow/pass.h"
#include "agent/flow/survey_json.h"
#include "agent/store/event.h"
#include "agent/store/repository.h"
#include "agent/store/sql.h"
#include "agent/store/view.h"
#include "common/base/fsutil.h"
#include "common/base/id.h"

#define OID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ZERO "0000000000000000000000000000000000000000"
#define TREE "1111111111111111111111111111111111111111"
#define DIGEST "2222222222222222222222222222222222222222222222222222222222222222"

static const char yaml[] =
	"teams:\n  devs: { members: [ana] }\n"
	"fabrics:\n  dev: { id: 1, owner: devs, provider: local }\n"
	"  air: { id: 2, owner: devs, provider: airflow, airflow: { host: http://127.0.0.1:1 } }\n"
	"environments:\n"
	"  - { name: development, refs: [refs/heads/main], fabric: dev, deploy: auto }\n"
	"  - { name: airflow, refs: [refs/heads/air], fabric: air, deploy: auto }\n"
	"  - { name: asked, refs: [refs/heads/asked], fabric: dev, deploy: approve, approvals: 1 }\n"
	"  - { name: byhand, refs: [refs/heads/byhand], fabric: dev, deploy: manual }\n"
	"projects:\n  '**:**': { id: 7, owner: devs, customer: c, control_plane: p, url: "
		"http://127.0.0.1:2 }\n"
	"repositories:\n  roots: [{ path: repos, identity: uid, hook_users: ['0'] }]\n"
	"builders: { default: { slots: 1 } }\n";

struct fx {
	char dir[64];
	struct ps_paths paths;
	struct store *st;
	struct policy_now policy;
	int wake[2], rc;
	bool done;
	struct pass *pass;
	const char *ref;		/* what the next write makes */
	int64_t event;
	struct demand demand;
	json_t *wait;			/* what `penstock why` says of the demand */
};

/* core.c has the real one; ours lives in the fixture */
void policy_drop(struct policy_now *p)
{
	(void)p;
}

static void on_wake(void *arg)
{
	assert_int_equal(write(((struct fx *)arg)->wake[1], "x", 1), 1);
}

static int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct diag_list diags = DIAG_LIST_INIT;
	struct ps_err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/ps-pass-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(ps_paths_init(&f->paths, f->dir, &err), 0);
	assert_int_equal(ps_paths_make(&f->paths, &err), 0);
	assert_int_equal(pipe(f->wake), 0);
	assert_int_equal(store_open(&f->st, f->paths.store, on_wake, f, &err), 0);
	assert_int_equal(config_parse(&f->policy.cfg, "penstock.yml", yaml, strlen(yaml), &diags,
				      &err), 0);
	assert_non_null(f->policy.cfg);
	diag_clear(&diags);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	store_close(f->st);
	close(f->wake[0]);
	close(f->wake[1]);
	demand_clear(&f->demand);
	json_decref(f->wait);
	config_free(f->policy.cfg);
	ps_paths_clear(&f->paths);
	assert_int_equal(fs_remove_tree(AT_FDCWD, f->dir, &err), 0);
	free(f);
	return 0;
}

static void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct fx *f = arg;

	f->rc = rc;
	f->done = true;
	if (rc < 0)
		print_message("%s\n", ps_err_msg(err, rc));
}

/* pass_run gets the pass, everything else the fixture. */
static int run_in_tx(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return pass_run(tx, ((struct fx *)arg)->pass, err);
}

static int do_write(struct fx *f, store_run_fn *run)
{
	f->done = false;
	store_write(f->st, STORE_FULL, run, on_done, f);
	while (!f->done) {
		struct pollfd p = { .fd = f->wake[0], .events = POLLIN };
		char c[64];

		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_true(read(f->wake[0], c, sizeof(c)) > 0);
		store_poll(f->st);
	}
	return f->rc;
}

/* A surveyed event of f->ref with a demand for a project of one pipeline. */
static int make_demand(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	const struct wire_pipeline pl = { .key = "pipelines/a", .name = "a", .language = "python",
					  .oid = TREE, .wheel = "a-1.0-py3-none-any.whl",
					  .reduced = "name: p\n" };
	const struct wire_project pr = { .path = ".", .oid = TREE, .name = "p", .version = "1.0",
					 .language = "python", .pipelines = { &pl, 1 } };
	struct repository r = { 0 };
	struct ref_event e = { .ref = (char *)f->ref, .old = (char *)ZERO, .new = (char *)OID,
			       .kind = (char *)"sure", .k = -1, .pusher = (char *)"ana",
			       .state = (char *)"open", .boot = (char *)"b", .stamp = 2 };
	const struct conf_environment *env = NULL;
	char *survey = survey_to_json(&pr);
	int rc = repository_put(tx, "u1", "/srv/x.git", "x", &r, err);

	for (size_t i = 0; i < f->policy.cfg->nenvironments; i++)
		if (strcmp(f->policy.cfg->environments[i].refs.v[0], f->ref) == 0)
			env = &f->policy.cfg->environments[i];
	e.repository = r.id;
	if (rc == 0)
		rc = ref_baseline(tx, r.id, f->ref, ZERO, "b", 1, err);
	if (rc == 0)
		rc = event_append(tx, &e, err);
	if (rc == 0)
		rc = event_set_surveyed(tx, e.id, err);
	f->event = e.id;
	if (rc == 0 && env) {
		struct demand d = { .event = e.id, .repository = r.id, .project = (char *)".",
				    .ref = (char *)f->ref, .commit_oid = (char *)OID,
				    .environment = env->name, .fabric = env->fabric,
				    .survey = survey };

		rc = demand_insert(tx, &d, err);
		f->demand.id = d.id;
	}
	free(survey);
	repository_clear(&r);
	return rc;
}

static int read_demand(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	int64_t id = f->demand.id;

	demand_clear(&f->demand);
	return demand_get(tx, id, &f->demand, err);
}

static int read_wait(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	char id[ID_TEXT];
	struct view_ask ask = { .cfg = f->policy.cfg, .thing = id_text(id, 'e', f->demand.event) };
	json_t *root = NULL, *node;
	int rc = view_why(tx, &ask, &root, err);

	json_decref(f->wait);
	node = json_array_get(json_object_get(root, "children"), 0);
	f->wait = json_incref(node);
	json_decref(root);
	return rc;
}

/* A part of why the demand waits, as people get it. */
static const char *part(struct fx *f, const char *key)
{
	return json_string_value(json_object_get(f->wait, key));
}

/* It waits for this, and no part of why is missing. */
static void assert_waits(struct fx *f, const char *reason, const char *detail)
{
	static const char *const parts[] = { "reason", "detail", "blocked_by", "since", "lift" };

	assert_int_equal(do_write(f, read_wait), 0);
	for (size_t i = 0; i < PS_NELEM(parts); i++)
		if (!part(f, parts[i]))
			fail_msg("waiting for %s: no %s", reason, parts[i]);
	assert_true(json_is_integer(json_object_get(f->wait, "ahead")));
	assert_string_equal(part(f, "reason"), reason);
	if (!strstr(part(f, "detail"), detail))
		fail_msg("waiting for %s: '%s' without '%s'", reason, part(f, "detail"), detail);
}

static void demand_of(struct fx *f, const char *ref)
{
	f->ref = ref;
	assert_int_equal(do_write(f, make_demand), 0);
}

/* One pass with this view; the demand afterwards is in f->demand. Returns the pass: its acts. */
static struct pass *do_pass(struct fx *f, const char *toolchain, const char *problem,
			    const char *sandbox)
{
	static char *local[] = { (char *)"local" };
	struct pass *p = xcalloc(1, sizeof(*p));

	p->view = (struct pass_view) {
		.policy = &f->policy, .paths = &f->paths, .gate_up = true,
		.build_up = true, .deploy_up = true,
		.toolchain_known = true, .toolchain_problem = xstrdup_null(problem),
			.sandbox_problem = xstrdup_null(sandbox),
		.toolchain_digest = xstrdup_null(toolchain),
			.toolchain_prefix = xstrdup_null(toolchain ? "/t" : NULL), .now_ms = 1000,
	};
	p->view.ndrivers = 1;
	p->view.drivers = xmemdup(local, sizeof(local));
	p->view.drivers[0] = xstrdup("local");
	f->pass = p;
	assert_int_equal(do_write(f, run_in_tx), 0);
	assert_int_equal(do_write(f, read_demand), 0);
	return p;
}

static size_t count(const struct pass *p, enum act_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nacts; i++)
		n += p->acts[i].kind == kind;
	return n;
}

static int64_t claimed_build, claimed_fence;

static int pass_the_build(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct build_result r = { .state = "passed", .digest = DIGEST,
				  .name = "a-1.0-py3-none-any.whl", .size = 1 };
	int rc = build_started(tx, claimed_build, claimed_fence, err);

	(void)arg;
	return rc < 0 ? rc : build_finish(tx, claimed_build, claimed_fence, &r, err);
}

static void take_claim(struct pass *p)
{
	assert_int_equal(count(p, ACT_BUILD), 1);
	claimed_build = p->acts[0].id;
	claimed_fence = p->acts[0].fence;
	pass_free(p);
}

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

static int supersede_older(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct demand newer = { 0 };
	int rc = demand_get(tx, f->demand.id, &newer, err);

	newer.event++;			/* as if the next event of the ref had asked */
	if (rc == 0)
		rc = demand_supersede_older(tx, &newer, err);
	demand_clear(&newer);
	return rc;
}

static void newer_push_ends_what_has_not_started(void **state)
{
	struct fx *f = *state;

	demand_of(f, "refs/heads/main");
	pass_free(do_pass(f, NULL, "there is none", NULL));
	assert_int_equal(do_write(f, supersede_older), 0);
	pass_free(do_pass(f, NULL, "there is none", NULL));
	assert_string_equal(f->demand.state, "superseded");
	demand_of(f, "refs/heads/byhand");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, supersede_older), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	/* its build is under way: it goes on */
	assert_string_equal(f->demand.state, "active");
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

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(waits_for_a_toolchain), CASE(waits_for_a_sandbox),
			CASE(builds_releases_deploys),
		CASE(second_demand_shares_the_build),
		CASE(same_content_is_one_release), CASE(slot_taken_says_builder),
			CASE(gates_of_a_deployment),
		CASE(newer_push_ends_what_has_not_started),
		CASE(failed_build_ends_the_demand), CASE(late_answers_change_nothing),
		CASE(paused_waits_and_says_who),
		CASE(nothing_to_do_writes_nothing), CASE(no_slot_at_all),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
