/* Units of what the gate says of a push beside its content: levels per ref, who may move it, and the
 * version that must rise. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/gate/version.h"
#include "tests/support/gate_fx.h"

/* The same push under other levels; verdict and number of findings. */
static const struct level_row {
	const char *name, *rules, *existing;
	bool on_old;			/* the old side has the finding already */
	enum gate_verdict verdict;
	size_t findings;
} level_rows[] = {
	{ "level default", "[]", "warn", false, GATE_REFUSE, 1 },
	{ "level off", "[{ rules: [PS-PIPE-014], severity: off }]", "warn", false, GATE_ACCEPT, 0 },
	{ "level warning", "[{ rules: [PS-PIPE-014], severity: warning }]", "warn", false,
	  GATE_ACCEPT, 1 },
	{ "level of another ref",
	  "[{ rules: [PS-PIPE-014], refs: [refs/heads/x], severity: warning }]", "warn", false,
	  GATE_REFUSE, 1 },
	{ "level by the first item",
	  "[{ rules: [PS-PIPE-014], refs: ['refs/heads/m*'], severity: warning }, { rules: "
	  "[PS-PIPE-014], severity: error }]", "warn", false, GATE_ACCEPT, 1 },
	{ "level newly was there", "[]", "refuse", true, GATE_ACCEPT, 1 },
	{ "level error was there", "[{ rules: [PS-PIPE-014], severity: error }]", "refuse", true,
	  GATE_REFUSE, 1 },
	{ "level error was there, warn", "[{ rules: [PS-PIPE-014], severity: error }]", "warn",
	  true, GATE_ACCEPT, 1 },
};

static void levels(void **state)
{
	const struct level_row *row = *state;
	struct diag_list l = DIAG_LIST_INIT;
	struct config *usual = config;
	struct gate_result res;
	const char *base, *bad;
	char *yml = xasprintf("%srules: %s\nrepositories: { default: { existing_errors: %s } }\n",
			      config_yml, row->rules, row->existing);

	assert_int_equal(config_parse(&config, "penstock.yml", yml, strlen(yml), &l, &err), 0);
	assert_non_null(config);
	make_repo();
	base = gitdir_out("git -C r rev-parse base");
	put("r", F_SETUP, NULL);
	bad = commit_all();
	if (row->on_old)
		gitdir_sh("git -C r update-ref refs/heads/main %s", bad);
	else
		gitdir_sh("git -C r reset -q --hard base");
	struct gate_command c = { row->on_old ? bad : base, bad, "refs/heads/main" };
	assert_int_equal(push(&c, 1, &res, 0), row->verdict);
	assert_int_equal(res.all.n, row->findings);
	gate_result_clear(&res);
	diag_clear(&l);
	config_free(config);
	config = usual;
	free(yml);
}

/*
 * What is asked of the push itself. before and now: what main's tag holds in the old and the new
 * tree (- no project, x the project, o nothing there); want: the codes of the findings.
 */
static const struct right_row {
	const char *name, *login, *ref;
	char before, now;
	bool skip;
	enum gate_verdict verdict;
	const char *want;
} right_rows[] = {
	{ "right to create", "kim", "refs/tags/v1", 'o', 'x', false, GATE_ACCEPT, "" },
	{ "right: no right to create", "ana", "refs/tags/v1", 'o', 'x', false, GATE_REFUSE, "004" },
	{ "right: nobody's", NULL, "refs/tags/v1", 'o', 'x', false, GATE_REFUSE, "004" },
	{ "right: a tree without project", "ana", "refs/tags/v1", 'o', '-', false, GATE_REFUSE, "004" },
	{ "right: released, moved", "kim", "refs/tags/v1", 'x', '-', false, GATE_REFUSE, "005" },
	{ "right: released, deleted", "kim", "refs/tags/v1", 'x', 'o', false, GATE_REFUSE, "005" },
	{ "right: one finding says it", "ana", "refs/tags/v1", 'x', 'o', false, GATE_REFUSE, "004" },
	{ "right: never released", "kim", "refs/tags/v1", '-', 'o', false, GATE_ACCEPT, "" },
	{ "right: a tag of nobody's", "ana", "refs/tags/x", 'x', 'o', false, GATE_ACCEPT, "" },
	{ "right: owners of main", "eve", "refs/heads/main", 'x', '-', false, GATE_REFUSE, "004" },
	{ "right: a project goes", "eve", "refs/heads/main", 'x', 'o', false, GATE_REFUSE, "004" },
	{ "right: nothing goes there", "eve", "refs/heads/main", '-', '-', false, GATE_ACCEPT, "" },
	{ "right: unknown on main", NULL, "refs/heads/main", 'x', '-', false, GATE_ACCEPT, "" },
	{ "right: another version", "kim", "refs/tags/v2", 'o', 'x', false, GATE_ACCEPT, "003" },
	{ "right: skip lifts none", "kim", "refs/tags/v1", 'x', 'o', true, GATE_REFUSE, "005" },
};

