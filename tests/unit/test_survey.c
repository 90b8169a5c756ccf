/* Units of the survey and of exports: a real repository, looked at through git and as a folder. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/project/pipeline.h"
#include "common/project/survey.h"
#include "common/tree/repo.h"
#include "common/tree/tree_id.h"
#include "tests/support/gitdir.h"

static struct ps_err err;

static const char yml[] =
	"name: demo\nversion: '1.0'\nlanguage: python\n"
	"pipelines:\n  pipelines/orders:\n    name: Orders\n    language: python\n    datasets:\n  "
		"    inputs:\n"
	"      - a: 1\n        b: [x, []]\n      outputs: []\n"
	"  pipelines/gone: {name: gone, language: python}\n  ../evil: {name: e}\n"
	"jobs:\n  jobs/daily:\n    name: daily\n    fabricUID: 1174\n    enabled: true\n    "
		"scheduler: {Databricks: {}}\n"
	"  jobs/dag: {name: dag, fabricUID: 5005, scheduler: {MWAA: {}}}\n"
	"gemContainer: {gems: {gems/X: {}}}\nfunctions: {udfs: {}, author: a}\nsubgraphs: "
		"{subgraphs/S: {}}\nextra: dropped\n"
	"projectConfigurations: {projectConfigurations/O/x: {configurations: {projectConfigurations/O/x/qa: {name: qa}}}}\n"
	"pipelineConfigurations:\n  pipelineConfigurations/Other/Omega:\n    basePipeline: 1665/pipelines/Omega\n"
		"    configurations:\n      pipelineConfigurations/Other/Omega/default: {name: default}\n"
		"      pipelineConfigurations/Other/Omega/d2: {name: Delta}\n"
		"      pipelineConfigurations/Other/Omega/gone: {name: gone}\n"
		"      ../../evil: {name: evil}\n      pipelineConfigurations/Other/up: {name: ../../up}\n";

static void make_repo(void)
{
	gitdir_sh("git init -q -b main r");
	gitdir_file("r/p/pbt_project.yml", yml);
	gitdir_file("r/p/pipelines/orders/code/setup.py",
		    "setup(name='my-orders', version='1.0')\n");
	gitdir_file("r/p/pipelines/orders/code/job/pipeline.py", "print(1)\n");
	gitdir_file("r/p/pipelines/orders/code/run.sh", "#!/bin/sh\n");
	gitdir_file("r/p/pipelines/orders/code/configs/resources/config/prod.json", "{}");
	gitdir_file("r/p/pipelines/orders/code/configs/resources/config/orders.conf", "");
	gitdir_file("r/p/pipelines/orders/code/configs/resources/other/a.b.json", "{}");
	gitdir_file("r/p/jobs/daily/code/databricks-job.json", "{}");
	gitdir_file("r/p/jobs/dag/code/dag.py", "");
	gitdir_file("r/p/jobs/dag/code/dag/tasks/a.py", "");
	gitdir_file("r/p/projectConfigurations/config/code/configs/prod.json", "{}");
	gitdir_file("r/p/projectConfigurations/config/code/configs/prod.md", "");
	gitdir_file("r/p/projectConfigurations/O/x/qa.json", "{}");
	gitdir_file("r/p/pipelineConfigurations/Other/Omega/default.json", "{}");
	gitdir_file("r/p/pipelineConfigurations/Other/Omega/d2.json", "{}");
	gitdir_file("r/p/pipelineConfigurations/Other/up.json", "{}");
	gitdir_file("r/evil.json", "{}");
	gitdir_file("r/p/gems/x.py", "");
	gitdir_file("r/p/functions/f.py", "");
	gitdir_file("r/p/subgraphs/S/s.py", "");
	gitdir_file("r/p/.prophecy/77/pbt_project.yml", "name: vendored\n");
	gitdir_file("r/p/nested/pbt_project.yml", "name: [broken\n");
	gitdir_sh("cd r && chmod +x p/pipelines/orders/code/run.sh && "
		  "ln -s job/pipeline.py p/pipelines/orders/code/link && git add -A && git commit "
		  "-qm one");
}

static struct tree *open_head(struct repo **r)
{
	struct repo_peeled p;
	struct tree *t;

	assert_int_equal(repo_open(r, "r", NULL, &err), 0);
	assert_int_equal(repo_peel(*r, gitdir_out("git -C r rev-parse HEAD"), &p, &err), 0);
	assert_int_equal(repo_tree(&t, *r, p.tree, &err), 0);
	return t;
}

/* By target; without what has no file, and what would be elsewhere. */
static const struct survey_configuration configurations[] = {
	{ "pipelineConfigurations/Other/Omega/d2.json", "configurations/1665/pipelines/Omega/Delta.json" },
	{ "pipelineConfigurations/Other/Omega/default.json", "configurations/1665/pipelines/Omega/default.json" },
	{ "projectConfigurations/config/code/configs/prod.json", "configurations/prod.json" },
	{ "projectConfigurations/O/x/qa.json", "configurations/qa.json" },
};

