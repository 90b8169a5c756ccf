/* Units of derive: what a rule makes of a definition, in both generations of the format. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/plan/canon.h"
#include "common/plan/derive.h"
#include "common/plan/render.h"

static char t_from[] = "jobs/dev", t_as[] = "jobs/prod", t_prod[] = "prod", t_default[] = "default",
	    t_qa[] = "qa", t_file[] = "p-1.0-py3-none-any.whl", t_pipeline[] = "pipelines/p";

/* What a row's rule has besides from and as. */
struct rule {
	char *config;
	const char *schedule, *patch;
	bool enabled, enforce;
};

struct row {
	const char *name, *in;
	struct rule rule;
	const char *deployed; /* under the new key; "": not to be read; NULL: nothing is */
	const char *out;      /* NULL: a problem */
	const char *why;
};

#define NOW(head, request) "{" head "\"request\":{\"name\":\"prod\"" request "}}"
#define OLD(head, request)                                                                         \
	"{" head "\"request\":{\"CreateNewJobRequest\":{\"name\":\"prod\"" request "}}}"
#define CONF(id, uri)                                                                              \
	"{\"new_cluster\":{\"spark_conf\":{\"spark.prophecy.metadata.fabric.id\":" id              \
	",\"spark.prophecy.metadata.job.uri\":\"" uri "\"}}}"
#define COMPONENT(ref) "\"components\":[{\"PipelineComponent\":{" ref ",\"nodeName\":\"a\"}}],"
#define TASK(kind, parameters)                                                                     \
	",\"tasks\":[{\"" kind "\":{" parameters                                                   \
	"},\"depends_on\":[{\"task_key\":\"b\"}],\"libraries\":[{\"whl\":\"/prophecy/artifacts/x/" \
	"p-1.0-py3-none-any.whl\"}],\"task_key\":\"a\"}]"
#define PARAMETERS(list) "\"parameters\":[" list "]"
#define SCHEDULE(cron, state)                                                                      \
	",\"schedule\":{\"pause_status\":\"" state "\",\"quartz_cron_expression\":\"" cron "\"}"
#define LOCAL "\"pipelineId\":\"pipelines/p\""
#define ON                                                                                         \
	{                                                                                          \
		NULL, NULL, NULL, true, false                                                      \
	}
#define OFF                                                                                        \
	{                                                                                          \
		NULL, NULL, NULL, false, false                                                     \
	}
#define WITH(config)                                                                               \
	{                                                                                          \
		config, NULL, NULL, true, false                                                    \
	}

