/*
 * Units of memo, trace, unit and precedent: a judgement that remembers says what one says that does not, over
 * many small changes; and it reads no more than what a change can have touched.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/fsutil.h"
#include "common/gate/judge.h"
#include "common/gate/memo.h"
#include "common/gate/outlook.h"
#include "common/gate/precedent.h"
#include "common/project/survey.h"
#include "common/base/digest.h"
#include "common/base/clock.h"
#include "tests/support/demo.h"
#include "tests/support/kernel.h"

static struct ps_err err;
static struct config *config;
static bool follow = true;		/* the tree judged last */

static const char *commit_all(void)
{
	gitdir_sh("cd r && git add -A && git commit -qm change --allow-empty");
	return gitdir_out("git -C r rev-parse HEAD^{tree}");
}

/* The findings of a tree as text, and what the judgement cost. */
static char *judge(const char *tree, struct memo *memo, struct rules_counts *counts)
{
	struct bench b = { .memo = memo, .config = config };
	struct diag_list l = DIAG_LIST_INIT;
	struct buf text = BUF_INIT;
	struct judged *now;
	struct repo *repo;
	struct tree *t;

	assert_int_equal(repo_open(&repo, "r", NULL, &err), 0);
	assert_int_equal(repo_tree(&t, repo, tree, &err), 0);
	if (memo && follow)
		b.precedent = precedent_open(memo, "", "r", repo);
	assert_int_equal(bench_judge(&b, t, tree, NULL, &now, &err), 0);
	bench_compare(&b, now, NULL, NULL, &l);
	diag_sort(&l);
	for (size_t i = 0; i < l.n; i++)
		buf_addf(&text, "%s|", l.v[i].key);
	diag_print(&text, &l, 0);
	if (counts)
		*counts = bench_counts(&b);
	diag_clear(&l);
	precedent_free(b.precedent);
	bench_clear(&b);
	repo_close(repo);
	return buf_steal(&text);
}

static void same_as_fresh(const char *tree, struct memo *memo, struct rules_counts *counts)
{
	char *fresh = judge(tree, NULL, NULL), *known = judge(tree, memo, counts);

	assert_string_equal(fresh, known);
	free(fresh);
	free(known);
}

static void one_change_reads_one_unit(void **state)
{
	struct memo *m = memo_new("", NULL);
	struct rules_counts c;

	(void)state;
	demo_make();
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units, 1 + DEMO_PIPELINES + DEMO_JOBS);
	assert_int_equal(c.known, 0);
	assert_int_equal(c.parsed, 1);
	same_as_fresh(gitdir_out("git -C r rev-parse HEAD^{tree}"), m, &c);
	assert_int_equal(c.known, c.units);
	assert_int_equal(c.reads + c.parsed + c.folders, 0);
	demo_put("pipelines/p3/code/main.py", "x = 2\n");
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units - c.known, 1);
	assert_int_equal(c.parsed, 0);		/* the project file says the same */
	assert_int_equal(c.reads, 3);		/* setup.py, workflow, prod.json */
	assert_int_equal(c.folders, 4);		/* top, pipelines, p3, code */
	demo_put("README.md", "outside of every unit\n");
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units, c.known);
	assert_int_equal(c.folders, 1);
	demo_project("# a line more at the top\n", DEMO_PIPELINES);
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units - c.known, 1);	/* the file alone: every entry says what it said */
	memo_free(m);
}

static void what_a_unit_asked_of_others_counts(void **state)
{
	struct memo *m = memo_new("", NULL);
	struct rules_counts c;

	(void)state;
	demo_make();
	same_as_fresh(commit_all(), m, NULL);
	/* j2 asks for this instance of p2 */
	demo_put("pipelines/p2/code/configs/resources/config/prod.json", NULL);
	demo_put("pipelines/p2/code/configs/resources/config/qa.json", "{}");
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units - c.known, 2);
	demo_project("", DEMO_PIPELINES - 17);		/* p3 is not declared any more, j3 and j4 name it */
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units - c.known, 3);
	memo_free(m);
}