static void everything_is_told(void **state)
{
	struct tree *t[2];
	struct repo *r;

	(void)state;
	NEED_OPENAT2();
	make_repo();
	t[0] = open_head(&r);
	assert_int_equal(tree_dir_open(&t[1], "r", &err), 0);
	for (int i = 0; i < 2; i++) {
		const struct survey_project *p;
		const struct survey_pipeline *pl;
		const struct survey_job *j;
		struct survey s;

		assert_int_equal(survey_tree(t[i], &s, &err), 0);
		assert_int_equal(s.nprojects, 2);
		p = survey_project(&s, "p");
		assert_string_equal(p->version, "1.0");
		assert_null(p->problem);
		assert_int_equal(p->npipelines, 3);
		assert_int_equal(p->ninputs, 3);
		assert_string_equal(p->inputs[0].path, ".prophecy");
		assert_string_equal(p->inputs[1].path, "gems");
		assert_string_equal(p->inputs[2].path, "subgraphs/S");
		pl = survey_pipeline(p, "pipelines/orders");
		assert_string_equal(pl->wheel, "my_orders-1.0-py3-none-any.whl");
		assert_string_equal(pl->name, "Orders");
		assert_int_equal(pl->ninstances, 2);
		assert_string_equal(pl->instances[0].name, "a.b");
		assert_string_equal(pl->instances[1].path,
				    "pipelines/orders/code/configs/resources/config/prod.json");
		assert_string_equal(pl->oid,
				    i ? "" :
				    gitdir_out("git -C r rev-parse HEAD:p/pipelines/orders"));
		assert_non_null(survey_pipeline(p, "pipelines/gone")->problem);
		assert_non_null(survey_pipeline(p, "../evil")->problem);
		j = survey_job(p, "jobs/daily");
		assert_true(j->enabled && j->fabric == 1174 && j->provider == SURVEY_DATABRICKS);
		assert_string_equal(j->templates[0].path, "jobs/daily/code/databricks-job.json");
		j = survey_job(p, "jobs/dag");
		assert_int_equal(j->ntemplates, 2);
		assert_string_equal(j->templates[0].path, "jobs/dag/code/dag.py");
		assert_string_equal(j->scheduler, "MWAA");
		assert_int_equal(p->nconfigurations, PS_NELEM(configurations));
		for (size_t k = 0; k < p->nconfigurations; k++) {
			assert_string_equal(p->configurations[k].target, configurations[k].target);
			assert_string_equal(p->configurations[k].path, configurations[k].path);
		}
		assert_non_null(survey_project(&s, "p/nested")->problem);
		survey_clear(&s);
		tree_close(t[i]);
	}
	repo_close(r);
}

static void too_many_configurations(void **state)
{
	struct survey s;
	struct tree *t;

	(void)state;
	NEED_OPENAT2();
	gitdir_file("m/pbt_project.yml", "name: m\n");
	for (int i = 0; i <= SURVEY_CONFIGURATIONS_MAX; i++) {
		char *path = xasprintf("m/projectConfigurations/config/code/configs/%d.json", i);

		gitdir_file(path, "{}");
		free(path);
	}
	assert_int_equal(tree_dir_open(&t, "m", &err), 0);
	assert_int_equal(survey_tree(t, &s, &err), 0);
	assert_int_equal(s.projects[0].nconfigurations, SURVEY_CONFIGURATIONS_MAX);
	assert_non_null(strstr(survey_lack(&s.projects[0]), "more than 200 configuration files"));
	survey_clear(&s);
	tree_close(t);
}

/* Where Scala's lie: beside their defaults at any depth, or in a folder called config. */
static void instances_of_scala(void **state)
{
	struct pipeline_instances l;
	struct tree *t;

	(void)state;
	NEED_OPENAT2();
	gitdir_file("s/p/code/src/main/resources/com/shop/cfg/dev.json", "{}");
	gitdir_file("s/p/code/src/main/resources/com/shop/cfg/p.conf", "");
	gitdir_file("s/p/code/src/main/resources/com/shop/config/qa.json", "{}");
	gitdir_file("s/p/code/src/main/resources/config/prod.json", "{}");
	gitdir_file("s/p/code/src/main/resources/lists/colours.json", "[]");
	gitdir_file("s/p/code/src/main/resources/top.json", "[]");
	gitdir_file("s/p/code/configs/resources/p/own.json", "{}");
	gitdir_file("s/p/code/configs/resources/p/deep/config/no.json", "[]");
	assert_int_equal(tree_dir_open(&t, "s", &err), 0);
	assert_int_equal(pipeline_instances(t, "p", &l, &err), 0);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.v[0].name, "dev");
	assert_string_equal(l.v[0].path, "code/src/main/resources/com/shop/cfg/dev.json");
	assert_string_equal(l.v[1].name, "own");
	assert_true(pipeline_has_instance(&l, "prod"));
	assert_true(pipeline_has_instance(&l, "com/shop/cfg/dev"));
	assert_false(pipeline_has_instance(&l, "shop/dev"));
	assert_false(pipeline_has_instance(&l, "fg/dev"));
	assert_false(pipeline_has_instance(&l, "colours"));
	pipeline_instances_clear(&l);
	tree_close(t);
}

