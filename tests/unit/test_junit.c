/* Reports as pytest writes them, and reports that somebody wrote to do harm. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/build/junit.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"

static char top[] = "/tmp/penstock-junit-XXXXXX";

static char *source(const char *name)
{
	const char *dir = getenv("srcdir");

	return xasprintf("%s/tests/unit/junit/%s", dir ? dir : ".", name);
}

static char *file_of(const char *text, size_t n)
{
	struct ps_err err = { 0 };
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fs_write_file(dir, "report.xml", text, n, 0644, &err), 0);
	close(dir);
	return fs_join(top, "report.xml");
}

static int read_text(struct junit *j, const char *text, size_t n, struct ps_err *err)
{
	char *path = file_of(text, n);
	int rc = junit_read(j, path, 60599, err);

	free(path);
	return rc;
}

/* ---- real ones ---- */

static const struct real {
	const char *name, *file;
	size_t count[JUNIT_OUTCOMES], n;
} reals[] = {
	{ "all passed", "sales.xml", { 9, 0, 0, 0 }, 9 },
	{ "of each kind", "mixed.xml", { 5, 3, 2, 2 }, 12 },
	{ "a suite that cannot be imported", "collect.xml", { 0, 0, 1, 0 }, 1 },
	{ "no test at all", "none.xml", { 0, 0, 0, 0 }, 0 },
};

static void check_real(void **state)
{
	const struct real *r = *state;
	char *path = source(r->file);
	struct ps_err err = { 0 };
	struct junit j;

	if (junit_read(&j, path, 60599, &err) != 0)
		fail_msg("%s: %s", path, err.msg);
	for (size_t i = 0; i < JUNIT_OUTCOMES; i++)
		assert_int_equal(j.count[i], r->count[i]);
	assert_int_equal(j.n, r->n);
	junit_clear(&j);
	free(path);
}

static const struct junit_case *find(const struct junit *j, const char *name, enum junit_outcome o)
{
	for (size_t i = 0; i < j->n; i++)
		if (strcmp(j->v[i].name, name) == 0 && j->v[i].outcome == o)
			return &j->v[i];
	fail_msg("no test '%s' that is %s", name, junit_word(o));
	return NULL;
}

static void details(void **state)
{
	char *path = source("mixed.xml");
	struct ps_err err = { 0 };
	const struct junit_case *c;
	struct junit j;

	(void)state;
	assert_int_equal(junit_read(&j, path, 60599, &err), 0);
	c = find(&j, "test_totals", JUNIT_FAILED);
	assert_string_equal(c->file, "test/TestSuite.py");
	assert_string_equal(c->class_name, "test.TestSuite.OrdersTest");
	assert_int_equal(c->took_ms, 1);
	assert_true(ps_starts(c->message, "AssertionError: Lists differ: [1, 2] != [1, 3]\n"));
	assert_non_null(strstr(c->trace, "E       AssertionError: Lists differ"));
	assert_string_equal(find(&j, "test_elsewhere", JUNIT_PASSED)->file, "test/sub/test_more.py");
	assert_null(find(&j, "test_elsewhere", JUNIT_PASSED)->message);
	assert_string_equal(find(&j, "test_later", JUNIT_SKIPPED)->message, "needs a <cluster> & more");
	find(&j, "test_teardown", JUNIT_FAILED);
	find(&j, "test_teardown", JUNIT_ERROR);
	find(&j, "test_day[]]>]", JUNIT_PASSED);
	junit_clear(&j);
	free(path);
}

/* ---- hostile ones ---- */

#define HEAD "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define LOL(n, m) "<!ENTITY l" #n " \"&l" #m ";&l" #m ";&l" #m ";&l" #m ";&l" #m ";&l" #m ";\">"
#define DEEP4 "<a><a><a><a>"

static const struct hostile {
	const char *name, *text, *why; /* why NULL: it is a report */
} hostiles[] = {
	{ "nothing", "", "no element found" },
	{ "no XML", "passed", "syntax error" },
	{ "another document", "<html><body/></html>", "no 'testsuites'" },
	{ "cut off", HEAD "<testsuites><testsuite><testcase name=\"a\"/>", "no element found" },
	{ "cut off in a name", HEAD "<testsuites><testcase na", "unclosed token" },
	{ "two roots", "<testsuite/><testsuite/>", "junk after document element" },
	{ "a document type", "<!DOCTYPE testsuites><testsuites/>", "document type" },
	{ "billion laughs",
	  HEAD "<!DOCTYPE x [<!ENTITY l0 \"lol\">" LOL(1, 0) LOL(2, 1) LOL(3, 2) LOL(4, 3) LOL(5, 4)
	  LOL(6, 5) LOL(7, 6) LOL(8, 7) LOL(9, 8) "]><testsuites><testcase name=\"&l9;\"/></testsuites>",
	  "document type" },
	{ "an external entity",
	  HEAD "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><testsuites>&e;</testsuites>",
	  "document type" },
	{ "an entity nobody defined", "<testsuites>&e;</testsuites>", "undefined entity" },
	{ "too deep", "<testsuites>" DEEP4 DEEP4 DEEP4 DEEP4 DEEP4, "nested too deep" },
	{ "latin-1, honestly said",
	  "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><testsuites><testcase name=\"\xe4\"/></testsuites>",
	  "not well-formed" },
	{ "no UTF-8", "<testsuites><testcase name=\"\xc0\x80\"/></testsuites>", "not well-formed" },
	{ "UTF-16", "\xff\xfe<\0t\0/\0>\0", "not UTF-8" },
	{ "a control byte", "<testsuites><testcase name=\"a\x1b[31m\"/></testsuites>", "not well-formed" },
	{ "a test inside a test", "<testsuites><testcase><testcase/></testcase></testsuites>",
	  "a test inside a test" },
	{ "unknown elements", "<testsuite><properties><property name=\"x\"/></properties><testcase>"
	  "<system-out>text</system-out></testcase></testsuite>", NULL },
	{ "nothing said of a test", "<testsuite><testcase/></testsuite>", NULL },
	{ "times that are none", "<testsuite><testcase time=\"1e999\"/><testcase time=\"-5\"/>"
	  "<testcase time=\"x\"/></testsuite>", NULL },
};

