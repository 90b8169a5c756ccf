/*
 * demo – a repository `r` with a small project, and changes to it at random: for tests that hold
 * what is remembered against what is found anew. Rules that are off unless an admin wants them are
 * on.
 */
#ifndef TEST_DEMO_H
#define TEST_DEMO_H

#include "common/config/config.h"
#include "tests/support/gitdir.h"

enum { DEMO_PIPELINES = 20, DEMO_JOBS = 5 };

static const char *demo_version = "1.0";

static inline void demo_put(const char *file, const char *text)
{
	char *path = fs_join("r", file);

	if (text)
		gitdir_file(path, text);
	else if (unlink(path) < 0)
		assert_int_equal(access(path, F_OK), -1);
	free(path);
}

static inline void demo_project(const char *before, size_t pipelines)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%sname: demo\nversion: '%s'\nlanguage: python\npipelines:\n", before,
		 demo_version);
	for (size_t i = 0; i < pipelines; i++)
		buf_addf(&b, "  pipelines/p%zu:\n    name: p%zu\n    language: python\n", i, i);
	buf_adds(&b, "jobs:\n");
	for (size_t i = 0; i < DEMO_JOBS; i++)
		buf_addf(&b, "  jobs/j%zu:\n    name: j%zu\n    fabricUID: 1174\n"
			 "    scheduler:\n      Databricks: {}\n", i, i);
	demo_put("pbt_project.yml", buf_str(&b));
	buf_clear(&b);
}

static inline void demo_job(size_t i, const char *reference)
{
	char *path = xasprintf("jobs/j%zu/code/databricks-job.json", i),
		*text = xasprintf("{\"fabric_id\": \"1174\", \"components\": "
				  "[{\"PipelineComponent\": {\"nodeName\": \"t\", \"id\": "
				  "\"%s\"}}], \"request\": {\"tasks\": [{\"task_key\": \"t\", "
				  "\"python_wheel_task\": {\"parameters\": [\"-i\", \"prod\"]}}]}}",
				  reference);

	demo_put(path, text);
	free(text);
	free(path);
	path = xasprintf("jobs/j%zu/code/prophecy-job.json", i);
	demo_put(path, "{\"metainfo\": {}, \"processes\": {}, \"connections\": []}");
	free(path);
}

static inline void demo_make(void)
{
	gitdir_sh("git init -q -b main r");
	demo_project("", DEMO_PIPELINES);
	for (size_t i = 0; i < DEMO_PIPELINES; i++) {
		static const char *const files[] = { "setup.py", "main.py",
						     ".prophecy/workflow.latest.json",
						     "configs/resources/config/prod.json" };

		for (size_t k = 0; k < PS_NELEM(files); k++) {
			char *path = xasprintf("pipelines/p%zu/code/%s", i, files[k]);

			demo_put(path, ps_ends(path, ".json") ? "{}" : "x = 1\n");
			free(path);
		}
	}
	for (size_t i = 0; i < DEMO_JOBS; i++) {
		char *reference = xasprintf("pipelines/p%zu", i);

		demo_job(i, reference);
		free(reference);
	}
	demo_put("docs/deep/er/README.md", "text\n");
}

/* free with config_free() */
static inline struct config *demo_config(void)
{
	static const char yml[] =
		"teams: { t: { members: [ana] } }\n"
		"fabrics: { d: { id: 1174, owner: t, provider: local } }\n"
		"environments: [{ name: d, refs: [refs/heads/main], fabric: d, deploy: auto }]\n"
		"rules: [{ rules: [PS-PROJ-062, PS-PROJ-064, PS-PIPE-020, PS-PIPE-059, "
		"PS-PIPE-063, PS-JOB-049, PS-JOB-060], severity: warning }]\n";
	struct diag_list l = DIAG_LIST_INIT;
	struct config *c = NULL;
	struct ps_err err;

	assert_int_equal(config_parse(&c, "penstock.yml", yml, sizeof(yml) - 1, &l, &err), 0);
	assert_non_null(c);
	diag_clear(&l);
	return c;
}

/* A small generator with a seed that is printed; PENSTOCK_TEST_SEED is another. */
static uint64_t demo_state;

static inline void demo_seed(uint64_t usual)
{
	const char *given = getenv("PENSTOCK_TEST_SEED");

	demo_state = given ? strtoull(given, NULL, 10) : usual;
	print_message("seed %llu\n", (unsigned long long)demo_state);
}

static inline unsigned demo_any(unsigned n)
{
	demo_state ^= demo_state << 13;
	demo_state ^= demo_state >> 7;
	demo_state ^= demo_state << 17;
	return (unsigned)(demo_state % n);
}

/* Mostly the few pipelines that jobs name. */
static inline unsigned demo_any_pipeline(void)
{
	return demo_any(demo_any(4) ? DEMO_JOBS + 1 : DEMO_PIPELINES);
}

static inline void demo_change(void)
{
	static const char *const texts[] = { "{}", "[]", "{\"a\": 1}", "x = 1\n", NULL, "{",
					     "setup(name='p', version='1.0')\n" };
	static const char *const names[] = { "setup.py", ".prophecy/workflow.latest.json",
					     "configs/resources/config/prod.json",
					     "configs/resources/other/qa.json" };
	char *path, *reference;

	switch (demo_any(7)) {
	case 0:
		demo_version = demo_any(3) ? "1.0" : "1.1";
		demo_project(demo_any(2) ? "# more\n" : "", demo_any(DEMO_PIPELINES) + 1);
		break;
	case 1:
		reference = xasprintf("pipelines/p%u", demo_any_pipeline());
		demo_job(demo_any(DEMO_JOBS), reference);
		free(reference);
		break;
	case 2:
		gitdir_sh("cd r && rm -rf pipelines/p%u", demo_any_pipeline());
		break;
	default:
		path = xasprintf("pipelines/p%u/code/%s", demo_any_pipeline(),
				 names[demo_any(PS_NELEM(names))]);
		demo_put(path, texts[demo_any(PS_NELEM(texts))]);
		free(path);
	}
}

#endif
