/* Units of rendering and of the tasks that a local fabric runs. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/plan/canon.h"
#include "common/plan/render.h"
#include "common/plan/job_params.h"
#include "common/plan/tasks.h"

static const struct render_params full = { "7234", "1.0-abc", "main/1.0-abc",
					   "https://p.example.net/\"x\"" };

struct render_row {
	const char *name, *in;
	const char *out;	/* NULL: refused */
	const char *why;	/* part of the message */
	const char *project_id; /* NULL: none given */
};

static const struct render_row rows[] = {
	{ "render every placeholder",
	  "{\"request\":{\"name\":\"x\"},\"a\":[\"__PROJECT_ID_PLACEHOLDER__\",\"v=__PROJECT_"
	  "RELEASE_VERSION_PLACEHOLDER__;\","
	  "\"__PROJECT_FULL_RELEASE_TAG_PLACEHOLDER__\",\"__PROPHECY_URL_PLACEHOLDER__\"]}",
	  "{\"a\":[\"7234\",\"v=1.0-abc;\",\"main/1.0-abc\",\"https://p.example.net/"
	  "\\\"x\\\"\"],\"request\":{\"name\":\"x\"}}",
	  NULL, "7234" },
	{ "render twice in one text",
	  "{\"request\":{},\"a\":\"__PROJECT_ID_PLACEHOLDER____PROJECT_ID_PLACEHOLDER__\"}",
	  "{\"a\":\"72347234\",\"request\":{}}", NULL, "7234" },
	{ "render does not read its own values",
	  "{\"request\":{},\"a\":\"__PROJECT_ID_PLACEHOLDER__\"}",
	  "{\"a\":\"__X_PLACEHOLDER__\",\"request\":{}}", NULL, "__X_PLACEHOLDER__" },
	{ "render in a key", "{\"request\":{\"__PROJECT_ID_PLACEHOLDER__\":1}}",
	  "{\"request\":{\"7234\":1}}", NULL, "7234" },
	{ "render keys that meet", "{\"request\":{\"__PROJECT_ID_PLACEHOLDER__\":1,\"7234\":2}}",
	  NULL, "there twice", "7234" },
	{ "render the old generation",
	  "{\"fabricId\":\"3\",\"request\":{\"CreateNewJobRequest\":{\"name\":\"__PROJECT_ID_"
	  "PLACEHOLDER__\"}}}",
	  "{\"fabricId\":\"3\",\"request\":{\"CreateNewJobRequest\":{\"name\":\"7234\"}}}", NULL,
	  "7234" },
	{ "render keeps other underscores",
	  "{\"request\":{},\"a\":\"__init__ __a_PLACEHOLDER__ _PLACEHOLDER__ __A "
	  "B_PLACEHOLDER__\"}",
	  "{\"a\":\"__init__ __a_PLACEHOLDER__ _PLACEHOLDER__ __A "
	  "B_PLACEHOLDER__\",\"request\":{}}",
	  NULL, "7234" },
	{ "render keeps reals of a request", "{\"request\":{\"spot_bid_max_price\":-1.0}}",
	  "{\"request\":{\"spot_bid_max_price\":-1.0}}", NULL, "7234" },
	{ "render unknown placeholder", "{\"request\":{\"a\":\"__FOO_2_PLACEHOLDER__\"}}", NULL,
	  "job 'jobs/x': unknown placeholder '__FOO_2_PLACEHOLDER__'", "7234" },
	{ "render without value", "{\"request\":{\"a\":\"__PROJECT_ID_PLACEHOLDER__\"}}", NULL,
	  "__PROJECT_ID_PLACEHOLDER__ has no value: set 'id' of the project in 'projects'", NULL },
	{ "render without need", "{\"request\":{\"a\":\"b\"}}", "{\"request\":{\"a\":\"b\"}}", NULL,
	  NULL },
	{ "render without request", "{\"a\":1}", NULL, "has no request", "7234" },
	{ "render half a file", "{\"request\":{", NULL, "is not valid JSON: line 1", "7234" },
};

static void check_render(void **state)
{
	const struct render_row *r = *state;
	struct render_params p = full;
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	int rc;

	p.project_id = r->project_id;
	rc = render_job("jobs/x", r->in, strlen(r->in), &p, &b, &err);
	if (r->out) {
		assert_int_equal(rc, 0);
		assert_string_equal(buf_str(&b), r->out);
	} else {
		assert_int_equal(rc, PS_EINVAL);
		assert_non_null(strstr(err.msg, r->why));
	}
	buf_clear(&b);
}