static void ten_thousand_pipelines_are_remembered(void **state)
{
	enum { MANY = 10000 };
	struct memo *m = memo_new("", NULL);
	struct rules_counts c;
	const char *tree;
	char *text;

	(void)state;
	demo_make();
	demo_project("", MANY);
	demo_put("pipelines/p9999/code/setup.py", "x = 1\n");
	tree = commit_all();
	text = judge(tree, m, &c);
	assert_int_equal(c.units, 1 + MANY + DEMO_JOBS);
	assert_null(strstr(text, "is not checked"));
	assert_null(strstr(text, "does not declare"));
	free(text);
	text = judge(tree, m, &c);
	assert_int_equal(c.known, c.units);
	assert_int_equal(c.parsed + c.reads, 0);
	free(text);
	memo_free(m);
}

static void many_changes_never_change_a_verdict(void **state)
{
	struct memo *m = memo_new("", NULL);

	(void)state;
	demo_seed(20261127);
	demo_make();
	for (int i = 0; i < 120; i++) {
		for (unsigned n = demo_any(3); n; n--)
			demo_change();
		follow = demo_any(4) != 0;
		same_as_fresh(commit_all(), m, NULL);
	}
	follow = true;
	memo_free(m);
}

/* ---- the place behind ---- */

struct place { struct memo_key key[200]; struct buf value[200]; size_t n, asked, kept; bool damaged; };

static void keep(void *arg, const struct memo_key *k, const struct buf *value)
{
	struct place *p = arg;
	size_t i = 0;

	while (i < p->n && memcmp(&p->key[i], k, sizeof(*k)) != 0)
		i++;
	assert_true(i < PS_NELEM(p->key));
	p->kept++;
	p->n += i == p->n;
	p->key[i] = *k;
	buf_reset(&p->value[i]);
	buf_add(&p->value[i], buf_str(value), value->len);
}

static bool fetch(void *arg, const struct memo_key *k, struct buf *out)
{
	struct place *p = arg;

	p->asked++;
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(&p->key[i], k, sizeof(*k)) == 0) {
			size_t n = p->value[i].len;

			buf_add(out, buf_str(&p->value[i]), p->damaged ? n / 2 : n);
			return true;
		}
	return false;
}

static void what_was_kept_outlives_the_process(void **state)
{
	static struct place place;
	struct memo_behind behind = { fetch, &place };
	struct memo *m = memo_new("one", &behind);
	struct rules_counts c;
	const char *tree;

	(void)state;
	demo_make();
	demo_put("pipelines/p1/code/setup.py", NULL);
	tree = commit_all();
	same_as_fresh(tree, m, NULL);
	memo_take_new(m, keep, &place);
	memo_free(m);
	m = memo_new("one", &behind);
	same_as_fresh(tree, m, &c);
	assert_int_equal(c.units, c.known);
	assert_int_equal(c.reads, 0);
	memo_free(m);
	m = memo_new("another program", &behind);
	same_as_fresh(tree, m, &c);
	assert_int_equal(c.known, 0);
	memo_free(m);
	place.damaged = true;
	m = memo_new("one", &behind);
	same_as_fresh(tree, m, &c);
	assert_int_equal(c.known, 0);
	memo_free(m);
	for (size_t i = 0; i < place.n; i++)
		buf_clear(&place.value[i]);
}

static size_t asked_for_one_change(struct place *place, unsigned n)
{
	struct memo_behind behind = { fetch, place };
	struct memo *m = memo_new("", &behind);
	struct rules_counts c;
	char *text = xasprintf("y = %u\n", n);

	demo_put("pipelines/p3/code/main.py", text);
	place->asked = 0;
	same_as_fresh(commit_all(), m, &c);
	assert_int_equal(c.units - c.known, 1);
	assert_int_equal(c.folders, 4);		/* top, pipelines, p3, code */
	memo_take_new(m, keep, place);
	memo_free(m);
	free(text);
	return place->asked;
}

