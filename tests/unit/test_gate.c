/*
 * Units of the gate: one row per rule (a project with one thing wrong), what is legal and odd, the
 * old side, and whole pushes into real repositories.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/escape.h"
#include "common/gate/gate.h"
#include "common/gate/version.h"
#include "common/project/survey.h"
#include "tests/support/gitdir.h"
#include "tests/support/kernel.h"

static struct ps_err err;

#define YML(pipelines, jobs) \
	"name: demo\nversion: '1.0'\nlanguage: python\npipelines:" pipelines "\njobs:" jobs "\n"
#define ONE_PIPELINE "\n  pipelines/a:\n    name: a\n    language: python"
#define ONE_JOB "\n  jobs/j:\n    name: j\n    fabricUID: 1174\n    scheduler:\n      Databricks: {}"
#define COMPONENT(ref) \
	"{\"PipelineComponent\": {\"nodeName\": \"t\", \"id\": \"" ref "\", \"path\": \"dbfs:/a\"}}"
#define JOB(components, tasks) \
	"{\"fabric_id\": \"1174\", \"components\": [" components "], \"request\": {\"tasks\": [" tasks "]}}"
#define GOOD_JOB JOB(COMPONENT("pipelines/a"), "{\"task_key\": \"t\"}")
#define RUNS_JAR(instance) \
	JOB(COMPONENT("pipelines/a"), "{\"task_key\": \"t\", \"spark_jar_task\": " \
	    "{\"parameters\": [\"-i\", \"" instance "\"]}}")
#define PJOB "{\"metainfo\": {}, \"processes\": {}, \"connections\": []}"

#define POINTER \
	"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"

#define F_YML "pbt_project.yml"
#define F_SETUP "pipelines/a/code/setup.py"
#define F_WORKFLOW "pipelines/a/code/.prophecy/workflow.latest.json"
#define F_PROD "pipelines/a/code/configs/resources/config/prod.json"
#define F_RESOURCES "pipelines/a/code/src/main/resources/"
#define F_JOB "jobs/j/code/databricks-job.json"
#define F_PJOB "jobs/j/code/prophecy-job.json"

static const char *const good[][2] = {
	{ F_YML, YML(ONE_PIPELINE, ONE_JOB) },
		{ F_SETUP, "from setuptools import setup\nsetup(name='a', version='1.0')\n" },
	{ F_WORKFLOW, "{\"metainfo\": {}}" }, { F_PROD, "{}" }, { F_JOB, GOOD_JOB },
		{ F_PJOB, PJOB },
};

static const char config_yml[] =
	"teams:\n  developers: { members: [ana] }\nfabrics:\n  development: { id: 1174, owner: "
		"developers, provider: local }\n"
	"environments:\n  - { name: development, refs: [refs/heads/main], fabric: development, "
		"deploy: auto }\n";

static struct config *config;

static int make_config(void **state)
{
	struct diag_list l = DIAG_LIST_INIT;

	(void)state;
	if (config_parse(&config, "penstock.yml", config_yml, sizeof(config_yml) - 1, &l,
			 &err) < 0 || !config) {
		struct buf b = BUF_INIT;

		diag_print(&b, &l, 0);
		print_message("%s%s\n", buf_str(&b), err.msg);
		return -1;
	}
	diag_clear(&l);
	return 0;
}

static int drop_config(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static void make_good(const char *dir)
{
	for (size_t i = 0; i < PS_NELEM(good); i++) {
		char *path = fs_join(dir, good[i][0]);

		gitdir_file(path, good[i][1]);
		free(path);
	}
}

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

static void put(const char *dir, const char *file, const char *text)
{
	char *path = fs_join(dir, file);

	if (text)
		gitdir_file(path, text);
	else
		assert_int_equal(unlink(path), 0);
	free(path);
}

static void rule(void **state)
{
	const struct row *row = *state;
	struct gate_check c = { .path = "p", .config = config };
	struct gate_checked out;
	struct buf b = BUF_INIT;

	gitdir_sh("git init -q p");	/* or the folder of this build would be the top */
	make_good("p");
	put("p", row->path, row->text);
	assert_int_equal(gate_check(&c, &out, &err), 0);
	diag_print(&b, &out.found, 0);
	assert_string_equal(buf_str(&b), row->want);
	buf_clear(&b);
	gate_checked_clear(&out);
}