static void fabric_ids_of_both_generations(void **state)
{
	static const struct {
		const char *json;
		int64_t id;
	} ids[] = {
		{ "{\"fabric_id\":\"1174\"}", 1174 },
		{ "{\"fabricId\":\"12\"}", 12 },
		{ "{\"fabric_id\":7}", 7 },
		{ "{\"fabric_id\":\"x\"}", 0 },
		{ "{}", 0 },
		{ "{\"fabric_id\":\"\"}", 0 },
		{ "{\"fabric_id\":\"99999999999999999999\"}", 0 },
	};
	struct ps_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(ids); i++) {
		json_t *v = NULL;

		assert_int_equal(canon_read(&v, ids[i].json, strlen(ids[i].json), "x", &err), 0);
		assert_int_equal(render_fabric_id(v), ids[i].id);
		json_decref(v);
	}
	assert_string_equal(render_artifact_path("dbfs:/FileStore/prophecy/artifacts/a/b.whl"),
			    "prophecy/artifacts/a/b.whl");
	assert_string_equal(render_artifact_path("/Volumes/c/s/v/prophecy/artifacts/a.whl"),
			    "prophecy/artifacts/a.whl");
	assert_null(render_artifact_path("dbfs:/FileStore/jars/x.whl"));
}

static void artifacts_of_a_volume(void **state)
{
	json_t *v = json_loads("{\"a\":[{\"whl\":\"dbfs:/FileStore/prophecy/artifacts/x.whl\"},"
			       "{\"whl\":\"dbfs:/FileStore/jars/x.whl\"},1,"
			       "\"{'p':'dbfs:/FileStore/prophecy/artifacts/p.whl','q':'dbfs:/Volumes/o/prophecy/artifacts/q'} end\"]}", 0, NULL);
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };

	(void)state;
	render_base(v, "/Volumes/c/s/v");
	assert_int_equal(canon_write(v, &b, &err), 0);
	assert_string_equal(buf_str(&b), "{\"a\":[{\"whl\":\"/Volumes/c/s/v/prophecy/artifacts/x.whl\"},"
					 "{\"whl\":\"dbfs:/FileStore/jars/x.whl\"},1,"
					 "\"{'p':'/Volumes/c/s/v/prophecy/artifacts/p.whl','q':'/Volumes/c/s/v/prophecy/artifacts/q'} end\"]}");
	json_decref(v);
	buf_clear(&b);
}

#define LIB(f)                                                                                     \
	"\"libraries\":[{\"pypi\":{\"package\":\"x\"}},{\"whl\":\"dbfs:/FileStore/prophecy/"       \
	"artifacts/d/e/1/2/pipeline/" f "\"}]"
#define TASK(key, pkg, rest)                                                                       \
	"{\"task_key\":\"" key "\",\"python_wheel_task\":{\"package_name\":\"" pkg                 \
	"\",\"entry_point\":\"main\","                                                             \
	"\"parameters\":[\"-i\",\"dev\",\"-O\",\"{}\"]}," LIB(pkg "-1.0-py3-none-any.whl") rest    \
		"}"
#define DEP(on) ",\"depends_on\":[{\"task_key\":\"" on "\"}]"
#define JOB(tasks) "{\"request\":{\"tasks\":[" tasks "]}}"

struct task_row {
	const char *name, *in, *out, *why;
};

static const struct task_row task_rows[] = {
	{ "tasks in dependency order",
	  JOB(TASK("c", "c", DEP("a")) "," TASK("b", "b", "") "," TASK("a", "a", DEP("b"))),
	  "b a c ", NULL },
	{ "tasks in order of the file", JOB(TASK("b", "b", "") "," TASK("a", "a", "")), "b a ",
	  NULL },
	{ "tasks of the old generation",
	  "{\"request\":{\"CreateNewJobRequest\":{\"tasks\":[" TASK("a", "a", "") "]}}}", "a ",
	  NULL },
	{ "tasks in a circle", JOB(TASK("a", "a", DEP("b")) "," TASK("b", "b", DEP("a"))), NULL,
	  "task 'a' depends on itself" },
	{ "tasks after nobody", JOB(TASK("a", "a", DEP("z"))), NULL,
	  "depends on 'z', which is not there" },
	{ "tasks twice", JOB(TASK("a", "a", "") "," TASK("a", "a", "")), NULL,
	  "task 'a' is there twice" },
	{ "tasks of another kind",
	  JOB("{\"task_key\":\"n\",\"notebook_task\":{\"notebook_path\":\"/x\"}}"), NULL,
	  "task 'n' is notebook_task" },
	{ "tasks without wheel",
	  JOB("{\"task_key\":\"n\",\"python_wheel_task\":{\"package_name\":\"p\",\"entry_point\":"
	      "\"main\"}}"),
	  NULL, "names no wheel of package 'p'" },
	{ "tasks whose condition we lack", JOB(TASK("a", "a", ",\"run_if\":\"ALL_DONE\"")), NULL,
	  "run_if ALL_DONE" },
	{ "tasks none", JOB(""), NULL, "has no tasks" },
};