static const struct row rows[] = {
	{ "fabric ids in all places", NOW("\"fabric_id\":\"1\",\"metainfo\":{\"fabricId\":\"1\"},",
	  ",\"job_clusters\":[" CONF("\"1\"", "7/jobs/dev") "],\"tasks\":[" CONF("1", "7/jobs/dev2") "]"), ON, NULL,
	  NOW("\"fabric_id\":\"4004\",\"metainfo\":{\"fabricId\":\"4004\"},",
	  ",\"job_clusters\":[" CONF("\"4004\"", "7/jobs/prod") "],\"tasks\":[" CONF("4004", "7/jobs/dev2") "]"), NULL },
	{ "fabric ids of the old generation", OLD("\"fabricId\":\"1\",", ",\"job_clusters\":["
	  CONF("\"1\"", "x/jobs/dev") "]"), ON, NULL, OLD("\"fabricId\":\"4004\",", ",\"job_clusters\":["
	  CONF("\"4004\"", "x/jobs/prod") "]"), NULL },
	{ "no fabric is invented", NOW("", ""), ON, NULL, NOW("", ""), NULL },
	{ "instance replaced, the rest stays", NOW(COMPONENT(LOCAL), TASK("python_wheel_task",
	  PARAMETERS("\"-i\",\"dev\",\"-O\",\"{}\""))), WITH(t_prod), NULL, NOW(COMPONENT(LOCAL),
	  TASK("python_wheel_task", PARAMETERS("\"-i\",\"prod\",\"-O\",\"{}\""))), NULL },
	{ "instance of the old generation", OLD(COMPONENT("\"id\":\"pipelines/p\""), TASK("spark_jar_task",
	  PARAMETERS("\"-i\",\"dev\""))), WITH(t_prod), NULL, OLD(COMPONENT("\"id\":\"pipelines/p\""),
	  TASK("spark_jar_task", PARAMETERS("\"-i\",\"prod\""))), NULL },
	{ "instance added", NOW(COMPONENT(LOCAL), TASK("python_wheel_task", "")), WITH(t_prod), NULL,
	  NOW(COMPONENT(LOCAL), TASK("python_wheel_task", PARAMETERS("\"-i\",\"prod\""))), NULL },
	{ "instance by the library", NOW("", TASK("python_wheel_task", PARAMETERS(""))), WITH(t_prod), NULL,
	  NOW("", TASK("python_wheel_task", PARAMETERS("\"-i\",\"prod\""))), NULL },
	{ "instance default needs no file", NOW(COMPONENT(LOCAL), TASK("python_wheel_task", PARAMETERS(""))),
	  WITH(t_default), NULL,
	  NOW(COMPONENT(LOCAL), TASK("python_wheel_task", PARAMETERS("\"-i\",\"default\""))), NULL },
	{ "instance missing", NOW(COMPONENT(LOCAL), TASK("python_wheel_task", PARAMETERS(""))), WITH(t_qa), NULL,
	  NULL, "derive 'jobs/prod' (penstock.yml:7): 'pipelines/p' has no config instance 'qa', which task 'a' would "
	  "run with" },
	{ "instance of another project", NOW(COMPONENT("\"pipelineId\":\"9/pipelines/p\""),
	  TASK("python_wheel_task", PARAMETERS(""))), WITH(t_prod), NULL, NULL,
	  "task 'a' runs '9/pipelines/p', which is no pipeline of this project" },
	{ "instance: other kinds of task are left alone", NOW("", TASK("notebook_task", "")), WITH(t_prod), NULL,
	  NOW("", TASK("notebook_task", "")), NULL },
	{ "enabled at creation", NOW("", SCHEDULE("c", "PAUSED")), ON, NULL, NOW("", SCHEDULE("c", "UNPAUSED")), NULL },
	{ "not enabled at creation", OLD("", SCHEDULE("c", "UNPAUSED")), OFF, NULL, OLD("", SCHEDULE("c", "PAUSED")), NULL },
	{ "a pause is kept", NOW("", SCHEDULE("c", "UNPAUSED")), ON, NOW("", SCHEDULE("d", "PAUSED")),
	  NOW("", SCHEDULE("c", "PAUSED")), NULL },
	{ "a pause is kept by the old generation", OLD("", SCHEDULE("c", "UNPAUSED")), ON, OLD("", SCHEDULE("d", "PAUSED")),
	  OLD("", SCHEDULE("c", "PAUSED")), NULL },
	{ "a schedule that runs goes on", NOW("", SCHEDULE("c", "PAUSED")), OFF, NOW("", ",\"schedule\":{}"),
	  NOW("", SCHEDULE("c", "UNPAUSED")), NULL },
	{ "enforced", NOW("", SCHEDULE("c", "PAUSED")), { NULL, NULL, NULL, true, true },
	  NOW("", SCHEDULE("d", "PAUSED")), NOW("", SCHEDULE("c", "UNPAUSED")), NULL },
	{ "enforced by the old generation", OLD("", SCHEDULE("c", "UNPAUSED")), { NULL, NULL, NULL, false, true },
	  OLD("", SCHEDULE("d", "UNPAUSED")), OLD("", SCHEDULE("c", "PAUSED")), NULL },
	{ "unknown state is not woken", NOW("", SCHEDULE("c", "PAUSED")), ON, "", NULL, "set enforce_schedule: true" },
	{ "nothing to pause", NOW("", ""), OFF, NULL, NOW("", ""), NULL },
	{ "other triggers", NOW("", ",\"continuous\":{\"pause_status\":\"UNPAUSED\"}"), OFF, NULL,
	  NOW("", ",\"continuous\":{\"pause_status\":\"PAUSED\"}"), NULL },
	{ "schedule", NOW("", SCHEDULE("c", "PAUSED")), { NULL, "{\"quartz_cron_expression\":\"0 0 3 * * ?\"}", NULL, true, false },
	  NULL, NOW("", SCHEDULE("0 0 3 * * ?", "UNPAUSED")), NULL },
	{ "schedule where there was none", OLD("", ""), { NULL, "{\"quartz_cron_expression\":\"0 0 3 * * ?\"}", NULL, false, false },
	  NULL, OLD("", SCHEDULE("0 0 3 * * ?", "PAUSED")), NULL },
	{ "schedule that is none", NOW("", ""), { NULL, "{\"quartz_cron_expression\":\"0 3 * * *\"}", NULL, true, false },
	  NULL, NULL, "'schedule': '0 3 * * *' is no Quartz cron expression: " },
	{ "patch comes last", NOW("", SCHEDULE("c", "PAUSED")),
	  { NULL, NULL, "{\"schedule\":{\"pause_status\":\"PAUSED\"},\"retries\":1}", true, false }, NULL,
	  NOW("", ",\"retries\":1" SCHEDULE("c", "PAUSED")), NULL },
	{ "patch of the old generation", OLD("", ",\"a\":{\"b\":1,\"c\":[1,2]}"),
	  { NULL, NULL, "{\"a\":{\"b\":null,\"c\":[3],\"d\":{\"e\":null,\"f\":1}}}", true, false }, NULL,
	  OLD("", ",\"a\":{\"c\":[3],\"d\":{\"f\":1}}"), NULL },
};