/* ---- pushes ---- */

static char here[4096];

static void make_repo(void)
{
	gitdir_sh("git init -q -b main r");
	assert_non_null(getcwd(here, sizeof(here)));
	make_good("r");
	gitdir_sh("cd r && git add -A && git commit -qm good && git branch base");
}

static const char *commit_all(void)
{
	gitdir_sh("cd r && git add -A && git commit -qm change --allow-empty");
	return gitdir_out("git -C r rev-parse HEAD");
}

#define ZERO "0000000000000000000000000000000000000000"

static enum gate_verdict push(const struct gate_command *c, size_t n, struct gate_result *res,
			      int64_t deadline)
{
	char *path = fs_join(here, "r");
	struct gate_input in = { .repo_path = path, .repo_name = "sales/etl", .commands = c,
				 .ncommands = n, .config = config, .deadline_ns = deadline };

	assert_int_equal(gate_judge(&in, res, &err), 0);
	free(path);
	return res->verdict;
}

static void accepted_push_says_where_it_goes(void **state)
{
	struct gate_result res;
	const char *oid;

	(void)state;
	make_repo();
	oid = gitdir_out("git -C r rev-parse HEAD");
	gitdir_sh("git -C r update-ref -d refs/heads/base && git -C r update-ref refs/heads/old HEAD");
	struct gate_command c[] = { { oid, oid, "refs/heads/main" },
				    { ZERO, oid, "refs/heads/topic/x" },
				    { oid, ZERO, "refs/heads/old" } };
	assert_int_equal(push(c, 3, &res, 0), GATE_ACCEPT);
	assert_string_equal(buf_str(&res.text), "success: sales/etl accepted, 3 refs\n"
			    "main: . -> development (auto)\n"
			    "topic/x: . maps nowhere: no rule of penstock.yml names "
			    "refs/heads/topic/x\n"
			    "old: deleted\n");
	assert_string_equal(res.refs[0].seen, oid);
	assert_true(repo_oid_is_zero(res.refs[1].seen) && *res.refs[1].seen);
	assert_string_equal(res.refs[0].commit, oid);
	gate_result_clear(&res);
}

static void everything_wrong_is_told_at_once(void **state)
{
	struct gate_result res;
	const char *one, *two;
	char cut[sizeof(GOOD_JOB)];

	(void)state;
	make_repo();
	memcpy(cut, GOOD_JOB, sizeof(cut));
	cut[sizeof(cut) / 2] = '\0';
	put("r", F_JOB, cut);
	put("r", F_YML,
	    YML(ONE_PIPELINE "\n  pipelines/b: {name: b, language: python}" ONE_PIPELINE,
		"\n  jobs/j: {name: j, fabricUID: 77, scheduler: {Databricks: {}}}"));
	one = commit_all();
	gitdir_sh("git -C r reset -q --hard base");
	put("r", F_JOB,
	    JOB("", "{\"task_key\": \"a\", \"depends_on\": [{\"task_key\": \"nobody\"}]}"));
	two = commit_all();
	gitdir_sh("git -C r reset -q --hard base");
	struct gate_command c[] = { { gitdir_out("git -C r rev-parse base"), one,
				      "refs/heads/main" },
				    { ZERO, two, "refs/heads/topic" } };
	assert_int_equal(push(c, 2, &res, 0), GATE_REFUSE);
	assert_int_equal(res.all.errors, 5);
	assert_true(ps_starts(buf_str(&res.text),
			      "error: sales/etl refused, nothing was changed: 5 errors in main, "
			      "topic\n" F_JOB ":1:"));
	assert_non_null(strstr(buf_str(&res.text), "[PS-PROJ-004]"));
	assert_non_null(strstr(buf_str(&res.text), "[PS-PIPE-013]"));
	assert_non_null(strstr(buf_str(&res.text), "[PS-JOB-022]"));
	assert_non_null(strstr(buf_str(&res.text), "[PS-JOB-033]"));
	assert_non_null(strstr(buf_str(&res.text), "[PS-JOB-101]"));
	gate_result_clear(&res);
}

