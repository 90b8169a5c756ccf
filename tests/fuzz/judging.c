/* judging – see judging.h. */
#include "config.h"

#include "tests/fuzz/judging.h"

#include "common/gate/judge.h"
#include "common/gate/memo.h"
#include "tests/fuzz/fuzz.h"

#define PIPELINE "pipelines/a/code/"
#define TASK "{\"task_key\": \"t\"}"
#define COMPONENTS "{\"PipelineComponent\": {\"nodeName\": \"t\", \"id\": \"pipelines/a\", " \
	"\"path\": \"dbfs:/a\"}}"

static const struct { const char *path, *text; } good[] = {
	{ "pbt_project.yml",
	  "name: demo\nversion: '1.0'\nlanguage: python\npipelines:\n  pipelines/a:\n    name: a\n"
	  "    language: python\njobs:\n  jobs/j:\n    name: j\n    fabricUID: 1174\n"
	  "    scheduler:\n      Databricks: {}\n  jobs/k:\n    name: k\n    fabricUID: 1174\n"
	  "    enabled: true\n    scheduler:\n      Composer: {}\n" },
	{ PIPELINE "setup.py", "from setuptools import setup\nsetup(name='a', version='1.0')\n" },
	{ PIPELINE ".prophecy/workflow.latest.json", "{\"metainfo\": {}}" },
	{ PIPELINE "configs/resources/config/prod.json", "{}" },
	{ "pipelines/a/pbt_aspects.yml", "configurations: [prod]\n" },
	{ "pipelines/b/code/pom.xml", "<project/>\n" },
	{ "jobs/j/code/databricks-job.json",
	  "{\"fabric_id\": \"1174\", \"components\": [" COMPONENTS "],"
	  " \"request\": {\"name\": \"j\", \"tasks\": [" TASK "]}}" },
	{ "jobs/j/code/prophecy-job.json",
	  "{\"metainfo\": {}, \"processes\": {}, \"connections\": []}" },
	{ "jobs/k/code/prophecy-job.json",
	  "{\"metainfo\": {\"dagName\": \"k\"}, \"processes\": {}, \"connections\": []}" },
	{ "jobs/k/code/dag.py", "import airflow\n" },
	{ "datasets/d/dataset.json", "{}" },
	{ "sub/pbt_project.yml",
	  "name: s\nversion: '1'\nlanguage: sql\npipelines: {}\njobs: {}\n" },
};

static const char config_yml[] =
	"teams:\n  developers: { members: [ana] }\nfabrics:\n  development: { id: 1174, owner: "
	"developers, provider: local }\nenvironments:\n  - { name: development, "
	"refs: [refs/heads/main], fabric: development, deploy: auto }\n"
	"rules:\n  - { rules: [PS-PIPE-020, PS-PIPE-059, PS-PIPE-063, PS-JOB-060, PS-PROJ-062], "
	"severity: warning }\n";

static const struct config *configuration(void)
{
	static struct config *c;
	struct diag_list l = DIAG_LIST_INIT;
	struct ps_err err = { 0 };

	if (!c)
		FUZZ_CHECK(config_parse(&c, "penstock.yml", config_yml, sizeof(config_yml) - 1, &l,
					&err) == 0 && c, "%s%s", err.msg, l.n ? l.v[0].text : "");
	diag_clear(&l);
	return c;
}

size_t judging_files(struct memfile files[JUDGING_FILES], const void *bytes, size_t n,
		     const char *const *paths)
{
	for (size_t i = 0; i < PS_NELEM(good); i++) {
		files[i] = (struct memfile) { .path = good[i].path, .bytes = good[i].text,
					      .n = strlen(good[i].text) };
		for (size_t k = 0; paths[k]; k++)
			if (strcmp(paths[k], good[i].path) == 0) {
				files[i].bytes = bytes;
				files[i].n = n;
			}
	}
	return PS_NELEM(good);
}

static struct judged *judge(struct bench *b, const struct memfile *files, size_t n)
{
	struct tree *t = memtree_open(files, n);
	struct ps_err err = { 0 };
	struct judged *j;
	char name[TREE_OID];

	memtree_name(t, name);
	FUZZ_CHECK(bench_judge(b, t, name, NULL, &j, &err) == 0, "not judged: %s", err.msg);
	return j;
}

/* The good project, judged once. */
static const struct judged *old_side(void)
{
	static const char *const none[] = { NULL };
	static struct memfile files[JUDGING_FILES];
	static struct judged *old;
	static struct bench b;

	if (!old) {
		b.config = configuration();
		old = judge(&b, files, judging_files(files, "", 0, none));
	}
	return old;
}

/* What is found, with and without an old side, as it is printed. */
static void findings(struct buf *out, struct memo *memo, const struct memfile *files, size_t n,
		     const char *path)
{
	struct bench b = { .config = configuration(), .memo = memo };
	const struct judged *old = old_side(), *now = judge(&b, files, n);
	const struct memfile *f = files;

	while (strcmp(f->path, path) != 0)
		f++;
	for (int with_old = 0; with_old < 2; with_old++) {
		struct diag_list l = DIAG_LIST_INIT;

		bench_compare(&b, now, with_old ? old : NULL, "refs/heads/main", &l);
		diag_sort(&l);
		bench_sources(now, &l, 50);
		fuzz_check_findings(&l, path, f->bytes, f->n);
		diag_print_source(out, &l, 50);
		diag_clear(&l);
	}
	bench_clear(&b);
}

void judging_run(const struct memfile *files, size_t n, const char *path)
{
	struct memo *memo = memo_new("fuzz", NULL);
	struct buf fresh = BUF_INIT, again = BUF_INIT;

	findings(&fresh, memo, files, n, path);
	fuzz_check_text(buf_str(&fresh), fresh.len);
	findings(&again, memo, files, n, path);
	FUZZ_CHECK(strcmp(buf_str(&fresh), buf_str(&again)) == 0,
		   "found at first:\n%s\nand as remembered:\n%s", buf_str(&fresh),
		   buf_str(&again));
	buf_clear(&fresh);
	buf_clear(&again);
	memo_free(memo);
}