static char *reduced(const char *text)
{
	struct survey_project p = { .path = (char *)"." };
	struct buf out = BUF_INIT;
	struct doc_fault f;

	assert_int_equal(doc_yaml(&p.doc, text, strlen(text), &f), 0);
	assert_int_equal(survey_reduced_yaml(&p, "pipelines/orders", &out, &err), 0);
	assert_int_equal(survey_reduced_yaml(&p, "pipelines/none", &out, &err), PS_ENOENT);
	doc_free(p.doc);
	return buf_steal(&out);
}

static void reduced_text_depends_on_meaning_alone(void **state)
{
	static const char *const want =
		"\"functions\":\n  \"author\": \"a\"\n  \"udfs\": {}\n"
		"\"gemContainer\":\n  \"gems\":\n    \"gems/X\": {}\n"
		"\"language\": \"python\"\n\"name\": \"demo\"\n\"pipelines\":\n  "
			"\"pipelines/orders\":\n    \"datasets\":\n"
		"      \"inputs\":\n        -\n          \"a\": 1\n          \"b\":\n            - "
			"\"x\"\n            - []\n"
		"      \"outputs\": []\n    \"language\": \"python\"\n    \"name\": \"Orders\"\n"
		"\"subgraphs\":\n  \"subgraphs/S\": {}\n";
	char *a = reduced(yml), *b, *c, *d;

	(void)state;
	b = reduced("# other layout\nversion: \"1.0\"\nlanguage: python\nname: other\nname: "
		    "demo\nsubgraphs:\n  subgraphs/S: {}\n"
		    "functions:\n  author: 'a'\n  udfs: {}\ngemContainer:\n  gems:\n    gems/X: {}\n"
		    "pipelines:\n  pipelines/zzz: {}\n  pipelines/orders: {datasets: {outputs: [], "
		    "inputs: [{b: [x, []], a: 0x1}]},"
		    " language: python, name: Orders}\n");
	c = reduced(want);
	assert_string_equal(a, want);
	assert_string_equal(a, b);
	assert_string_equal(a, c);	/* what we write we read */
	d = reduced("name: \"q\\\"\\\\ \\n\\x01\\u2028 caf\303\251\"\npipelines: "
		    "{pipelines/orders: {yes: null, 1.5: no}}\n");
	assert_string_equal(d, "\"name\": \"q\\\"\\\\ \\x0a\\x01\\u2028 "
			    "caf\303\251\"\n\"pipelines\":\n"
			       "  \"pipelines/orders\":\n    1.5: false\n    true: null\n");
	free(a);
	free(b);
	free(c);
	free(d);
}