static void what_was_wrong_before_is_a_warning(void **state)
{
	const char *base, *bad, *more;
	struct gate_result res;

	(void)state;
	make_repo();
	base = gitdir_out("git -C r rev-parse base");
	put("r", F_SETUP, NULL);
	bad = commit_all();
	put("r", "README.md", "more\n");
	put("r", F_YML, "# one line further down\n" YML(ONE_PIPELINE, ONE_JOB));
	more = commit_all();
	gitdir_sh("git -C r reset -q --hard base");
	struct gate_command new_break = { base, bad, "refs/heads/main" };
	assert_int_equal(push(&new_break, 1, &res, 0), GATE_REFUSE);
	gate_result_clear(&res);
	struct gate_command branch = { ZERO, more, "refs/heads/topic" };
	/* the nearest held ancestor is base */
	assert_int_equal(push(&branch, 1, &res, 0), GATE_REFUSE);
	gate_result_clear(&res);
	gitdir_sh("git -C r update-ref refs/heads/main %s", bad);
	struct gate_command old_break = { bad, more, "refs/heads/main" };
	assert_int_equal(push(&old_break, 1, &res, 0), GATE_ACCEPT);
	assert_int_equal(res.all.n, 1);
	assert_non_null(strstr(buf_str(&res.text), "warning: 1 finding that does not "
			       "refuse\npbt_project.yml:6:3: warning: "));
	gate_result_clear(&res);
	/* its ancestor on main has it too */
	assert_int_equal(push(&branch, 1, &res, 0), GATE_ACCEPT);
	gate_result_clear(&res);
	/* what the ref holds counts, not the claim */
	struct gate_command liar = { base, more, "refs/heads/main" };
	assert_int_equal(push(&liar, 1, &res, 0), GATE_ACCEPT);
	gate_result_clear(&res);
	gitdir_sh("git -C r checkout -q --orphan lone && git -C r add -A && git -C r commit -qm lone");
	gitdir_sh("cd r && git rm -q --cached " F_SETUP " && git commit -qm lone --amend && git "
		  "checkout -qf main");
	struct gate_command lone = { ZERO, gitdir_out("git -C r rev-parse lone"),
				     "refs/heads/other" };
	gitdir_sh("git -C r update-ref -d refs/heads/lone");
	assert_int_equal(push(&lone, 1, &res, 0), GATE_REFUSE);	/* no old side: all counts as new */
	gate_result_clear(&res);
}

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
	in.repo_path = path;
	in.config = cfg;
	assert_int_equal(gate_judge(&in, &res, &err), 0);
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
	struct gate_input in = { .repo_path = path, .repo_name = "sales", .commands = &c,
				 .ncommands = 1, .who = &who, .config = cfg,
				 .deadline_ns = clock_boot_ns() - 1 };
	assert_int_equal(gate_judge(&in, &res, &err), 0);
	assert_int_equal(res.verdict, GATE_REFUSE);
	gate_result_clear(&res);
	in.who = &kim;
	assert_int_equal(gate_judge(&in, &res, &err), 0);
	assert_int_equal(res.verdict, GATE_UNDECIDED);
	assert_false(res.skipped);
	gate_result_clear(&res);
	in.skip = true;
	assert_int_equal(gate_judge(&in, &res, &err), 0);
	assert_int_equal(res.verdict, GATE_ACCEPT);
	assert_true(res.skipped);
	gate_result_clear(&res);
	in.dry_run = true;
	assert_int_equal(gate_judge(&in, &res, &err), 0);
	assert_int_equal(res.verdict, GATE_REFUSE);
	gate_result_clear(&res);
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

