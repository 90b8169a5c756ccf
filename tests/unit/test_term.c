/* Tables, states and times as a terminal and as a pipe see them. */
#include "config.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/term.h"

static const struct column cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REF", "ref", COL_NAME, 0 },
	{ "OID", "oid", COL_OID, 2 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ 0 },
};

#define OID "0123456789abcdef0123456789abcdef01234567"
#define AT "2026-11-23T16:02:03.123Z"
#define ITEM(state, reason, ref)                                                         \
	"{\"id\":\"e1\",\"state\":\"" state "\",\"reason\":" reason ",\"ref\":\"" ref    \
	"\",\"oid\":\"" OID "\",\"since\":\"" AT "\"}"

static const struct row {
	const char *name;
	struct term term;
	const char *item, *line;	/* the second line of the table */
} rows[] = {
	{ "pipe", { .ascii = false }, ITEM("passed", "null", "main"),
	  "e1  ✓ passed  main  " OID "  2026-11-23T16:02:03Z" },
	{ "terminal", { .tty = true, .width = 80 }, ITEM("passed", "null", "main"),
	  "e1  ✓ passed  main  0123456789ab  60 s" },
	{ "ascii", { .ascii = true }, ITEM("failed", "null", "main"),
	  "e1  x failed  main  " OID "  2026-11-23T16:02:03Z" },
	{ "reason of what waits", { .tty = true, .width = 80 },
	  ITEM("queued", "\"builder\"", "main"),
	  "e1  ○ queued: builder  main  0123456789ab  60 s" },
	{ "colour", { .tty = true, .width = 80, .color = true }, ITEM("failed", "null", "main"),
	  "e1  \033[31m✗ failed\033[0m  main  0123456789ab  60 s" },
	{ "narrow drops the age, then the oid", { .tty = true, .width = 20 },
	  ITEM("passed", "null", "main"), "e1  ✓ passed  main" },
	{ "very narrow cuts the middle of a name", { .tty = true, .width = 26 },
	  ITEM("passed", "null", "refs/heads/a_long_branch"), "e1  ✓ passed  refs/h…ranch" },
	{ "wide characters", { .tty = true, .width = 80 }, ITEM("passed", "null", "日本"),
	  "e1  ✓ passed  日本  0123456789ab  60 s" },
	{ "control bytes", { .ascii = false }, ITEM("passed", "null", "a\\u001b[31m"),
	  "e1  ✓ passed  a\\x1b[31m  " OID "  2026-11-23T16:02:03Z" },
	{ "unknown state", { .ascii = true }, ITEM("odd", "null", "main"),
	  "e1  _ odd  main  " OID "  2026-11-23T16:02:03Z" },
};

static void check_row(void **state)
{
	const struct row *r = *state;
	char *text = xasprintf("[%s]", r->item), *second;
	json_t *items = json_loads(text, 0, NULL);
	struct buf out = BUF_INIT;

	assert_non_null(items);
	term_table(&out, &r->term, cols, items, term_parse_time(AT) + 60000);
	second = strchr(buf_str(&out), '\n');
	assert_non_null(second);
	second[1 + strcspn(second + 1, "\n")] = '\0';
	assert_string_equal(second + 1, r->line);
	buf_clear(&out);
	json_decref(items);
	free(text);
}

static void check_width(void **state)
{
	(void)state;
	assert_int_equal(term_width("abc"), 3);
	assert_int_equal(term_width("日本"), 4);
	assert_int_equal(term_width("✓ ok"), 4);
	assert_int_equal(term_width(""), 0);
}

static void check_span(void **state)
{
	static const struct { int64_t ms; const char *text; } spans[] = {
		{ 0, "0.0 s" }, { 1234, "1.2 s" }, { 58000, "58 s" }, { 124000, "2 m 4 s" },
			{ 3780000, "1 h 3 m" },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(spans); i++) {
		struct buf b = BUF_INIT;

		term_span(&b, spans[i].ms);
		assert_string_equal(buf_str(&b), spans[i].text);
		buf_clear(&b);
	}
}

static void check_time(void **state)
{
	(void)state;
	assert_true(term_parse_time(AT) == 1795449723123);
	assert_true(term_parse_time("2026-11-23T16:02:03Z") == 1795449723000);
	assert_true(term_parse_time("main") == -1);
	assert_true(term_parse_time(NULL) == -1);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 3];
	size_t n = 0;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	for (; n < PS_NELEM(rows); n++)
		t[n] = (struct CMUnitTest) { .name = rows[n].name, .test_func = check_row,
					     .initial_state = (void *)&rows[n] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test(check_width);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(check_span);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(check_time);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("term", t, n, NULL, NULL);
}
