/* Units of the gate: whole pushes into real repositories, the old side, checks without a push, and
 * texts. The rules one by one are in test_gate_rules.c, levels and rights in test_gate_rights.c. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/project/survey.h"
#include "tests/support/gate_fx.h"

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

#define KEY(kind) "-----BEGIN " kind "PRIVATE KEY-----"
#define BASE64 "MIIEvQIBADANBgkq"

/* Behind texts of every length, of letters with which secrets begin too. */
static void every_secret_is_found_where_it_stands(void **state)
{
	static const char *const secrets[] = {
		"AKIA" "ABCDEFGHIJKLMNOP", "ASIA" "ABCDEFGHIJ012345",
		"AIza" "SyA_0123456789-0123456789abcdefghij", "dapi" "0123456789abcdef0123456789abcdef",
		"ghp_" "0123456789abcdefghijABCDEFGHIJ012345",
		KEY("RSA ") "\\nProc-Type: 4,ENCRYPTED", KEY("") "\\r\\n" BASE64,
		KEY("OPENSSH ") "\\\\n" BASE64,
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

/* Code that looks for a key, a key's end, AWS's samples; and keys over lines. */
static void what_only_looks_like_a_secret(void **state)
{
	static const struct { const char *text; size_t n; } files[] = {
		{ "p = p.replace(\"" KEY("") "\", \"\").replace(\"x\")\n" BASE64, 0 },
		{ "f('" KEY("") "\\n')\n" BASE64, 0 }, { KEY("RSA ") "\n", 0 }, { KEY("RSA "), 0 },
		{ KEY("") BASE64, 0 }, { KEY("") "\\", 0 }, { KEY("") "\n" "MIIEvQIBADANBgk\n", 0 },
		{ "AKIA" "IOSFODNN7EXAMPLE ASIA" "IOSFODNN7EXAMPLE", 0 },
		{ KEY("") "\n" BASE64, 1 }, { KEY("EC ") "\r\n" BASE64, 1 },
		{ "k: |\n    " KEY("") "\n    " BASE64, 1 }, { KEY("") " \n\n" BASE64, 1 },
		{ KEY("RSA ") "\nProc-Type: 4,ENCRYPTED\n", 1 },
		{ "AKIA" "EXAMPLEABCDEFGHI", 1 },
	};

	(void)state;
	gitdir_sh("git init -q p");
	make_good("p");
	for (size_t i = 0; i < PS_NELEM(files); i++) {
		struct gate_check c = { .path = "p", .config = config };
		struct gate_checked out;

		put("p", "lib/keys.py", files[i].text);
		assert_int_equal(gate_check(&c, &out, &err), 0);
		if (out.found.n != files[i].n)
			fail_msg("%zu findings in '%s'", out.found.n, files[i].text);
		gate_checked_clear(&out);
	}
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
	static const struct CMUnitTest t[] = {
		CASE(accepted_push_says_where_it_goes), CASE(everything_wrong_is_told_at_once),
		CASE(what_was_wrong_before_is_a_warning), CASE(removed_pipeline_that_a_job_names),
		CASE(every_secret_is_found_where_it_stands), CASE(what_only_looks_like_a_secret),
		CASE(mutants_never_crash),
		CASE(many_findings_are_cut), CASE(check_of_work_tree_and_revision),
		CASE(check_against_the_upstream), CASE(example_passes_without_a_warning),
		CASE(findings_are_short), CASE(long_lines_are_cut_and_many_parts_are_told),
		CASE(odd_entries_are_told), CASE(what_is_too_deep_is_let_in),
	};

	if (kernel_skip())
		return 77;
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("gate", t, make_config, drop_config);
}