static void removed_pipeline_that_a_job_names(void **state)
{
	const char *base, *entry, *folder;
	struct gate_result res;

	(void)state;
	make_repo();
	base = gitdir_out("git -C r rev-parse base");
	put("r", F_YML, YML(" {}", ONE_JOB));
	entry = commit_all();
	gitdir_sh("git -C r reset -q --hard base && rm -r r/pipelines");
	folder = commit_all();
	gitdir_sh("git -C r reset -q --hard base");
	struct gate_command a = { base, entry, "refs/heads/main" },
		b = { base, folder, "refs/heads/main" };
	assert_int_equal(push(&a, 1, &res, 0), GATE_REFUSE);
	assert_int_equal(res.all.errors, 1);
	assert_string_equal(res.all.v[0].code, "PS-JOB-075");
	gate_result_clear(&res);
	assert_int_equal(push(&b, 1, &res, 0), GATE_REFUSE);
	assert_int_equal(res.all.errors, 2);		/* 075 and 013 */
	gate_result_clear(&res);
	struct gate_command before = { entry, entry, "refs/heads/gone" };
	gitdir_sh("git -C r update-ref refs/heads/gone %s", entry);
	assert_int_equal(push(&before, 1, &res, 0), GATE_ACCEPT);
	assert_string_equal(res.all.v[0].code, "PS-JOB-028");
	gate_result_clear(&res);
}