static void check_tasks(void **state)
{
	const struct task_row *r = *state;
	struct run_tasks t = { 0 };
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	int rc = run_tasks_parse(&t, "jobs/x", r->in, strlen(r->in), NULL, NULL, &err);

	if (r->out) {
		assert_int_equal(rc, 0);
		for (size_t i = 0; i < t.n; i++)
			buf_addf(&b, "%s ", t.v[i].key);
		assert_string_equal(buf_str(&b), r->out);
	} else {
		assert_int_equal(rc, PS_EINVAL);
		assert_non_null(strstr(err.msg, r->why));
		assert_int_equal(t.n, 0);
	}
	run_tasks_clear(&t);
	buf_clear(&b);
}

static void config_takes_the_place(void **state)
{
	static const char plain[] =
		JOB("{\"task_key\":\"a\",\"python_wheel_task\":{\"package_name\":\"my-pkg.x\","
		    "\"entry_point\":\"main\"}," LIB(
			    "other-1-py3-none-any.whl") "},"
							"{\"task_key\":\"b\",\"python_wheel_task\":"
							"{\"package_name\":\"my-pkg.x\",\"entry_"
							"point\":\"main\"},"
							"\"libraries\":[{\"whl\":\"/prophecy/"
							"artifacts/o-1.whl\"},{\"whl\":\"/prophecy/"
							"artifacts/My_pkg_x-1.whl\"}]}");
	static const char given[] = JOB(TASK("a", "a", ""));
	struct run_tasks t = { 0 };
	struct ps_err err = { 0 };

	(void)state;
	assert_int_equal(run_tasks_parse(&t, "jobs/x", given, strlen(given), "prod", NULL, &err), 0);
	assert_int_equal(t.v[0].nparameters, 4);
	assert_string_equal(t.v[0].parameters[1], "prod");
	assert_string_equal(t.v[0].parameters[3], "{}");
	assert_string_equal(t.v[0].wheel,
			    "prophecy/artifacts/d/e/1/2/pipeline/a-1.0-py3-none-any.whl");
	run_tasks_clear(&t);
	assert_int_equal(run_tasks_parse(&t, "jobs/x", plain, strlen(plain), "prod", NULL, &err), 0);
	assert_int_equal(t.v[0].nparameters, 2);
	assert_string_equal(t.v[0].parameters[1], "prod");
	assert_string_equal(t.v[1].wheel, "prophecy/artifacts/My_pkg_x-1.whl");
	run_tasks_clear(&t);
}

/* As a provider does it: what was given, else the default; what nobody declared stays as it is. */
static void parameters_of_the_job(void **state)
{
	static const char text[] = "{\"parameters\":[{\"name\":\"day\",\"default\":\"sun\"}]}";
	json_t *request = json_loads(text, 0, NULL), *given = json_pack("{s:s}", "day", "{{x}}");
	const struct { const json_t *given; const char *in, *out; } fills[] = {
		{ NULL, "-O{{job.parameters.day}}.", "-Osun." },
		{ given, "{{job.parameters.day}}{{job.parameters.day}}", "{{x}}{{x}}" },
		{ given, "{{job.parameters.other}} {{job.parameters.day", "{{job.parameters.other}} "
		  "{{job.parameters.day" },
	};
	struct ps_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(fills); i++) {
		char *got = job_params_fill(request, fills[i].given, fills[i].in);

		assert_string_equal(got, fills[i].out);
		free(got);
	}
	assert_int_equal(job_params_check(request, given, &err), 0);
	json_object_set_new(given, "month", json_string(""));
	assert_int_equal(job_params_check(request, given, &err), PS_EINVAL);
	assert_string_equal(err.msg, "the job has no parameter 'month'; it has day");
	json_decref(given);
	json_decref(request);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(rows) + PS_NELEM(task_rows) + 4];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		tests[n++] = (struct CMUnitTest) { .name = rows[i].name,
						   .test_func = check_render,
						   .initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < PS_NELEM(task_rows); i++)
		tests[n++] = (struct CMUnitTest) { .name = task_rows[i].name,
						   .test_func = check_tasks,
						   .initial_state = (void *)&task_rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(fabric_ids_of_both_generations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(artifacts_of_a_volume);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(config_takes_the_place);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(parameters_of_the_job);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("render", tests, n, NULL, NULL);
}
