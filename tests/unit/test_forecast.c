/* What a push is told it will come to: the same keys and counts as the passes after it, a bounded
 * number of statements, and lines that fit. */
#include "config.h"

#include "tests/support/pass_fx.h"

#include "agent/flow/forecast.h"

enum { MANY = 150 };

static struct wire_pipeline pipelines[MANY];
static char *keys[MANY], *wheels[MANY];
static struct wire_project project = { .path = ".", .oid = TREE, .name = "p", .version = "1.0",
				       .language = "python" };
static struct wire_outlook outlook[2];
static struct wire_verdict verdict;
static struct forecast_in in;
static struct forecast_rows rows;
static struct sql_cost cost;

/* The project of pass_fx with n pipelines: what the gate says of these refs. */
static const struct toolchain_now same = { .known = true, .digest = (char *)DIGEST };
static const struct toolchain_now another = { .known = true, .digest = (char *)"another" };
static const struct toolchain_now none = { .known = true };

static void push_of(struct fx *f, size_t n, const char *ref, const char *other)
{
	static const char *const names[] = { "pipelines/a", "pipelines/b" };

	for (size_t i = 0; i < n; i++) {
		free(keys[i]);
		keys[i] = i < 2 ? xstrdup(names[i]) : xasprintf("pipelines/p%zu", i);
		free(wheels[i]);
		wheels[i] = xasprintf("%s-1.0-py3-none-any.whl", strrchr(keys[i], '/') + 1);
		pipelines[i] = (struct wire_pipeline) {
			.key = keys[i], .name = keys[i], .language = "python", .oid = TREE,
			.wheel = wheels[i],
			.reduced = "name: p\n",
		};
	}
	project.pipelines.v = pipelines;
	project.pipelines.n = n;
	outlook[0] = (struct wire_outlook) { .ref = ref, .line = 1 };
	outlook[1] = (struct wire_outlook) { .ref = other, .line = 2 };
	verdict = (struct wire_verdict) { .projects = { &project, 1 },
					  .outlook = { outlook, other ? 2 : 1 } };
	in = (struct forecast_in) { .cfg = f->policy.cfg, .paths = &f->paths, .toolchain = &same,
				    .path = "/srv/x.git", .name = "x", .gate = &verdict };
}

static int make(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct sql_cost before = sql_cost(tx);
	int rc = forecast_make(tx, &in, &rows, err);

	(void)arg;
	cost = sql_cost(tx);
	cost.statements -= before.statements;
	cost.changes -= before.changes;
	return rc;
}

/* What it says in place of the gate's line; NULL: nothing. */
static const char *foresee(struct fx *f, size_t row)
{
	forecast_clear(&rows);
	assert_int_equal(do_write(f, make), 0);
	assert_int_equal(cost.changes, 0);
	return rows.v[row].builds;
}

static void builds_are_those_of_the_pass(void **state)
{
	struct fx *f = *state;
	struct pass *p;

	push_of(f, 1, "refs/heads/main", NULL);
	assert_string_equal(foresee(f, 0), "main: 1 of 1 pipeline to build; then development (auto)");
	demand_of(f, "refs/heads/main");
	p = do_pass(f, DIGEST, NULL, NULL);
	assert_string_equal(foresee(f, 0), "main: 0 of 1 pipeline to build (1 under way); "
			    "then development (auto)");
	take_claim(p);
	assert_int_equal(do_write(f, pass_the_build), 0);
	assert_string_equal(foresee(f, 0), "main: nothing to build (1 pipeline unchanged); "
			    "then development (auto)");
	push_of(f, 2, "refs/heads/main", NULL);
	assert_string_equal(foresee(f, 0), "main: 1 of 2 pipelines to build (1 unchanged); "
			    "then development (auto)");
	in.toolchain = &another;
	assert_string_equal(foresee(f, 0), "main: 2 of 2 pipelines to build; then development (auto)");
}

static void two_refs_build_once(void **state)
{
	struct fx *f = *state;

	push_of(f, 2, "refs/heads/main", "refs/heads/asked");
	foresee(f, 0);
	assert_string_equal(rows.v[0].builds,
			    "main: 2 of 2 pipelines to build; then development (auto)");
	assert_string_equal(rows.v[1].builds, "asked: 0 of 2 pipelines to build (2 under way); "
			    "then asked (needs approval of devs)");
}

static void what_is_not_known_is_not_said(void **state)
{
	struct fx *f = *state;

	push_of(f, 1, "refs/heads/main", NULL);
	in.toolchain = &none;
	assert_null(foresee(f, 0));
	push_of(f, 1, "refs/heads/nowhere", NULL);
	assert_null(foresee(f, 0));
	push_of(f, 1, "refs/heads/main", NULL);
	pipelines[0].language = "scala";
	assert_string_equal(foresee(f, 0), "main: cannot be built: pipelines/a is scala: no recipe "
			    "for it in this version");
	push_of(f, 1, "refs/heads/byhand", NULL);
	in.held = true;
	assert_string_equal(foresee(f, 0), "byhand: once let go, 1 of 1 pipeline to build; "
			    "then byhand (by hand of devs)");
}

