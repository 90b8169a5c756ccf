/* Units of common/config/mapping: patterns, covering, first match and why. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/config/mapping.h"
#include "common/config/which.h"

static const struct { const char *pattern, *text; bool matches; } globs[] = {
	{ "refs/heads/main", "refs/heads/main", true },
	{ "refs/heads/main", "refs/heads/main2", false },
	{ "refs/heads/main2", "refs/heads/main", false },
	{ "refs/tags/v*", "refs/tags/v1.4.0", true },
	{ "refs/tags/v*", "refs/tags/v", true },
	{ "refs/tags/v*", "refs/tags/v1/2", false },
	{ "refs/tags/*/*", "refs/tags/a/b", true },
	{ "refs/tags/*/*", "refs/tags/a", false },
	{ "refs/heads/release/**", "refs/heads/release/1", true },
	{ "refs/heads/release/**", "refs/heads/release/1/2", true },
	{ "refs/heads/release/**", "refs/heads/release", false },
	{ "refs/heads/**/x", "refs/heads/x", true },
	{ "refs/heads/**/x", "refs/heads/a/b/x", true },
	{ "refs/heads/**/x", "refs/heads/ax", false },
	{ "refs/heads/v**", "refs/heads/v1/2", true },
	{ "refs/heads/?", "refs/heads/a", true },
	{ "refs/heads/?", "refs/heads/ab", false },
	{ "refs/heads?a", "refs/heads/a", false },
	{ "**", "refs/heads/a", true },
	{ "**", "", true },
	{ "", "", true },
	{ "", "a", false },
	{ "*a*b", "xaxbxb", true },
	{ "*a*b/c", "aab/c", true },
	{ "*a*b/c", "a/b/c", false },
	{ "**a*b/**/c", "x/a/a1b/y/z/c", true },
	{ "**/a/**/b", "a/b", true },
	{ "**/a/**/b", "q/a/x/y/b", true },
	{ "**/a/**/b", "qa/x/b", false },
	{ "**a**b**c", "1/a2a/b3/c", true },
	{ "**a**b**c", "1/a2a/b3/d", false },
};

static void glob_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(globs); i++)
		if (mapping_glob(globs[i].pattern, globs[i].text) != globs[i].matches)
			fail_msg("'%s' against '%s'", globs[i].pattern, globs[i].text);
}

/* A pattern made to make backtracking explode ends at once. */
static void glob_is_not_exponential(void **state)
{
	char pattern[512] = "", text[1024];

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(pattern, i % 2 ? "**/*a" : "*a*/");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 7; i < sizeof(text) - 1; i += 8)
		text[i] = '/';
	text[sizeof(text) - 2] = 'b';
	assert_false(mapping_glob(pattern, text));
}

static const struct { const char *pattern, *repo, *project; bool matches; } project_rows[] = {
	{ "**:**", "etl", ".", true },
	{ "**:**", "sales/etl", "a/b", true },
	{ "sales/*:**", "sales/etl", ".", true },
	{ "sales/*:**", "sales/etl/x", ".", false },
	{ "sales/etl:.", "sales/etl", ".", true },
	{ "sales/etl:.", "sales/etl", "sub", false },
	{ "*:sub/*", "etl", "sub/a", true },
	{ "nocolon", "nocolon", ".", false },
};

static void projects_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(project_rows); i++)
		if (mapping_project(project_rows[i].pattern, project_rows[i].repo,
				    project_rows[i].project) !=
		    project_rows[i].matches)
			fail_msg("'%s' against '%s' '%s'", project_rows[i].pattern,
				 project_rows[i].repo, project_rows[i].project);
}

static const struct { const char *wide, *narrow; bool covers; } covers[] = {
	{ "**", "refs/heads/main", true },
	{ "**", "refs/**/x*", true },
	{ "refs/heads/*", "refs/heads/main", true },
	{ "refs/heads/*", "refs/heads/v?", true },
	{ "refs/heads/*", "refs/heads/*", true },
	{ "refs/heads/*", "refs/heads/**", false },
	{ "refs/heads/*", "refs/heads/a/*", false },
	{ "refs/heads/**", "refs/heads/*/x", true },
	{ "refs/tags/v*", "refs/tags/*", false },
	{ "refs/tags/*", "refs/tags/v*", true },
	{ "refs/heads/?", "refs/heads/*", false },
	{ "refs/heads/?", "refs/heads/?", true },
	{ "refs/**/x", "refs/**/x", true },
	{ "refs/**/x", "refs/a/**/x", true },
	{ "refs/a/**/x", "refs/**/x", false },
	{ "refs/**/x", "refs/x", true },
	{ "refs/heads/main", "refs/heads/main", true },
	{ "refs/heads/main", "refs/heads/m*", false },
};