/* Behind texts of every length, of letters with which secrets begin too. */
static void every_secret_is_found_where_it_stands(void **state)
{
	static const char *const secrets[] = {
		"AKIA" "ABCDEFGHIJKLMNOP", "ASIA" "ABCDEFGHIJ012345",
		"AIza" "SyA_0123456789-0123456789abcdefghij", "dapi" "0123456789abcdef0123456789abcdef",
		"ghp_" "0123456789abcdefghijABCDEFGHIJ012345",
		"-----BEGIN " "RSA PRIVATE KEY-----", "-----BEGIN " "PRIVATE KEY-----",
	};
	static const char before[] = "AKdaASIghp_AIz-dap--d x ";
	struct buf text = BUF_INIT;
	struct gate_result res;
	const char *base, *new;
	size_t n = 0;

	(void)state;
	make_repo();
	base = gitdir_out("git -C r rev-parse base");
	for (size_t i = 0; i < PS_NELEM(secrets); i++)
		for (size_t k = 1; k < 7; k++, n++)
			buf_addf(&text, "%s%s\n", before + sizeof(before) - 1 - 4 * k / 3, secrets[i]);
	put("r", "lib/keys.py", buf_str(&text));
	new = commit_all();
	struct gate_command c = { base, new, "refs/heads/main" };
	assert_int_equal(push(&c, 1, &res, 0), GATE_ACCEPT);
	assert_int_equal(res.all.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(res.all.v[i].code, "PS-PROJ-067");
		assert_int_equal(res.all.v[i].line, i + 1);
		assert_int_equal(res.all.v[i].col, 4 * (i % 6 + 1) / 3 + 1);
	}
	gate_result_clear(&res);
	buf_clear(&text);
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

static void many_findings_are_cut(void **state)
{
	struct buf yml = BUF_INIT;
	struct gate_result res;
	const char *bad;
	size_t lines = 0;

	(void)state;
	make_repo();
	buf_adds(&yml, "name: d\nversion: '1'\nlanguage: python\njobs: {}\npipelines:\n");
	for (int i = 0; i < 60; i++)
		buf_addf(&yml, "  pipelines/p%d: {name: p, language: python}\n", i);
	put("r", F_YML, buf_str(&yml));
	bad = commit_all();
	gitdir_sh("git -C r reset -q --hard base");
	struct gate_command c = { gitdir_out("git -C r rev-parse base"), bad, "refs/heads/main" };
	assert_int_equal(push(&c, 1, &res, 0), GATE_REFUSE);
	for (const char *p = buf_str(&res.text); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 1 + 50 * 3 + 1 + 1);	/* each with its line and a caret */
	assert_non_null(strstr(buf_str(&res.text), "\nand 12 more\n"));
	gate_result_clear(&res);
	buf_clear(&yml);
}

/* Findings and, of them, errors. */
static void checked(const struct gate_check *c, size_t n, size_t errors, const char *against)
{
	struct gate_checked out;

	assert_int_equal(gate_check(c, &out, &err), 0);
	assert_int_equal(out.found.n, n);
	assert_int_equal(out.found.errors, errors);
	assert_true(ps_streq(out.against, against));
	if (n)				/* from the top of the repository */
		assert_string_equal(out.found.v[0].path, "sub/pbt_project.yml");
	gate_checked_clear(&out);
}

static void check_of_work_tree_and_revision(void **state)
{
	struct gate_checked out;

	(void)state;
	make_repo();
	put("r", "sub/pbt_project.yml", "name: x\n");
	struct gate_check c = { .path = "r/sub", .config = NULL };
	checked(&c, 4, 4, NULL);
	c = (struct gate_check) { .path = "r", .rev = "HEAD" };
	checked(&c, 0, 0, NULL);
	commit_all();
	c.against = "HEAD~1";
	checked(&c, 4, 4, "HEAD~1");
	c.against = "HEAD";
	checked(&c, 4, 0, "HEAD");
	c = (struct gate_check) { .path = "r", .rev = "nowhere" };
	assert_int_equal(gate_check(&c, &out, &err), PS_ENOENT);
	gate_checked_clear(&out);
}

/* What a push would say: the old side is what was last seen of the upstream. */
static void check_against_the_upstream(void **state)
{
	static const char yml[] = "rules: [{ rules: [PS-PROJ-005], refs: [refs/heads/live], "
				  "severity: warning }]\n";
	struct diag_list l = DIAG_LIST_INIT;
	struct config *levels = NULL;
	char *text = xasprintf("%s%s", config_yml, yml);

	(void)state;
	make_repo();
	gitdir_sh("git init -q --bare up && git -C r remote add origin ../up && git -C r push -q "
		  "origin main:live 2>/dev/null && git -C r branch -q -u origin/live");
	put("r", "sub/pbt_project.yml", "name: x\n");
	commit_all();
	struct gate_check c = { .path = "r" };
	checked(&c, 4, 4, "refs/remotes/origin/live");
	c.all_new = true;
	checked(&c, 4, 4, NULL);
	c.all_new = false;
	assert_int_equal(config_parse(&levels, "p", text, strlen(text), &l, &err), 0);
	c.config = levels;
	checked(&c, 4, 0, "refs/remotes/origin/live");	/* pushed there it is a warning */
	c.ref = "refs/heads/main";
	checked(&c, 4, 4, "refs/remotes/origin/live");
	c = (struct gate_check) { .path = "r" };
	gitdir_sh("git -C r push -q origin main:live 2>/dev/null");
	checked(&c, 4, 0, "refs/remotes/origin/live");
	gitdir_sh("git -C r checkout -q --detach");
	checked(&c, 4, 4, NULL);
	diag_clear(&l);
	config_free(levels);
	free(text);
}

/* Wounded files are judged and surveyed like any other; what comes out does not matter here. */
static void mutants_never_crash(void **state)
{
	static const char pool[] = " \n:-'\"#[]{}&*!|,?a1<";
	uint32_t seed = 7;

	(void)state;
	make_repo();
	for (int round = 0; round < 300; round++) {
		const char *const *file = good[round % PS_NELEM(good)];
		struct gate_checked out;
		struct gate_check c = { .path = "r", .config = config };
		char *text = xstrdup(file[1]);
		struct survey survey;
		struct tree *t;

		for (int wound = 0; wound < 3; wound++) {
			seed = seed * 1664525u + 1013904223u;
			text[(seed >> 8) % strlen(file[1])] =
				pool[(seed >> 24) % (sizeof(pool) - 1)];
		}
		put("r", file[0], text);
		assert_int_equal(gate_check(&c, &out, &err), 0);
		gate_checked_clear(&out);
		assert_int_equal(tree_dir_open(&t, "r", &err), 0);
		assert_int_equal(survey_tree(t, &survey, &err), 0);
		survey_clear(&survey);
		tree_close(t);
		put("r", file[0], file[1]);
		free(text);
	}
}

/* One line of 400,000 bytes with a finding in each task: only what is shown of it is kept, and past
 * the bound tasks are not looked at one by one. */
static void long_lines_are_cut_and_many_parts_are_told(void **state)
{
	struct gate_check c = { .path = "p", .config = config };
	struct buf job = BUF_INIT, text = BUF_INIT;
	struct gate_checked out;

	(void)state;
	gitdir_sh("git init -q p");
	for (size_t n = 1999; n <= 2001; n += 2) {
		make_good("p");
		buf_reset(&job);
		buf_addf(&job, "{\"fabric_id\": \"1174\", \"components\": [");
		for (size_t i = 0; i < n; i++)
			buf_addf(&job, "%s{\"PipelineComponent\": {\"nodeName\": \"t%zu\", \"id\": \"pipelines/a\", "
				 "\"path\": \"dbfs:/a\"}}", i ? ", " : "", i);
		buf_adds(&job, "], \"request\": {\"tasks\": [");
		for (size_t i = 0; i < n; i++)
			buf_addf(&job, "%s{\"task_key\": \"%s%zu\"}", i ? ", " : "", i % 2 ? "t" : "u", i);
		buf_adds(&job, "]}}");
		put("p", F_JOB, buf_str(&job));
		assert_int_equal(gate_check(&c, &out, &err), 0);
		assert_int_equal(out.found.n, n == 1999 ? 1 + 1000 : 2);
		for (size_t i = 0; i < out.found.n; i++) {
			const struct diag *d = &out.found.v[i];

			assert_true(strlen(d->source) <= 801);
			/* what is cut is cut at the finding's own column */
			assert_memory_equal(d->source + (d->col - d->source_col),
					    buf_str(&job) + d->col - 1, 20);
		}
		diag_print_source(&text, &out.found, 0);
		if (n > 2000)
			assert_non_null(strstr(buf_str(&text), F_JOB ":1:1: warning: more than 2000 tasks or "
					       "components: not checked one by one [PS-PROJ-072]\n"));
		gate_checked_clear(&out);
	}
	buf_clear(&job);
	buf_clear(&text);
}

/* The findings of a push of this commit. */
static char *found_in_push(const char *oid, const char *ref, enum gate_verdict want)
{
	struct gate_command c[] = { { ZERO, oid, ref } };
	struct gate_result res;
	struct buf b = BUF_INIT;

	assert_int_equal(push(c, 1, &res, 0), want);
	diag_print(&b, &res.all, 0);
	for (const char *p = buf_str(&res.text); *p; p++)
		assert_true((unsigned char)*p >= 0x20 || *p == '\n');
	assert_true(utf8_valid(buf_str(&res.text), res.text.len));
	gate_result_clear(&res);
	return buf_steal(&b);
}

#define ODD_NAME "control characters, a backslash or bytes that are no UTF-8 [PS-PROJ-110]\n"

/* What only a repository can hold, or what people should not see raw. */
static void odd_entries_are_told(void **state)
{
	char *found;

	(void)state;
	make_repo();
	gitdir_sh("cd r && mkdir x && ln -s ../pbt_project.yml x/ && "
		  "printf x >\"$(printf 'a\\033[31m')\" && printf x >\"$(printf 'b\\377')\" && "
		  "printf x >\"$(printf 'c\\342\\200\\256')\" && git add -A && "
		  "git update-index --add --cacheinfo 160000,%s,lib/sub && git commit -qm odd",
		  gitdir_out("git -C r rev-parse HEAD"));
	found = found_in_push(gitdir_out("git -C r rev-parse HEAD"), "refs/heads/\xe2\x80\xae\xff\xc2\x9b", GATE_ACCEPT);
	assert_string_equal(found,
			    "a\\x1b[31m:1:1: warning: " ODD_NAME "b\\xff:1:1: warning: " ODD_NAME
			    "c\\u{202e}:1:1: warning: " ODD_NAME
			    "lib/sub:1:1: warning: a submodule [PS-PROJ-068]\n"
			    "x/pbt_project.yml:1:1: warning: a symbolic link; no project is seen here "
			    "[PS-PROJ-068]\n");
	free(found);
	/* without the project at the top the link is still told */
	gitdir_sh("cd r && git rm -qr . && mkdir -p x && ln -s ../pbt_project.yml x/");
	found = found_in_push(commit_all(), "refs/heads/a", GATE_ACCEPT);
	assert_string_equal(found, "x/pbt_project.yml:1:1: warning: a symbolic link; no project is "
			    "seen here [PS-PROJ-068]\n");
	free(found);
}

/* Ours is the bound, so nobody is refused for it. */
static void what_is_too_deep_is_let_in(void **state)
{
	char *found;

	(void)state;
	make_repo();
	gitdir_sh("cd r && d=$(printf 'd/%%.0s' $(seq 101)) && mkdir -p $d && echo x >$d/f && "
		  "printf '<<<<<<< x\\n' >pbt_project.yml");
	found = found_in_push(commit_all(), "refs/heads/a", GATE_ACCEPT);
	assert_non_null(strstr(found, "is more than 100 folders deep [PS-PROJ-072]"));
	free(found);
}

/* A key of 300,000 bytes, there twice, and a list that names its map 20,000 times. */
static void findings_are_short(void **state)
{
	struct gate_check c = { .path = "p" };
	struct buf yml = BUF_INIT, key = BUF_INIT;
	struct gate_checked out;

	(void)state;
	gitdir_sh("git init -q p");
	for (int i = 0; i < 100000; i++)
		buf_adds(&key, "\xe2\x82\xac");
	buf_addf(&yml, YML(" {}", " {}") "a: &a\n  ? \"%s\"\n  : 1\n  ? \"%s\"\n  : 2\nb: [*a", buf_str(&key),
		 buf_str(&key));
	for (int i = 1; i < 20000; i++)
		buf_adds(&yml, ",*a");
	buf_adds(&yml, "]\n");
	put("p", F_YML, buf_str(&yml));
	assert_int_equal(gate_check(&c, &out, &err), 0);
	assert_true(out.found.n >= 1);
	for (size_t i = 0; i < out.found.n; i++) {
		const struct diag *d = &out.found.v[i];

		assert_string_equal(d->code, "PS-PROJ-004");
		assert_in_range(strlen(d->text), 900, 1010);
		assert_true(utf8_valid(d->text, strlen(d->text)) && ps_ends(d->text, "..."));
		assert_true(strlen(d->key) < 600);
	}
	gate_checked_clear(&out);
	buf_clear(&yml);
	buf_clear(&key);
}

static void example_passes_without_a_warning(void **state)
{
	struct gate_check c = { .path = TEST_SRCDIR "/examples/sales", .all_new = true };
	struct gate_checked out;
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(gate_check(&c, &out, &err), 0);
	diag_print(&b, &out.found, 0);
	assert_string_equal(buf_str(&b), "");
	assert_true(out.nprojects >= 1);
	buf_clear(&b);
	gate_checked_clear(&out);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave)
	static const struct CMUnitTest pushes[] = {
		CASE(accepted_push_says_where_it_goes), CASE(everything_wrong_is_told_at_once),
		CASE(what_was_wrong_before_is_a_warning), CASE(removed_pipeline_that_a_job_names),
		CASE(every_secret_is_found_where_it_stands),
		CASE(rules_of_the_push), CASE(mutants_never_crash), CASE(many_findings_are_cut),
			CASE(check_of_work_tree_and_revision),
		CASE(check_against_the_upstream), CASE(no_right_by_being_slow),
		CASE(version_is_raised), cmocka_unit_test(versions_are_compared),
		CASE(example_passes_without_a_warning), CASE(findings_are_short),
		CASE(long_lines_are_cut_and_many_parts_are_told), CASE(odd_entries_are_told), CASE(what_is_too_deep_is_let_in),
	};
	struct CMUnitTest t[PS_NELEM(rows) + PS_NELEM(pushes) + PS_NELEM(level_rows) +
			    PS_NELEM(right_rows)];
	struct CMUnitTest *last = t + PS_NELEM(t) - PS_NELEM(right_rows);

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = rule,
					     .setup_func = gitdir_enter,
					     .teardown_func = gitdir_leave,
					     .initial_state = (void *)(uintptr_t)&rows[i] };
	memcpy(t + PS_NELEM(rows), pushes, sizeof(pushes));
	for (size_t i = 0; i < PS_NELEM(level_rows); i++)
		t[PS_NELEM(rows) + PS_NELEM(pushes) + i] = (struct CMUnitTest) {
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
	return _cmocka_run_group_tests("gate", t, PS_NELEM(t), make_config, drop_config);
}
