/* Units of what keeps a deployment from its fabric, and of what people do about it: real store and pass, no
 * role. */
#include "config.h"

#include "tests/support/pass_fx.h"

#include "agent/flow/asking.h"
#include "agent/flow/gates.h"
#include "agent/store/gate.h"
#include "agent/store/release.h"
#include "common/base/clock.h"

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

/* ---- what counts, pure ---- */

static const char teams[] =
	"teams:\n  ops: { members: [kim], includes: [night] }\n  night: { members: [lee] }\n  rescue: { members: [max] }\n"
	"fabrics:\n  prod: { id: 1, owner: ops, provider: local, emergency: rescue }\n"
	"  free: { id: 2, owner: ops, provider: local, self_approval: true }\n"
	"environments:\n  - { name: prod, refs: [refs/tags/*], fabric: prod, deploy: approve, approvals: 2, approval_lapses: 1h }\n"
	"  - { name: free, refs: [refs/heads/*], fabric: free, deploy: approve }\n"
	"repositories:\n  roots: [{ path: repos, identity: uid, hook_users: ['0'] }]\n";

#define HOUR 3600000
#define AP(who, plan, at) { .login = (char *)who, .plan_digest = (char *)plan, .decision = (char *)"approved", .at_ms = at }
static const struct counted {
	const char *name, *environment, *maker;
	struct approval given[3];
	unsigned n;
	bool emergency;
	const char *detail;		/* NULL: nothing keeps it */
} counted[] = {
	{ "nobody yet", "prod", "ana", { { .id = 0 } }, 0, false, "ops 0/2; kim, lee could, not who may have pushed it: ana" },
	{ "one", "prod", NULL, { AP("kim", "p", 2 * HOUR) }, 1, false, "ops 1/2; lee could" },
	{ "two, one by an included team", "prod", NULL, { AP("kim", "p", 2 * HOUR), AP("lee", "p", 2 * HOUR) }, 2, false, NULL },
	{ "the same twice is one", "prod", NULL, { AP("kim", "p", 2 * HOUR), AP("kim", "p", 2 * HOUR) }, 1, false, "ops 1/2" },
	{ "of another plan", "prod", NULL, { AP("kim", "q", 2 * HOUR) }, 0, false, "ops 0/2; kim, lee could" },
	{ "lapsed", "prod", NULL, { AP("kim", "p", HOUR), AP("lee", "p", HOUR + 1) }, 1, false, "ops 1/2; kim could" },
	{ "who left the team", "prod", NULL, { AP("bo", "p", 2 * HOUR) }, 0, false, "ops 0/2" },
	{ "who may have pushed it", "prod", "kim", { AP("kim", "p", 2 * HOUR) }, 0, false, "ops 0/2; lee could, not who may have pushed it: kim" },
	{ "where that is allowed", "free", "kim", { AP("kim", "p", 2 * HOUR) }, 1, false, NULL },
	{ "a rejection", "free", NULL, { { .login = (char *)"kim", .plan_digest = (char *)"p", .decision = (char *)"rejected", .at_ms = 2 * HOUR } },
	  0, false, "ops 0/1" },
	{ "an emergency is enough", "prod", "max", { { .login = (char *)"max", .plan_digest = (char *)"p", .decision = (char *)"approved", .at_ms = 2 * HOUR,
	  .emergency = 1 } }, 1, true, NULL },
	{ "an emergency by one who is none of them now", "prod", NULL, { { .login = (char *)"kim", .plan_digest = (char *)"p",
	  .decision = (char *)"approved", .at_ms = 2 * HOUR, .emergency = 1 } }, 0, false, "ops 0/2" },
};