/* What a push asks the place for does not grow with what it leaves alone. */
static void the_tree_before_saves_the_asking(void **state)
{
	static struct place place;
	struct memo_behind behind = { fetch, &place };
	struct memo *m = memo_new("", &behind);
	size_t with, without;

	(void)state;
	demo_make();
	same_as_fresh(commit_all(), m, NULL);
	memo_take_new(m, keep, &place);
	memo_free(m);
	with = asked_for_one_change(&place, 1);
	follow = false;
	without = asked_for_one_change(&place, 2);
	follow = true;
	/* the precedent, the project file, p3 and a job that names it, four folders and what they were */
	assert_int_equal(with, 1 + 1 + 2 + 4 + 4);
	assert_true(without > DEMO_PIPELINES + DEMO_JOBS);
	m = memo_new("", &behind);
	same_as_fresh(gitdir_out("git -C r rev-parse HEAD^{tree}"), m, NULL);
	place.kept = 0;
	memo_take_new(m, keep, &place);
	assert_int_equal(place.kept, 1);	/* that tree has become the one judged last */
	memo_free(m);
	m = memo_new("", &behind);
	same_as_fresh(gitdir_out("git -C r rev-parse HEAD^{tree}"), m, NULL);
	place.kept = 0;
	memo_take_new(m, keep, &place);
	assert_int_equal(place.kept, 0);	/* and is so still */
	memo_free(m);
	for (size_t i = 0; i < place.n; i++)
		buf_clear(&place.value[i]);
}

/* Beside a change: a key in a file, and a project in a folder of its own. */
static void what_lies_beside_a_change_is_told_again(void **state)
{
	static const char *const other[] = { "pipelines/p3/code/main.py", "nested/readme", "top" };
	struct memo *m = memo_new("", NULL);

	(void)state;
	demo_make();
	demo_put("pipelines/p1/code/key.py", "k = 'AKIAJ2QW3ER4TY5UI6OP'\n");
	demo_put("nested/deep/pbt_project.yml", "name: n\n");
	demo_put("nested/deep/a/key.py", "k = 'AKIAJ2QW3ER4TY5UI6OP'\n");
	same_as_fresh(commit_all(), m, NULL);
	for (size_t i = 0; i < PS_NELEM(other); i++) {
		char *text;

		demo_put(other[i], "another\n");
		text = judge(commit_all(), m, NULL);
		assert_non_null(strstr(text, "pipelines/p1/code/key.py"));
		assert_non_null(strstr(text, "nested/deep/a/key.py"));
		assert_non_null(strstr(text, "nested/deep/pbt_project.yml"));
		same_as_fresh(commit_all(), m, NULL);
		free(text);
	}
	memo_free(m);
}

/* As many entries, in the same order: only the file itself tells that one is another. */
static void a_project_file_that_changed_is_no_precedent(void **state)
{
	struct memo *m = memo_new("", NULL);

	(void)state;
	demo_make();
	same_as_fresh(commit_all(), m, NULL);
	gitdir_sh("sed -i 's#pipelines/p5:#pipelines/p5x:#' r/pbt_project.yml");
	same_as_fresh(commit_all(), m, NULL);
	memo_free(m);
}

/* HEAD's tree with more folders in p2 than a unit's questions may be remembered for. */
static char *tree_of_many_folders(void)
{
	gitdir_sh("cd r && t=$(printf '100644 blob %%s\\tf\\n' $(echo x | git hash-object -w --stdin) | "
		  "git mktree) && many=$(seq %d | sed \"s/.*/040000 tree $t\\td&/\" | git mktree) && "
		  "export GIT_INDEX_FILE=../many.index && git read-tree HEAD && git read-tree "
		  "--prefix=pipelines/p2/code/src/main/resources/ $many && git write-tree >../many",
		  DEPS_MAX + 1);
	return xstrdup(gitdir_out("cat many"));
}