static void add_problem(void *arg, const char *text)
{
	buf_adds(arg, text);
}

static json_t *read(const char *text)
{
	struct ps_err err = { 0 };
	json_t *v = NULL;

	assert_int_equal(canon_read(&v, text, strlen(text), "x", &err), 0);
	return v;
}

static void check_row(void **state)
{
	const struct row *r = *state;
	char *instances[] = { t_prod };
	struct manifest_artifact a = { .pipeline = t_pipeline, .file = t_file,
				       .instances = instances, .ninstances = 1 };
	struct manifest m = { .artifacts = &a, .nartifacts = 1 };
	struct conf_derive rule = { .from = t_from, .as = t_as, .config = r->rule.config,
				    .enabled = r->rule.enabled,
				    .enforce_schedule = r->rule.enforce,
				    .schedule = (char *)r->rule.schedule,
				    .patch = (char *)r->rule.patch, .pos = { 7, 3 } };
	struct derive_to to = { .rule = &rule, .release = &m, .fabric_id = 4004 };
	json_t *doc = read(r->in), *deployed = NULL, *want;
	struct buf why = BUF_INIT;
	size_t problems;

	if (r->deployed && *r->deployed)
		to.deployed = deployed = read(r->deployed);
	to.there = deployed ? DERIVE_THERE : r->deployed ? DERIVE_THERE_UNREAD : DERIVE_NOT_THERE;
	json_object_set_new((json_t *)render_request(doc), "name", json_string("dev"));
	problems = derive_job(doc, &to, add_problem, &why);
	if (!r->out) {
		assert_int_equal(problems, 1);
		assert_non_null(strstr(buf_str(&why), r->why));
	} else {
		assert_string_equal(buf_str(&why), "");
		want = read(r->out);
		assert_int_equal(render_enforces(doc), r->rule.enforce);
		json_object_del(doc, RENDER_OWN);
		assert_true(json_equal(doc, want));
		json_decref(want);
	}
	buf_clear(&why);
	json_decref(deployed);
	json_decref(doc);
}

/* The examples of RFC 7386, appendix A. */
static void merge_patch_is_rfc_7386(void **state)
{
	static const char *const examples[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(examples); i++) {
		json_t *target = read(examples[i][0]), *patch = read(examples[i][1]),
		       *want = read(examples[i][2]), *got = derive_merge(target, patch);

		assert_true(json_equal(got, want));
		json_decref(got);
		json_decref(want);
		json_decref(patch);
		json_decref(target);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(rows) + 1];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		tests[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = check_row,
						 .initial_state = (void *)&rows[i] };
	tests[PS_NELEM(rows)] = (struct CMUnitTest)cmocka_unit_test(merge_patch_is_rfc_7386);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("derive", tests, PS_NELEM(tests), NULL, NULL);
}