/* A tag alone makes these numbers and times; without it the sandbox would read something else. */
static void tagged_values_keep_their_kind(void **state)
{
	char *a = reduced("pipelines:\n  pipelines/orders:\n    a: !!float 1e5\n    b: !!int 'x y'\n"
			  "    c: !!timestamp soon\n    d: !!int 0x10\n    e: !!float 1.5\n"), *b;

	(void)state;
	assert_string_equal(a, "\"pipelines\":\n  \"pipelines/orders\":\n    \"a\": !!float \"1e5\"\n"
			    "    \"b\": !!int \"x y\"\n    \"c\": !!timestamp \"soon\"\n"
			    "    \"d\": 16\n    \"e\": 1.5\n");
	b = reduced(a);
	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* Deep inside, an empty list takes many bytes and no value of its own. */
static void empty_lists_do_not_explode(void **state)
{
	struct survey_project p = { .path = (char *)"." };
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct doc_fault f;

	(void)state;
	buf_adds(&text, "pipelines: {pipelines/orders: ");
	for (int i = 0; i < 150; i++)
		buf_addch(&text, '[');
	for (int i = 0; i < 100000; i++)
		buf_adds(&text, "[],");
	for (int i = 0; i < 150; i++)
		buf_addch(&text, ']');
	buf_adds(&text, "}\n");
	assert_int_equal(doc_yaml(&p.doc, buf_str(&text), text.len, &f), 0);
	assert_int_equal(survey_reduced_yaml(&p, "pipelines/orders", &out, &err), PS_ELIMIT);
	assert_in_range(out.len, PS_YAML_MAX, PS_YAML_MAX + 1000);
	doc_free(p.doc);
	buf_clear(&text);
	buf_clear(&out);
}

static void aliases_do_not_explode(void **state)
{
	struct survey_project p = { .path = (char *)"." };
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct doc_fault f;

	(void)state;
	buf_adds(&text, "x: &a0 [1]\n");
	for (int i = 1; i < 50; i++)
		buf_addf(&text, "x%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	buf_adds(&text, "pipelines: {pipelines/orders: *a49}\n");
	assert_int_equal(doc_yaml(&p.doc, buf_str(&text), text.len, &f), 0);
	assert_int_equal(survey_reduced_yaml(&p, "pipelines/orders", &out, &err), PS_ELIMIT);
	doc_free(p.doc);
	buf_clear(&text);
	buf_clear(&out);
}

static void export_is_the_tree(void **state)
{
	struct survey_want want[] = { { "pipelines/orders", NULL }, { "gems", NULL },
				      { "subgraphs/S", NULL } };
	char oid[65], old[65] = "0123456789012345678901234567890123456789";
	struct repo *r;
	struct tree *t;
	struct stat st;

	(void)state;
	NEED_OPENAT2();
	make_repo();
	t = open_head(&r);
	want[0].oid = gitdir_out("git -C r rev-parse HEAD:p/pipelines/orders");
	umask(077);
	assert_int_equal(survey_export(t, "p", want, 3, "out", 1 << 20, &err), 0);
	umask(022);
	assert_int_equal(tree_id_of_dir("out/pipelines/orders", 40, oid, &err), 0);
	assert_string_equal(oid, want[0].oid);
	assert_int_equal(tree_id_of_dir("out/subgraphs/S", 40, oid, &err), 0);
	assert_string_equal(oid, gitdir_out("git -C r rev-parse HEAD:p/subgraphs/S"));
	gitdir_sh("test \"$(find out -printf '%%T@ ' | tr ' ' '\\n' | sort -u | grep .)\" = "
		  "315532800.0000000000");
	assert_int_equal(stat("out/pipelines/orders/code/run.sh", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(stat("out/pipelines/orders/code/setup.py", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(survey_export(t, "p", want, 3, "out", 1 << 20, &err), PS_EEXIST);
	assert_int_equal(survey_export(t, "p", want, 3, "out2", 10, &err), PS_ELIMIT);
	want[1].oid = old;
	assert_int_equal(survey_export(t, "p", want, 3, "out3", 1 << 20, &err), PS_ESTALE);
	tree_close(t);
	repo_close(r);
}

static const struct { const char *name, *make, *what; } refused[] = {
	{ "absolute link", "ln -s /etc/passwd r/p/gems/l", "gems/l" },
	{ "climbing link", "ln -s ../../x r/p/gems/l", "gems/l" },
	{ "link over link", "ln -s . r/p/gems/d && ln -s d/../x r/p/gems/l", "gems/l" },
	{ "lfs pointer", "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:1\\nsize "
	  "5\\n' > r/p/gems/big", "gems/big" },
	{ "submodule", "mkdir r/p/gems/sub && git -C r update-index --add --cacheinfo "
	  "160000,4b825dc642cb6eb9a060e54bf8d69288fbee4904,p/gems/sub",
	  "gems/sub" },
	{ "part is a link", "rm -r r/p/gems && ln -s functions r/p/gems", "gems" },
};

static void export_refuses_by_name(void **state)
{
	struct survey_want want = { "gems", NULL };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(refused); i++) {
		struct repo *r;
		struct tree *t;
		char dest[16];

		make_repo();
		gitdir_sh("%s && git -C r add p/gems 2>/dev/null; git -C r commit -qm two",
			  refused[i].make);
		snprintf(dest, sizeof(dest), "out%zu", i);
		t = open_head(&r);
		assert_int_equal(survey_export(t, "p", &want, 1, dest, 1 << 20, &err), PS_EINVAL);
		if (!strstr(err.msg, refused[i].what))
			fail_msg("%s: %s", refused[i].name, err.msg);
		tree_close(t);
		repo_close(r);
		gitdir_sh("rm -rf r");
	}
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave)
	const struct CMUnitTest tests[] = {
		CASE(everything_is_told), CASE(instances_of_scala), CASE(too_many_configurations),
		cmocka_unit_test(reduced_text_depends_on_meaning_alone),
		cmocka_unit_test(tagged_values_keep_their_kind), cmocka_unit_test(empty_lists_do_not_explode),
		cmocka_unit_test(aliases_do_not_explode), CASE(export_is_the_tree),
			CASE(export_refuses_by_name),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("survey", tests, NULL, NULL);
}