/* What may not be remembered is judged each time, whatever was remembered of it before. */
static void a_unit_that_asks_too_much_has_no_precedent(void **state)
{
	struct memo *m = memo_new("", NULL);
	char *tree;

	(void)state;
	demo_make();
	same_as_fresh(commit_all(), m, NULL);
	/* j2 asks for this instance of p2 */
	demo_put("pipelines/p2/code/configs/resources/config/prod.json", NULL);
	demo_put("pipelines/p2/code/configs/resources/config/qa.json", "{}");
	for (int i = 0; i < 2; i++) {
		demo_put("README.md", i ? "one\n" : "another\n");
		commit_all();
		tree = tree_of_many_folders();
		same_as_fresh(tree, m, NULL);
		free(tree);
	}
	memo_free(m);
}

/* Two entries of the tree at hand, one of which had asked for this path; which is taken over? */
static bool says_again(struct memo *m, const char *asked)
{
	struct dep dep = { DEP_KIND, (char *)(uintptr_t)asked, (char *)(uintptr_t)"folder" };
	struct deps deps = { &dep, 1, 1 }, none = { NULL, 0, 0 };
	const char *tree = commit_all();
	struct buf bytes = BUF_INIT;
	const struct buf *was;
	struct precedent *p;
	struct repo *repo;
	struct tree *t;
	bool first = false;

	buf_adds(&bytes, "x");
	assert_int_equal(repo_open(&repo, "r", NULL, &err), 0);
	assert_int_equal(repo_tree(&t, repo, tree, &err), 0);
	for (int pass = 0; pass < 2; pass++) {
		p = precedent_open(m, "", asked, repo);
		precedent_meet(p, t, tree);
		precedent_projects(p, 1);
		precedent_project(p, "pbt_project.yml", 2);
		first = precedent_says(p, &was);
		precedent_note(p, "pipelines/p1", &deps, &bytes, true);
		assert_int_equal(precedent_says(p, &was), pass);
		if (pass)
			assert_null(was);
		precedent_note(p, "pipelines/p2", &none, &bytes, true);
		precedent_keep(p);
		precedent_free(p);
	}
	tree_close(t);
	repo_close(repo);
	buf_clear(&bytes);
	return first;
}

/* "pipelines//p3" leads to what "pipelines/p3" is, and no comparison of trees tells that path. */
static void a_question_by_an_odd_path_is_asked_again(void **state)
{
	struct memo *m = memo_new("", NULL);

	(void)state;
	demo_make();
	assert_true(says_again(m, "pipelines/p3"));
	assert_false(says_again(m, "pipelines//p3"));
	assert_false(says_again(m, "pipelines/p3/"));
	memo_free(m);
}

/* Of a push that was refused nothing is left but what the memo says. */
static void a_tree_that_is_gone_is_no_precedent(void **state)
{
	struct memo *m = memo_new("", NULL);
	struct rules_counts c;
	const char *tree;

	(void)state;
	demo_make();
	demo_put("pipelines/p1/code/setup.py", NULL);
	same_as_fresh(commit_all(), m, NULL);
	demo_put("pipelines/p1/code/setup.py", "x = 1\n");
	gitdir_sh("cd r && git add -A && git commit -q --amend -m other && git reflog expire "
		  "--expire=now --all && git prune --expire=now");
	tree = gitdir_out("git -C r rev-parse HEAD^{tree}");
	same_as_fresh(tree, m, &c);
	assert_int_equal(c.units - c.known, 1);
	memo_free(m);
}

/* ---- the outlook: what a forecast needs ---- */

/* A tree that counts the files that are read. */
struct counting { struct tree t; struct tree *under; size_t reads; };

static int count_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *e)
{
	return tree_list(((struct counting *)t)->under, path, out, e);
}

static int count_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *e)
{
	return tree_stat(((struct counting *)t)->under, path, out, e);
}

static int count_read(struct tree *t, const char *path, size_t max, struct buf *out,
		      struct ps_err *e)
{
	((struct counting *)t)->reads++;
	return tree_read(((struct counting *)t)->under, path, max, out, e);
}

static void count_close(struct tree *t)
{
	tree_close(((struct counting *)t)->under);
}

