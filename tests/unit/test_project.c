/* Units of what is read out of a project's files: setup.py, wheel names, job definitions. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/project/job.h"
#include "common/project/pipeline.h"
#include "common/project/project.h"

static const struct setup_row { const char *name, *text, *package, *version; } setups[] = {
	{ "plain", "from setuptools import setup\nsetup(\n    name = 'orders',\n    version = "
	  "'1.0',\n)\n", "orders", "1.0" },
	{ "double quotes", "setup(name=\"a b\", version=\"2\")", "a b", "2" },
	{ "dotted call", "import setuptools\nsetuptools.setup(version='1', name='x')", "x", "1" },
	{ "triple", "setup(name='''x''', version=u'1')", "x", "1" },
	{ "comment", "# setup(name='no')\nsetup(  # name='no'\n name='x', # y\n version='1')", "x",
	  "1" },
	{ "in a string", "s = \"setup(name='no')\"\nsetup(name='x', version='1')", "x", "1" },
	{ "nested", "setup(extras={'name': 'no'}, f=g(name='no'), name='x', version='1')", "x",
	  "1" },
	{ "computed", "setup(name='x' + y, version=VERSION)", NULL, NULL },
	{ "two literals", "setup(name='x' 'y', version='1' if a else '2')", NULL, NULL },
	{ "f-string", "setup(name=f'x', version=b'1')", NULL, NULL },
	{ "escape", "setup(name='a\\n', version='1')", NULL, "1" },
	{ "other name", "presetup(name='no')\nsetup(long_name='no', name='x', version='1')", "x",
	  "1" },
	{ "no call", "name = 'x'\nversion = '1'\n", NULL, NULL },
	{ "cut", "setup(name='x', version='1", "x", NULL },
	{ "empty", "", NULL, NULL },
};

static void setup_is_scanned(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(setups); i++) {
		char *name, *version;

		pipeline_setup_scan(setups[i].text, strlen(setups[i].text), &name, &version);
		if (!ps_streq(name, setups[i].package) || !ps_streq(version, setups[i].version))
			fail_msg("%s: got %s, %s", setups[i].name, name ? name : "-",
				 version ? version : "-");
		free(name);
		free(version);
	}
}

static const struct { const char *name, *version, *wheel; } wheels[] = {
	{ "orders", "1.0", "orders-1.0-py3-none-any.whl" },
	{ "farmers-markets-irs", "1.0", "farmers_markets_irs-1.0-py3-none-any.whl" },
	{ "a -_b.c", "v01.2", "a_b.c-1.2-py3-none-any.whl" },
	{ "x", "1.0.10.dev0", "x-1.0.10.dev0-py3-none-any.whl" },
	{ "x", "1.0rc1", "x-1.0rc1-py3-none-any.whl" },
	{ "x", "version", NULL },
	{ "x", "1.0-SNAPSHOT", NULL },
	{ "", "1", NULL },
};

static void wheel_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(wheels); i++) {
		char *wheel = pipeline_wheel(wheels[i].name, wheels[i].version);

		if (!ps_streq(wheel, wheels[i].wheel))
			fail_msg("%s %s: got %s", wheels[i].name, wheels[i].version,
				 wheel ? wheel : "nothing");
		free(wheel);
	}
}

static const char old_job[] =
	"{\"fabricId\": \"12\", \"components\": [{\"PipelineComponent\": {\"nodeName\": \"a\","
			      " \"id\": \"pipelines/x\"}}, {\"ScriptComponent\": {\"nodeName\": "
				      "\"b\"}}],"
			      " \"request\": {\"CreateNewJobRequest\": {\"tasks\": [{\"task_key\": \"a\","
			      " \"spark_jar_task\": {\"parameters\": [\"-i\", \"qa\", \"-O\", "
				      "\"{}\"]}}]}}}";
static const char new_job[] =
	"{\"fabric_id\": 12, \"components\": [{\"PipelineComponent\": {\"nodeName\": \"a\","
			      " \"id\": \"i$$x\", \"pipelineId\": \"pipelines/x\"}}, {}, 3],"
			      " \"request\": {\"tasks\": [{\"task_key\": \"a\","
			      " \"python_wheel_task\": {\"parameters\": [\"-i\", \"qa\"]}}]}}";

static void both_generations_of_jobs(void **state)
{
	static const char *const texts[] = { old_job, new_job };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(texts); i++) {
		struct job_component c;
		struct doc_fault f;
		struct job_view v;
		struct doc *d;

		assert_int_equal(doc_json(&d, texts[i], strlen(texts[i]), &f), 0);
		job_view(&v, d->root);
		assert_int_equal(job_fabric_number(v.fabric), 12);
		assert_int_equal(v.tasks->n, 1);
		assert_string_equal(doc_string(job_task_instance(v.tasks->items[0])), "qa");
		assert_true(job_component_of_task(&c, &v, "a"));
		assert_string_equal(doc_string(c.reference), "pipelines/x");
		assert_false(job_component_of_task(&c, &v, "z"));
		doc_free(d);
	}
	assert_true(job_reference_is_local("pipelines/x"));
	assert_false(job_reference_is_local("12/pipelines/x"));
	assert_false(job_reference_is_local("gitUri=http://h/r.git&subPath=&tag=a/1&projectSubscriptionProjectId=1&path=pipelines/x"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setup_is_scanned),
		cmocka_unit_test(wheel_names),
		cmocka_unit_test(both_generations_of_jobs),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("project", tests, NULL, NULL);
}