static void check_counted(void **state)
{
	const struct counted *r = *state;
	struct diag_list diags = DIAG_LIST_INIT;
	struct deployment d = { .id = 7 };
	struct texts makers = { NULL, 0, 0 };
	struct approvals given = { (struct approval *)r->given, 0 };
	struct gates_facts f = { .d = &d, .digest = "p", .approvals = &given, .makers = &makers, .now_ms = 2 * HOUR };
	struct config *cfg = NULL;
	struct standstill s;
	struct ps_err err;
	bool emergency;

	assert_int_equal(config_parse(&cfg, "p", teams, strlen(teams), &diags, &err), 0);
	assert_non_null(cfg);
	while (given.n < PS_NELEM(r->given) && r->given[given.n].login)
		given.n++;
	if (r->maker)
		texts_add(&makers, r->maker);
	f.cfg = cfg;
	f.env = config_environment(cfg, r->environment);
	f.fabric = config_fabric(cfg, f.env->fabric);
	assert_int_equal(gates_approved(&f, &emergency), r->n);
	assert_int_equal(emergency, r->emergency);
	s = gates_after_plan(&f);
	assert_int_equal(s.reason != NULL, r->detail != NULL);
	if (r->detail && !strstr(s.detail, r->detail))
		fail_msg("'%s' without '%s'", s.detail, r->detail);
	if (r->detail)
		assert_string_equal(s.lift, "penstock approve d7");
	standstill_clear(&s);
	texts_clear(&makers);
	config_free(cfg);
	diag_clear(&diags);
}

/* ---- through the pass ---- */

static struct approval one;
static struct closure shut;

static int give(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	struct fx *f = arg;
	int rc = deployments_of_demand(tx, f->demand.id, &l, err);

	assert_int_equal(l.n, 1);
	one = (struct approval) { .deployment = l.v[0].id, .plan_digest = l.v[0].plan_digest, .login = (char *)"ana",
				  .who = (char *)"ana", .decision = (char *)"approved", .policy = (char *)"" };
	if (rc == 0)
		rc = approval_insert(tx, &one, err);
	if (rc == 0)
		rc = gate_look(tx, l.v[0].id, err);
	deployments_clear(&l);
	return rc;
}

static int close_it(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return closure_put(tx, &shut, err);
}

static int find(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = deployments_of_demand(tx, ((struct fx *)arg)->demand.id, &l, err);

	one.deployment = l.n ? l.v[0].id : 0;
	deployments_clear(&l);
	return rc;
}

static int urgent(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return gate_emergency(tx, one.deployment, true, err);
}

/* Who waits for people keeps nobody behind him; and is in nobody's line. */
static void waits_for_people_alone(void **state)
{
	struct fx *f = *state;
	int64_t asked;
	struct pass *p;

	released(f);
	asked = f->demand.id;
	assert_waits(f, "approval", "devs 0/1");
	demand_of(f, "refs/heads/byhand");
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "manual", "environment byhand");
	demand_of(f, "refs/heads/main");
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
	look_at(f, asked);
	assert_string_equal(f->demand.state, "waiting");
}

/* Also in the same environment: who is approved goes, whoever came before. */
static void the_approved_one_goes_first(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	released(f);
	demand_for(f, "y", "refs/heads/asked", NULL);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	f->now_ms = clock_wall_ms();
	assert_int_equal(do_write(f, give), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	assert_string_equal(f->demand.state, "active");
	pass_free(p);
}

static void reload(struct fx *f, const char *old, const char *new)
{
	struct diag_list diags = DIAG_LIST_INIT;
	const char *at = strstr(yaml, old);
	struct config *cfg = NULL;
	struct ps_err err;
	char *text;

	assert_non_null(at);
	text = xasprintf("%.*s%s%s", (int)(at - yaml), yaml, new, at + strlen(old));
	assert_int_equal(config_parse(&cfg, "penstock.yml", text, strlen(text), &diags, &err), 0);
	assert_non_null(cfg);
	config_free(f->policy.cfg);
	f->policy.cfg = cfg;
	diag_clear(&diags);
	free(text);
}

#define ASKED "  - { name: asked, refs: [refs/heads/asked], fabric: dev, deploy: approve }\n"

/* Who stands at a gate is judged again by another configuration, though nothing else has happened. */
static void another_configuration_judges_again(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	released(f);
	reload(f, ASKED, "  - { name: asked, refs: [refs/heads/asked], fabric: dev, deploy: auto }\n");
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
}

static void a_rule_that_is_gone_ends_it(void **state)
{
	struct fx *f = *state;

	released(f);
	reload(f, ASKED, "");
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_string_equal(f->demand.state, "cancelled");
	assert_non_null(strstr(f->demand.reason, "rule removed by configuration"));
}

/* The time is in no window: all of the environment waits, and is told when one opens. */
static void waits_for_a_window(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	f->now_ms = 1774861199000;	/* Monday 2026-03-30, 08:59:59 UTC */
	reload(f, "fabric: dev, deploy: auto }\n", "fabric: dev, deploy: auto, windows: [{ days: [mon], from: '09:00',"
	       " to: '10:00', zone: UTC }] }\n");
	demand_of(f, "refs/heads/main");
	take_claim(do_pass(f, DIGEST, NULL, NULL));
	assert_int_equal(do_write(f, pass_the_build), 0);
	put_artifact(f);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 0);
	pass_free(p);
	assert_waits(f, "window", "mon 09:00-10:00 UTC; opens 2026-03-30T09:00:00Z");
	f->now_ms += 1000;
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
}