static const struct tree_ops counting_ops = { count_list, count_stat, count_read, count_close };

static void same_pipelines(const struct wire_project *p, const struct survey_project *s)
{
	assert_int_equal(p->pipelines.n, s->npipelines);
	for (size_t i = 0; i < s->npipelines; i++) {
		const struct wire_pipeline *a = &p->pipelines.v[i];
		char hex[DIGEST_HEX], *problem, *reduced = survey_reduced(s, a->key, &problem);

		digest_bytes(hex, reduced, strlen(reduced));
		assert_string_equal(a->reduced_digest, hex);
		assert_string_equal(a->key, s->pipelines[i].key);
		assert_string_equal(a->oid, s->pipelines[i].oid);
		assert_string_equal(a->wheel ? a->wheel : "",
				    s->pipelines[i].wheel ? s->pipelines[i].wheel : "");
		assert_int_equal(a->instances.n, s->pipelines[i].ninstances);
		free(reduced);
		free(problem);
	}
}

/* Templates go into the store, as a survey after the push would put them. */
static void same_jobs(const struct wire_project *p, const struct survey_project *s)
{
	assert_int_equal(p->jobs.n, s->njobs);
	for (size_t i = 0; i < s->njobs; i++) {
		const struct wire_job *a = &p->jobs.v[i];
		char hex[DIGEST_HEX];

		assert_string_equal(a->key, s->jobs[i].key);
		assert_int_equal(a->fabric_id, s->jobs[i].fabric);
		assert_int_equal(a->files.n, s->jobs[i].ntemplates);
		if (!a->files.v[0].bytes.n)
			continue;
		assert_int_equal(cas_put_bytes("content", a->files.v[0].bytes.p,
					       a->files.v[0].bytes.n, hex, &err), 0);
		assert_string_equal(hex, a->files.v[0].digest);
	}
}

/* The outlook of a tree says what its survey says; how many files it read. */
static size_t outlook_reads(const char *tree, struct memo *m)
{
	struct outlook o = { .content = "content", .until_ns = INT64_MAX };
	struct counting c = { .t = { &counting_ops } };
	struct survey s;
	struct repo *repo;

	assert_int_equal(repo_open(&repo, "r", NULL, &err), 0);
	assert_int_equal(repo_tree(&c.under, repo, tree, &err), 0);
	outlook_add(&o, m, &c.t, tree, ".", "refs/heads/main", 1);
	outlook_add(&o, m, &c.t, tree, ".", "refs/tags/v1", 2);
	assert_false(o.gone);
	assert_int_equal(o.nprojects, 1);
	assert_int_equal(o.nrows, 2);
	assert_int_equal(survey_tree(c.under, &s, &err), 0);
	same_pipelines(&o.projects[0], &s.projects[0]);
	same_jobs(&o.projects[0], &s.projects[0]);
	survey_clear(&s);
	outlook_clear(&o);
	tree_close(&c.t);
	repo_close(repo);
	return c.reads;
}

static void an_outlook_reads_what_has_changed(void **state)
{
	struct memo *m = memo_new("", NULL);
	const char *tree;

	(void)state;
	demo_make();
	gitdir_sh("mkdir content");
	tree = commit_all();
	/* the project file; of a pipeline setup.py, of a job its definition, and that again to go along */
	assert_int_equal(outlook_reads(tree, m), 1 + DEMO_PIPELINES + 2 * DEMO_JOBS);
	assert_int_equal(outlook_reads(gitdir_out("git -C r rev-parse HEAD^{tree}"), m), 0);
	demo_put("pipelines/p3/code/main.py", "x = 2\n");
	assert_int_equal(outlook_reads(commit_all(), m), 1);
	demo_job(2, "pipelines/p9");
	assert_int_equal(outlook_reads(commit_all(), m), 2);
	demo_put("README.md", "outside of every unit\n");
	assert_int_equal(outlook_reads(commit_all(), m), 0);
	demo_project("# a line more at the top\n", DEMO_PIPELINES);
	assert_int_equal(outlook_reads(commit_all(), m), 1);
	memo_free(m);
}

