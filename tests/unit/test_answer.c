/*
 * Units of answer, ahead and bearings: where nothing has changed `penstock check` says at once what it
 * said before; and never when something has, be it in the folder, in what is asked or in git.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/gate/answer.h"
#include "common/gate/rules.h"
#include "common/tree/bearings.h"
#include "tests/support/kernel.h"
#include "tests/support/recheck.h"

static bool answered(const char *path)
{
	struct gate_checked c;

	same_as_fresh(path, &c);
	return at_once(&c);
}

/* A branch with an upstream, and one thing wrong that the upstream has not. */
static void make(void)
{
	demo_make();
	gitdir_sh("cd r && git add -A && git commit -qm one && git branch base && "
		  "git config branch.main.remote . && git config branch.main.merge refs/heads/base");
	demo_put("pipelines/p1/code/setup.py", NULL);
	settle();
}

static void what_is_the_same_is_said_at_once(void **state)
{
	static const struct { const char *what, *how; } changes[] = {
		{ "removed", "rm pipelines/p2/code/main.py" },
		{ "added", "echo 'x = 1' > pipelines/p2/code/more.py" },
		{ "added deep below", "mkdir -p docs/a/b && echo x > docs/a/b/c" },
		{ "an empty folder", "mkdir empty" },
		{ "renamed", "mv pipelines/p2/code/more.py pipelines/p2/code/less.py" },
		{ "as long and as old as before", "touch -r pbt_project.yml ../when && "
		  "sed -i 's/name: demo/name: demi/' pbt_project.yml && touch -r ../when pbt_project.yml" },
		{ "written in place", "cp pbt_project.yml ../old && tr i o < ../old > pbt_project.yml" },
		{ "put back in place", "cat ../old > pbt_project.yml" },
		{ "touched", "touch pbt_project.yml" },
		{ "runs", "chmod +x pipelines/p2/code/setup.py" },
		{ "a link", "ln -s p2 pipelines/link" },
		{ "another link", "ln -sfn p3 pipelines/link" },
		{ "a folder for a file", "rm docs/a/b/c && mkdir docs/a/b/c" },
		{ "a link for a folder", "mv docs/a ../a && ln -s ../../a docs/a" },
		{ "ignored", "echo note > .gitignore && echo 'ghp_000000000000000000000000000000000007' > note" },
		{ "a project more", "mkdir -p more && cp pbt_project.yml more/" },
		{ "the folder itself", "touch ." },
	};

	(void)state;
	make();
	assert_false(answered("r"));
	assert_true(answered("r"));
	for (size_t i = 0; i < PS_NELEM(changes); i++) {
		print_message("%s\n", changes[i].what);
		gitdir_sh("cd r && %s", changes[i].how);
		settle();
		assert_false(answered("r"));
		assert_true(answered("r"));
	}
}

/* Until the tick of the last change is over nobody can tell whether there was another. */
static void what_may_still_change_is_not(void **state)
{
	int64_t before;

	(void)state;
	make();
	assert_false(answered("r"));
	demo_put("docs/deep/er/README.md", "texts\n");
	stands_at = exact(CLOCK_REALTIME) - INT64_C(1000000000);
	for (int i = 0; i < 3; i++)
		assert_false(answered("r"));
	stands_at = -1;
	settle();
	assert_false(answered("r"));
	assert_true(answered("r"));
	before = exact(CLOCK_REALTIME_COARSE);
	gitdir_sh("cd r && git commit -q --allow-empty -m two");	/* git's own files as well */
	settle();
	stands_at = before;
	for (int i = 0; i < 3; i++)
		assert_false(answered("r"));
	stands_at = -1;
}

