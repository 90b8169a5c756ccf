/* An entry of the project file once more: the forms that files have, and those that are left to people. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/project/entry_copy.h"

struct row {
	const char *name, *in;
	const char *out;	/* NULL: refused */
	const char *why;
};

#define A(key, name, uid) "  " key ":\n    name: " name "\n    fabricUID: " uid "   # where\n"
#define HEAD "name: p\njobs:\n"

static const struct row rows[] = {
	{ "last of the file", HEAD A("jobs/a", "a", "1"), HEAD A("jobs/a", "a", "1") A("jobs/b", "b", "4004"), NULL },
	{ "with others behind it", HEAD A("jobs/a", "a", "1") A("jobs/c", "c", "1") "end: 1\n",
	  HEAD A("jobs/a", "a", "1") A("jobs/b", "b", "4004") A("jobs/c", "c", "1") "end: 1\n", NULL },
	{ "last of the jobs; what stands before the next key stays there",
	  HEAD A("jobs/a", "a", "1") "\n# the end\nend: 1\n",
	  HEAD A("jobs/a", "a", "1") A("jobs/b", "b", "4004") "\n# the end\nend: 1\n", NULL },
	{ "quotes go, the rest of a line stays", HEAD A("'jobs/a'", "\"a\"", "1"),
	  HEAD A("'jobs/a'", "\"a\"", "1") A("jobs/b", "b", "4004"), NULL },
	{ "no newline at the end", HEAD "  jobs/a:\n    name: a\n    fabricUID: 1",
	  HEAD "  jobs/a:\n    name: a\n    fabricUID: 1\n  jobs/b:\n    name: b\n    fabricUID: 4004", NULL },
	{ "lines of another system", "jobs:\r\n  jobs/a:\r\n    fabricUID: 1\r\n    name: a\r\n",
	  "jobs:\r\n  jobs/a:\r\n    fabricUID: 1\r\n    name: a\r\n  jobs/b:\r\n    fabricUID: 4004\r\n    name: b\r\n", NULL },
	{ "a byte order mark, and letters of more bytes", "\xef\xbb\xbfjobs:\n  jobs/a: \n    d\xc3\xa9: \xc3\xa9\n    name: a\n    fabricUID: 1\n",
	  "\xef\xbb\xbfjobs:\n  jobs/a: \n    d\xc3\xa9: \xc3\xa9\n    name: a\n    fabricUID: 1\n"
	  "  jobs/b: \n    d\xc3\xa9: \xc3\xa9\n    name: b\n    fabricUID: 4004\n", NULL },
	{ "values in braces within the entry", HEAD "  jobs/a:\n    name: a\n    x: { fabricUID: 9 }\n    fabricUID: 1\n",
	  HEAD "  jobs/a:\n    name: a\n    x: { fabricUID: 9 }\n    fabricUID: 1\n"
	  "  jobs/b:\n    name: b\n    x: { fabricUID: 9 }\n    fabricUID: 4004\n", NULL },
	{ "no such entry", HEAD A("jobs/c", "c", "1"), NULL, "has no job 'jobs/a'" },
	{ "no jobs", "name: p\n", NULL, "has no job 'jobs/a'" },
	{ "it is there already", HEAD A("jobs/a", "a", "1") A("jobs/b", "b", "1"), NULL, "an entry 'jobs/b' already" },
	{ "no such member", HEAD "  jobs/a:\n    name: a\n", NULL, "'jobs/a' has no 'fabricUID'" },
	{ "all in braces", "jobs: { jobs/a: { name: a, fabricUID: 1 } }\n", NULL, "not one of lines of its own" },
	{ "in braces on lines", "jobs: {\n  jobs/a:\n    { name: a,\n    fabricUID: 1 },\n  }\n", NULL, "write the entry by hand" },
	{ "a key with a question mark", HEAD "  ? jobs/a\n  :\n    name: a\n    fabricUID: 1\n", NULL,
	  "not one of lines of its own" },
	{ "a value over lines", HEAD "  jobs/a:\n    name: \"a\n      b\"\n    fabricUID: 1\n", NULL,
	  "a value has a form that cannot be replaced" },
	{ "a value elsewhere", "x: &f 1\n" HEAD "  jobs/a:\n    name: a\n    fabricUID: *f\n", NULL, "write the entry by hand" },
	{ "a number as a text", HEAD A("jobs/a", "a", "'1'"), NULL, "would not mean what it shall" },
};

static void check_row(void **state)
{
	static const struct entry_change changes[] = { { "name", "b" }, { "fabricUID", "4004" } };
	const struct row *r = *state;
	struct project p = { .path = NULL };
	struct buf out = BUF_INIT;
	struct ps_err err = { 0 };
	int rc;

	buf_adds(&p.bytes, r->in);
	assert_int_equal(doc_yaml(&p.doc, buf_str(&p.bytes), p.bytes.len, &p.fault), 0);
	rc = entry_copy(&p, "jobs/a", "jobs/b", changes, PS_NELEM(changes), &out, &err);
	if (r->out) {
		if (rc < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(buf_str(&out), r->out);
	} else {
		assert_true(rc < 0);
		if (!strstr(err.msg, r->why))
			fail_msg("'%s' is not in '%s'", r->why, err.msg);
		assert_int_equal(out.len, 0);
	}
	buf_clear(&out);
	project_clear(&p);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(rows)];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		tests[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = check_row,
						 .initial_state = (void *)&rows[i] };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("entry_copy", tests, PS_NELEM(tests), NULL, NULL);
}