/* A job of another fabric is read when one is derived from it; what is wrong with the rule is told. */
static void derived_jobs_are_foreseen(void **state)
{
	static const char *const instances[] = { "prod" };
	static const char text[] =
		"{\"fabric_id\":\"1\",\"components\":[{\"PipelineComponent\":{\"nodeName\":\"t\",\"pipelineId\":\"pipelines/a\"}}],"
		"\"request\":{\"name\":\"a\",\"tasks\":[{\"task_key\":\"t\",\"python_wheel_task\":{\"package_name\":\"a\","
		"\"entry_point\":\"main\",\"parameters\":[]},\"libraries\":[{\"whl\":\"dbfs:/FileStore/prophecy/artifacts/c/p/"
		"__PROJECT_ID_PLACEHOLDER__/__PROJECT_RELEASE_VERSION_PLACEHOLDER__/pipeline/a-1.0-py3-none-any.whl\"}]}]}}";
	struct wire_file file = { .path = MANIFEST_TEMPLATE, .digest = DIGEST,
				  .bytes = { (void *)text, strlen(text) } };
	struct wire_job job = { .key = "jobs/a", .name = "a", .provider = "databricks", .fabric_id = 1,
				.files = { &file, 1 } };
	struct fx *f = *state;

	push_of(f, 1, "refs/heads/derived", NULL);
	project.jobs.v = &job;
	project.jobs.n = 1;
	foresee(f, 0);
	assert_int_equal(rows.v[0].nitems, 1);
	assert_non_null(strstr(rows.v[0].items[0], "cannot be deployed: derive 'jobs/b' (penstock.yml:"));
	assert_non_null(strstr(rows.v[0].items[0], "'pipelines/a' has no config instance 'prod'"));
	pipelines[0].instances.v = (const char **)instances;
	pipelines[0].instances.n = 1;
	foresee(f, 0);
	assert_int_equal(rows.v[0].nitems, 1);
	assert_string_equal(rows.v[0].items[0], "+ b new");
	job.key = "jobs/other";
	foresee(f, 0);
	assert_non_null(strstr(rows.v[0].items[0], "the project has no job 'jobs/a'"));
	project.jobs.n = 0;
}

/* The repository, a hundred keys at a time, and what the fabric has: jobs and artifacts. */
static void statements_are_bounded(void **state)
{
	struct fx *f = *state;

	demand_of(f, "refs/heads/main");
	push_of(f, 1, "refs/heads/main", NULL);
	assert_non_null(foresee(f, 0));
	assert_int_equal(cost.statements, 4);
	push_of(f, MANY, "refs/heads/main", NULL);
	assert_non_null(foresee(f, 0));
	assert_int_equal(cost.statements, 5);
	push_of(f, MANY, "refs/heads/main", "refs/heads/asked");
	assert_non_null(foresee(f, 0));
	assert_int_equal(cost.statements, 9);
}

/* ---- lines ---- */

static void weave(size_t max, size_t nitems, const char *want)
{
	static char *items[] = { (char *)"+ job_one new", (char *)"~ job_two schedule, version",
				 (char *)"- job_three no longer in the project",
				 (char *)"= 5 unchanged" };
	struct forecast_row row = { .line = 1, .builds = (char *)"main: B", .fabric = (char *)"dev",
				    .items = items, .nitems = nitems };
	char *got = forecast_weave("success\nmain: . -> dev\nnote\n", &(struct forecast_rows) { &row, 1 },
				   max);

	assert_string_equal(got, want);
	free(got);
}

static void lines_fit(void **state)
{
	(void)state;
	weave(8, 0, "success\nmain: B\nnote\n");
	weave(8, 1, "success\nmain: B\n  dev: + job_one new\nnote\n");
	weave(3, 1, "success\nmain: B\nnote\n");
	weave(2, 1, "success\nmain: B\nnote\n");
	weave(8, 4, "success\nmain: B\n  dev: + job_one new; ~ job_two schedule, version;\n"
	      "    - job_three no longer in the project; = 5 unchanged\nnote\n");
	weave(4, 4, "success\nmain: B\n  dev: + job_one new; ~ job_two schedule, version; and 2 more\n"
	      "note\n");
}

static struct plan_job changed(size_t n, const char *const *paths)
{
	struct plan_job j = { .change = PLAN_CHANGED, .key = xstrdup("jobs/x"), .nfields = n,
			      .fields = xcalloc(n, sizeof(*j.fields)) };

	for (size_t i = 0; i < n; i++)
		j.fields[i] = (struct plan_field) { xstrdup(paths[i]), xstrdup("1"), xstrdup("2") };
	return j;
}

static struct plan plan_of(size_t n, const char *const *paths)
{
	struct plan p = { .jobs = xcalloc(1, sizeof(*p.jobs)), .njobs = 1 };

	p.jobs[0] = changed(n, paths);
	return p;
}

static void fields_by_name(void **state)
{
	static const char *const paths[] = { "request.CreateNewJobRequest.schedule.timezone_id",
					     "request.tasks[b]", "artifacts[a-1.0.whl]", "version" };
	struct plan plan = plan_of(4, paths);
	struct fx *f = *state;
	struct forecast_row row = { .line = 0 };

	forecast_say_plan(&row, &f->policy.cfg->fabrics[0], &plan);
	assert_int_equal(row.nitems, 1);
	assert_string_equal(row.items[0], "~ x schedule, task b, artifacts and 1 more");
	free(row.items[0]);
	free(row.items);
	free(row.fabric);
	plan_clear(&plan);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(builds_are_those_of_the_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(two_refs_build_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_known_is_not_said, setup, teardown),
		cmocka_unit_test_setup_teardown(derived_jobs_are_foreseen, setup, teardown),
		cmocka_unit_test_setup_teardown(statements_are_bounded, setup, teardown),
		cmocka_unit_test(lines_fit),
		cmocka_unit_test_setup_teardown(fields_by_name, setup, teardown),
	};
	int failed;

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	forecast_clear(&rows);
	for (size_t i = 0; i < MANY; i++) {
		free(keys[i]);
		free(wheels[i]);
	}
	return failed;
}