static void check_hostile(void **state)
{
	const struct hostile *h = *state;
	struct ps_err err = { 0 };
	struct junit j;
	size_t n = strcmp(h->name, "UTF-16") == 0 ? 10 : strlen(h->text);
	int rc = read_text(&j, h->text, n, &err);

	assert_int_equal(rc, h->why ? PS_EINVAL : 0);
	if (h->why && !strstr(err.msg, h->why))
		fail_msg("'%s' does not say '%s'", err.msg, h->why);
	for (size_t i = 0; i < j.n; i++)
		assert_int_equal(j.v[i].took_ms, 0);
	junit_clear(&j);
}

/* Past the cap failed ones push out passed ones, and all are counted. */
static void many(void **state)
{
	enum { PASSED = JUNIT_CASES_MAX + 300, FAILED = 40 };
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	struct junit j;
	size_t failed = 0;

	(void)state;
	buf_adds(&b, "<testsuites>");
	for (int i = 0; i < PASSED; i++)
		buf_addf(&b, "<testcase name='p%d'/>", i);
	for (int i = 0; i < FAILED; i++)
		buf_addf(&b, "<testcase name='f%d'><failure message='m'>t</failure></testcase>", i);
	buf_adds(&b, "</testsuites>");
	assert_int_equal(read_text(&j, buf_str(&b), b.len, &err), 0);
	assert_int_equal(j.n, JUNIT_CASES_MAX);
	assert_int_equal(j.count[JUNIT_PASSED], PASSED);
	assert_int_equal(j.count[JUNIT_FAILED], FAILED);
	for (size_t i = 0; i < j.n; i++)
		failed += j.v[i].outcome == JUNIT_FAILED;
	assert_int_equal(failed, FAILED);
	junit_clear(&j);
	buf_clear(&b);
}

/* Long texts are cut between characters. */
static void long_texts(void **state)
{
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	struct junit j;

	(void)state;
	buf_adds(&b, "<testsuites><testcase name='x");
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "€");
	buf_adds(&b, "'><failure message='");
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "€");
	buf_adds(&b, "'>");
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, i % 50 ? "€" : "\n");
	buf_adds(&b, "</failure></testcase></testsuites>");
	assert_int_equal(read_text(&j, buf_str(&b), b.len, &err), 0);
	assert_int_equal(j.n, 1);
	assert_in_range(strlen(j.v[0].name), JUNIT_NAME_MAX - 3, JUNIT_NAME_MAX);
	assert_in_range(strlen(j.v[0].message), JUNIT_MESSAGE_MAX - 3, JUNIT_MESSAGE_MAX);
	assert_in_range(strlen(j.v[0].trace), JUNIT_TRACE_MAX - 3, JUNIT_TRACE_MAX + 3);
	assert_true(utf8_valid(j.v[0].name, strlen(j.v[0].name)));
	assert_true(utf8_valid(j.v[0].trace, strlen(j.v[0].trace)));
	buf_clear(&b);
	junit_clear(&j);
	buf_clear(&b);
}

static void no_plain_file(void **state)
{
	char *path = fs_join(top, "report.xml"), *other = fs_join(top, "other");
	struct ps_err err = { 0 };
	struct junit j;
	int fd;

	(void)state;
	unlink(path);
	assert_int_equal(junit_read(&j, path, 60599, &err), PS_ENOENT);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_not_equal(junit_read(&j, path, 60599, &err), 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(junit_read(&j, path, 60599, &err), PS_EINVAL);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, JUNIT_BYTES_MAX + 1), 0);
	close(fd);
	assert_int_equal(junit_read(&j, path, 60599, &err), PS_EINVAL);
	assert_non_null(strstr(err.msg, "larger than 16 MB"));
	unlink(path);
	free(other);
	free(path);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, top, NULL);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(reals) + PS_NELEM(hostiles) + 4];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(reals); i++)
		tests[n++] = (struct CMUnitTest){ reals[i].name, check_real, NULL, NULL,
						  (void *)&reals[i] };
	for (size_t i = 0; i < PS_NELEM(hostiles); i++)
		tests[n++] = (struct CMUnitTest){ hostiles[i].name, check_hostile, NULL, NULL,
						  (void *)&hostiles[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(details);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(many);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_texts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_plain_file);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests("junit", tests, n, set_up, tear_down);
}