static void another_question_has_another_answer(void **state)
{
	static const struct gate_who who = { "ana" };
	struct config *usual = config;

	(void)state;
	make();
	assert_false(answered("r"));
	assert_true(answered("r"));
	asking = (struct gate_check) { .all_new = true };
	assert_false(answered("r"));
	assert_true(answered("r"));
	asking = (struct gate_check) { .ref = "refs/heads/main" };
	assert_false(answered("r"));
	assert_true(answered("r"));
	asking = (struct gate_check) { .ref = "refs/tags/v1" };
	assert_false(answered("r"));
	asking = (struct gate_check) { .repo_name = "sales" };
	assert_false(answered("r"));
	asking = (struct gate_check) { .against = "HEAD" };	/* the work of git, each time */
	for (int i = 0; i < 2; i++)
		assert_false(answered("r"));
	asking = (struct gate_check) { .ref = "refs/heads/main", .who = &who };
	for (int i = 0; i < 2; i++)
		assert_false(answered("r"));
	asking = (struct gate_check) { .path = NULL };
	config = NULL;
	assert_false(answered("r"));
	assert_true(answered("r"));
	config = usual;
	assert_true(answered("r"));
	assert_false(answered("r/pipelines"));		/* parts are judged */
	assert_true(answered("r"));
}

static void git_may_say_otherwise(void **state)
{
	static const struct { const char *what, *how; bool known; } steps[] = {
		{ "the upstream moves", "git commit -qam two && git update-ref refs/heads/base HEAD", true },
		{ "all is packed", "git pack-refs --all", true },
		{ "it moves back", "git update-ref refs/heads/base HEAD~", true },
		{ "another branch", "git checkout -q -b other", false },
		{ "and back", "git symbolic-ref HEAD refs/heads/main", true },
		{ "detached", "git checkout -q --detach", false },
		{ "and back again", "git symbolic-ref HEAD refs/heads/main", true },
		{ "it goes", "git update-ref -d refs/heads/base", false },
		{ "and comes", "git update-ref refs/heads/base HEAD", true },
		{ "it stands for another", "git symbolic-ref refs/heads/base refs/heads/other", false },
		{ "which moves", "git update-ref refs/heads/other HEAD~", false },
		{ "and is itself again", "git symbolic-ref -d refs/heads/base && "
		  "git update-ref refs/heads/base HEAD", true },
		{ "another upstream", "git config branch.main.merge refs/heads/other", true },
		{ "said in another file", "git config --unset branch.main.merge && git config include.path more && "
		  "git config -f .git/more branch.main.merge refs/heads/base", false },
		{ "which changes", "git config -f .git/more branch.main.merge refs/heads/other", false },
		{ "no upstream", "git config --remove-section branch.main && git config --unset include.path", true },
		{ "no branch yet", "git symbolic-ref HEAD refs/heads/unborn", true },
		{ "one", "git symbolic-ref HEAD refs/heads/main", true },
		{ "another clone's folder", "mv .git ../was && cp -r ../was .git", true },
	};

	(void)state;
	make();
	assert_false(answered("r"));
	assert_true(answered("r"));
	for (size_t i = 0; i < PS_NELEM(steps); i++) {
		print_message("%s\n", steps[i].what);
		gitdir_sh("cd r && %s", steps[i].how);
		settle();
		assert_false(answered("r"));
		assert_int_equal(answered("r"), steps[i].known);
	}
}

/* Where git's folder is none, or another one, git is asked. */
static void a_linked_work_tree_is_judged(void **state)
{
	(void)state;
	make();
	gitdir_sh("cd r && git worktree add -q ../w base && cp -r . ../plain && rm -rf ../plain/.git && "
		  "git init -q ../empty && git -C ../empty config core.worktree ../../r");
	settle();
	for (int i = 0; i < 2; i++) {
		assert_false(answered("w"));
		assert_false(answered("plain"));
		assert_false(answered("empty"));
	}
	assert_false(answered("r"));
	assert_true(answered("r"));
}

static void in_git(void)
{
	switch (demo_any(6)) {
	case 0:
		gitdir_sh("cd r && git add -A && git commit -qm more --allow-empty");
		break;
	case 1:
		gitdir_sh("cd r && git update-ref refs/heads/base HEAD");
		break;
	case 2:
		gitdir_sh("cd r && git update-ref refs/heads/base HEAD~ 2>/dev/null || :");
		break;
	case 3:
		gitdir_sh("cd r && git pack-refs --all");
		break;
	case 4:
		gitdir_sh("cd r && git update-ref -d refs/heads/base");
		break;
	default:
		gitdir_sh("cd r && git symbolic-ref HEAD refs/heads/%s", demo_any(2) ? "main" : "next");
	}
}