static void covering_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(covers); i++)
		if (mapping_covers(covers[i].wide, covers[i].narrow) != covers[i].covers)
			fail_msg("'%s' over '%s'", covers[i].wide, covers[i].narrow);
	assert_true(mapping_project_covers("**:**", "sales/*:."));
	assert_false(mapping_project_covers("sales/*:**", "**:**"));
}

static char random_char(unsigned *seed, const char *of)
{
	return of[(unsigned)rand_r(seed) % strlen(of)];
}

/* "Certainly covers" may never lie: whatever the narrow one matches, the wide one does. */
static void covering_never_lies(void **state)
{
	unsigned seed = 7, hits = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char wide[8], narrow[8], text[8];
		size_t w = 1 + (unsigned)rand_r(&seed) % 6, n = 1 + (unsigned)rand_r(&seed) % 6,
		       t = (unsigned)rand_r(&seed) % 7;

		for (size_t i = 0; i < w; i++)
			wide[i] = random_char(&seed, "a/**?");
		for (size_t i = 0; i < n; i++)
			narrow[i] = random_char(&seed, "a/**?");
		for (size_t i = 0; i < t; i++)
			text[i] = random_char(&seed, "ab/");
		wide[w] = narrow[n] = text[t] = '\0';
		if (!mapping_covers(wide, narrow) || !mapping_glob(narrow, text))
			continue;
		hits++;
		if (!mapping_glob(wide, text))
			fail_msg("'%s' over '%s' but not '%s'", wide, narrow, text);
	}
	assert_true(hits > 1000);
}

/* The same question answered the slow, obvious way. */
static bool slow(const char *p, const char *begin, const char *t)
{
	bool part = p == begin || p[-1] == '/';

	if (!*p)
		return !*t;
	if (p[0] == '*' && p[1] == '*' && p[2] == '/' && part) {
		if (slow(p + 3, begin, t))
			return true;
		for (; *t; t++)
			if (*t == '/' && slow(p + 3, begin, t + 1))
				return true;
		return false;
	}
	if (p[0] == '*') {
		bool deep = p[1] == '*';

		for (;; t++) {
			if (slow(p + 1 + deep, begin, t))
				return true;
			if (!*t || (!deep && *t == '/'))
				return false;
		}
	}
	return *t && (*p == *t || (*p == '?' && *t != '/')) && slow(p + 1, begin, t + 1);
}

static void glob_equals_the_slow_way(void **state)
{
	unsigned seed = 11;

	(void)state;
	for (int round = 0; round < 300000; round++) {
		char pattern[10], text[12];
		size_t p = (unsigned)rand_r(&seed) % 9, t = (unsigned)rand_r(&seed) % 11;

		for (size_t i = 0; i < p; i++)
			pattern[i] = random_char(&seed, "ab/**?");
		for (size_t i = 0; i < t; i++)
			text[i] = random_char(&seed, "ab/");
		pattern[p] = text[t] = '\0';
		if (mapping_glob(pattern, text) != slow(pattern, pattern, text))
			fail_msg("'%s' against '%s'", pattern, text);
	}
}

static const struct { const char *pattern; bool ref; const char *why; } faults[] = {
	{ "refs/heads/main", true, NULL },
	{ "**", true, NULL },
	{ "main", true, "does not begin with 'refs/'" },
	{ "refs/heads/", true, "ends with '/'" },
	{ "refs//heads", true, "'//'" },
	{ "refs/heads/[ab]", true, "wildcards" },
	{ "refs/heads/a b", true, "no ref name" },
	{ "refs/heads/a..b", true, "no ref name" },
	{ "refs/***", true, "three stars" },
	{ "sales/*:**", false, NULL },
	{ "sales", false, "REPOSITORY:PROJECT" },
	{ ":**", false, "empty part" },
	{ "a:", false, "empty part" },
	{ "/a:b", false, "begins" },
};