static void an_approval_lets_it_go(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	released(f);
	f->now_ms = clock_wall_ms();
	assert_int_equal(do_write(f, give), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
}

/* It had passed its gate and waits for the fabric; by then the approval is too old. */
static void an_approval_lapses_in_line(void **state)
{
	struct fx *f = *state;

	released(f);
	f->now_ms = clock_wall_ms();
	shut = (struct closure) { .fabric = (char *)"dev", .kind = (char *)CLOSURE_FREEZE, .who = (char *)"kim",
				  .why = (char *)"counting", .until_ms = f->now_ms + 9 * 24 * (int64_t)HOUR };
	assert_int_equal(do_write(f, close_it), 0);
	assert_int_equal(do_write(f, give), 0);
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "freeze", "counting");
	f->now_ms += 8 * 24 * (int64_t)HOUR;
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "freeze", "counting");
	f->now_ms += 2 * 24 * (int64_t)HOUR;	/* the freeze is over */
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "approval", "devs 0/1");
}

static void an_emergency_passes_a_freeze_and_no_lock(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	released(f);
	f->now_ms = clock_wall_ms();
	shut = (struct closure) { .fabric = (char *)"dev", .kind = (char *)CLOSURE_LOCK, .who = (char *)"kim",
				  .why = (char *)"by hand", .until_ms = f->now_ms + HOUR };
	assert_int_equal(do_write(f, close_it), 0);
	shut.kind = (char *)CLOSURE_FREEZE;
	shut.until_ms = 0;
	assert_int_equal(do_write(f, close_it), 0);
	demand_of(f, "refs/heads/main");
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "lock", "by hand");
	f->now_ms += HOUR;
	pass_free(do_pass(f, DIGEST, NULL, NULL));
	assert_waits(f, "freeze", "by hand");
	assert_int_equal(do_write(f, find), 0);
	assert_int_equal(do_write(f, urgent), 0);
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_int_equal(count(p, ACT_DEPLOY), 1);
	pass_free(p);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	static struct CMUnitTest t[PS_NELEM(counted) + 20];
	const struct CMUnitTest cases[] = {
		CASE(promoted_goes_straight_to_its_deployment),
		CASE(promoted_later_takes_the_place),
		CASE(newer_push_takes_the_place_of_what_was_asked),
		CASE(nothing_to_promote_without_its_bytes),
		CASE(waits_for_people_alone),
		CASE(the_approved_one_goes_first),
		CASE(another_configuration_judges_again),
		CASE(a_rule_that_is_gone_ends_it),
		CASE(waits_for_a_window),
		CASE(an_approval_lets_it_go),
		CASE(an_approval_lapses_in_line),
		CASE(an_emergency_passes_a_freeze_and_no_lock),
	};
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(counted); i++)
		t[n++] = (struct CMUnitTest) { .name = counted[i].name, .test_func = check_counted,
					       .initial_state = (void *)&counted[i] };
	for (size_t i = 0; i < PS_NELEM(cases); i++)
		t[n++] = cases[i];

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("gates", t, n, NULL, NULL);
}