static void many_changes_never_change_an_answer(void **state)
{
	size_t at_all = 0;

	(void)state;
	demo_seed(20261130);
	make();
	for (int i = 0; i < 40; i++) {
		int64_t before = exact(CLOCK_REALTIME_COARSE);

		if (demo_any(3) == 0)
			demo_change();
		else if (demo_any(2))
			in_git();
		settle();
		stands_at = demo_any(4) ? -1 : before;
		asking.all_new = demo_any(4) == 0;
		at_all += answered("r");
		at_all += answered("r");
		stands_at = -1;
	}
	asking.all_new = false;
	assert_in_range(at_all, 10, 60);
}

static void damaged_answers_are_none(void **state)
{
	struct gate_checked was = { .nprojects = 2, .against = xstrdup("refs/heads/base"),
				    .counts = { .trees = 1, .units = 9 } }, now;
	struct buf bearings = BUF_INIT, bytes = BUF_INIT, bad = BUF_INIT, question = BUF_INIT;

	(void)state;
	demo_seed(20261201);
	make();
	diag_add_key(&was.found, DIAG_WARNING, "key", "a/b", 3, 4, rule_table[1].code, "text");
	diag_hint(&was.found, "hint");
	was.found.v[0].source = xstrdup("source");
	was.found.v[0].source_col = 2;
	diag_add(&was.found, DIAG_ERROR, "c", 1, 1, rule_table[2].code, "other");
	assert_true(bearings_take(&bearings, "r/.git", stamp_now(), "refs/heads/base"));
	assert_true(bearings_hold("r/.git", bearings.data, bearings.len));
	assert_false(bearings_hold("r/.git", bearings.data, bearings.len - 1));
	assert_false(bearings_hold("r", bearings.data, bearings.len));
	assert_false(bearings_hold("r/.git", "", 0));
	answer_question(&question, &asking, "top");
	answer_pack(&bytes, &was, &question, &bearings);
	now = (struct gate_checked) { .nprojects = 0 };
	assert_true(answer_unpack(&now, &bytes, &question, "r/.git"));
	assert_int_equal(now.nprojects, 2);
	assert_int_equal(now.counts.known, 9);
	assert_string_equal(now.against, "refs/heads/base");
	assert_int_equal(now.found.n, 2);
	assert_int_equal(now.found.errors, 1);
	assert_ptr_equal(now.found.v[0].code, rule_table[1].code);
	assert_string_equal(now.found.v[0].hint, "hint");
	assert_string_equal(now.found.v[0].key, "key");
	assert_string_equal(now.found.v[0].source, "source");
	assert_int_equal(now.found.v[0].line * 100 + now.found.v[0].col * 10 + now.found.v[0].source_col, 342);
	assert_null(now.found.v[1].source);
	assert_null(now.found.v[1].key);
	gate_checked_clear(&now);
	for (size_t i = 0; i < 4 * bytes.len; i++) {	/* every beginning, and many a byte of it */
		buf_reset(&bad);
		buf_add(&bad, bytes.data, i < bytes.len ? i : bytes.len);
		if (i >= bytes.len)
			bad.data[demo_any((unsigned)bytes.len)] ^= (char)(1 + demo_any(255));
		now = (struct gate_checked) { .nprojects = 0 };
		assert_true(!answer_unpack(&now, &bad, &question, "r/.git") || i >= bytes.len);
		gate_checked_clear(&now);
	}
	buf_addch(&question, 'x');		/* another question with the same key */
	now = (struct gate_checked) { .nprojects = 0 };
	assert_false(answer_unpack(&now, &bytes, &question, "r/.git"));
	gate_checked_clear(&now);
	gate_checked_clear(&was);
	buf_clear(&question);
	buf_clear(&bearings);
	buf_clear(&bytes);
	buf_clear(&bad);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave)
	const struct CMUnitTest t[] = {
		CASE(what_is_the_same_is_said_at_once), CASE(what_may_still_change_is_not),
		CASE(another_question_has_another_answer), CASE(git_may_say_otherwise),
		CASE(a_linked_work_tree_is_judged), CASE(many_changes_never_change_an_answer),
		CASE(damaged_answers_are_none),
	};
	int rc;

	if (kernel_skip())
		return 77;
	config = demo_config();
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = cmocka_run_group_tests_name("answer", t, NULL, NULL);
	config_free(config);
	return rc;
}