static const char rights_yml[] =
	"teams:\n  developers: { members: [ana], includes: [support] }\n  support: { members: [kim] }\n"
	"fabrics:\n  development: { id: 1174, owner: developers, provider: local }\n"
	"environments:\n"
	"  - { name: prod, refs: [refs/tags/v*], fabric: development, deploy: approve, push: support }\n"
	"  - { name: dev, refs: [refs/heads/main], fabric: development, deploy: auto }\n"
	"repositories: { default: { skip: support } }\n";

/* A commit whose tree is as the letter says; its id, zeros for none. */
static const char *side(char what)
{
	if (what == 'o')
		return ZERO;
	return what == 'x' ? gitdir_out("git -C r commit-tree -m x base^{tree}") :
		gitdir_out("git -C r commit-tree -m - $(git -C r mktree </dev/null)");
}

static void rights(void **state)
{
	const struct right_row *row = *state;
	struct diag_list l = DIAG_LIST_INIT;
	struct gate_who who = { row->login };
	struct gate_command c = { .ref = row->ref };
	struct gate_input in = { .repo_name = "sales", .commands = &c, .ncommands = 1, .who = &who,
				 .skip = row->skip };
	struct config *cfg = NULL;
	struct gate_result res;
	struct buf codes = BUF_INIT;
	char *path;

	assert_int_equal(config_parse(&cfg, "p", rights_yml, strlen(rights_yml), &l, &err), 0);
	assert_non_null(cfg);
	make_repo();
	path = fs_join(here, "r");
	c.old_oid = xstrdup(side(row->before));
	c.new_oid = xstrdup(side(row->now));
	gitdir_sh("git -C r checkout -q --detach base && git -C r update-ref -d %s", row->ref);
	if (row->before != 'o')
		gitdir_sh("git -C r update-ref %s %s", row->ref, c.old_oid);
	in.config = cfg;
	assert_int_equal(repo_open(&in.repo, path, NULL, &err), 0);
	gate_judge(&in, &res);
	repo_close(in.repo);
	for (size_t i = 0; i < res.all.n; i++)
		buf_adds(&codes, res.all.v[i].code + strlen("PS-PUSH-"));
	assert_string_equal(buf_str(&codes), row->want);
	assert_int_equal(res.verdict, row->verdict);
	gate_result_clear(&res);
	buf_clear(&codes);
	config_free(cfg);
	diag_clear(&l);
	free((char *)c.old_oid);
	free((char *)c.new_oid);
	free(path);
}

/* Time is over: what a push brings is not known, and who has no right does not get one by that. */
static void no_right_by_being_slow(void **state)
{
	struct gate_who who = { "ana" }, kim = { "kim" };
	struct diag_list l = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct gate_result res;
	char *path;

	(void)state;
	assert_int_equal(config_parse(&cfg, "p", rights_yml, strlen(rights_yml), &l, &err), 0);
	make_repo();
	path = fs_join(here, "r");
	struct gate_command c = { ZERO, gitdir_out("git -C r rev-parse base"), "refs/tags/v1" };
	struct gate_input in = { .repo_name = "sales", .commands = &c,
				 .ncommands = 1, .who = &who, .config = cfg,
				 .deadline_ns = clock_boot_ns() - 1 };
	assert_int_equal(repo_open(&in.repo, path, NULL, &err), 0);
	gate_judge(&in, &res);
	assert_int_equal(res.verdict, GATE_REFUSE);
	gate_result_clear(&res);
	in.who = &kim;
	gate_judge(&in, &res);
	assert_int_equal(res.verdict, GATE_UNDECIDED);
	assert_false(res.skipped);
	gate_result_clear(&res);
	in.skip = true;
	gate_judge(&in, &res);
	assert_int_equal(res.verdict, GATE_ACCEPT);
	assert_true(res.skipped);
	gate_result_clear(&res);
	in.dry_run = true;
	gate_judge(&in, &res);
	assert_int_equal(res.verdict, GATE_REFUSE);
	gate_result_clear(&res);
	repo_close(in.repo);
	config_free(cfg);
	diag_clear(&l);
	free(path);
}

static const struct { const char *now, *was; bool higher, known, same; } versions[] = {
	{ "1.0.1", "1.0.0", true, true, false }, { "1.0.0", "1.0.1", false, true, false },
	{ "1.10", "1.9", true, true, false }, { "1.0", "1.0.0", false, true, true },
	{ "v2", "1.9.9", true, true, false }, { "v1.4.0", "1.4", false, true, true },
	{ "1.0", "1.0-rc1", true, true, false }, { "1.0-rc1", "1.0", false, true, false },
	{ "1.0-rc2", "1.0-rc1", false, false, false }, { "ver2", "ver1", false, false, false },
	{ "10", "1", true, true, false }, { "", "1", false, false, false },
};

static void versions_are_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(versions); i++) {
		bool known, higher = version_higher(versions[i].now, versions[i].was, &known);

		if (higher != versions[i].higher || known != versions[i].known ||
		    version_same(versions[i].now, versions[i].was) != versions[i].same)
			fail_msg("%s after %s", versions[i].now, versions[i].was);
	}
	assert_string_equal(version_of_tag("a/b/v1.4"), "1.4");
	assert_null(version_of_tag("vacation"));
}