static void faults_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(faults); i++) {
		const char *why = faults[i].ref ? mapping_ref_fault(faults[i].pattern)
						: mapping_project_fault(faults[i].pattern);

		if (!why != !faults[i].why || (why && !strstr(why, faults[i].why)))
			fail_msg("'%s': %s", faults[i].pattern, why ? why : "nothing");
	}
}

static const char yaml[] =
	"teams: { all: { members: [ana] } }\n"
	"fabrics:\n"
	"  one: { id: 1, owner: all, provider: local }\n"
	"  two: { id: 2, owner: all, provider: local }\n"
	"environments:\n"
	"  - { name: sales, projects: ['sales/*:**'], refs: [refs/tags/v*], fabric: one, deploy: "
		"manual }\n"
	"  - { name: rest, refs: [refs/tags/*, refs/heads/main], fabric: two, deploy: auto }\n";

static struct config *parse(void)
{
	struct diag_list out = DIAG_LIST_INIT;
	struct config *c = NULL;
	struct ps_err err;

	assert_int_equal(config_parse(&c, "p", yaml, strlen(yaml), &out, &err), 0);
	assert_int_equal(out.n, 0);
	return c;
}

static void first_match_wins_and_says_why(void **state)
{
	struct config *c = parse();
	struct mapping_step steps[2];
	size_t index = 0;

	(void)state;
	assert_string_equal(mapping_find(c, "sales/etl", ".", "refs/tags/v1", &index)->name,
			    "sales");
	assert_int_equal(index, 1);
	assert_string_equal(mapping_find(c, "hr/etl", ".", "refs/tags/v1", &index)->name, "rest");
	assert_int_equal(index, 2);
	assert_null(mapping_find(c, "hr/etl", ".", "refs/heads/x", NULL));
	mapping_explain(c, "hr/etl", ".", "refs/tags/v1", steps);
	assert_true(steps[0].ref_matches);
	assert_false(steps[0].project_matches);
	assert_string_equal(steps[1].pattern, "refs/tags/*");
	config_free(c);
}

static const struct { const char *repo, *ref; bool all; const char *text; } answers[] = {
	{ "sales/etl", "refs/tags/v1", false,
	  "sales (rule 1, penstock.yml:6) -> fabric one, deploy manual\n" },
	{ "sales/etl", "refs/tags/v1", true,
	  "sales (rule 1, penstock.yml:6) -> fabric one, deploy manual\n"
	  "  * sales (rule 1, penstock.yml:6): matches 'refs/tags/v*'\n"
	  "    rest (rule 2, penstock.yml:7): matches 'refs/tags/*', but rule 1 comes first\n" },
	{ "hr", "refs/tags/v1", true, "rest (rule 2, penstock.yml:7) -> fabric two, deploy auto\n"
	  "    sales (rule 1, penstock.yml:6): the project does not match 'sales/*:**'\n"
	  "  * rest (rule 2, penstock.yml:7): matches 'refs/tags/*'\n" },
	{ "hr", "refs/heads/x", true,
	  "nowhere: no rule of penstock.yml takes 'refs/heads/x' of 'hr:.'\n"
	  "    sales (rule 1, penstock.yml:6): the ref does not match 'refs/tags/v*'\n"
	  "    rest (rule 2, penstock.yml:7): the ref matches none of 'refs/tags/*', "
	  "'refs/heads/main'\n" },
};

static void which_says_it_in_words(void **state)
{
	struct config *c = parse();

	(void)state;
	for (size_t i = 0; i < PS_NELEM(answers); i++) {
		struct buf text = BUF_INIT;
		struct which w;

		which_make(&w, c, answers[i].repo, ".", answers[i].ref);
		which_text(&text, &w, "/some/where/penstock.yml", answers[i].all);
		assert_string_equal(buf_str(&text), answers[i].text);
		which_clear(&w);
		buf_clear(&text);
	}
	config_free(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glob_rows),
		cmocka_unit_test(glob_is_not_exponential),
		cmocka_unit_test(glob_equals_the_slow_way),
		cmocka_unit_test(projects_match),
		cmocka_unit_test(covering_rows),
		cmocka_unit_test(covering_never_lies),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(first_match_wins_and_says_why),
		cmocka_unit_test(which_says_it_in_words),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
