/* Units of the gate's rules: one row for each, a project with one thing wrong, and what is legal and
 * odd. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/gate_fx.h"

#define F_ASPECTS "pipelines/a/pbt_aspects.yml"
/* As Prophecy wrote it before placeholders existed, when fabric is fabricId. */
#define WRAPPED(fabric) \
	"{\"" fabric "\": \"1174\", \"components\": [], \"request\": {\"CreateNewJobRequest\": {" \
	"\"tasks\": [{\"task_key\": \"t\", \"x\": \"dbfs:/prophecy/artifacts/a.whl\"}]}}}"

/* path is put in place of the good file; text NULL removes it. want: the lines, all of them. */
static const struct row { const char *name, *path, *text, *want; } rows[] = {
	{ "good", F_YML, YML(ONE_PIPELINE, ONE_JOB), "" },
	{ "001 not YAML", F_YML, "name: [x\nb: 1\n",
	  "pbt_project.yml:2:2: error: not YAML: while parsing a flow sequence, "
	  "did not find expected ',' or ']' [PS-PROJ-001]\n" },
	{ "002 conflict", F_YML, "a: 1\n<<<<<<< HEAD\n",
	  "pbt_project.yml:2:1: error: merge conflict marker [PS-PROJ-002]\n" },
	{ "002 in setup.py", F_SETUP, "x\n>>>>>>> y\n",
	  F_SETUP ":2:1: error: merge conflict marker [PS-PROJ-002]\n" },
	{ "003 top", F_YML, "- a\n",
	  "pbt_project.yml:1:1: error: holds a list, not a map [PS-PROJ-003]\n" },
	{ "003 empty", F_YML, "",
	  "pbt_project.yml:1:1: error: holds nothing, not a map [PS-PROJ-003]\n" },
	{ "004 duplicate", F_YML, YML(ONE_PIPELINE ONE_PIPELINE, ONE_JOB),
	  "pbt_project.yml:8:3: error: 'pipelines/a' is there twice; the last one wins and the "
	  "others are lost [PS-PROJ-004]\n" },
	{ "004 a macro", F_YML, YML(ONE_PIPELINE, ONE_JOB) "sqlmacros:\n  m: 1\n  m: 2\n",
	  "pbt_project.yml:16:3: error: 'm' is there twice; the last one wins and the others are "
	  "lost [PS-PROJ-004]\n" },
	{ "004 a section", F_YML, YML(ONE_PIPELINE, ONE_JOB) "datasets: {}\ndatasets: {}\nz: {a: 1, a: 1}",
	  "pbt_project.yml:15:1: error: 'datasets' is there twice; the last one wins and the "
	  "others are lost [PS-PROJ-004]\n"
	  "pbt_project.yml:16:11: error: 'a' is there twice; the last one wins and the others are "
	  "lost [PS-PROJ-004]\n" },
	{ "113 a dataset", F_YML,
	  YML(ONE_PIPELINE, ONE_JOB) "datasets: {d: {createdAt: 1}, d: {createdAt: 2}}\n",
	  "pbt_project.yml:14:31: warning: 'd' is there twice; the last one wins and the others are "
	  "lost [PS-PROJ-113]\n" },
	{ "113 below a subgraph", F_YML, YML(ONE_PIPELINE, ONE_JOB) "subgraphs: {s: {a: 1, a: 2}}\n",
	  "pbt_project.yml:14:23: warning: 'a' is there twice; the last one wins and the others are "
	  "lost [PS-PROJ-113]\n" },
	{ "005 missing", F_YML, "name: x\npipelines:" ONE_PIPELINE "\njobs:" ONE_JOB "\n",
	  "pbt_project.yml:1:1: error: 'language' is missing [PS-PROJ-005]\n"
	  "pbt_project.yml:1:1: error: 'version' is missing [PS-PROJ-005]\n" },
	{ "006 shape", F_YML, "name: ''\nversion: 1\nlanguage: python\npipelines:\njobs: []\n",
	  "pbt_project.yml:1:7: error: 'name' is empty, not text; quote it [PS-PROJ-006]\n"
	  "pbt_project.yml:2:10: warning: version is a whole number, not text; quote it "
	  "[PS-PROJ-104]\n"
	  "pbt_project.yml:4:11: error: 'pipelines' is null, not a map; write {} for none "
	  "[PS-PROJ-006]\n"
	  "pbt_project.yml:5:7: error: 'jobs' is a list, not a map; write {} for none "
	  "[PS-PROJ-006]\n" },
	{ "008 entries", F_YML, YML("\n  pipelines/a: {name: a}", "\n  jobs/j: null"),
	  "pbt_project.yml:5:3: error: pipeline 'pipelines/a' has no language [PS-PROJ-008]\n"
	  "pbt_project.yml:7:3: error: job 'jobs/j' is null, not a map [PS-PROJ-008]\n" },
	{ "009 keys", F_YML,
	  YML("\n  pipelines/../x: {name: x, language: python}\n  /p: {name: x, language: python}",
	      ONE_JOB),
	  F_JOB ":1:84: warning: job 'jobs/j' names 'pipelines/a', which is not declared "
	  "[PS-JOB-028]\n"
	  "pbt_project.yml:5:3: error: the pipeline key 'pipelines/../x' is not a path below the "
	  "project [PS-PROJ-009]\n"
	  "pbt_project.yml:6:3: error: the pipeline key '/p' is not a path below the project "
	  "[PS-PROJ-009]\n"
	  "pipelines/a:1:1: warning: the folder of a pipeline that pbt_project.yml does not "
	  "declare [PS-PIPE-055]\n" },
	{ "013 folder", F_YML, YML(ONE_PIPELINE "\n  pipelines/b: {name: b, language: python}",
				   ONE_JOB),
	  "pbt_project.yml:8:3: error: pipeline 'pipelines/b' has no folder 'pipelines/b' "
	  "[PS-PIPE-013]\n" },
	{ "014 setup.py", F_SETUP, NULL,
	  "pbt_project.yml:5:3: error: pipeline 'pipelines/a' has no file "
	  "'pipelines/a/code/setup.py' [PS-PIPE-014]\n" },
	{ "015 pom.xml", F_YML,
	  "name: d\nversion: '1'\nlanguage: scala\npipelines:" ONE_PIPELINE "\njobs:" ONE_JOB "\n",
	  "pbt_project.yml:5:3: error: pipeline 'pipelines/a' has no file "
	  "'pipelines/a/code/pom.xml' [PS-PIPE-015]\n" },
	{ "016 sql is free",
	  F_YML, "name: d\nversion: '1'\nlanguage: sql\npipelines:\n  pipelines/z: {name: z, "
	  "language: sql}\n"
	  "jobs: {}\n",
	  "pbt_project.yml:1:1: warning: an sql project without dbt_project.yml [PS-PROJ-073]\n" },
	{ "018 workflow", F_WORKFLOW, "{\"a\":\n [",
	  F_WORKFLOW ":2:3: error: not JSON: parse error: premature EOF [PS-PIPE-018]\n" },
	{ "018 no object", F_WORKFLOW, "[]",
	  F_WORKFLOW ":1:1: error: holds a list, not an object [PS-PIPE-018]\n" },
	{ "047 instance", F_PROD, "3",
	  F_PROD ":1:1: error: holds a whole number, not an object [PS-PIPE-047]\n" },
	{ "047 cut", F_PROD, "{\"a\": {\"b\": 1}\n",
	  F_PROD ":2:1: error: not JSON: parse error: premature EOF [PS-PIPE-047]\n" },
	{ "047 cut in a text", F_PROD, "{\"a\": \"b}",
	  F_PROD ":1:10: error: not JSON: parse error: premature EOF [PS-PIPE-047]\n" },
	{ "odd: NaN", F_PROD, "{\"a\": NaN}", "" },
	{ "022 Infinity", F_JOB, JOB(COMPONENT("pipelines/a"),
				     "{\"task_key\": \"t\", \"x\": -Infinity}"),
	  "jobs/j/code/databricks-job.json:1:166: error: not JSON: it has no numbers but those of "
	  "digits [PS-JOB-022]\n" },
	{ "114 a comma", F_PROD, "{\"a\": 1,}",
	  F_PROD ":1:9: warning: not JSON: parse error: invalid object key (must be a string) "
	  "[PS-PIPE-114]\n" },
	{ "114 a comment", F_PROD, "{\"a\": 1 # b\n}",
	  F_PROD ":1:9: warning: not JSON: lexical error: invalid char in json text "
	  "[PS-PIPE-114]\n" },
	{ "114 a bare key", F_PROD, "{a: 1}",
	  F_PROD ":1:2: warning: not JSON: lexical error: invalid char in json text "
	  "[PS-PIPE-114]\n" },
	{ "114 empty", F_PROD, " \n",
	  F_PROD ":2:1: warning: not JSON: parse error: premature EOF [PS-PIPE-114]\n" },
	{ "050 aspects", F_ASPECTS, "configurations: [prod, default, qa]\n",
	  F_ASPECTS ":1:33: warning: config instance 'qa' is listed and has no file "
	  "[PS-PIPE-050]\n" },
	{ "055 a virtualenv", "pipelines/venv/bin/activate", "x", "" },
	{ "055 code", "pipelines/copy/code/setup.py", "x",
	  "pipelines/copy:1:1: warning: the folder of a pipeline that pbt_project.yml does not "
	  "declare [PS-PIPE-055]\n" },
	{ "056 no code", "jobs/venv/bin/activate", "x", "" },
	{ "021 no job file", F_JOB, NULL,
	  "pbt_project.yml:9:3: warning: job 'jobs/j' has no file "
	  "'jobs/j/code/databricks-job.json' [PS-JOB-021]\n" },
	{ "022 cut", F_JOB, "{\"fabric_id\": \"1174\", \"comp",
	  F_JOB ":1:28: error: not JSON: parse error: premature EOF [PS-JOB-022]\n" },
	{ "023 parts", F_JOB, "{\"components\": {}}",
	  F_JOB ":1:1: error: 'request' is missing or not a map [PS-JOB-023]\n"
	  F_JOB ":1:1: warning: has no fabric_id [PS-JOB-024]\n"
	  F_JOB ":1:16: error: 'components' is missing or not a list [PS-JOB-023]\n" },
	{ "028 undeclared", F_JOB, JOB(COMPONENT("pipelines/zz"), "{\"task_key\": \"t\"}"),
	  F_JOB ":1:84: warning: job 'jobs/j' names 'pipelines/zz', which is not declared "
	  "[PS-JOB-028]\n" },
	{ "029 elsewhere", F_JOB,
	  JOB(COMPONENT("12/pipelines/zz") ","
	      COMPONENT("gitUri=http://h/r&subPath=&tag=A/1&projectSubscriptionProjectId=12&path="
			"pipelines/zz") "," COMPONENT("http://h/r.git/@A/1/12/pipelines/zz"),
	      "{\"task_key\": \"t\"}"), "" },
	{ "033 unknown", F_JOB,
	  JOB("", "{\"task_key\": \"a\", \"depends_on\": [{\"task_key\": \"b\"}]}"),
	  F_JOB ":1:109: error: task 'a' depends on 'b', which is no task of this job "
	  "[PS-JOB-033]\n" },
	{ "033 twice", F_JOB, JOB("", "{\"task_key\": \"a\"},\n{\"task_key\": \"a\"}"),
	  F_JOB ":2:14: error: task 'a' is there twice, first at line 1 [PS-JOB-033]\n" },
	{ "033 circle", F_JOB,
	  JOB("", "{\"task_key\": \"z\", \"depends_on\": [{\"task_key\": \"a\"}]},\n"
				       "{\"task_key\": \"a\", \"depends_on\": [{\"task_key\": "
	      "\"b\"}]},\n"
				       "{\"task_key\": \"b\", \"depends_on\": [{\"task_key\": "
	      "\"a\"}]}"),
	  F_JOB ":2:14: error: tasks wait for each other: a -> b -> a [PS-JOB-033]\n" },
	{ "033 itself", F_JOB,
	  JOB("", "{\"task_key\": \"a\", \"depends_on\": [{\"task_key\": \"a\"}]}"),
	  F_JOB ":1:76: error: tasks wait for each other: a -> a [PS-JOB-033]\n" },
	{ "025 old form",
	  F_JOB, "{\"fabricId\": \"1174\", \"components\": [], \"request\": "
	  "{\"CreateNewJobRequest\": {\"tasks\": ["
	  "{\"task_key\": \"a\", \"depends_on\": [{\"task_key\": \"b\"}]}]}}}",
	  F_JOB ":1:132: error: task 'a' depends on 'b', which is no task of this job "
	  "[PS-JOB-033]\n" },
	{ "031 no path", F_JOB,
	  JOB("{\"DLTPipelineComponent\": {\"id\": \"x\", \"nodeName\": \"n\"}}",
	      "{\"task_key\": \"n\"}"),
	  F_JOB ":1:38: warning: the first component has no path, which Prophecy's own tool wants "
	  "[PS-JOB-031]\n" },
	{ "038 invalid", F_PJOB, "{",
	  F_PJOB ":1:2: error: not JSON: parse error: premature EOF [PS-JOB-038]\n" },
	{ "038 missing", F_PJOB, NULL,
	  "pbt_project.yml:9:3: warning: job 'jobs/j' has no file 'jobs/j/code/prophecy-job.json' "
	  "[PS-JOB-102]\n" },
	{ "047 below config", F_RESOURCES "com/shop/config/prod.json", "[]",
	  F_RESOURCES "com/shop/config/prod.json:1:1: error: holds a list, not an object "
	  "[PS-PIPE-047]\n" },
	{ "047 a resource of the program", F_RESOURCES "data/list.json", "[]", "" },
	{ "048 instance", F_JOB,
	  JOB(COMPONENT("pipelines/a"),
	      "{\"task_key\": \"t\", \"python_wheel_task\": {\"parameters\": "
	  "[\"-i\", \"qa\"]}}"), F_JOB ":1:204: warning: task 't' picks config instance 'qa', "
	  "which 'pipelines/a' does not have "
	  "[PS-JOB-048]\n" },
	{ "048 there", F_JOB, JOB(COMPONENT("pipelines/a"),
				  "{\"task_key\": \"t\", \"python_wheel_task\": {\"parameters\": "
	  "[\"-i\", \"prod\"]}}"), "" },
	{ "048 by its way, there", F_JOB, RUNS_JAR("resources/config/prod"), "" },
	{ "048 by its way, default", F_JOB, RUNS_JAR("com/shop/a/config/default"), "" },
	{ "048 by its way, not there", F_JOB, RUNS_JAR("other/config/prod"),
	  F_JOB ":1:201: warning: task 't' picks config instance 'other/config/prod', which "
	  "'pipelines/a' does not have [PS-JOB-048]\n" },
	{ "052 literal path", F_JOB, WRAPPED("fabric_id"),
	  F_JOB ":1:110: warning: an artifact path without placeholder: what Prophecy's own tool "
	  "wrote while it deployed was committed [PS-JOB-052]\n" },
	{ "052 the form of 2022", F_JOB, WRAPPED("fabricId"), "" },
	{ "101 fabric", F_YML,
	  YML(ONE_PIPELINE, "\n  jobs/j: {name: j, fabricUID: 9, scheduler: {Databricks: {}}}"),
	  F_JOB ":1:15: warning: fabric_id is 1174, pbt_project.yml says 9 [PS-JOB-034]\n"
	  "pbt_project.yml:9:32: error: job 'jobs/j' names fabric 9, which no fabric of "
	  "penstock.yml has as id [PS-JOB-101]\n" },
	{ "101 in the file", F_JOB, "{\"fabric_id\": \"8\", \"components\": [], \"request\": {}}",
	  F_JOB ":1:15: warning: fabric_id is 8, pbt_project.yml says 1174 [PS-JOB-034]\n"
	  F_JOB ":1:15: error: job 'jobs/j' names fabric 8, which no fabric of penstock.yml has as "
	  "id [PS-JOB-101]\n" },
	/* what is odd and legal */
	{ "odd: dependencies text", F_YML, YML(ONE_PIPELINE, ONE_JOB) "dependencies: '[]'\n", "" },
	{ "odd: explicit key", F_YML, YML(ONE_PIPELINE, ONE_JOB) "? a very long key\n: value\n",
	  "" },
	{ "odd: crlf and bom",
	  F_YML, "\357\273\277name: d\r\nversion: '1'\r\nlanguage: python\r\npipelines: "
	  "{pipelines/a: {name: a, language: python}}\r\njobs: {jobs/j: {name: j, fabricUID: 1174, "
	  "scheduler: {Databricks: {}}}}\r\n",
	  "pbt_project.yml:1:1: warning: a byte order mark [PS-PROJ-071]\n"
	  "pbt_project.yml:1:9: warning: a line that ends in CR LF [PS-PROJ-071]\n" },
	{ "odd: unknown keys", F_YML, YML(ONE_PIPELINE, ONE_JOB) "flags: {}\nbrandNew: [1]\n", "" },
	{ "odd: name differs", F_YML,
	  YML("\n  pipelines/a: {name: 'A renamed one', language: python}", ONE_JOB), "" },
	{ "odd: airflow without dag", F_YML,
	  YML(ONE_PIPELINE, "\n  jobs/j: {name: j, fabricUID: 1174, scheduler: {MWAA: {}}}"),
	  F_PJOB ":1:14: warning: the DAG has no name [PS-JOB-044]\n" },
	{ "odd: version text", F_YML,
	  "name: d\nversion: version\nlanguage: rust\npipelines: {}\njobs:" ONE_JOB "\n",
	  F_JOB ":1:84: warning: job 'jobs/j' names 'pipelines/a', which is not declared "
	  "[PS-JOB-028]\n"
	  "pbt_project.yml:3:11: warning: language 'rust' is none of python, scala and sql "
	  "[PS-PROJ-007]\n" },
	{ "odd: file names", "pipelines/a/code/prophecy/tests/i$$x _1.json", "not json", "" },
	{ "odd: vendored copy", ".prophecy/12/pbt_project.yml", "<<<<<<< x\n", "" },
	{ "111 pointer", F_SETUP, POINTER, F_SETUP ":1:1: warning: a Git LFS pointer, not the file "
	  "itself: not checked [PS-PROJ-111]\n" },
	{ "112 folders, too", "Pipelines/a/x.txt", "",
	  "pipelines:1:1: warning: differs from 'Pipelines' in case alone [PS-PROJ-112]\n" },
	{ "nested project", "sub/pbt_project.yml", "name: x\n",
	  "sub/pbt_project.yml:1:1: error: 'jobs' is missing [PS-PROJ-005]\n"
	  "sub/pbt_project.yml:1:1: error: 'language' is missing [PS-PROJ-005]\n"
	  "sub/pbt_project.yml:1:1: error: 'pipelines' is missing [PS-PROJ-005]\n"
	  "sub/pbt_project.yml:1:1: error: 'version' is missing [PS-PROJ-005]\n" },
};