/* Rule 64, which is off: a project that changes on main, and one whose README changes beside it. */
static void version_is_raised(void **state)
{
	char *yml = xasprintf("%srules: [{ rules: [PS-PROJ-064], refs: [refs/heads/main], "
			      "severity: error }]\n", config_yml);
	struct config *usual = config;
	struct diag_list l = DIAG_LIST_INIT;
	struct gate_result res;
	const char *base, *changed, *raised;

	(void)state;
	make_repo();
	base = gitdir_out("git -C r rev-parse base");
	put("r", F_PROD, "{\"a\": 1}");
	changed = commit_all();
	put("r", F_YML, "name: demo\nversion: '1.0.1'\nlanguage: python\npipelines:" ONE_PIPELINE
	    "\njobs:" ONE_JOB "\n");
	raised = commit_all();
	gitdir_sh("git -C r reset -q --hard base");
	struct gate_command same = { base, changed, "refs/heads/main" };
	struct gate_command topic = { ZERO, changed, "refs/heads/topic" };
	struct gate_command up = { base, raised, "refs/heads/main" };
	assert_int_equal(push(&same, 1, &res, 0), GATE_ACCEPT);		/* off */
	gate_result_clear(&res);
	assert_int_equal(config_parse(&config, "p", yml, strlen(yml), &l, &err), 0);
	assert_int_equal(push(&same, 1, &res, 0), GATE_REFUSE);
	assert_non_null(strstr(buf_str(&res.text), "pbt_project.yml:2:10: error: the project has "
			       "changed, and its version 1.0 is not above 1.0 [PS-PROJ-064]\n"));
	gate_result_clear(&res);
	assert_int_equal(push(&topic, 1, &res, 0), GATE_ACCEPT);
	gate_result_clear(&res);
	assert_int_equal(push(&up, 1, &res, 0), GATE_ACCEPT);
	gate_result_clear(&res);
	config_free(config);
	config = usual;
	diag_clear(&l);
	free(yml);
}

static void rules_of_the_push(void **state)
{
	struct gate_result res;
	const char *oid, *blob;

	(void)state;
	make_repo();
	oid = gitdir_out("git -C r rev-parse HEAD");
	blob = gitdir_out("git -C r rev-parse HEAD:" F_YML);
	gitdir_sh("git -C r symbolic-ref refs/heads/alias refs/heads/main");
	struct gate_command c[] = { { ZERO, oid, "refs/penstock/keep/x" },
				    { oid, oid, "refs/heads/main" },
				    { oid, oid, "refs/heads/alias" },
				    { ZERO, blob, "refs/tags/blob" },
				    { ZERO, ZERO, "refs/heads/nothing" } };
	assert_int_equal(push(c, 5, &res, 0), GATE_REFUSE);
	assert_int_equal(res.all.errors, 2);
	assert_string_equal(res.all.v[0].code, "PS-PUSH-002");
	assert_string_equal(res.all.v[1].code, "PS-PUSH-001");
	assert_string_equal(res.refs[2].target, "refs/heads/main");
	assert_int_equal(res.refs[3].verdict, GATE_ACCEPT);
	gate_result_clear(&res);
	struct gate_command gone = { oid, "1111111111111111111111111111111111111111",
				     "refs/heads/main" };
	assert_int_equal(push(&gone, 1, &res, 0), GATE_UNDECIDED);
	gate_result_clear(&res);
	struct gate_command late = { oid, oid, "refs/heads/main" };
	assert_int_equal(push(&late, 1, &res, clock_boot_ns() - 1), GATE_UNDECIDED);
	assert_non_null(res.slow);
	gate_result_clear(&res);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave)
	static const struct CMUnitTest others[] = {
		CASE(rules_of_the_push), CASE(no_right_by_being_slow), CASE(version_is_raised),
		cmocka_unit_test(versions_are_compared),
	};
	struct CMUnitTest t[PS_NELEM(others) + PS_NELEM(level_rows) + PS_NELEM(right_rows)];
	struct CMUnitTest *last = t + PS_NELEM(t) - PS_NELEM(right_rows);

	memcpy(t, others, sizeof(others));
	for (size_t i = 0; i < PS_NELEM(level_rows); i++)
		t[PS_NELEM(others) + i] = (struct CMUnitTest) {
			.name = level_rows[i].name, .test_func = levels,
			.setup_func = gitdir_enter, .teardown_func = gitdir_leave,
			.initial_state = (void *)(uintptr_t)&level_rows[i],
		};
	for (size_t i = 0; i < PS_NELEM(right_rows); i++)
		last[i] = (struct CMUnitTest) {
			.name = right_rows[i].name, .test_func = rights,
			.setup_func = gitdir_enter, .teardown_func = gitdir_leave,
			.initial_state = (void *)(uintptr_t)&right_rows[i],
		};
	if (kernel_skip())
		return 77;
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("gate rights", t, PS_NELEM(t), make_config, drop_config);
}