static void an_outlook_has_its_time(void **state)
{
	struct outlook o = { .content = "content", .until_ns = clock_boot_ns() - 1 };
	struct memo *m = memo_new("", NULL);
	const char *tree;
	struct repo *repo;
	struct tree *t;

	(void)state;
	demo_make();
	tree = commit_all();
	assert_int_equal(repo_open(&repo, "r", NULL, &err), 0);
	assert_int_equal(repo_tree(&t, repo, tree, &err), 0);
	outlook_add(&o, m, t, tree, ".", "refs/heads/main", 1);
	assert_true(o.gone);
	assert_int_equal(o.nrows, 0);
	outlook_clear(&o);
	tree_close(t);
	repo_close(repo);
	memo_free(m);
}

/* How many entries of this project file have a digest; *n is how many there are. */
static size_t with_digest(const char *text, size_t *n)
{
	struct project p = { .path = (char *)"." };
	struct doc_fault fault;
	struct outline o;
	size_t told = 0;

	assert_int_equal(doc_yaml(&p.doc, text, strlen(text), &fault), 0);
	outline_make(&o, &p);
	for (size_t i = 0; i < o.n; i++)
		told += *o.v[i].digest != '\0';
	*n = o.n;
	outline_clear(&o);
	doc_free(p.doc);
	return told;
}

/* Entries that share a million values by alias are not all walked; what is walked in part, or deeper
 * than a file can be nested, has no digest, because two that differ there would have the same. */
static void aliases_share_one_budget(void **state)
{
	struct buf b = BUF_INIT;
	size_t n;

	(void)state;
	buf_adds(&b, "l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 5; i++)
		buf_addf(&b, "l%d: &l%d [*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d]\n", i, i,
			 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	buf_adds(&b, "pipelines:\n");
	for (int i = 0; i < 20; i++)
		buf_addf(&b, "  pipelines/p%d: {name: p, x: *l4}\n", i);
	assert_int_equal(with_digest(buf_str(&b), &n), 4);	/* 111,111 values each, of 500,000 */
	assert_int_equal(n, 20);
	buf_reset(&b);
	buf_adds(&b, "a: &a {k: 1}\n");
	for (int i = 0; i < 3; i++) {
		buf_addf(&b, "b%d: &b%d ", i, i);
		for (int k = 0; k < 80; k++)
			buf_addch(&b, '[');
		buf_adds(&b, i ? i == 1 ? "*b0" : "*b1" : "*a");
		for (int k = 0; k < 80; k++)
			buf_addch(&b, ']');
		buf_addch(&b, '\n');
	}
	buf_adds(&b, "pipelines: {pipelines/deep: *b2, pipelines/less: *b1, pipelines/c: {}}\n");
	assert_int_equal(with_digest(buf_str(&b), &n), 2);
	assert_int_equal(n, 3);
	buf_clear(&b);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave)
	const struct CMUnitTest t[] = {
		CASE(one_change_reads_one_unit), CASE(what_a_unit_asked_of_others_counts),
		CASE(ten_thousand_pipelines_are_remembered),
		CASE(an_outlook_reads_what_has_changed), CASE(an_outlook_has_its_time),
		cmocka_unit_test(aliases_share_one_budget),
		CASE(the_tree_before_saves_the_asking),
		CASE(a_project_file_that_changed_is_no_precedent),
		CASE(what_lies_beside_a_change_is_told_again),
		CASE(a_question_by_an_odd_path_is_asked_again),
		CASE(a_unit_that_asks_too_much_has_no_precedent), CASE(a_tree_that_is_gone_is_no_precedent),
		CASE(many_changes_never_change_a_verdict), CASE(what_was_kept_outlives_the_process),
	};

	int rc;

	if (kernel_skip())
		return 77;
	config = demo_config();
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = cmocka_run_group_tests_name("memo", t, NULL, NULL);
	config_free(config);
	return rc;
}
