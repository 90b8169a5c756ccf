/*
 * gate_fx – a project with nothing wrong, a repository `r` of it and pushes to it: what the units
 * of the gate share. cmocka_run_group_tests() gets make_config and drop_config.
 */
#ifndef TEST_GATE_FX_H
#define TEST_GATE_FX_H

#include "common/base/escape.h"
#include "common/gate/gate.h"
#include "tests/support/gitdir.h"
#include "tests/support/kernel.h"

static struct ps_err err;

#define YML(pipelines, jobs) \
	"name: demo\nversion: '1.0'\nlanguage: python\npipelines:" pipelines "\njobs:" jobs "\n"
#define ONE_PIPELINE "\n  pipelines/a:\n    name: a\n    language: python"
#define ONE_JOB "\n  jobs/j:\n    name: j\n    fabricUID: 1174\n    scheduler:\n" \
	"      Databricks: {}"
#define COMPONENT(ref) \
	"{\"PipelineComponent\": {\"nodeName\": \"t\", \"id\": \"" ref "\", \"path\": \"dbfs:/a\"}}"
#define JOB(components, tasks) \
	"{\"fabric_id\": \"1174\", \"components\": [" components "], " \
	"\"request\": {\"tasks\": [" tasks "]}}"
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

static inline int make_config(void **state)
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

static inline int drop_config(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static inline void make_good(const char *dir)
{
	for (size_t i = 0; i < PS_NELEM(good); i++) {
		char *path = fs_join(dir, good[i][0]);

		gitdir_file(path, good[i][1]);
		free(path);
	}
}

static inline void put(const char *dir, const char *file, const char *text)
{
	char *path = fs_join(dir, file);

	if (text)
		gitdir_file(path, text);
	else
		assert_int_equal(unlink(path), 0);
	free(path);
}

static char here[4096] PS_UNUSED;

static inline void make_repo(void)
{
	gitdir_sh("git init -q -b main r");
	assert_non_null(getcwd(here, sizeof(here)));
	make_good("r");
	gitdir_sh("cd r && git add -A && git commit -qm good && git branch base");
}

static inline const char *commit_all(void)
{
	gitdir_sh("cd r && git add -A && git commit -qm change --allow-empty");
	return gitdir_out("git -C r rev-parse HEAD");
}

#define ZERO "0000000000000000000000000000000000000000"

static inline enum gate_verdict push(const struct gate_command *c, size_t n,
				     struct gate_result *res, int64_t deadline)
{
	char *path = fs_join(here, "r");
	struct gate_input in = { .repo_name = "sales/etl", .commands = c,
				 .ncommands = n, .config = config, .deadline_ns = deadline };

	assert_int_equal(repo_open(&in.repo, path, NULL, &err), 0);
	gate_judge(&in, res);
	repo_close(in.repo);
	free(path);
	return res->verdict;
}

/* The findings of a push of this commit. */
static inline char *found_in_push(const char *oid, const char *ref, enum gate_verdict want)
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

#endif