static void start(void)
{
	gitdir_sh("git init -q p");	/* or the folder of this build would be the top */
	make_good("p");
}

static void assert_found(const char *want)
{
	struct gate_check c = { .path = "p", .config = config };
	struct gate_checked out;
	struct buf b = BUF_INIT;

	assert_int_equal(gate_check(&c, &out, &err), 0);
	diag_print(&b, &out.found, 0);
	assert_string_equal(buf_str(&b), want);
	buf_clear(&b);
	gate_checked_clear(&out);
}

static void rule(void **state)
{
	const struct row *row = *state;

	start();
	put("p", row->path, row->text);
	assert_found(row->want);
}

/* A Databricks job under a scheduler of old needs no DAG. */
static void scheduler_of_old(void **state)
{
	static const char yml[] = YML(ONE_PIPELINE, "\n  jobs/j: {name: j, enabled: true, fabricUID: "
				      "1174,\n    scheduler: {%s: {}}}");
	char *text;

	(void)state;
	start();
	put("p", F_PJOB, "{\"metainfo\": {\"type\": \"Databricks\"}, \"processes\": {}, "
			 "\"connections\": []}");
	text = xasprintf(yml, "Airflow");
	put("p", F_YML, text);
	free(text);
	assert_found(F_PJOB ":1:23: warning: the type is 'Databricks', pbt_project.yml says "
		     "'Airflow' [PS-JOB-039]\n"
		     "pbt_project.yml:10:17: warning: scheduler 'Airflow' is none of Databricks, "
		     "Composer, MWAA and Prophecy [PS-JOB-037]\n");
	text = xasprintf(yml, "MWAA");
	put("p", F_YML, text);
	free(text);
	assert_found(F_PJOB ":1:14: warning: the DAG has no name [PS-JOB-044]\n"
		     F_PJOB ":1:23: warning: the type is 'Databricks', pbt_project.yml says "
		     "'MWAA' [PS-JOB-039]\n"
		     "pbt_project.yml:9:3: warning: job 'jobs/j' is enabled and has no "
		     "'jobs/j/code/dag.py'; open it in Prophecy, its diagnostics say why "
		     "[PS-JOB-043]\n");
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = rule,
					     .setup_func = gitdir_enter,
					     .teardown_func = gitdir_leave,
					     .initial_state = (void *)(uintptr_t)&rows[i] };
	t[PS_NELEM(rows)] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(
		scheduler_of_old, gitdir_enter, gitdir_leave);
	if (kernel_skip())
		return 77;
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("gate rules", t, PS_NELEM(t), make_config, drop_config);
}
